"""An exposure is the first live decision with a variant; outcomes count from there to a horizon."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.events import EventLog
from workbench.experiments.exposures import exposed

START = datetime(2026, 3, 1, tzinfo=UTC)
ARMS = ["old", "new"]
REVENUE = {"revenue": "purchase.amount", "purchases": "purchase"}


def day(number):
    return START + timedelta(days=number)


def decisions(*rows, **columns):
    users, variants, days = zip(*rows, strict=True)
    times = [day(each) for each in days]
    return pl.DataFrame({"user": users, "variant": variants, "time": times} | columns)


def purchases(*rows):
    users, days, amounts = zip(*rows, strict=True)
    return pl.DataFrame({"user": users, "time": [day(each) for each in days], "amount": amounts})


TABLES = {
    "decision": decisions(
        (1, "old", 1), (1, "old", 5), (2, "new", 2), (3, "new", 2), (4, "old", 3), (9, None, 1)
    ),
    "purchase": purchases((1, 0.5, 100.0), (1, 1, 1.0), (1, 2, 2.0), (1, 7.9, 4.0), (1, 8, 8.0),
                          (2, 3, 5.0), (9, 3, 50.0)),
}  # fmt: skip


def test_a_week_from_the_first_exposure_by_hand():
    result = exposed(TABLES, REVENUE, arms=ARMS, horizon=timedelta(days=7), at=day(30))
    # user 1: not day 0.5 (before), not day 8 (a week has passed); the moment itself counts
    assert result.table.select("user", "variant", "revenue", "purchases").rows() == [
        (1, "old", 7.0, 3), (2, "new", 5.0, 1), (3, "new", 0.0, 0), (4, "old", 0.0, 0)
    ]  # fmt: skip
    assert (result.crossed_users, result.young, result.early) == (0, 0, {"purchase": 1})
    assert result.table["time"].to_list() == [day(1), day(2), day(2), day(3)]
    assert repr(result) == (
        "exposed: old 2, new 2\nleft out: 0 in several arms, 0 too young\n"
        "before exposure, not counted: 1 purchase"
    )


def test_before_the_exposure_is_a_covariate_of_its_own():
    before = timedelta(days=1)
    result = exposed(TABLES, REVENUE, arms=ARMS, before=before)
    assert result.table["revenue_before"].to_list() == [100.0, 0, 0, 0]
    assert result.table["revenue"].to_list() == [15.0, 5, 0, 0]
    assert result.table.columns[4:] == [
        "revenue",
        "revenue_before",
        "purchases",
        "purchases_before",
    ]


def test_who_had_no_full_week_is_left_out_however_much_they_bought():
    result = exposed(TABLES, REVENUE, arms=ARMS, horizon=timedelta(days=7), at=day(9))
    assert result.table["user"].to_list() == [1, 2, 3]
    assert result.young == 1
    early = exposed(TABLES, REVENUE, arms=ARMS, horizon=timedelta(days=7), at=day(5))
    assert (len(early.table), early.young) == (0, 4)
    assert early.table.schema == result.table.schema


def test_late_news_does_not_count_for_the_old_either():
    late = TABLES["purchase"].with_columns(known_at=pl.col("time") + timedelta(days=10))
    week = timedelta(days=7)
    result = exposed(TABLES | {"purchase": late}, REVENUE, arms=ARMS, horizon=week, at=day(60))
    assert result.table["revenue"].sum() == 0
    result = exposed(TABLES | {"purchase": late}, REVENUE, arms=ARMS, horizon=2 * week, at=day(60))
    assert result.table["revenue"].to_list() == [3.0, 5.0, 0, 0]


def test_shadows_and_the_held_out_are_not_exposed():
    rows = decisions((1, "old", 1), (2, "new", 1), (3, "new", 1), (4, "holdout", 1), (5, "", 1),
                     live=[True, True, False, True, True])  # fmt: skip
    result = exposed(TABLES | {"decision": rows}, REVENUE, arms=ARMS)
    assert result.table["user"].to_list() == [1, 2]


def test_users_in_several_arms_are_counted_and_left_out():
    rows = decisions((1, "old", 1), (1, "new", 2), (2, "new", 1), (3, "old", 1))
    result = exposed(TABLES | {"decision": rows}, REVENUE, arms=ARMS)
    assert (result.table["user"].to_list(), result.crossed_users) == ([2, 3], 1)


def test_an_arm_of_a_split_inside_counts_as_its_outer_arm_whose_share_is_not_told():
    rows = decisions((1, "old", 1), (2, "new/large", 1), (3, "new/small", 1), (3, "new/large", 2),
                     variant_share=[0.5, 0.25, 0.25, 0.25])  # fmt: skip
    result = exposed(TABLES | {"decision": rows}, REVENUE, arms=ARMS)
    assert result.table["variant"].to_list() == ["old", "new", "new"]
    assert result.table["variant_share"].to_list() == [0.5, None, None]


class TestStages:
    ROWS = decisions((1, "old", 1), (1, "new", 5), (2, "old", 1), (3, "new", 1), (3, "new", 6),
                     (4, "new", 4.5),
                     variant_share=[0.9, 0.5, 0.9, 0.1, 0.5, 0.5])  # fmt: skip
    BOUGHT = purchases((1, 2, 1.0), (1, 5, 8.0), (3, 6, 2.0), (3, 6.5, 4.0))
    SOURCE = {"decision": ROWS, "purchase": BOUGHT}  # noqa: RUF012
    ASK = {  # noqa: RUF012
        "arms": ARMS, "stages": [day(4)], "horizon": timedelta(days=2), "at": day(20)
    }  # fmt: skip

    def test_a_user_is_in_the_stage_of_the_first_exposure_and_a_later_move_is_no_crossing(self):
        result = exposed(self.SOURCE, REVENUE, **self.ASK)
        names = ["user", "stage", "variant", "variant_share", "revenue"]
        assert result.table.select(names).rows() == [
            (1, 0, "old", 0.9, 1.0), (2, 0, "old", 0.9, 0.0), (3, 0, "new", 0.1, 0.0),
            (4, 1, "new", 0.5, 0.0),
        ]  # fmt: skip
        assert result.crossed_users == 0

    def test_each_stage_exposes_anew_in_the_arm_of_that_stage(self):
        result = exposed(self.SOURCE, REVENUE, entry="each", **self.ASK)
        assert result.table.select("user", "stage", "variant", "revenue").rows() == [
            (1, 0, "old", 1.0), (1, 1, "new", 8.0), (2, 0, "old", 0.0), (3, 0, "new", 0.0),
            (3, 1, "new", 6.0), (4, 1, "new", 0.0),
        ]  # fmt: skip

    def test_a_window_that_the_end_of_the_stage_cuts_is_left_out(self):
        result = exposed(self.SOURCE, REVENUE, **self.ASK | {"horizon": timedelta(days=3.5)})
        assert (result.table["user"].to_list(), result.young) == ([4], 3)

    def test_two_arms_within_a_stage_are_a_crossing(self):
        rows = pl.concat([self.ROWS.drop("variant_share"), decisions((2, "new", 3.9))])
        result = exposed(self.SOURCE | {"decision": rows}, REVENUE, **self.ASK)
        assert (result.table["user"].to_list(), result.crossed_users) == ([1, 3, 4], 1)

    def test_stages_must_be_in_order(self):
        with pytest.raises(ValueError, match="in order"):
            exposed(self.SOURCE, REVENUE, arms=ARMS, stages=[day(4), day(3)])
        with pytest.raises(ValueError, match='"first" or "each"'):
            exposed(self.SOURCE, REVENUE, arms=ARMS, entry="last")


@pytest.mark.parametrize("kind", ["pandas", "arrow", "lazy", "log"])
def test_the_same_from_any_table_and_from_the_lake(kind, tmp_path):
    ask = {"arms": ARMS, "horizon": timedelta(days=7), "at": day(30)}
    ask["before"] = timedelta(days=3)
    expected = exposed(TABLES, REVENUE, **ask)
    if kind == "log":
        source = EventLog(tmp_path / "log", clock=lambda: day(30))
        given = TABLES["decision"].with_row_index("event").with_columns(
            pl.col("event").cast(pl.Int64), request=pl.lit(1), policy=pl.lit("x"),
            action=pl.lit("show"),
        )  # fmt: skip
        bought = TABLES["purchase"].with_row_index("event").with_columns(
            pl.col("event").cast(pl.Int64), item=pl.lit(1)
        )  # fmt: skip
        source.append(decision=given, purchase=bought, known_at="time")
        del ask["at"]  # the log's clock
    else:
        convert = {"pandas": "to_pandas", "arrow": "to_arrow", "lazy": "lazy"}[kind]
        source = {name: getattr(table, convert)() for name, table in TABLES.items()}
    result = exposed(source, REVENUE, **ask)
    columns = ["user", "variant", "time", "revenue", "revenue_before", "purchases"]
    assert result.table.select(columns).rows() == expected.table.select(columns).rows()
    assert repr(result) == repr(expected)


WRONG = [
    ({"decision": decisions((1, "old", 1), (2, "bold", 1))}, {}, "'bold', arms are"),
    ({"decision": decisions((1, "old", 1), (None, "new", 1))}, {}, "null user"),
    ({"decision": decisions((1, None, 1))}, {}, "nobody was exposed"),
    ({"decision": TABLES["decision"].drop("user")}, {}, "decision has no column 'user'"),
    ({"decision": TABLES["decision"].drop("variant")}, {}, "no column 'variant'"),
    ({"decision": TABLES["decision"].with_columns(pl.col("time").dt.replace_time_zone(None))}, {},
     "decision.time must have a time zone"),
    ({"purchase": purchases((1, 0, 1.0), (2, 1, 1.0))}, {}, "all 2 purchase events .* before"),
    ({"purchase": purchases((1, 2, None), (2, 3, 1.0))}, {}, "null, NaN or infinite"),
    ({"purchase": purchases((1, 2, np.inf), (2, 3, 1.0))}, {}, "null, NaN or infinite"),
    ({"purchase": purchases((1, 2, np.nan), (2, 3, 1.0))}, {}, "null, NaN or infinite"),
    ({"purchase": purchases(("1", 2, 1.0))}, {}, "one id, one type"),
    ({"purchase": purchases((1, 2, "9"))}, {}, "must be numbers"),
    ({}, {"arms": ["old"]}, "arms must be two"),
    ({}, {"arms": ["old", "old"]}, "arms must be two"),
    ({}, {"metrics": {"x": "click"}}, "no table 'click'"),
    ({}, {"metrics": {"x": "purchase.price"}}, "no column 'price'"),
    ({}, {"metrics": {}}, "metrics must be"),
    ({}, {"metrics": {"user": "purchase"}}, "metrics must be"),
    ({}, {"horizon": timedelta(days=7)}, "need at"),
    ({}, {"horizon": timedelta(0), "at": day(9)}, "positive timedelta"),
    ({}, {"at": datetime(2026, 3, 4)}, "time zone"),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "settings", "words"), WRONG)
def test_bad_input_says_what_and_where(tables, settings, words):
    settings = {"metrics": REVENUE, "arms": ARMS} | settings
    with pytest.raises(ValueError, match=words):
        exposed(TABLES | tables, settings.pop("metrics"), **settings)


def test_no_purchases_at_all_are_zeros():
    result = exposed(TABLES | {"purchase": TABLES["purchase"].clear()}, REVENUE, arms=ARMS)
    assert result.table["revenue"].to_list() == [0.0] * 4
