"""May the comparison be believed at all? What to look at before any effect.

    check                 what a failure means                                     then
    sample ratio          arms lost or doubled users                               blocks
    multiple exposure     users moved between arms: the deal is not sticky         warns
    pre-period            arms differed before they were treated                   warns

`triggered` and `novelty` look at one metric each. Within segments `analyse` tests sample ratios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from workbench.experiments.comparison import compare
from workbench.experiments.corrections import holm
from workbench.experiments.metric import Column, Mean
from workbench.experiments.sample_ratio import sample_ratio
from workbench.experiments.statistics import of_users
from workbench.experiments.users import per_user

__all__ = ["Check", "Validity", "validity"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: whether it passed, whether a failure forbids the read-out, and what was seen."""

    name: str
    ok: bool
    blocks: bool
    p_value: float | None
    seen: str

    def __repr__(self) -> str:
        light = "ok" if self.ok else "BLOCKS" if self.blocks else "WARNS"
        if len(self.name) > 18 or len(self.seen) > 62:  # on a line of its own
            return f"{light:<7} {self.name}\n{'':<7} {self.seen}"
        return f"{light:<7} {self.name:<18} {self.seen}"


@dataclass(frozen=True, slots=True)
class Validity:
    """The checks of one experiment; `ok` is False when it may not be read."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether the effect may be looked at."""
        return all(check.ok or not check.blocks for check in self.checks)

    @property
    def table(self) -> pl.DataFrame:
        """The checks as a frame: `name ok blocks p_value seen`."""
        schema = {"name": pl.String, "ok": pl.Boolean, "blocks": pl.Boolean}
        schema |= {"p_value": pl.Float64, "seen": pl.String}
        rows = [(c.name, c.ok, c.blocks, c.p_value, c.seen) for c in self.checks]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def __getitem__(self, name: str) -> Check:
        """The check of that name."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check is called {name!r}; there are {[c.name for c in self.checks]}")

    def __repr__(self) -> str:
        return "\n".join(repr(check) for check in self.checks)


def validity(
    table,
    *,
    expected: Mapping[str, float],
    before: Sequence[str] = (),
    crossed_share: float = 0.01,
    alpha: float = 0.001,
    one_row_per: str | None = None,
) -> Validity:
    """Check an experiment before its effects: sample ratio, multiple exposure, pre-period.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Columns `user`, `variant` and those of `before`; one or more rows per user.
    expected : mapping of arm to float
        Planned shares. The first arm is the control.
    before : sequence of str
        Numbers known before the users were dealt, one value per user: each is compared between the
        arms as if it were a metric. No treatment can have moved it, so a difference is a fault.
    crossed_share : float, default 0.01
        Share of users in several arms from which on it warns; the default of GrowthBook.
    alpha : float, default 0.001
        Of the sample ratio, and of the pre-period after Holm: faults are rarely subtle.
    one_row_per : {None, "user"}
        As in `analyse`; "user" leaves multiple exposure unchecked.

    Returns
    -------
    Validity
        Its repr is the report.

    Raises
    ------
    ValueError
        If the table is not as `analyse` needs it, or a share is outside (0, 1).

    Notes
    -----
    Kohavi, Tang & Xu (2020), "Trustworthy online controlled experiments", chapters 19 and 21.

    Examples
    --------
    >>> table = pl.DataFrame({"user": range(900), "variant": ["old", "new", "old"] * 300})
    >>> table = table.with_columns(before=pl.col("user") % 7)
    >>> validity(table, expected={"old": 0.5, "new": 0.5}, before=["before"])
    BLOCKS  sample ratio
            old 600 (66.7%, plan 50.0%), new 300 (33.3%, plan 50.0%); p = 1.5e-23
    ok      multiple exposure  0 of 900 users in several arms
    ok      pre-period before  new: +0 [-0.278, +0.278], p = 1 after Holm
    """
    for name, share in (("crossed_share", crossed_share), ("alpha", alpha)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must be in (0, 1), got {share}")
    metrics = tuple(Mean(name) for name in before)
    columns = [Column(metric.column, "first") for metric in metrics]
    # known before, so one value per user: read as such, not summed
    users = per_user(table, columns, one_row_per=one_row_per)
    names = {column.key: Column(column.name).key for column in columns}
    users = type(users)(users.frame.rename(names), users.crossed, users.faults)
    found = of_users(users, metrics, ())
    counts = dict(zip(found.groups["variant"], found.samples.users.tolist(), strict=True))
    ratio = sample_ratio(counts, expected, alpha=alpha)
    words = repr(ratio).removeprefix("users: ").rpartition(",")[0]
    checks = [Check("sample ratio", ratio.ok, True, ratio.p_value, words)]
    if one_row_per is None:
        checks.append(_crossed(found.crossed, found.crossed + sum(counts.values()), crossed_share))
    return Validity((*checks, *_pre_period(found, metrics, expected, counts, alpha)))


def _crossed(crossed: int, users: int, most: float) -> Check:
    seen = f"{crossed:,} of {users:,} users in several arms"
    return Check("multiple exposure", crossed <= most * users, False, None, seen)


def _pre_period(found, metrics, expected, counts, alpha) -> list[Check]:
    control, *arms = expected
    pairs = [
        (m, a) for m in metrics for a in arms if min(counts.get(control, 0), counts.get(a, 0)) > 1
    ]
    first = found.sample(variant=control)
    both = [compare(m, a, first, found.sample(variant=a)) for m, a in pairs]
    adjusted = holm([each.effect.p_value for each in both])
    return [
        Check(
            f"pre-period {each.metric}",
            bool(p_value >= alpha),
            False,
            float(p_value),
            f"{each.arm}: {each.effect.difference:+.3g} [{each.effect.low:+.3g}, "
            f"{each.effect.high:+.3g}], p = {p_value:.2g} after Holm",
        )
        for each, p_value in zip(both, adjusted, strict=True)
    ]
