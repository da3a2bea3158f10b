"""The two clocks: labels that come later than before, and clocks that are wrong."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.data.rules.finding import ENOUGH, FEW, SIGMAS, Finding, by_day, percent

__all__ = ["clock_skew", "hours", "label_delay"]

MINUTE, DAY = 60.0, 86_400.0  # seconds
SOON = MINUTE  # kinds that are known within it come at once: what changes is a clock
FURTHEST = 26 * 3600.0  # between any two time zones: more is a delay


def label_delay(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Events known later or sooner than before: from 1.5 times on a warning, from 2.5 an error.

    The median and the mean are each compared with the range that the days before had. Only for
    kinds that come late, at least a minute after they happened.

    >>> from datetime import datetime, timedelta
    >>> noon = datetime(2026, 3, 1, 12)
    >>> week = pl.DataFrame({"time": [noon] * 50, "known_at": [noon + timedelta(days=7)] * 50})
    >>> later = week.with_columns(pl.col("known_at") + pl.duration(days=14))
    >>> label_delay(later, week)[0].evidence
    'known after 7.0 days before, 21.0 days now (median)'
    """
    both = _delays(live, reference)
    if both is None or _is_skew(*both):
        return []
    now, before = both
    days = by_day(reference, _DELAY.median().alias("median"), _DELAY.mean().alias("mean"))
    for word, measure in (("median", np.median), ("mean", np.mean)):
        late, usual = measure(now), measure(before)
        if max(late, usual) < MINUTE:
            continue
        low, high = (days[word].min(), days[word].max()) if len(days) else (usual, usual)
        nearest = float(np.clip(late, min(low, usual), max(high, usual)))
        ratio = max(late, MINUTE) / max(nearest, MINUTE)
        ratio = max(ratio, 1 / ratio)
        noise = SIGMAS * np.std(now) / np.sqrt(len(now))
        if ratio < 1.5 or abs(late - nearest) <= noise:
            continue
        severity = "error" if ratio >= 2.5 else "warning"
        evidence = f"known after {_span(usual)} before, {_span(late)} now ({word})"
        return [Finding("label delay", severity, evidence, live.height, "known_at")]
    return []


def clock_skew(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Events known before they happened, and clocks that are off by a constant.

    Known before they happened: a warning from 0.1 points more than on any day before, an error from
    1. Off by a constant: kinds that are known within a minute come half a minute or more, up to 26
    hours, sooner or later than they did, all of them alike: an error.

    >>> from datetime import datetime, timedelta
    >>> noon = datetime(2026, 3, 1, 12)
    >>> at_once = pl.DataFrame({"time": [noon] * 50, "known_at": [noon] * 50})
    >>> clock_skew(at_once.with_columns(pl.col("time") - pl.duration(hours=1)), at_once)[0].evidence
    'time is 60 min behind the arrival, 0 min before'
    """
    both = _delays(live, reference)
    if both is None:
        return []
    now, before = both
    found = []
    early = pl.col("known_at") < pl.col("time")
    rows, share, usual = int(np.sum(now < 0)), np.mean(now < 0), np.mean(before < 0)
    most = max(by_day(reference, early.mean().alias("share"))["share"].max() or 0.0, usual)
    if rows >= 3 and share - most > max(0.001, SIGMAS * np.sqrt(most * (1 - most) / len(now))):
        severity = "error" if share - most > 0.01 and rows >= FEW else "warning"
        evidence = f"{percent(usual)} known before they happened, {percent(share)} now"
        found.append(Finding("clock skew", severity, evidence, rows, "time", early))
    elif _is_skew(now, before):
        late, usual = np.median(now), np.median(before)
        word = "behind" if late > 0 else "ahead of"
        evidence = (
            f"time is {abs(late) / MINUTE:.3g} min {word} the arrival, "
            f"{usual / MINUTE:.2g} min before"
        )
        found.append(Finding("clock skew", "error", evidence, live.height, "time"))
    return found


def hours(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Hours of the day that moved all together, as if by another time zone: an error.

    The shares of the 24 hours in `time` are compared by their total variation distance. It must be
    0.1 or more, twice what any day of the reference had, and less than half of that once the live
    hours are moved back by a whole number of them. From 500 rows on.

    >>> from workbench.data.broken import sound
    >>> shop = sound(days=15)                                    # open from 6 to 22
    >>> later = shop[-960:].with_columns(pl.col("time") + pl.duration(hours=3))
    >>> hours(later, shop[:-960])[0].evidence
    'hours moved by +3: 22 % of the rows come at another hour, 3.2 % if they are moved back'
    """
    if any(frame.schema.get("time") != pl.Datetime for frame in (live, reference)):
        return []
    if min(live.height, reference.height) < 500:
        return []
    hour = pl.col("time").dt.hour().drop_nulls()
    now, usual = (_shares(frame.select(hour).to_series()) for frame in (live, reference))
    distance = [float(np.abs(np.roll(now, -shift) - usual).sum() / 2) for shift in range(24)]
    best = int(np.argmin(distance))
    if distance[0] < 0.1 or best == 0 or distance[best] > 0.5 * distance[0]:
        return []
    days = by_day(reference, hour.alias("hours"))["hours"]
    worst = max((np.abs(_shares(day) - usual).sum() / 2 for day in days), default=0.0)
    if distance[0] < 2 * worst and len(days) > 1:
        return []
    evidence = (
        f"hours moved by {best if best <= 12 else best - 24:+d}: {percent(distance[0])} of the "
        f"rows come at another hour, {percent(distance[best])} if they are moved back"
    )
    return [Finding("clock skew", "error", evidence, live.height, "time")]


def _shares(hour: pl.Series) -> np.ndarray:
    counts = np.bincount(hour.to_numpy(), minlength=24)
    return counts / max(counts.sum(), 1)


_DELAY = (pl.col("known_at") - pl.col("time")).dt.total_microseconds() / 1e6


def _delays(live: pl.DataFrame, reference: pl.DataFrame):
    """Seconds from `time` to `known_at`, of both frames; None if there are too few."""
    for frame in (live, reference):
        clocks = [frame.schema.get(name) for name in ("time", "known_at")]
        if clocks[0] != pl.Datetime or clocks[1] != pl.Datetime:
            return None
    delays = [
        frame.select(_DELAY.alias("d"))["d"].drop_nulls().to_numpy() for frame in (live, reference)
    ]
    return None if min(map(len, delays)) < ENOUGH else delays


def _is_skew(now: np.ndarray, before: np.ndarray) -> bool:
    shift = abs(np.median(now) - np.median(before))
    if abs(np.median(before)) >= SOON or not 30 <= shift <= FURTHEST:
        return False
    widths = [np.subtract(*np.quantile(each, [0.9, 0.1])) for each in (now, before)]
    return widths[0] <= widths[1] + 0.2 * shift


def _span(seconds: float) -> str:
    for unit, length in (("days", DAY), ("h", 3600.0), ("min", MINUTE)):
        if seconds >= 2 * length or unit == "min":
            return f"{seconds / length:.1f} {unit}"
    raise AssertionError
