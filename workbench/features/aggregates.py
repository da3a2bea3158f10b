"""The features there are, in words: `mean("amount", of="payment", per="user", days=30)`.

All take the words of `workbench.features.words.Words`, and the help of each shows them all.
"""

from __future__ import annotations

from typing import Unpack

from workbench.features.composed import Calendar, Formula, Ratio
from workbench.features.definition import Feature
from workbench.features.words import Words, feature_of, spelled_out

__all__ = [
    "calendar",
    "count",
    "distance_km",
    "distinct",
    "formula",
    "last",
    "latest",
    "max",
    "mean",
    "min",
    "ratio",
    "share",
    "std",
    "sum",
    "time_since",
    "values",
]


@spelled_out
def count(of: str, **words: Unpack[Words]) -> Feature:
    """How many events; 0 when there are none. The other words are those of `Words`.

    Raises
    ------
    ValueError
        If a window, step or session is not positive, the lag is negative, or a condition cannot
        be read.
    TypeError
        For a word that there is not.

    Examples
    --------
    >>> feature = count("payment", per="user", days=30)
    >>> feature.name, feature.version
    ('count_payment_per_user_30d', 'b2c1da41')
    >>> feature == count("payment", per=["user"], hours=720)
    True
    """
    return feature_of("count", None, {**words, "of": of})


@spelled_out
def sum(column: str, **words: Unpack[Words]) -> Feature:
    """Sum of a column, in its own unit; 0 when there are no events.

    >>> sum("amount", of="payment", per="user", hours=1).name
    'sum_amount_of_payment_per_user_1h'
    """
    return feature_of("sum", column, words)


@spelled_out
def mean(column: str, **words: Unpack[Words]) -> Feature:
    """Mean of a column over the events where it is not null; null when there are none.

    >>> mean("amount", of="payment", per=("user", "device"), days=7, where="amount > 5").name
    'mean_amount_of_payment_per_user_device_7d_where_amount_over_5'
    """
    return feature_of("mean", column, words)


@spelled_out
def min(column: str, **words: Unpack[Words]) -> Feature:
    """Smallest value of a column; null when there are none.

    >>> min("amount", of="payment", per="user", minutes=1).name
    'min_amount_of_payment_per_user_1m'
    """
    return feature_of("min", column, words)


@spelled_out
def max(column: str, **words: Unpack[Words]) -> Feature:
    """Greatest value of a column; null when there are none.

    >>> max("amount", of="payment", per="user", days=90, step_minutes=1440).name
    'max_amount_of_payment_per_user_90d_step_1d'
    """
    return feature_of("max", column, words)


@spelled_out
def std(column: str, **words: Unpack[Words]) -> Feature:
    """Standard deviation of a column, with n - 1; null for fewer than two values.

    In the log from exact sums, in a store merged pairwise [1]_: no rounded sums are subtracted.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque (1983), "Algorithms for computing the sample
       variance", The American Statistician 37, equation 1.5.

    >>> std("amount", of="payment", per="user", days=30).name
    'std_amount_of_payment_per_user_30d'
    """
    return feature_of("std", column, words)


@spelled_out
def share(condition: str, **words: Unpack[Words]) -> Feature:
    """Share of events that meet a condition, in [0, 1]; null when there are none.

    `condition` is SQL ("amount > 100") or a column of zeros and ones ("label"). Events for which
    it is null count neither way.

    >>> share("label", of="payment", per="seller", days=28, lag_days=7).name
    'share_label_of_payment_per_seller_28d_lag_7d'
    """
    return feature_of("share", condition, words)


@spelled_out
def distinct(column: str, **words: Unpack[Words]) -> Feature:
    """How many different values of a column, exactly; null is no value, 0 when there are none.

    >>> distinct("device", of="payment", per="user", days=1).name
    'distinct_device_of_payment_per_user_1d'
    """
    return feature_of("distinct", column, words)


@spelled_out
def values(column: str, *, most: int = 1_000, **words: Unpack[Words]) -> Feature:
    """The different values of a column as a sorted list, such as all that was bought already.

    At most `most` of them: those seen last. No value: an empty list.

    >>> values("item", of="purchase", per="user").name
    'values_1000_item_of_purchase_per_user'
    """
    return feature_of("values", column, words, most)


@spelled_out
def last(column: str, k: int, **words: Unpack[Words]) -> Feature:
    """The last k values of a column, the oldest of them first; null is no value.

    >>> last("item", 5, of="click", per="user", session_minutes=30).name
    'last_5_item_of_click_per_user_session_30m_1d'
    """
    return feature_of("last", column, words, k)


@spelled_out
def latest(column: str, **words: Unpack[Words]) -> Feature:
    """The value of a column in the latest event, of any type; null if it is null there.

    With a window it lives that long. For values that are computed elsewhere (an embedding, a
    segment), `time` says from when on they are meant to hold, `known_at` when they were there.

    >>> latest("place", of="profile", per="user", days=90).name
    'latest_place_of_profile_per_user_90d'
    """
    return feature_of("latest", column, words)


@spelled_out
def time_since(**words: Unpack[Words]) -> Feature:
    """Days since the latest event; null when there is none in the window.

    >>> time_since(of="payment", per="user").name
    'days_since_payment_per_user'
    """
    return feature_of("time_since", None, words)


def ratio(over: Feature, under: Feature, *, name: str = "") -> Ratio:
    """One feature over another; null where the lower one is null or zero.

    >>> day, month = (mean("amount", of="payment", per="user", days=d) for d in (1, 30))
    >>> ratio(day, month, name="spend_trend").version
    '205a8d11'
    """
    return Ratio(over=over, under=under, name=name)


def formula(text: str, *, name: str, **parts: Feature | Ratio) -> Formula:
    """SQL over the request's own columns and features, computed at the request; null if not finite.

    >>> usual = mean("amount", of="payment", per="user", days=30)
    >>> sorted(formula("amount / usual", usual=usual, name="amount_over_usual").inputs)
    ['amount', 'time', 'user']
    """
    return Formula(text=text, parts=tuple(sorted(parts.items())), name=name)


def distance_km(
    latitude: str, longitude: str, usual: tuple[Feature | Ratio, Feature | Ratio], *, name: str
) -> Formula:
    """Kilometres on the globe from the request's place, in degrees, to a usual one.

    The haversine formula (Sinnott 1984, "Virtues of the haversine"), Earth's radius 6,371 km.

    >>> means = [mean(c, of="payment", per="user", days=30) for c in ("lat", "lon")]
    >>> sorted(distance_km("lat", "lon", means, name="from_home_km").inputs)
    ['lat', 'lon', 'time', 'user']
    """
    text = (
        f"12742 * ASIN(SQRT(POWER(SIN(RADIANS({latitude} - usual_latitude) / 2), 2) + "
        f"COS(RADIANS({latitude})) * COS(RADIANS(usual_latitude)) * "
        f"POWER(SIN(RADIANS({longitude} - usual_longitude) / 2), 2)))"
    )
    usual_latitude, usual_longitude = usual
    return formula(text, name=name, usual_latitude=usual_latitude, usual_longitude=usual_longitude)


def calendar(part: str, *, tz: str, name: str = "") -> Calendar:
    """The "hour" or the "weekday" (1 is Monday) of the request, in a named zone.

    >>> calendar("hour", tz="Europe/Zurich").version
    '57af66a0'
    """
    return Calendar(part=part, tz=tz, name=name)
