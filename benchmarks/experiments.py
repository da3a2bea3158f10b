"""Experiments: the read-out of ten million users, and what stands behind a slider.

experiments_analysis  two metrics with CUPED: tea-tasting, DuckDB, Polars
experiments_widgets   a move in the explorers, a million rows: tea-tasting, pandas, raw Polars

The procedure arena measures truth, not time: `python -m benchmarks.arena`.
"""

from __future__ import annotations

from benchmarks import experiments_analysis, experiments_widgets
from benchmarks.harness import Row

__all__ = ["run"]

PARTS = (experiments_analysis, experiments_widgets)


def run(quick: bool = False) -> list[Row]:
    """All rows, part by part."""
    return [row for part in PARTS for row in part.run(quick)]
