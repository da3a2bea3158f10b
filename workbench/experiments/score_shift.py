"""Have the scores moved, and do they keep their promise once the labels are there?

A challenger may rank as well as the champion and still break a cutoff that was tuned to the
champion's scale: the shift of the scores says so before any label, calibration after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.clustered import cluster_means, mean_interval, share_interval
from workbench.experiments.pairs import WHO
from workbench.metrics import auc, log_loss, population_stability_index

__all__ = ["Calibration", "ScoreShift", "calibration", "score_shift"]

_TAU_ROWS = 100_000  # of Kendall's correlation: enough for three digits


@dataclass(frozen=True, slots=True)
class ScoreShift:
    """Scores of the shadow (and the twin) against the live ones; `table` has a row for each.

    Columns: `policy rows missing mean_live mean difference low high ks psi tau`.
    """

    table: pl.DataFrame
    confidence: float

    def __repr__(self) -> str:
        interval = f"{self.confidence:.0%} interval"
        lines = [
            f"{'scores':<8} {'rows':>9} {'missing':>8} {'live':>8} {'mean':>8} "
            f"{'shift':>9} {interval:>20} {'KS':>6} {'PSI':>6}"
        ]
        for row in self.table.iter_rows(named=True):
            between = f"[{row['low']:+.2g}, {row['high']:+.2g}]"
            lines.append(
                f"{row['policy']:<8} {row['rows']:>9,} {row['missing']:>8,} "
                f"{row['mean_live']:>8.3g} {row['mean']:>8.3g} {row['difference']:>+9.2g} "
                f"{between:>20} {row['ks']:>6.2g} {row['psi']:>6.2g}"
            )
        return "\n".join(lines)


def score_shift(pairs: pl.DataFrame, *, confidence: float = 0.95) -> ScoreShift:
    """How far the shadow's scores lie from the live ones, on the same requests.

    Parameters
    ----------
    pairs : polars.DataFrame
        From `pairs`, with scores.
    confidence : float, default 0.95
        Of the interval of the mean difference, over users where there are any.

    Returns
    -------
    ScoreShift
        `ks`: largest distance between the two distributions (no p: the samples are paired);
        `psi`: `metrics.population_stability_index`, practitioners act at 0.25; `tau`: Kendall's
        tau-b over rows (at most 100,000, evenly taken): 1 means that only the scale has changed.

    Raises
    ------
    ValueError
        If there are no scores, or an infinite one.

    Notes
    -----
    Read each figure against the twin's. Two trainings of the same trees share no leaf value, so
    where most scores are a few such values KS and PSI are large though nothing has changed: 0.25
    and 1.8 on three days of the card transactions.

    Examples
    --------
    >>> both = pl.DataFrame({"request": range(4), "live_score": [0.1, 0.2, 0.3, 0.4],
    ...                      "shadow_score": [0.3, 0.4, 0.5, 0.6]})
    >>> score_shift(both).table.select("difference", "ks", "tau").row(0)
    (0.2, 0.5, 1.0)
    """
    from scipy.stats import kendalltau

    rows = []
    for who in WHO[1:]:
        scores = _scores(pairs, who)
        if scores is None:
            continue
        live, other = scores["live"].to_numpy(), scores["other"].to_numpy()
        user = scores["user"].rank("dense").cast(pl.Int64) - 1 if "user" in scores.columns else None
        means = cluster_means(other - live, None if user is None else user.to_numpy())
        low, high, _ = mean_interval(means, confidence)
        some = slice(None, None, max(1, -(-len(live) // _TAU_ROWS)))
        row = {"policy": who, "rows": len(live), "missing": len(pairs) - len(live)}
        row |= {"mean_live": float(live.mean()), "mean": float(other.mean())}
        row |= {"difference": float(means.mean[0]), "low": float(low[0]), "high": float(high[0])}
        row["ks"] = _largest_distance(live, other)
        row["psi"] = population_stability_index(live, other)
        row["tau"] = float(kendalltau(live[some], other[some]).statistic)
        rows.append(row)
    if not rows:
        raise ValueError("there are no scores of live and shadow on a common request")
    return ScoreShift(pl.DataFrame(rows), confidence)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores against labels, of each policy.

    Parameters
    ----------
    table : polars.DataFrame
        One row per policy: `policy labelled positives mean_score rate gap low high error log_loss
        auc`: gap is mean score minus rate with its interval; error the mean distance of bins
        (expected calibration error); null where scores are no probabilities.
    bins : polars.DataFrame
        The reliability diagram: `policy bin rows mean_score rate low high`.
    unlabelled : int
        Requests without a label, left out: pending, or never to be known.
    """

    table: pl.DataFrame
    bins: pl.DataFrame
    unlabelled: int

    def __repr__(self) -> str:
        lines = [
            f"{'labels':<8} {'labelled':>9} {'mean score':>11} {'rate':>8} {'gap':>9} "
            f"{'error':>8} {'log loss':>9} {'AUC':>6}"
        ]
        for row in self.table.iter_rows(named=True):
            loss, error = (
                "-" if row[name] is None else f"{row[name]:.3g}" for name in ("log_loss", "error")
            )
            lines.append(
                f"{row['policy']:<8} {row['labelled']:>9,} {row['mean_score']:>11.3g} "
                f"{row['rate']:>8.3g} {row['gap']:>+9.2g} {error:>8} {loss:>9} {row['auc']:>6.3f}"
            )
        if self.unlabelled:
            lines.append(
                f"{self.unlabelled:,} requests have no label and are left out: if live blocked "
                "them, these\nare not like the others"
            )
        return "\n".join(lines)


def calibration(pairs: pl.DataFrame, *, bins: int = 10, confidence: float = 0.95) -> Calibration:
    """How well scores foretell labels, for champion and challenger on the same requests.

    Parameters
    ----------
    pairs : polars.DataFrame
        With scores and `label` (0, 1 or null where it is not known).
    bins : int, default 10
        Of equal numbers of rows, each policy by its own scores; equal scores stay together.
    confidence : float, default 0.95

    Raises
    ------
    ValueError
        If there is no label, or one that is not 0 or 1.

    References
    ----------
    M. Naeini, G. Cooper, M. Hauskrecht (2015), "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI, for the expected calibration error (here with equal-mass bins).

    Examples
    --------
    >>> both = pl.DataFrame({"request": range(4), "label": [0, 0, 1, None],
    ...                      "live_score": [0.1, 0.2, 0.7, 0.9], "shadow_score": [0.2] * 4})
    >>> calibration(both, bins=2)
    labels    labelled  mean score     rate       gap    error  log loss    AUC
    live             3       0.333    0.333        +0      0.2     0.228  1.000
    shadow           3         0.2    0.333     -0.13    0.133     0.685  0.500
    1 requests have no label and are left out: if live blocked them, these
    are not like the others
    """
    if "label" not in pairs.columns:
        raise ValueError(f"pairs have no column 'label'; they have {pairs.columns}")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    labelled = pairs.filter(pl.col("label").is_not_null())
    rows, parts = [], []
    for who in WHO:
        if f"{who}_score" not in pairs.columns:
            continue
        known = labelled.filter(pl.col(f"{who}_score").is_not_null())
        score = known[f"{who}_score"].to_numpy()
        kind = known["label"].dtype
        if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            raise ValueError(f"labels must be 0, 1 or null, got {kind}")
        label = known["label"].cast(pl.Float64).to_numpy()
        if not len(score):
            raise ValueError(f"no request with a score of {who} has a label")
        if not np.isin(label, (0, 1)).all():
            raise ValueError(f"labels must be 0, 1 or null, got {np.unique(label)[:5]}")
        user = None
        if "user" in known.columns:
            user = (known["user"].rank("dense").cast(pl.Int64) - 1).to_numpy()
        gap = cluster_means(score - label, user)
        low, high, _ = mean_interval(gap, confidence)
        curve = _reliability(who, score, label, user, bins, confidence)
        is_chance = ((score >= 0) & (score <= 1)).all()
        weight = curve["rows"] / len(score)
        error = float((weight * (curve["mean_score"] - curve["rate"]).abs()).sum())
        rows.append(
            {"policy": who, "labelled": len(score), "positives": int(label.sum()),
             "mean_score": float(score.mean()), "rate": float(label.mean()),
             "gap": float(gap.mean[0]), "low": float(low[0]), "high": float(high[0]),
             "error": error if is_chance else None,
             "log_loss": log_loss(label, score) if is_chance else None,
             "auc": auc(label, score)}
        )  # fmt: skip
        parts.append(curve)
    if not rows:
        raise ValueError("there are no scores")
    return Calibration(pl.DataFrame(rows), pl.concat(parts), len(pairs) - len(labelled))


def _reliability(who, score, label, user, bins, confidence) -> pl.DataFrame:
    edges = np.unique(np.quantile(score, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.searchsorted(edges, score, side="left")
    found = cluster_means(label, user, group)
    low, high = share_interval(found, confidence)
    mean = cluster_means(score, None, group).mean
    curve = pl.DataFrame(
        {"policy": who, "bin": range(len(mean)), "rows": found.rows, "mean_score": mean,
         "rate": found.mean, "low": low, "high": high}
    )  # fmt: skip
    return curve.filter(pl.col("rows") > 0)


def _scores(pairs: pl.DataFrame, who: str) -> pl.DataFrame | None:
    if not {"live_score", f"{who}_score"} <= set(pairs.columns):
        return None
    kept = [name for name in ("user",) if name in pairs.columns]
    scores = pairs.select(*kept, live="live_score", other=f"{who}_score").drop_nulls()
    if scores.is_empty():
        return None
    if scores.select(pl.col("live", "other").is_infinite().any()).row(0) != (False, False):
        raise ValueError(f"scores of live or {who} are infinite")
    return scores


def _largest_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Kolmogorov and Smirnov's D: the largest gap between two cumulative distributions."""
    first, second = np.sort(first), np.sort(second)
    both = np.concatenate([first, second])
    below = [np.searchsorted(each, both, side="right") / len(each) for each in (first, second)]
    return float(np.abs(below[0] - below[1]).max())
