"""What fresh features are worth, as a picture: every age a shade, every feature a row."""

import polars as pl
import pytest

from workbench.widgets.freshness import ONLY, WITHOUT, chart

ROW = {"trained": "as served", "auc_worth": 0.0312345, "auc_low": 0.01, "auc_high": 0.05}
TABLE = pl.DataFrame(
    [
        {"feature": feature, "seconds": seconds, "others": others, **ROW}
        for feature in ("payments_1h", "mean_30d", "all of them")
        for seconds, others in ((60.0, "fresh"), (86_400.0, "fresh"), (None, "fresh"))
    ]
    + [{"feature": f, "seconds": 86_400.0, "others": "old", **ROW} for f in ("payments_1h",)]
)


def test_left_is_one_old_among_fresh_and_right_one_fresh_among_old():
    left, right = chart(TABLE).chart.to_dict()["hconcat"]
    assert left["title"] == "this one old, the others fresh"
    assert right["title"] == "only this one fresh, the others 1 d old"
    assert right["layer"][0]["encoding"]["color"] == {"value": ONLY}
    assert "all of them" not in right["layer"][0]["encoding"]["y"]["sort"]


def test_ages_are_in_order_and_not_having_it_has_a_color_of_its_own():
    left = chart(TABLE).chart.to_dict()["hconcat"][0]
    scale = left["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["1 min", "1 d", "without"]
    assert scale["range"][-1] == WITHOUT


def test_values_are_rounded_so_that_a_saved_chart_stays_the_same():
    data = chart(TABLE).chart.to_dict()["datasets"]
    assert {row["auc_worth"] for rows in data.values() for row in rows} == {0.0312}


def test_what_was_trained_on_fresh_has_one_panel():
    table = TABLE.filter(pl.col("others") == "fresh").with_columns(trained=pl.lit("on fresh"))
    assert len(chart(table, trained="on fresh").chart.to_dict()["hconcat"]) == 1
    with pytest.raises(ValueError, match="nothing in the table was trained 'as served'"):
        chart(table)
    with pytest.raises(ValueError, match=r"no column \['auc_low'\]"):
        chart(TABLE.drop("auc_low"))
