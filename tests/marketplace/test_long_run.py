"""A page that is more accurate can be worse: what people are shown decides whether they return."""

import numpy as np
import pytest

from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.policy import Rank

SPEC = MarketplaceSpec(users=2_000, days=60, items=600)


def at_most_two_of_a_category(score):
    """The same scores, but the third and later best of a category come after everything else."""

    def diversified(rows):
        wide = (-1, SPEC.candidates)  # a request's rows are neighbours
        scores, category = score(rows).reshape(wide), rows["category"].reshape(wide)
        order = np.argsort(-scores, axis=1, kind="stable")
        kind = np.take_along_axis(category, order, axis=1)
        better = np.tri(SPEC.candidates, k=-1, dtype=bool)
        before = ((kind[:, :, None] == kind[:, None, :]) & better).sum(axis=2)
        late = np.empty_like(before)
        np.put_along_axis(late, order, before, axis=1)
        return (scores - 1.0 * (late >= 2)).ravel()  # probabilities: 1 is more than any

    return diversified


@pytest.fixture(scope="module")
def homes():
    oracle = Marketplace(SPEC).truth.click_probability
    return {
        "accurate": Rank(oracle, 5, "accurate"),
        "varied": Rank(at_most_two_of_a_category(oracle), 5, "varied"),
    }


@pytest.fixture(scope="module")
def outcomes(homes, policies):
    arms = {name: policies.usual | {"home": home} for name, home in homes.items()}
    return Marketplace(SPEC).truth.potential_outcomes(arms)


def test_on_the_same_pages_the_accurate_slates_are_likelier_to_be_clicked(homes, policies):
    world = Marketplace(SPEC)
    likely, pages = dict.fromkeys(homes, 0.0), 0
    while (requests := world.next_requests(until=3)) is not None:
        if "home" in requests:
            for name, home in homes.items():
                slate = home.act(requests["home"])
                category = world.catalogue.category[slate["item"]].reshape(-1, 5)
                assert name != "varied" or max(np.bincount(page).max() for page in category) <= 2
                likely[name] += world.truth.click_probability(slate).sum()
            pages += len(category)
        answers = {name: policies.usual[name].act(rows) for name, rows in requests.items()}
        world.react(answers)
    assert pages > 500
    assert likely["accurate"] > 1.002 * likely["varied"]


def test_over_sixty_days_the_varied_pages_bring_more_visits_and_purchases(outcomes):
    for metric, least in [("visits", 0.015), ("purchases", 0.01), ("clicks", 0.005)]:
        effect = outcomes.effect(metric, "varied", "accurate")
        gain = outcomes.of(metric, "varied") - outcomes.of(metric, "accurate")
        assert effect.per_user > 3 * gain.std() / len(gain) ** 0.5, metric
        assert least < effect.relative < 0.1, metric


def test_random_pages_leave_people_in_a_mood_that_is_a_little_above_even(shop):
    world, _ = shop
    users = np.arange(world.spec.users)
    staying = users[~world.truth.has_left(users)]
    assert world.truth.mood(staying).mean() == pytest.approx(0.3, abs=0.05)
