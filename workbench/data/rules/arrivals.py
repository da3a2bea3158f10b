"""How many rows came, and when: volume by weekday, silence by hour of day."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from workbench.data.rules.finding import FEW, SIGMAS, Finding

__all__ = ["freshness", "volume"]

DAY = 1440  # minutes
BUSY = 15  # minutes with rows in even the emptiest of the same stretches: no chance of none
BEYOND = 3.0  # spreads of the days around their weekday's mean, beyond the range of the weekday


def volume(live: Mapping[int, int], reference: Mapping[int, int]) -> list[Finding]:
    """Days with fewer or more rows than the same weekday had: an error beyond half or double.

    Both map days, counted back from now (0 is the last one), to rows. A day is compared with the
    days 7, 14, … before it. Beyond 0.7 of the fewest or 1.4 of the most is a warning. With four
    weeks of steadier days a smaller change is one, too: from three times their spread around the
    weekday's mean on, but never less than 10 %. Twice the standard deviation of the same weekday is
    asked for in any case. If there were closed days among them, a busy one is no error.

    >>> volume({0: 40}, {7: 100, 14: 110})[0].evidence
    'day 0 before now: 40 rows, the same weekday had 100 to 110'
    """
    found = []
    few, many = _margins(reference)
    for day, rows in live.items():
        same = [count for other, count in reference.items() if (other - day) % 7 == 0]
        if not same:
            continue
        low, high = min(same), max(same)
        spread = 2 * np.std(same, ddof=1) if len(same) >= 3 else 0.0
        too_few = low - rows > max(SIGMAS * np.sqrt(low), spread) and rows < few * low
        too_many = rows - high > max(SIGMAS * np.sqrt(high + 1), spread) and rows > many * high
        if too_few or too_many:
            far = rows < 0.5 * low or rows > 2 * high
            was_closed = low == 0 < high and low <= rows <= max(reference.values())
            severity = "error" if far and not was_closed else "warning"
            had = f"{low:,} to {high:,}" if low < high else f"{low:,}"
            evidence = f"day {day} before now: {rows:,} rows, the same weekday had {had}"
            found.append(Finding("volume", severity, evidence, rows))
    return found


def _margins(reference: Mapping[int, int]) -> tuple[float, float]:
    """Below and above how much of the range of its weekday a day is a finding."""
    weekdays = [[rows for day, rows in reference.items() if day % 7 == week] for week in range(7)]
    if min(map(len, weekdays)) < 4 or min(reference.values()) == 0:
        return 0.7, 1.4
    around = np.concatenate([np.log(rows) - np.mean(np.log(rows)) for rows in weekdays])
    margin = BEYOND * float(np.sqrt(np.sum(around**2) / (len(around) - 7)))
    return max(0.7, min(np.exp(-margin), 0.9)), min(1.4, max(np.exp(margin), 1.1))


def freshness(minutes: np.ndarray, live_days: int = 1) -> list[Finding]:
    """A silence that the same hours of earlier days did not have: an error if it lasts until now.

    Parameters
    ----------
    minutes : int array, shape (m,)
        Rows by minute of arrival; the last one is the minute before now.
    live_days : int
        How many of the last days to judge; the days before them are what to judge by.

    Notes
    -----
    A silence is a finding if, on each earlier day (on each of the same weekday, where there are
    four), the same stretch had 15 minutes or more in which rows came; of each live day the worst is
    named. So is a silence until now that is twice as long as any before, for rows that come too
    seldom to have hours.

    Examples
    --------
    >>> minutes = np.tile(np.r_[np.zeros(480, int), np.full(960, 2)], 15)   # closed until eight
    >>> freshness(minutes[:-960])
    []
    >>> minutes[-90:] = 0
    >>> freshness(minutes)[0].evidence
    'nothing for 1.5 h until now; the same hours had rows in 90 minutes or more'
    """
    usual = minutes[: len(minutes) - live_days * DAY]
    if len(usual) < DAY or usual.sum() < FEW:
        return []
    found = []
    for day in range(live_days):
        end = len(minutes) - day * DAY
        fewest, begin, span = max(
            (_busy_minutes(minutes, end - DAY + begin, span, live_days), end - DAY + begin, span)
            for begin, span in [*_silences(minutes[end - DAY : end]), (0, 0)]
        )
        until_now = day == 0 and begin + span == end and span > 0
        had = f"the same hours had rows in {fewest:,} minutes or more"
        if fewest < BUSY and day == 0:
            span = int(np.argmax(minutes[::-1] > 0)) if minutes.any() else len(minutes)
            longest = max((gap for _, gap in _silences(usual)), default=0)
            until_now = span > 2 * max(longest, 5)
            had = f"the longest gap before was {longest / 60:.2g} h"
        if fewest < BUSY and not until_now:
            continue
        ago = (end - begin - span) / 60
        when = "until now" if until_now else f"until {ago:.2g} h before the end of day {day}"
        severity = "error" if until_now or fewest >= 3 * BUSY else "warning"
        evidence = f"nothing for {span / 60:.2g} h {when}; {had}"
        found.append(Finding("freshness", severity, evidence, 0, where=pl.lit(False)))
    return found


def _silences(minutes: np.ndarray) -> list[tuple[int, int]]:
    """Where each run of empty minutes begins, and how long it is."""
    turns = np.diff(np.r_[False, minutes == 0, False].astype(np.int8))
    starts, ends = np.flatnonzero(turns == 1), np.flatnonzero(turns == -1)
    return list(zip(starts.tolist(), (ends - starts).tolist(), strict=True))


def _busy_minutes(minutes: np.ndarray, begin: int, span: int, live_days: int) -> int:
    """The fewest minutes with rows in the same stretch of earlier days; 0 without such days."""
    if span < BUSY:
        return 0
    total = np.r_[0, np.cumsum(minutes > 0)]
    back = np.arange(live_days, len(minutes) // DAY + 1) * DAY
    back = back[begin - back >= 0]
    weekly = back[back % (7 * DAY) == 0]
    back = weekly if len(weekly) >= 4 else back
    return int(np.min(total[begin - back + span] - total[begin - back])) if len(back) else 0
