"""Rates of slices, asked for again and again: those of the estimators of experiments."""

import numpy as np
import pytest

from workbench.experiments.clustered import cluster_means, paired_interval, share_interval
from workbench.widgets.shadow_rates import groups_of


@pytest.mark.parametrize("users", [None, 40, 900])
def test_rates_of_groups_are_those_of_cluster_means(users):
    rng = np.random.default_rng(1)
    n = 1_000
    code = rng.integers(0, 4, n)
    who = None if users is None else rng.integers(0, users, n)
    groups = groups_of(code, 5, who)  # the fifth is empty
    for share in (0.0, 0.1, 1.0):
        flag = rng.random(n) < share
        mine, theirs = groups.means(flag), cluster_means(flag, who, np.append(code, 4)[:n])
        for name in ("rows", "clusters", "mean", "variance"):
            np.testing.assert_allclose(
                getattr(mine, name)[:4], getattr(theirs, name), rtol=1e-9, atol=1e-15
            )
        np.testing.assert_allclose(share_interval(mine)[0][:4], share_interval(theirs)[0])
    first, second = rng.random(n) < 0.2, rng.random(n) < 0.1
    wanted = [each[2] for each in paired_interval(first, second, who, code)[:3]]
    assert groups.excess(first, second, 2) == pytest.approx(wanted, rel=1e-9)
    assert groups.excess(first, first, 2)[0] == 0
