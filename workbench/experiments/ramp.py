"""More traffic for the new arm, or back: a decision from evidence, and nothing but evidence.

    1 % ─► 5 % ─► 10 % ─► 50 % ─► 100 %       advance   enough users and days, nothing wrong
      │      │       │       │                hold      too little known, users missing, harm likely
      └──────┴───────┴───────┴──► 0 %         rollback  harm is proven beyond what is tolerated
                                              done      the last stage is reached or passed

`decide` is a pure function: equal evidence, equal decision. `RampBook` remembers (`ramp_book`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from numbers import Integral, Real

import polars as pl

from workbench.experiments.difference import Moments
from workbench.experiments.guardrail import Guardrail, loss_of, sequential_ratio
from workbench.tables import one_frame

__all__ = ["Decision", "Evidence", "Ramp", "decide", "evidence_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ramp:
    """The plan of a ramp, written down before it starts.

    Parameters
    ----------
    control, treatment : str
        Names of the two arms.
    shares : sequence of float
        Of the new arm, growing, in (0, 1]. At 1 there is no control left: it needs no evidence.
    least_users : int
        Of each arm within a stage, before it may advance.
    least_days : float
        In each stage; a week holds every weekday.
    guardrails : sequence of Guardrail

    >>> Ramp(control="old", treatment="new").shares
    (0.01, 0.05, 0.1, 0.5, 1.0)
    """

    control: str
    treatment: str
    shares: Sequence[float] = (0.01, 0.05, 0.1, 0.5, 1.0)
    least_users: int = 1_000
    least_days: float = 1.0
    guardrails: Sequence[Guardrail] = ()
    ratio_alpha: float = 0.001  # of the sample-ratio test, in each stage

    def __post_init__(self):
        shares = tuple(float(share) for share in self.shares)
        object.__setattr__(self, "shares", shares)
        alone = isinstance(self.guardrails, Guardrail)
        guardrails = (self.guardrails,) if alone else tuple(self.guardrails)
        object.__setattr__(self, "guardrails", guardrails)
        strange = [each for each in guardrails if not isinstance(each, Guardrail)]
        if strange:
            raise ValueError(f"guardrails must be of Guardrail, got {strange[0]!r}")
        if self.control == self.treatment:
            raise ValueError(f"control and treatment must differ, got {self.control!r} twice")
        if not shares or not all(0 < share <= 1 for share in shares):
            raise ValueError(f"shares must be in (0, 1], got {shares}")
        if list(shares) != sorted(set(shares)):
            raise ValueError(f"shares must grow, got {shares}")
        names = [guardrail.metric for guardrail in self.guardrails]
        if len(set(names)) < len(names):
            raise ValueError(f"one guardrail per metric, got {names}")
        if self.least_users < 2 or self.least_days < 0:
            raise ValueError(
                "least_users must be 2 or more and least_days 0 or more, got "
                f"{self.least_users} and {self.least_days}"
            )

    def split(self, stage: int | None) -> dict[str, float]:
        """Shares of both arms in a stage, for a `Split`; None is after a rollback."""
        share = 0.0 if stage is None else self.shares[stage]
        return {self.control: 1 - share, self.treatment: share}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a stage at a moment: all that a decision may rest on.

    `counts` are users per arm; `moments` have control and treatment for each metric.
    """

    stage: int
    at: datetime
    days: float
    counts: Mapping[str, int]
    moments: Mapping[str, tuple[Moments, Moments]]

    def to_json(self) -> str:
        """One line of text; equal evidence, equal text."""
        at = self.at.astimezone(UTC).isoformat()
        return json.dumps(asdict(self) | {"at": at}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """Read what `to_json` wrote."""
        content = json.loads(text)
        content["at"] = datetime.fromisoformat(content["at"])
        content["moments"] = {
            metric: tuple(Moments(**arm) for arm in arms)
            for metric, arms in content["moments"].items()
        }
        return cls(**content)

    @property
    def key(self) -> str:
        """A name made of the content."""
        return sha256(self.to_json().encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with the traffic, and why.

    `table` has a row per guardrail: users, loss beyond what is tolerated and its bounds, state.
    """

    verdict: str  # advance, hold, rollback, done
    stage: int  # decided in
    share: float  # of the new arm from now on
    reasons: tuple[str, ...]
    table: pl.DataFrame

    def __repr__(self) -> str:
        return "\n  ".join([f"{self.verdict}: new arm at {self.share:.3g}", *self.reasons])


def evidence_of(
    ramp: Ramp, exposures, *, stage: int, days: float, at: datetime
) -> Evidence:  # fmt: skip
    """The evidence in a table of exposures: `user variant` and the guarded metrics.

    Parameters
    ----------
    ramp : Ramp
    exposures : table
        One row per user of this stage, as `exposed` makes; of a table with `stage` its rows are
        taken.
    stage : int
        Number of the stage in which the ramp is, from 0.
    days : float
        Since this stage began.
    at : datetime with time zone
        When this was known.

    Raises
    ------
    ValueError
        If a column is missing, an arm is not of the ramp, a metric is null, NaN or infinite, or a
        user has two rows.
    """
    metrics = [guardrail.metric for guardrail in ramp.guardrails]
    if not isinstance(at, datetime) or not isinstance(days, Real):
        raise ValueError(f"at must be a datetime and days a number, got {at!r} and {days!r}")
    if at.tzinfo is None or not days >= 0:
        raise ValueError(f"at needs a time zone and days must be 0 or more, got {at} and {days}")
    if not isinstance(stage, Integral) or not 0 <= stage < len(ramp.shares):
        raise ValueError(f"stage must be in [0, {len(ramp.shares) - 1}], got {stage!r}")
    columns = getattr(exposures, "column_names", None) or getattr(exposures, "columns", [])
    staged = ["stage"] if "stage" in list(columns) else []
    frame = one_frame(exposures, "exposures", ["user", "variant", *staged, *metrics])
    for name in (*staged, *metrics):
        if not (frame[name].dtype.is_numeric() or frame[name].dtype == pl.Boolean):
            raise ValueError(f"{name!r} must be numbers, got {frame[name].dtype}")
    frame = frame.filter(pl.col("stage") == stage) if staged else frame
    arms = (ramp.control, ramp.treatment)
    strange = frame.filter(~pl.col("variant").is_in(arms).fill_null(False))["variant"]
    if len(strange):
        raise ValueError(f"arm {strange[0]!r} is not of this ramp: {list(arms)}")
    if frame["user"].null_count() or frame["user"].is_duplicated().any():
        raise ValueError("exposures must have one row per user and stage, and no null user")
    for metric in metrics:
        if not frame[metric].cast(pl.Float64).is_finite().fill_null(False).all():
            raise ValueError(f"metric {metric!r} is null, NaN or infinite for some users")
    parts = [frame.filter(pl.col("variant") == arm).sort("user") for arm in arms]
    counts = {arm: len(part) for arm, part in zip(arms, parts, strict=True)}
    moments = {metric: tuple(_moments(part[metric]) for part in parts) for metric in metrics}
    return Evidence(stage, at, float(days), counts, moments)


def decide(ramp: Ramp, evidence: Evidence) -> Decision:
    """Advance, hold, roll back or be done.

    Parameters
    ----------
    ramp : Ramp
    evidence : Evidence
        Of the ramp's present stage.

    Notes
    -----
    Each guardrail may stop a harmless ramp with a chance of 1 - confidence over the whole ramp,
    however often one looks: the bounds hold at all looks of a stage (`guardrail`), and the chance
    is divided by the number of stages that have a control. A failed sample ratio holds, since the
    arms cannot be compared; proven harm rolls back even then: back is the safe side. A guardrail
    that is suspect (one look alone would alarm) holds too: each stage is judged by its own users,
    so a ramp that advances forgets what it knew. Holding costs days and needs no proof.

    Raises ValueError if the evidence lacks a guarded metric or is of no stage of the ramp.

    Examples
    --------
    >>> ramp = Ramp(control="old", treatment="new", least_users=500,
    ...             guardrails=[Guardrail(metric="errors", better="lower", tolerated=0.1)])
    >>> moments = {"errors": (Moments(99_000, 0.010, 0.0099), Moments(1_000, 0.060, 0.0564))}
    >>> counts = {"old": 99_000, "new": 1_000}
    >>> decide(ramp, Evidence(0, datetime(2026, 3, 1, tzinfo=UTC), 1.0, counts, moments))
    rollback: new arm at 0
      errors: harmed, worse by 0.049 (at least 0.0217) beyond the tolerated 10%
      users: old 99,000 (99.0%, plan 99.0%), new 1,000 (1.0%, plan 1.0%); p = 1, as dealt
    """
    stage, last = evidence.stage, len(ramp.shares) - 1
    if not 0 <= stage <= last:
        raise ValueError(f"stage must be in [0, {last}], got {stage}")
    if ramp.shares[stage] == 1:
        return Decision("done", stage, 1.0, ("the new arm has everybody",), _table([]))
    rows, reasons = [], []
    compared = sum(share < 1 for share in ramp.shares)
    for guardrail in ramp.guardrails:
        if guardrail.metric not in evidence.moments:
            raise ValueError(f"no evidence on {guardrail.metric!r}: {list(evidence.moments)}")
        row, reason = _watched(guardrail, *evidence.moments[guardrail.metric], compared)
        rows.append(row)
        reasons.append(reason)
    states = {row[0]: row[-1] for row in rows}
    ratio = None
    if sum(evidence.counts.values()):
        ratio = sequential_ratio(evidence.counts, ramp.split(stage), alpha=ramp.ratio_alpha)
        reasons.append(repr(ratio))
    fewest = min(evidence.counts.get(arm, 0) for arm in (ramp.control, ramp.treatment))
    asked = [each.metric for each in ramp.guardrails if each.proof]
    lacks = [f"{name} is not proven safe yet" for name in asked if states[name] != "safe"]
    lacks += [f"{name} may be harmed" for name, state in states.items() if state == "suspect"]
    if fewest < ramp.least_users:
        lacks.append(f"{fewest:,} users in the smaller arm, {ramp.least_users:,} are needed")
    if evidence.days < ramp.least_days:
        lacks.append(f"{evidence.days:.3g} days in this stage, {ramp.least_days:.3g} are needed")
    if ratio is not None and not ratio.ok:
        lacks.append("users are missing or doubled: find out why")
    reasons += lacks
    if "harmed" in states.values():
        verdict, share = "rollback", 0.0
    elif lacks:
        verdict, share = "hold", ramp.shares[stage]
    else:
        share = ramp.shares[min(stage + 1, last)]
        verdict = "done" if stage == last or share == 1 else "advance"
    return Decision(verdict, stage, share, tuple(reasons), _table(rows))


def _watched(guardrail: Guardrail, control: Moments, treatment: Moments, compared: int):
    alpha = (1 - guardrail.confidence) / compared
    bounds = loss_of(guardrail, control, treatment, alpha=alpha)
    loss, low, high = float(bounds.loss), float(bounds.low), float(bounds.high)
    names = ("harmed", "safe", "suspect")
    state = next((name for name in names if getattr(bounds, name)), "unknown")
    told = f"{'worse' if loss > 0 else 'better'} by {abs(loss):.3g}"
    bound = "" if state == "safe" else f" (at least {low:.3g})"
    if min(control.users, treatment.users) < guardrail.least_users:
        told, bound = f"fewer than {guardrail.least_users} users in an arm", ""
    beyond = f" beyond the tolerated {guardrail.tolerated:.0%}" if guardrail.tolerated else ""
    row = (guardrail.metric, control.users, treatment.users, loss, low, high, state)
    return row, f"{guardrail.metric}: {state}, {told}{bound}{beyond}"


def _moments(values: pl.Series) -> Moments:
    values = values.cast(pl.Float64)
    mean, variance = values.mean(), values.var()
    return Moments(
        len(values), 0.0 if mean is None else mean, 0.0 if variance is None else variance
    )


def _table(rows: list[tuple]) -> pl.DataFrame:
    whole, floats = (
        dict.fromkeys(("control_users", "treatment_users"), pl.Int64),
        ("loss", "low", "high"),
    )
    schema = {"metric": pl.String, **whole, **dict.fromkeys(floats, pl.Float64), "state": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
