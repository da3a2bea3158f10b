"""A model of the reward, fitted on other rows than those it is used on.

fold 1 ◄── model fitted on folds 2..K          each row gets two predictions:
fold 2 ◄── model fitted on 1, 3..K             of what was decided, and of what
  ...                                          the target would decide, on average
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from workbench.assign import uniform
from workbench.tables import one_frame

__all__ = ["cross_fitted", "mean_reward"]

Predict = Callable[[pl.DataFrame], np.ndarray]


def mean_reward(*by: str, metric: str = "reward", strength: float = 20.0):
    """A `fit` for `cross_fitted`: the mean reward by columns, drawn towards the mean of all.

    `strength` is how many rows' worth of the overall mean each group starts with.

    >>> log = pl.DataFrame({"item": [1, 1, 2], "reward": [1.0, 1.0, 0.0]})
    >>> predict = mean_reward("item", strength=1.0)(log)
    >>> predict(pl.DataFrame({"item": [1, 2, 3]})).round(2).tolist()
    [0.89, 0.33, 0.67]
    """
    if not by:
        raise ValueError("by must name at least one column")
    if not strength >= 0:
        raise ValueError(f"strength must be at least 0, got {strength}")

    def fit(rows: pl.DataFrame) -> Predict:
        overall = float(rows[metric].mean())
        total, count = pl.col(metric).sum(), pl.len()
        means = rows.group_by(by).agg(__mean=(total + strength * overall) / (count + strength))

        def predict(asked: pl.DataFrame) -> np.ndarray:
            found = asked.select(by).join(means, on=list(by), how="left", maintain_order="left")
            return found["__mean"].fill_null(overall).to_numpy()

        return predict

    return fit


def cross_fitted(
    log: Any,
    alternatives: Any,
    fit: Callable[[pl.DataFrame], Predict],
    *,
    cluster: str = "request",
    folds: int = 5,
) -> pl.DataFrame:
    """The log with `predicted_reward` and `target_predicted_reward`, for doubly robust estimates.

    Parameters
    ----------
    log : Polars, pandas or Arrow table
        With `request` (and `position` if the alternatives have one), the metric, and what the model
        looks at.
    alternatives : table
        What the target can decide: `request` (`position`) `target_propensity`, and what the model
        looks at. The chances of a decision add up to 1; what is never decided can be left out.
    fit : callable
        Takes rows of the log, gives a function from rows to predictions: `mean_reward("item")`, or
        one's own.
    cluster : str
        All rows of one are in one fold: `request`, or `user` when users come back.
    folds : int
        By a hash of the cluster, so that the order of the rows does not matter.

    Raises
    ------
    ValueError
        If a decision has no alternatives, their chances do not add up to 1, a fold is empty, or a
        prediction is not finite.

    Notes
    -----
    Chernozhukov et al. (2018), "Double/debiased machine learning", Econometrics Journal 21,
    definition 3.2: what is fitted and corrected on the same rows corrects too little.

    Examples
    --------
    >>> log = pl.DataFrame({"request": np.arange(400), "item": np.arange(400) % 2})
    >>> log = log.with_columns(reward=pl.col("item") * 1.0)
    >>> both = log.select("request").join(pl.DataFrame({"item": [0, 1],
    ...     "target_propensity": [0.25, 0.75]}), how="cross")
    >>> result = cross_fitted(log, both, mean_reward("item"))
    >>> result["target_predicted_reward"].mean().__round__(1)
    0.7
    """
    frame, options = one_frame(log, "log"), one_frame(alternatives, "alternatives")
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    key = ["request", *(["position"] if "position" in options.columns else [])]
    for name, table, needed in (
        ("log", frame, [*key, cluster]),
        ("alternatives", options, [*key, "target_propensity"]),
    ):
        missing = [column for column in needed if column not in table.columns]
        if missing:
            raise ValueError(f"{name} has no column {missing[0]!r}; it has {table.columns}")
    _check_chances(frame, options, key)
    fold = _folds(frame[cluster], folds)
    frame = frame.with_columns(pl.Series("__fold", fold), pl.Series("__row", range(len(fold))))
    of_request = frame.select(*key, "__fold").unique(key)
    options = options.join(of_request, on=key, how="inner")
    parts = [_fold(frame, options, fit, number, key) for number in range(folds)]
    return pl.concat(parts).sort("__row").drop("__fold", "__row")


def _fold(frame, options, fit, number: int, key: Sequence[str]) -> pl.DataFrame:
    """The rows of one fold with the predictions of a model that has not seen them."""
    mine, others = (frame.filter((pl.col("__fold") == number) == is_mine) for is_mine in (1, 0))
    if not len(others) or not len(mine):
        raise ValueError(f"fold {number} is empty or all there is: too few clusters for the folds")
    predict = fit(others.drop("__fold", "__row"))
    asked = options.filter(pl.col("__fold") == number)
    options_predicted = _finite(predict(asked), len(asked))
    value = (
        asked.select(*key, __value=pl.Series(options_predicted) * asked["target_propensity"])
        .group_by(key)
        .agg(target_predicted_reward=pl.col("__value").sum())
    )
    predicted = pl.Series("predicted_reward", _finite(predict(mine), len(mine)))
    return mine.with_columns(predicted).join(value, on=key, how="left", maintain_order="left")


def _folds(clusters: pl.Series, folds: int) -> np.ndarray:
    """A number in 0..folds-1 for each row, by a hash of its cluster."""
    values = clusters.to_numpy() if clusters.dtype.is_integer() else np.array(clusters.to_list())
    return (uniform("folds of a reward model", values) * folds).astype(np.int64)


def _check_chances(frame: pl.DataFrame, options: pl.DataFrame, key: Sequence[str]) -> None:
    total = options.group_by(key).agg(pl.col("target_propensity").sum())
    joined = frame.select(key).unique().join(total, on=key, how="left")["target_propensity"]
    if joined.null_count():
        raise ValueError(f"{joined.null_count():,} decisions of the log have no alternatives")
    off = joined.filter((joined - 1).abs() > 1e-6)
    if len(off):
        raise ValueError(
            f"target_propensity of the alternatives must add up to 1, got {off[0]:.6g} for one of "
            f"{len(off):,} decisions"
        )


def _finite(values: Any, rows: int) -> np.ndarray:
    values = np.asarray(values, float)
    if values.shape != (rows,) or not np.isfinite(values).all():
        raise ValueError(f"a reward model must give {rows} finite numbers, got {values.shape}")
    return values
