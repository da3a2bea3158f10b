"""What happened, and can we trust the table? Public logs, their replay as a world, and checks.

- `public`: real data sets, fetched once and renamed into the vocabulary.
- `replay`: a recorded log played back as a world that policies can answer.
- `checks`: is this table complete, fresh, unique and in the unit it was in yesterday?
- `faults`: the same table with a known mistake in it, to see whether the checks find it.
"""
