"""Online Retail II in the vocabulary: a British gift shop's invoice lines, December 2009 to 2010.

One line of an invoice becomes one event, and every line is kept:

    goods sold for a price                         ──► purchase
    goods on a credit note (invoice C…)            ──► refund
    postage, discounts, bad debt, write-offs, …    ──► adjustment   with the word for it in `what`
    an item's first price, and each new one        ──► listing
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from workbench.contracts import Column, Contract

__all__ = ["ASSUMPTIONS", "CONTRACTS", "KINDS", "events", "table"]

KINDS: Mapping[str, int] = MappingProxyType(
    {"purchase": 509_306, "refund": 9_583, "adjustment": 6_572, "listing": 30_145}
)

ASSUMPTIONS = (
    "Times are the shop's own, Europe/London; all was known at once (known_at = time).",
    "Amounts are pounds: quantity x price of one. A refund's is what was given back, positive; an "
    "adjustment's keeps its sign.",
    "20.5 % of the lines name no customer. Sold goods and refunds among them get one guest per "
    "invoice: user = -invoice number, guest = true; filter by ~guest for customers. A guest is no "
    "person: 736 invoices, those with DOTCOM POSTAGE, look like bundled orders of the web shop: "
    "up to 675 lines, most of one unit, at about twice the price.",
    "Stock codes are trimmed and in capitals: 85123a is 85123A.",
    "A line is no sale but an adjustment when its price is 0 or less or its code is none of goods: "
    "postage, fees, manual entries, discounts, samples, corrections, bad debt, tests. Gift "
    "vouchers (GIFT_0001_…, 46 lines) count as goods.",
    "Equal lines of one invoice (6,865 repeat an earlier one) are separate purchases.",
    "A refund's request is its own credit note: the data does not say which invoice it takes back. "
    "What is taken back stays a purchase, also when it was a typing error.",
    "A listing is an item's first sale, then a day's first sale to a named customer at another "
    "price than was listed last; a discount for a large quantity looks like a new price. 997 items "
    "first sell to a guest: their first listing is the web shop's price.",
)

_WHAT = {
    "POST": "postage", "DOT": "postage", "C2": "postage", "C3": "postage",
    "BANK CHARGES": "fee", "AMAZONFEE": "fee", "M": "manual", "D": "discount", "S": "sample",
    "B": "bad debt", "ADJUST": "correction", "ADJUST2": "correction",
    "TEST001": "test", "TEST002": "test",
}  # fmt: skip

_LINE = (
    Column(name="request", dtype="id", required=True),  # the invoice
    Column(name="item", dtype="id", required=True),
    Column(name="amount", dtype="float", required=True),
    Column(name="quantity", dtype="int", required=True),
    Column(name="price", dtype="float", required=True),
    Column(name="place", dtype="word"),
    Column(name="guest", dtype="bool"),
)
CONTRACTS = (
    Contract("refund", (Column(name="user", dtype="id", required=True), *_LINE)),
    Contract(
        "adjustment",
        (
            Column(name="user", dtype="id"),
            *_LINE,
            Column(name="what", dtype="word", required=True),
            Column(name="title", dtype="word"),
        ),
    ),
)


def table(folder: Path) -> pl.DataFrame:
    """The lines as published, 525,461 rows."""
    return pl.read_parquet(folder / "online_retail.parquet")


def events(folder: Path) -> dict[str, pl.DataFrame]:
    """The lines as events; see ASSUMPTIONS. `event` is the line's row number as published."""
    lines = _lines(folder).collect()
    columns = [
        "event",
        "time",
        "known_at",
        "request",
        "user",
        "item",
        "amount",
        "quantity",
        "price",
    ]
    columns += ["place", "guest"]
    kinds = {
        kind: lines.filter(pl.col("kind") == kind).select(columns)
        for kind in ("purchase", "refund")
    }
    kinds["refund"] = kinds["refund"].with_columns(-pl.col("amount"), -pl.col("quantity"))
    rest = lines.filter(pl.col("kind") == "adjustment")
    kinds["adjustment"] = rest.select(
        pl.all().exclude("kind", "what", "title", "user"),
        user=pl.when("guest").then(None).otherwise("user"),
        what="what",
        title="title",
    ).select(*columns, "what", "title")
    kinds["listing"] = _listings(lines.filter(pl.col("kind") == "purchase"))
    return kinds


def _lines(folder: Path) -> pl.LazyFrame:
    time = (
        pl.col("InvoiceDate")
        .str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us")
        .dt.replace_time_zone("Europe/London")
        .dt.convert_time_zone("UTC")
    )
    invoice = pl.col("Invoice").str.extract(r"(\d+)$").cast(pl.Int64)
    guest = pl.col("Customer ID").is_null()
    lines = pl.scan_parquet(folder / "online_retail.parquet").select(
        event=pl.int_range(pl.len(), dtype=pl.Int64),
        time=time,
        known_at=time,
        request=invoice,
        user=pl.when(guest).then(-invoice).otherwise(pl.col("Customer ID").cast(pl.Int64)),
        item=pl.col("StockCode").str.strip_chars().str.to_uppercase(),
        amount=pl.col("Quantity") * pl.col("Price"),
        quantity=pl.col("Quantity"),
        price=pl.col("Price"),
        place=pl.col("Country"),
        guest=guest,
        title=pl.col("Description").str.strip_chars(),
        prefix=pl.col("Invoice").str.extract(r"^([A-Za-z]*)"),
    )
    what = (
        pl.when(pl.col("price") == 0)
        .then(pl.lit("no price"))
        .otherwise(pl.col("item").replace_strict(_WHAT, default=None, return_dtype=pl.String))
    )
    sold = (pl.col("prefix") == "") & (pl.col("quantity") > 0) & (pl.col("price") > 0)
    given_back = (pl.col("prefix") == "C") & (pl.col("quantity") < 0) & (pl.col("price") > 0)
    kind = (
        pl.when(pl.col("what").is_null() & sold)
        .then(pl.lit("purchase"))
        .when(pl.col("what").is_null() & given_back)
        .then(pl.lit("refund"))
        .otherwise(pl.lit("adjustment"))
    )
    named = lines.with_columns(what=what).with_columns(kind=kind)
    return named.with_columns(pl.col("what").fill_null("contradiction")).drop("prefix")


def _listings(sold: pl.DataFrame) -> pl.DataFrame:
    """An item's first sale, and a day's first to a named customer at another price."""
    day = pl.col("time").dt.date()
    first = pl.col("item").is_first_distinct()
    first_of_day = (
        ~pl.col("guest") & pl.struct("item", "guest", day.alias("day")).is_first_distinct()
    )
    shown = sold.filter(first | first_of_day)
    changed = (pl.col("price") != pl.col("price").shift(1).over("item")).fill_null(True)
    return shown.filter(changed).select(
        "event", "time", "known_at", "item", amount="price", title="title"
    )
