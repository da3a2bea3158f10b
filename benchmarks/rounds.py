"""Rows for what is no call to be timed: latencies, memory, right rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.harness import Row, is_met

__all__ = ["alternating", "row"]


def row(
    area: str,
    work: str,
    unit: str,
    rounds: list[Mapping[str, float]],
    *,
    peer_name: str,
    target: str | None = None,
    quick: bool = False,
) -> Row:
    """A row from rounds of {"ours", "peer", "limit"}: medians, and medians of ratios in a round.

    Shares are rates, more is better, and are not rounded: all but one in a million is not all.
    """
    share = unit.startswith("share")
    rate = share or unit.endswith("/s")
    ratios = {
        f"ratio_to_{other}": median(_ratio(each["ours"], each[other], rate) for each in rounds)
        for other in ("peer", "limit")
    }
    figures = {name: median(each[name] for each in rounds) for name in ("ours", "peer", "limit")}
    figures = {
        name: value if share else float(f"{value:.4g}")
        for name, value in (figures | ratios).items()
    }
    return Row(
        area=area,
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
    return other / ours if rate else ours / other
