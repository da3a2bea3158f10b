"""Replay as pictures: the estimators side by side, the clips, and many worlds against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from workbench.widgets.drawing import BLUE, GREEN, GREY, ORANGE, RED
from workbench.widgets.picture import Picture

__all__ = ["clips", "estimates", "marks"]

PURPLE, BLACK = "#CC79A7", "#222222"  # Okabe & Ito (2008), as the others
WIDTH = 420
CLIPPED = {"ips": RED, "snips": BLUE, "dr": GREEN, "switch": PURPLE, "dros": ORANGE}


def estimates(
    result: Any, *, true: float | None = None, naive: Mapping[str, float] = {}
) -> Picture:
    """A row per estimator with its interval; the logger's own mean first.

    Parameters
    ----------
    result : Replayed
        Of `replay_outcomes`, with an estimate.
    true : float, optional
        Where it is known: a dashed line.
    naive : mapping of str to float, optional
        Other numbers that somebody might take for the answer, by name: crosses without interval.

    Raises
    ------
    ValueError
        If the replay is refused: there is nothing to draw.

    Examples
    --------
    >>> from workbench.experiments import replay_outcomes
    >>> log = pl.DataFrame({"request": range(800), "reward": [1.0, 0.0] * 400,
    ...                     "propensity": 0.5, "target_propensity": [1.0, 0.0, 0.0, 1.0] * 200})
    >>> estimates(replay_outcomes(log), true=0.5, naive={"where they agree": 0.5})
    <Picture: 4 rows>
    """
    import altair as alt

    _answered(result)
    rows = result.table.select("estimator", "estimate", "low", "high")
    points = pl.DataFrame({"estimator": [*naive], "estimate": [*map(float, naive.values())]})
    first = pl.concat([rows[:1], points], how="diagonal_relaxed").with_columns(kind=pl.lit("naive"))
    rows = pl.concat([first, rows[1:].with_columns(kind=pl.lit("replayed"))])
    kinds = ["naive", "replayed"]
    scale, shape = (
        alt.Scale(domain=kinds, range=made) for made in ([GREY, BLUE], ["cross", "circle"])
    )
    base = alt.Chart(_rounded(rows)).encode(
        y=alt.Y("estimator:N", sort=rows["estimator"].to_list(), title=None),
        color=alt.Color("kind:N", scale=scale, legend=None),
    )
    ends = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
    title = f"{result.plan.metric} per {result.plan.per}"
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("estimate:Q", title=title, scale=alt.Scale(zero=False, padding=12)),
        shape=alt.Shape("kind:N", scale=shape, legend=None),
        tooltip=["estimator:N", "estimate:Q", "low:Q", "high:Q"],
    )
    layers = [ends, points, *_truth(alt, true)]
    return Picture(alt.layer(*layers).properties(width=WIDTH, height=alt.Step(24)))


def clips(result: Any, *, true: float | None = None) -> Picture:
    """Estimates when large weights are cut, from no clip at the left to 1; the headline's interval.

    Parameters
    ----------
    result : Replayed
        Of `replay_outcomes`, with an estimate.
    true : float, optional
        Where it is known: a dashed line.

    Raises
    ------
    ValueError
        If the replay is refused.

    Examples
    --------
    >>> from workbench.experiments import replay_outcomes
    >>> log = pl.DataFrame({"request": range(800), "reward": [1.0, 0.0] * 400,
    ...                     "propensity": 0.5, "target_propensity": [1.0, 0.0, 0.0, 1.0] * 200})
    >>> clips(replay_outcomes(log))
    <Picture: 16 rows>
    """
    import altair as alt

    _answered(result)
    names = [name for name in CLIPPED if name in result.clips.columns]
    clip = pl.col("clip")
    words = (
        pl.when(clip.is_infinite()).then(pl.lit("none")).otherwise(clip.round(2).cast(pl.String))
    )
    table = result.clips.with_columns(clip=words.str.strip_suffix(".0"))
    order = table["clip"].to_list()
    shown = table.unpivot(names, index=["clip"], variable_name="estimator", value_name="estimate")
    x = alt.X("clip:N", sort=order, title="weights cut at", axis=alt.Axis(labelAngle=0))
    scale = alt.Scale(domain=names, range=[CLIPPED[name] for name in names])
    title = f"{result.plan.metric} per {result.plan.per}"
    band = alt.Chart(_rounded(table.select("clip", "low", "high")))
    band = band.mark_area(opacity=0.15, color=CLIPPED[result.estimate["estimator"]])
    band = band.encode(x=x, y=alt.Y("low:Q", title=title, scale=alt.Scale(zero=False)), y2="high:Q")
    lines = alt.Chart(_rounded(shown)).mark_line(point=True).encode(
        x=x,
        y="estimate:Q",
        color=alt.Color("estimator:N", scale=scale),
        tooltip=["clip:N", "estimator:N", "estimate:Q"],
    )  # fmt: skip
    layers = [band, lines, *_truth(alt, true, across=True)]
    return Picture(alt.layer(*layers).properties(width=WIDTH, height=220))


def marks(result: Any) -> Picture:
    """A row per world: the interval of the estimate, the true value, and the log as it is.

    Parameters
    ----------
    result : ReplayMarks
        Of `workbench.studies.replay_marks`. Refused worlds have their truth and no interval.

    Examples
    --------
    >>> from workbench.studies.replay_marks import ReplayMarks
    >>> row = {"world": 0, "true": 1.0, "logged": 0.7, "refused": False, "covered": True}
    >>> marks(ReplayMarks(pl.DataFrame(row | {"estimate": 1.1, "low": 0.9, "high": 1.3}), 0.95))
    <Picture: 3 rows>
    """
    import altair as alt

    table = result.table.select("world", "true", "logged", "estimate", "low", "high")
    words = {"estimate": "replayed", "logged": "the log as it is", "true": "true value"}
    points = table.unpivot([*words], index="world", variable_name="what", value_name="value")
    points = points.with_columns(pl.col("what").replace(words)).drop_nulls("value")
    y = alt.Y("world:O", title="world")
    ends = alt.Chart(_rounded(table.drop_nulls("low"))).mark_rule(strokeWidth=2, color=BLUE)
    ends = ends.encode(x="low:Q", x2="high:Q", y=y)
    scale = alt.Scale(domain=[*words.values()], range=[BLUE, GREY, BLACK])
    shape = alt.Scale(domain=[*words.values()], range=["circle", "cross", "diamond"])
    dots = alt.Chart(_rounded(points)).mark_point(size=60, filled=True, opacity=1).encode(
        x=alt.X("value:Q", title="clicks per request", scale=alt.Scale(zero=False)),
        y=y,
        color=alt.Color("what:N", scale=scale, title=None),
        shape=alt.Shape("what:N", scale=shape, title=None),
        tooltip=["world:O", "what:N", "value:Q"],
    )  # fmt: skip
    return Picture(alt.layer(ends, dots).properties(width=WIDTH, height=alt.Step(18)))


def _answered(result: Any) -> None:
    if not result.ok:
        raise ValueError(f"replay is refused, nothing to draw: {'; '.join(result.refusals)}")


def _rounded(rows: pl.DataFrame) -> pl.DataFrame:
    """So that a saved picture stays the same on another machine."""
    return rows.with_columns(pl.selectors.float().round(5))


def _truth(alt, true: float | None, *, across: bool = False) -> list:
    if true is None:
        return []
    line = alt.Chart(pl.DataFrame({"value": [round(true, 5)], "word": ["true"]}))
    where = alt.Y("value:Q") if across else alt.X("value:Q")
    rule = line.mark_rule(strokeDash=[4, 4], color=BLACK)
    if across:
        text = line.mark_text(align="right", dx=-4, dy=-7, color=BLACK)
        return [rule.encode(y=where), text.encode(y=where, x=alt.value(WIDTH), text="word:N")]
    text = line.mark_text(align="left", dx=4, color=BLACK)
    return [rule.encode(x=where), text.encode(x=where, y=alt.value(8), text="word:N")]
