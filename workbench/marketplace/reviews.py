"""What buyers write, what they truly felt, and what spammers post.

Choices, with their sources:

- A review has an opening about the thing and sentences about aspects, each with an opinion of its
  own (Hu & Liu 2004, "Mining and summarizing customer reviews", KDD): quality, price, delivery.
- The true sentiment in [-1, 1] follows the stars with a spread: stars are a coarse and personal
  scale (Pang & Lee 2005, "Seeing stars", ACL). `MISTAKEN_SHARE` of the reviewers read the scale the
  wrong way round: their text tells the truth and their stars do not.
- Words follow the sentiment in five levels, with noise per sentence. `SARCASTIC_SHARE` of the angry
  open with praise (Tsur, Davidov & Rappoport 2010, "ICWSM - a great catchy name", ICWSM). "Cheap"
  is good of a price and bad of a quality: words alone do not settle everything.
- Spam is mostly advertising, the "non-reviews" of Jindal & Liu (2008, "Opinion spam and analysis",
  WSDM), in campaigns of near-duplicates, five stars each. Links end in `.example`, which nobody can
  own (RFC 2606); four of ten are spelt out, and honest people post links to photos, so a link is no
  proof. `DISGUISED_SHARE` of these open like an honest review, do not shout and offer softly.
- `UNTRUTHFUL_SHARE` of the spam is paid praise in the words of a delighted buyer (their "untruthful
  opinions"). No single text gives it away; that a campaign says the same of everything does.

Shares and spreads are modelling choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.marketplace.grammar import joined, phrases
from workbench.marketplace.language import Language

__all__ = [
    "ASPECTS",
    "DISGUISED_SHARE",
    "MISTAKEN_SHARE",
    "SARCASTIC_SHARE",
    "SPAM_STARS",
    "UNTRUTHFUL_SHARE",
    "Reviews",
    "Written",
    "review_texts",
    "spam_texts",
]

ASPECTS = ("quality", "price", "delivery")
MISTAKEN_SHARE = 0.03  # of reviews
SARCASTIC_SHARE = 0.06  # of reviews with a sentiment below -0.4
DISGUISED_SHARE = 0.2  # of advertising spam
UNTRUTHFUL_SHARE = 0.1  # of spam
SPAM_STARS = 5
_MENTIONED = (0.7, 0.5, 0.45)  # share of reviews that speak of each aspect
_EDGES = np.array([-0.6, -0.2, 0.2, 0.6])  # between the five levels of words
_CAMPAIGNS = 40

# From bad to good. An opening is what comes before and after the noun.
_BEFORE = (
    "Terrible, I hate this, Avoid this, The worst, What a horrible",
    "Not happy with this, A disappointing, Not a good, I regret this, A mediocre",
    "An average, It is a, This is a normal, An okay, Not bad for a",
    "A good, Happy with this, I like this, A nice, Quite a decent",
    "I love this, An amazing, The best, What a wonderful, Perfect",
)
_QUALITY = (
    "It broke on the first day, Awful quality, Feels cheap and useless, Total rubbish",
    "The quality is disappointing, Feels cheap, Poorly made, Not as good as described",
    "The quality is okay, Average quality, Nothing special, Does what it should",
    "Good quality, Nicely made, Feels solid, Works well",
    "Superb quality, Beautifully made, Works perfectly, Could not be better made",
)
_PRICE = (
    "A rip-off, Absurdly expensive, Money thrown away, Shamefully overpriced",
    "Too expensive, Not worth the money, Overpriced, Not a good price",
    "A fair price, The price is average, Neither cheap nor expensive, The price is okay",
    "Good value, A nice price, Cheap, Worth the money",
    "An unbeatable price, Fantastic value, A real bargain, Wonderfully cheap",
)
_DELIVERY = (
    "It never arrived, The box was smashed, Horrible courier, Three weeks late",
    "It came late, The box was damaged, Slow delivery, The courier was rude",
    "It came on the third day, Delivery as usual, Delivery was okay, The box was plain",
    "It came quickly, Well packed, Fast delivery, A friendly courier",
    "Lightning fast delivery, Perfectly packed, Here the next morning, Superb courier",
)
_SPOKEN = (_QUALITY, _PRICE, _DELIVERY)
_CLOSING = (
    "Never again!, I want my money back., Stay away!",
    "I would not buy it again., Sent it back., Expected more.",
    "We will see., Fine for now., Time will tell.",
    "I would buy it again., Recommended., A good buy.",
    "Highly recommended!, Buy it!, I will order more!",
)
_ASIDE = (
    "Bought it for my sister., Ordered it on a Monday., My neighbour has one too., "
    "We use it every week., I found it cheaper elsewhere later., Looked for it for a long time., "
    "Here is a photo: http://photos.example/mine",
)
_SARCASM = ("Just great:, Well done:, Brilliant:, Thanks a lot:",)

_SHOUTS = ("WOW!!! BEST DEALS EVER!!!, FREE GIFT!!!, HOT OFFER!!!, 90 % OFF!!!, HELLO SHOPPERS!",)
_HUSHED = ("Great product., I love it., Five stars from me., Very happy.",)
_OFFERS = (
    "Earn money from home, Free vouchers for everyone, Replica watches at half price, "
    "Lose weight in one week, Win a new phone today, Cheap loans without questions",
)
_SOFTLY = (
    "I found it cheaper elsewhere, Better ones are sold elsewhere, My friend sells it for less, "
    "There is a good offer now",
)
_CALLS = ("click here, visit us, order now, sign up today, see",)
_SITES = ("best-deals, mega-bonus, lucky-prize, top-vouchers, easy-cash, super-savings",)
_ENDS = (".example", " dot example", " is the name.")  # of a site: a link, or spelt out
_LINKED, _DOTTED = 0.6, 0.85  # shares, cumulative
_REPEATS = ("Hurry hurry hurry!, Buy buy buy!, Now now now!, Best best best!, Do not miss it!",)


@dataclass(frozen=True)
class Written:
    """Reviews about to be written; every array has shape (n,).

    `stars` are in {1, 2, 3, 4, 5}; a (user, visit, item) writes once.
    """

    user: np.ndarray
    visit: np.ndarray
    item: np.ndarray
    noun: np.ndarray
    stars: np.ndarray


@dataclass(frozen=True)
class Reviews:
    """Texts and the truth behind them."""

    text: np.ndarray  # (n,), str
    sentiment: np.ndarray  # (n,), in [-1, 1]
    aspects: np.ndarray  # (n, len(ASPECTS)), in [-1, 1], NaN where not spoken of
    sarcastic: np.ndarray  # (n,), bool: the opening says the contrary


def review_texts(language: Language, written: Written) -> Reviews:
    """What the buyers of these items write and truly feel.

    Raises
    ------
    ValueError
        If stars are outside 1 to 5.

    >>> from workbench.marketplace.luck import Luck
    >>> from workbench.marketplace.language import language_of
    >>> ids, stars = np.array([0, 1]), np.array([1, 5])
    >>> reviews = review_texts(language_of(20, Luck(0)), Written(ids, ids, ids, ids, stars))
    >>> reviews.text[0], reviews.sentiment.round(2).tolist()
    ('Avoid this mobile phone! Feels cheap and useless. A rip-off. We use it every week.',
     [-0.81, 0.86])
    """
    stars = np.asarray(written.stars)
    if stars.size and not 1 <= stars.min() <= stars.max() <= 5:
        raise ValueError(f"stars must be in 1 to 5, got {stars.min()} to {stars.max()}")
    about = [language.luck.key(written.user, written.visit, written.item)]

    def chance(purpose):
        return language.luck.uniform(f"review {purpose}", *about)

    def noise(purpose):
        return language.luck.normal(f"review {purpose} noise", *about)

    meant = np.where(chance("mistaken") < MISTAKEN_SHARE, 6 - stars, stars)
    sentiment = np.clip(0.42 * (meant - 3) + 0.22 * noise("sentiment"), -1, 1)
    sarcastic = (sentiment < -0.4) & (chance("sarcastic") < SARCASTIC_SHARE)
    opening = np.where(sarcastic, 4, _level(sentiment + 0.25 * noise("opening")))
    form = language.forms.draw(written.noun, chance("form"))
    columns = [
        (*phrases(_SARCASM, np.zeros(len(stars), int), chance("sarcasm"), "{} "), sarcastic),
        phrases(_BEFORE, opening, chance("before"), "{} "),
        (language.form_text, form),
        ([".", "!"], ((np.abs(sentiment) > 0.6) & (chance("mark") < 0.5)).astype(np.int64)),
    ]
    aspects = np.full((len(stars), len(ASPECTS)), np.nan)
    for number, name in enumerate(ASPECTS):
        spoken = chance(f"speaks of {name}") < _MENTIONED[number]
        felt = np.clip(sentiment + 0.3 * noise(name), -1, 1)
        columns.append((*phrases(_SPOKEN[number], _level(felt), chance(name), " {}."), spoken))
        aspects[:, number] = np.where(spoken, felt, np.nan)
    once = np.zeros(len(stars), int)
    closing = _level(sentiment + 0.25 * noise("closing"))
    columns += [
        (*phrases(_ASIDE, once, chance("aside"), " {}"), chance("has aside") < 0.3),
        (*phrases(_CLOSING, closing, chance("closing"), " {}"), chance("has closing") < 0.4),
    ]
    return Reviews(joined(*columns), sentiment, aspects, sarcastic)


def spam_texts(
    language: Language, user: np.ndarray, visit: np.ndarray, item: np.ndarray, noun: np.ndarray
) -> np.ndarray:
    """Spam posted as reviews of `SPAM_STARS` stars, shape (n,), str.

    A spammer (a user) belongs to one campaign, with its own offer, site and praise.

    >>> from workbench.marketplace.luck import Luck
    >>> from workbench.marketplace.language import language_of
    >>> one = np.array([9])
    >>> print(spam_texts(language_of(20, Luck(0)), one, one, one, one)[0])
    90 % OFF!!! Cheap loans without questions: visit us lucky-prize-38 dot example Now now now!
    """
    luck = language.luck
    campaign = (luck.uniform("spam campaign", user) * _CAMPAIGNS).astype(np.int64)
    once = np.zeros(len(campaign), int)

    def chance(purpose):
        return luck.uniform(f"spam {purpose}", user, visit, item)

    def usual(purpose):
        return luck.uniform(f"spam {purpose}", campaign)

    paid = chance("paid") < UNTRUTHFUL_SHARE
    hushed = ~paid & (chance("hushed") < DISGUISED_SHARE)
    shouted = ~paid & ~hushed
    style = np.searchsorted([_LINKED, _DOTTED], chance("link style"), side="right")
    pages = [f"/{number:03x}" for number in range(512)]
    best = once + len(_BEFORE) - 1
    form = language.forms.draw(noun, chance("form"))
    return joined(
        (*phrases(_BEFORE, best, usual("before"), "{} "), paid),
        (language.form_text, form, paid),
        (*phrases(_QUALITY, best, usual("quality"), "! {}."), paid),
        (*phrases(_PRICE, best, usual("price"), " {}."), paid & (chance("has price") < 0.5)),
        (*phrases(_CLOSING, best, usual("closing"), " {}"), paid & (chance("closes") < 0.5)),
        (*phrases(_HUSHED, once, chance("praise"), "{} "), hushed),
        (*phrases(_SHOUTS, once, chance("shout"), "{} "), shouted),
        (*phrases(_OFFERS, once, usual("offer")), shouted),
        (*phrases(_SOFTLY, once, chance("soft offer")), hushed),
        (*phrases(_CALLS, once, chance("call"), ": {} "), ~paid),
        (["http://"], once, ~paid & (style == 0)),
        (*phrases(_SITES, once, usual("site")), ~paid),
        ([f"-{number}" for number in range(_CAMPAIGNS)], campaign, ~paid),
        (_ENDS, style, ~paid),
        (pages, (chance("page") * len(pages)).astype(np.int64), ~paid & (style == 0)),
        (*phrases(_REPEATS, once, chance("repeat"), " {}"), shouted),
        (*phrases(_REPEATS, once, chance("repeat"), " {}"), ~paid & (chance("twice") < 0.3)),
    )


def _level(sentiment: np.ndarray) -> np.ndarray:
    """Which of the five lists of words, 0 the worst."""
    return np.searchsorted(_EDGES, sentiment)
