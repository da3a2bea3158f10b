"""How often do two models answer otherwise, beyond what a model disagrees with itself?

    live against shadow ── disagreement ─┐
                                         ├──► excess, with interval
    live against twin ──── noise floor ──┘

A model trained again on the same data, or an exploring policy under another salt, disagrees with
itself. That floor says how much of a challenger's disagreement means anything; without a twin there
is a rate and no judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments import ranks
from workbench.experiments.clustered import (
    cluster_means,
    mean_interval,
    paired_interval,
    share_interval,
)
from workbench.experiments.corrections import holm

__all__ = ["Disagreement", "disagreement", "measures"]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What `disagreement` found; the repr is the report.

    Parameters
    ----------
    table : polars.DataFrame
        One row per measure and segment (`by` and `segment` null: all requests): `requests
        clusters disagreement low high`, with a twin also `floor floor_low floor_high excess
        excess_low excess_high p_value p_adjusted` (Holm over all segments of a measure).
    confidence : float
    cluster : str
        What the intervals take for independent: `user` or `request`.
    """

    table: pl.DataFrame
    confidence: float
    cluster: str

    def __getitem__(self, measure: str) -> dict:
        """The row of a measure over all requests."""
        found = self.table.filter(pl.col("measure") == measure, pl.col("segment").is_null())
        if found.is_empty():
            raise KeyError(f"no {measure!r}; there are {self.table['measure'].unique().to_list()}")
        return found.row(0, named=True)

    def __repr__(self) -> str:
        twin = "floor" in self.table.columns
        head = f"{'measure':<10} {'segment':<12} {'requests':>9} {'disagree':>8}"
        interval = f"{self.confidence:.0%} interval"
        lines = [head + (f" {'floor':>8} {'excess':>8}" if twin else "") + f" {interval:>21}"]
        lines[0] += f" {'p':>7}" if twin else ""
        for row in self.table.iter_rows(named=True):
            segment = "all" if row["segment"] is None else f"{row['by']} {row['segment']}"
            line = f"{row['measure']:<10} {segment[:12]:<12} {row['requests']:>9,}"
            line += f" {row['disagreement']:>8.3g}"
            low, high = (
                (row["excess_low"], row["excess_high"]) if twin else (row["low"], row["high"])
            )
            line += f" {row['floor']:>8.3g} {row['excess']:>+8.3g}" if twin else ""
            line += f" {f'[{low:+.3g}, {high:+.3g}]' if twin else f'[{low:.3g}, {high:.3g}]':>21}"
            line += f" {row['p_adjusted']:>7.2g}" if twin else ""
            lines.append(line)
        note = f"intervals take each {self.cluster} for one witness"
        lines.append(note if twin else note + "; no twin: how much of it is noise is unknown")
        return "\n".join(lines)


def disagreement(
    pairs: pl.DataFrame,
    *,
    by: str | Sequence[str] = (),
    p: float = 0.9,
    confidence: float = 0.95,
) -> Disagreement:
    """Rates of disagreement, of the twin too, and the excess over that floor.

    Parameters
    ----------
    pairs : polars.DataFrame
        From `pairs`.
    by : str or sequence of str, optional
        Columns whose values are looked at one by one.
    p : float, default 0.9
        Patience of the rank-biased overlap.
    confidence : float, default 0.95

    Returns
    -------
    Disagreement
        Measures as in `measures`. Intervals are over users where there is a column `user`, else
        over requests.

    Raises
    ------
    ValueError
        If there is nothing to compare, or a column of `by` is missing.

    Notes
    -----
    A rate: Wilson's interval with the effective number of requests; the excess of two rates:
    Agresti & Min for matched pairs; other means: Student's over clusters; see `clustered`. The
    twin answers the same requests, so the excess is known better than either rate.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> old, noise = rng.random(2_000), lambda: rng.normal(0, 0.02, 2_000)
    >>> table = pl.DataFrame({"request": range(2_000), "old": old, "again": old + noise(),
    ...                       "new": old + 3 * noise()})
    >>> from workbench.experiments.pairs import pairs
    >>> disagreement(pairs(table, live="old", shadow="new", twin="again", cutoff=0.9))
    measure    segment       requests disagree    floor   excess          95% interval       p
    action     all              2,000   0.0545    0.015  +0.0395    [+0.0292, +0.0498] 6.3e-14
    intervals take each request for one witness
    """
    by = [by] if isinstance(by, str) else list(by)
    missing = [name for name in by if name not in pairs.columns]
    if missing:
        raise ValueError(f"pairs have no column {missing[0]!r}; they have {pairs.columns}")
    each = measures(pairs, p=p)
    kinds = [name.removeprefix("shadow ") for name in each.columns if name.startswith("shadow ")]
    if not kinds or each.is_empty():
        raise ValueError("nothing to compare: neither actions nor items (give a cutoff for scores)")
    first = pairs.unique("request", keep="first", maintain_order=True)
    cluster = "user" if "user" in pairs.columns else "request"
    clusters = _codes(first["user"]) if cluster == "user" else None
    rows = []
    for name in [None, *by]:
        group, values = np.zeros(len(first), np.int64), [None]
        if name is not None:
            words = first[name].cast(pl.String).fill_null("(none)")
            values = sorted(words.unique().to_list())
            group = words.cast(pl.Enum(values)).to_physical().to_numpy().astype(np.int64)
        for kind in kinds:
            found = _compared(each, kind, clusters, group, confidence)
            frame = pl.DataFrame(found).with_columns(
                by=pl.lit(name, pl.String),
                segment=pl.Series(values, dtype=pl.String),
                measure=pl.lit(kind),
            )
            rows.append(frame.filter(pl.col("requests") > 0))
    table = pl.concat(rows)
    if "p_value" in table.columns:
        table = _corrected(table)
    lead = ["measure", "by", "segment"]
    return Disagreement(table.select(*lead, pl.exclude(lead)), confidence, cluster)


def measures(pairs: pl.DataFrame, *, p: float = 0.9) -> pl.DataFrame:
    """One row per request: how far the shadow's answer (and the twin's) is from the live one.

    Columns "shadow action" and so on, 0 the same and 1 as different as can be:

    - `action`: another action at any place, an answer that is missing counts as one
    - `first item`, `any item`: another item in the first, in any place
    - `items`: one minus the share of items in common
    - `order`: one minus the rank-biased overlap
    - `turned`: share of pairs of common items in another order; null below two

    >>> both = pl.DataFrame({"request": [1, 1], "position": [1, 2], "live_item": [5, 6],
    ...                      "shadow_item": [6, 5]})
    >>> measures(both).select("shadow any item", "shadow items", "shadow turned").row(0)
    (1.0, 0.0, 1.0)
    """
    request = pairs["request"]
    ids = request.unique(maintain_order=True)
    single = len(ids) == len(pairs)
    code = np.arange(len(ids)) if single else request.rle_id().to_numpy()
    if not single and (len(ids) != code[-1] + 1):
        raise ValueError("rows of a request must lie together: take the table from `pairs`")
    found = {"request": ids}
    others = [who for who in ("shadow", "twin") if any(c.startswith(who) for c in pairs.columns)]
    for who in others:
        if {"live_action", f"{who}_action"} <= set(pairs.columns):
            differs = pairs["live_action"].ne_missing(pairs[f"{who}_action"]).to_numpy()
            found[f"{who} action"] = _any(differs, code, len(ids))
    items = [f"{who}_item" for who in ("live", *others) if f"{who}_item" in pairs.columns]
    if len(items) > 1 and pairs["live_item"].null_count() < len(pairs):
        slates = _slates(pairs, items, code, len(ids))
        for who in others:
            found |= _slate_measures(who, slates["live_item"], slates[f"{who}_item"], p)
    return pl.DataFrame(found).with_columns(pl.selectors.ends_with("turned").fill_nan(None))


def _slate_measures(who: str, live: np.ndarray, other: np.ndarray, p: float) -> dict:
    differs = live != other
    found = {f"{who} first item": differs[:, 0].astype(float)}
    if live.shape[1] > 1:
        found[f"{who} any item"] = differs.any(axis=1).astype(float)
        found[f"{who} items"] = 1 - ranks.top_overlap(live, other, k=live.shape[1])
        found[f"{who} order"] = 1 - ranks.rank_biased_overlap(live, other, p=p)
        found[f"{who} turned"] = (1 - ranks.slate_tau(live, other)) / 2
    return found


def _slates(pairs: pl.DataFrame, items: list[str], code: np.ndarray, n: int) -> dict:
    """Items as codes, shape (n, k), -1 where there is none; gaps closed."""
    together = pl.concat([pairs[name].cast(pl.String) for name in items])
    codes = together.cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    place = pairs["position"].to_numpy() - 1
    width = int(place.max(initial=0)) + 1
    slates = {}
    for number, name in enumerate(items):
        slate = np.full((n, width), -1)
        slate[code, place] = codes[number * len(pairs) : (number + 1) * len(pairs)]
        if width > 1 and (np.diff((slate >= 0).astype(np.int8), axis=1) > 0).any():
            order = np.argsort(slate < 0, axis=1, kind="stable")
            slate = np.take_along_axis(slate, order, axis=1)
        slates[name] = slate
    return slates


def _compared(each: pl.DataFrame, kind: str, clusters, group, confidence: float) -> dict:
    values = each[f"shadow {kind}"].to_numpy()
    rate = kind in ("action", "first item", "any item")
    means = cluster_means(values, clusters, group)
    low, high = _around(means, rate, confidence)
    found = {"requests": means.rows, "clusters": means.clusters, "disagreement": means.mean}
    found |= {"low": low, "high": high}
    if f"twin {kind}" in each.columns:
        twin = each[f"twin {kind}"].to_numpy()
        floor = cluster_means(twin, clusters, group)
        found |= {"floor": floor.mean}
        found["floor_low"], found["floor_high"] = _around(floor, rate, confidence)
        if rate:
            excess = paired_interval(values, twin, clusters, group, level=confidence)
        else:
            apart = cluster_means(values - twin, clusters, group)
            below, above, p_value = mean_interval(apart, confidence)
            excess = apart.mean, below, above, p_value
        names = ("excess", "excess_low", "excess_high", "p_value")
        found |= dict(zip(names, excess, strict=True))
    return found


def _corrected(table: pl.DataFrame) -> pl.DataFrame:
    """p over all requests as it is; over segments corrected for all of them, of every column."""
    adjusted = table["p_value"].to_numpy().copy()
    segments = table["by"].is_not_null().to_numpy()
    for kind in table["measure"].unique():
        mine = segments & (table["measure"] == kind).to_numpy()
        adjusted[mine] = holm(adjusted[mine])
    return table.with_columns(p_adjusted=pl.Series(adjusted))


def _around(means, rate: bool, confidence: float):
    return share_interval(means, confidence) if rate else mean_interval(means, confidence)[:2]


def _any(differs: np.ndarray, code: np.ndarray, n: int) -> np.ndarray:
    return (np.bincount(code, differs, minlength=n) > 0).astype(float)


def _codes(values: pl.Series) -> np.ndarray:
    if values.null_count():
        raise ValueError(f"{values.name} is null in {values.null_count():,} requests")
    return values.rank("dense").to_numpy().astype(np.int64) - 1
