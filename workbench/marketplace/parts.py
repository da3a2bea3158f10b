"""One world on several workers: each plays some of the people, and at midnight they settle up.

    part 0   users 0, n, 2n, …     ─┐                        ┌─► the same stock and bestsellers
    part 1   users 1, n + 1, …     ─┼─► what each has sold ──┤
    …                              ─┘        (a sum)         └─► events of the day ─► log

People meet only through what they buy, and that is settled at midnight as a sum, so the events are
the same on any number of workers, to the bit. Between midnights the parts need nothing from each
other. A policy is copied to every worker: one that keeps a memory of its own, or that learns from
everybody's answers, remembers only what it saw there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from workbench.marketplace.spec import MarketplaceSpec
from workbench.marketplace.telling import tell
from workbench.marketplace.world import Marketplace
from workbench.policy import Policy

__all__ = ["Part", "run_in_parts"]

Frames = dict[str, pl.DataFrame]
Policies = Mapping[str, Policy]


class Part:
    """Some of the people of a world, with the policies that answer them.

    >>> part = Part(MarketplaceSpec(users=10, days=2), {}, (0, 2))
    >>> part.world
    Marketplace at day 0 of 2: 10 users, 2,000 items, seed 0, part 0 of 2
    """

    def __init__(
        self, spec: MarketplaceSpec, policies: Mapping[str, Policy], part: tuple[int, int]
    ):
        self.world, self.policies = Marketplace(spec, part=part), policies

    def play(
        self, until: int, sold: np.ndarray | None
    ) -> tuple[dict[str, pl.DataFrame], np.ndarray]:
        """Play to the midnight that begins day `until`.

        Parameters
        ----------
        sold : ndarray of int, shape (items,), or None on the first day
            What everybody has sold since the last midnight.

        Returns
        -------
        events : dict of kind to frame
            What has become known of these people.
        sold : ndarray of int, shape (items,)
            What they have bought since the last midnight.
        """
        if sold is not None:
            self.world.store.sold_today = sold
        self.world.play(self.policies, until=until)
        return self.world.events(), self.world.store.sold_today


def run_in_parts(
    spec: MarketplaceSpec,
    policies: Mapping[str, Policy],
    log=None,
    *,
    parts: int,
    client: Any = None,
) -> None:
    """Play a whole world in parts, and append each day's events to the log in one commit.

    Parameters
    ----------
    log : EventLog, optional
        Without one the events are thrown away.
    parts : int
        How many; at most the users.
    client : dask.distributed.Client, optional
        Its workers play the parts, each in a process of its own. Without one they are played here,
        one after the other.

    Raises
    ------
    ValueError
        If there are fewer parts than one or more than users, or as `Marketplace.run`.
    """
    if not 1 <= parts <= spec.users:
        raise ValueError(f"parts must be in [1, {spec.users}], the number of users, got {parts}")
    about = [(spec, dict(policies), (number, parts)) for number in range(parts)]
    if client is None:
        players = [Part(*each) for each in about]
    else:
        made = [client.submit(Part, *each, actor=True, pure=False) for each in about]
        players = [future.result() for future in made]
    sold = None
    for day in range(1, spec.days + 1):
        answers = [player.play(day, sold) for player in players]
        if client is not None:
            answers = [answer.result() for answer in answers]
        sold = np.sum([bought for _, bought in answers], axis=0)
        events = together([events for events, _ in answers])
        tell(log, events, spec.start + timedelta(days=day))


def together(parts: list[Frames]) -> Frames:
    """The events of all parts by kind, ordered by time as those of one world are."""
    kinds = sorted({kind for events in parts for kind in events})
    return {
        kind: pl.concat([events[kind] for events in parts if kind in events], how="diagonal").sort(
            "time", "event"
        )
        for kind in kinds
    }
