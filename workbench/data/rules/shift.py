"""A column whose values are spread differently than before, by the size of the change."""

from __future__ import annotations

import numpy as np
import polars as pl

from workbench.data.rules.finding import (
    ENOUGH,
    MOST_CATEGORIES,
    Finding,
    clock_of,
    has_number,
    is_id,
    percent,
)
from workbench.data.rules.numbers import measured

__all__ = ["distribution"]

BINS = 16
SHIFTED, BROKEN = 0.1, 0.25  # PSI: practitioners watch the first and act at the second
USUAL = 2.0  # times the largest of any day before, on top


def distribution(live: pl.DataFrame, reference: pl.DataFrame) -> list[Finding]:
    """Columns that moved, by their population stability index: a warning from 0.1, an error 0.25.

    What two samples of one source have by chance [1]_ is taken off that index (PSI). The rest must
    also be twice what the worst day of the reference had against all of them (of an error: four
    times), so that weekdays, sales and noise that were always there are no news. Numbers are
    compared in 16 bins of equal share, words and truth values by value.

    References
    ----------
    .. [1] B. Yurdakul and J. Naranjo (2020), "Statistical properties of the population stability
       index", Journal of Risk Model Validation 14(4), 89-100: its mean under no change.

    Examples
    --------
    >>> before = pl.DataFrame({"place": ["Bern"] * 500 + ["Basel"] * 500})
    >>> distribution(pl.DataFrame({"place": ["Bern"] * 90 + ["Basel"] * 10}), before)[0].evidence
    "place: 'Bern' 50 % before, 90 % now, PSI 0.75"
    """
    clock, found = clock_of(reference), []
    days = np.zeros(reference.height, np.int64)
    if clock is not None:
        days = reference[clock].dt.date().to_physical().fill_null(0).to_numpy()
        days = np.unique(days, return_inverse=True)[1]
    amounts = set(measured(live, reference))
    for name in reference.columns:
        if name in amounts:
            coded = _binned(live[name], reference[name])
        elif name in live.columns and _is_word(reference.schema[name]) and not is_id(name):
            coded = _levels(live[name], reference[name])
        else:
            continue
        if coded is None:
            continue
        now, before, labels = coded
        finding = _judge(name, now, before, days, labels)
        if finding is not None:
            number = name in amounts
            where = has_number(name) if number else pl.col(name).is_not_null()
            severity, evidence, rows = finding
            found.append(Finding("distribution", severity, evidence, rows, name, where))
    return found


def _judge(name, now, before, days, labels):
    """Severity, evidence and rows, from codes (-1 is missing) of live and reference."""
    size = len(labels)
    live = np.bincount(now[now >= 0], minlength=size)
    daily = np.bincount(
        (days * size + before)[before >= 0], minlength=(days.max(initial=0) + 1) * size
    ).reshape(-1, size)
    usual = daily.sum(axis=0)
    if min(live.sum(), usual.sum()) < max(ENOUGH, 2 * size):
        return None
    moved = _excess(live, usual)
    daily = daily[daily.sum(axis=1) >= max(ENOUGH, 2 * size)]
    worst = max((_excess(day, usual) for day in daily), default=0.0) if len(daily) > 1 else 0.0
    if moved < SHIFTED or moved < USUAL * worst:
        return None
    shares = live / live.sum(), usual / usual.sum()
    if isinstance(labels[0], str):
        most = int(np.argmax(np.abs(shares[0] - shares[1])))
        what = f"{labels[most]} {percent(shares[1][most])} before, {percent(shares[0][most])} now"
    else:
        middles = [int(np.searchsorted(np.cumsum(share), 0.5)) for share in shares]
        what = (
            f"half below {labels[middles[1]]:.3g} before, "
            f"{percent(shares[0][: middles[1] + 1].sum())} now"
        )
    known = len(daily) >= 7 or days.max(initial=0) == 0  # days without a clock are one
    far = moved >= BROKEN and moved >= 2 * USUAL * worst
    severity = "error" if far and known else "warning"
    return severity, f"{name}: {what}, PSI {moved:.2f}", int(live.sum())


def _excess(live: np.ndarray, usual: np.ndarray) -> float:
    """PSI of two histograms, less what chance alone gives, and four of its deviations."""
    p, q = ((each + 0.5) / (each + 0.5).sum() for each in (live, usual))
    psi = float(((p - q) * np.log(p / q)).sum())
    unit, free = 1 / live.sum() + 1 / usual.sum(), max(len(live) - 1, 1)
    return psi - unit * (free + 4 * np.sqrt(2 * free))


def _binned(live: pl.Series, reference: pl.Series):
    now, before = (
        each.cast(pl.Float64).fill_null(float("nan")).to_numpy() for each in (live, reference)
    )
    good = before[np.isfinite(before)]
    if len(good) < ENOUGH:
        return None
    edges = np.unique(np.quantile(good, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    # a value that many rows have gets a bin of its own
    cuts = np.unique(np.r_[edges, np.nextafter(edges, np.inf)])
    codes = [
        np.where(np.isfinite(each), np.searchsorted(cuts, each, side="right"), -1)
        for each in (now, before)
    ]
    return (*codes, np.r_[cuts, good.max()].tolist())


def _levels(live: pl.Series, reference: pl.Series):
    words = [each.cast(pl.String) for each in (live, reference)]
    counts = words[1].drop_nulls().value_counts(sort=True)
    if not 1 < counts.height <= MOST_CATEGORIES:
        return None
    rest = 0.01 * counts["count"].sum()  # rare words are judged together
    counts = counts.filter(pl.col("count") >= rest)
    levels = counts.to_series(0)
    lookup = pl.DataFrame({"word": levels, "code": np.arange(len(levels))})
    codes = []
    for each in words:
        rows = (
            each.alias("word").to_frame().join(lookup, on="word", how="left", maintain_order="left")
        )
        code = (
            pl.when(pl.col("word").is_null())
            .then(-1)
            .otherwise(pl.col("code").fill_null(len(levels)))
        )
        codes.append(rows.select(code).to_series().to_numpy())
    return (*codes, [*(repr(level[:20]) for level in levels), "rare values"])


def _is_word(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean)
