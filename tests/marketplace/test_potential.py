"""Everybody in each arm, with the same luck: the true effect, and experiments dealt from it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workbench.assign import assign
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.potential import METRICS, PotentialOutcomes
from workbench.marketplace.redeal import dealt, moments
from workbench.policy import Rank, Split

SPEC = MarketplaceSpec(users=500, items=200, days=5, fraud_share=0.05, visits_per_day=1.5)
HALVES = {"old": 0.5, "new": 0.5}


def cheap(rows):
    return -rows["price"]


@pytest.fixture(scope="module")
def arms(policies):
    return {"old": policies.usual, "new": policies.usual | {"home": Rank(cheap, 5, "cheap")}}


@pytest.fixture(scope="module")
def outcomes(arms):
    return Marketplace(SPEC).truth.potential_outcomes(arms, by_day=True)


class TestTheTruth:
    def test_equal_policies_have_equal_outcomes_and_no_effect(self, policies):
        twins = {"one": policies.usual, "other": dict(policies.usual)}
        outcomes = Marketplace(SPEC).truth.potential_outcomes(twins, until=3)
        np.testing.assert_array_equal(outcomes.values["one"], outcomes.values["other"])
        assert (outcomes.values["one"].sum(axis=(1, 2))[:7] > 0).all()
        assert {outcomes.effect(metric).per_user for metric in METRICS} == {0.0}

    def test_the_effect_is_the_mean_over_everybody_of_new_less_old(self, outcomes):
        old, new = (outcomes.of("clicks", arm) for arm in ("old", "new"))
        effect = outcomes.effect("clicks")
        assert effect.per_user == pytest.approx(new.mean() - old.mean()) != 0
        assert effect.total == pytest.approx(new.sum() - old.sum())
        assert effect.relative == pytest.approx(new.sum() / old.sum() - 1)
        assert outcomes.effect("clicks", "old", "new").per_user == -effect.per_user

    def test_outcomes_are_those_of_the_world_that_is_then_really_played(self, play, policies):
        world = Marketplace(SPEC)
        play(world, until=2)
        before = world.truth.mood(np.arange(500)), world.now, set(world._ledger._parts)
        outcomes = world.truth.potential_outcomes(
            {"block": policies.block, "usual": policies.usual}, by_day=True
        )
        assert (outcomes.first_day, outcomes.days) == (2, 3)
        np.testing.assert_array_equal(world.truth.mood(np.arange(500)), before[0])
        assert (world.now, set(world._ledger._parts)) == before[1:]
        asked = []
        while (requests := world.next_requests()) is not None:
            asked += [rows["request"] for rows in requests.values()]
            world.react({name: policies.usual[name].act(rows) for name, rows in requests.items()})
        events = world.events()
        late = pl.col("request").is_in(np.unique(np.concatenate(asked)).tolist())
        paid = events["payment"].filter(late)
        paid = paid.with_columns(
            fraud=pl.Series(world.truth.is_fraud(paid)),
            costs=pl.Series(world.truth.is_fraud(paid) & ~world.truth.never_complained(paid)),
        )
        pages = events["request"].filter(late, pl.col("surface") != "checkout")
        fraud, costs, amount = pl.col("fraud"), pl.col("costs"), pl.col("amount")
        expected = {
            "pages": pages.group_by("user").agg(value=pl.len()),
            "clicks": events["click"].filter(late).group_by("user").agg(value=pl.len()),
            "purchases": paid.group_by("user").agg(value=(~fraud).sum()),
            "revenue": paid.group_by("user").agg(value=amount.filter(~fraud).sum()),
            "fraud_amount": paid.group_by("user").agg(value=amount.filter(fraud).sum()),
            "chargebacks": paid.group_by("user").agg(value=amount.filter(costs).sum()),
        }
        for metric, frame in expected.items():
            counted = np.zeros(500)
            counted[frame["user"].to_numpy()] = frame["value"].to_numpy()
            assert counted.sum() > 0, metric
            if metric == "clicks":  # those that will be known by the end: they look at it first
                missed = outcomes.of(metric, "usual").sum() - counted.sum()
                assert 0 <= missed <= 5
            else:
                np.testing.assert_allclose(outcomes.of(metric, "usual"), counted, err_msg=metric)
        assert outcomes.of("purchases", "block").sum() == 0
        assert outcomes.of("chargebacks", "block").sum() == 0
        blocked = outcomes.of({"blocked_honest": 1, "blocked_frauds": 1}, "block").sum()
        assert blocked > outcomes.of("blocked_frauds", "block").sum() > 0
        assert outcomes.of({"blocked_honest": 1, "blocked_frauds": 1}, "usual").sum() == 0

    def test_days_add_up_and_a_look_sees_the_days_before_it(self, arms, outcomes):
        whole = Marketplace(SPEC).truth.potential_outcomes({"new": arms["new"]}, until=5)
        np.testing.assert_allclose(outcomes.values["new"].sum(axis=2), whole.values["new"][:, :, 0])
        short = Marketplace(SPEC).truth.potential_outcomes({"new": arms["new"]}, until=2)
        assert outcomes.of("pages", "new", look=2).sum() == short.of("pages", "new").sum()
        assert (outcomes.of("pages", "new", 1) <= outcomes.of("pages", "new", 2)).all()

    def test_a_part_of_a_world_has_its_own_users_alone(self, policies):
        world = Marketplace(SPEC, part=(1, 3))
        outcomes = world.truth.potential_outcomes({"a": policies.usual}, until=1)
        assert outcomes.users[:3].tolist() == [1, 4, 7]
        assert outcomes.of("pages", "a").sum() > 0
        whole = Marketplace(SPEC).truth.potential_outcomes({"a": policies.usual}, until=1)
        np.testing.assert_array_equal(  # nothing is shared before the first midnight
            outcomes.of("clicks", "a"), whole.among(outcomes.users).of("clicks", "a")
        )

    def test_what_is_saved_is_loaded_again(self, outcomes, tmp_path):
        for kept in (outcomes, outcomes.among(outcomes.users % 2 == 0)):
            kept.save(tmp_path / "outcomes.parquet")
            again = PotentialOutcomes.load(tmp_path / "outcomes.parquet")
            assert (again.arms, again.days, again.first_day) == (["old", "new"], 5, 0)
            np.testing.assert_array_equal(again.users, kept.users)
            for arm in kept.arms:
                np.testing.assert_array_equal(again.values[arm], kept.values[arm])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"arms": {}}, "at least one arm"),
            ({"arms": {"old": {}}}, "arm 'old' must answer every surface, missing"),
            ({"until": 0}, "until must be after the present"),
        ],
    )
    def test_an_impossible_question_is_an_error(self, arms, change, words):
        asked = {"arms": arms} | change
        with pytest.raises(ValueError, match=words):
            Marketplace(SPEC).truth.potential_outcomes(**asked)

    def test_an_open_wave_is_an_error(self, arms):
        world = Marketplace(SPEC)
        world.next_requests()
        with pytest.raises(ValueError, match="a wave is open"):
            world.truth.potential_outcomes(arms)

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            (("sales", "old"), "metric must be of"),
            (("clicks", "older"), "arm must be one of"),
            (("clicks", "old", 6), r"look must be in \[1, 5\], got 6"),
        ],
    )
    def test_an_unknown_metric_arm_or_look_is_an_error(self, outcomes, asked, words):
        with pytest.raises(ValueError, match=words):
            outcomes.of(*asked)

    def test_a_deal_at_a_look_that_was_not_kept_is_an_error(self, outcomes):
        with pytest.raises(ValueError, match=r"look must be in \[1, 5\], got 0"):
            outcomes.deal(HALVES, salt="x", look=0)


class TestManyExperiments:
    def test_people_are_dealt_as_a_split_deals_them(self, outcomes):
        for shares in (HALVES, {"old": 0.9, "new": 0.1}, {"old": 0.0, "new": 1.0}):
            arms = np.array([*shares])[dealt(outcomes.users, shares, salt="x")]
            np.testing.assert_array_equal(arms, assign(outcomes.users, shares, salt="x"))

    @pytest.mark.parametrize("shares", [HALVES, {"new": 0.8, "old": 0.2}])
    def test_each_experiment_has_the_moments_of_its_deal(self, outcomes, shares):
        many = outcomes.experiments(
            "revenue", shares=shares, count=40, salt="s", looks=[2, 5], covariate="pages"
        )
        assert many.height == 40 * 2 * 2
        for number, look in [(0, 2), (3, 5), (39, 5)]:
            one = outcomes.deal(shares, salt=f"s/{number}", look=look)
            expected = one.group_by("variant").agg(
                users=pl.len(), mean=pl.mean("revenue"), variance=pl.var("revenue"),
                covariate_mean=pl.mean("pages"), covariate_variance=pl.var("pages"),
                covariance=pl.cov("revenue", "pages"),
            )  # fmt: skip
            row = many.filter(experiment=number, look=look).join(expected, on="variant")
            assert row.height == 2
            for name in expected.columns[1:]:
                np.testing.assert_allclose(row[name], row[f"{name}_right"], rtol=1e-9)

    def test_slices_put_together_are_the_whole_to_the_last_bit(self, outcomes):
        whole = outcomes.experiments("revenue", shares=HALVES, count=50)
        slices = [range(7), range(7, 8), range(8, 50)]
        parts = [outcomes.experiments("revenue", shares=HALVES, count=each) for each in slices]
        assert pl.concat(parts).equals(whole)

    def test_estimates_are_unbiased_and_intervals_cover_the_truth(self, outcomes):
        many = outcomes.experiments("clicks", shares=HALVES, count=2_000)
        wide = many.pivot("variant", index="experiment", values=["users", "mean", "variance"])
        estimate = (wide["mean_new"] - wide["mean_old"]).to_numpy()
        error = (
            wide["variance_new"] / wide["users_new"] + wide["variance_old"] / wide["users_old"]
        ).sqrt()
        truth = outcomes.effect("clicks").per_user
        assert estimate.mean() == pytest.approx(truth, abs=4 * estimate.std() / 2_000**0.5)
        covered = (np.abs(estimate - truth) < 1.96 * error.to_numpy()).mean()
        # Neyman's interval is never too short: it leaves out how effects differ between people
        assert 0.935 < covered < 0.985
        assert abs(truth) > 0.5 * estimate.std()  # so that always-zero would fail above

    def test_an_arm_of_nobody_or_one_has_no_variance(self):
        outcomes = {"a": np.ones((3, 1)), "b": np.ones((3, 1))}
        rows = moments(np.arange(3), outcomes, {"a": 1.0, "b": 0.0}, experiments=range(1), salt="x")
        assert rows["users"].to_list() == [3, 0]
        assert rows["variance"].is_nan().to_list() == [False, True]
        assert rows["mean"].is_nan().to_list() == [False, True]

    @pytest.mark.parametrize(
        ("shares", "words"),
        [({"old": 0.5, "other": 0.5}, "got also"), ({"old": 0.5, "new": 0.6}, "sum to 1")],
    )
    def test_impossible_shares_are_an_error(self, outcomes, shares, words):
        with pytest.raises(ValueError, match=words):
            outcomes.experiments("clicks", shares=shares, count=1)
        with pytest.raises(ValueError, match=words):
            outcomes.deal(shares, salt="x")


def split_beside_its_deal(spec, policies, salt="shelves"):
    """The effect on purchases: true, dealt from potential outcomes, in a world that is split."""
    world = Marketplace(spec)
    best = Rank(world.truth.click_probability, 5, "best")
    arms = {"old": policies.usual, "new": policies.usual | {"home": best}}
    split = Split({"old": policies.home, "new": best}, HALVES, salt=salt)
    arms["split"] = policies.usual | {"home": split}
    outcomes = world.truth.potential_outcomes(arms)
    one = outcomes.deal(HALVES, salt=salt)
    new = (one["variant"] == "new").to_numpy()
    shown, really = one["purchases"].to_numpy(), outcomes.of("purchases", "split")
    estimates = [rows[new].mean() - rows[~new].mean() for rows in (shown, really)]
    errors = [
        np.sqrt(sum(rows[arm].var(ddof=1) / arm.sum() for arm in (new, ~new)))
        for rows in (really, really - shown)  # alone, and beside the same deal with the same luck
    ]
    return outcomes.effect("purchases", "new", "old").per_user, *estimates, *errors


SHELVES = MarketplaceSpec(users=500, items=100, days=8, visits_per_day=1.5, direct_share=0.1)


def test_with_ample_stock_a_split_world_shows_what_is_dealt_from_the_outcomes(policies):
    truth, dealt_effect, split_effect, error, _ = split_beside_its_deal(
        replace(SHELVES, stock_days=1_000.0), policies
    )
    assert truth > 3 * error
    assert abs(split_effect - truth) < 3 * error
    assert split_effect == pytest.approx(dealt_effect, rel=0.05)  # bestsellers are still shared


def test_with_scarce_stock_the_arms_of_a_split_world_take_from_each_other(policies):
    truth, dealt_effect, split_effect, error, paired = split_beside_its_deal(
        replace(SHELVES, stock_days=2.0), policies
    )
    assert abs(dealt_effect - truth) < 3 * error
    assert split_effect > dealt_effect + 4 * paired  # who sells more empties the other's shelves
    assert split_effect > 1.5 * truth


def test_a_huge_split_of_two_policies_shows_the_true_effect_and_of_one_none(policies):
    spec = replace(SPEC, users=6_000, days=3, stock_days=1_000.0)
    old, new = Rank("price", 5, "dear"), Rank(cheap, 5, "cheap")
    split = Split({"old": old, "new": new}, HALVES, salt="huge")
    homes = {"old": old, "new": new, "split": split}
    outcomes = Marketplace(spec).truth.potential_outcomes(
        {name: policies.usual | {"home": home} for name, home in homes.items()}
    )
    new = assign(outcomes.users, HALVES, salt="huge") == "new"
    for metric in ("clicks", "purchases", "revenue"):
        truth = outcomes.effect(metric, "new", "old").per_user
        for arm, expected in [("split", truth), ("old", 0.0)]:  # A/B and A/A
            rows = outcomes.of(metric, arm)
            error = np.sqrt(sum(rows[each].var(ddof=1) / each.sum() for each in (new, ~new)))
            assert abs(rows[new].mean() - rows[~new].mean() - expected) < 3 * error
            assert metric != "clicks" or abs(truth) > 4 * error  # so that always-zero would fail
