"""The pure parts by hand, and that a picture carries what each host draws."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from workbench.widgets import two_clocks, validity
from workbench.widgets.lines import lines
from workbench.widgets.picture import VEGA_LITE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def labelled(*statuses: str) -> pl.DataFrame:
    times = [NOON + timedelta(days=number // 3) for number in range(len(statuses))]
    return pl.DataFrame({"time": times, "status": statuses})


def test_the_fraud_share_leaves_censored_payments_out():
    counts = two_clocks.status_by_day(labelled("positive", "censored", "matured_negative"))
    assert counts["positive_share"].to_list() == [0.5] * 3


def test_days_do_not_mix():
    counts = two_clocks.status_by_day(labelled(*["pending"] * 3, *["positive"] * 3))
    assert counts.select("rows", "positive_share").rows() == [(3, 0.0), (3, 1.0)]


def test_a_table_without_status_is_refused_by_name():
    with pytest.raises(ValueError, match="status"):
        two_clocks.status_by_day(pl.DataFrame({"time": [NOON]}))


def test_a_line_chart_refuses_a_column_that_is_not_there():
    with pytest.raises(ValueError, match="auc"):
        lines(pl.DataFrame({"day": [1]}), "day", "auc")


def test_whole_days_are_marked_by_whole_numbers_and_half_days_by_any():
    def labels(days):
        frame = pl.DataFrame({"day": days, "auc": [0.0] * len(days)})
        return lines(frame, "day", "auc")._repr_mimebundle_()["image/svg+xml"]

    assert ">1<" in labels([1, 2, 3])
    assert ">1.2<" not in labels([1, 2, 3])
    assert ">1.5<" in labels([1.0, 1.5, 2.0])


def test_a_picture_carries_a_specification_a_drawing_and_words():
    picture = two_clocks.chart(two_clocks.status_by_day(labelled("positive", "pending")))
    bundle = picture._repr_mimebundle_()
    assert bundle[VEGA_LITE]["$schema"].endswith("v5.20.1.json")
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"] == "<Picture: 2 rows>"
    assert picture._display_() is picture.chart


CURVES = pl.DataFrame(
    {
        "curve": ["popularity"] * 4 + ["hours of baskets"] * 2,
        "of": ["world", "world", "shop", "shop", "world", "world"],
        "x": [0.1, 1.0, 0.1, 1.0, 9.0, 10.0],
        "y": [0.6, 1.0, 0.5, 1.0, 0.3, 0.7],
    }
)


def test_a_panel_has_a_line_per_log_and_is_drawn_where_two_can_be_compared():
    spec = validity.chart(CURVES).chart.to_dict()
    assert [panel["title"] for panel in spec["concat"]] == ["popularity"]
    assert spec["concat"][0]["encoding"]["color"]["scale"]["domain"] == ["world", "shop"]
    chosen = validity.chart(CURVES, ["hours of baskets", "popularity"]).chart.to_dict()
    assert [panel["title"] for panel in chosen["concat"]] == ["hours of baskets", "popularity"]


def test_curves_that_are_not_there_are_refused_by_name():
    with pytest.raises(ValueError, match=r"no column \['y'\]"):
        validity.chart(CURVES.drop("y"))
    with pytest.raises(ValueError, match=r"got \['months'\]"):
        validity.chart(CURVES, ["months"])
    with pytest.raises(ValueError, match=r"got \[\]"):
        validity.chart(CURVES.filter(pl.col("of") == "world"))
