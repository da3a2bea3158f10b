"""One way to measure: us, a peer and the raw limit in turns, compared round by round.

    round 0 (warm-up, not counted)   ours  peer  limit
    round 1                          ours  peer  limit   ─►  ratios of this round
    round 2                          ours  peer  limit   ─►  ratios of this round
                                                              └─► median of each

A machine that is slow for a minute is slow for all three, so the ratio of a round holds where the
seconds do not. What is reported: the median of each, and the median of the per-round ratios.
"""

from __future__ import annotations

import gc
import inspect
import json
import os
import platform
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

__all__ = ["Row", "machine", "measure", "save", "table"]

VERSIONS = ("numpy", "polars", "pyarrow", "deltalake", "duckdb")
SCALES = {"s": 1.0, "ms": 1e3, "µs": 1e6}
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement. Its fields are the columns of results/NAME.json.

    Parameters
    ----------
    area, work, unit : str
        What was done, and the unit of the next three: a time ("s", "µs/request": less is better)
        or a rate ("events/s": more is better).
    ours, peer, limit : float
        Medians, in `unit`. The limit does the least that anybody could do.
    ratio_to_peer, ratio_to_limit : float
        How many times as long we take, also where the unit is a rate; below 1 we are faster.
    target : str or None
        What was promised: "ratio_to_limit <= 3", "ours >= 20000", "ours - limit <= 0.1".
    met : bool or None
        Whether it was kept; None without a target and on quick runs, which prove nothing.
    """

    area: str
    work: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    limit: float
    ratio_to_peer: float
    ratio_to_limit: float
    target: str | None
    met: bool | None
    quick: bool


def measure(
    area: str,
    work: str,
    *,
    ours: Callable,
    peer: Callable,
    limit: Callable,
    peer_name: str,
    unit: str = "s",
    count: int = 1,
    target: str | None = None,
    repeats: int = 5,
    quick: bool = False,
) -> Row:
    """Run the three in turns, `repeats` times after one warm-up round, and compare them.

    Parameters
    ----------
    ours, peer, limit : callable
        What is timed; or a generator function that sets up, yields what is timed, and clears up.
    count : int
        How many units of work (requests, events) one call does.

    Returns
    -------
    Row

    Raises
    ------
    ValueError
        If `repeats` or `count` is below 1, or the unit or the target is none we know.

    Examples
    --------
    >>> nothing = lambda: None
    >>> row = measure("demo", "nothing", ours=nothing, peer=nothing, limit=nothing,
    ...               peer_name="the same", repeats=3)
    >>> row.work, row.ours < 1, row.met
    ('nothing', True, None)
    """
    if repeats < 1 or count < 1:
        raise ValueError(f"repeats and count must be at least 1, got {repeats} and {count}")
    convert = converter(unit, count)
    rounds = [[seconds(call) for call in (ours, peer, limit)] for _ in range(repeats + 1)][1:]
    to_peer = median(mine / theirs for mine, theirs, _ in rounds)
    to_limit = median(mine / least for mine, _, least in rounds)
    ours, peer, limit = (convert(median(times)) for times in zip(*rounds, strict=True))
    figures = {"ours": ours, "peer": peer, "limit": limit}
    figures |= {"ratio_to_peer": to_peer, "ratio_to_limit": to_limit}
    figures = {name: float(f"{value:.4g}") for name, value in figures.items()}
    kept = None if target is None else is_met(target, figures)
    return Row(
        area=area,
        work=work,
        unit=unit,
        peer_name=peer_name,
        target=target,
        met=None if quick else kept,
        quick=quick,
        **figures,
    )


def seconds(contender: Callable) -> float:
    """Wall time of one call, in seconds, without set-up and with the garbage collector at rest."""
    if not inspect.isgeneratorfunction(contender):
        return _elapsed(contender)
    stages = contender()
    with closing(stages):  # after an error its own `with` and `finally` clear up
        elapsed = _elapsed(next(stages))
        for _ in stages:
            raise ValueError(f"{contender.__name__} yields more than once")
    return elapsed


def _elapsed(call: Callable) -> float:
    gc.collect()
    gc.disable()
    try:
        start = perf_counter()
        call()
        return perf_counter() - start
    finally:
        gc.enable()


def converter(unit: str, count: int) -> Callable[[float], float]:
    """From the seconds of one call with `count` units of work to the unit of the row.

    >>> converter("µs/request", 100)(0.001), converter("events/s", 100)(0.001)
    (10.0, 100000.0)
    """
    top, _, bottom = unit.partition("/")
    if bottom == "s":
        return lambda elapsed: count / elapsed
    if top not in SCALES:
        raise ValueError(f"unit must be a time in s, ms or µs, or a rate a second, got {unit!r}")
    return lambda elapsed: elapsed * SCALES[top] / count


def is_met(target: str, figures: dict[str, float]) -> bool:
    """Whether the figures keep the promise.

    >>> is_met("ratio_to_limit <= 3", {"ratio_to_limit": 2.5})
    True
    >>> is_met("ours - limit <= 0.1", {"ours": 0.5, "limit": 0.3})
    False
    """
    words = target.split()
    if len(words) not in (3, 5) or words[-2] not in ("<=", ">="):
        raise ValueError(
            f"target must read like 'ours <= 3' or 'ours - limit <= 3', got {target!r}"
        )
    value, bound = figures[words[0]], float(words[-1])
    if len(words) == 5:
        value -= figures[words[2]]
    return value <= bound if words[-2] == "<=" else value >= bound


def table(rows: list[Row]) -> str:
    """The rows as text, one measurement a line pair, 90 columns.

    Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("there are no rows to print")
    lines = [f"{'':<14}{'ours':>11}{'peer':>11}{'limit':>11}{'x peer':>9}{'x limit':>9}  target"]
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: "not counted" if row.quick else ""}[row.met]
        lines.append(f"{row.work}  (peer: {row.peer_name})")
        lines.append(
            f"  {row.unit:<12}{short(row.ours):>11}{short(row.peer):>11}{short(row.limit):>11}"
            f"{row.ratio_to_peer:>9.2f}{row.ratio_to_limit:>9.2f}"
            + (f"  {row.target}: {verdict}" if row.target else "")
        )
    if any(row.quick for row in rows):
        lines.append("quick run, 1/20 of the size: watch the ratios; targets count on full runs")
    return "\n".join(lines)


def save(rows: list[Row], folder: Path = HERE) -> Path:
    """Write the rows of one area to results/NAME.json, and the machine to machines.json.

    Raises ValueError for quick rows: only full runs are kept.
    """
    if any(row.quick for row in rows):
        raise ValueError("quick rows are not kept; run the area in full")
    area = rows[0].area
    path = folder / "results" / f"{area}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(as_json([asdict(row) for row in rows]), encoding="utf-8")
    machines = folder / "machines.json"
    known = json.loads(machines.read_text(encoding="utf-8")) if machines.exists() else {}
    machines.write_text(as_json(dict(sorted({**known, area: machine()}.items()))), encoding="utf-8")
    return path


def machine() -> dict[str, object]:
    """What the figures were measured on: cores, memory, versions, day. No names, no paths."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages * size / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONS if find_spec(name)},
        "date": datetime.now(UTC).date().isoformat(),
    }


def short(value: float) -> str:
    """Three significant digits, with thousands separators.

    >>> short(0.012345), short(123456)
    ('0.0123', '123,456')
    """
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def as_json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
