"""What looking every day does, as pictures: paths of p, the dial of looks, procedures, winners."""

from __future__ import annotations

import polars as pl

from workbench.widgets.drawing import BLUE, RED
from workbench.widgets.picture import Picture

__all__ = ["dial", "fates", "paths", "procedures", "winners"]

PALE = "#bbbbbb"
FATES = {"never": PALE, "only on the way": RED, "at the end": BLUE}
_LEAST = 1e-4  # of p: lower ones are drawn there
_MARKS = {
    "type_i": "claims in A/A tests",
    "power": "effects found",
    "type_m": "claimed / true effect",
    "days": "days to the stop",
    "regret": "money lost",
}


def fates(table: pl.DataFrame, *, alpha: float = 0.05) -> pl.DataFrame:
    """Each experiment's fate: was p below alpha never, only on the way, or (also) at the end?

    Parameters
    ----------
    table : pl.DataFrame
        `experiment day p_value`.

    Returns
    -------
    pl.DataFrame
        `experiment fate`, in the order of the experiments.

    Raises
    ------
    ValueError
        If a column is missing, there are no rows, or alpha is outside (0, 1).

    Examples
    --------
    >>> rows = {"experiment": [1, 1, 2, 2], "day": [1, 2, 1, 2], "p_value": [0.01, 0.5, 0.2, 0.03]}
    >>> fates(pl.DataFrame(rows)).rows()
    [(1, 'only on the way'), (2, 'at the end')]
    """
    _check(table, "experiment", "day", "p_value")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
    last, below = pl.col("p_value").sort_by("day").last() < alpha, pl.col("p_value") < alpha
    never, way, end = FATES
    fate = pl.when(last).then(pl.lit(end)).when(below.any()).then(pl.lit(way))
    return table.group_by("experiment").agg(fate=fate.otherwise(pl.lit(never))).sort("experiment")


def paths(table: pl.DataFrame, *, alpha: float = 0.05) -> Picture:
    """The p-value of each experiment, day by day, coloured by its fate.

    Parameters
    ----------
    table : pl.DataFrame
        `experiment day p_value`.

    Raises
    ------
    ValueError
        As `fates`.

    Examples
    --------
    >>> paths(pl.DataFrame({"experiment": [1, 1], "day": [1, 2], "p_value": [0.01, 0.5]}))
    <Picture: 2 rows>
    """
    import altair as alt

    rows = table.join(fates(table, alpha=alpha), on="experiment", maintain_order="left")
    rows = rows.select(
        "experiment", "day", "fate", p=pl.col("p_value").clip(lower_bound=_LEAST).round(4)
    )
    color = alt.Color("fate:N", title=f"p below {alpha:g}", scale=_scale(alt, FATES))
    whole = alt.Axis(tickMinStep=1, format="d", grid=False)
    domain, marks = [max(_LEAST, rows["p"].min() / 1.5), 1.0], [1, 0.5, 0.2, 0.05, 0.01, 0.001]
    kept = alt.Axis(values=[mark for mark in marks if mark >= domain[0]], format="~g")
    scale = alt.Scale(type="log", domain=domain, nice=False)
    lines = (
        alt.Chart(rows)
        .mark_line(aria=False)
        .encode(
            x=alt.X("day:Q", title="day", axis=whole),
            y=alt.Y("p:Q", title="p", axis=kept, scale=scale),
            color=color,
            detail="experiment:N",
        )
    )
    rule = alt.Chart(pl.DataFrame({"alpha": [alpha]})).mark_rule(strokeDash=[4, 4])
    return Picture(alt.layer(lines, rule.encode(y="alpha:Q")).properties(width=520, height=260))


def dial(table: pl.DataFrame) -> Picture:
    """False claims by the number of looks, measured with intervals, beside what was published.

    Parameters
    ----------
    table : pl.DataFrame
        `looks claimed low high published`, as `studies.arena_verdicts.peeking` returns it.

    Examples
    --------
    >>> row = {"looks": 1, "claimed": 0.05, "low": 0.04, "high": 0.06, "published": 0.05}
    >>> dial(pl.DataFrame(row))
    <Picture: 1 rows>
    """
    import altair as alt

    numbers = ["claimed", "low", "high", "published"]
    _check(table, "looks", *numbers)
    rows = table.select(pl.col("looks").cast(pl.String), *(pl.col(n).round(4) for n in numbers))
    order = rows["looks"].to_list()
    x = alt.X("looks:N", sort=order, title="looks", axis=alt.Axis(labelAngle=0))
    y = alt.Y("claimed:Q", title="A/A tests that claim something", axis=alt.Axis(format="%"))
    kind = {"dealt here": BLUE, "published": RED}
    scale = _scale(alt, kind)
    base = alt.Chart(rows).encode(x=x)
    ends = base.mark_rule(strokeWidth=2, color=BLUE, aria=False).encode(
        y=alt.Y("low:Q"), y2="high:Q"
    )
    points = base.transform_calculate(what="'dealt here'").mark_point(
        filled=True, size=60, aria=False
    )
    points = points.encode(y=y, color=alt.Color("what:N", title=None, scale=scale))
    told = base.transform_calculate(what="'published'").mark_tick(thickness=3, width=26, aria=False)
    told = told.encode(y="published:Q", color=alt.Color("what:N", title=None, scale=scale))
    return Picture(alt.layer(told, ends, points, data=rows).properties(width=420, height=220))


def procedures(table: pl.DataFrame) -> Picture:
    """The procedures side by side, one panel a mark, with intervals.

    Parameters
    ----------
    table : pl.DataFrame
        Rows of `studies.arena.Arena.table`, one a procedure: those of one cell, with CUPED or
        without.

    Raises
    ------
    ValueError
        If a column is missing, there are no rows, or a procedure is in several of them.
    """
    import altair as alt

    columns = [f"{mark}{end}" for mark in _MARKS for end in ("", "_low", "_high")]
    _check(table, "procedure", *columns)
    if table["procedure"].is_duplicated().any():
        raise ValueError("procedure must be once in the table: choose a cell, CUPED on or off")
    order, panels = table["procedure"].to_list(), []
    for number, (mark, words) in enumerate(_MARKS.items()):
        names = {"value": mark, "low": f"{mark}_low", "high": f"{mark}_high"}
        rows = table.select("procedure", **{a: pl.col(b).round(4) for a, b in names.items()})
        axis = alt.Axis() if not number else alt.Axis(labels=False, ticks=False)
        y = alt.Y("procedure:N", sort=order, title=None, axis=axis)
        few = alt.Axis(tickCount=3, format="%" if mark in ("type_i", "power") else "~s")
        base = alt.Chart(rows).encode(y=y)
        ends = base.mark_rule(strokeWidth=2, color=BLUE, aria=False).encode(x="low:Q", x2="high:Q")
        points = base.mark_point(filled=True, size=55, color=BLUE, opacity=1, aria=False)
        points = points.encode(x=alt.X("value:Q", title=words, axis=few))
        panels.append(alt.layer(ends, points, data=rows).properties(width=105, height=110))
    return Picture(alt.hconcat(*panels, spacing=12))


def winners(rows: pl.DataFrame) -> Picture:
    """What the winners were said to bring against what they bring; an arrow shows the shrinking.

    Parameters
    ----------
    rows : pl.DataFrame
        `true claimed shrunk shipped`, as `studies.shipped_lift.ShippedLift.rows`.

    Examples
    --------
    >>> row = {"true": 0.1, "claimed": 0.3, "shrunk": 0.15, "shipped": True}
    >>> winners(pl.DataFrame(row))
    <Picture: 2 rows>
    """
    import altair as alt

    numbers = ["true", "claimed", "shrunk"]
    _check(rows, *numbers, "shipped")
    table = rows.select(*(pl.col(name).round(4) for name in numbers), "shipped")
    won = table.filter("shipped").drop("shipped")
    lost = table.filter(~pl.col("shipped")).select("true", "claimed")
    ends = [
        float(table[numbers].min_horizontal().min()),
        float(table[numbers].max_horizontal().max()),
    ]
    kinds = {"not shipped": PALE, "claimed": RED, "shrunk": BLUE}
    scale = _scale(alt, kinds)

    def points(frame, column, word, size):
        base = alt.Chart(frame).transform_calculate(what=f"'{word}'")
        color = alt.Color("what:N", title=None, scale=scale)
        y = alt.Y(f"{column}:Q", title="effect said")
        return base.mark_square(size=size, opacity=1, aria=False).encode(
            x=alt.X("true:Q", title="true effect"), y=y, color=color
        )

    line = alt.Chart(pl.DataFrame({"at": ends})).mark_line(strokeDash=[4, 4], color="#666666")
    fall = (
        alt.Chart(won)
        .mark_rule(color="#999999", aria=False)
        .encode(x="true:Q", y="claimed:Q", y2="shrunk:Q")
    )
    layers = [
        line.encode(x="at:Q", y="at:Q"),
        points(lost, "claimed", "not shipped", 25),
        fall,
        points(won, "claimed", "claimed", 45),
        points(won, "shrunk", "shrunk", 45),
    ]
    return Picture(alt.layer(*layers).properties(width=380, height=280))


def _check(table: pl.DataFrame, *names: str) -> None:
    if not isinstance(table, pl.DataFrame):
        raise ValueError(f"table must be a Polars frame, got {type(table).__name__}")
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ValueError(f"table has no column {missing}; it has {table.columns}")
    if not table.height:
        raise ValueError("table has no rows")


def _scale(alt, colors: dict[str, str]):
    return alt.Scale(domain=[*colors], range=[*colors.values()])
