"""A feature is a value: equal definitions are equal, different ones never share a version."""

from __future__ import annotations

import pytest

from workbench import features


def test_the_same_definition_written_twice_is_one_value():
    first = features.mean("amount", of="payment", per="user", days=30)
    second = features.mean("amount", of="payment", per=("user",), hours=720, name="other")
    assert first == second
    assert hash(first) == hash(second)
    assert first.version == second.version
    assert first.name == "mean_amount_of_payment_per_user_30d"


def test_any_change_of_meaning_changes_the_version():
    some = [
        features.count("payment", per="user", days=30),
        features.count("payment", per="user", days=29),
        features.count("payment", per="user"),
        features.count("payment", per="device", days=30),
        features.count("payment", per=("user", "device"), days=30),
        features.count("purchase", per="user", days=30),
        features.count("payment", per="user", days=30, lag_days=7),
        features.count("payment", per="user", days=30, where="amount > 1"),
        features.sum("amount", of="payment", per="user", days=30),
        features.mean("amount", of="payment", per="user", days=30),
        features.time_since(of="payment", per="user", days=30),
    ]
    some.append(features.ratio(some[0], some[1]))
    assert len({feature.version for feature in some}) == len(some)
    assert len({feature.name for feature in some}) == len(some)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: features.count("payment", per="user", days=0), "longer than zero"),
        (lambda: features.count("payment", per="user", lag_days=-1), "future"),
        (lambda: features.count("payment", per=()), "one or more"),
        (lambda: features.count("payment", per=("user", "user")), "different key columns"),
        (lambda: features.share("amount >", of="payment", per="user"), "neither a column nor"),
    ],
)
def test_an_impossible_definition_is_refused_when_it_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()
