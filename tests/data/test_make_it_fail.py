"""Every check has a table that it fails, and the rows behind a finding are those it counts."""

from datetime import UTC, datetime

import polars as pl
import pytest

from workbench.data.broken import FAULTS, sound
from workbench.data.checks import CHECKS, compare, example, report

AFTER = datetime(2026, 4, 7, tzinfo=UTC)


def test_there_is_an_example_for_every_check():
    assert set(FAULTS) == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_the_example_of_a_check_fails_it_and_names_the_column(check):
    reference, live = example(check)
    found = compare(reference, live, "payment")
    assert check in {finding.check for finding in found.findings}
    columns = {"schema": "place", "completeness": "user", "units": "amount", "range": "amount"}
    columns |= {"new categories": "place", "distribution": "amount", "sequence gaps": "sequence"}
    columns |= {"identity": "user"}
    named = {finding.column for finding in found.findings if finding.check == check}
    assert columns.get(check) in named or check not in columns


@pytest.mark.parametrize("check", CHECKS)
def test_few_other_checks_fail_with_it(check):
    others = {finding.check for finding in compare(*example(check)).findings} - {check}
    assert len(others) <= 1, others


def test_a_sound_day_fails_none():
    assert compare(*example(""), "payment").findings == ()


@pytest.mark.parametrize("check", CHECKS)
def test_the_rows_of_a_finding_are_as_many_as_it_says(check):
    found = compare(*example(check), "payment")
    for finding in found.findings:
        assert found.rows(finding).height == finding.rows, finding


def test_the_rows_are_the_broken_ones():
    found = compare(*example("range"), "payment")
    assert found.rows(0)["amount"].max() < 0
    found = compare(*example("new categories"), "payment")
    assert found.rows(found.findings[0])["place"].unique().to_list() == ["BERN"]


@pytest.mark.parametrize("check", sorted(set(CHECKS) - {"schema"}))
def test_one_table_and_its_two_halves_say_the_same(check):
    reference, live = example(check)
    whole = report(pl.concat([reference, live]), "payment", at=AFTER)
    four_weeks = reference.filter(pl.col("known_at") >= datetime(2026, 3, 9, tzinfo=UTC))
    halves = compare(four_weeks, live, "payment")
    assert whole.findings == halves.findings


def test_a_column_that_is_renamed_in_one_table_is_found_by_its_nulls():
    reference, live = example("schema")
    table = pl.concat([reference, live], how="diagonal")
    (found,) = report(table, "payment", at=AFTER).findings
    assert found.evidence == "place: the column is gone; city looks like it, alike by 1.00"


def test_unknown_checks_and_findings_are_refused():
    with pytest.raises(ValueError, match=r"check must be one of .*'units'.*, got 'unit'"):
        example("unit")
    found, other = compare(*example("units")), compare(*example("range"))
    with pytest.raises(ValueError, match="there are 1 findings, got number 1"):
        found.rows(1)
    with pytest.raises(ValueError, match="no finding of this report"):
        found.rows(other.findings[0])


def test_equal_seeds_give_equal_shops():
    assert sound(days=3).equals(sound(days=3))
    assert not sound(days=3).equals(sound(days=3, seed=1))
