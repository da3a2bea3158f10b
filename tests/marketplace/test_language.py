import re
import time

import numpy as np
import pytest

from workbench.marketplace.language import language_of
from workbench.marketplace.luck import Luck
from workbench.marketplace.queries import AMBIGUOUS_SHARE, MISSPELT_SHARE, WISH_SHARES
from workbench.marketplace.words import (
    ADJECTIVES,
    AMBIGUOUS,
    ATTRIBUTES,
    BENEFITS,
    BRANDS,
    DEPARTMENTS,
    TREE,
    VERDICTS,
    WISHES,
    category_of,
)

ITEMS = np.arange(20_000)


@pytest.fixture(scope="module")
def shop():
    """The default language, and the noun, brand and tier of 20,000 items."""
    language = language_of(20, Luck(0))
    category = (language.luck.uniform("category", ITEMS) * 20).astype(np.int64)
    noun = language.nouns_of(ITEMS, category)
    return language, category, noun, language.brands_of(ITEMS, noun), ITEMS % 3


def forms_of(language, noun):
    return language.form_text[language.form_noun == noun].tolist()


def holds(text, phrase):
    """Whether whole words of the text are the phrase."""
    return re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text) is not None


def test_the_tree_has_the_size_that_is_promised():
    assert len(TREE) == 24
    assert {department for department, _, _ in TREE} == set(DEPARTMENTS) == set(BRANDS)
    assert len({category_of(index)[1] for index in range(200)}) == 200
    for index in range(60):
        nouns = category_of(index)[2]
        assert len(nouns) >= 6
        assert all(1 <= len(noun.forms) <= 4 for noun in nouns)
    for names in BRANDS.values():
        assert 8 <= len(set(names.split())) <= 15


@pytest.mark.parametrize("categories", [1, 2, 5, 20, 24, 60])
def test_a_shop_of_any_size_can_say_what_it_sells_and_what_it_is_asked_for(categories):
    language = language_of(categories, Luck(0))
    assert (np.bincount(language.noun_category, minlength=categories) >= 6).all()
    assert len(set(language.noun_name)) == len(language.noun_name)
    queries = language.queries
    assert len(set(queries.text)) == len(queries.text)
    clear = np.unique(queries.nouns[~queries.ambiguous, 0])
    np.testing.assert_array_equal(clear, np.arange(len(language.noun_name)))
    meant = queries.nouns[queries.ambiguous]
    departments = language.noun_department[meant]
    assert (departments[:, 0] != departments[:, 1]).all()
    pairs = {frozenset(language.noun_name[pair]) for pair in meant}
    assert pairs <= {frozenset(pair) for pair in AMBIGUOUS.values()}
    assert set(queries.text[queries.ambiguous]) <= set(AMBIGUOUS)


def test_small_shops_have_departments_and_ambiguous_words_too():
    for categories, least_departments, least_ambiguous in [(2, 2, 3), (5, 4, 4), (20, 6, 20)]:
        language = language_of(categories, Luck(0))
        assert len(set(language.category_department)) >= least_departments
        assert language.queries.ambiguous.sum() >= least_ambiguous
    assert language_of(24, Luck(0)).queries.ambiguous.sum() == len(AMBIGUOUS)


def test_an_ambiguous_word_belongs_to_its_two_nouns_and_to_nothing_else():
    language = language_of(24, Luck(0))
    for word, pair in AMBIGUOUS.items():
        users = {
            language.noun_name[noun]
            for form, noun in zip(language.form_text, language.form_noun, strict=True)
            if holds(form, word)
        }
        assert users == set(pair), word
        assert word not in pair
    said = " ".join([*ADJECTIVES, *VERDICTS, *BENEFITS.values(), *sum(ATTRIBUTES.values(), ())])
    assert not [word for word in AMBIGUOUS if holds(said.replace(",", " "), word)]


def test_forms_that_are_no_ambiguous_word_mean_one_noun():
    language = language_of(60, Luck(0))
    clear = [form for form in language.form_text if form not in AMBIGUOUS]
    assert len(set(clear)) == len(clear)


def test_equal_seeds_speak_alike_in_any_order_and_batch(shop):
    language, category, noun, brand, tier = shop
    again, other = language_of(20, Luck(0)), language_of(20, Luck(1))
    assert again.queries.text.tolist() == language.queries.text.tolist()
    for say, twin in ((language.titles, again.titles), (language.descriptions, again.descriptions)):
        texts = say(ITEMS, noun, brand, tier)
        assert texts.dtype == object
        assert texts.shape == ITEMS.shape
        for part in (ITEMS[::-1], ITEMS[5_000:5_003], ITEMS[:0]):
            own = twin(part, noun[part], brand[part], tier[part])
            assert own.tolist() == texts[part].tolist()
    assert (
        other.titles(ITEMS, noun, brand, tier) != language.titles(ITEMS, noun, brand, tier)
    ).any()
    np.testing.assert_array_equal(language.nouns_of(ITEMS[7:9], category[7:9]), noun[7:9])
    np.testing.assert_array_equal(language.brands_of(ITEMS[7:9], noun[7:9]), brand[7:9])


def test_items_get_nouns_of_their_category_and_brands_of_their_department_by_zipf(shop):
    language, category, noun, brand, _ = shop
    np.testing.assert_array_equal(language.noun_category[noun], category)
    np.testing.assert_array_equal(language.brand_department[brand], language.noun_department[noun])
    phones = np.bincount(noun[category == 0])
    ranks = np.arange(1.0, len(phones) + 1)
    expected = ranks**-0.8 / (ranks**-0.8).sum()
    np.testing.assert_allclose(phones / phones.sum(), expected, atol=0.05)
    electric = np.bincount(brand[language.brand_department[brand] == 0])
    assert electric[0] / electric[1] == pytest.approx(2, abs=0.3)


def test_titles_and_descriptions_name_the_item_by_one_of_its_forms(shop):
    language, _, noun, brand, tier = shop
    part = ITEMS[:3_000]
    arguments = part, noun[part], brand[part], tier[part]
    forms = [forms_of(language, number) for number in range(len(language.noun_name))]
    for texts in (language.titles(*arguments), language.descriptions(*arguments)):
        for text, number in zip(texts, noun[part], strict=True):
            assert any(holds(text, form) for form in forms[number]), text


def test_searchers_and_sellers_do_not_use_the_same_words(shop):
    language, _, noun, brand, tier = shop
    titles = language.titles(ITEMS, noun, brand, tier)
    descriptions = language.descriptions(ITEMS, noun, brand, tier)
    for query, least, most in [("sofa", 0.35, 0.55), ("couch", 0.6, 0.8), ("settee", 0.7, 0.9)]:
        wanted = language.queries.nouns[language.queries.text.tolist().index(query), 0]
        relevant = np.flatnonzero(language.relevance(wanted, noun) == 3)
        assert len(relevant) > 50
        unseen = np.array([not holds(titles[item], query) for item in relevant])
        assert least < unseen.mean() < most
        found = np.array([holds(descriptions[item], query) for item in relevant])
        assert 0.1 < found[unseen].mean() < 0.75


def test_a_word_match_may_be_the_other_meaning(shop):
    language, _, noun, brand, tier = shop
    titles = language.titles(ITEMS, noun, brand, tier)
    bass = {language.noun_name[number] for number in set(noun[[holds(t, "bass") for t in titles]])}
    assert bass == {"bass guitar", "sea bass"}
    first, second = (language.noun_name.tolist().index(name) for name in sorted(bass))
    assert language.relevance(first, second) == 0


def test_better_items_are_praised_more_but_some_sellers_boast(shop):
    language, _, noun, brand, tier = shop
    titles = language.titles(ITEMS, noun, brand, tier)
    high = re.compile("|".join(rf"\b{word}\b" for word in ADJECTIVES[2].split(", ")))
    praised = np.array([high.search(title) is not None for title in titles])
    assert praised[tier == 2].mean() > 0.6
    assert 0.02 < praised[tier == 0].mean() < 0.08  # a third of the boasts, three of four patterns


def test_relevance_grades_fall_from_the_noun_to_its_group_to_its_category():
    language = language_of(24, Luck(0))
    everyone = np.arange(len(language.noun_name))
    grades = language.relevance(everyone[:, None], everyone[None, :])
    np.testing.assert_array_equal(grades, grades.T)
    np.testing.assert_array_equal(grades == 3, np.eye(len(everyone), dtype=bool))
    same = language.noun_category[:, None] == language.noun_category[None, :]
    np.testing.assert_array_equal(grades > 0, same)
    assert ((grades == 2).sum(axis=1) >= 1).all()
    assert (grades[everyone, language.companion] == 2).all()
    assert ((grades == 1).sum(axis=1) >= 1).all()


def test_a_query_for_a_noun_means_it_and_has_the_stated_shares():
    language = language_of(20, Luck(0))
    queries, chance = language.queries, Luck(0).uniform("chance", np.arange(50_000))
    sofa, mouse = (language.noun_name.tolist().index(name) for name in ("sofa", "computer mouse"))
    for noun in (sofa, mouse):
        query = queries.query_for(np.full(len(chance), noun), chance)
        assert (queries.nouns[query] == noun).any(axis=1).all()
        shares = np.bincount(queries.wish[query], minlength=len(WISHES)) / len(query)
        np.testing.assert_allclose(shares, WISH_SHARES, atol=0.01)
        plain = query[queries.wish[query] == 0]
        assert queries.misspelt[plain].mean() == pytest.approx(MISSPELT_SHARE, abs=0.01)
        alone = AMBIGUOUS_SHARE if noun == mouse else 0
        assert queries.ambiguous[plain].mean() == pytest.approx(alone, abs=0.01)
        assert ((queries.brand[query] >= 0) == (queries.wish[query] == 3)).all()
    nouns = np.arange(len(language.noun_name))
    for wish in range(len(WISHES)):
        query = queries.query_for(nouns, chance[nouns], np.full(len(nouns), wish))
        assert (queries.wish[query] == wish).all()
        assert (queries.nouns[query] == nouns[:, None]).any(axis=1).all()
    for edge in (0.0, 1 - 2.0**-53):
        query = queries.query_for(nouns, np.full(len(nouns), edge))
        assert (queries.nouns[query] == nouns[:, None]).any(axis=1).all()


def test_a_tenth_of_all_queries_are_ambiguous_in_the_default_shop(shop):
    language, _, noun, _, _ = shop
    query = language.queries.query_for(noun, language.luck.uniform("asked", ITEMS))
    assert language.queries.ambiguous[query].mean() == pytest.approx(0.1, abs=0.015)


def test_a_slip_is_one_swap_away_from_the_name_and_no_word_of_the_shop():
    language = language_of(60, Luck(0))
    queries = language.queries
    slips = np.flatnonzero(queries.misspelt)
    assert len(slips) == len(language.noun_name)
    for text, noun in zip(queries.text[slips], queries.nouns[slips, 0], strict=True):
        name = language.noun_name[noun]
        changed = [place for place in range(len(name)) if text[place] != name[place]]
        assert len(text) == len(name)
        assert len(changed) == 2
        assert changed[1] == changed[0] + 1
        assert text not in language.form_text


def test_texts_of_a_hundred_thousand_items_take_no_loop_over_items():
    language, item = language_of(20, Luck(0)), np.arange(100_000)
    noun = language.nouns_of(item, item % 20)
    brand = language.brands_of(item, noun)
    start = time.perf_counter()
    language.titles(item, noun, brand, item % 3)
    language.descriptions(item, noun, brand, item % 3)
    assert time.perf_counter() - start < 5  # about 0.15 s on one core of a laptop


def test_a_shop_without_categories_is_refused():
    with pytest.raises(ValueError, match="categories must be at least 1, got 0"):
        language_of(0, Luck(0))
