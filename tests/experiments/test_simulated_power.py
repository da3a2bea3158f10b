"""Power by dealing one's own users: as the formula where that is right."""

import numpy as np
import polars as pl
import pytest

from workbench.experiments.metric import Mean, Proportion, Ratio
from workbench.experiments.planning import Design, sample_size
from workbench.experiments.simulated_power import Simulation, power_by_simulation


@pytest.fixture(scope="module")
def users():
    rng, n = np.random.default_rng(4), 3_000
    before = rng.gamma(2.0, 5.0, n)
    views = rng.integers(1, 20, n)
    return pl.DataFrame(
        {
            "user": np.arange(n),
            "spent": before + rng.gamma(2.0, 3.0, n),
            "before": before,
            "views": views,
            "clicks": rng.binomial(views, rng.beta(2, 8, n)),
            "bought": (rng.random(n) < 0.3).astype(int),
        }
    )


METRICS = [
    (Mean("spent"), 1.0),
    (Mean("spent", ["before"]), 0.5),
    (Mean("spent", winsorise=0.99), 1.0),
    (Proportion("bought"), 0.07),
    (Proportion("bought"), -0.07),
    (Ratio("clicks", "views"), 0.02),
]


@pytest.mark.parametrize("how", ["scale", "add"])
@pytest.mark.parametrize(("metric", "effect"), METRICS)
def test_where_means_are_normal_the_formula_is_right(users, metric, effect, how):
    simulation = Simulation(experiments=1_000, how=how, seed=1)
    made = power_by_simulation(users, metric, effect=effect, users=1_200, simulation=simulation)
    # four standard errors; what scales also widens the treatment, which the formula does not know
    assert made.power == pytest.approx(made.formula, abs=4 * np.sqrt(0.25 / 1_000))
    assert 0.3 < made.power < 0.999
    assert made.covered == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 1_000))
    # the effect that was put in is the one that was asked for
    error = made.table["difference"].std() / np.sqrt(1_000)
    assert made.table["difference"].mean() == pytest.approx(effect, abs=4 * error)


def test_without_an_effect_it_is_the_false_positive_rate(users):
    for metric in (Mean("spent"), Mean("spent", ["before"]), Ratio("clicks", "views")):
        made = power_by_simulation(users, metric, effect=0.0, users=1_200)
        assert made.power == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1_000))
        assert made.formula == pytest.approx(0.05)


def test_the_users_that_were_planned_give_the_power_that_was_planned(users):
    design = Design(treatment_share=0.2, power=0.9)
    needed = sample_size(1.5, users["spent"].var(), design=design)
    made = power_by_simulation(users, "spent", effect=1.5, users=needed, design=design,
                               simulation=Simulation(how="add"))  # fmt: skip
    assert made.power == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 1_000))


def test_a_heavy_tail_with_few_users_is_where_the_formula_fails():
    rng = np.random.default_rng(8)
    whales = pl.DataFrame({"user": np.arange(5_000), "spent": rng.pareto(1.2, 5_000)})
    made = power_by_simulation(whales, "spent", effect=0.0, users=2_000,
                               design=Design(treatment_share=0.02))  # fmt: skip
    # 40 users in the treatment: their interval misses the mean far more often than it says
    assert made.covered < 0.90
    assert made.power > 0.10


def test_a_margin_is_tested_one_sided(users):
    design = Design(margin=1.0)
    made = power_by_simulation(users, "spent", effect=0.0, users=1_500, design=design)
    assert made.power == pytest.approx(made.formula, abs=4 * np.sqrt(0.25 / 1_000))
    lost = power_by_simulation(users, "spent", effect=-1.0, users=1_500, design=design)
    assert lost.power == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1_000))


def test_streams_are_keyed_by_experiment_and_seed(users):
    def differences(table, experiments, seed=0):
        simulation = Simulation(experiments=experiments, seed=seed)
        made = power_by_simulation(table, "bought", effect=0.1, users=400, simulation=simulation)
        return made.table["difference"].to_list()

    few, more = differences(users, 20), differences(users, 50)
    assert more[:20] == few
    assert differences(users.sample(fraction=1.0, shuffle=True, seed=2), 20) == few
    assert differences(users.lazy(), 20) == differences(users.to_pandas(), 20) == few
    assert differences(users, 20, seed=1) != few
    assert len(set(few)) > 10


def test_rows_of_one_user_are_summed_first(users):
    halves = users.select("user", pl.col("spent") / 2)
    twice = pl.concat([halves, halves])
    for table in (users, twice):
        made = power_by_simulation(table, "spent", effect=1.0, users=1_000,
                                   simulation=Simulation(experiments=50))  # fmt: skip
        assert made.table["difference"][0] == pytest.approx(
            power_by_simulation(users, "spent", effect=1.0, users=1_000,
                                simulation=Simulation(experiments=1)).table["difference"][0]
        )  # fmt: skip


def test_the_report_fits_the_page(users):
    text = repr(power_by_simulation(users, "spent", effect=1.0, users=1_000))
    assert "the formula says" in text
    assert max(map(len, text.split("\n"))) <= 90


@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        ({}, {"effect": np.nan}, "effect must be finite, got nan"),
        ({}, {"users": 3}, "users must be at least two in each arm, got 3"),
        ({"spent": pl.lit(np.inf)}, {}, "spent must be finite, got NaN or infinite"),
        ({"spent": pl.lit(np.nan)}, {}, "spent must be finite, got NaN or infinite"),
        ({"spent": pl.lit(None).cast(float)}, {}, "'spent' is null in 3,000 rows"),
        ({"spent": pl.lit(0.0)}, {}, "spent has mean 0, which nothing scales"),
        ({"user": pl.lit(1)}, {}, "table must have at least two users, got 1"),
        ({}, {"metric": Proportion("bought"), "effect": 0.9}, r"is not in \[0, 1\]"),
        ({}, {"metric": "gone"}, "has no column 'gone'"),
    ],
)
def test_bad_input_is_refused_by_name(users, change, asked, words):
    asked = {"metric": "spent", "effect": 1.0, "users": 100, **asked}
    with pytest.raises(ValueError, match=words):
        power_by_simulation(users.with_columns(**change), asked.pop("metric"), **asked)
    for given, rule in (({"experiments": 0}, "at least 1"), ({"how": "grow"}, '"scale" or "add"')):
        with pytest.raises(ValueError, match=rule):
            Simulation(**given)


def test_no_conversions_and_no_variance_are_defined(users):
    none = users.with_columns(bought=pl.lit(0))
    made = power_by_simulation(none, Proportion("bought"), effect=0.0, users=200)
    assert made.power == 0.0
    same = users.with_columns(spent=pl.lit(2.0))
    assert power_by_simulation(same, "spent", effect=0.1, users=200).power == 1.0
