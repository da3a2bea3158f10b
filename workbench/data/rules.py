"""What can go wrong with a table: one pure function for each, from two frames to findings.

`live` is what has just arrived, `reference` what arrived before it, and both have the columns of
the vocabulary. A finding says what changed, by how much, and in how many of the live rows. Below
the thresholds, and below what chance alone would do, there is no finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import polars.selectors as cs

from workbench.contracts import VOCABULARY

__all__ = [
    "Finding",
    "completeness",
    "duplicates",
    "freshness",
    "label_delay",
    "new_categories",
    "units",
    "volume",
]

SIGMAS = 4.0  # beyond chance: one false alarm in 30,000 looks if rows were independent
FEW = 10  # fewer rows than this are a warning at most
MOST_CATEGORIES = 200  # a column with more is an id or free text


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `severity` is "error" or "warning"; `rows` counts live rows."""

    check: str
    severity: str
    evidence: str
    rows: int


def completeness(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Columns that are missing more often than before: a warning from 1 point on, an error from 5.

    NaN counts as missing. A column that is gone altogether is an error.

    >>> before = pl.DataFrame({"amount": [1.0] * 100})
    >>> completeness(pl.DataFrame({"amount": [1.0] * 90 + [None] * 10}), before)[0].evidence
    'amount: 0 % missing before, 10 % now'
    """
    found = []
    for name in reference.columns:
        if name not in live.columns:
            found.append(
                Finding("completeness", "error", f"{name}: the column is gone", live.height)
            )
            continue
        now, before = _missing_share(live[name]), _missing_share(reference[name])
        noise = SIGMAS * np.sqrt(before * (1 - before) / max(live.height, 1))
        if now - before > max(0.01, noise):
            rows = round(now * live.height)
            severity = "error" if now - before > 0.05 and rows >= FEW else "warning"
            evidence = f"{name}: {_percent(before)} missing before, {_percent(now)} now"
            found.append(Finding("completeness", severity, evidence, rows))
    return found


def volume(live: Mapping[int, int], reference: Mapping[int, int]) -> list[Finding]:
    """Days with far fewer or more rows than the same weekday had: an error beyond half or double.

    Both map days, counted back from now (0 is the last one), to rows. A day is compared with the
    days 7, 14, … before it: beyond 0.7 of the fewest or 1.4 of the most is a warning.

    >>> volume({0: 40}, {7: 100, 14: 110})[0].evidence
    'day 0 before now: 40 rows, the same weekday had 100 to 110'
    """
    found = []
    for day, rows in live.items():
        same = [count for other, count in reference.items() if (other - day) % 7 == 0]
        if not same:
            continue
        low, high = min(same), max(same)
        too_few = low - rows > SIGMAS * np.sqrt(low) and rows < 0.7 * low
        too_many = rows - high > SIGMAS * np.sqrt(high + 1) and rows > 1.4 * high
        if too_few or too_many:
            severity = "error" if rows < 0.5 * low or rows > 2 * high else "warning"
            had = f"{low:,} to {high:,}" if low < high else f"{low:,}"
            evidence = f"day {day} before now: {rows:,} rows, the same weekday had {had}"
            found.append(Finding("volume", severity, evidence, rows))
    return found


def freshness(arrivals: pl.Series, at: datetime) -> list[Finding]:
    """Nothing has come for longer than ever before: a warning, from twice as long on an error.

    `arrivals` are times, in any order, at least 10 of them.

    >>> noon = datetime(2026, 3, 1, 12)
    >>> hours = pl.Series([noon - timedelta(hours=hour) for hour in range(9, 24)])
    >>> freshness(hours, noon)[0].evidence
    'nothing for 9 h; the longest gap before was 1 h'
    """
    if len(arrivals) < 10:
        return []
    arrivals = arrivals.sort()
    longest, silence = arrivals.diff().max(), at - arrivals[-1]
    if silence <= max(longest, timedelta(minutes=5)):
        return []
    severity = "error" if silence > 2 * longest else "warning"
    evidence = f"nothing for {_hours(silence)}; the longest gap before was {_hours(longest)}"
    return [Finding("freshness", severity, evidence, 0)]


def duplicates(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Events that came twice (an error), and rows that say the same more often than before.

    Rows say the same if they agree in all but `event` and `known_at`: a warning from 1 point more
    than in the reference on, an error from 5.

    >>> pay = pl.DataFrame({"event": [1, 2, 3], "user": [7, 7, 8], "amount": [9.5, 9.5, 9.5]})
    >>> duplicates(pay, pay.head(1))[0].evidence
    'equal rows under other event ids: 0 % before, 33 % now'
    """
    found = []
    if "event" in live.columns:
        twice = live.height - live["event"].n_unique()
        if twice:
            evidence = f"{twice:,} rows have the event id of another row"
            found.append(Finding("duplicates", "error", evidence, twice))
    now, before = _repeated_share(live), _repeated_share(reference)
    noise = SIGMAS * np.sqrt(before * (1 - before) / max(live.height, 1))
    if now - before > max(0.01, noise):
        rows = round(now * live.height)
        severity = "error" if now - before > 0.05 and rows >= FEW else "warning"
        evidence = (
            f"equal rows under other event ids: {_percent(before)} before, {_percent(now)} now"
        )
        found.append(Finding("duplicates", severity, evidence, rows))
    return found


def units(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Numbers that are another size than on any day before: a median double or half is an error.

    The median size (without sign and zeros) is compared with the smallest and the largest of the
    reference's days: 1.4 times beyond is a warning, as are more than 2 % of rows beyond anything
    seen before. Fewer than 30 values, or a change within chance, are no finding.

    >>> dollars = pl.DataFrame({"amount": np.linspace(5, 50, 100)})
    >>> units(dollars * 100, dollars)[0].evidence
    'amount: median 27.5 before, 2.75e+03 now, 100 times as much'
    """
    found = []
    for name in reference.select(cs.numeric()).columns:
        if VOCABULARY.get(name) == "id" or name == "event" or name not in live.columns:
            continue
        now, before = (_values(frame[name]) for frame in (live, reference))
        if min(len(now), len(before)) < 30:
            continue
        size = abs(now[now != 0])
        days = _medians_by_day(reference, name)
        if len(size) >= 30 and len(days):
            middle = np.median(size)
            nearest = np.clip(middle, days.min(), days.max())
            spread = np.std(np.log(size)) / np.sqrt(len(size))
            times = max(middle / nearest, nearest / middle)
            if np.log(times) > max(np.log(1.4), SIGMAS * 1.25 * spread):  # of a median
                usual = np.median(days)
                evidence = (
                    f"{name}: median {usual:.3g} before, {middle:.3g} now, "
                    f"{middle / usual:.3g} times as much"
                )
                found.append(
                    Finding("units", "error" if times >= 2 else "warning", evidence, len(now))
                )
                continue
        beyond = (now < before.min()) | (now > before.max())
        if beyond.mean() > 0.02:
            evidence = (
                f"{name}: {_percent(beyond.mean())} beyond {before.min():.3g} to {before.max():.3g}"
            )
            found.append(Finding("units", "warning", evidence, int(beyond.sum())))
    return found


def new_categories(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Words never seen before: a warning from 0.1 % of the rows on, an error from 10 %.

    That is beyond the share of new ones to be expected: that of the words seen only once [1]_.

    References
    ----------
    .. [1] I. J. Good (1953), "The population frequencies of species and the estimation of
       population parameters", Biometrika 40, 237-264, equation 9.

    Examples
    --------
    >>> seen = pl.DataFrame({"place": ["Bern", "Basel"] * 50})
    >>> new_categories(pl.DataFrame({"place": ["Bern", "bern"] * 50}), seen)[0].evidence
    "place: 50 % have new values, such as 'bern'"
    """
    found = []
    for name in reference.select(cs.string() | cs.categorical()).columns:
        if VOCABULARY.get(name) == "id" or name not in live.columns:
            continue
        counts = reference[name].cast(pl.String).value_counts()
        known = counts[name]
        if len(known) > MOST_CATEGORIES:
            continue
        rare = (counts["count"] == 1).sum() / max(reference.height, 1)
        strange = live[name].cast(pl.String).drop_nulls()
        strange = strange.filter(~strange.is_in(known.implode()))
        share = len(strange) / max(live.height, 1)
        if share - rare > max(0.001, SIGMAS * np.sqrt(rare / max(live.height, 1))):
            most = strange.value_counts(sort=True)[name].head(3).to_list()
            evidence = f"{name}: {_percent(share)} have new values, such as {str(most)[1:-1]}"
            severity = "error" if share > 0.1 and len(strange) >= FEW else "warning"
            found.append(Finding("new categories", severity, evidence, len(strange)))
    return found


def label_delay(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Events known later or sooner than before: from 1.5 times on a warning, from 2.5 an error.

    Only for kinds that come late: at least a minute after they happened, in the median.

    >>> noon = datetime(2026, 3, 1, 12)
    >>> week = pl.DataFrame({"time": [noon] * 50, "known_at": [noon + timedelta(days=7)] * 50})
    >>> later = week.with_columns(pl.col("known_at") + pl.duration(days=14))
    >>> label_delay(later, week)[0].evidence
    'known after 7.0 days before, 21.0 days now (median)'
    """
    if not {"time", "known_at"} <= set(live.columns) & set(reference.columns):
        return []
    if min(live.height, reference.height) < 30:
        return []
    now, before = ((each["known_at"] - each["time"]).median() for each in (live, reference))
    if max(now, before) < timedelta(minutes=1):
        return []
    floor = timedelta(minutes=1)
    ratio = max(now, floor) / max(before, floor)
    if max(ratio, 1 / ratio) < 1.5:
        return []
    severity = "error" if max(ratio, 1 / ratio) >= 2.5 else "warning"
    days = [each / timedelta(days=1) for each in (before, now)]
    evidence = f"known after {days[0]:.1f} days before, {days[1]:.1f} days now (median)"
    return [Finding("label delay", severity, evidence, live.height)]


def _missing_share(values: pl.Series) -> float:
    missing = values.null_count() + (int(values.is_nan().sum()) if values.dtype.is_float() else 0)
    return missing / max(len(values), 1)


def _repeated_share(frame: pl.DataFrame) -> float:
    said = frame.drop("event", "known_at", strict=False)
    said = said.select(name for name, dtype in said.schema.items() if not dtype.is_nested())
    if not said.width or not said.height:
        return 0.0
    return 1 - said.n_unique() / said.height


def _medians_by_day(frame: pl.DataFrame, name: str) -> np.ndarray:
    """The median size of a column on each day with at least 30; of all rows, without a clock."""
    clock = next((clock for clock in ("known_at", "time") if clock in frame.columns), None)
    day = pl.lit(0) if clock is None else pl.col(clock).dt.date()
    size = pl.col(name).cast(pl.Float64).abs()
    sizes = frame.select(day=day, size=size).filter(pl.col("size") > 0, pl.col("size").is_finite())
    days = sizes.group_by("day").agg(pl.len(), pl.col("size").median())
    return days.filter(pl.col("len") >= 30)["size"].to_numpy()


def _values(series: pl.Series) -> np.ndarray:
    values = series.drop_nulls().to_numpy().astype(float)
    return values[np.isfinite(values)]


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.995 else "100 %"


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.3g} h"
