"""The report of a replay: what a reader needs before, beside and after the estimate."""

from __future__ import annotations

from typing import Any

__all__ = ["report"]


def report(result: Any) -> str:
    """The text of a `Replayed`, at most 90 columns; see `replay_outcomes`."""
    weights, plan = result.weights, result.plan
    unit = f"{plan.metric} per {plan.per}"
    lines = [
        f"replay of {unit}: {weights.decisions:,} decisions, {weights.clusters:,} {plan.cluster}s",
        f"weights: mean {weights.mean:.3g} (1 expected, p = {weights.p_value:.2g}), "
        f"largest {weights.largest:.3g}",
        f"worth {weights.effective_decisions:,.0f} decisions and "
        f"{weights.effective_rewards:,.3g} of {weights.rewarded:,} rewards of the target's own",
    ]
    if result.refusals:
        lines += [f"NO ESTIMATE: {reason}" for reason in result.refusals]
        return "\n".join(line for whole in lines for line in _wrapped(whole))
    interval = f"{plan.confidence:.0%} interval"
    lines.append(_line("estimator", "estimate", interval, "to the logger's", interval))
    for row in result.table.iter_rows(named=True):
        own = row["estimator"] == "logged"
        lines.append(
            _line(
                row["estimator"],
                _short(row["estimate"]),
                _range(row["low"], row["high"]),
                "" if own else f"{row['difference']:+.3g}",
                "" if own else _range(row["difference_low"], row["difference_high"]),
            )
        )
    lines.append(f"verdict: {_verdict(result)}")
    lines += _clip_lines(result)
    return "\n".join(line for whole in lines for line in _wrapped(whole))


def _verdict(result) -> str:
    row = result.estimate
    name = row["estimator"]
    if row["difference_low"] > 0:
        return f"the target earns more than the logger ({name})"
    if row["difference_high"] < 0:
        return f"the target earns less than the logger ({name})"
    return f"the log does not tell target and logger apart ({name})"


def _clip_lines(result) -> list[str]:
    name = result.estimate["estimator"]
    seen = result.clips.filter(
        (result.clips["clipped_share"] > 0) | result.clips["clip"].is_infinite()
    )
    if len(seen) == 1:
        return ["clip: no weight is large enough to be cut"]
    lines = [f"clip      cut   weight left   effective   {name}"]
    for row in seen.iter_rows(named=True):
        clip = "none" if row["clip"] == float("inf") else f"{row['clip']:.3g}"
        lines.append(
            f"{clip:<6} {row['clipped_share']:>6.1%} {row['kept_share']:>13.1%} "
            f"{row['effective_decisions']:>11,.0f}   {_short(row[name])} "
            f"{_range(row['low'], row['high'])}"
        )
    return lines


def _line(*cells: str) -> str:
    name, estimate, interval, difference, other = cells
    return f"{name:<10}{estimate:>10}  {interval:<20}{difference:>16}  {other:<22}".rstrip()


def _short(value: float) -> str:
    return f"{value:.3g}"


def _range(low: float, high: float) -> str:
    return f"[{low:.3g}, {high:.3g}]"


def _wrapped(line: str) -> list[str]:
    import textwrap

    if len(line) <= 90:
        return [line]
    return textwrap.wrap(line, 90, subsequent_indent="    ")
