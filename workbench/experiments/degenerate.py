"""Does the challenger do something that no healthy model does?

    always the same category     collapsed scores       vanishing coverage
    one segment starved          missing answers        missing scores

Each detector compares the shadow with the live policy on the same requests and raises an alarm only
when two things are true: the change is of a size that no honest challenger makes, and chance is no
explanation. A challenger may be worse without doing any of this: that is what replay and A/B tests
are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.corrections import holm
from workbench.experiments.detectors import (
    both_of,
    collapsed_scores,
    good_answers,
    has,
    missing_answers,
    one_category,
    starved_items,
    starved_users,
    vanishing_coverage,
    words_of,
)
from workbench.tables import one_frame

__all__ = ["Oddities", "oddities"]


@dataclass(frozen=True, slots=True)
class Oddities:
    """What the detectors saw; `table` has every check made, alarm or not.

    Columns: `detector by segment live shadow p_value alarm`. `live` and `shadow` are what the
    detector measures: shares, numbers of score levels or of items. `p_value` is corrected for all
    the tests of the table (Holm); null where the check counts and does not test.
    """

    table: pl.DataFrame
    requests: int
    alpha: float

    @property
    def alarms(self) -> list[str]:
        """Detectors with an alarm, each once."""
        return self.table.filter("alarm")["detector"].unique(maintain_order=True).to_list()

    @property
    def ok(self) -> bool:
        """Whether nothing was odd."""
        return not self.alarms

    def __repr__(self) -> str:
        head = f"{len(self.table)} checks on {self.requests:,} requests"
        if self.ok:
            return f"nothing odd: {head}"
        lines = [f"ODD: {', '.join(self.alarms)}; {head}"]
        found = self.table.filter("alarm")
        for row in found.head(12).iter_rows(named=True):
            what = row["detector"] if row["by"] is None else f"{row['detector']}, {row['by']}"
            where = "" if row["segment"] is None else f" {row['segment']}"
            p = "" if row["p_value"] is None else f", p = {row['p_value']:.2g}"
            lines.append(f"  {what}{where}: live {row['live']:.3g}, shadow {row['shadow']:.3g}{p}")
        if len(found) > 12:
            lines.append(f"  and {len(found) - 12} more")
        return "\n".join(lines)


def oddities(
    pairs: pl.DataFrame, *, by: str | Sequence[str] = (), items=None, alpha: float = 0.01
) -> Oddities:
    """Run every detector that the columns allow.

    Parameters
    ----------
    pairs : polars.DataFrame
        From `pairs`; with `sample` given, answers that were left out are seen.
    by : str or sequence of str, optional
        Columns of requests whose segments must not starve: device, country.
    items : table, optional
        `item` and words about it (category, seller): no value may take all places or lose them.
    alpha : float, default 0.01
        Bound on the chance of any alarm by a test when the shadow differs from the live policy by
        luck alone; the sizes asked for make it far smaller.

    Returns
    -------
    Oddities

    Raises
    ------
    ValueError
        If a column is missing, or there are no rows.

    Notes
    -----
    Tests are sign tests over users (requests where there are none): of the users for whom the two
    policies differ, how many lose? Exact, and users may ask as often as they like (Dixon & Mood
    1946, "The statistical sign test", J. Am. Stat. Assoc. 41; over requests it is McNemar's).

    Examples
    --------
    >>> from workbench.experiments.pairs import pairs
    >>> old = (np.arange(1_000) * 37 % 1_000) / 1_000
    >>> table = pl.DataFrame({"request": range(1_000), "old": old, "new": 0.2 + old * 1e-6})
    >>> oddities(pairs(table, live="old", shadow="new", cutoff=0.9))
    ODD: one category, collapsed scores; 5 checks on 1,000 requests
      one category, action: live 0.1, shadow 0, p = 3.2e-30
      collapsed scores: live 999, shadow 1
    """
    by = [by] if isinstance(by, str) else list(by)
    if pairs.is_empty():
        raise ValueError("there are no pairs to look at")
    absent = [name for name in by if name not in pairs.columns]
    if absent:
        raise ValueError(f"pairs have no column {absent[0]!r}; they have {pairs.columns}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
    about = [] if items is None else _joined(pairs, items)
    cluster = _clusters(pairs)
    first = pairs["request"].is_first_distinct().to_numpy()
    checks: list[tuple] = []
    missing_answers(checks, pairs, cluster, first)
    for kind in ("action", "item"):
        if has(pairs, kind):
            place = first if kind == "item" else np.ones(len(pairs), bool)
            one_category(checks, kind, *(words_of(pairs[c]) for c in both_of(kind)), cluster, place)
    if has(pairs, "score"):
        collapsed_scores(checks, pairs)
    if has(pairs, "item"):
        vanishing_coverage(checks, pairs)
    for name, live, shadow in about:
        one_category(checks, name, live, shadow, cluster, np.ones(len(pairs), bool))
        if not first.all():  # candidates may force other categories into the lower places
            one_category(checks, f"{name}, first place", live, shadow, cluster, first)
        starved_items(checks, name, live, shadow, cluster)
    good = good_answers(pairs)
    for name in by if good is not None else []:
        starved_users(checks, name, words_of(pairs[name]), *good, cluster, first)
    table = pl.DataFrame(checks, schema=_SCHEMA, orient="row")
    corrected = holm(table["p_value"].fill_null(float("nan")).to_numpy())
    table = table.with_columns(p_value=pl.Series(corrected).fill_nan(None))
    unlikely = pl.col("p_value").is_null() | (pl.col("p_value") < alpha)
    table = table.with_columns(alarm=pl.col("alarm") & unlikely)
    return Oddities(table, int(first.sum()), alpha)


_SCHEMA = {
    "detector": pl.String, "by": pl.String, "segment": pl.String, "live": pl.Float64,
    "shadow": pl.Float64, "p_value": pl.Float64, "alarm": pl.Boolean,
}  # fmt: skip


def _joined(pairs, items) -> list[tuple[str, pl.Series, pl.Series]]:
    table = one_frame(items, "items")
    if "item" not in table.columns or not has(pairs, "item"):
        raise ValueError(f"items need a column 'item', and pairs items; got {table.columns}")
    if table["item"].n_unique() < len(table):
        raise ValueError("items must have one row per item")
    found = []
    for name in table.columns:
        if name == "item":
            continue
        words = table.select("item", word=pl.col(name).cast(pl.String))
        live, shadow = (
            pairs.select(item=column).join(words, on="item", how="left", maintain_order="left")
            for column in both_of("item")
        )
        found.append((name, live["word"], shadow["word"]))
    return found


def _clusters(pairs) -> np.ndarray:
    name = "user" if "user" in pairs.columns else "request"
    if pairs[name].null_count():
        raise ValueError(f"{name} is null in {pairs[name].null_count():,} rows")
    return pairs[name].rank("dense").to_numpy().astype(np.int64) - 1
