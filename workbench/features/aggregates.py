"""The features there are: count, sum, mean, share, distinct, time_since, and the ratio of two.

All take the same words: `of` an event kind, `per` an entity, the window in `days` or `hours`,
`where` a condition holds, `lag_days` for labels that come late, and a `name` of one's own. There
are more than five parameters because this is a small language, and its sentences are short.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from workbench.features.definition import Feature, Ratio

__all__ = ["count", "distinct", "mean", "ratio", "share", "sum", "time_since"]


def count(
    of: str,
    *,
    per: str | Sequence[str],
    days: float | None = None,
    hours: float | None = None,
    where: str | None = None,
    lag_days: float = 0.0,
    name: str = "",
) -> Feature:
    """How many events; 0 when there are none.

    Parameters
    ----------
    of : str
        Event kind, such as "payment".
    per : str or sequence of str
        Key column or columns: "user", ("user", "device").
    days, hours : float, optional
        Length of the window; both given add up, none given means ever.
    where : str, optional
        SQL condition on the events, such as "amount > 100".
    lag_days : float, default 0
        The window ends this long before the request.
    name : str, optional
        Column name; a speaking one is made up when missing.

    Raises
    ------
    ValueError
        If the window is not positive, the lag negative, or the condition cannot be read.

    Examples
    --------
    >>> feature = count("payment", per="user", days=30)
    >>> feature.name, feature.version
    ('count_payment_per_user_30d', 'b2c1da41')
    >>> feature == count("payment", per=["user"], hours=720)
    True
    """
    return _feature("count", None, of, per, days, hours, where, lag_days, name)


def sum(
    column: str,
    *,
    of: str,
    per: str | Sequence[str],
    days: float | None = None,
    hours: float | None = None,
    where: str | None = None,
    lag_days: float = 0.0,
    name: str = "",
) -> Feature:
    """Sum of a column, in its own unit; 0 when there are no events. Parameters as for `count`.

    >>> sum("amount", of="payment", per="user", hours=1).name
    'sum_amount_of_payment_per_user_1h'
    """
    return _feature("sum", column, of, per, days, hours, where, lag_days, name)


def mean(
    column: str,
    *,
    of: str,
    per: str | Sequence[str],
    days: float | None = None,
    hours: float | None = None,
    where: str | None = None,
    lag_days: float = 0.0,
    name: str = "",
) -> Feature:
    """Mean of a column over the events where it is not null; null when there are none.

    >>> mean("amount", of="payment", per=("user", "device"), days=7, where="amount > 5").name
    'mean_amount_of_payment_per_user_device_7d_where_amount_over_5'
    """
    return _feature("mean", column, of, per, days, hours, where, lag_days, name)


def share(
    condition: str,
    *,
    of: str,
    per: str | Sequence[str],
    days: float | None = None,
    hours: float | None = None,
    where: str | None = None,
    lag_days: float = 0.0,
    name: str = "",
) -> Feature:
    """Share of events that meet a condition, in [0, 1]; null when there are none.

    `condition` is SQL ("amount > 100") or a column of zeros and ones ("label"). Events for which
    it is null count neither way.

    >>> share("label", of="payment", per="seller", days=28, lag_days=7).name
    'share_label_of_payment_per_seller_28d_lag_7d'
    """
    return _feature("share", condition, of, per, days, hours, where, lag_days, name)


def distinct(
    column: str,
    *,
    of: str,
    per: str | Sequence[str],
    days: float | None = None,
    hours: float | None = None,
    where: str | None = None,
    lag_days: float = 0.0,
    name: str = "",
) -> Feature:
    """How many different values of a column, exactly; null is no value, 0 when there are none.

    >>> distinct("device", of="payment", per="user", days=1).name
    'distinct_device_of_payment_per_user_1d'
    """
    return _feature("distinct", column, of, per, days, hours, where, lag_days, name)


def time_since(
    *,
    of: str,
    per: str | Sequence[str],
    days: float | None = None,
    hours: float | None = None,
    where: str | None = None,
    lag_days: float = 0.0,
    name: str = "",
) -> Feature:
    """Days since the latest event; null when there is none in the window.

    >>> time_since(of="payment", per="user").name
    'days_since_payment_per_user'
    """
    return _feature("time_since", None, of, per, days, hours, where, lag_days, name)


def ratio(over: Feature, under: Feature, *, name: str = "") -> Ratio:
    """One feature over another; null where the lower one is null or zero.

    >>> day, month = (mean("amount", of="payment", per="user", days=d) for d in (1, 30))
    >>> ratio(day, month, name="spend_trend").version
    '205a8d11'
    """
    return Ratio(over=over, under=under, name=name)


def _feature(aggregate, column, of, per, days, hours, where, lag_days, name) -> Feature:
    window = None
    if days is not None or hours is not None:
        window = timedelta(days=days or 0, hours=hours or 0)
    per = (per,) if isinstance(per, str) else tuple(per)
    return Feature(
        aggregate=aggregate,
        of=of,
        per=per,
        column=column,
        window=window,
        lag=timedelta(days=lag_days),
        where=where,
        name=name,
    )
