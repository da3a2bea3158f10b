"""What is drawn and said of broken days, and what a link holds, by hand."""

from dataclasses import replace

import polars as pl
import pytest

from workbench.data.checks import CHECKS
from workbench.studies.broken_days import ALARMS, CHOICES, BrokenDays
from workbench.widgets.broken_days import View, chart, dollars, model_of, numbers, words
from workbench.widgets.picture import VEGA_LITE

DAYS = range(28, 49)


def run(fault="swapped columns", since=29, alarms=()):
    """Three days; from day 29 on the fraud model costs 100 more a day and is worse by 0.1."""
    rows = [
        (day, task, 0.9 - 0.1 * hurt, 10.0 + 100 * hurt, 0.9, 10.0)
        for day in (28, 29, 30)
        for task, hurt in (("fraud", day >= 29), ("clicks", False))
    ]
    names = ["day", "task", "auc", "cost", "auc_clean", "cost_clean"]
    broken = None if fault is None else CHOICES[fault].at("large")
    return BrokenDays(
        broken,
        None if fault is None else since,
        pl.DataFrame(list(alarms), schema=ALARMS, orient="row"),
        pl.DataFrame(rows, schema=names, orient="row"),
    )


def ring(day, check="units", severity="error", new=True):
    return day, "payment", check, severity, "amount", "twice as much", 9, new


def data(drawn, column):
    return next(
        rows for rows in drawn.spec["datasets"].values() if all(column in row for row in rows)
    )


def test_money_adds_up_from_the_day_it_breaks():
    assert [run().lost(day) for day in (28, 29, 30)] == [0, 100, 200]
    assert run().days == [28, 29, 30]


def test_only_new_alarms_count_and_errors_come_first():
    alarms = [ring(29, new=False), ring(30, "volume", "warning"), ring(30)]
    broken = run(alarms=alarms)
    assert broken.first_alarm(29) is None
    assert broken.new_alarms(30)["check"].to_list() == ["units", "volume"]
    assert numbers(broken, 30)["checks that ring today"] == ("2", "first rang on day 30")


def test_the_counters_of_a_day_by_hand():
    assert numbers(run(), 30) == {
        "money lost": ("$200", "against the same days without the fault"),
        "checks that ring today": ("0", "nothing has rung since it broke"),
        "fraud model, true AUC today": ("0.800", "0.900 without the fault"),
    }
    assert numbers(run(None), 30)["checks that ring today"] == ("0", "nothing is broken")
    assert numbers(run(), 28)["checks that ring today"] == ("0", "nothing is broken")


def test_the_words_name_what_broke_the_evidence_and_the_silence():
    assert words(run(None), 28).startswith("Nothing is broken")
    assert words(run(), 28).endswith("That is still to come.")
    assert "**Broken on day 29:** swapped columns (large), payment.user:" in words(run(), 30)
    assert "No check has rung so far. By today it has cost $200." in words(run(), 30)
    loud = run(alarms=[ring(29)])
    assert "- **units** (error, payment): twice as much" in words(loud, 29)
    assert "It rang on day 29, not today." in words(loud, 30)


def test_the_model_shown_is_the_one_that_reads_what_broke():
    assert model_of(run("dropped events")) == "clicks"
    assert model_of(run("lost chargebacks")) == model_of(run(None)) == "fraud"


def test_the_map_shows_the_worst_of_each_check_and_day():
    alarms = [ring(29, severity="warning"), ring(29), ring(30, "volume", "error", new=False)]
    rows = data(chart(run(alarms=alarms)).drawn(), "check")
    assert len(rows) == 3 * (len(CHECKS) + 1)
    seen = {(row["check"], row["day"]): (row["ring"], row["sign"]) for row in rows}
    assert seen["units", 29] == ("error", "!")
    assert seen["volume", 30] == ("rings anyway", "~")
    assert seen["door", 30] == ("quiet", "")


def test_days_to_come_are_not_drawn_and_the_axes_stay():
    whole = chart(run()).drawn()
    today = whole.until(day=29)
    assert {row["day"] for row in data(today, "check")} == {28, 29}
    assert [row["lost"] for row in data(today, "lost")] == [0, 100]
    assert data(today, "since") == [{"since": 29}]
    assert {**today.spec, "datasets": 0} == {**whole.spec, "datasets": 0}
    assert whole.until(day=30) == whole


def test_a_drawing_shows_in_both_hosts():
    drawn = chart(run()).drawn()
    bundle = drawn._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"] == repr(chart(run())) == "<Picture: 42 rows>"
    assert drawn._mime_()[0] == VEGA_LITE


def test_a_link_shows_the_same_view_again():
    view = View(day=31, seed=3).broken("renamed field", "small").on(40, 3)
    said = view.address()
    assert said == {"day": "40", "seed": "3", "fault": "renamed field", "level": "small",
                    "since": "31"}  # fmt: skip
    assert View.read(said, DAYS) == (view, "")
    calm = {name: value for name, value in view.reset().address().items() if value is not None}
    assert calm == {"day": "40", "seed": "3"}
    assert View.read(calm, DAYS) == (View(day=40, seed=3), "")
    assert View.read({}, DAYS) == (View(), "")


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"day": "3"}, "day must be one of 28 to 48, got 3"),
        ({"seed": "-1"}, "seed must be one of 0 to 999, got -1"),
        ({"fault": "gremlins", "since": "30"}, "fault must be one of amount doubled, .* gremlins"),
        ({"level": "huge"}, "level must be one of small, medium, large, got huge"),
    ],
)
def test_an_address_that_cannot_be_is_told_and_left_out(said, wrong):
    view, complaint = View.read(said, DAYS)
    assert view == replace(View(), since=None)
    assert pl.Series([complaint]).str.contains(wrong).all()


def test_half_an_address_breaks_nothing():
    assert View.read({"fault": "renamed field"}, DAYS) == (View(), "")
    assert View.read({"since": "30"}, DAYS) == (View(), "")


def test_dollars_are_whole_and_signed():
    assert [dollars(amount) for amount in (0.4, -0.4, 1999.6, -50)] == [
        "$0",
        "$0",
        "$2,000",
        "−$50",
    ]
