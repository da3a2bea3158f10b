"""One definition, three paths: the stream is the training frame, the night knows what it knew."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench import features
from workbench.features import training_frame
from workbench.widgets.feature_paths import last_midnight, three_paths

START = datetime(2026, 1, 5, tzinfo=UTC)
ABOUT = {"of": "payment", "per": "user"}
FEATURES = [
    features.count(**ABOUT, days=1),
    features.mean("amount", **ABOUT, days=30),
    features.count(**ABOUT, days=1, step_minutes=1440),
    features.last("amount", 3, **ABOUT, days=30),
    features.time_since(**ABOUT),
    features.count("chargeback", per="user"),
    features.sum("amount", **ABOUT, session_minutes=120),
]


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    time = [START + timedelta(seconds=int(s)) for s in np.sort(rng.uniform(0, 20 * 86_400, 300))]
    paid = pl.DataFrame({"user": rng.integers(0, 5, 300), "amount": rng.integers(1, 99, 300) / 1.0})
    paid = paid.with_columns(time=pl.Series(time), known_at=pl.Series(time), event=np.arange(300))
    late = paid.sample(60, seed=1).with_columns(pl.col("known_at") + timedelta(days=3, hours=5))
    return {"payment": paid, "chargeback": late}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_stream_and_training_agree_and_the_night_is_training_on_what_it_knew(feature, log):
    for hours in (31, 200, 333, 480):
        at = START + timedelta(hours=hours, minutes=7)
        row = {"user": hours % 5, "time": at}
        offline, nightly, stream = three_paths(row, feature, log)
        assert alike(stream.value, offline.value)
        known = {kind: log[kind].filter(pl.col("known_at") < last_midnight(at)) for kind in log}
        asked = pl.DataFrame({key: [value] for key, value in row.items()})
        night = training_frame(asked, feature, known)[feature.name].to_list()[0]
        assert alike(nightly.value, night)
        assert nightly.knows_until == last_midnight(at) <= at == stream.knows_until


def alike(one, other):
    """Equal, or equal to rounding; two nulls are equal."""
    return one == other if other is None else one == pytest.approx(other, rel=1e-12)


def test_values_are_told_in_few_letters(log):
    nobody = {"user": 99, "time": START + timedelta(days=2)}
    assert [each.words for each in three_paths(nobody, FEATURES[1], log)] == ["nothing"] * 3
    assert three_paths(nobody, FEATURES[0], log)[0].words == "0"
    someone = {"user": 1, "time": START + timedelta(days=20)}
    assert three_paths(someone, FEATURES[3], log)[2].words.count(", ") == 2
