"""The shadow explorer as one piece of HTML: light, read-out, map, points, slices, requests.

JupyterLab and marimo show it in `shadow_panel`; alone it is a picture to keep.
"""

from __future__ import annotations

from html import escape

import polars as pl

from workbench.widgets.drawing import BLUE, GREY, ORANGE, download, light, table_of
from workbench.widgets.shadow_explorer import View
from workbench.widgets.shadow_map import heat_map, legend, scatter

__all__ = ["html", "summary"]

BOX = "font:14px sans-serif;color:#222;background:white;padding:8px;max-width:800px"
_WIDE = 250  # pixels of the longest bar


def html(view: View, *, color: str = "rows", as_table: bool = False) -> str:
    """All of the view.

    Parameters
    ----------
    view : View
    color : {"rows", "disagree", "right"}
        Of the map, see `shadow_map.heat_map`.
    as_table : bool
        Tables in place of the pictures.

    Examples
    --------
    >>> html.__name__
    'html'
    """
    first, *more = repr(view.oddities).splitlines()
    more = (f'<div style="margin-left:70px">{escape(line.strip())}</div>' for line in more)
    lit = light(view.light, escape(first) + "".join(more))
    head, *lines = summary(view)
    word = f'<div data-rate style="font-size:18px;margin:6px 0"><b>{head}</b></div>'
    told = "".join(f"<div>{line}</div>" for line in lines)
    cells = view.cells.table
    cells = cells if view.right else cells.drop("positives", "labelled")
    points = view.points.with_columns(pl.selectors.float().round_sig_figs(5))
    if as_table:
        body = table_of(cells, "the map, cell by cell") + table_of(points, "the points")
        body += table_of(view.slices, f"slices by {view.choice.by or 'nothing'}")
    else:
        body = f"{heat_map(view, color)}{scatter(view)}"
        body = f'<div style="display:flex;flex-wrap:wrap;margin-top:6px">{body}</div>'
        body += f"{legend(view, color)}{_slices(view)}"
    links = [
        download(cells, "cells.csv", "map as csv"),
        download(points, "points.csv", "points as csv"),
        download(view.slices, "slices.csv", "slices as csv"),
    ]
    return (
        f'<div style="{BOX}">{word}{lit}{told}{body}<div>{" · ".join(links)}</div>'
        f"{_requests(view)}</div>"
    )


def summary(view: View) -> list[str]:
    """The numbers of the view in plain words, the rate first."""
    lines = [f"They disagree in {_percent(view.rate)} {_span(view.low, view.high)} of "
             f"{escape(view.where)}"]  # fmt: skip
    if view.excess is None:
        lines.append("No twin beside them: how much of it is noise, nobody knows.")
    else:
        more, low, high = (f"{each * 100:+.2f}" for each in view.excess)
        lines.append(
            f"Noise floor {_percent(view.floor)} {_span(view.floor_low, view.floor_high)}: the "
            f"champion disagrees with its own twin that often. Above it: <b>{more}</b> points "
            f"[{low}, {high}]."
        )
    acts = [
        f"the {name} from {view.cutoffs[who]:.3g}"
        for who, name in (("live", "champion"), ("shadow", "challenger"))
        if view.cutoffs[who] is not None
    ]
    tried = "" if view.choice.cutoff is None else " (tried: not what was logged)"
    count = f"{view.chosen_rows:,} rows"
    if view.cells.missing:
        count += f", {view.cells.missing:,} without both scores and not on the map"
    cut = f" Cutoffs of {escape(view.positive)}: {', '.join(acts)}{tried}." if acts else ""
    lines.append(f"{count}.{cut}")
    if view.right:
        lines.append(_outcome(view))
    return lines


def _outcome(view: View) -> str:
    right, source = view.right, {"label": "the labels known", "truth": "the truth"}
    told = (
        f"By {source[view.choice.outcomes]}: only the <b style='color:{BLUE}'>champion</b> was "
        f"right in {right['live']:,}, only the <b style='color:#8a5f00'>challenger</b> in "
        f"{right['shadow']:,}, both in {right['both']:,}, neither in {right['neither']:,}."
    )
    if right["unknown"]:
        told += (
            f" Unknown: {right['unknown']:,}. What the champion blocked has no outcome, so those "
            "that are known are not like the others."
        )
    return told


def _slices(view: View) -> str:
    """A row for each slice: its name to press, a bar with its interval, who was right."""
    slices, twin, told = view.slices, "floor" in view.slices.columns, bool(view.right)
    tops = [slices["high"].max(), slices["floor_high"].max() if twin else 0.0, 1e-9]
    top = max(each for each in tops if each is not None)
    rows = []
    for row in slices.iter_rows(named=True):
        on = view.choice.by is not None and row["value"] == view.choice.value
        name = escape(str(row["value"])[:28])
        if view.choice.by is not None:
            name = (
                f'<button data-value="{escape(str(row["value"]), quote=True)}" '
                f'aria-pressed="{str(on).lower()}" style="font:12px sans-serif;'
                "cursor:pointer;padding:1px 8px;border:1px solid #999;border-radius:3px;"
                f"background:{'#222' if on else '#fff'};"
                f'color:{"#fff" if on else "#222"}">{name}</button>'
            )
        cells = [name, f"{row['rows']:,}", _bar(row, top, twin), _percent(row["disagree"]),
                 _span(row["low"], row["high"])]  # fmt: skip
        if twin:
            cells.append(_percent(row["floor"]))
        if told:
            cells += [_percent(row["live"]), _percent(row["shadow"])]
        rows.append(
            "<tr>"
            + "".join(f'<td style="padding:1px 7px;white-space:nowrap">{c}</td>' for c in cells)
        )
    heads = [escape(view.choice.by or "slice"), "rows", "", "disagree", "95 % interval"]
    heads += ["floor"] * twin + ["champion right*", "challenger right*"] * told
    note = "bar: how often they disagree, line: 95 % interval" + ", grey: noise floor" * twin
    note += "; * only this one, as a share of the rows with an outcome" * told
    head = "".join(f'<th scope="col" style="padding:1px 7px">{each}</th>' for each in heads)
    return (
        '<table style="font:12px sans-serif;color:#222;text-align:right;margin:8px 0;'
        f'border-collapse:collapse" aria-label="slices"><thead><tr>{head}</tr></thead>'
        f"<tbody>{'</tr>'.join(rows)}</tr></tbody></table>"
        f'<div style="font-size:12px;color:#555;margin-bottom:6px">{note}</div>'
    )


def _bar(row: dict, top: float, twin: bool) -> str:
    """The rate with its interval, and the twin's beside it as a grey band."""

    def at(share):
        return 0.0 if share is None else share / top * _WIDE

    floor = ""
    if twin and row["floor"] is not None:
        floor = (
            f'<rect x="{at(row["floor_low"]):.1f}" y="0" height="16" fill="{GREY}" opacity="0.45" '
            f'width="{max(at(row["floor_high"]) - at(row["floor_low"]), 2):.1f}"/>'
        )
    return (
        f'<svg width="{_WIDE + 4}" height="16" role="img" aria-label="{_percent(row["disagree"])}">'
        f'<rect x="0" y="3" width="{at(row["disagree"]):.1f}" height="10" fill="{ORANGE}"/>{floor}'
        f'<path d="M{at(row["low"]):.1f} 8H{at(row["high"]):.1f}M{at(row["low"]):.1f} 4v8'
        f'M{at(row["high"]):.1f} 4v8" stroke="#222" stroke-width="1.5"/></svg>'
    )


def _requests(view: View) -> str:
    if view.choice.cell is None:
        return (
            '<p data-requests style="color:#555">Click on a cell of the map, or move over it with '
            "the arrow keys, to see the requests behind it.</p>"
        )
    live, shadow = view.choice.cell
    edges = view.cells.edges
    where = (
        f"champion {edges[live]:.3g} to {edges[live + 1]:.3g}, challenger {edges[shadow]:.3g} to "
        f"{edges[shadow + 1]:.3g}"
    )
    if not view.behind:
        return f'<p data-requests="0">No row: {where}.</p>'
    caption = f"{len(view.rows)} of {view.behind:,} rows, those that disagree first: {where}"
    shown = view.rows.with_columns(pl.selectors.datetime().dt.strftime("%Y-%m-%d %H:%M"))
    table = table_of(shown, caption).replace("<caption>", '<caption style="text-align:left">')
    table = table.replace('<th scope="col">', '<th scope="col" style="padding:1px 8px">')
    link = download(view.rows, "requests.csv", "requests as csv")
    return f'<div data-requests="{view.behind}" style="margin-top:8px">{table}{link}</div>'


def _percent(share: float | None) -> str:
    return "-" if share is None or share != share else f"{share:.2%}"


def _span(low: float | None, high: float | None) -> str:
    return f"[{_percent(low)}, {_percent(high)}]"
