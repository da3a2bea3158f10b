"""What can be chosen in the shadow explorer: a list of controls, and what their values mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.widgets.shadow_explorer import Choice
from workbench.widgets.shadow_ground import Ground
from workbench.widgets.shadow_map import COLORS

__all__ = ["choice_of", "controls_of", "cutoff_steps"]

NONE = ""
BINS = (10, 20, 40)
_STEPS = 90
_SCALES = {"score": "score", "log": "log of score", "rank": "rank"}
_OUTCOMES = {NONE: "hidden", "label": "labels known", "truth": "truth (simulated)"}


def cutoff_steps(ground: Ground) -> list[tuple[float | None, str]]:
    """Cutoffs of the challenger to try, ascending, each with words; None is as logged.

    They lie closer where few rows are above.

    >>> import polars as pl
    >>> from workbench.widgets.shadow_ground import ground_of
    >>> scores = np.arange(1_000) / 1_000
    >>> ground = ground_of(pl.DataFrame({"live_score": scores, "shadow_score": scores}), cutoff=0.9)
    >>> [words for at, words in cutoff_steps(ground) if at is None]
    ['0.9: block 10%, as logged']
    """
    known = np.sort(ground.shadow[~np.isnan(ground.shadow)])
    logged = ground.cutoffs["shadow"]
    if not ground.movable:
        return [(None, "as logged")]
    odds = np.linspace(np.log(1 / len(known)), 5, _STEPS)
    at = np.unique(np.quantile(known, 1 / (1 + np.exp(odds)), method="higher"))
    at = np.append(at, np.nextafter(known[-1], np.inf))  # nobody is blocked
    if logged is not None:
        at = np.unique(np.append(at, logged))
    above = (len(known) - np.searchsorted(known, at)) / len(known)
    steps = [
        (
            None if cutoff == logged else float(cutoff),
            f"{cutoff:.3g}: {ground.positive} {share:.2g}%"
            + (", as logged" if cutoff == logged else ""),
        )
        for cutoff, share in zip(at.tolist(), 100 * above, strict=True)
    ]
    return steps if logged is not None else [(None, "as logged"), *steps]


def controls_of(ground: Ground, values: Mapping[str, Any], steps) -> list[dict]:
    """Controls with their options, as a page draws them: select, range or check.

    Parameters
    ----------
    ground : Ground
    values : mapping
        Of `by value outcomes cutoff color scale bins cell table`, as `choice_of` returns them.
    steps : list
        From `cutoff_steps`.
    """
    words = [] if not values["by"] else ground.slicing(values["by"]).words
    lowest = min(np.nanmin(ground.live), np.nanmin(ground.shadow))
    scales = {name: word for name, word in _SCALES.items() if name != "log" or lowest > 0}
    outcomes = {name: _OUTCOMES[name] for name in (NONE, *ground.outcomes)}
    colors = {name: word for name, word in COLORS.items() if name != "right" or values["outcomes"]}
    return [
        _select("by", "slice by", {NONE: "(nothing)", **{name: name for name in ground.columns}}),
        _select("value", "only", {NONE: "all rows", **{word: word for word in words}}),
        _select("outcomes", "outcomes", outcomes),
        _select("color", "colour", colors),
        _select("scale", "scale", scales),
        _select("bins", "bins", {str(number): str(number) for number in BINS}),
        {"name": "cutoff", "kind": "range", "label": "challenger's cutoff", "last": len(steps) - 1,
         "words": [word for _, word in steps]},
        {"name": "table", "kind": "check", "label": "show as tables"},
    ]  # fmt: skip


def choice_of(
    ground: Ground, values: Mapping[str, Any], before: Mapping[str, Any], steps
) -> tuple[dict, Choice]:
    """Values that fit together, and what they choose.

    Another column forgets the slice, another map forgets the cell, hidden outcomes colour nothing.
    """
    values = dict(values)
    if values["by"] != before["by"]:
        values["value"] = NONE
    if any(values[name] != before[name] for name in ("scale", "bins")):
        values["cell"] = NONE
    if values["color"] == "right" and not values["outcomes"]:
        values["color"] = "disagree"
    cell = tuple(int(each) for each in values["cell"].split(",")) if values["cell"] else None
    choice = Choice(
        by=values["by"] or None,
        value=values["value"] or None,
        outcomes=values["outcomes"] or None,
        cutoff=steps[int(values["cutoff"])][0],
        scale=values["scale"],
        bins=int(values["bins"]),
        cell=cell,
    )
    return values, choice


def _select(name: str, label: str, options: Mapping[str, str]) -> dict:
    return {"name": name, "kind": "select", "label": label, "options": [*options.items()]}
