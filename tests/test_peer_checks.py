"""The peer of the checks: pinned, asked fairly, and our own benchmark data is sound."""

import re
import sys
from pathlib import Path

import polars as pl
import pytest

from workbench.data.checks import example, report

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks are not part of the package

from benchmarks import checks, peer_checks  # noqa: E402

PINS = (ROOT / "benchmarks" / "peers.txt").read_text(encoding="utf-8").splitlines()


def test_every_pin_is_a_name_and_a_version_and_no_address():
    assert any(pin.startswith("evidently==") for pin in PINS)
    assert [pin for pin in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)] == []


def test_the_payments_of_the_benchmark_are_sound_and_have_seasons():
    days = [checks.payments(round(3_000 * checks.WEEK[day % 7]), day) for day in range(29)]
    rows = pl.concat(days)
    assert report(rows, "payment").findings == ()
    hours = rows.group_by(pl.col("time").dt.hour()).len().sort("time")["len"]
    assert hours.max() > 5 * hours.min()
    assert days[5].height > 1.5 * days[6].height
    assert days[0].equals(checks.payments(days[0].height, 0))


@pytest.mark.skipif(
    not (ROOT / ".venv-peers" / "peers.txt").exists(), reason="the peers' environment is not built"
)
def test_the_peer_sees_what_it_can_see_and_is_quiet_on_sound_rows():
    wanted = ["", "units", "completeness", "new categories", "freshness"]
    answers = peer_checks.fired([example(check) for check in wanted])
    alarms = [{column for column, alarm in answer if alarm} for answer in answers]
    assert alarms == [set(), {"amount"}, {"user"}, {"place"}, set()]
