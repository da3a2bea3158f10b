"""When to block: a cutoff that costs least, and the policy that applies it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.features import Feature, LogLookup, Ratio
from workbench.fraud.history import add_request_columns, inputs
from workbench.policy import Columns, Threshold
from workbench.training import Model

__all__ = ["Costs", "Cutoff", "HistoryScore", "blocking", "choose_cutoff"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What the two mistakes cost, in the currency of the amounts.

    Parameters
    ----------
    wrong_block : float, default 10
        An honest payment refused: lost margin, a call to the bank, a customer annoyed.
    lost_share : float, default 1
        Share of a missed fraud's amount that is gone, in [0, 1].
    """

    wrong_block: float = 10.0
    lost_share: float = 1.0

    def __post_init__(self) -> None:
        if not self.wrong_block > 0:
            raise ValueError(f"wrong_block must be above zero, got {self.wrong_block}")
        if not 0 <= self.lost_share <= 1:
            raise ValueError(f"lost_share must be in [0, 1], got {self.lost_share}")


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Where blocking starts and what it costs per 1,000 payments, next to blocking nothing."""

    cutoff: float
    cost: float
    cost_without: float
    blocked_share: float

    def __repr__(self) -> str:
        return (
            f"block from {self.cutoff:.3g} ({self.blocked_share:.2%} of payments): costs "
            f"{self.cost:,.0f} per 1,000 payments, nothing blocked costs {self.cost_without:,.0f}"
        )


def choose_cutoff(scores, labels, amounts, *, costs: Costs | None = None) -> Cutoff:
    """The cutoff with the least total cost on these payments.

    Use payments that came after those the model was trained on: on its own training rows a model
    separates too well, and the cutoff would come out too high or too low.

    Parameters
    ----------
    scores, labels, amounts : array-like, shape (n,)
        The model's scores, 1 for fraud and 0 for honest, the payments' amounts.
    costs : Costs, optional
        What the mistakes cost.

    Returns
    -------
    Cutoff
        A payment is blocked when its score is at least `cutoff`. Above every score when blocking
        never pays.

    Raises
    ------
    ValueError
        If there are no rows, shapes differ, something is not finite, or a label is not 0 or 1.

    Notes
    -----
    Cost of a cutoff: the lost share of the amounts of missed frauds, plus `wrong_block` for every
    honest payment blocked (Elkan 2001, "The foundations of cost-sensitive learning", IJCAI).
    All n + 1 cutoffs are tried by cumulative sums, O(n log n).

    Examples
    --------
    >>> choose_cutoff([0.9, 0.8, 0.3, 0.1], [1, 0, 1, 0], [500, 20, 30, 40])
    block from 0.3 (75.00% of payments): costs 2,500 per 1,000 payments, nothing blocked costs
    132,500
    """
    costs = costs or Costs()
    scores, labels, amounts = (np.asarray(x, float) for x in (scores, labels, amounts))
    if not scores.size or not scores.shape == labels.shape == amounts.shape or scores.ndim != 1:
        raise ValueError(
            "scores, labels and amounts must be equally long and not empty, got shapes "
            f"{scores.shape}, {labels.shape}, {amounts.shape}"
        )
    for name, values in (("scores", scores), ("labels", labels), ("amounts", amounts)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite; leave out rows without a label")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 and 1, got {np.unique(labels)[:5]}")
    order = np.argsort(-scores, kind="stable")
    scores, fraud, amounts = scores[order], labels[order] == 1, amounts[order]
    lost = np.where(fraud, amounts * costs.lost_share, 0.0)
    # blocking the first i rows saves their frauds and annoys their honest customers
    change = np.concatenate([[0.0], np.cumsum(np.where(fraud, -lost, costs.wrong_block))])
    allowed = np.append(np.insert(scores[1:] != scores[:-1], 0, True), True)
    best = int(np.argmin(np.where(allowed, change, np.inf)))
    cutoff = np.nextafter(scores[0], np.inf) if best == 0 else scores[best - 1]
    per_thousand = 1_000 / len(scores)
    without = float(lost.sum()) * per_thousand
    return Cutoff(float(cutoff), without + change[best] * per_thousand, without, best / len(scores))


def blocking(
    model: Model, wanted: Sequence[Feature | Ratio], log, *, cutoff: float, name: str
) -> Threshold:
    """The checkout policy: look up the history, score, block from `cutoff` on.

    Parameters
    ----------
    model : Model
        Trained on `inputs(wanted)`.
    wanted : sequence of Feature or Ratio
        The history features that it was trained on.
    log : EventLog or mapping of kind to frame
        Where the history is, at the moment of the decision.
    cutoff : float
        From `choose_cutoff`.
    name : str
        Like "xgb@3"; it stands in every decision.

    Raises
    ------
    ValueError
        If the model reads a column that is not among `inputs(wanted)`, or was trained on another
        version of a feature.
    """
    known = {getattr(column, "name", column) for column in inputs(wanted)}
    absent = sorted(set(model.features) - known)
    if absent:
        raise ValueError(f"the model reads {absent[0]!r}, which is not among the features given")
    trained = model.facts.get("feature_versions", {})
    for feature in wanted:
        version = trained.get(feature.name, feature.version)
        if version != feature.version:
            raise ValueError(
                f"{feature.name} has version {feature.version}, the model was trained on {version}"
            )
    return Threshold(HistoryScore(model, LogLookup(tuple(wanted), log)), cutoff, name)


@dataclass(frozen=True)
class HistoryScore:
    """Fraud scores of requests whose history is looked up first: a `score` for a policy."""

    model: Model
    look_up: LogLookup

    def __call__(self, requests: Columns) -> np.ndarray:
        """Fraud scores, shape (n,)."""
        found = self.look_up(requests)
        features = {each.name: pl.Series(found[each.name]) for each in self.look_up.features}
        payments = pl.DataFrame({"amount": pl.Series(found["amount"])} | features)
        time = pl.Series(np.asarray(found["time"]).astype("datetime64[us]"))
        payments = payments.with_columns(time=time.dt.replace_time_zone("UTC"))
        return self.model.score(add_request_columns(payments))
