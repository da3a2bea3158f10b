"""A log of decisions as replay needs it: checked once, then arrays.

What cannot be estimated from is refused here with an error, because no number should come of it:
shadow decisions among the live, decisions without an outcome, chances that are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from workbench.tables import one_frame

__all__ = ["Logged", "as_columns", "policy_chances", "read_logged"]

PREDICTED = ("predicted_reward", "target_predicted_reward")


@dataclass(frozen=True, slots=True)
class Logged:
    """The columns of a log, shape (n,) each."""

    rewards: np.ndarray
    propensity: np.ndarray
    target_propensity: np.ndarray
    clusters: np.ndarray | None  # numbers from 0; None: each row is its own
    counts: np.ndarray | None  # what each row counts in the denominator; None: each is one
    strata: np.ndarray | None  # numbers from 0: the position; None: there is only one
    predicted: np.ndarray | None = None
    target_predicted: np.ndarray | None = None

    @property
    def positive(self) -> bool:
        """Whether no reward is negative."""
        return bool(self.rewards.min() >= 0)


def read_logged(log: Any, *, metric: str, per: str, cluster: str) -> Logged:
    """The log's columns, checked.

    Parameters
    ----------
    log : Polars, pandas or Arrow table, or LazyFrame
        One row per decision: `request`, `propensity`, `target_propensity`, the metric; `position`,
        `live`, `status`, `predicted_reward` and `target_predicted_reward` where there are such.
    metric : str
        The column with the reward.
    per : {"decision", "request"}
        What the value is a mean over. Of several rows of a request, the rewards are summed.
    cluster : str
        The column of what is independent: `request` or `user`.

    Raises
    ------
    ValueError
        If a column is missing, a decision is a shadow's, or has no reward.

    Examples
    --------
    >>> log = pl.DataFrame({"request": [7, 7, 8], "click": [0, 1, 1], "propensity": 0.5,
    ...                     "target_propensity": [0.0, 1.0, 1.0]})
    >>> read_logged(log, metric="click", per="request", cluster="request").counts.tolist()
    [1.0, 0.0, 1.0]
    """
    if per not in ("decision", "request"):
        raise ValueError(f"per must be 'decision' or 'request', got {per!r}")
    needed = dict.fromkeys(["request", "propensity", "target_propensity", metric, cluster])
    frame = one_frame(_chosen(log, needed), "log", None)
    _check_columns(frame.columns, needed)
    if not len(frame):
        raise ValueError("log must not be empty")
    _check_live(frame)
    _check_rewards(frame, metric)
    _check_keys(frame, list({"request", cluster}))
    _check_once(frame)
    given = [name for name in PREDICTED if name in frame.columns]
    if len(given) == 1:
        raise ValueError(f"a reward model needs {' and '.join(PREDICTED)}, got only {given[0]}")
    models = [_numbers(frame, name) for name in given] or [None, None]
    first = frame["request"].is_first_distinct().to_numpy() if per == "request" else None
    strata = _codes(frame["position"]) if "position" in frame.columns else None
    codes = _codes(frame[cluster])
    return Logged(
        _numbers(frame, metric),
        frame["propensity"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        frame["target_propensity"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        codes if codes.max() < len(codes) - 1 else None,
        None if first is None or first.all() else first.astype(float),
        strata if strata is not None and strata.max() else None,
        *models,
    )


def policy_chances(policy: Any, requests: Any, log: Any) -> np.ndarray:
    """The policy's chance of each logged decision, shape (len(log),).

    `requests` is the table of candidates that the decisions were made from, with all that the
    policy looks at.

    >>> from workbench.policy import Rank
    >>> requests = pl.DataFrame({"request": [7, 7], "item": [1, 2], "score": [0.1, 0.9]})
    >>> shown = pl.DataFrame({"request": [7], "item": [2], "position": [1], "action": ["show"]})
    >>> policy_chances(Rank("score", 1), requests, shown).tolist()
    [1.0]
    """
    if not hasattr(policy, "propensity"):
        raise ValueError(
            f"{type(policy).__name__} has no propensity(requests, decisions): nobody can say how "
            "likely it would have decided the same"
        )
    return np.asarray(
        policy.propensity(as_columns(requests, "requests"), as_columns(log, "log")), float
    )


def as_columns(table: Any, name: str) -> dict[str, np.ndarray]:
    """A table as the arrays that policies take: missing ids as policies mark them.

    >>> as_columns(pl.DataFrame({"request": [7], "query": [None]}, schema_overrides={
    ...     "query": pl.String}), "requests")["query"].tolist()
    ['']
    """
    from workbench.policy.columns import NO_ITEM

    columns = {}
    for series in one_frame(table, name):
        if series.dtype in (pl.String, pl.Categorical, pl.Enum):
            columns[series.name] = np.array(series.cast(pl.String).fill_null("").to_list(), str)
        elif series.dtype.is_integer() and series.name in ("request", "item", "user"):
            columns[series.name] = series.cast(pl.Int64).fill_null(NO_ITEM).to_numpy()
        else:
            columns[series.name] = series.to_numpy()
    return columns


def _chosen(log: Any, needed) -> Any:
    """Of a lake, only the columns that are used."""
    if not isinstance(log, pl.LazyFrame):
        return log
    names = log.collect_schema().names()
    _check_columns(names, needed)
    optional = ("position", "live", "status", "policy", *PREDICTED)
    return log.select(*needed, *(name for name in optional if name in names and name not in needed))


def _check_columns(names, needed) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        raise ValueError(f"log has no column {missing[0]!r}; it has {list(names)}")


def _check_live(frame: pl.DataFrame) -> None:
    if "live" not in frame.columns:
        return
    if frame["live"].dtype not in (pl.Boolean, pl.Null):
        raise ValueError(f"live must be true or false, got {frame['live'].dtype}")
    shadows = int((~frame["live"].fill_null(True)).sum())
    if shadows:
        raise ValueError(
            f"{shadows:,} decisions have live = false: shadows' decisions met no world, so their "
            "rewards are not theirs; keep the live ones"
        )


def _check_rewards(frame: pl.DataFrame, metric: str) -> None:
    if not (frame[metric].dtype.is_numeric() or frame[metric].dtype in (pl.Boolean, pl.Null)):
        raise ValueError(f"{metric} must be a number per decision, got {frame[metric].dtype}")
    missing = int(frame[metric].null_count())
    if missing:
        why = ""
        if "status" in frame.columns:
            counts = frame.filter(pl.col(metric).is_null())["status"].value_counts(sort=True)
            why = " (" + ", ".join(f"{count:,} {word}" for word, count in counts.rows()) + ")"
        raise ValueError(
            f"{metric} is missing in {missing:,} of {len(frame):,} decisions{why}: leaving them "
            "out would choose the rest by outcome. Pending ones: take decisions older than the "
            "horizon. Censored ones: give a block its own reward (0 earned), or see value_bounds"
        )
    values = frame[metric].cast(pl.Float64)
    if not values.is_finite().all():
        row = int(np.flatnonzero(~values.is_finite().to_numpy())[0])
        raise ValueError(f"{metric} must be finite, got {values[row]} in row {row}")


def _check_keys(frame: pl.DataFrame, names: list[str]) -> None:
    for name in names:
        if frame[name].null_count():
            raise ValueError(f"{name} is missing in {frame[name].null_count():,} decisions")


def _check_once(frame: pl.DataFrame) -> None:
    """One decision for each place: two are a shadow's beside the live one, or a log read twice."""
    key = [name for name in ("request", "policy", "position") if name in frame.columns]
    if "position" not in key:
        return
    twice = len(frame) - frame.select(pl.struct(key).n_unique()).item()
    if twice:
        raise ValueError(
            f"log has {twice:,} decisions more than it has ({', '.join(key)}): each place is "
            "decided once; leave out what was logged twice"
        )


def _numbers(frame: pl.DataFrame, name: str) -> np.ndarray:
    values = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}")
    return values


def _codes(series: pl.Series) -> np.ndarray:
    """Numbers from 0 without gaps, in order of first appearance or of size."""
    if series.dtype.is_integer() and len(series):
        low, high = series.min(), series.max()
        if low is not None and high - low <= 4 * len(series) + 100:
            seen = np.zeros(high - low + 1, bool)
            values = series.to_numpy() - low
            seen[values] = True
            return (np.cumsum(seen) - 1)[values]
    return series.rank("dense").to_numpy().astype(np.int64) - 1
