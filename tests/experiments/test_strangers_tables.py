"""A stranger's pandas tables, with their usual dirt: an answer, or an error that names it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from workbench.experiments.analyse import analyse
from workbench.experiments.duration import duration
from workbench.experiments.guardrail import Guardrail
from workbench.experiments.looks import looks
from workbench.experiments.planning import Design
from workbench.experiments.ramp import Ramp, decide, evidence_of
from workbench.experiments.replay import replay_outcomes
from workbench.experiments.running import running_moments
from workbench.experiments.shadow import shadow

rng = np.random.default_rng(0)
AB = pd.DataFrame(
    {
        "user": [f"u{number:03}" for number in range(200)],
        "variant": ["old", "new"] * 100,
        "paid": rng.gamma(1, 10, 200).round(2),
        "bought": rng.random(200) < 0.2,
        "country": rng.choice(["ch", "de"], 200),
        "time": pd.Timestamp("2026-03-01", tz="Europe/Zurich")
        + pd.to_timedelta(rng.integers(0, 9 * 86_400, 200), unit="s"),
    }
)
SCORES = pd.DataFrame(
    {
        "request": [f"r{number}" for number in range(60)],
        "label": rng.random(60) < 0.4,
        "old": rng.random(60),
        "new": rng.random(60),
    }
)
LOG = pd.DataFrame(
    {"request": range(60), "reward": 1.0, "propensity": 0.5, "target_propensity": 0.5}
)
GUARD = Guardrail(metric="paid", better="higher")
RAMP = Ramp(control="old", treatment="new", shares=(0.5, 1.0), guardrails=GUARD)
AT = datetime(2026, 3, 20, tzinfo=UTC)


def read(table=AB, metric="paid", **expected):
    return analyse(table, metric, expected=expected or {"old": 0.5, "new": 0.5})


def ramp(table=AB, *, stage=0, at=AT, days=7.0):
    return decide(RAMP, evidence_of(RAMP, table, stage=stage, days=days, at=at))


def days(**arguments):
    return looks(
        running_moments(AB, "paid"), control="old", adjustment="fixed",
        **{"planned_users": 200} | arguments,
    )  # fmt: skip


@pytest.mark.parametrize(
    "dirt",
    [
        {"user": AB.user.astype("category"), "variant": AB.variant.astype("category")},
        {"paid": [Decimal(str(value)) for value in AB.paid]},
        {"user": AB.user.str.encode("utf-8")},
        {"variant": pd.Categorical(AB.variant, ["nobody", "old", "new"])},
        {"paid": AB.paid.astype("Float64")},
    ],
    ids=["categories", "decimals", "bytes", "unused category", "nullable"],
)
def test_the_same_numbers_in_other_types_are_the_same_read_out(dirt):
    table = AB.assign(**dirt)
    wanted, found = read()["paid"].effect, read(table)["paid"].effect
    assert (found.difference, found.p_value) == pytest.approx(
        (wanted.difference, wanted.p_value), rel=1e-12
    )
    assert repr(ramp(table)) == repr(ramp())


def test_words_for_true_and_false_are_no_surprise():
    plain = read(metric="bought")["bought"].effect.difference
    for kind in (object, "boolean", int):
        table = AB.assign(bought=AB.bought.astype(kind))
        assert read(table, "bought")["bought"].effect.difference == pytest.approx(plain)
    as_arms = AB.assign(variant=AB.variant == "new")
    found = analyse(as_arms, "paid", expected={False: 0.5, True: 0.5})
    assert found["paid"].effect.difference == pytest.approx(read()["paid"].effect.difference)


def test_one_guardrail_needs_no_brackets():
    assert RAMP.guardrails == (GUARD,)
    with pytest.raises(ValueError, match=r"guardrails must be of Guardrail, got \{'metric'"):
        Ramp(control="old", treatment="new", guardrails=[{"metric": "paid"}])


NAN_USERS = pl.DataFrame({"user": [1.0, np.nan, np.nan, 4], "variant": ["old", "new"] * 2,
                          "paid": 1.0})  # fmt: skip


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: read(NAN_USERS), "'user' is NaN in 2 rows"),
        (lambda: read(NAN_USERS.lazy()), "'user' is NaN in 2 rows"),
        (lambda: read(metric=3), r"metrics must be one or more .*, got \[3\]"),
        (lambda: read(old="half", new=0.5), "shares must be numbers, got 'half'"),
        (lambda: read(AB.assign(paid=AB.paid.astype(str))), "'paid' must be numbers, got String"),
        (lambda: read(AB.assign(paid=AB.time)), "'paid' must be numbers, got Datetime"),
        (lambda: read(AB.assign(paid=AB.paid.where(AB.index > 3))), "'paid' is null in 4 rows"),
        (lambda: read(AB[AB.index < 0]), "no users in any arm"),
        (lambda: duration(AB, "paid", lift="5%"), "finite number, got None and '5%'"),
        (lambda: duration(AB, 3, lift=0.1), r"metrics must be .*, got \[3\]"),
        (lambda: Design(alpha="5%"), "alpha must be a number, got '5%'"),
        (lambda: running_moments(AB, "paid", every=1), "every must be a timedelta above zero"),
        (lambda: running_moments(AB, "paid", every=timedelta(0)), "timedelta above zero, got"),
        (lambda: days(planned_users="200"), "planned_users must be a number above zero, got '200'"),
        (lambda: days(planned_users=np.inf), "planned_users must be a number above zero, got inf"),
        (lambda: ramp(AB.assign(paid="much")), "'paid' must be numbers, got String"),
        (lambda: ramp(AB.assign(stage="first")), "'stage' must be numbers, got String"),
        (lambda: ramp(None), "exposures is NoneType, not a table"),
        (lambda: ramp(stage="0"), r"stage must be in \[0, 1\], got '0'"),
        (lambda: ramp(at="2026-03-20"), "at must be a datetime and days a number"),
        (lambda: ramp(days=timedelta(days=7)), "at must be a datetime and days a number"),
        (lambda: replay_outcomes(LOG.assign(live="yes")), "live must be true or false, got String"),
        (lambda: replay_outcomes(LOG.assign(live=1.0)), "live must be true or false, got Float64"),
    ],
)
def test_what_cannot_be_read_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_looks_name_the_column_that_holds_words():
    moments = running_moments(AB, "paid").with_columns(pl.col("users").cast(pl.String))
    with pytest.raises(ValueError, match="'users' must be numbers, got String"):
        looks(moments, control="old", adjustment="fixed", planned_users=200)


@pytest.mark.parametrize(
    ("table", "arguments", "words"),
    [
        (SCORES.assign(label="fraud"), {}, "labels must be 0, 1 or null, got String"),
        (SCORES, {"cutoff": "0.5"}, "cutoff must have a number for 'old', got '0.5'"),
        (SCORES, {"sample": 0.5}, "sample is for a log of decisions"),
        (SCORES[["request", "old", "new"]],
         {"labels": pd.DataFrame({"request": range(60), "label": 0})},
         "request is String in the table and Int64 in labels: make them one type"),
    ],
)  # fmt: skip
def test_a_shadow_names_what_it_cannot_compare(table, arguments, words):
    with pytest.raises(ValueError, match=words):
        shadow(table, live="old", shadow="new", **arguments)
