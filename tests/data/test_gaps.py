"""How much was dropped: the estimates, their intervals, and what is no gap at all."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.data.rules import cohorts, label_rate, orphans, ratios, sequence_gaps
from workbench.data.rules.gaps import holes


def pages(requests=400, k=10, first=0):
    n = requests * k
    return pl.DataFrame(
        {"request": np.arange(n) // k + first, "position": np.arange(n) % k + 1, "event": range(n)}
    )


def test_holes_are_counted_between_the_first_and_the_last():
    counter = pl.DataFrame({"device": [1] * 5 + [2] * 2, "sequence": [17, 18, 20, 21, 23, 5, 9]})
    assert holes(counter, "sequence", "device") == (5 + 3, 2 + 3)
    page = pl.DataFrame({"request": [1, 1, 1, 2], "position": [1, 2, 4, 1]})
    assert holes(page, "position", "request") == (3, 1)
    assert holes(page.clear(), "position", "request") == (0, 0)


@pytest.mark.parametrize("dropped", [0.02, 0.1, 0.3])
def test_the_estimate_is_the_share_that_was_dropped(dropped):
    estimates, covered = [], 0
    for seed in range(40):
        kept = np.random.default_rng(seed).random(4_000) >= dropped
        places, missing = holes(pages().filter(pl.Series(kept)), "position", "request")
        estimates.append(missing / places)
        half = 1.96 * np.sqrt(dropped * (1 - dropped) / places)
        covered += abs(missing / places - dropped) <= half
    assert abs(np.mean(estimates) - dropped) < 4 * np.sqrt(dropped / (40 * 3_500))
    assert covered >= 33, "95 % of 40, less four deviations"


@pytest.mark.parametrize("counter", ["sequence", "seq", "sequence_number", "offset"])
def test_a_tenth_that_never_came_is_an_error_with_an_interval(counter):
    sent = pl.DataFrame({"device": np.arange(3_000) % 7, counter: np.arange(3_000) // 7})
    assert sequence_gaps(sent, sent) == []
    lost = sent.filter(pl.Series(np.random.default_rng(0).random(3_000) >= 0.1))
    (found,) = sequence_gaps(lost, sent)
    assert found.severity == "error"
    assert found.evidence.startswith(f"{counter} by device: ")
    assert lost.filter(found.where).height == found.rows > 200


def test_producers_that_share_one_counter_are_one_sequence():
    sent = pl.DataFrame({"device": np.random.default_rng(0).integers(0, 50, 2_000)})
    sent = sent.with_columns(sequence=pl.int_range(pl.len()))
    (found,) = sequence_gaps(sent.filter(pl.col("sequence") % 9 != 4), sent)
    assert found.evidence.startswith("sequence: ")


def test_positions_of_clicks_were_never_without_holes():
    clicks = pages().filter(pl.Series(np.random.default_rng(0).random(4_000) < 0.1))
    assert sequence_gaps(clicks.head(200), clicks) == []


def test_too_few_places_are_not_judged():
    few = pages(requests=2)
    assert sequence_gaps(few.filter(pl.col("position") != 5), pages()) == []


def test_orphans_are_counted_by_request_and_item():
    clicks = pages().select("request", item="position")
    now, before = clicks[2_000:], clicks[:2_000]
    there = clicks.filter((pl.col("request") < 200) | (pl.col("item") != 3)).lazy()
    (found,) = orphans(now, before, there, "impression")
    assert (found.severity, found.rows) == ("error", 200)
    assert found.evidence.startswith("no impression for 10.0 % (8.8 to 11.4 %) of requests and")
    assert now.filter(found.where)["item"].unique().to_list() == [3]
    assert orphans(now, before, clicks.lazy(), "impression") == []


def test_kinds_that_never_knew_each_other_are_not_judged():
    clicks = pages().select("request")
    assert orphans(clicks[2_000:], clicks[:2_000], pl.LazyFrame({"request": [1]})) == []
    assert orphans(clicks[2_000:], clicks[:2_000], pl.LazyFrame({"user": [1]})) == []


def test_a_tenth_of_the_clicks_is_missed_on_a_day_with_twice_the_people():
    rng = np.random.default_rng(0)
    people = rng.uniform(1, 2, 29)
    shown = {day: int(20_000 * people[day]) for day in range(29)}
    clicks = {day: int(rng.binomial(shown[day], 0.1)) for day in range(29)}
    assert ratios({"impression": shown, "click": clicks}) == []
    clicks[0] = int(clicks[0] * 0.85)
    (found,) = ratios({"impression": shown, "click": clicks})
    assert (found.check, found.severity, found.kind) == ("volume", "warning", "click")
    assert ratios({"impression": shown, "click": clicks}, late=frozenset({"click"})) == []


def test_labels_are_counted_by_the_day_of_what_they_label():
    at = datetime(2026, 3, 31, tzinfo=UTC)
    times = [at - timedelta(days=3, hours=1) - timedelta(days=n % 30) for n in range(3_000)]
    paid = pl.LazyFrame({"request": range(3_000), "time": times})
    late = pl.col("time") + pl.duration(days=2)
    complaints = paid.filter(pl.col("request") % 60 < 30, pl.col("request") % 2 == 0)
    complaints = complaints.select("request", known_at=late)
    days = cohorts(paid, complaints, at, 3)
    assert days["parents"].to_list() == [100] * 29
    assert days["labels"].to_list() == [50 * (day % 2 == 0) for day in range(29)]
    same = days.with_columns(labels=pl.lit(20))
    assert label_rate(same) == []
    fewer = same.with_columns(labels=pl.when(pl.col("day") == 0).then(0).otherwise(20))
    (found,) = label_rate(fewer, "payment")
    assert (found.check, found.severity) == ("label delay", "warning")
