"""How fast we are: us, a peer and the raw limit in one run, as ratios.

One file per area, each with `run(quick) -> list[Row]`; `workbench bench NAME` runs it. README.md
says how to read the rows.
"""

__all__ = ["AREAS"]

AREAS = {
    "log": "log",
    "checks": "checks",
    "import": "import_time",
    "policy": "policy",
    "world": "world",
    "features": "features",
    "experiments": "experiments",
}  # area -> file
