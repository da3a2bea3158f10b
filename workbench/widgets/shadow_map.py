"""The map of live score against shadow score, and the same as points, as SVG text."""

from __future__ import annotations

from html import escape

import numpy as np

from workbench.widgets.drawing import BLUE, GREY, ORANGE, RED, ticks
from workbench.widgets.shadow_axis import Axis
from workbench.widgets.shadow_explorer import View

__all__ = ["COLORS", "WHO", "heat_map", "legend", "scatter"]

COLORS = {"rows": "rows", "disagree": "share that disagrees", "right": "who was right"}
SIZE, LEFT, TOP, BOTTOM = 300, 64, 26, 40  # pixels: the side of the map, and around it
PALE, EMPTY, UNTOLD = "#c4c4c4", "#f7f7f7", "#dedede"
# each ramp from least to most; both keep their order in grey and for the colour-blind
_BLUES = ("#dbe9f6", "#a6cde3", "#62a8d2", "#2f7fbc", "#0d57a1", "#08306b")
_ORANGES = ("#fde6cf", "#fdc38d", "#fc9b4f", "#ee6f1b", "#bd4403", "#6b2303")
_BALANCE = ("#0b559f", "#539ecd", "#b4d3e9", "#fff6b8", "#fdc38d", "#ee6f1b", "#8c2d04")
# who was right, in the order in which points are drawn
WHO = {"unknown": PALE, "both": "#8fb8a8", "neither": "#222222", "live": BLUE, "shadow": ORANGE}


def heat_map(view: View, color: str = "rows") -> str:
    """Cells of the map, each with its numbers as a hint; `data-cell` says which.

    Parameters
    ----------
    view : View
    color : {"rows", "disagree", "right"}
        Number of rows (log scale), share of them in which the two disagree, or who was right
        in those: needs outcomes.

    Raises
    ------
    ValueError
        If the color is unknown, or "right" without outcomes.
    """
    cells = view.cells
    bins = len(cells.edges) - 1
    step = SIZE / bins
    fills = _fills(view, color)
    marks = []
    for live, shadow in zip(*(each.tolist() for each in np.nonzero(cells.counts)), strict=True):
        marks.append(
            f'<rect data-cell="{live},{shadow}" x="{LEFT + live * step:.1f}" '
            f'y="{TOP + SIZE - (shadow + 1) * step:.1f}" width="{step:.1f}" height="{step:.1f}" '
            f'fill="{fills[live, shadow]}"><title>{_hint(view, live, shadow)}</title></rect>'
        )
    if view.choice.cell is not None:
        live, shadow = view.choice.cell
        marks.append(
            f'<rect x="{LEFT + live * step - 1:.1f}" y="{TOP + SIZE - (shadow + 1) * step - 1:.1f}"'
            f' width="{step + 2:.1f}" height="{step + 2:.1f}" fill="none" stroke="black" '
            'stroke-width="2.5"/>'
        )
    chosen = "" if view.choice.cell is None else "{},{}".format(*view.choice.cell)
    title = f"map of {view.where}, colour: {COLORS[color]}"
    focus = f'tabindex="0" data-map="{chosen}" data-bins="{bins}"'
    return _framed(view, title, marks, focus)


def scatter(view: View) -> str:
    """A fixed sample as points, those that disagree on top; by who was right once that is shown."""
    points = view.points
    across, up = (view.axis.place(points[f"{who}_score"]) for who in ("live", "shadow"))
    bins = len(view.axis.edges) - 1
    x, y = LEFT + across / bins * SIZE, TOP + SIZE - up / bins * SIZE
    if "right" in points.columns:
        words = points["right"].fill_null("unknown").to_numpy()
        groups = [(words == word, color) for word, color in WHO.items()]
    else:
        apart = points["disagree"].to_numpy()
        groups = [(~apart, PALE), (apart, RED)]
    marks = []
    for kept, color in groups:
        dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x[kept], y[kept], strict=True))
        marks.append(
            f'<path d="{dots}" stroke="{color}" stroke-width="4" stroke-linecap="round" '
            'fill="none" opacity="0.75"/>'
        )
    parted = int(points["disagree"].sum())
    title = f"points: {parted:,} that disagree, {len(points) - parted:,} that agree"
    return _framed(view, title, marks)


def legend(view: View, color: str) -> str:
    """What the colours of the map and of the points mean."""
    if color == "rows":
        most = max(int(view.cells.counts.max()), 1)
        ramp = _strip(_BLUES, "1", f"{most:,} rows (log scale)")
    elif color == "disagree":
        ramp = _strip(_ORANGES, "all agree", "all disagree")
    else:
        ramp = _strip(_BALANCE, "champion right", "challenger right, where they disagree")
        ramp += f" {_swatch(UNTOLD)} no such row"
    if "right" in view.points.columns:
        names = {"live": "only champion right", "shadow": "only challenger right",
                 "both": "both", "neither": "neither", "unknown": "unknown"}  # fmt: skip
        dots = " ".join(f"{_swatch(WHO[word])} {told}" for word, told in names.items())
    else:
        dots = f"{_swatch(RED)} disagree {_swatch(PALE)} agree"
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:2px 28px;font-size:12px">'
        f"<span>map: {ramp}</span><span>points: {dots}</span></div>"
    )


def _fills(view: View, color: str) -> np.ndarray:
    """Colour of each cell, shape (bins, bins)."""
    counts = view.cells.counts
    if color == "rows":
        return _ramp(_BLUES, np.log(np.maximum(counts, 1)) / np.log(max(counts.max(), 2)))
    if color == "disagree":
        return _ramp(_ORANGES, view.cells.disagreements / np.maximum(counts, 1))
    if color != "right":
        raise ValueError(f"color must be one of {[*COLORS]}, got {color!r}")
    if not view.right:
        raise ValueError("color 'right' needs outcomes: choose label or truth")
    live, shadow = view.balance[:, :, 1], view.balance[:, :, 2]
    told = live + shadow
    fills = _ramp(_BALANCE, shadow / np.maximum(told, 1))
    return np.where(told > 0, fills, UNTOLD)


def _ramp(colors: tuple[str, ...], share: np.ndarray) -> np.ndarray:
    last = len(colors) - 1
    return np.array(colors)[np.clip(np.round(share * last).astype(int), 0, last)]


def _hint(view: View, live: int, shadow: int) -> str:
    edges, cells = view.cells.edges, view.cells
    rows = int(cells.counts[live, shadow])
    words = (
        f"champion {edges[live]:.3g} to {edges[live + 1]:.3g}, challenger {edges[shadow]:.3g} to "
        f"{edges[shadow + 1]:.3g}: {rows:,} rows, {cells.disagreements[live, shadow]:,} disagree"
    )
    if view.right:
        right = view.balance[live, shadow]
        words += f"; only champion right {right[1]:,}, only challenger {right[2]:,}"
    return words


def _framed(view: View, title: str, marks: list[str], more: str = "") -> str:
    wide, tall = LEFT + SIZE + 20, TOP + SIZE + BOTTOM
    right, bottom = LEFT + SIZE, TOP + SIZE
    parts = [
        f'<svg width="{wide}" height="{tall}" role="img" aria-label="{escape(title)}" {more} '
        'xmlns="http://www.w3.org/2000/svg" style="font:11px sans-serif;background:white;outline-offset:-2px">'
        f'<text x="4" y="14" font-weight="bold" fill="#222">{escape(title)}</text>'
        f'<rect x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}" fill="{EMPTY}" '
        'stroke="#ddd"/>',
        *marks,
        f'<line x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{TOP}" stroke="{GREY}" '
        'stroke-width="1" pointer-events="none"/>',
    ]
    for who, at in view.cutoffs.items():
        if at is None:
            continue
        share = float(view.axis.place(at)) / (len(view.axis.edges) - 1)
        a, b = LEFT + share * SIZE, bottom - share * SIZE
        ends = (a, TOP, a, bottom) if who == "live" else (LEFT, b, right, b)
        parts.append(
            '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="black" '
            'stroke-width="1.5" stroke-dasharray="5 3" pointer-events="none"/>'.format(*ends)
        )
    for share, word in _marks(view.axis):
        a, b = LEFT + share * SIZE, bottom - share * SIZE
        parts.append(
            f'<path d="M{a:.1f} {bottom}v4M{LEFT} {b:.1f}h-4" stroke="{GREY}"/>'
            f'<text x="{a:.1f}" y="{bottom + 15}" text-anchor="middle" fill="#222">{word}</text>'
            f'<text x="{LEFT - 6}" y="{b + 4:.1f}" text-anchor="end" fill="#222">{word}</text>'
        )
    middle = TOP + SIZE / 2
    parts.append(
        f'<text x="{LEFT + SIZE / 2}" y="{tall - 6}" text-anchor="middle" fill="#222">'
        f'champion (live) score</text><text transform="translate(12 {middle}) rotate(-90)" '
        'text-anchor="middle" fill="#222">challenger (shadow) score</text></svg>'
    )
    return "".join(parts)


def _marks(axis: Axis) -> list[tuple[float, str]]:
    """Where the axis has marks, as shares of its length, and the scores there."""
    low, high, bins = axis.edges[0], axis.edges[-1], len(axis.edges) - 1
    if axis.scale == "score":
        values = ticks(low, high, 5)
    elif axis.scale == "log":
        powers = np.arange(np.ceil(np.log10(low) - 1e-9), np.floor(np.log10(high) + 1e-9) + 1)
        values = 10.0**powers if len(powers) > 1 else [low, high]
    else:
        values = axis.edges[np.unique(np.linspace(0, bins, 5).round().astype(int))]
    return [(float(axis.place(value)) / bins, f"{value:.2g}") for value in values]


def _strip(colors, least: str, most: str) -> str:
    return f"{least} {''.join(map(_swatch, colors))} {most}"


def _swatch(color: str) -> str:
    return (
        f'<span style="display:inline-block;width:14px;height:11px;background:{color};'
        'vertical-align:-1px"></span>'
    )
