"""The card itself: a line per moment, a verdict by a stated tolerance, and a report to read."""

from __future__ import annotations

import calendar
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np
import polars as pl

from workbench.studies.validity_words import NOT_COMPARED, NOT_MODELLED, Asked

__all__ = ["CardSpec", "Line", "ValidityCard", "line_of"]

_Z = 1.96  # standard deviations to either side of a 95 % interval


@dataclass(frozen=True, kw_only=True, slots=True)
class CardSpec:
    """How the card is drawn.

    >>> CardSpec(ratio=0.5)
    Traceback (most recent call last):
    ValueError: ratio must be at least 1, got 0.5
    """

    ratio: float = 1.25  # numbers are alike up to this factor, either way
    distance: float = 0.1  # profiles are alike up to this total variation distance
    draws: int = 200  # resamples for the intervals
    seed: int = 0

    def __post_init__(self):
        if not self.ratio >= 1:
            raise ValueError(f"ratio must be at least 1, got {self.ratio}")
        if not 0 <= self.distance <= 1:
            raise ValueError(f"distance must be in [0, 1], got {self.distance}")
        if self.draws < 20:
            raise ValueError(f"draws must be at least 20, got {self.draws}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One moment of the world beside that of a real set.

    `value` is world / real for a number, the total variation distance for a profile; `world` and
    `real` of a profile are where its peak is (hour from 0, weekday and month from 1).
    """

    section: str
    moment: str
    against: str  # the real set; "-" if none has the moment
    world: float | None
    world_low: float | None  # 95 %, like all intervals here
    world_high: float | None
    real: float | None
    real_low: float | None
    real_high: float | None
    measure: str  # "ratio" or "distance"
    value: float | None
    low: float | None
    high: float | None
    verdict: str  # "like", "other", "not modelled" (real only), "no data" (world only)
    sure: bool  # whether the interval is wholly on the verdict's side of the tolerance
    comment: str


@dataclass(frozen=True, slots=True)
class ValidityCard:
    """The lines in reading order; the repr is the report, `table` the same for a machine.

    Attributes
    ----------
    title : str
    lines : tuple of Line
    notes : tuple of str
        What the sets are, and what was done to them.
    spec : CardSpec
    curves : pl.DataFrame
        What `workbench.widgets.validity.chart` draws: `curve`, `of` (which log), `x`, `y`.
    """

    title: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    spec: CardSpec
    curves: pl.DataFrame = field(repr=False)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __getitem__(self, moment: str) -> Line:
        """The first line of that moment; a KeyError names those there are."""
        for line in self.lines:
            if line.moment == moment:
                return line
        raise KeyError(f"no moment {moment!r}; there are {[line.moment for line in self]}")

    @property
    def table(self) -> pl.DataFrame:
        """The lines, in full precision: a column per field of `Line`."""
        return pl.DataFrame([asdict(line) for line in self.lines], infer_schema_length=None)

    def __repr__(self) -> str:
        spec, words = self.spec, [self.title]
        words += [textwrap.fill(note, 88, subsequent_indent="  ") for note in self.notes]
        words.append(
            f"like: within a factor of {spec.ratio:g} (x), or a total variation of "
            f"{spec.distance:g} (tv).  ?: the 95 % interval\nof x or tv crosses that border."
        )
        section = None
        for line in self.lines:
            if (line.section, line.against) != section:
                section = line.section, line.against
                head = f"{line.section} / {line.against}"
                words.append(f"\n{head:<34} {'world':>8} {'real':>7} {'':>8} {'95 % interval':>15}")
            words.append(_row(line))
        words.append("\nwhat to know where they differ")
        for why in dict.fromkeys(line.comment for line in self if line.verdict != "like"):
            names = [line.moment for line in self if line.comment == why and line.verdict != "like"]
            words.append(_item(f"{'; '.join(dict.fromkeys(names))}: {why}"))
        words += ["\nnot modelled", *map(_item, NOT_MODELLED)]
        words += ["\nnot compared", *map(_item, NOT_COMPARED)]
        return "\n".join(words)


def line_of(
    asked: Asked, against: str, world: np.ndarray | None, real: np.ndarray | None, spec: CardSpec
) -> Line:
    """Compare one moment; `world` and `real` hold the moment, then its resamples, or are None.

    The verdict goes by the estimate: alike within the tolerance. A moment that the world lacks, or
    has as exactly 0 where the real set has something, is not modelled.
    """
    mine, theirs = _summary(world), _summary(real)
    profile = max((np.ndim(each) for each in (world, real) if each is not None), default=1) == 2
    value = low = high = None
    if mine[0] is not None and theirs[0] is not None:
        value, low, high = (_distance if profile else _ratio)(world, real)
    border = (0.0, spec.distance) if profile else (1 / spec.ratio, spec.ratio)
    if theirs[0] is None or (mine[0] is None and asked.name.startswith("months")):
        verdict, sure = "no data", True  # months: the world ran for less than a year
    elif mine[0] is None:
        verdict, sure = "not modelled", True
    elif not profile and (mine[0] == 0) != (theirs[0] == 0):
        sure = max(mine[1], theirs[1]) > 0  # else the other side may as well be 0
        verdict = ("other" if mine[0] else "not modelled") if sure else "like"
    else:
        verdict = "like" if border[0] <= value <= border[1] else "other"
        sure = low is None or not any(low < edge < high for edge in border)
    return Line(
        section=asked.section, moment=asked.name, against=against,
        world=mine[0], world_low=mine[1], world_high=mine[2],
        real=theirs[0], real_low=theirs[1], real_high=theirs[2],
        measure="distance" if profile else "ratio", value=value, low=low, high=high,
        verdict=verdict, sure=sure, comment=asked.why,
    )  # fmt: skip


def _summary(draws: np.ndarray | None) -> tuple[float | None, float | None, float | None]:
    """The moment with its interval; of a profile the place of its peak."""
    if draws is None or not np.isfinite(draws[0]).all():
        return None, None, None
    if draws.ndim == 2:
        peak = int(draws[0].argmax())
        return float(peak if draws.shape[1] == 24 else peak + 1), None, None
    value, half = float(draws[0]), _Z * _spread(draws)
    return value, max(value - half, 0.0), value + half  # no moment here is below 0


def _spread(draws: np.ndarray) -> float:
    """Standard deviation of the resamples in which the moment exists."""
    known = draws[1:][np.isfinite(draws[1:])]
    return float(known.std()) if known.size else 0.0


def _ratio(world: np.ndarray, real: np.ndarray) -> tuple[float, float | None, float | None]:
    mine, theirs = float(world[0]), float(real[0])
    if theirs == 0:
        return (1.0 if mine == 0 else float("inf")), None, None
    if mine == 0:
        return 0.0, None, None
    relative = np.hypot(_spread(world) / mine, _spread(real) / theirs)
    factor = float(np.exp(min(_Z * relative, 20.0)))
    return mine / theirs, mine / theirs / factor, mine / theirs * factor


def _distance(world: np.ndarray, real: np.ndarray) -> tuple[float, float, float]:
    """Total variation: half the sum of the absolute differences, in [0, 1]."""
    apart = np.abs(world - real).sum(axis=1) / 2
    half = _Z * _spread(apart)
    return float(apart[0]), max(float(apart[0]) - half, 0.0), min(float(apart[0]) + half, 1.0)


def _row(line: Line) -> str:
    value = between = "-"
    if line.value is not None:
        value = ("tv " if line.measure == "distance" else "x ") + _short(line.value)
    if line.low is not None:
        between = f"[{_short(line.low)}, {_short(line.high)}]"
    verdict = line.verdict + ("" if line.sure else "?")
    world, real = (_peak(line, each) for each in (line.world, line.real))
    numbers = f"{world:>8} {real:>7} {value:>8} {between:>15}"
    return f"{line.moment:<34} {numbers}  {verdict}"


def _peak(line: Line, value: float | None) -> str:
    """A number, or in words where a profile peaks."""
    if value is None or line.measure == "ratio":
        return _short(value)
    kind = line.moment.split()[0]
    if kind == "weekdays":
        return calendar.day_abbr[int(value) - 1]
    return calendar.month_abbr[int(value)] if kind == "months" else f"{value:.0f} h"


def _item(text: str) -> str:
    return textwrap.fill(text, 88, initial_indent="- ", subsequent_indent="  ")


def _short(value: float | None) -> str:
    """At least two digits that count, at most two after the point unless it is small.

    >>> [_short(value) for value in (None, 0.01234, 1.234, 12.34, 12_345.6, 0.0)]
    ['-', '0.012', '1.23', '12.3', '12,346', '0']
    """
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 0.1:
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{value:.2g}" if abs(value) >= 1e-3 or value == 0 else "<.001"
