"""Who is held out is in no experiment, the same users whatever is tried; and no unit, no arm."""

import numpy as np
import pytest

from workbench.policy import NO_ITEM, Fallback, Holdout, Rank, Split, tree

OLD, NEW = Rank("popularity", 1, "old@1"), Rank("score", 1, "new@1")
HALF = {"old": 0.5, "new": 0.5}
TEST = Split({"old": OLD, "new": NEW}, HALF, salt="test")


def requests(n=20_000, **columns):
    ids = np.arange(n)
    return {
        "request": ids, "user": ids, "item": ids, "score": np.ones(n), "popularity": np.ones(n)
    } | columns  # fmt: skip


def held(policy, rows):
    return policy.act(rows)["variant"] == "holdout"


def test_the_share_is_held_out_and_the_others_are_split_as_planned():
    answers = Holdout(OLD, TEST, 0.1, "2026").act(requests())
    out = answers["variant"] == "holdout"
    assert abs(out.mean() - 0.1) < 0.01
    assert set(answers["policy"][out]) == {"old@1"}
    assert set(answers["variant_share"][out]) == {0.1}
    new = answers["variant"][~out] == "new"
    assert abs(new.mean() - 0.5) < 0.02  # independent of the holdout
    assert set(answers["variant_share"][~out]) == {0.5}


def test_the_same_users_are_held_out_of_every_experiment_and_stay_in_when_the_share_grows():
    rows = requests()
    other = Split({"a": OLD, "b": NEW}, {"a": 0.2, "b": 0.8}, salt="another")
    first = held(Holdout(OLD, TEST, 0.1, "2026"), rows)
    np.testing.assert_array_equal(first, held(Holdout(OLD, other, 0.1, "2026"), rows))
    assert (held(Holdout(OLD, TEST, 0.2, "2026"), rows) | ~first).all()
    again = held(Holdout(OLD, TEST, 0.1, "2027"), rows)
    assert abs((first & again).mean() - 0.01) < 0.003


def test_a_split_inside_the_holdout_is_refused_however_deep():
    for inside in (TEST, Fallback([OLD, TEST]), Holdout(OLD, NEW, 0.5, "x")):
        with pytest.raises(ValueError, match="in no experiment"):
            Holdout(inside, TEST, 0.1, "2026")


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_that_holds_nobody_or_everybody_is_refused(share):
    with pytest.raises(ValueError, match="share of a holdout"):
        Holdout(OLD, TEST, share, "2026")


def test_propensity_sums_over_the_holdout_and_all_arms():
    items = np.array([1, 2] * 3)
    rows = requests(6, request=np.arange(6) // 2, item=items)
    rows |= {"user": rows["request"], "popularity": items, "score": -items}
    policy = Holdout(OLD, TEST, 0.2, "2026")
    for each in (policy, Fallback([policy, OLD])):
        answers = each.act(rows)
        # item 2 is shown by old (held out .2, and .8 x .5), item 1 by new
        expected = np.where(answers["item"] == 2, 0.6, 0.4)
        np.testing.assert_allclose(each.propensity(rows, answers), expected)


def test_the_tree_shows_it():
    lines = tree(Holdout(OLD, TEST, 0.05, "2026")).splitlines()
    assert lines[1:3] == ["  holdout 5 %: Rank old@1", "  experiments 95 %: Split"]


@pytest.mark.parametrize(
    "user", [np.array([1, NO_ITEM]), np.array(["a", ""]), np.array(["a", None], object)]
)
@pytest.mark.parametrize("policy", [TEST, Holdout(OLD, TEST, 0.1, "2026")])
def test_a_request_without_the_unit_is_an_error(policy, user):
    with pytest.raises(ValueError, match=r"request 1 has no 'user'"):
        policy.act(requests(2, user=user))


def test_a_unit_that_is_no_column_is_an_error():
    with pytest.raises(ValueError, match="no column 'session'"):
        Holdout(OLD, TEST, 0.1, "2026", unit="session").act(requests(2))
