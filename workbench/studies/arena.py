"""The procedure arena: how an A/B test is run, marked against a truth that no shop ever has.

    cells x arms ──► re-dealt experiments ──► readings at every look ──► each procedure, CUPED on
    (given worlds)   (numbered: any workers)                             and off ──► marks

A cell is a world (`arena_cells`), with arms that are better, worse and the same. A procedure
(`arena_procedures`) decides when to stop and what to claim. The marks (`arena_marks`) say what
that was worth: false claims, missed ones, exaggerated ones, days, money.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from workbench.studies.arena_cells import Cell, with_twin
from workbench.studies.arena_marks import marks, regret
from workbench.studies.arena_procedures import PROCEDURES, decide
from workbench.studies.arena_readings import read

__all__ = ["Arena", "ArenaSpec", "arena"]

_KEYS = ["cell", "cuped", "procedure"]
_NOTHING = (None, None, None)


@dataclass(frozen=True)
class ArenaSpec:
    """The plan of every experiment.

    Attributes
    ----------
    experiments, twins : int
        How many with each challenger, and how many A/A.
    looks : int
        Days: as many cohorts arrive, evenly.
    share : float
        Of the users, in the treatment.
    alpha, srm_alpha : float
        Levels of the claims and of the sample-ratio test.
    horizon_users : float
        Who come until the next change, those in the test among them: regret counts over them.
    money, ship_cost : float
        Of one unit of the metric; of shipping, once.
    slice_size : int
        Experiments in one piece of work; changes no number.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    experiments: int = 1_000
    twins: int = 2_000
    looks: int = 28
    share: float = 0.5
    alpha: float = 0.05
    srm_alpha: float = 0.001
    horizon_users: float = 1_000_000
    money: float = 1.0
    ship_cost: float = 0.0
    slice_size: int = 250
    salt: str = "arena"

    def __post_init__(self):
        for name in ("experiments", "twins", "looks", "slice_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("share", "alpha", "srm_alpha"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be in (0, 1), got {getattr(self, name)}")


@dataclass(frozen=True)
class Arena:
    """What came of it; the repr is the table.

    Attributes
    ----------
    rows : DataFrame
        One per experiment, procedure and CUPED: `cell arm cuped procedure experiment truth look
        users claim estimate low high blocked regret`.
    table : DataFrame
        One row per cell, CUPED and procedure, all arms together: marks with `_low` and `_high`.
    """

    spec: ArenaSpec
    rows: pl.DataFrame
    table: pl.DataFrame

    @property
    def by_arm(self) -> pl.DataFrame:
        """The marks of every arm apart."""
        return _marked(self.rows, [*_KEYS, "arm"])

    def __repr__(self) -> str:
        lines = []
        for (cell,), table in self.table.group_by("cell", maintain_order=True):
            arms = self.rows.filter(pl.col("cell") == cell).unique("arm", maintain_order=True)
            truths = zip(arms["arm"], arms["truth"], strict=True)
            lines += [f"{cell}: " + ", ".join(f"{arm} {truth:+.3g}" for arm, truth in truths)]
            lines += [_HEAD, *(_line(row) for row in table.iter_rows(named=True))]
            lines += [_untested(arms["truth"].to_numpy(), self.spec), ""]
        return "\n".join(lines[:-1])


def arena(
    cells: Sequence[Cell], spec: ArenaSpec | None = None, *, map: Callable = map
) -> Arena:  # fmt: skip
    """Run every procedure over every cell, with CUPED and without, on the same experiments.

    Parameters
    ----------
    cells : sequence of Cell
        Each gets one more arm, `same`, for A/A.
    spec : ArenaSpec, optional
    map : callable
        The built-in, that of an executor, or of a Dask client:
        `lambda work, tasks: client.gather(client.map(work, list(tasks)))`. The numbers are the
        same, to the last bit.

    Raises
    ------
    ValueError
        If there is no cell, two have one name, or the horizon is shorter than a test.
    """
    spec, cells = spec or ArenaSpec(), [with_twin(cell) for cell in cells]
    names = [cell.name for cell in cells]
    if not names or len({*names}) < len(names):
        raise ValueError(f"cells must be one or more of different names, got {names}")
    tasks = [
        (_pair(cell, arm), arm, numbers, spec)
        for cell in cells
        for arm in cell.truth
        for numbers in _slices(spec.twins if arm == "same" else spec.experiments, spec.slice_size)
    ]
    rows = pl.concat(map(one_slice, tasks))
    return Arena(spec, rows, _marked(rows, _KEYS))


def one_slice(task: tuple[Cell, str, range, ArenaSpec]) -> pl.DataFrame:
    """Some experiments of one arm of a cell, under every procedure."""
    cell, arm, numbers, spec = task
    readings = read(
        cell, arm, numbers, looks=spec.looks, share=spec.share, salt=f"{spec.salt}/{arm}"
    )
    parts = []
    for cuped, each in readings.items():
        for name, half_widths in PROCEDURES.items():
            ends = decide(
                each, half_widths(each, spec.alpha), share=spec.share, srm_alpha=spec.srm_alpha
            )
            users = (each.users + each.control_users)[np.arange(len(numbers)), ends.look]
            lost = regret(
                cell.truth[arm], ends.claim > 0, users, share=spec.share,
                horizon=spec.horizon_users, money=spec.money, ship_cost=spec.ship_cost,
            )  # fmt: skip
            columns = {
                "experiment": np.array(numbers), "look": ends.look, "users": users,
                "claim": ends.claim, "estimate": ends.estimate, "low": ends.low,
                "high": ends.high, "blocked": ends.blocked, "regret": lost,
            }  # fmt: skip
            keys = {"cell": cell.name, "arm": arm, "cuped": cuped, "procedure": name}
            words = [pl.lit(value).alias(key) for key, value in keys.items()]
            truth = pl.lit(cell.truth[arm]).alias("truth")
            parts.append(pl.DataFrame(columns).select(*words, truth, pl.all()))
    return pl.concat(parts)


def _pair(cell: Cell, arm: str) -> Cell:
    """The cell with the control and one arm only: less to send."""
    values = {name: cell.outcomes.values[name] for name in (cell.control, arm)}
    outcomes = replace(cell.outcomes, values=values)
    return replace(cell, outcomes=outcomes, truth={arm: cell.truth[arm]})


def _slices(count: int, size: int) -> list[range]:
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def _marked(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    made = []
    for key, part in rows.group_by(keys, maintain_order=True):
        row = dict(zip(keys, key, strict=True)) | {"experiments": part.height}
        for name, interval in marks(part).items():
            ends = None if interval is None else (interval.estimate, interval.low, interval.high)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends or _NOTHING, strict=True))
        made.append(row)
    return pl.DataFrame(made, infer_schema_length=None)


_HEAD = (
    f"{'procedure':<16}{'CUPED':<6}{'type I':<18}{'cover':>5}{'power':>6}{'S':>6}{'M':>5}"
    f"{'bias':>8}{'block':>6}{'days':>5}{'regret':>9}"
)


def _line(row: dict) -> str:
    type_i = f"{_share(row['type_i'])} [{_share(row['type_i_low'])}, {_share(row['type_i_high'])}]"
    exaggeration = "-" if row["type_m"] is None else f"{row['type_m']:.2f}"
    return (
        f"{row['procedure']:<16} {'on' if row['cuped'] else 'off':<5}{type_i:<18}"
        f"{_share(row['coverage']):>5}{_share(row['power']):>6}{_share(row['type_s']):>6}"
        f"{exaggeration:>5}{row['bias']:>+8.2g}{_share(row['blocked']):>6}{row['days']:>5.1f}"
        f"{row['regret']:>9,.0f}"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".removeprefix("0")


def _untested(truths: np.ndarray, spec: ArenaSpec) -> str:
    """The regret of who asks nobody: the dumb baselines, over the arms with an effect."""
    truths = truths[truths != 0]
    if not len(truths):
        return "no arm has an effect: no regret"
    always, never = (
        regret(
            truths, np.full(len(truths), shipped), 0, share=spec.share,
            horizon=spec.horizon_users, money=spec.money, ship_cost=spec.ship_cost,
        ).mean() for shipped in (True, False)
    )  # fmt: skip
    return f"{'regret without a test: always ship':<40}{always:>12,.0f}, never ship {never:>12,.0f}"
