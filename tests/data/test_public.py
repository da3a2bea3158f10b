"""The real sets: what they hold, that nothing is lost, and that a log takes them whole."""

from datetime import UTC, datetime

import polars as pl
import pytest

from workbench.contracts import CONTRACTS, check
from workbench.data import cards, public
from workbench.data.digest import table_digest
from workbench.data.download import ChecksumError
from workbench.data.sources import SOURCES
from workbench.events import EventLog

pytestmark = pytest.mark.usefixtures("real_data")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", public.names())
def test_a_log_takes_every_event_once_and_quarantines_none(name, tmp_path):
    log = EventLog(tmp_path / "log")
    first = public.append(name, log)
    assert dict(first.added) == dict(public.describe(name).rows)
    assert not first.quarantined
    again = public.append(name, log)
    assert again.duplicates == sum(first.added.values())
    assert not again.added


@pytest.mark.parametrize("name", public.names())
def test_events_keep_their_contracts(name):
    own = {contract.kind: contract for contract in public.contracts(name)}
    for kind, frame in public.events(name).items():
        _, bad = check(frame, own.get(kind) or CONTRACTS[kind], NOW)
        assert bad.is_empty()


@pytest.mark.parametrize("name", public.names())
def test_every_address_names_a_commit_and_every_file_a_checksum(name):
    source = SOURCES[name]
    for file in source.files:
        assert len(file.url.split("/")[5]) == 40, "a commit, not a branch"
        assert source.made or len(file.sha256) == 64
    assert (source.made is None) == (source.table_sha256 is None)


def test_every_line_of_the_shop_becomes_one_event():
    events, lines = public.events("online-retail"), public.table("online-retail")
    assert lines.height == 525_461
    kinds = [events[kind] for kind in ("purchase", "refund", "adjustment")]
    rows = pl.concat([frame["event"] for frame in kinds]).sort()
    assert rows.equals(pl.Series("event", range(lines.height)))
    paid = sum(frame["amount"].sum() for frame in (kinds[0], kinds[2])) - kinds[1]["amount"].sum()
    assert paid == pytest.approx((lines["Quantity"] * lines["Price"]).sum())


def test_the_shop_keeps_london_time():
    purchase = public.events("online-retail")["purchase"]
    lines = public.table("online-retail")
    winter, summer = purchase.row(0, named=True), purchase.filter(pl.col("time").dt.month() == 7)
    assert winter["time"] == datetime(2009, 12, 1, 7, 45, tzinfo=UTC)
    event = summer["event"][0]
    clock = datetime.fromisoformat(lines["InvoiceDate"][event])
    assert summer["time"][0].replace(tzinfo=None).hour == clock.hour - 1  # British summer time


def test_guests_are_nobody_else_and_come_once():
    purchase = public.events("online-retail")["purchase"]
    guests = purchase.filter("guest")
    assert (guests["user"] == -guests["request"]).all()
    assert (purchase.filter(~pl.col("guest"))["user"] > 0).all()
    assert purchase.filter(~pl.col("guest"))["user"].n_unique() == 4_285
    assert public.table("online-retail")["Customer ID"].null_count() / 525_461 == pytest.approx(
        0.205, abs=5e-4
    )


def test_what_the_assumptions_say_about_the_web_shop_is_so():
    lines, events = public.table("online-retail"), public.events("online-retail")
    web = lines.filter((pl.col("StockCode") == "DOT").any().over("Invoice"))
    sizes = web.group_by("Invoice").len()["len"]
    assert (len(sizes), sizes.max(), web["Quantity"].median()) == (736, 675, 1)
    assert web["Customer ID"].null_count() == web.height
    assert web.height / lines["Customer ID"].null_count() > 0.85
    purchase = events["purchase"]
    prices = purchase.group_by("item", "guest").agg(pl.col("price").median())
    both = prices.pivot(on="guest", index="item", values="price").drop_nulls()
    assert (both["true"] / both["false"]).median() == pytest.approx(2.0, abs=0.01)
    assert purchase.filter(pl.col("item").str.starts_with("GIFT_0001_")).height == 46
    first = events["listing"].unique("item", keep="first", maintain_order=True)
    assert first.join(purchase.filter("guest"), on="event", how="semi").height == 997


def test_no_purchase_is_free_or_negative_and_no_refund_takes_money():
    events = public.events("online-retail")
    for kind in ("purchase", "refund"):
        assert events[kind].select((pl.col("amount", "price", "quantity") > 0).all()).row(0) == (
            True, True, True,
        )  # fmt: skip
    assert set(events["adjustment"]["what"]) == {
        "postage", "no price", "bad debt", "test", "sample", "discount", "manual", "correction",
        "fee",
    }  # fmt: skip


def test_a_listing_precedes_or_is_the_sale_and_says_something_new():
    events = public.events("online-retail")
    listing = events["listing"].sort("time", "event")
    first_sale = events["purchase"].group_by("item").agg(pl.col("time").min().alias("sold"))
    first_listed = listing.group_by("item").agg(pl.col("time").min().alias("listed"))
    both = first_sale.join(first_listed, on="item", how="full")
    assert both.null_count().sum_horizontal().item() == 0
    assert (both["sold"] == both["listed"]).all()
    again = listing.with_columns(before=pl.col("amount").shift(1).over("item"))
    assert not (again["before"] == again["amount"]).any()


def test_a_chargeback_is_known_a_week_after_its_payment_unless_said_otherwise():
    for days in (None, 0.0, 2.5):
        events = public.events("cards", label_delay_days=days)
        chargeback = events["chargeback"]
        delay = (chargeback["known_at"] - chargeback["time"]).dt.total_seconds() / 86_400
        assert (delay == (7.0 if days is None else days)).all()
        paid = events["payment"].join(chargeback, on="request", how="semi")
        assert paid["time"].equals(chargeback["time"])
        assert paid.height == public.table("cards")["TX_FRAUD"].sum() == 6_845


def test_the_policies_of_open_bandit_are_logged_with_their_propensities():
    events = public.events("open-bandit")
    decision, click = events["decision"], events["click"]
    assert decision["policy"].value_counts(sort=True)["count"].to_list() == [20_000, 20_000]
    random = decision.filter(pl.col("policy") == "random@1")
    by_page = {
        row[0]: row[1] for row in random.select("surface", "propensity").unique().iter_rows()
    }
    assert by_page == {"men": pytest.approx(1 / 34), "women": pytest.approx(1 / 46)}
    assert decision.select("request", "policy", "position").is_duplicated().sum() == 0
    clicked = click.join(decision, on=["request", "item", "position"], how="inner")
    assert clicked.height == click.height == 46 + 46 + 69 + 46
    width = events["features"].join(events["request"], on="request")
    assert width.group_by("surface").agg(pl.col("affinity").list.len().unique().first()).sort(
        "surface"
    ).rows() == [("men", 34), ("women", 46)]


def test_a_table_is_as_published():
    assert public.table("cards").columns[:2] == ["TRANSACTION_ID", "TX_DATETIME"]
    assert table_digest(public.table("cards")) == SOURCES["cards"].table_sha256
    assert public.table("open-bandit").height == 40_000


def test_daily_files_that_are_not_what_was_published_are_refused(tmp_path, monkeypatch):
    day = public.table("cards").head(5)
    monkeypatch.setattr(cards, "read_pickled_table", lambda _path: day)
    with pytest.raises(ChecksumError, match=r"91 daily files .* are not what was published"):
        cards.make(tmp_path)
    assert not list(tmp_path.iterdir())
    parts = public.table("cards").with_columns(day=pl.col("TX_TIME_DAYS")).partition_by("day")
    monkeypatch.setattr(cards, "read_pickled_table", lambda _path: parts.pop(0).drop("day"))
    cards.make(tmp_path)
    assert cards.table(tmp_path).height == 872_795


def test_wrong_names_and_delays_are_refused_by_name():
    with pytest.raises(ValueError, match="no public set 'card'; there are cards, online-retail"):
        public.events("card")
    with pytest.raises(ValueError, match="label_delay_days is for cards only"):
        public.events("open-bandit", label_delay_days=3)
    with pytest.raises(ValueError, match="label_delay_days must be 0 or more, got -1"):
        public.events("cards", label_delay_days=-1)


def test_a_description_fits_the_page_and_says_what_was_assumed():
    for name in public.names():
        text = repr(public.describe(name))
        assert "licence:" in text
        assert "assumed:" in text
        assert max(map(len, text.split("\n"))) <= 90
