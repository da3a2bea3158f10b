import re
import time

import numpy as np
import pytest

from workbench.marketplace.language import language_of
from workbench.marketplace.luck import Luck
from workbench.marketplace.reviews import (
    ASPECTS,
    DISGUISED_SHARE,
    MISTAKEN_SHARE,
    SARCASTIC_SHARE,
    UNTRUTHFUL_SHARE,
    Written,
    review_texts,
    spam_texts,
)

IDS = np.arange(20_000)
LANGUAGE = language_of(20, Luck(0))
STARS = np.searchsorted([0.15, 0.25, 0.4, 0.65], LANGUAGE.luck.uniform("stars", IDS)) + 1


def written(part=IDS):
    return Written(part, part // 7, part % 2_000, part % 152, STARS[part])


def spam_of(part):
    return spam_texts(LANGUAGE, part % 50, part, part % 2_000, part % 152)


@pytest.fixture(scope="module")
def reviews():
    return review_texts(LANGUAGE, written())


def learnt(texts, values, others):
    """Ridge regression of values on the words of texts, applied to other texts."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import Ridge

    counts = CountVectorizer(binary=True)
    model = Ridge().fit(counts.fit_transform(texts), values)
    return model.predict(counts.transform(others))


def test_the_same_buyer_writes_the_same_in_any_order_and_batch(reviews):
    for part in (IDS[::-1], IDS[300:305], IDS[:0]):
        own = review_texts(language_of(20, Luck(0)), written(part))
        assert own.text.tolist() == reviews.text[part].tolist()
        np.testing.assert_array_equal(own.sentiment, reviews.sentiment[part])
        np.testing.assert_array_equal(own.aspects, reviews.aspects[part])
        assert spam_of(part).tolist() == spam_of(IDS)[part].tolist()
    other = review_texts(language_of(20, Luck(1)), written())
    assert (other.text != reviews.text).mean() > 0.9


def test_words_tell_the_true_sentiment_but_not_all_of_it(reviews):
    from scipy import stats

    first, second = slice(0, 10_000), slice(10_000, None)
    guess = learnt(reviews.text[first], reviews.sentiment[first], reviews.text[second])
    assert 0.8 < stats.spearmanr(guess, reviews.sentiment[second])[0] < 0.97


def test_stars_follow_sentiment_but_some_read_the_scale_the_wrong_way_round(reviews):
    from scipy import stats

    assert 0.7 < stats.spearmanr(STARS, reviews.sentiment)[0] < 0.95
    for stars, sign in ((1, -1), (5, 1)):
        against = (sign * reviews.sentiment[stars == STARS] < 0).mean()
        assert against == pytest.approx(MISTAKEN_SHARE, abs=0.01)
    means = [reviews.sentiment[stars == STARS].mean() for stars in (1, 2, 3, 4, 5)]
    assert (np.diff(means) > 0.2).all()
    assert np.abs(reviews.sentiment).max() <= 1
    assert reviews.sentiment[STARS == 3].std() == pytest.approx(0.22, abs=0.01)


def test_the_angry_are_sarcastic_at_times(reviews):
    angry = reviews.sentiment < -0.4
    assert reviews.sarcastic[angry].mean() == pytest.approx(SARCASTIC_SHARE, abs=0.015)
    assert not reviews.sarcastic[~angry].any()
    praise = re.compile("I love this|An amazing|The best|What a wonderful|Perfect ")
    praised = np.array([praise.search(text) is not None for text in reviews.text])
    assert praised[reviews.sarcastic].all()
    assert praised[angry & ~reviews.sarcastic].mean() < 0.02


def test_aspects_are_told_where_and_as_they_are_felt(reviews):
    from scipy import stats

    assert reviews.aspects.shape == (len(IDS), len(ASPECTS))
    for number, phrase in enumerate(("quality", "price", "delivery")):
        told = np.array([phrase in text.lower() for text in reviews.text])
        assert told.mean() > 0.05
        assert np.isfinite(reviews.aspects[told, number]).all()
        felt = np.isfinite(reviews.aspects[:, number])
        assert 0.4 < felt.mean() < 0.75
        agreement = stats.spearmanr(reviews.aspects[felt, number], reviews.sentiment[felt])[0]
        assert 0.7 < agreement < 0.98
    feels_cheap = np.array(["Feels cheap" in text for text in reviews.text])
    assert (reviews.aspects[feels_cheap, 0] < -0.2).all()
    cheap_price = np.array([" Cheap." in text for text in reviews.text])
    assert (reviews.aspects[cheap_price, 1] > 0.2).all()


def test_a_review_names_what_was_bought(reviews):
    bought = written().noun
    for text, noun in zip(reviews.text[:2_000], bought[:2_000], strict=True):
        assert any(form in text for form in LANGUAGE.form_text[LANGUAGE.form_noun == noun])


def test_most_spam_can_be_told_by_its_words_but_paid_praise_cannot(reviews):
    part = IDS[:4_000]
    spam = spam_of(part)
    paid = np.array([re.search(r"[a-z]+-[a-z]+-\d+", text) is None for text in spam])
    assert paid.mean() == pytest.approx(UNTRUTHFUL_SHARE, abs=0.02)
    texts = np.concatenate([reviews.text[:4_000], spam])
    label = np.repeat([0.0, 1.0], 4_000)
    guess = learnt(texts[::2], label[::2], texts[1::2]) > 0.5
    assert guess[2_000:][~paid[1::2]].mean() > 0.98
    assert guess[:2_000].mean() < 0.1
    delighted = guess[:2_000][STARS[1:4_000:2] == 5].mean()
    assert guess[2_000:][paid[1::2]].mean() < 0.75
    assert guess[2_000:][paid[1::2]].mean() > delighted
    sayings = [" ".join(text.split("!")[1:]) for text in spam[paid & (part % 50 == 7)]]
    assert len({saying.split(".")[0] for saying in sayings}) == 1


def test_no_one_mark_makes_a_text_spam(reviews):
    spam = spam_of(IDS)
    loud = np.array(["!!!" in text or "HELLO" in text for text in spam])
    expected = (1 - UNTRUTHFUL_SHARE) * (1 - DISGUISED_SHARE)
    assert loud.mean() == pytest.approx(expected, abs=0.02)
    linked = np.array(["http://" in text for text in spam])
    assert linked.mean() == pytest.approx(0.6 * (1 - UNTRUTHFUL_SHARE), abs=0.02)
    assert 0.01 < np.mean(["http://" in text for text in reviews.text]) < 0.1


def test_spam_links_lead_nowhere_and_repeat_within_a_campaign():
    spam = spam_of(IDS)
    links = [re.findall(r"http://([^/ ]*)", text) for text in spam]
    assert {len(found) for found in links} == {0, 1}
    assert all(found[0].endswith(".example") for found in links if found)
    sites = [re.search(r"[a-z]+-[a-z]+-\d+", text) for text in spam]
    of_all = {(user, site.group()) for user, site in zip(IDS % 50, sites, strict=True) if site}
    assert len(of_all) == 50  # one for each spammer
    assert 20 < len({site for _, site in of_all}) <= 40


@pytest.mark.parametrize("stars", [0, 6])
def test_stars_outside_the_scale_are_refused(stars):
    one = np.array([1])
    with pytest.raises(ValueError, match=f"stars must be in 1 to 5, got {stars} to {stars}"):
        review_texts(LANGUAGE, Written(one, one, one, one, np.array([stars])))


def test_a_hundred_thousand_reviews_take_no_loop_over_reviews():
    ids = np.arange(100_000)
    start = time.perf_counter()
    review_texts(LANGUAGE, Written(ids, ids, ids, ids % 152, ids % 5 + 1))
    spam_texts(LANGUAGE, ids, ids, ids, ids % 152)
    assert time.perf_counter() - start < 5  # about 0.15 s on one core of a laptop
