"""A decision on traffic is a function of its evidence; the book keeps it through any crash."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from threading import Thread

import polars as pl
import pytest

from workbench.experiments.difference import Moments
from workbench.experiments.guardrail import Guardrail
from workbench.experiments.ramp import Evidence, Ramp, decide, evidence_of
from workbench.experiments.ramp_book import RampBook

START = datetime(2026, 3, 1, tzinfo=UTC)
ERRORS = Guardrail(metric="errors", better="lower", tolerated=0.1)
REVENUE = Guardrail(metric="revenue", better="higher", tolerated=0.2, proof=True)
RAMP = Ramp(control="old", treatment="new", least_users=100, guardrails=[ERRORS])


def hours(number):
    return START + timedelta(hours=number)


def evidence(stage=0, day=1.0, counts=(9_900, 100), old=0.05, new=0.05, **moments):
    arms = [Moments(n, mean, mean * (1 - mean)) for n, mean in zip(counts, (old, new), strict=True)]
    named = dict(zip(("old", "new"), counts, strict=True))
    at = START + timedelta(days=day)
    return Evidence(stage, at, day, named, {"errors": tuple(arms)} | moments)


class TestDecide:
    def test_enough_of_everything_advances_one_stage(self):
        decision = decide(RAMP, evidence())
        assert (decision.verdict, decision.stage, decision.share) == ("advance", 0, 0.05)
        assert decision.table["state"].to_list() == ["unknown"]

    def test_the_stage_before_all_is_the_last_decision(self):
        decision = decide(RAMP, evidence(stage=3, counts=(5_000, 5_000)))
        assert (decision.verdict, decision.share) == ("done", 1.0)
        assert decide(RAMP, evidence(stage=4, counts=(0, 9))).verdict == "done"

    def test_a_ramp_that_ends_at_half_is_done_there(self):
        half = Ramp(control="old", treatment="new", least_users=100, shares=[0.1, 0.5])
        decision = decide(half, evidence(stage=1, counts=(5_000, 5_000)))
        assert (decision.verdict, decision.share) == ("done", 0.5)

    @pytest.mark.parametrize(
        ("change", "words"),
        [({"counts": (9_910, 90)}, "90 users in the smaller arm"), ({"day": 0.9}, "0.9 days"),
         ({"counts": (9_000, 1_000)}, "users are missing"), ({"counts": (0, 0)}, "0 users")],
    )  # fmt: skip
    def test_it_holds_and_says_why(self, change, words):
        decision = decide(RAMP, evidence(**change))
        assert (decision.verdict, decision.share) == ("hold", 0.01)
        assert words in repr(decision)

    def test_proven_harm_rolls_back_whatever_else_is_missing(self):
        for change in ({}, {"day": 0.1}, {"counts": (9_000, 1_000)}):
            decision = decide(RAMP, evidence(new=0.5, **change))
            assert (decision.verdict, decision.share) == ("rollback", 0.0)
            assert decision.reasons[0].startswith("errors: harmed, worse by 0.445 (at least")

    def test_where_harm_is_likely_but_not_proven_it_holds(self):
        # 0.12 against 0.055: z = 2.2 for this look, far from a bound for all looks
        decision = decide(RAMP, evidence(counts=(9_880, 120), new=0.12))
        assert (decision.verdict, decision.reasons[-1]) == ("hold", "errors may be harmed")
        assert decision.table["state"].item() == "suspect"

    def test_where_proof_is_asked_for_nothing_advances_without(self):
        ramp = Ramp(control="old", treatment="new", least_users=100, guardrails=[REVENUE])
        few = (Moments(9_900, 10.0, 100.0), Moments(100, 10.0, 100.0))
        many = (Moments(990_000, 10.0, 100.0), Moments(10_000, 10.0, 100.0))
        decision = decide(ramp, evidence(revenue=few))
        assert (decision.verdict, decision.reasons[-1]) == (
            "hold",
            "revenue is not proven safe yet",
        )
        decision = decide(ramp, evidence(counts=(990_000, 10_000), revenue=many))
        assert (decision.verdict, decision.table["state"].item()) == ("advance", "safe")

    def test_evidence_that_lacks_a_guardrail_or_a_stage_is_an_error(self):
        with pytest.raises(ValueError, match="no evidence on 'errors'"):
            decide(RAMP, Evidence(0, START, 1.0, {}, {}))
        with pytest.raises(ValueError, match=r"stage must be in \[0, 4\]"):
            decide(RAMP, evidence(stage=5))

    @pytest.mark.parametrize(
        "wrong",
        [{"shares": [0.1, 0.05]}, {"shares": [0.1, 0.1]}, {"shares": []}, {"shares": [0, 1]},
         {"shares": [1.1]}, {"treatment": "old"}, {"least_users": 1}, {"least_days": -1},
         {"guardrails": [ERRORS, ERRORS]}],
    )  # fmt: skip
    def test_a_plan_that_makes_no_sense_is_refused(self, wrong):
        with pytest.raises(ValueError, match=r"must|one guardrail"):
            Ramp(**{"control": "old", "treatment": "new"} | wrong)


class TestEvidence:
    USERS = pl.DataFrame(
        {"user": [1, 2, 3, 4], "variant": ["old", "old", "old", "new"], "errors": [0, 1, 0, 1]}
    )

    def test_it_is_counts_and_moments_by_hand(self):
        found = evidence_of(RAMP, self.USERS, stage=0, days=1.0, at=START)
        assert found.counts == {"old": 3, "new": 1}
        control, treatment = found.moments["errors"]
        assert (control.users, control.mean) == (3, pytest.approx(1 / 3))
        assert control.variance == pytest.approx(1 / 3)
        assert treatment == Moments(1, 1.0, 0.0)
        assert Evidence.from_json(found.to_json()) == found
        # row order, type of table and other columns change nothing
        other = self.USERS.reverse().with_columns(stage=pl.lit(0)).to_pandas()
        assert evidence_of(RAMP, other, stage=0, days=1.0, at=START).key == found.key

    @pytest.mark.parametrize(
        ("change", "words"),
        [({"variant": pl.lit("bold")}, "'bold' is not of this ramp"),
         ({"variant": pl.lit(None, pl.String)}, "not of this ramp"),
         ({"user": pl.lit(1)}, "one row per user"),
         ({"errors": pl.lit(float("nan"))}, "'errors' is null, NaN or infinite"),
         ({"errors": pl.lit(None, pl.Float64)}, "'errors' is null, NaN or infinite")],
    )  # fmt: skip
    def test_bad_tables_are_refused(self, change, words):
        with pytest.raises(ValueError, match=words):
            evidence_of(RAMP, self.USERS.with_columns(**change), stage=0, days=1.0, at=START)
        with pytest.raises(ValueError, match="no column 'errors'"):
            evidence_of(RAMP, self.USERS.drop("errors"), stage=0, days=1.0, at=START)


class TestBook:
    def test_it_walks_through_the_stages_and_gives_the_shares(self, tmp_path):
        book = RampBook(tmp_path, RAMP, start=START)
        for stage, counts in enumerate([(9_900, 100), (9_500, 500), (9_000, 1_000), (500, 500)]):
            assert book.shares == RAMP.split(stage)
            book.decide(evidence(stage, day=stage + 1, counts=counts))
        assert book.shares == {"old": 0, "new": 1}
        assert book.table["verdict"].to_list() == ["advance"] * 3 + ["done"]
        assert book.changes == [START + timedelta(days=day) for day in (1, 2, 3, 4)]
        assert (
            repr(RampBook(tmp_path)) == repr(book) == "RampBook: stage 4, old 0, new 1, 4 decisions"
        )

    def test_the_same_evidence_twice_is_one_decision(self, tmp_path):
        book = RampBook(tmp_path, RAMP, start=START)
        first = book.decide(evidence())
        again = RampBook(tmp_path).decide(evidence())  # though the ramp has moved on
        assert repr(first) == repr(again)
        assert len(book.table) == 1
        assert book.stage == 1

    def test_evidence_can_be_judged_again_from_the_book_alone(self, tmp_path):
        book = RampBook(tmp_path, RAMP, start=START)
        book.decide(evidence(new=0.06))
        row = book.table.row(0, named=True)
        again = decide(book.ramp, Evidence.from_json(row["evidence"]))
        assert (again.verdict, "; ".join(again.reasons)) == (row["verdict"], row["reasons"])

    def test_old_evidence_and_other_stages_are_refused(self, tmp_path):
        book = RampBook(tmp_path, RAMP, start=START)
        book.decide(evidence(day=0.5))
        with pytest.raises(ValueError, match="was decided on"):
            book.decide(evidence(day=0.4))
        with pytest.raises(ValueError, match="evidence of stage 1, the ramp is in 0"):
            book.decide(evidence(stage=1))
        assert len(book.table) == 1

    def test_after_a_rollback_nothing_goes_on(self, tmp_path):
        book = RampBook(tmp_path, RAMP, start=START)
        book.decide(evidence(new=0.9))
        assert (book.stage, book.shares) == (None, {"old": 1.0, "new": 0.0})
        with pytest.raises(ValueError, match="rolled back"):
            book.decide(evidence(day=2))
        with pytest.raises(ValueError, match="rolled back"):
            book.watch(TestEvidence.USERS, at=hours(72))

    def test_a_person_may_roll_back_once(self, tmp_path):
        book = RampBook(tmp_path, RAMP, start=START)
        book.rollback("the help desk is on fire", at=hours(2))
        book.rollback("the help desk is on fire", at=hours(2))
        assert book.table["reasons"].to_list() == ["by hand: the help desk is on fire"]
        assert book.shares["new"] == 0

    def test_another_plan_for_the_same_folder_is_refused(self, tmp_path):
        RampBook(tmp_path, RAMP, start=START)
        with pytest.raises(ValueError, match="another plan"):
            RampBook(tmp_path, Ramp(control="old", treatment="new"))
        with pytest.raises(ValueError, match="give the plan"):
            RampBook(tmp_path / "empty")

    def test_a_torn_last_line_never_happened_and_a_damaged_one_is_told(self, tmp_path):
        book = RampBook(tmp_path, RAMP, start=START)
        book.decide(evidence(day=0.5))
        lines = tmp_path / "decisions.jsonl"
        whole = lines.read_bytes()
        for cut in range(1, len(whole)):
            lines.write_bytes(whole[:cut])
            assert (book.stage, len(book.table)) == (0, 0)
        book.decide(evidence(day=0.5))
        assert lines.read_bytes() == whole
        lines.write_bytes(b"{]\n" + whole)
        with pytest.raises(ValueError, match=r"line 1 of .* is damaged"):
            len(book.table)

    def test_asking_the_same_question_again_is_safe_after_the_move(self, tmp_path):
        users = pl.DataFrame(
            {"user": range(10_000), "variant": ["old"] * 9_900 + ["new"] * 100, "errors": 0}
        )
        book = RampBook(tmp_path, RAMP, start=START)
        first = book.watch(users, at=hours(24))
        assert first.verdict == "advance"
        assert repr(book.watch(users, at=hours(24))) == repr(first)
        assert book.stage == 1


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from workbench.experiments.difference import Moments
from workbench.experiments.ramp import Evidence, Ramp
from workbench.experiments.ramp_book import RampBook
start = datetime(2026, 3, 1, tzinfo=UTC)
book = RampBook(sys.argv[1])
print("ready", flush=True)
for number in range(1, 100_000):
    at = start + timedelta(seconds=number)
    book.decide(Evidence(0, at, 0.0, {"old": 99, "new": 1}, {}))
    print(number, flush=True)
"""


def test_kill_9_at_any_moment_loses_no_decision_that_was_told(tmp_path):
    plan = Ramp(control="old", treatment="new")
    book = RampBook(tmp_path, plan, start=START)
    for round_ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        said = []
        reader = Thread(target=lambda pipe=writer.stdout, told=said: told.extend(pipe))
        reader.start()
        while len(said) < 5 + 7 * round_:  # ready, then decisions (the first are repeats)
            assert writer.poll() is None
            time.sleep(0.002)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        reader.join()
        told = int(said[-1]) if said[-1].strip().isdigit() else 0
        times = book.table["time"].to_list()
        assert told <= len(times) <= told + 1  # told, or written and not told yet
        assert times == [START + timedelta(seconds=each) for each in range(1, len(times) + 1)]
    assert json.loads((tmp_path / "decisions.jsonl").read_bytes().splitlines()[0])["stage"] == 0
