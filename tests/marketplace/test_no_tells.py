"""Ids, order and fractions of a second say nothing about who is a thief: permutation tests.

Within a stratum (wave, hour, own device or not, at home or not) the labels of direct checkouts must
be exchangeable with respect to everything that carries no meaning. Which wave of a day somebody is
in does carry some: it is how often that person has asked today. Labels are permuted within strata;
a family of clues is judged by its sum of squared z-scores, and all families and worlds by a
Bonferroni bound (Good 2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses", chapter
3). A device counts once per label, since its payments share it.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from workbench.assign import uniform
from workbench.marketplace import Marketplace, MarketplaceSpec
from workbench.marketplace.luck import Ids
from workbench.marketplace.people import PLACES

SPEC = MarketplaceSpec(users=2_500, items=300, days=24, fraud_share=0.12, friendly_fraud_share=0.01)
PERMUTATIONS, ALPHA, SEEDS = 4_000, 0.01, (0, 1, 2)


def asked_in(seed, policies):
    """Direct checkouts as asked, the first of each burst, with their rows in wave and log."""
    world, waves = Marketplace(replace(SPEC, seed=seed)), []
    while (requests := world.next_requests()) is not None:
        if "checkout" in requests:
            wave = pl.DataFrame(requests["checkout"]).with_row_index("wave_row")
            waves.append(wave.with_columns(wave_rows=pl.len(), wave=pl.lit(len(waves))))
        world.react({name: policies.usual[name].act(each) for name, each in requests.items()})
    asked = pl.concat(waves)
    log = world.events()["request"].filter(pl.col("surface") == "checkout")
    asked = asked.join(log.with_row_index("log_row").select("request", "log_row"), on="request")
    user, visit, step = Ids(seed, "request").parts(asked["request"].to_numpy())
    rows = asked.with_columns(
        label=world.truth.is_fraud(asked),
        own=pl.col("device") == world.people.main_device(user, visit),
        away=pl.col("place") != PLACES[world.people.home[user]],
    )
    return rows.filter(pl.Series(step == 0) & (pl.col("session") == pl.col("request")))


@pytest.fixture(scope="module")
def rows(policies):
    return asked_in(0, policies)


def clues(rows: pl.DataFrame) -> dict[str, np.ndarray]:
    """Families of clues, each of shape (n, clues)."""

    def bits(values, count):
        return (values[:, None] >> np.arange(count)) & 1

    def remainders(values):
        return values[:, None] % np.array([2, 3, 5, 7, 10, 64])

    request, device, microsecond, wave_row, wave_rows, log_row = (
        rows.select(
            "request", "device", pl.col("time").dt.microsecond().cast(pl.Int64),
            pl.col("wave_row").cast(pl.Int64), "wave_rows", pl.col("log_row").cast(pl.Int64),
        ).to_numpy().T
    )  # fmt: skip
    hour = pl.col("time").dt.truncate("1h")
    inside = rows.select(pl.col("log_row").rank().over(hour) / pl.len().over(hour)).to_numpy()
    return {
        "request": request[:, None],
        "bits of request": bits(request, 53),
        "remainders of request": remainders(request),
        "device": device[:, None],
        "bits of device": bits(device, 53),
        "remainders of device": remainders(device),
        "fraction of a second": microsecond[:, None],
        "digits of the fraction": remainders(microsecond),
        "bits of the fraction": bits(microsecond, 20),
        "place in the wave": (wave_row / wave_rows)[:, None],
        "row of the wave": np.column_stack([remainders(wave_row), wave_row == 0]),
        "row of the log": np.column_stack([remainders(log_row), inside]),
    }


def p_values(rows: pl.DataFrame, families: dict[str, np.ndarray]) -> dict[str, float]:
    """Share of permutations in which a family says at least as much as in truth."""
    about = rows.select("wave", pl.col("time").dt.hour(), "own", "away").to_numpy().astype(np.int64)
    strata = about @ np.array([96, 4, 2, 1])
    label, rng = rows["label"].to_numpy(), np.random.default_rng(0)
    order = np.argsort(strata, kind="stable")
    strata, label = strata[order], label[order]
    labels = np.zeros((PERMUTATIONS + 1, len(label)), np.float32)
    labels[0] = label
    edges = np.flatnonzero(np.diff(strata, prepend=-1, append=-1))
    for first, stop in pairwise(edges):
        frauds = int(label[first:stop].sum())
        luck = rng.random((PERMUTATIONS, stop - first)).argsort(axis=1)
        labels[1:, first:stop] = luck < frauds
    found = {}
    for name, values in families.items():
        values = values[order].astype(float)
        for first, stop in pairwise(edges):
            values[first:stop] -= values[first:stop].mean(axis=0)
        values = values[:, values.std(axis=0) > 0]
        sums = labels @ (values / values.std(axis=0)).astype(np.float32)
        strength = ((sums / sums[1:].std(axis=0)) ** 2).sum(axis=1)
        found[name] = (1 + (strength[1:] >= strength[0]).sum()) / (1 + PERMUTATIONS)
    return found


def told(rows: pl.DataFrame) -> list[str]:
    """The families that give thieves away."""
    found = p_values(rows, {k: v for k, v in clues(rows).items() if "device" not in k})
    once = rows.filter(pl.struct("device", "label").is_first_distinct())
    found |= p_values(once, {k: v for k, v in clues(once).items() if "device" in k})
    return [name for name, p in found.items() if p < ALPHA / len(found) / len(SEEDS)]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_without_meaning_tells_who_is_a_thief(seed, policies):
    rows = asked_in(seed, policies)
    assert 800 < rows["label"].sum() < rows.height / 4
    assert told(rows) == []


def some(rows, share):
    """A keyed share of the frauds, bool."""
    luck = uniform("planted", rows["request"].to_numpy())
    return pl.Series(rows["label"].to_numpy() & (luck < share))


def odd_requests(rows):
    return rows.with_columns(request=pl.col("request") | some(rows, 0.3).cast(pl.Int64))


def low_devices(rows):
    device = pl.col("device")
    return rows.with_columns(device=pl.when(some(rows, 0.3)).then(device // 8).otherwise(device))


def whole_milliseconds(rows):
    time = pl.col("time")
    blunt = pl.when(some(rows, 0.3)).then(time.dt.truncate("1ms")).otherwise(time)
    return rows.with_columns(time=blunt)


def first_in_the_wave(rows):
    place = pl.when(some(rows, 0.3)).then(0).otherwise("wave_row")
    return rows.with_columns(wave_row=place)


def fifth_in_the_log(rows):
    row = pl.col("log_row")
    moved = pl.when(some(rows, 0.3)).then(row // 5 * 5).otherwise(row)
    return rows.with_columns(log_row=moved)


@pytest.mark.parametrize(
    ("plant", "where"),
    [
        (odd_requests, "bits of request"),
        (low_devices, "device"),
        (whole_milliseconds, "digits of the fraction"),
        (first_in_the_wave, "place in the wave"),
        (fifth_in_the_log, "row of the log"),
    ],
)
def test_a_planted_tell_is_found(rows, plant, where):
    assert where in told(plant(rows))
