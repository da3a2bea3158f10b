"""Champion and challenger side by side: one row per request and place.

    decisions of a log ─────────┐
    a table with two scores ────┴─► pairs(…, live="old", shadow="new") ─► live_score shadow_score …

Everything about shadows is computed from this one table: disagreement, slices, odd behaviour. A
third policy, `twin`, may stand beside: the champion run once more, whose disagreement with itself
is the noise floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import polars as pl

from workbench.assign import uniform
from workbench.tables import one_frame

__all__ = ["WHO", "pairs"]

WHO = ("live", "shadow", "twin")
_KEY = ["request", "position"]
_ANSWER = ("action", "item", "score")
# what a decision says of itself and no slice is made of
_OWN = ("event", "known_at", "policy", "live", "propensity", "variant", "variant_share")


def pairs(
    table: Any,
    *,
    live: str,
    shadow: str,
    twin: str | None = None,
    cutoff: float | Mapping[str, float] | None = None,
    labels: Any = None,
    sample: float | None = None,
    salt: str = "shadow",
) -> pl.DataFrame:
    """What the champion and the challenger said to the same requests.

    Parameters
    ----------
    table : EventLog, LazyFrame, or polars, pandas or Arrow table
        Either decisions (`request policy`, and `position action item score`), or one row per
        request with a column for each model: numbers are scores, words and truth values are
        actions. Everything else is kept to slice by.
    live, shadow, twin : str
        Names of policies ("xgb@3"), or of the columns.
    cutoff : float or mapping of name to float, optional
        For a table of scores: "block" from here on, else "approve", as a `Threshold` would.
    labels : table, optional
        `request` and `label`: joined where it is known.
    sample, salt : float and str, optional
        As of the `Shadow` that made the decisions: which requests the shadow was shown, so that
        those it left out count as missing. Without `sample` it was shown those that it answered.

    Returns
    -------
    polars.DataFrame
        `request position`, `live_action live_item live_score`, the same for shadow and twin as far
        as given, and what there is to slice by. Of decisions, the requests that the shadow (and the
        twin) was shown and the places that any of them filled; null where one has no answer. A
        score that is not finite is missing, too: no policy could act on it.

    Raises
    ------
    ValueError
        If a policy or column is not there, a request is null, or a key comes twice.

    Examples
    --------
    >>> scores = pl.DataFrame({"request": [1, 2], "old": [0.2, 0.9], "new": [0.6, 0.8]})
    >>> side_by_side = pairs(scores, live="old", shadow="new", cutoff=0.5)
    >>> side_by_side.select("request", "live_action", "shadow_action").rows()
    [(1, 'approve', 'block'), (2, 'block', 'block')]
    """
    names = {who: name for who, name in zip(WHO, (live, shadow, twin), strict=True) if name}
    if len(set(names.values())) < len(names):
        raise ValueError(f"live, shadow and twin must be different policies, got {names}")
    if hasattr(table, "scan"):
        table = table.scan("decision")
    columns = _column_names(table)
    if "request" not in columns:
        raise ValueError(f"table has no column 'request'; it has {columns}")
    if set(names.values()) <= set(columns):
        if sample is not None:
            raise ValueError("sample is for a log of decisions: a table of scores has all of them")
        both = _from_columns(one_frame(table, "table"), names, cutoff)
    elif "policy" in columns:
        if cutoff is not None:
            raise ValueError("cutoff is for a table of scores: decisions have their actions")
        both = _from_decisions(table, names, sample, salt)
    else:
        absent = sorted(set(names.values()) - set(columns))
        raise ValueError(
            f"{absent[0]!r} is no column of the table, which has {columns}, and without a column "
            "'policy' these are no decisions"
        )
    scores = [name for name in both.columns if name in {f"{who}_score" for who in WHO}]
    both = both.with_columns(_finite(name) for name in scores)
    return both if labels is None else _labelled(both, labels)


def _column_names(table) -> list[str]:
    if isinstance(table, pl.LazyFrame):
        return table.collect_schema().names()
    if not hasattr(table, "columns"):
        one_frame(table, "table")  # says what it is instead
    return [str(name) for name in getattr(table, "column_names", table.columns)]


def _from_columns(frame: pl.DataFrame, names: dict[str, str], cutoff) -> pl.DataFrame:
    if "position" not in frame.columns:
        frame = frame.with_columns(position=pl.lit(1, pl.Int64))
    _check_keys(frame, "table")
    made = {}
    for who, name in names.items():
        values = frame[name]
        if values.dtype.is_numeric():
            made[f"{who}_score"] = values.cast(pl.Float64)
            if cutoff is not None:
                at = cutoff.get(name) if isinstance(cutoff, Mapping) else cutoff
                if not isinstance(at, Real) or at != at:
                    raise ValueError(f"cutoff must have a number for {name!r}, got {cutoff!r}")
                made[f"{who}_action"] = _cut(made[f"{who}_score"], at)
        elif values.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean):
            made[f"{who}_action"] = values.cast(pl.String)
        else:
            raise ValueError(f"{name!r} must be scores or words, got {values.dtype}")
    kinds = {column.split("_")[1] for column in made}
    ragged = [name for who, name in names.items() for kind in kinds if f"{who}_{kind}" not in made]
    if ragged:
        raise ValueError(f"{list(names.values())} must all be scores or all be words")
    kept = frame.drop(set(names.values()))
    taken = sorted(set(made) & set(kept.columns))
    if taken:
        raise ValueError(f"table has a column {taken[0]!r} already: give it another name")
    both = kept.with_columns(**made)
    return both if (both["position"] == 1).all() else both.sort(_KEY)


def _finite(score: str) -> pl.Expr:
    """A column of scores with null for what is not finite."""
    return pl.when(pl.col(score).is_finite()).then(pl.col(score)).alias(score)


def _cut(score: pl.Series, at: float) -> pl.Series:
    block = pl.when(pl.col("s") >= at).then(pl.lit("block")).otherwise(pl.lit("approve"))
    scored = score.alias("s").to_frame().select(_finite("s"))
    return scored.select(pl.when(pl.col("s").is_not_null()).then(block))["literal"]


def _from_decisions(table, names: dict[str, str], sample, salt: str) -> pl.DataFrame:
    wanted = list(names.values())
    if isinstance(table, pl.LazyFrame):
        frame = table.filter(pl.col("policy").cast(pl.String).is_in(wanted)).collect()
    else:
        frame = one_frame(table, "table")
        frame = frame.filter(pl.col("policy").cast(pl.String).is_in(wanted))
    frame = frame.with_columns(pl.col("policy").cast(pl.String))
    if "position" not in frame.columns:
        frame = frame.with_columns(position=pl.lit(1, pl.Int64))
    answer = [name for name in _ANSWER if name in frame.columns]
    if not answer:
        raise ValueError(f"decisions need at least one of {_ANSWER}, got {frame.columns}")
    slices = [name for name in frame.columns if name not in (*_KEY, *_ANSWER, *_OWN)]
    parts = {}
    for who, name in names.items():
        part = frame.filter(pl.col("policy") == name).sort(_KEY)
        if part.is_empty():
            raise ValueError(f"no decision is by policy {name!r}")
        _check_keys(part, f"decisions of {name!r}")
        parts[who] = part
    requests = {who: part.select("request").unique() for who, part in parts.items()}
    seen = requests["live"]
    if sample is None:
        for who in names:
            seen = seen.join(requests[who], on="request", how="semi")
    else:
        seen = seen.filter(uniform(salt, seen["request"].to_numpy()) < sample)
    if seen.join(requests["shadow"], on="request", how="semi").is_empty():
        raise ValueError(f"{list(names.values())} answered no common request")
    everyone = all(len(seen) == len(each) for each in requests.values())
    both = None
    for who, part in parts.items():
        mine = part if everyone else part.join(seen, on="request", how="semi").sort(_KEY)
        mine = mine.select(*_KEY, *(pl.col(name).alias(f"{who}_{name}") for name in answer))
        both = mine if both is None else _beside(both, mine)
    about = parts["live"].select("request", *slices).unique("request", keep="first")
    return both.join(about, on="request", how="left").sort(_KEY) if slices else both.sort(_KEY)


def _beside(both: pl.DataFrame, mine: pl.DataFrame) -> pl.DataFrame:
    """Join two tables sorted by their keys; most often the keys are the same."""
    if both.select(_KEY).equals(mine.select(_KEY)):
        return pl.concat([both, mine.drop(_KEY)], how="horizontal")
    return both.join(mine, on=_KEY, how="full", coalesce=True).sort(_KEY)


def _check_keys(frame: pl.DataFrame, name: str) -> None:
    if frame["request"].null_count():
        raise ValueError(f"{name}: request is null in {frame['request'].null_count():,} rows")
    keys = frame.select(_KEY).sort(_KEY)
    again = pl.all_horizontal(pl.col(each) == pl.col(each).shift() for each in _KEY)
    twice = keys.filter(again.fill_null(False))
    if len(twice):
        request, position = twice.row(0)
        raise ValueError(f"{name}: request {request!r} comes twice at position {position}")


def _labelled(both: pl.DataFrame, labels: Any) -> pl.DataFrame:
    frame = one_frame(labels, "labels")
    for name in ("request", "label"):
        if name not in frame.columns:
            raise ValueError(f"labels has no column {name!r}; it has {frame.columns}")
    if "label" in both.columns:
        raise ValueError("the table has a label already: drop it, or give no labels")
    if frame["request"].n_unique() < len(frame):
        raise ValueError("labels must have one row per request")
    labels = frame.select("request", "label")
    try:
        return both.join(labels, on="request", how="left", maintain_order="left")
    except pl.exceptions.SchemaError as error:
        types = both.schema["request"], labels.schema["request"]
        raise ValueError(
            f"request is {types[0]} in the table and {types[1]} in labels: make them one type"
        ) from error
