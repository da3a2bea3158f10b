"""What the past tells about a payment: who pays, from where, to whom, and how that ended before."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from workbench import features
from workbench.features import Feature, Ratio

__all__ = ["add_request_columns", "card_history", "frame", "history", "inputs"]

_KEYS = ("user", "seller", "device", "place")


def card_history(*, label_delay_days: float = 7.0) -> list[Feature | Ratio]:
    """The twelve history features of the Fraud Detection Handbook's protocol.

    Payments and mean amount of the user, and payments and fraud risk of the seller, each over 1,
    7 and 30 days. The seller's windows end `label_delay_days` before the payment, because younger
    frauds are not known yet. With amount, night and weekend they are the Handbook's fifteen.

    Notes
    -----
    Le Borgne et al. (2022), "Reproducible Machine Learning for Credit Card Fraud Detection",
    chapter 3, "Baseline feature transformation". There the payment itself counts in its own
    windows; here only what came before it.

    Examples
    --------
    >>> [feature.name for feature in card_history()][:4]
    ['user_payments_1d', 'user_mean_amount_1d', 'seller_payments_1d', 'seller_risk_1d']
    """
    made = []
    for days in (1, 7, 30):
        made += [
            features.count("payment", per="user", days=days, name=f"user_payments_{days}d"),
            features.mean(
                "amount", of="payment", per="user", days=days, name=f"user_mean_amount_{days}d"
            ),
            *_risk("seller", days, label_delay_days),
        ]
    return made


def history(
    keys: Sequence[str] = ("user", "seller"), *, label_delay_days: float = 21.0
) -> list[Feature | Ratio]:
    """History features for the key columns that the payments have.

    Parameters
    ----------
    keys : sequence of str
        Any of user, seller, device, place. The user is always among them.
    label_delay_days : float, default 21
        How long a chargeback takes; a seller's risk looks at payments at least that old.

    Returns
    -------
    list of Feature or Ratio
        Counts per user over 1 hour, 1 day, 7 days; the usual amount over 30 days; days since the
        last payment. With device: its payments and its users in a day, and how often this user
        had it (0: new). With place: how often this user paid there (0: foreign). With seller:
        payments and risk over 7 and 30 days.

    Raises
    ------
    ValueError
        If a key is none of the four.

    Examples
    --------
    >>> len(history()), len(history(["user", "device", "place"]))
    (9, 9)
    """
    unknown = sorted(set(keys) - set(_KEYS))
    if unknown:
        raise ValueError(f"history knows the keys {_KEYS}, got {unknown[0]!r}")
    count = features.count
    made = [
        count("payment", per="user", hours=1, name="user_payments_1h"),
        count("payment", per="user", days=1, name="user_payments_1d"),
        count("payment", per="user", days=7, name="user_payments_7d"),
        features.mean("amount", of="payment", per="user", days=30, name="user_usual_amount"),
        features.time_since(of="payment", per="user", name="user_days_since_payment"),
    ]
    if "device" in keys:
        made += [
            count("payment", per="device", days=1, name="device_payments_1d"),
            features.distinct("user", of="payment", per="device", days=1, name="device_users_1d"),
            count("payment", per=("user", "device"), name="user_had_device"),
        ]
    if "place" in keys:
        made.append(count("payment", per=("user", "place"), name="user_was_here"))
    if "seller" in keys:
        made += [*_risk("seller", 7, label_delay_days), *_risk("seller", 30, label_delay_days)]
    return made


def frame(requests, wanted: Sequence[Feature | Ratio], log) -> pl.DataFrame:
    """The requests with history features and what the request itself tells.

    Parameters
    ----------
    requests : polars.DataFrame, n rows
        `time`, `amount` and the keys of the features.
    wanted : sequence of Feature or Ratio
        From `history` or `card_history`, or one's own.
    log : EventLog or mapping of kind to frame
        As for `features.training_frame`.

    Returns
    -------
    polars.DataFrame, n rows
        More columns: the features, `night_utc` (before seven), `weekend_utc`, and
        `amount_over_usual` where `user_usual_amount` is among the features.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> asked = pl.DataFrame({"user": [1], "amount": [9.0], "seller": [2],
    ...                       "time": [datetime(2024, 5, 4, 3, tzinfo=UTC)]})      # a Saturday
    >>> log = {kind: asked.clear().with_columns(known_at="time") for kind in
    ...        ("payment", "chargeback")}
    >>> frame(asked, history(), log).select("night_utc", "weekend_utc").row(0)
    (True, True)
    """
    made = features.training_frame(requests, wanted, log)
    if "amount" not in made.columns:
        raise ValueError(f"requests have no column 'amount'; they have {requests.columns}")
    return add_request_columns(made)


def add_request_columns(payments: pl.DataFrame) -> pl.DataFrame:
    """What the request itself tells; needs `time`, `amount`, and `user_usual_amount` if wanted."""
    utc = pl.col("time").dt.convert_time_zone("UTC")
    made = payments.with_columns(
        night_utc=utc.dt.hour() < 7,  # tx_during_night of the Handbook: hour <= 6
        weekend_utc=utc.dt.weekday() > 5,
    )
    if "user_usual_amount" in made.columns:
        made = made.with_columns(amount_over_usual=pl.col("amount") / pl.col("user_usual_amount"))
    return made


def inputs(wanted: Sequence[Feature | Ratio]) -> list[str | Feature | Ratio]:
    """What a model reads from `frame`, in order: columns of the request, then the features.

    Give it to `training.fit` as it is, so that the model remembers the features' versions.

    >>> len(inputs(card_history())), inputs(history())[3]
    (15, 'amount_over_usual')
    """
    usual = any(feature.name == "user_usual_amount" for feature in wanted)
    extra = ["amount_over_usual"] if usual else []
    return ["amount", "night_utc", "weekend_utc", *extra, *wanted]


def _risk(key: str, days: int, label_delay_days: float) -> list[Feature | Ratio]:
    """Payments of an entity when their labels were due, and the share of them that was fraud.

    A chargeback has the time of its payment and is known later, so both windows are the same and
    end where the labels do.
    """
    window = {"per": key, "days": days, "lag_days": label_delay_days}
    payments = features.count("payment", **window, name=f"{key}_payments_{days}d")
    frauds = features.count("chargeback", **window)
    return [payments, features.ratio(frauds, payments, name=f"{key}_risk_{days}d")]
