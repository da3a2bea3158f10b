"""Small pictures as SVG text, tables and downloads as HTML: the same in every host, at once.

Altair takes a quarter of a second to make three panels; behind a slider that is too long. Text is
drawn by any browser, needs no network, and can be held in a test.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
import polars as pl

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "RED", "Panel", "download", "light", "table_of"]

# Okabe & Ito (2008)
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
LEFT, BOTTOM, TOP = 58, 34, 24


@dataclass
class Panel:
    """Axes with marks on them; `svg()` is the picture.

    Parameters
    ----------
    title, x_title : str
    x, y : (low, high)
        What the axes show; marks beyond are cut.
    width, height : int
        Pixels.
    style : {"number", "percent", "log"}
        Of the vertical axis; "log" takes values in (0, 1].
    left : int
        Pixels for the words of the vertical axis.

    Examples
    --------
    >>> panel = Panel("money", (0, 2), (0, 10), "day")
    >>> panel.line([0, 1, 2], [1, 5, 9], BLUE)
    >>> panel.svg().count("<polyline")
    1
    """

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_title: str = ""
    width: int = 370
    height: int = 220
    style: str = "number"
    x_style: str = "number"
    left: int = LEFT
    names: Sequence[str] = ()
    _marks: list[str] = field(default_factory=list)

    def at(self, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of points."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        low, high = self.y
        if self.style == "log":
            y, low, high = (np.log10(np.clip(each, 1e-12, 1)) for each in (y, low, high))
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1.0)
        up = (y - low) / ((high - low) or 1.0)
        wide, tall = self.width - self.left - 12, self.height - TOP - BOTTOM
        far = 9_999  # what lies far outside is cut by the clip anyway
        across, up = (np.clip(np.nan_to_num(each, posinf=far), -far, far) for each in (across, up))
        return self.left + across * wide, TOP + (1 - up) * tall

    def line(self, x, y, color, *, dash: str = "", wide: float = 2) -> None:
        """A line through the points that are numbers."""
        x, y = (np.asarray(each, float) for each in (x, y))
        kept = ~np.isnan(y)
        points = " ".join(
            f"{a:.1f},{b:.1f}" for a, b in zip(*self.at(x[kept], y[kept]), strict=True)
        )
        self._marks.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{wide}" '
            f'stroke-dasharray="{dash}"/>'
        )

    def band(self, x, low, high, color, *, opacity: float = 0.2) -> None:
        """An area between two lines."""
        x, low, high = (np.asarray(each, float) for each in (x, low, high))
        kept = ~(np.isnan(low) | np.isnan(high))
        round_trip = (
            np.concatenate([x[kept], x[kept][::-1]]),
            np.concatenate([high[kept], low[kept][::-1]]),
        )
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(*self.at(*round_trip), strict=True))
        self._marks.append(f'<polygon points="{points}" fill="{color}" opacity="{opacity}"/>')

    def points(self, x, y, color, *, hollow: bool = False, words: Sequence[str] = ()) -> None:
        """Circles, each with a hint."""
        fill = "white" if hollow else color
        words = [*words] or [""] * len(np.atleast_1d(x))
        for a, b, word in zip(*self.at(np.atleast_1d(x), np.atleast_1d(y)), words, strict=True):
            self._marks.append(
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{fill}" stroke="{color}" '
                f'stroke-width="1.5"><title>{escape(word)}</title></circle>'
            )

    def rule(self, *, x: float | None = None, y: float | None = None, word: str = "") -> None:
        """A dashed line across."""
        ends = (self.x, (y, y)) if x is None else ((x, x), self.y)
        self.line(*ends, GREY, dash="4 3", wide=1)
        if word:
            a, b = self.at(ends[0][1], ends[1][1])
            where = f'x="{float(a) - 4:.1f}" y="{float(b) + (-4 if x is None else 10):.1f}"'
            self._marks.append(
                f'<text {where} text-anchor="end" fill="{GREY}">{escape(word)}</text>'
            )

    def svg(self) -> str:
        """The picture, as text."""
        wide, tall = self.width - self.left - 12, self.height - TOP - BOTTOM
        name = f"clip-{self.left}-{self.width}-{self.height}"  # one shape, one name
        parts = [
            f'<svg width="{self.width}" height="{self.height}" role="img" '
            f'aria-label="{escape(self.title)}" xmlns="http://www.w3.org/2000/svg" '
            'style="font:11px sans-serif;background:white">',
            f'<clipPath id="{name}"><rect x="{self.left}" y="{TOP}" width="{wide + 6}" '
            f'height="{tall}"/></clipPath>',
            f'<text x="4" y="14" font-weight="bold" fill="#222">{escape(self.title)}</text>',
        ]
        parts += self._axes()
        parts += [f'<g clip-path="url(#{name})">', *self._marks, "</g></svg>"]
        return "".join(parts)

    def _axes(self) -> list[str]:
        made, bottom = [], self.height - BOTTOM
        for value in ticks(*self.x):
            a = float(self.at(value, self.y[0])[0])
            word = _label(value, self.x_style)
            made.append(f'<line x1="{a:.1f}" x2="{a:.1f}" y1="{bottom}" y2="{bottom + 4}" '
                        f'stroke="{GREY}"/><text x="{a:.1f}" y="{bottom + 15}" fill="#222" '
                        f'text-anchor="middle">{word}</text>')  # fmt: skip
        middle = self.left + (self.width - self.left - 12) / 2
        made.append(f'<text x="{middle}" y="{self.height - 4}" text-anchor="middle" '
                    f'fill="#222">{escape(self.x_title)}</text>')  # fmt: skip
        if self.names:
            marks = [(number, name) for number, name in enumerate(self.names)]
        elif self.style == "log":
            low = math.ceil(math.log10(max(self.y[0], 1e-12)))
            every = max(1, -low // 4)
            marks = [(10.0**power, f"{10.0**power:g}") for power in range(0, low - 1, -every)]
        else:
            marks = [(value, _label(value, self.style)) for value in ticks(*self.y)]
        for value, word in marks:
            b = float(self.at(self.x[0], value)[1])
            made.append(f'<line x1="{self.left}" x2="{self.width - 12}" y1="{b:.1f}" '
                        f'y2="{b:.1f}" stroke="#e6e6e6"/><text x="{self.left - 5}" y="{b + 4:.1f}" '
                        f'text-anchor="end" fill="#222">{escape(word)}</text>')  # fmt: skip
        return made


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two ends.

    >>> ticks(0, 14)
    [0, 5, 10]
    """
    span = max(high - low, 1e-12)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * each for each in (1, 2, 5, 10) if span / (power * each) <= most)
    first = math.ceil(low / step - 1e-9)
    found = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
    return [int(each) if float(each).is_integer() else round(each, 12) for each in found]


def download(frame: pl.DataFrame, name: str, word: str = "download as csv") -> str:
    """A link that holds the table itself, so it needs no server.

    >>> download(pl.DataFrame({"day": [1]}), "days.csv")[:38]
    '<a download="days.csv" href="data:text'
    """
    held = b64encode(frame.write_csv().encode()).decode()
    return (
        f'<a download="{escape(name)}" href="data:text/csv;base64,{held}" '
        f'style="color:{BLUE}">{escape(word)}</a>'
    )


def light(color: str, told: str) -> str:
    """A green or red light, with a sign for those who do not see the colour, and what it says.

    >>> light("red", "not as dealt").count("✗ red")
    1
    """
    tone, sign = {"green": (GREEN, "✓"), "red": (RED, "✗")}[color]
    return (
        f'<div data-light="{color}"><span style="color:white;background:{tone};'
        f'padding:1px 6px;border-radius:9px">{sign} {color}</span> {told}</div>'
    )


def table_of(frame: pl.DataFrame, caption: str) -> str:
    """A table in HTML, four digits."""

    def cell(value):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "-"
        return escape(f"{value:.4g}" if isinstance(value, float) else str(value))

    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in frame.columns)
    rows = "".join(
        "<tr>" + "".join(f'<td style="padding:1px 8px">{cell(each)}</td>' for each in row) + "</tr>"
        for row in frame.iter_rows()
    )
    return (
        '<div style="overflow:auto;max-height:480px" tabindex="0">'
        '<table style="font:12px sans-serif;color:#222;text-align:right">'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _label(value: float, style: str) -> str:
    if style == "number":
        return f"{value:,.6g}"
    return f"{value * 100:+.3g}%" if value else "0%"
