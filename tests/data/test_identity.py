"""Ids that nobody has seen before, and kinds that come together."""

import polars as pl
import pytest

from workbench.data.broken import example, sound
from workbench.data.rules import ratios, strangers

REFERENCE, LIVE = example("")


def with_tens(frame, of="user"):
    return frame.with_columns(pl.when(pl.col("event") % 10 < 2).then(pl.col(of) + 50_000)
                              .otherwise(of).alias(of))  # fmt: skip


def test_a_sound_day_has_no_strangers():
    assert strangers(LIVE, REFERENCE) == []


def test_a_fifth_of_strangers_is_a_warning_about_those_rows():
    (found,) = strangers(with_tens(LIVE), REFERENCE)
    assert (found.check, found.severity, found.column) == ("identity", "warning", "user")
    rows = LIVE.filter(pl.col("event") % 10 < 2).height
    assert rows <= found.rows < rows + 40  # and some who are new indeed
    assert with_tens(LIVE).filter(found.where).height == found.rows


def test_ids_as_text_and_under_the_users_own_name_are_judged_too():
    frames = [
        frame.select("event", "known_at", cust=pl.format("c{}", "user"))
        for frame in (LIVE.with_columns(pl.col("user") + 9_999), REFERENCE)
    ]
    (found,) = strangers(*frames)
    assert (found.severity, found.column) == ("error", "cust")


@pytest.mark.parametrize(
    ("live", "reference"),
    [
        (LIVE.clear(), REFERENCE),
        (LIVE, REFERENCE.clear()),
        (with_tens(LIVE).drop("known_at", "time"), REFERENCE.drop("known_at", "time")),
        (LIVE.with_columns(user=pl.lit(None, pl.Int64)), REFERENCE),
        (LIVE.with_columns(pl.col("user").cast(pl.String)), REFERENCE),  # another check's finding
    ],
    ids=["no live rows", "no reference", "no clock", "all missing", "another type"],
)
def test_where_there_is_nothing_to_judge_nothing_is_found(live, reference):
    assert strangers(live, reference) == []


def test_a_column_that_is_new_every_day_is_not_judged():
    rows = sound(days=15).with_columns(ticket=pl.col("event") * 3)
    live = pl.col("event") >= rows.height - 480
    columns = ["event", "known_at", "ticket"]
    assert strangers(rows.filter(live).select(columns), rows.filter(~live).select(columns)) == []


def test_a_tenth_of_the_payments_is_missed_where_each_has_its_purchase():
    days = {day: 500 + 9 * (day % 7) for day in range(29)}
    found = ratios({"purchase": days, "payment": days | {0: 450}, "request": {0: 1}})
    assert {(each.kind, each.severity) for each in found} == {
        ("payment", "error"),
        ("purchase", "error"),
    }
    assert ratios({"purchase": days, "payment": days}) == []


def test_a_shop_with_good_and_bad_days_is_not_judged_by_a_tenth():
    pages = dict.fromkeys(range(29), 1_000)
    clicks = {day: 500 + 40 * (day % 5) for day in range(29)} | {0: 470}
    assert ratios({"impression": pages, "click": clicks}) == []
