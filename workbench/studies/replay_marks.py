"""Replay marked against the truth: a home page's log, and what the challenger would really earn.

    world under the champion ─► log ─► replay ─► estimate and interval ──┐
          │                                                              ├─► covered? how far off?
          └──► P(click) of every candidate in every place, as it is ─────┘
               weighted by the challenger's chances: its true value on the same requests

The truth is of the same requests as the log, in the same state of the shop: what replay claims to
estimate. That people come back more or less often under the challenger is not in it, and cannot be
in any log of the champion's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from workbench.experiments.replay import Replayed, ReplayPlan, replay_outcomes
from workbench.experiments.replay.logged import policy_chances

__all__ = ["HomeLog", "ReplayMarks", "home_log", "replay_marks", "true_clicks_per_request"]

PLAN = ReplayPlan(metric="reward", per="request", cluster="user")


@dataclass(frozen=True)
class HomeLog:
    """What the home page's champion was asked and what came of it.

    `requests` has a row per (request, candidate), `log` a row per item shown with `reward`, 1 for a
    click.
    """

    requests: pl.DataFrame
    log: pl.DataFrame


@dataclass(frozen=True)
class ReplayMarks:
    """One row per world: `world true logged estimate low high covered ips ips_covered refused`."""

    table: pl.DataFrame
    confidence: float

    @property
    def covered(self) -> int:
        """Worlds whose true value lies in the interval."""
        return int(self.table["covered"].sum())

    @property
    def answered(self) -> int:
        """Worlds with an estimate."""
        return int((~self.table["refused"]).sum())

    def __repr__(self) -> str:
        rows = self.table.filter(~pl.col("refused"))
        lines = [
            f"replay against the truth: {len(self.table)} worlds, "
            f"{len(self.table) - self.answered} refused"
        ]
        if len(rows):
            bias = (rows["estimate"] - rows["true"]).mean()
            naive = (rows["logged"] - rows["true"]).mean()
            lines += [
                f"true value of the challenger {rows['true'].mean():.3g}, estimated "
                f"{rows['estimate'].mean():.3g} ({bias:+.2g}); the log as it is is off by "
                f"{naive:+.2g}",
                f"{self.confidence:.0%} intervals cover the truth in {self.covered} of "
                f"{self.answered}",
            ]
        return "\n".join(lines)


def home_log(world: Any, policies: Mapping[str, Any], *, until: Any = None) -> HomeLog:
    """Play a world and keep what its home page was asked, decided, and earned in clicks.

    Parameters
    ----------
    world : a world with `next_requests`, `react` and `events`
        It is played on from where it stands.
    policies : mapping of surface to Policy
    until : int or datetime, optional
        How far; to the end if not given.

    Raises
    ------
    ValueError
        If nobody came to the home page.
    """
    asked, decided = [], []
    while (requests := world.next_requests(until=until)) is not None:
        answers = {name: policies[name].act(rows) for name, rows in requests.items()}
        if "home" in requests:
            asked.append(pl.DataFrame({**requests["home"]}))
            decided.append(pl.DataFrame({name: answers["home"][name] for name in _DECIDED}))
        world.react(answers)
    if not asked:
        raise ValueError("nobody came to the home page: there is no log to replay")
    asked, decided = pl.concat(asked), pl.concat(decided).filter("live")
    events = world.events()
    clicked = pl.DataFrame(schema={"request": pl.Int64, "item": pl.Int64})
    if "click" in events:
        clicked = events["click"].filter(pl.col("surface") == "home").select("request", "item")
    users = asked.select("request", "user").unique("request")
    log = (
        decided.join(clicked.unique().with_columns(reward=1.0), on=["request", "item"], how="left")
        .join(users, on="request", how="left", maintain_order="left")
        .with_columns(pl.col("reward").fill_null(0.0))
    )
    return HomeLog(asked, log)


_DECIDED = ("request", "position", "action", "item", "propensity", "live")


def true_clicks_per_request(world: Any, requests: pl.DataFrame, target: Any, places: int) -> float:
    """Mean clicks per home request that the target would have on these very requests.

    Exact: each candidate's chance of a click in each place, times the target's chance of putting it
    there.
    """
    if getattr(world, "truth", None) is None:
        raise ValueError(f"{type(world).__name__} has no truth to mark against")
    place = pl.DataFrame({"position": np.arange(1, places + 1)})
    cells = requests.join(place, how="cross").with_columns(
        action=pl.lit("show"), surface=pl.lit("home")
    )
    chances = policy_chances(target, requests, cells)
    clicks = world.truth.click_probability(cells)
    return float(chances @ clicks) / requests["request"].n_unique()


def replay_marks(
    worlds: Iterable[Any],
    policies: Mapping[str, Any],
    target: Any,
    *,
    places: int,
    plan: ReplayPlan | None = None,
) -> ReplayMarks:
    """Replay the target on the log of each world, and mark it against what is true there.

    Parameters
    ----------
    worlds : iterable of worlds with `truth`
        Not yet played; of different seeds.
    policies : mapping of surface to Policy
        The champions; that of `home` explores.
    target : Policy
        The challenger for `home`, with `propensity`.
    places : int
        How many items the target shows.
    plan : ReplayPlan, optional
        By default clicks per request, users independent.

    Raises
    ------
    ValueError
        If a world has no truth, or nobody came.
    """
    plan = plan or PLAN
    rows = []
    for number, world in enumerate(worlds):
        home = home_log(world, policies)
        true = true_clicks_per_request(world, home.requests, target, places)
        result = replay_outcomes(home.log, target, requests=home.requests, plan=plan)
        rows.append(_row(number, true, home.log, result))
    return ReplayMarks(pl.DataFrame(rows, schema=_SCHEMA), plan.confidence)


def _row(number: int, true: float, log: pl.DataFrame, result: Replayed) -> dict:
    logged = log["reward"].sum() / log["request"].n_unique()
    row = {"world": number, "true": true, "logged": logged, "refused": not result.ok}
    if result.ok:
        best, ips = result.estimate, result["ips"]
        row |= {name: best[name] for name in ("estimate", "low", "high")}
        row |= {
            "covered": best["low"] <= true <= best["high"],
            "ips": ips["estimate"],
            "ips_covered": ips["low"] <= true <= ips["high"],
        }
    return row


_SCHEMA = {
    "world": pl.Int64,
    "true": pl.Float64,
    "logged": pl.Float64,
    "refused": pl.Boolean,
    **dict.fromkeys(("estimate", "low", "high"), pl.Float64),
    "covered": pl.Boolean,
    "ips": pl.Float64,
    "ips_covered": pl.Boolean,
}
