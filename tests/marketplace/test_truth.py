"""The door to the truth takes any table, at any time."""

import numpy as np
import polars as pl
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec

SPEC = MarketplaceSpec(users=300, days=6, fraud_share=0.1)


@pytest.fixture(scope="module")
def payments(play):
    return play(SPEC)["payment"]


@pytest.mark.parametrize("question", ["is_fraud", "never_complained", "fraud_probability"])
def test_the_same_answer_for_every_kind_of_table_before_and_after_the_run(payments, question):
    asked = getattr(Marketplace(SPEC).truth, question)  # this world has not been played
    expected = asked(payments)
    assert 0 < expected.mean() < 1
    columns = {name: payments[name].to_numpy() for name in payments.columns}
    for table in (payments.to_pandas(), columns):
        np.testing.assert_array_equal(asked(table), expected)


def test_ids_alone_are_enough_for_fraud(payments):
    truth = Marketplace(SPEC).truth
    for ids in (payments["request"].to_numpy(), payments["request"], payments["request"].to_list()):
        np.testing.assert_array_equal(truth.is_fraud(ids), truth.is_fraud(payments))


def test_the_label_is_put_into_the_table_that_came(payments):
    truth = Marketplace(SPEC).truth
    labelled = truth.label(payments)
    assert labelled["label"].dtype == pl.Float64
    assert labelled["label"].sum() == truth.is_fraud(payments).sum()
    frame = payments.to_pandas().iloc[::-1]
    assert truth.label(frame).index.tolist() == frame.index.tolist()
    assert truth.label(frame)["label"].tolist() == labelled["label"].to_list()[::-1]
    assert truth.label({"request": payments["request"].to_numpy()})["label"].shape == (
        payments.height,
    )


def test_position_lowers_the_click_probability_by_the_examination_curve():
    world = Marketplace(SPEC)
    page = world.next_requests()["home"]
    top = world.truth.click_probability(page)
    fourth = world.truth.click_probability({**page, "position": np.full(len(top), 4)})
    np.testing.assert_allclose(fourth / top, 4**-0.7)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"request": np.array([2**53 - 1])}, "request 9007199254740991 was not made by this world"),
        ({"item": np.array([1])}, "the truth needs a column request"),
    ],
)
def test_a_question_about_nothing_is_an_error(table, words):
    with pytest.raises(ValueError, match=words):
        Marketplace(SPEC).truth.is_fraud(table)


def test_an_item_that_does_not_exist_is_an_error(payments):
    with pytest.raises(ValueError, match="items must be in"):
        Marketplace(SPEC).truth.click_probability(payments.with_columns(item=pl.lit(2_000)))
