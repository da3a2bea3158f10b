"""The Fraud Detection Handbook's card transactions in the vocabulary.

    a transaction            ──► payment
    a fraudulent one, later  ──► chargeback    `label_delay_days` after the payment

The set says at once what was fraud; a bank hears of it when the customer complains. The delay is
the Handbook's own protocol [1]_: a week goes by between the training and the test data.

References
----------
.. [1] Y.-A. Le Borgne, W. Siblini, B. Lebichot, G. Bontempi (2022), "Reproducible Machine Learning
   for Credit Card Fraud Detection - Practical Handbook", chapter 5.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from workbench.data.digest import table_digest
from workbench.data.download import ChecksumError
from workbench.data.pickled import read_pickled_table
from workbench.data.sources import SOURCES

__all__ = ["ASSUMPTIONS", "CONTRACTS", "KINDS", "LABEL_DELAY_DAYS", "events", "make", "table"]

KINDS: Mapping[str, int] = MappingProxyType({"payment": 872_795, "chargeback": 6_845})
LABEL_DELAY_DAYS = 7.0
CONTRACTS = ()

ASSUMPTIONS = (
    "The set says at once what was fraud. Here each is reported label_delay_days later, 7 by "
    "default as in the Handbook's protocol: time is the payment's, known_at that much later.",
    "So nothing is known before a horizon that is longer than the delay: take 8 days for 7.",
    "The simulated times have no zone: read as UTC. A payment is known at once.",
    "A terminal is a seller. Amounts have no currency: read as dollars.",
    "The scenario of a fraud (TX_FRAUD_SCENARIO) is what no bank would know: only in public.table.",
)

_COLUMNS = {
    "TRANSACTION_ID": pl.Int64, "TX_DATETIME": pl.Datetime("us"), "CUSTOMER_ID": pl.Int64,
    "TERMINAL_ID": pl.Int64, "TX_AMOUNT": pl.Float64, "TX_TIME_SECONDS": pl.Int64,
    "TX_TIME_DAYS": pl.Int64, "TX_FRAUD": pl.Int64, "TX_FRAUD_SCENARIO": pl.Int64,
}  # fmt: skip


def table(folder: Path) -> pl.DataFrame:
    """The transactions as published, 872,795 rows, joined in the order of days.

    Raises ChecksumError if they are not those.
    """
    path = folder / SOURCES["cards"].made
    return _checked(pl.read_parquet(path), f"{path} does not say what was published; delete it")


def make(folder: Path) -> None:
    """Join the daily files, which are pickles, into one table that is safe to read.

    Raises ValueError if a file is no table, or the tables together are not what was published.
    """
    days = [read_pickled_table(folder / file.path) for file in SOURCES["cards"].files]
    joined = pl.concat([day.cast(_COLUMNS) for day in days])
    path = folder / SOURCES["cards"].made
    _checked(
        joined,
        f"the {len(days)} daily files in {folder} are not what was published; they are deleted",
    )
    new = path.with_suffix(".new")
    joined.write_parquet(new)
    os.replace(new, path)


def events(folder: Path, *, label_delay_days: float = LABEL_DELAY_DAYS) -> dict[str, pl.DataFrame]:
    """The transactions as payments, and the frauds as chargebacks that arrive late.

    Raises ValueError if the delay is negative or not a number.
    """
    if not 0 <= label_delay_days < float("inf"):
        raise ValueError(f"label_delay_days must be 0 or more, got {label_delay_days}")
    transactions = table(folder)
    time = pl.col("TX_DATETIME").dt.replace_time_zone("UTC")
    payment = transactions.select(
        event="TRANSACTION_ID",
        time=time,
        known_at=time,
        request="TRANSACTION_ID",
        user="CUSTOMER_ID",
        seller="TERMINAL_ID",
        amount="TX_AMOUNT",
    )
    reported = pl.col("time") + pl.duration(microseconds=round(label_delay_days * 86_400e6))
    chargeback = payment.filter(transactions["TX_FRAUD"] == 1).with_columns(known_at=reported)
    return {"payment": payment, "chargeback": chargeback}


def _checked(transactions: pl.DataFrame, otherwise: str) -> pl.DataFrame:
    transactions = transactions.select(*_COLUMNS).cast(_COLUMNS)
    found, published = table_digest(transactions), SOURCES["cards"].table_sha256
    if found != published:
        raise ChecksumError(
            f"{otherwise} and load cards again (SHA-256 of the columns {found}, not {published})"
        )
    return transactions
