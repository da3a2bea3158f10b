"""The detectors behind `oddities`: each adds its checks to a list.

A check is (detector, by, segment, live, shadow, p, far): what was measured for the live policy and
for the shadow, how likely chance is, and whether it is beyond what an honest challenger does.
"""

from __future__ import annotations

import numpy as np
import polars as pl

__all__ = [
    "both_of",
    "collapsed_scores",
    "good_answers",
    "has",
    "missing_answers",
    "one_category",
    "score_levels",
    "starved_items",
    "starved_users",
    "vanishing_coverage",
    "words_of",
]

# How far is too far. Choices of this project, not tests: `tests/experiments/test_degenerate.py`
# plants cases beyond them and measures how often honest challengers come so far.
_ONE_CATEGORY = 0.05  # share of answers beside the commonest, against the live policy's
_TAKES, _MORE = 0.3, 5.0  # share of a category, and how often more than with the live policy
_LEVELS, _FEWER, _COVERED = 4, 5.0, 0.999  # score levels; how many more live has; rows they cover
_COVERAGE, _EFFECTIVE = 0.2, 0.1  # distinct items, and effective items, against live's
_STARVED_USERS, _STARVED_ITEMS = 0.5, 0.1  # good answers to a segment, places of a category
_MISSING = 0.01  # more answers missing, as a share of all
_ROWS, _ITEMS = 200, 20  # fewer rows, or fewer items of live's, tell nothing of levels or coverage


def score_levels(scores) -> int:
    """How many values, to three digits, 999 of 1,000 scores have between them.

    A constant has one, also with noise in the ninth digit; a step function as many as steps that
    matter. The scale of the scores does not count, so a recalibrated model keeps its levels.

    >>> score_levels([0.5] * 999 + [0.7]), score_levels([0.001, 0.002, 0.5000001, 0.5])
    (1, 3)
    """
    scores = np.asarray(scores, float)
    scores = scores[np.isfinite(scores)]
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(scores == 0, 1.0, 10.0 ** (np.floor(np.log10(np.abs(scores))) - 2))
    counts = np.unique(np.round(scores / power) * power, return_counts=True)[1]
    covered = np.cumsum(np.sort(counts)[::-1])
    return int(np.searchsorted(covered, _COVERED * len(scores) - 1e-9) + 1) if len(scores) else 0


def good_answers(pairs) -> tuple[np.ndarray, np.ndarray] | None:
    """Whether each row gives the person something: shown or approved, of live and of shadow."""
    if has(pairs, "action"):
        columns = ((pairs[name] != "block").fill_null(False) for name in both_of("action"))
        live, shadow = (each.to_numpy() for each in columns)
        if not has(pairs, "item") or pairs["live_item"].null_count() == len(pairs):
            return live, shadow
        there = [pairs[name].is_not_null().to_numpy() for name in both_of("item")]
        return live & there[0], shadow & there[1]
    if has(pairs, "item"):
        return tuple(pairs[name].is_not_null().to_numpy() for name in both_of("item"))
    return None


def missing_answers(checks, pairs, cluster, first) -> None:
    """More requests without an answer, more answers without a score."""
    answered = {}
    for who in ("live", "shadow"):
        kinds = [k for k in ("item", "action", "score") if has(pairs, k)]
        if "item" in kinds and pairs["live_item"].null_count() == len(pairs):
            kinds.remove("item")
        if not kinds:
            return
        there = pairs[f"{who}_{kinds[0]}"].is_not_null().to_numpy()
        code = _request_codes(pairs)
        answered[who] = np.bincount(code, there, minlength=int(code[-1]) + 1) > 0
    users = cluster[first]
    live, shadow = answered["live"], answered["shadow"]
    more = live.mean() - shadow.mean() > _MISSING
    p = _sign_test(live, shadow, users)[0]
    checks.append(
        _check("missing answers", None, None, 1 - live.mean(), 1 - shadow.mean(), p, more)
    )
    if has(pairs, "score") and kinds[0] != "score":
        live, shadow = (pairs[name].is_not_null().to_numpy() for name in both_of("score"))
        more = live.mean() - shadow.mean() > _MISSING
        p = _sign_test(live, shadow, cluster)[0]
        checks.append(
            _check("missing scores", None, None, 1 - live.mean(), 1 - shadow.mean(), p, more)
        )


def one_category(checks, name, live: pl.Series, shadow: pl.Series, cluster, place) -> None:
    """One answer has all places, or so many more than before that others are pushed aside.

    The first is measured by the share of answers beside the commonest one, of each policy by
    itself; the second by the share of the shadow's commonest one.
    """
    both = pl.DataFrame({"live": live, "shadow": shadow, "user": cluster}).filter(place)
    both = both.drop_nulls()
    if both["live"].n_unique() < 2:
        return
    users = both["user"].to_numpy()
    top = {who: both[who].value_counts(sort=True)[who][0] for who in ("live", "shadow")}
    beside = [(both[who] != top[who]).to_numpy() for who in ("live", "shadow")]
    shares = [each.mean() for each in beside]
    p = _sign_test(*beside, users)[0]
    far = shares[1] < _ONE_CATEGORY * shares[0]
    checks.append(_check("one category", name, None, *shares, p, far))
    taken = [(both[who] == top["shadow"]).to_numpy() for who in ("live", "shadow")]
    shares = [each.mean() for each in taken]
    p = _sign_test(*taken[::-1], users)[0]
    far = shares[1] >= _TAKES and shares[1] > _MORE * shares[0]
    checks.append(_check("one category", name, str(top["shadow"]), *shares, p, far))


def collapsed_scores(checks, pairs) -> None:
    """Scores that have hardly any values left."""
    live, shadow = (score_levels(pairs[name].drop_nulls().to_numpy()) for name in both_of("score"))
    enough = pairs["shadow_score"].len() - pairs["shadow_score"].null_count() >= _ROWS
    far = enough and shadow <= _LEVELS and live >= _FEWER * max(shadow, 1)
    checks.append(_check("collapsed scores", None, None, live, shadow, None, far))


def vanishing_coverage(checks, pairs) -> None:
    """Far fewer items on the same requests, or nearly all places for a few."""
    found = {}
    for who in ("live", "shadow"):
        counts = pairs[f"{who}_item"].drop_nulls().value_counts()["count"].to_numpy()
        shares = counts / max(counts.sum(), 1)
        found[who] = len(counts), (1 / (shares**2).sum() if len(counts) else 0.0)
    if found["live"][0] < _ITEMS or len(pairs) < _ROWS:
        return
    for name, number, limit in (("items", 0, _COVERAGE), ("effective items", 1, _EFFECTIVE)):
        live, shadow = found["live"][number], found["shadow"][number]
        far = shadow < limit * live
        checks.append(_check("vanishing coverage", name, None, live, shadow, None, far))


def starved_users(checks, name, segment: pl.Series, live, shadow, cluster, first) -> None:
    """A segment of requests that gets far fewer good answers."""
    code = _request_codes(pairs=None, first=first)
    n = int(first.sum())
    live, shadow = (np.bincount(code, each, minlength=n) > 0 for each in (live, shadow))
    words = segment.filter(first).fill_null("(none)")
    values = sorted(words.unique().to_list())
    group = words.cast(pl.Enum(values)).to_physical().to_numpy().astype(np.int64)
    rows = np.bincount(group, minlength=len(values))
    shares = [np.bincount(group, each, minlength=len(values)) / rows for each in (live, shadow)]
    p = _sign_test(live, shadow, cluster[first], group)
    for i, value in enumerate(values):
        far = shares[1][i] < _STARVED_USERS * shares[0][i]
        checks.append(_check("starved", name, value, shares[0][i], shares[1][i], p[i], far))


def starved_items(checks, name, live: pl.Series, shadow: pl.Series, cluster) -> None:
    """A category of items that loses its places."""
    values = sorted(set(live.drop_nulls().unique().to_list()))
    for value in values:
        mine, others = (each.eq_missing(value).to_numpy() for each in (live, shadow))
        p = _sign_test(mine, others, cluster)[0]
        far = others.mean() < _STARVED_ITEMS * mine.mean()
        checks.append(_check("starved", name, str(value), mine.mean(), others.mean(), p, far))


def _sign_test(live, shadow, cluster, group=None) -> np.ndarray:
    """One-sided p, for each group, that no more clusters lose than win."""
    from scipy.stats import binom

    group = np.zeros(len(live), np.int64) if group is None else group
    g = int(group.max(initial=0)) + 1
    change = shadow.astype(np.int64) - live.astype(np.int64)
    moved = change != 0
    code = group[moved] * (int(cluster.max(initial=0)) + 1) + cluster[moved]
    cells, cell = np.unique(code, return_inverse=True)
    total = np.bincount(cell, change[moved], minlength=len(cells))
    owner = cells // (int(cluster.max(initial=0)) + 1)
    lost = np.bincount(owner[total < 0], minlength=g)
    won = np.bincount(owner[total > 0], minlength=g)
    return binom.sf(lost - 1, lost + won, 0.5)


def _request_codes(pairs=None, first=None) -> np.ndarray:
    if first is None:
        first = pairs["request"].is_first_distinct().to_numpy()
    return np.cumsum(first) - 1


def has(pairs, kind: str) -> bool:
    """Whether both policies have this kind of answer: action, item or score."""
    return set(both_of(kind)) <= set(pairs.columns)


def both_of(kind: str) -> tuple[str, str]:
    """The columns of the live policy and of the shadow."""
    return f"live_{kind}", f"shadow_{kind}"


def words_of(column: pl.Series) -> pl.Series:
    """Values as words, so that any column can be a category."""
    return column.cast(pl.String)


def _check(detector, by, segment, live, shadow, p, far) -> tuple:
    p = None if p is None else float(p)
    return (detector, by, segment, float(live), float(shadow), p, bool(far))
