"""The card beside the real sets: what they are known for, and the command that prints it."""

import pytest

from workbench.cli import main
from workbench.events import EventLog
from workbench.studies import validity
from workbench.studies.validity import CardSpec, validity_card

pytestmark = pytest.mark.usefixtures("real_data")


def test_the_real_sets_have_the_moments_they_are_known_for():
    records, few = validity.public_records(), CardSpec(draws=20)
    drawn = validity_card(records[1], records, spec=few)
    assert {line.verdict for line in drawn if line.against == "cards"} == {"like"}
    shop_lines = [line for line in drawn if line.against == "online-retail"]
    assert {line.verdict for line in shop_lines} == {"not modelled", "no data"}
    assert [line.moment for line in shop_lines if line.verdict == "no data"] == [
        "months of baskets"
    ]
    assert drawn["lines without a customer, share"].real == pytest.approx(0.2022, abs=1e-4)
    assert drawn["returned lines, share"].real == pytest.approx(9_583 / 509_306, abs=1e-6)
    assert drawn["buyers who come back, share"].real == pytest.approx(0.670, abs=1e-3)  # a year
    assert drawn["weekdays of baskets"].real == 4  # Thursday
    assert drawn["hours of baskets"].real == 12  # in London
    share = drawn["payments complained of, share"].real
    assert share == pytest.approx(6_845 / 872_795, rel=0.05)
    assert "SIMULATED" in repr(drawn)


def test_the_command_prints_the_card_and_keeps_the_log_only_where_told(tmp_path, capsys):
    small = ["--days", "15", "--scale", "0.05", "--out", str(tmp_path / "log")]
    assert main(["world", "--card", *small]) == 0
    page = capsys.readouterr().out
    assert "payment" in EventLog(tmp_path / "log").kinds
    assert "250 users" in page
    assert all(f"/ {name}" in page for name in ("online-retail", "cards"))
    assert "frauds, true share" in page
    assert max(map(len, page.splitlines())) <= 90
    assert main(["world", "--card", *small]) == 1
    assert "holds a log already" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["world"])
    assert "--out" in capsys.readouterr().err
