"""The A/B explorer as one piece of HTML: light, verdict, three pictures or the tables behind them.

JupyterLab shows it in an `ipywidgets.HTML`, marimo in `mo.Html`.
"""

from __future__ import annotations

from html import escape

import numpy as np

from workbench.widgets.ab_view import View
from workbench.widgets.drawing import BLUE, GREEN, ORANGE, Panel, download, light, table_of

__all__ = ["html", "summary"]

BOX = "font:14px sans-serif;color:#222;background:white;padding:8px;max-width:790px"


def html(view: View, *, as_table: bool = False) -> str:
    """All of the view. When the sample ratio failed there is nothing to read but that.

    Parameters
    ----------
    view : View
    as_table : bool
        Tables in place of the pictures.

    Examples
    --------
    >>> html.__name__
    'html'
    """
    lit = light(view.light, escape(repr(view.sample_ratio)))
    word = (
        f'<div data-verdict style="font-size:18px;margin:6px 0"><b>{escape(view.verdict)}</b></div>'
    )
    if view.light == "red":
        return f'<div style="{BOX}">{word}{lit}</div>'
    lines = "".join(f"<div>{line}</div>" for line in summary(view))
    links = " · ".join(
        [
            download(view.table, f"{view.metric}_by_day.csv", "days as csv"),
            download(view.segments, f"{view.metric}_by_segment.csv", "segments as csv"),
        ]
    )
    if as_table:
        body = table_of(view.table, f"{view.metric}, day by day")
        body += table_of(view.segments, f"{view.metric}, by segment, on day {view.today}")
    else:
        body = f'<div style="display:flex;flex-wrap:wrap">{_over_time(view)}{_p_values(view)}'
        body += f"{_forest(view)}</div>"
    return f'<div style="{BOX}">{word}{lit}{lines}{body}<div>{links}</div></div>'


def summary(view: View) -> list[str]:
    """The numbers of today in plain words."""
    row, alpha = view.today_row, 1 - view.confidence
    lines = [
        f"<b>Day {view.today}</b>, {row['users']:,} of {view.planned_users:,} planned users. "
        f"<b>Lift {_percent(row['lift'])}</b> on {escape(view.metric)}.",
        f"<span style='color:{BLUE}'>■</span> If today were the only look: "
        f"{_span(row['low'], row['high'])}, p = {row['p_value']:.2g}. "
        f"<span style='color:#8a5f00'>■</span> Valid at every look: "
        f"{_span(row['valid_low'], row['valid_high'])}, p = {row['valid_p_value']:.2g}.",
    ]
    times = f"{len(view.looks)} look" + "s" * (len(view.looks) > 1)
    lines.append(
        f"<b>{times}</b> until today: the plain p was below {alpha:.2g} at {view.claims}. With no "
        f"difference at all, {times} would show that in <b>{view.false_alarm:.0%}</b> of "
        "experiments."
    )
    if view.true_lifts:
        held = [f"{share:.0%} of the days ({name})" for name, share in view.covered.items()]
        lines.append(
            f"<span data-truth style='color:{GREEN}'>╍</span> <b>The truth: "
            f"{_percent(view.true_lifts[-1])}.</b> The intervals held it on {' and '.join(held)}."
        )
    if view.saved > 0:
        lines.append(f"CUPED took away {view.saved:.0%} of the variance.")
    return lines


def _over_time(view: View) -> str:
    table = view.table
    day = table["day"].to_numpy()
    panel = Panel(
        "lift: one look (dark), every look (light)", (1, max(view.today, 2)), _range(view),
        "day", style="percent",
    )  # fmt: skip
    panel.band(day, table["valid_low"], table["valid_high"], ORANGE, opacity=0.25)
    for edge in ("valid_low", "valid_high"):
        panel.line(day, table[edge], ORANGE, dash="5 3", wide=1.5)
    panel.band(day, table["low"], table["high"], BLUE, opacity=0.35)
    panel.rule(y=0.0)
    if view.true_lifts:
        panel.line(day, view.true_lifts, GREEN, dash="7 4")
    panel.line(day, table["lift"], BLUE)
    seen = table.filter(table["looked"] & table["lift"].is_not_nan())
    words = [f"day {row['day']}: {_percent(row['lift'])}" for row in seen.iter_rows(named=True)]
    panel.points(seen["day"], seen["lift"], BLUE, words=words)
    return panel.svg()


def _p_values(view: View) -> str:
    table = view.table
    day = table["day"].to_numpy()
    least = np.nanmin([*table["p_value"], *table["valid_p_value"], 0.01])
    panel = Panel(
        "p: one look (line), every look (dashes)", (1, max(view.today, 2)),
        (max(least / 2, 1e-6), 1.0), "day", style="log",
    )  # fmt: skip
    panel.rule(y=1 - view.confidence, word=f"{1 - view.confidence:.2g}")
    panel.line(day, table["valid_p_value"], ORANGE, dash="5 3")
    panel.line(day, table["p_value"], BLUE)
    seen = table.filter(table["looked"] & table["p_value"].is_not_nan())
    words = [f"day {row['day']}: p = {row['p_value']:.2g}" for row in seen.iter_rows(named=True)]
    panel.points(seen["day"], seen["p_value"], BLUE, words=words)
    return panel.svg()


def _forest(view: View) -> str:
    rows = view.segments.filter(view.segments["lift"].is_not_nan())
    if not len(rows):
        return ""
    names = [f"{row['value'][:14]} ({row['users']:,})" for row in rows.iter_rows(named=True)]
    lows, highs = (np.nan_to_num(rows[each].to_numpy()) for each in ("low", "high"))
    span = (min(lows.min(), 0.0), max(highs.max(), 0.0))
    panel = Panel(
        f"by segment on day {view.today}, one look each; filled: p < {1 - view.confidence:.2g} "
        "after Holm", span, (len(rows) - 0.4, -0.6), "lift", width=740,
        height=70 + 22 * len(rows), x_style="percent", left=150, names=names,
    )  # fmt: skip
    panel.rule(x=0.0)
    for number, row in enumerate(rows.iter_rows(named=True)):
        counts = row["p_holm"] is not None and row["p_holm"] < 1 - view.confidence
        color = BLUE if number else "#222222"
        panel.line([row["low"], row["high"]], [number, number], color)
        word = f"{row['value']}: {_percent(row['lift'])}, p = {row['p_value']:.2g}"
        panel.points(row["lift"], number, color, hollow=not counts and number > 0, words=[word])
    return panel.svg()


def _range(view: View) -> tuple[float, float]:
    """Wide enough for most days: the first are cut, or nothing else could be seen."""
    table = view.table
    late = table.tail(max(len(table) * 3 // 4, 1))
    both = np.array([*late["low"], *late["high"], table["valid_low"][-1], table["valid_high"][-1],
                     *view.true_lifts[-1:]])  # fmt: skip
    both = np.append(both[np.isfinite(both)], [-0.001, 0.001])
    room = 0.08 * (both.max() - both.min())
    return both.min() - room, both.max() + room


def _percent(share: float) -> str:
    return "unknown" if share is None or not np.isfinite(share) else f"{share:+.1%}"


def _span(low: float, high: float) -> str:
    return f"[{_percent(low)}, {_percent(high)}]"
