"""The card names planted differences, and finds none between a log and itself."""

import numpy as np
import polars as pl
import pytest

from workbench.events import EventLog
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.studies import validity
from workbench.studies.validity import CardSpec, Record, validity_card, world_card

DAYS, FAST = 42, CardSpec(draws=40)


def shop(seed=0, *, exponent=0.7, hour=14.0, dearer=1.0, lines=12_000) -> dict[str, pl.DataFrame]:
    """Sales of 400 items to 500 people over six weeks, by the dials that a test turns."""
    rng = np.random.default_rng(seed)
    weight = np.arange(1, 401) ** -exponent
    visit = np.sort(rng.integers(0, lines // 2, lines))  # two lines each on average
    day = rng.integers(0, DAYS, lines // 2)[visit]
    minute = np.clip(rng.normal(60 * hour, 150, lines // 2), 0, 1439)[visit].astype(int)
    start = pl.datetime(2026, 1, 5, time_zone="UTC")
    item = rng.choice(400, lines, p=weight / weight.sum())
    frame = pl.DataFrame(
        {
            "request": visit, "user": rng.integers(0, 500, lines // 2)[visit], "item": item,
            "amount": dearer * rng.lognormal(3, 0.8, lines), "day": day, "minute": minute,
        }
    )  # fmt: skip
    times = frame.with_columns(time=start + pl.duration(days="day", minutes="minute"))
    sales = times.drop("day", "minute").with_row_index("event")
    listing = sales.unique("item", keep="first", maintain_order=True)
    return {"purchase": sales, "listing": listing.select("event", "time", "item", "amount")}


def cards(seed=0, *, frauds=0.02, dearer=2.0, rows=20_000) -> dict[str, pl.DataFrame]:
    """Payments of 300 people over eight weeks; frauds are complained of within days."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < frauds
    minute, user = rng.integers(0, 56 * 1440, rows), rng.integers(0, 300, rows)
    amount = rng.lognormal(3, 1, rows) * np.where(fraud, dearer, 1)
    known = minute + 1440 * rng.exponential(3, rows)
    start = pl.datetime(2026, 1, 5, time_zone="UTC")
    payment = pl.DataFrame(
        {"request": range(rows), "user": user, "amount": amount, "minute": minute, "known": known}
    ).with_columns(time=start + pl.duration(minutes="minute"))
    late = payment.with_columns(known_at=start + pl.duration(minutes="known"))
    chargeback = late.filter(pl.Series(fraud) & (pl.col("known") < 56 * 1440))
    columns = ["request", "user", "amount", "time"]
    return {
        "payment": payment.select(columns),
        "chargeback": chargeback.select(*columns, "known_at"),
    }


def card(world, real, **settings):
    records = [Record(name=name, events=events) for name, events in real.items()]
    return validity_card(Record(name="world", events=world), records, spec=FAST, **settings)


def test_a_log_is_like_itself_in_every_line():
    both = shop() | cards()
    drawn = card(both, {"itself": both})
    assert {line.verdict for line in drawn} == {"like"}
    assert len(drawn.lines) > 35
    assert {line.value for line in drawn if line.measure == "ratio"} == {1.0}
    assert {line.value for line in drawn if line.measure == "distance"} == {0.0}


def test_two_logs_of_one_law_are_like_each_other_where_the_card_is_sure():
    drawn = card(shop(seed=1) | cards(seed=1), {"real": shop(seed=2) | cards(seed=2)})
    assert not [line for line in drawn if line.verdict != "like" and line.sure]


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ({"hour": 18.0}, {"hours of baskets"}),
        ({"dearer": 3.0}, {"amount of a basket, median"}),
        ({"exponent": 1.1}, {"top 1 % of items, share of lines", "Zipf exponent of lines",
                             "top 10 % of items, share of lines"}),
    ],
    ids=["hours", "amounts", "popularity"],
)  # fmt: skip
def test_a_planted_difference_is_named_and_nothing_else(planted, named):
    drawn = card(shop(seed=1, **planted), {"real": shop(seed=2)})
    assert {line.moment for line in drawn if line.verdict == "other" and line.sure} == named


def test_the_size_of_a_planted_difference_is_within_its_interval():
    dear = card(shop(seed=1, dearer=3.0), {"real": shop(seed=2)})["amount of a basket, median"]
    assert dear.low < 3.0 < dear.high
    steep = card(shop(seed=1, exponent=1.1, lines=40_000), {"real": shop(seed=2)})
    assert steep["Zipf exponent of lines"].world == pytest.approx(1.1, abs=0.05)


def test_dearer_and_more_frauds_are_named():
    drawn = card(cards(seed=1, frauds=0.04, dearer=4.0), {"real": cards(seed=2)})
    named = {line.moment for line in drawn if line.verdict == "other" and line.sure}
    assert {"payments complained of, share", "fraud / honest amount, medians"} <= named
    assert drawn["payments complained of, share"].world == pytest.approx(0.04, abs=0.01)


def test_kinds_that_the_world_lacks_are_not_modelled():
    world = {"purchase": shop()["purchase"]}
    drawn = card(world, {"real": shop(seed=1), "cards": cards()})
    assert drawn["item price, log-sd"].verdict == "not modelled"
    assert {line.verdict for line in drawn if line.against == "cards"} == {"not modelled"}
    assert drawn["lines per basket"].verdict == "like"


def test_a_log_without_fraud_has_no_fraud_and_no_error():
    clean = {"payment": cards()["payment"]}
    drawn = card(clean, {"real": cards()})
    assert {line.verdict for line in drawn if line.section == "fraud"} == {"not modelled"}
    none = cards()["chargeback"].clear()
    assert card(clean | {"chargeback": none}, {"real": cards()}).table.equals(drawn.table)


def test_what_no_real_set_has_is_shown_without_a_verdict():
    real = {"payment": cards()["payment"]}
    drawn = card(cards(), {"real": real})
    complained = drawn["payments complained of, share"]
    assert (complained.verdict, complained.against) == ("no data", "no set")
    assert complained.world == pytest.approx(0.02, abs=0.005)


def test_a_share_of_nothing_is_not_modelled_rather_than_a_ratio_of_zero():
    real = shop(seed=2)
    guests = real | {"purchase": real["purchase"].with_columns(guest=pl.col("request") % 5 == 0)}
    line = card(shop(), {"real": guests})["lines without a customer, share"]
    assert (line.verdict, line.world) == ("not modelled", 0.0)
    assert line.real == pytest.approx(0.2, abs=0.02)


def test_one_rare_event_against_none_is_no_difference():
    real = shop(seed=2)
    one = real | {"purchase": real["purchase"].with_columns(guest=pl.col("event") == 7)}
    line = card(shop(), {"real": one})["lines without a customer, share"]
    assert (line.world, line.verdict, line.sure) == (0.0, "like", False)
    assert line.real > 0


def test_the_share_that_comes_back_does_not_depend_on_how_long_the_other_was_watched():
    twice = shop(seed=2)["purchase"]
    later = twice.with_columns(pl.col("time") + pl.duration(days=DAYS), request=-pl.col("request"))
    year = {"purchase": pl.concat([twice, later.cast(dict(twice.schema))])}
    drawn = card({"purchase": shop(seed=1)["purchase"]}, {"real": year})
    assert drawn["buyers who come back, share"].verdict == "like"
    assert drawn["baskets per buyer and 30 days"].value == pytest.approx(1.0, abs=0.1)


def test_hours_are_told_in_the_zone_of_the_record():
    evening = Record(name="there", events=shop(), zone="Asia/Tokyo")
    drawn = validity_card(Record(name="here", events=shop()), [evening], spec=FAST)
    line = drawn["hours of baskets"]
    assert (line.real - line.world) % 24 == 9
    assert line.verdict == "other"


def test_pandas_tables_give_the_same_card():
    world, real = shop(seed=1) | cards(seed=1), shop(seed=2) | cards(seed=2)
    pandas = {kind: frame.to_pandas() for kind, frame in world.items()}
    assert card(pandas, {"real": real}).table.equals(card(world, {"real": real}).table)


def test_ids_may_be_words():
    world = shop() | cards()
    words = {
        kind: frame.with_columns(
            pl.col(sorted({"user", "item", "request"} & {*frame.columns})).cast(str)
        )
        for kind, frame in world.items()
    }
    assert {line.verdict for line in card(words, {"real": world})} == {"like"}


def test_three_payments_make_a_card_that_is_sure_of_little():
    days = pl.duration(days=pl.Series([0, 8, 20]))
    few = cards()["payment"].head(3).with_columns(time=pl.col("time").min() + days)
    drawn = card({"payment": few}, {"real": cards()})
    assert drawn["amount of a payment, log-sd"].sure is False
    assert drawn["payments per payer and 30 days"].verdict == "other"


def test_the_order_of_rows_does_not_matter():
    world, real = shop(seed=1) | cards(seed=1), {"real": shop(seed=2) | cards(seed=2)}
    mixed = {kind: frame.sample(fraction=1, shuffle=True, seed=3) for kind, frame in world.items()}
    first, again = card(world, real), card(mixed, real)
    assert [line.verdict for line in first] == [line.verdict for line in again]
    assert [line.world for line in first] == pytest.approx([line.world for line in again])


def test_the_report_fits_the_page_and_says_what_is_not_modelled():
    drawn = card(shop(seed=1, hour=19), {"real": shop(seed=2)})
    lines = repr(drawn).splitlines()
    assert max(map(len, lines)) <= 90
    assert any(line.startswith("hours of baskets") and line.endswith("other") for line in lines)
    page = " ".join(repr(drawn).split())
    assert all(words in page for words in (*validity.NOT_MODELLED, *validity.NOT_COMPARED))
    assert drawn.table.height == len(drawn.lines)
    assert drawn["hours of baskets"].comment in page


def test_the_truth_adds_its_own_line_and_changes_no_other(world):
    played, log, real = world
    plain = validity_card(Record(name="world", events=log), real, spec=FAST)
    told = validity_card(Record(name="world", events=log), real, truth=played.truth, spec=FAST)
    assert [line.moment for line in told if line not in plain.lines] == ["frauds, true share"]
    payment = log.scan("payment").collect()
    true = played.truth.is_fraud(payment).mean()
    assert told["frauds, true share"].world == pytest.approx(true)
    assert told["frauds, true share"].real == plain["payments complained of, share"].real


def test_a_world_is_played_on_its_own_and_its_card_drawn(world, tmp_path):
    _, log, real = world
    assert {"payment", "purchase", "impression"} <= set(log.kinds)
    decision = log.scan("decision").collect()
    assert set(decision.filter(pl.col("surface") == "checkout")["action"]) == {"approve"}
    drawn = world_card(*_small(tmp_path / "again"), real, spec=FAST)
    assert drawn["frauds, true share"].world > 0
    assert "500 users" in repr(drawn)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    played, log = _small(tmp_path_factory.mktemp("card"))
    real = [Record(name="cards", events=cards()), Record(name="shop", events=shop())]
    world_card(played, log, real, spec=FAST)
    return played, log, real


def _small(folder):
    played = Marketplace(MarketplaceSpec(users=500, items=100, days=21, fraud_share=0.05))
    return played, EventLog(folder, clock=played.clock)


SHORT = shop()["purchase"].filter(pl.col("time") < pl.datetime(2026, 1, 12, time_zone="UTC"))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ({}, "world has neither purchase nor payment events; it has none"),
        ({"click": shop()["purchase"]}, "it has none"),
        ({"payment": cards()["payment"].drop("amount")}, "payment of world has no column 'amount'"),
        ({"purchase": SHORT}, "span 7 days; a card needs 14 or more"),
        (shop()["purchase"], "must be a log or a mapping of kind to table, got DataFrame"),
        ({"purchase": shop()["purchase"].with_columns(pl.col("time").dt.replace_time_zone(None))},
         "times need a zone"),
        ({"purchase": shop()["purchase"].with_columns(item=None)}, "item of purchase of world is"),
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_judged_is_refused_by_name(events, words):
    with pytest.raises(ValueError, match=words):
        card(events, {"real": shop()})


def test_wrong_settings_are_refused_with_the_rule():
    with pytest.raises(ValueError, match="at least one record"):
        card(shop(), {})
    with pytest.raises(ValueError, match=r"no kind \(purchase, payment\) that the others have"):
        card(shop(), {"real": cards()})
    with pytest.raises(ValueError, match="zone must be one such as Europe/London, got 'Londn'"):
        validity_card(
            Record(name="a", events=shop(), zone="Londn"), [Record(name="b", events=shop())]
        )
    for settings, words in [({"ratio": 0.9}, "at least 1"), ({"distance": 2}, r"\[0, 1\]"),
                            ({"draws": 3}, "at least 20")]:  # fmt: skip
        with pytest.raises(ValueError, match=words):
            CardSpec(**settings)
    with pytest.raises(KeyError, match="gini"):
        card(cards(), {"real": cards()})["gini"]
