"""The ASOS experiments: nothing is lost that can be read, and the looks are in order."""

import polars as pl
import pytest

from workbench.data import asos
from workbench.experiments.looks import looks

COMPARISON = ["experiment", "arm", "metric"]


def _rows(**change):
    one = {
        "experiment_id": "a",
        "variant_id": 1,
        "metric_id": 4,
        "time_since_start": [0.5, 1.0, 1.5, 2.0],
        "count_c": [10.0, 20.0, 30.0, 40.0],
        "count_t": [11.0, 19.0, 33.0, 44.0],
        "mean_c": 1.0,
        "mean_t": 2.0,
        "variance_c": 3.0,
        "variance_t": 3.0,
    }
    return pl.DataFrame(one | change)


@pytest.mark.usefixtures("real_data")
class TestPublished:
    def test_readings_are_the_rows_that_can_be_read(self):
        published, every = asos.table(), asos.readings(daily=False)
        assert published.height == 24_153
        assert published["experiment_id"].n_unique() == 78
        without = published["variance_c"].is_null() | published["variance_t"].is_null()
        assert 0 < published.height - without.sum() - every.height < 20  # one user, or fewer
        assert not every.select(pl.exclude("experiment").is_nan().any()).row(0).count(True)

    def test_users_only_come_and_each_day_has_one_reading(self):
        daily = asos.readings()
        total = pl.col("users_control") + pl.col("users_arm")
        assert daily.filter(total.diff().over(COMPARISON) < 0).is_empty()
        assert not daily.select(*COMPARISON, pl.col("day").ceil()).is_duplicated().any()

    def test_metric_one_is_zero_or_one(self):
        """n / (n - 1) m (1 - m) is the variance of zeros and ones."""
        first = asos.readings().filter(pl.col("metric") == 1, pl.col("users_arm") > 1_000)
        mean = pl.col("mean_arm")
        off = (first.select((pl.col("variance_arm") / (mean * (1 - mean)) - 1).abs().max())).item()
        assert off < 0.01

    def test_a_comparison_is_read_by_looks(self):
        frame = asos.readings()
        one = asos.moments(frame, frame["experiment"][0], arm=frame["arm"][0], metric=1)
        end = one.filter(pl.col("look") == pl.col("look").max())
        found = looks(
            one, control="control", planned_users=end["users"].sum(), adjustment="always_valid"
        )
        assert found.table["information"][-1] == 1


def test_days_end_with_their_last_reading():
    assert asos.readings(_rows())["day"].to_list() == [1.0, 2.0]
    assert asos.readings(_rows(), daily=False)["users_arm"].to_list() == [11, 19, 33, 44]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"variance_c": [3.0, None, 3.0, 3.0]}, [0.5, 1.5, 2.0]),
        ({"mean_t": [float("nan"), 1.0, 1.0, 1.0]}, [1.0, 1.5, 2.0]),
        ({"count_c": [1.0, 20.0, 30.0, 40.0]}, [1.0, 1.5, 2.0]),
        ({"count_c": [10.0, 50.0, 30.0, 70.0]}, [0.5, 1.0, 2.0]),
    ],
)
def test_what_cannot_be_read_is_left_out(change, left):
    assert asos.readings(_rows(**change), daily=False)["day"].to_list() == left


def test_an_unknown_comparison_is_named():
    with pytest.raises(ValueError, match="no comparison 'b', arm 1, metric 4"):
        asos.moments(asos.readings(_rows()), "b", arm=1, metric=4)
