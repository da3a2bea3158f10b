"""Rows of the area `features` for what is no call to be timed: latencies, memory, wrong rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.harness import Row, is_met

__all__ = ["AREA", "alternating", "row"]

AREA = "features"


def row(
    work: str,
    unit: str,
    rounds: list[Mapping[str, float]],
    *,
    peer_name: str,
    target: str | None = None,
    quick: bool = False,
) -> Row:
    """A row from rounds of {"ours", "peer", "limit"}: medians, and medians of ratios in a round.

    Two zeros are equal: their ratio is 1.
    """
    rate = unit.endswith("/s")
    ratios = {
        f"ratio_to_{other}": median(_ratio(each["ours"], each[other], rate) for each in rounds)
        for other in ("peer", "limit")
    }
    figures = {name: median(each[name] for each in rounds) for name in ("ours", "peer", "limit")}
    figures = {name: float(f"{value:.4g}") for name, value in (figures | ratios).items()}
    return Row(
        area=AREA,
        work=work,
        unit=unit,
        peer_name=peer_name,
        target=target,
        met=None if quick or target is None else is_met(target, figures),
        quick=quick,
        **figures,
    )


def alternating(contenders: Mapping[str, Callable[[], float]], repeats: int) -> list[dict]:
    """What each gives, in turns, after one round that is not counted."""
    return [{name: call() for name, call in contenders.items()} for _ in range(repeats + 1)][1:]


def _ratio(ours: float, other: float, rate: bool) -> float:
    if ours == other:
        return 1.0
    above, below = (other, ours) if rate else (ours, other)
    return above / below if below else math.inf
