"""The closing table of a study: what was measured, how sure, against what.

Every row carries an interval and a dumb baseline, and the true value where the world knows it.
A figure without these three neighbours is an anecdote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

__all__ = ["Score", "Scorecard"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One measured quantity and what to hold it against.

    Parameters
    ----------
    what : str
        The quantity in plain words, with its unit where it has one.
    measured : float
        The estimate; None for what never came, such as a first alarm.
    low, high : float or None
        95 % interval of the estimate, in the same unit.
    baseline : float or None
        The same quantity for the simplest thing that could be done instead.
    truth : float or None
        The right answer, where the world knows it.
    """

    what: str
    measured: float | None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    truth: float | None = None

    @property
    def covers(self) -> bool | None:
        """Whether the interval holds the true value; None where there is nothing to compare."""
        if self.truth is None or self.low is None or self.high is None:
            return None
        return self.low <= self.truth <= self.high


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The rows of a study in reading order; its repr is the report.

    Examples
    --------
    >>> Scorecard("demo", (Score(what="AUC", measured=0.912, low=0.9, high=0.92, baseline=0.5),))
    demo
    what                                    measured        95 % interval  baseline     truth
    AUC                                        0.912       [0.900, 0.920]     0.500         -
    """

    title: str
    scores: tuple[Score, ...]

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __getitem__(self, what: str) -> Score:
        """The row called `what`; a KeyError names the rows there are."""
        for score in self.scores:
            if score.what == what:
                return score
        raise KeyError(f"no score called {what!r}; there are {[score.what for score in self]}")

    def to_json(self) -> str:
        """The rows as a JSON list, in full precision."""
        return json.dumps([{"study": self.title, **asdict(score)} for score in self])

    def __repr__(self) -> str:
        head = _line("what", "measured", "95 % interval", "baseline", "truth")
        return "\n".join([self.title, head, *(_row(score) for score in self)])


def _row(score: Score) -> str:
    interval = "-" if score.low is None else f"[{_short(score.low)}, {_short(score.high)}]"
    return _line(
        score.what, _short(score.measured), interval, _short(score.baseline), _short(score.truth)
    )


def _line(what: str, measured: str, interval: str, baseline: str, truth: str) -> str:
    return f"{what:<38} {measured:>9} {interval:>20} {baseline:>9} {truth:>9}"


def _short(value: float | None) -> str:
    """Three digits after the point for shares, thousands separators for money and counts.

    >>> _short(0.12345), _short(12.3), _short(54321.0), _short(None)
    ('0.123', '12.3', '54,321', '-')
    """
    if value is None:
        return "-"
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
