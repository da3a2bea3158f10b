"""The damage ledger as a picture: cost with its interval, colored by whether it was found."""

import polars as pl
import pytest

from workbench.widgets.damage import chart
from workbench.widgets.picture import VEGA_LITE

TABLE = pl.DataFrame(
    {
        "task": "fraud",
        "unit": "cost per 1,000 checkouts",
        "fault": ["wrong chargebacks", "nulls", "late chargebacks", "nulls"],
        "when": ["training", "training", "training", "serving"],
        "cost_more": [2_500.04, 300.0, float("nan"), 20.0],
        "cost_low": [2_000.0, -100.0, float("nan"), -10.0],
        "cost_high": [3_000.0, 700.0, float("nan"), 50.0],
        "found": [0.0, 1.0, None, 0.5],
    }
)


def rows(picture):
    (found,) = picture.chart.to_dict()["datasets"].values()
    return {(row["fault"], row["when"]): row for row in found}


def test_a_row_has_its_cost_and_whether_it_was_found():
    seen = rows(chart(TABLE))
    assert seen["wrong chargebacks", "training"]["cost_more"] == 2_500.0
    words = {key: row["checks"] for key, row in seen.items()}
    assert words == {
        ("wrong chargebacks", "training"): "missed",
        ("nulls", "training"): "found",
        ("late chargebacks", "training"): "not asked",
        ("nulls", "serving"): "found",
    }


def test_a_fault_that_left_no_model_has_no_cost_and_says_so():
    picture = chart(TABLE)
    assert rows(picture)["late chargebacks", "training"]["cost_more"] is None
    assert "no model could be trained" in picture._repr_mimebundle_()["image/svg+xml"]
    assert "no model" not in chart(TABLE[:2])._repr_mimebundle_()["image/svg+xml"]


def test_a_ledger_without_the_checks_beside_it_is_drawn_too():
    seen = rows(chart(TABLE.drop("found")))
    assert {row["checks"] for row in seen.values()} == {"not asked"}


def test_training_and_serving_are_panels_and_the_worst_fault_is_on_top():
    spec = chart(TABLE)._repr_mimebundle_()[VEGA_LITE]
    assert spec["facet"]["column"]["sort"] == ["training", "serving"]
    order = spec["spec"]["layer"][0]["encoding"]["y"]["sort"]
    assert order == ["wrong chargebacks", "nulls", "late chargebacks"]


def test_other_frames_and_several_tasks_are_refused():
    with pytest.raises(ValueError, match=r"no column \['cost_low'\]"):
        chart(TABLE.drop("cost_low"))
    with pytest.raises(ValueError, match=r"one task, got \['fraud', 'clicks'\]"):
        chart(pl.concat([TABLE, TABLE.with_columns(task=pl.lit("clicks"))]))
