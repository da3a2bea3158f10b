"""Who saw which arm first, and what each did from then on: one row per user.

A user is *exposed* by the first live decision that carries a variant of the experiment. Who never
came to the place where the arms differ is not in the table: the analysis is a triggered one.

    decision ───────── horizon ─────────┐
       │  counted: ≥ decision, known by │
    ───┼────────────────────────────────┼──►      a purchase before the first decision is never
     first exposure                  complete     counted; who is not complete yet is left out

When shares change (a ramp), give the moments of change as `stages`. A window then also ends where
the stage does, because the user may be moved then; who has no complete window in the stage is left
out, by the hour at which they came and not by what they did. With `entry="first"` a user is in the
stage of the first exposure alone; with `entry="each"` in every stage that exposed them, in the arm
of that stage, a row for each. The first needs no assumption. The second has far more data once
most people have been seen, and assumes that the arm of an earlier stage changes neither who comes
back nor what they do then.

Leaving out everybody who was ever in two arms would be wrong in a ramp: it drops from the control
those who come often, because only they are seen to move. Here only two arms *within* a stage count
as crossed; their users are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from workbench.experiments.exposed_outcomes import counted
from workbench.tables import one_frame

__all__ = ["Exposed", "exposed"]


@dataclass(frozen=True, slots=True)
class Exposed:
    """One row per user (and stage), and what was left out on the way.

    Parameters
    ----------
    table : polars.DataFrame
        `user variant variant_share time` (of the exposure), `stage` if there are stages, the
        metrics and `…_before`.
    arms : tuple of str
        As planned, the control first.
    crossed_users : int
        Seen in more than one arm within a stage; left out.
    young : int
        Users (of a stage) whose window is not complete; left out. The table may be empty.
    early : mapping of kind to int
        Events of exposed users before the exposure of their row: never counted.
    """

    table: pl.DataFrame
    arms: tuple[str, ...]
    crossed_users: int
    young: int
    early: Mapping[str, int]

    def __repr__(self) -> str:
        seen = dict(self.table["variant"].value_counts().iter_rows())
        counts = ", ".join(f"{arm} {seen.get(arm, 0):,}" for arm in self.arms)
        early = ", ".join(f"{count:,} {kind}" for kind, count in self.early.items())
        lines = [f"exposed: {counts}"]
        lines += [f"left out: {self.crossed_users:,} in several arms, {self.young:,} too young"]
        return "\n".join(lines + ([f"before exposure, not counted: {early}"] if early else []))


def exposed(
    source: Any, metrics: Mapping[str, str], *, arms: Sequence[str],
    horizon: timedelta | None = None, at: datetime | None = None,
    stages: Sequence[datetime] = (), entry: str = "first", before: timedelta | None = None,
) -> Exposed:  # fmt: skip
    """First exposures and what followed, from the lake or from one's own tables.

    Parameters
    ----------
    source : EventLog, or mapping of kind to table
        A mapping needs `decision` (`user variant time`; `variant_share` and `live` if there are
        any) and the kinds that the metrics name (`user time`; `known_at` if late news matters).
        Any table, or a Polars LazyFrame such as `log.scan("decision").filter(…)`.
    metrics : mapping of name to "kind" or "kind.column"
        `{"purchases": "purchase", "revenue": "purchase.amount"}`: events counted, or a column
        summed. 0 for users without any.
    arms : sequence of str
        Names of all arms, the control first. "new" also takes "new/large" of a split inside; the
        share of the arm alone is then unknown, and null.
    horizon : timedelta, optional
        What becomes known so long after the exposure counts; the same for all. Without one
        everything counts up to `at` or the end of the stage.
    at : datetime with time zone, optional
        As known just before this moment. A log's own watermark or clock if not given; tables need
        it when there is a horizon.
    stages : sequence of datetime, optional
        When shares changed, in order.
    entry : {"first", "each"}
        Stages that a user is in, see the module.
    before : timedelta, optional
        Adds each metric over this time before the exposure, as `…_before`: a covariate.

    Raises
    ------
    ValueError
        If a table or column is missing, a decision has a variant that is no arm, a user is null,
        every event of a kind precedes the exposure of its user, or settings contradict each other.

    Notes
    -----
    Triggered analysis: Kohavi, Tang, Xu (2020), "Trustworthy online controlled experiments",
    chapter 20. It is unbiased when both arms would trigger the same users, so the decision must be
    logged in the control too.

    Examples
    --------
    >>> moment = datetime(2026, 3, 1, tzinfo=UTC)
    >>> days = [moment + timedelta(days=day) for day in range(4)]
    >>> tables = {"decision": pl.DataFrame({"user": [1, 2, 1], "variant": ["old", "new", "old"],
    ...                                     "time": [days[1], days[1], days[2]]}),
    ...           "purchase": pl.DataFrame({"user": [1, 1, 2], "amount": [9.0, 5.0, 7.0],
    ...                                     "time": [days[0], days[2], days[3]]})}
    >>> result = exposed(tables, {"revenue": "purchase.amount"}, arms=["old", "new"])
    >>> result.table.select("user", "variant", "revenue").rows()
    [(1, 'old', 5.0), (2, 'new', 7.0)]
    >>> result.early
    {'purchase': 1}
    """
    arms = tuple(arms)
    _check(arms, horizon, at, stages, entry)
    scan, at = _reader(source, at, horizon)
    decisions = _decisions(scan("decision"), at)
    rows, crossed = _first(decisions, arms, [stage.astimezone(UTC) for stage in stages], entry)
    rows, young = _complete(rows, horizon, at)
    table, early = counted(scan, rows, metrics, before, at)
    table = table.drop("_until", *([] if stages else ["stage"]))
    return Exposed(table, arms, crossed, young, early)


def _check(arms, horizon, at, stages, entry) -> None:
    if len(arms) < 2 or len(set(arms)) < len(arms):
        raise ValueError(f"arms must be two or more different names, got {list(arms)}")
    if horizon is not None and horizon <= timedelta(0):
        raise ValueError(f"horizon must be a positive timedelta, got {horizon!r}")
    for name, moment in [("at", at), *(("stages", each) for each in stages)]:
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
            raise ValueError(f"{name} must be datetimes with a time zone, got {moment!r}")
    if any(later <= earlier for earlier, later in pairwise(stages)):
        raise ValueError(f"stages must be moments in order, got {[*map(str, stages)]}")
    if entry not in ("first", "each"):
        raise ValueError(f'entry must be "first" or "each", got {entry!r}')


def _reader(source, at, horizon):
    """How to read a kind lazily, and the moment until which silence means that nothing came."""
    if hasattr(source, "scan"):
        limits = [at, source.complete_until or source.clock(), source.known_before]
        return source.scan, min(each for each in limits if each is not None).astimezone(UTC)
    if not isinstance(source, Mapping):
        raise ValueError(f"source must be an EventLog or a mapping of tables, got {type(source)}")
    if horizon is not None and at is None:
        raise ValueError("own tables with a horizon need at: until when are they complete?")

    def scan(kind: str) -> pl.LazyFrame:
        if kind not in source:
            raise ValueError(f"no table {kind!r} among {list(source)}")
        table = source[kind]
        return table if isinstance(table, pl.LazyFrame) else one_frame(table, kind).lazy()

    return scan, None if at is None else at.astimezone(UTC)


def _decisions(decisions: pl.LazyFrame, at) -> pl.LazyFrame:
    """Live decisions with a variant, lazily; those of held-out users are in no experiment."""
    schema = decisions.collect_schema()
    for name in ("user", "variant", "time"):
        if name not in schema:
            raise ValueError(f"decision has no column {name!r}; it has {schema.names()}")
    if not isinstance(schema["time"], pl.Datetime) or schema["time"].time_zone is None:
        raise ValueError(f"decision.time must have a time zone, got {schema['time']}")
    if at is not None:
        known = "known_at" if "known_at" in schema else "time"
        decisions = decisions.filter(pl.col(known) < at)
    if "live" in schema:
        decisions = decisions.filter(pl.col("live").fill_null(True))
    if "variant_share" not in schema:
        decisions = decisions.with_columns(variant_share=pl.lit(None, pl.Float64))
    return decisions.filter(
        pl.col("variant").is_not_null() & ~pl.col("variant").is_in(["", "holdout"])
    ).select("user", pl.col("variant").cast(pl.String), "variant_share", "time")


def _first(decisions: pl.LazyFrame, arms, stages: list[datetime], entry: str):
    """The first exposure of each user (in each stage), and how many users were in several arms."""
    moments = pl.Series("_changes", stages, pl.Datetime("us", "UTC"))
    time = pl.col("time").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    stage = pl.sum_horizontal(pl.lit(0), *(time >= moment for moment in stages)).cast(pl.Int64)
    each = (
        decisions.with_columns(time=time, stage=stage if stages else pl.lit(0, pl.Int64))
        .group_by("user", "stage", "variant", "variant_share")
        .agg(pl.col("time").min())
        .collect()
    )
    if not len(each):
        raise ValueError("no live decision has a variant: nobody was exposed")
    if each["user"].null_count():
        raise ValueError("decisions with a variant have a null user: who was exposed?")
    names = each["variant"].unique().to_list()
    arm_of = {name: _arm(name, arms) for name in names}
    strange = sorted(name for name, arm in arm_of.items() if arm is None)
    if strange:
        raise ValueError(
            f"decisions have the variant {strange[0]!r}, arms are {list(arms)}: plan it, or give "
            "only the decisions of this experiment"
        )
    inner = ~pl.col("variant").is_in(arms)
    each = each.with_columns(
        variant_share=pl.when(inner).then(None).otherwise("variant_share"),
        variant=pl.col("variant").replace_strict(arm_of, return_dtype=pl.String),
    ).sort("user", "stage", "time", "variant")
    rows = each.group_by("user", "stage", maintain_order=True).agg(
        pl.col("variant", "variant_share", "time").first(),
        _crossed=pl.col("variant").n_unique() > 1,
    )
    if entry == "first":
        rows = rows.unique("user", keep="first", maintain_order=True)
    crossed = rows.filter("_crossed")["user"].unique()
    rows = rows.filter(~pl.col("user").is_in(crossed.implode()))
    ends = moments.extend_constant(None, 1).gather(rows["stage"]).alias("_until")
    return rows.select("user", "stage", "variant", "variant_share", "time", ends), len(crossed)


def _arm(variant: str, arms: tuple[str, ...]) -> str | None:
    if variant in arms:
        return variant
    return next((arm for arm in arms if variant.startswith(f"{arm}/")), None)


def _complete(rows: pl.DataFrame, horizon: timedelta | None, at: datetime | None):
    """The rows whose window has passed, with its end in `_until`; and how many have not."""
    limit = pl.min_horizontal("_until", pl.lit(at, pl.Datetime("us", "UTC")))
    if horizon is None:
        return rows.with_columns(_until=limit), 0
    end = pl.col("time") + horizon
    complete = rows.filter((end <= limit).fill_null(True)).with_columns(_until=end)
    return complete, len(rows) - len(complete)
