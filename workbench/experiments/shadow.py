"""The read-out of a shadow: is it odd, how far is it from the champion, what will the labels say?

    decisions, or a table with two scores ──► pairs ─┬─► oddities       is something broken?
                                                     ├─► disagreement   beyond the noise floor?
                                                     ├─► score shift    does the cutoff still fit?
                                                     └─► calibration    once labels are there

No user has seen any of it. What disagreement is worth, only outcomes tell: replay and the A/B test
come next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from workbench.experiments.degenerate import Oddities, oddities
from workbench.experiments.disagreement import Disagreement, disagreement
from workbench.experiments.pairs import pairs
from workbench.experiments.score_shift import Calibration, ScoreShift, calibration, score_shift

__all__ = ["Shadowing", "shadow"]


@dataclass(frozen=True, slots=True)
class Shadowing:
    """What a shadow's answers say; the repr is the report.

    Parameters
    ----------
    pairs : polars.DataFrame
        One row per request and place, to slice and look at.
    oddities : Oddities
    disagreement : Disagreement or None
        None for scores without a cutoff: no action was taken.
    score_shift : ScoreShift or None
        None where there are no scores.
    calibration : Calibration or None
        None where there are no labels.
    """

    pairs: pl.DataFrame
    oddities: Oddities
    disagreement: Disagreement | None
    score_shift: ScoreShift | None
    calibration: Calibration | None

    @property
    def table(self) -> pl.DataFrame:
        """Disagreement if there is any, else the shift of the scores."""
        found = self.disagreement or self.score_shift
        return self.oddities.table if found is None else found.table

    def __repr__(self) -> str:
        said = [self.oddities, self.disagreement, self.score_shift, self.calibration]
        lines = [repr(each) for each in said if each is not None]
        if self.disagreement is None:
            lines.insert(1, "no disagreement: scores alone decide nothing; give a cutoff")
        return "\n".join(lines)


def shadow(
    table: Any,
    *,
    live: str,
    shadow: str,
    twin: str | None = None,
    cutoff: float | Mapping[str, float] | None = None,
    by: str | Sequence[str] = (),
    labels: Any = None,
    items: Any = None,
    sample: float | None = None,
    salt: str = "shadow",
) -> Shadowing:
    """Compare a challenger with the champion on the same requests.

    Parameters
    ----------
    table, live, shadow, twin, cutoff, labels, sample, salt
        As in `pairs`: decisions of a log, or one's own table with a column of scores for each.
    by : str or sequence of str, optional
        Columns to look at value by value, corrected for their number.
    items : table, optional
        `item` and words about it, see `oddities`.

    Returns
    -------
    Shadowing

    Raises
    ------
    ValueError
        As `pairs`, `disagreement`, `score_shift`, `calibration` and `oddities` do.

    Examples
    --------
    >>> scores = pl.DataFrame({"request": [1, 2, 3, 4], "label": [0, 0, 1, 1],
    ...                        "old": [0.1, 0.4, 0.6, 0.9], "new": [0.2, 0.6, 0.7, 0.9]})
    >>> shadow(scores, live="old", shadow="new", cutoff=0.5)
    nothing odd: 5 checks on 4 requests
    measure    segment       requests disagree          95% interval
    action     all                  4     0.25       [0.0456, 0.699]
    intervals take each request for one witness; no twin: how much of it is noise is unknown
    scores    requests  missing     live     mean     shift         95% interval     KS    PSI
    shadow           4        0      0.5      0.6      +0.1       [-0.03, +0.23]   0.25   0.49
    labels    labelled  mean score     rate       gap    error  log loss    AUC
    live             4         0.5      0.5        +0     0.25     0.308  1.000
    shadow           4         0.6      0.5      +0.1      0.3       0.4  1.000
    """
    side_by_side = pairs(
        table, live=live, shadow=shadow, twin=twin, cutoff=cutoff, labels=labels,
        sample=sample, salt=salt,
    )  # fmt: skip
    columns = set(side_by_side.columns)
    acts = bool({"live_action", "live_item"} & columns)
    scored = "live_score" in columns and _any_common_score(side_by_side)
    labelled = scored and "label" in columns and _any_label(side_by_side)
    return Shadowing(
        side_by_side,
        oddities(side_by_side, by=by, items=items),
        disagreement(side_by_side, by=by) if acts else None,
        score_shift(side_by_side) if scored else None,
        calibration(side_by_side) if labelled else None,
    )


def _any_common_score(pairs: pl.DataFrame) -> bool:
    return not pairs.select("live_score", "shadow_score").drop_nulls().is_empty()


def _any_label(pairs: pl.DataFrame) -> bool:
    return not pairs.select("live_score", "shadow_score", "label").drop_nulls().is_empty()
