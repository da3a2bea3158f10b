"""What would the challenger have earned? Estimated from the champion's log.

    logged decision, its reward ──┐
    P(champion decides it) ───────┼──► weights ─► do they hold up? ── no ──► refusal, no number
    P(challenger decides it) ─────┘                     │ yes
                                                        └──► estimates, each clip beside

`support` says what must hold, `estimators` and `mean` how an estimate and its interval come about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from workbench.experiments.replay.estimates import clip_sensitivity, estimates
from workbench.experiments.replay.logged import policy_chances, read_logged
from workbench.experiments.replay.plan import ReplayPlan
from workbench.experiments.replay.report import report
from workbench.experiments.replay.support import WeightSummary, refusals, weight_summary
from workbench.experiments.replay.weights import importance_weights
from workbench.tables import one_frame

__all__ = ["Replayed", "replay_outcomes"]


@dataclass(frozen=True)
class Replayed:
    """The value of a target policy, estimated from another's log.

    Parameters
    ----------
    table : pl.DataFrame
        `estimator estimate low high error difference difference_low difference_high`; the first
        row is the logger's own mean, the differences are to it, pair by pair. No rows if refused.
    clips : pl.DataFrame
        `clip clipped_share kept_share effective_decisions`, the estimates `ips snips`, or `snips dr
        switch dros` with a reward model, and the interval of snips or dr. No rows if refused.
        `switch` and `dros` take the clip as their threshold, dros as the root of its strength.
    weights : WeightSummary
    refusals : tuple of str
        Why there is no estimate.
    plan : ReplayPlan
    """

    table: pl.DataFrame
    clips: pl.DataFrame
    weights: WeightSummary
    refusals: tuple[str, ...]
    plan: ReplayPlan

    @property
    def ok(self) -> bool:
        """Whether there is an estimate to read."""
        return not self.refusals

    @property
    def estimate(self) -> dict[str, float]:
        """The headline: doubly robust where there is a reward model, else self-normalised."""
        if not self.ok:
            raise ValueError(f"replay is refused: {'; '.join(self.refusals)}")
        return self.table.row(-1, named=True)

    def __getitem__(self, estimator: str) -> dict[str, float]:
        """One row of the table."""
        rows = self.table.filter(pl.col("estimator") == estimator)
        if not len(rows):
            raise KeyError(f"no {estimator!r}: there are {self.table['estimator'].to_list()}")
        return rows.row(0, named=True)

    def __repr__(self) -> str:
        return report(self)


def replay_outcomes(
    log: Any,
    target: Any = None,
    *,
    requests: Any = None,
    logger: Any = None,
    plan: ReplayPlan | None = None,
) -> Replayed:
    """Estimate the mean reward that the target policy would have had in the logger's place.

    Parameters
    ----------
    log : Polars, pandas or Arrow table, or LazyFrame
        One row per live decision: `request position item action propensity`, the metric, and
        `target_propensity` if no target is given. With `predicted_reward` and
        `target_predicted_reward` (see `cross_fitted`), the doubly robust estimates too.
    target : policy with `propensity(requests, decisions)`, optional
    requests : table, optional
        The candidates that the decisions were made from, for the policies.
    logger : policy, optional
        Whose chances replace the column `propensity`: a `Split`, say, whose log holds the chances
        of the arm that signed, where the whole log was dealt by both.
    plan : ReplayPlan, optional

    Returns
    -------
    Replayed
        Its repr is the report. Without estimates where the log cannot tell: see `refusals`.

    Raises
    ------
    ValueError
        If a chance is missing, 0 where logged, or no chance; a reward is missing; shadow decisions
        are among the rows; a column is missing.

    Notes
    -----
    Each row's weight is the ratio of the chances in it. With the marginal chance of an item at its
    position the reward of a row is taken to depend on nothing else of the slate (item-position
    model, Li et al. 2018, KDD); `slate_chances` gives the chances of weaker assumptions.
    Intervals of ips and snips are on the scale of the logarithm where no reward is negative, else
    normal; all are too short below some ten effective rewards, where the estimate is refused, and
    a little where the logger hardly ever tried some items (see `Limits`).
    An estimate holds for the world of the log: the same requests, the same state of the shop.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> item = rng.choice(2, 5_000, p=[0.8, 0.2])              # the logger prefers item 0,
    >>> click = rng.random(5_000) < np.where(item == 1, 0.3, 0.1)   # visitors prefer item 1
    >>> log = pl.DataFrame({"request": np.arange(5_000), "reward": click * 1.0,
    ...     "propensity": np.where(item == 1, 0.2, 0.8), "target_propensity": item * 1.0})
    >>> estimate = replay_outcomes(log).estimate
    >>> estimate["estimator"], round(estimate["estimate"], 2)
    ('snips', 0.31)
    """
    plan = plan or ReplayPlan()
    log = _with_chances(log, target, logger, requests)
    logged = read_logged(log, metric=plan.metric, per=plan.per, cluster=plan.cluster)
    weights = importance_weights(logged.propensity, logged.target_propensity)
    summary = weight_summary(weights, logged.rewards, logged.clusters, propensity=logged.propensity)
    refused = refusals(summary, plan.limits)
    table, clips = estimates(logged, weights, plan), clip_sensitivity(logged, weights, plan)
    if refused:
        table, clips = table.clear(), clips.clear()
    return Replayed(table, clips, summary, refused, plan)


def _with_chances(log, target, logger, requests):
    if target is None and logger is None:
        return log
    if requests is None:
        raise ValueError("requests must be given with a policy: the candidates it chooses from")
    frame = one_frame(log, "log")
    for name, policy in (("target_propensity", target), ("propensity", logger)):
        if policy is not None:
            chances = policy_chances(policy, requests, frame)
            frame = frame.with_columns(pl.Series(name, chances))
    return frame
