"""The memory of a ramp: every decision with its evidence, and the shares in force.

    path/ramp.json         the plan, written once
    path/decisions.jsonl   a line per decision: evidence, its key, verdict, reasons

There is no other state. Where the ramp stands follows from the lines, and a line is whole or it
does not count: after a crash at any moment the book is as before the decision or as after it. The
same evidence gives the same line, so whoever is not sure whether it arrived sends it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from workbench.experiments.guardrail import Guardrail
from workbench.experiments.ramp import Decision, Evidence, Ramp, decide, evidence_of

__all__ = ["RampBook"]


class RampBook:
    """A ramp on the disk of this machine; several processes may decide, one after the other.

    Parameters
    ----------
    path : str or Path
        A folder, made if it is not there.
    ramp : Ramp, optional
        The plan; needed the first time. Later it must be the same, or be left out.
    start : datetime with time zone, optional
        When the first stage begins; needed the first time.

    Raises
    ------
    ValueError
        If there is no plan in the folder and none is given, or another one is.

    Examples
    --------
    >>> import tempfile
    >>> start = datetime(2026, 3, 1, tzinfo=UTC)
    >>> ramp = Ramp(control="old", treatment="new", least_users=10)
    >>> book = RampBook(tempfile.mkdtemp(), ramp, start=start)
    >>> users = pl.DataFrame({"user": range(2_000), "variant": ["old"] * 1_980 + ["new"] * 20})
    >>> book.watch(users, at=datetime(2026, 3, 2, tzinfo=UTC))
    advance: new arm at 0.05
      users: old 1,980 (99.0%, plan 99.0%), new 20 (1.0%, plan 1.0%); p = 1, as dealt
    >>> book.shares
    {'old': 0.95, 'new': 0.05}
    """

    def __init__(
        self, path: str | Path, ramp: Ramp | None = None, *, start: datetime | None = None
    ):
        self.path = Path(path)
        self._plan, self._lines = self.path / "ramp.json", self.path / "decisions.jsonl"
        if start is not None and start.tzinfo is None:
            raise ValueError(f"start needs a time zone, got {start}")
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not self._plan.exists():
                if ramp is None or start is None:
                    raise ValueError(f"no ramp in {self.path} yet: give the plan and its start")
                _write_whole(self._plan, _plan_text(ramp, start))
            text = self._plan.read_text(encoding="utf-8")
        self.ramp, self.start = _read_plan(text)
        if ramp is not None and ramp != self.ramp:
            raise ValueError(f"{self.path} holds another plan: {self.ramp}; a ramp keeps its plan")

    def __repr__(self) -> str:
        where = "rolled back" if self.stage is None else f"stage {self.stage}"
        shares = ", ".join(f"{arm} {share:.3g}" for arm, share in self.shares.items())
        return f"RampBook: {where}, {shares}, {len(self._entries())} decisions"

    @property
    def stage(self) -> int | None:
        """Number of the present stage, from 0; None after a rollback."""
        return self._stands(self._entries())[0]

    @property
    def since(self) -> datetime:
        """When the present stage began."""
        return self._stands(self._entries())[1]

    @property
    def shares(self) -> dict[str, float]:
        """Shares of both arms now, for a `Split`; under one salt nobody is ever moved back."""
        return self.ramp.split(self.stage)

    @property
    def changes(self) -> list[datetime]:
        """When shares changed, for `exposed(…, stages=…)`."""
        moved = ("advance", "done", "rollback")
        entries = [each for each in self._entries() if each["verdict"] in moved]
        share, changes = self.ramp.shares[0], []
        for entry in entries:
            if entry["share"] != share:
                share = entry["share"]
                changes.append(datetime.fromisoformat(entry["at"]))
        return changes

    @property
    def table(self) -> pl.DataFrame:
        """One row per decision: when, stage, verdict, share from then on, reasons, evidence."""
        rows = [
            (datetime.fromisoformat(each["at"]), each["stage"], each["verdict"], each["share"],
             "; ".join(each["reasons"]), each["key"], json.dumps(each["evidence"]))
            for each in self._entries()
        ]  # fmt: skip
        names = ("time", "stage", "verdict", "share", "reasons", "key", "evidence")
        types = (pl.Datetime("us", "UTC"), pl.Int64, pl.String, pl.Float64, *[pl.String] * 3)
        return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")

    def watch(self, exposures, *, at: datetime) -> Decision:
        """Gather the evidence of the present stage as known at a moment, and decide on it.

        `exposures` has `user variant` and the guarded metrics, one row per user; with a column
        `stage` the rows of the present one are taken. Raises as `evidence_of` and `decide`.
        """
        entries = self._entries()
        known = {entry["at"]: entry for entry in entries if entry["evidence"]}
        again = known.get(at.astimezone(UTC).isoformat())
        stage, since = self._stands(entries)
        if again is not None:  # asked before: that stage's evidence, whatever came of it
            stage = again["stage"]
            since = self._stands(entries[: entries.index(again)])[1]
        if stage is None:
            raise ValueError(f"{self.path} was rolled back: a new try is a new ramp")
        days = (at - since).total_seconds() / 86_400
        return self.decide(
            evidence_of(self.ramp, exposures, stage=stage, days=days, at=at.astimezone(UTC))
        )

    def decide(self, evidence: Evidence) -> Decision:
        """Decide and remember; the same evidence again is the decision that was made.

        Raises
        ------
        ValueError
            If the ramp was rolled back, or the evidence is of another stage, or no newer than that
            of the last decision.
        """
        with self._locked():
            entries = self._entries()
            for entry in entries:
                if entry["key"] == evidence.key:
                    return decide(self.ramp, evidence)
            stage, _ = self._stands(entries)
            if stage is None:
                raise ValueError(f"{self.path} was rolled back: a new try is a new ramp")
            if evidence.stage != stage:
                raise ValueError(f"evidence of stage {evidence.stage}, the ramp is in {stage}")
            if entries and evidence.at <= datetime.fromisoformat(entries[-1]["at"]):
                raise ValueError(
                    f"evidence as of {evidence.at}, but that of {entries[-1]['at']} was decided on"
                )
            decision = decide(self.ramp, evidence)
            self._append(evidence.key, evidence.at, decision, json.loads(evidence.to_json()))
        return decision

    def rollback(self, reason: str, *, at: datetime) -> None:
        """Take all traffic from the new arm, because a person says so; once is enough."""
        with self._locked():
            entries = self._entries()
            stage, _ = self._stands(entries)
            if stage is None:
                return
            table = pl.DataFrame()
            decision = Decision("rollback", stage, 0.0, (f"by hand: {reason}",), table)
            self._append(f"by hand {at.isoformat()}", at.astimezone(UTC), decision, None)

    def _stands(self, entries: list[dict]) -> tuple[int | None, datetime]:
        """Stage and its beginning after these decisions."""
        stage, since = 0, self.start
        for entry in entries:
            if entry["verdict"] == "rollback":
                return None, datetime.fromisoformat(entry["at"])
            if entry["share"] != self.ramp.shares[stage]:
                stage += 1
                since = datetime.fromisoformat(entry["at"])
        return stage, since

    def _entries(self) -> list[dict]:
        if not self._lines.exists():
            return []
        *whole, _torn = self._lines.read_bytes().split(b"\n")  # no newline: the writer died in it
        entries = []
        for number, line in enumerate(whole, 1):
            try:
                entries.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number} of {self._lines} is damaged: {error}") from error
        return entries

    def _append(self, key: str, at: datetime, decision: Decision, evidence: dict | None) -> None:
        entry = {
            "key": key, "at": at.isoformat(), "stage": decision.stage,
            "verdict": decision.verdict, "share": decision.share, "reasons": decision.reasons,
            "evidence": evidence,
        }  # fmt: skip
        with open(self._lines, "a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)  # what a writer left when it died
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl

        with open(self.path / "lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released by the system when the process dies
            yield


def _plan_text(ramp: Ramp, start: datetime) -> str:
    return json.dumps({"start": start.astimezone(UTC).isoformat(), "ramp": asdict(ramp)}, indent=1)


def _read_plan(text: str) -> tuple[Ramp, datetime]:
    content = json.loads(text)
    guardrails = [Guardrail(**each) for each in content["ramp"].pop("guardrails")]
    ramp = Ramp(**content["ramp"], guardrails=guardrails)
    return ramp, datetime.fromisoformat(content["start"])


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)  # whole or absent
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
