"""Two salts are independent; one salt for two experiments is found, before or after."""

import numpy as np
import polars as pl
import pytest

from workbench.assign import assign
from workbench.experiments.overlap import check_salts, overlap
from workbench.policy import Fallback, Holdout, Rank, Shadow, Split

HALF, TENTH = {"old": 0.5, "new": 0.5}, {"old": 0.9, "new": 0.1}
ARMS = {"old": Rank("score", 1), "new": Rank("price", 1)}

SHADOW = Split({"old": Rank("score", 1, "x"), "new": Rank("score", 1, "y")}, HALF, salt="spring")


def dealt(salt, shares=HALF, users=range(20_000)):
    users = list(users)
    return pl.DataFrame({"user": users, "variant": assign(users, shares, salt=salt).tolist()})


def test_two_salts_are_independent_as_often_as_promised():
    p = [overlap(dealt(f"a{i}", users=range(2_000)), dealt(f"b{i}", users=range(2_000))).p_value
         for i in range(200)]  # fmt: skip
    assert np.mean(np.array(p) < 0.05) < 0.11  # 5 %; more has a chance of 0.1 %
    assert 0.4 < np.mean(p) < 0.6


@pytest.mark.parametrize("shares", [HALF, TENTH])
def test_one_salt_for_two_experiments_is_found(shares):
    found = overlap(dealt("same"), dealt("same", shares))
    assert not found.ok
    assert "DEPENDENT" in repr(found)


def test_only_users_of_both_count_by_hand():
    first = pl.DataFrame({"user": [1, 2, 3, 4, 9], "variant": ["a", "a", "b", "b", "a"]})
    second = pl.DataFrame({"user": [1, 2, 3, 4, 8], "variant": ["x", "x", "y", "y", "x"]})
    found = overlap(first, second.to_pandas())
    assert found.table.rows() == [
        ("a", "x", 2, 1.0), ("a", "y", 0, 1.0), ("b", "x", 0, 1.0), ("b", "y", 2, 1.0)
    ]  # fmt: skip
    assert found.users == 4
    assert found.p_value == pytest.approx(0.0455, abs=1e-4)  # chi-square 4, one degree


def test_who_never_meets_is_independent():
    found = overlap(dealt("a", users=range(10)), dealt("b", users=range(10, 20)))
    assert (found.users, found.ok) == (0, True)
    assert repr(found) == "no user is in both experiments"


@pytest.mark.parametrize(
    ("table", "words"),
    [(pl.DataFrame({"user": [1, 1], "variant": ["a", "b"]}), "one row per user"),
     (pl.DataFrame({"user": [1, None], "variant": ["a", "b"]}), "without a user"),
     (pl.DataFrame({"user": [1, 2]}), "no column 'variant'")],
)  # fmt: skip
def test_bad_tables_are_refused(table, words):
    with pytest.raises(ValueError, match=words):
        overlap(dealt("a"), table)


class TestSalts:
    def test_one_experiment_on_two_surfaces_is_one(self):
        split = Split(ARMS, HALF, salt="spring")
        check_salts({"home": split, "search": Split(dict(ARMS), dict(HALF), salt="spring")})

    def test_other_units_and_other_salts_do_not_meet(self):
        check_salts({"home": Split(ARMS, HALF, salt="spring"),
                     "search": Split(ARMS, TENTH, salt="spring", unit="session"),
                     "checkout": Split(ARMS, TENTH, salt="summer")})  # fmt: skip

    def test_a_split_deep_in_the_tree_is_found(self):
        deep = Fallback([Shadow(Split(ARMS, TENTH, salt="spring"), {"s": SHADOW}), ARMS["old"]])
        with pytest.raises(ValueError, match=r"home and search/1/live are two experiments"):
            check_salts({"home": Split(ARMS, HALF, salt="spring"), "search": deep})

    def test_a_shadow_may_deal_as_it_likes(self):
        check_salts({"home": Shadow(Split(ARMS, TENTH, salt="spring"), {"s": SHADOW})})

    def test_a_split_in_a_split_with_its_salt_would_have_one_arm(self):
        inner = Split(ARMS, HALF, salt="spring")
        outer = Split({"old": ARMS["old"], "new": inner}, HALF, salt="spring")
        with pytest.raises(ValueError, match="home/new splits again by the salt 'spring'"):
            check_salts({"home": outer})

    def test_a_holdout_with_the_salt_of_an_experiment(self):
        split = Split(ARMS, HALF, salt="2026")
        with pytest.raises(ValueError, match="two experiments with the salt '2026'"):
            check_salts({"home": Holdout(ARMS["old"], split, 0.1, "2026")})
