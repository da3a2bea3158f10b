"""One policy's clicks estimated from the other's log, on the Open Bandit data, both ways.

    random's log ──► what bts would earn      beside what bts did earn
    bts's log    ──► what random would earn   beside what random did earn

Two real policies ran side by side, so each one's own click rate is known, up to its own noise.
What has to be assumed:

- bts is a Thompson sampler that kept learning: its chances moved during the week, and only those of
  what it showed are published. Its value is that of its average over the week, how often it showed
  each item in each place. That is right if an item's clicks in a place did not change with the
  hours at which bts liked it.
- random shows each item of a campaign alike.
- A click hangs on the item and its place alone: the published chances are by place.
- The visitors of both logs are alike, as in an A/B test; the set takes 10,000 of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from workbench.experiments.replay import Replayed, ReplayPlan, replay_outcomes
from workbench.metrics import share_interval
from workbench.tables import one_frame

__all__ = ["OpenBanditReplay", "open_bandit_replay", "shown_shares"]


@dataclass(frozen=True)
class OpenBanditReplay:
    """One row per campaign and direction, and the replay behind each.

    Parameters
    ----------
    table : pl.DataFrame
        `campaign log target estimate low high own own_low own_high covers overlaps`: `covers` says
        whether the interval holds the target's own click rate; null where replay is refused.
    replays : dict of (campaign, target) to Replayed
    """

    table: pl.DataFrame
    replays: dict[tuple[str, str], Replayed]

    def __repr__(self) -> str:
        lines = [
            f"{'campaign':<10}{'log':<8}{'value of':<10}{'estimated':<26}{'its own':<26}covers"
        ]
        for row in self.table.iter_rows(named=True):
            own = f"{row['own']:.3g} [{row['own_low']:.3g}, {row['own_high']:.3g}]"
            estimate, covers = "refused", ""
            if row["estimate"] is not None:
                estimate = f"{row['estimate']:.3g} [{row['low']:.3g}, {row['high']:.3g}]"
                covers = "yes" if row["covers"] else "no"
            lines.append(_line(row["campaign"], row["log"], row["target"], estimate, own, covers))
        for (campaign, target), replay in self.replays.items():
            lines += [f"{campaign}, {target}: {reason}" for reason in replay.refusals]
        return "\n".join(lines)


def _line(campaign, log, target, estimate, own, covers) -> str:
    return f"{campaign:<9}{log:<7}{target:<9}{estimate:<27}{own:<27}{covers}".rstrip()


def shown_shares(decisions: pl.DataFrame) -> pl.DataFrame:
    """How often each item was shown in each place: `item position target_propensity`.

    The chances of the average policy over the log. Items never shown are left out: chance 0.

    >>> log = pl.DataFrame({"item": [1, 1, 2, 2], "position": [1, 1, 1, 2]})
    >>> shown_shares(log).sort("position", "item")["target_propensity"].round(2).to_list()
    [0.67, 0.33, 1.0]
    """
    counts = decisions.group_by("item", "position").len("shown")
    return counts.with_columns(
        target_propensity=pl.col("shown") / pl.col("shown").sum().over("position")
    ).drop("shown")


def open_bandit_replay(
    decisions: Any, clicks: Any, *, plan: ReplayPlan | None = None
) -> OpenBanditReplay:
    """Replay both policies on each other's log, in every campaign.

    Parameters
    ----------
    decisions, clicks : table
        The events of `workbench.data.open_bandit`: `event request item position variant propensity
        surface` of the decisions, `event` of the clicks.
    plan : ReplayPlan, optional
        Of the metric `click`, per decision.

    Raises
    ------
    ValueError
        If there is a variant other than random and bts.
    """
    plan = plan or ReplayPlan(metric="click")
    shown = one_frame(decisions, "decisions")
    clicked = one_frame(clicks, "clicks").select("event", click=1.0)
    shown = shown.join(clicked, on="event", how="left", maintain_order="left")
    shown = shown.with_columns(pl.col("click").fill_null(0.0))
    variants = sorted(shown["variant"].unique().to_list())
    if variants != ["bts", "random"]:
        raise ValueError(f"variant must be bts and random, got {variants}")
    rows, replays = [], {}
    for campaign in sorted(shown["surface"].unique().to_list()):
        here = shown.filter(pl.col("surface") == campaign)
        logs = {name: here.filter(pl.col("variant") == name) for name in ("random", "bts")}
        for source, target in (("random", "bts"), ("bts", "random")):
            log = logs[source].join(
                _chances(target, logs[target], here), on=["item", "position"], how="left"
            )
            log = log.with_columns(pl.col("target_propensity").fill_null(0.0))
            result = replay_outcomes(log, plan=plan)
            replays[campaign, target] = result
            rows.append(_row(campaign, source, target, result, logs[target]["click"]))
    return OpenBanditReplay(pl.DataFrame(rows, schema=_SCHEMA), replays)


def _chances(target: str, own: pl.DataFrame, here: pl.DataFrame) -> pl.DataFrame:
    """`item position target_propensity` of the policy in a campaign."""
    if target == "bts":
        return shown_shares(own)
    places = here.select("item", "position").unique()
    return places.with_columns(target_propensity=pl.lit(1 / here["item"].n_unique()))


def _row(campaign: str, source: str, target: str, result: Replayed, clicks: pl.Series) -> dict:
    own = share_interval(int(clicks.sum()), len(clicks), level=result.plan.confidence)
    row = {
        "campaign": campaign,
        "log": source,
        "target": target,
        "own": own.estimate,
        "own_low": own.low,
        "own_high": own.high,
    }
    if result.ok:
        best = result.estimate
        row |= {name: best[name] for name in ("estimate", "low", "high")}
        row |= {
            "covers": best["low"] <= own.estimate <= best["high"],
            "overlaps": best["low"] <= own.high and own.low <= best["high"],
        }
    return row


_SCHEMA = {
    **dict.fromkeys(("campaign", "log", "target"), pl.String),
    **dict.fromkeys(("estimate", "low", "high", "own", "own_low", "own_high"), pl.Float64),
    **dict.fromkeys(("covers", "overlaps"), pl.Boolean),
}
