"""When an earlier stage changes who comes back, only the first exposures may be read."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from workbench.assign import assign
from workbench.experiments.exposures import exposed
from workbench.experiments.ramp_analysis import analyse_ramp

START, DAY, ARMS = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1), ["old", "new"]
SHARES, USERS = [0.2, 0.4, 0.6], 8_000
ASK = {"arms": ARMS, "stages": [START + DAY, START + 2 * DAY]}


def ramp_log(*, leave):
    """One visit a stage for half of the people. The new arm changes no purchase; but of those who
    spend little and met it, a share `leave` never comes again.
    """
    rng, users, frames = np.random.default_rng(3), np.arange(USERS), []
    spends, gone = rng.lognormal(2, 0.8, USERS), np.zeros(USERS, bool)
    for stage, share in enumerate(SHARES):
        comes = (rng.random(USERS) < 0.5) & ~gone
        arm = assign(users, {"old": 1 - share, "new": share}, salt="ramp")
        new = arm == "new"
        gone |= comes & new & (spends < 8) & (rng.random(USERS) < leave)
        frames.append(
            pl.DataFrame(
                {"user": users, "variant": arm, "amount": spends,
                 "variant_share": np.where(new, share, 1 - share)}
            ).filter(comes).with_columns(time=pl.lit(START + stage * DAY + DAY / 2))
        )  # fmt: skip
    rows = pl.concat(frames)
    return {"decision": rows.drop("amount"), "purchase": rows.select("user", "time", "amount")}


def read(log, entry, **settings):
    table = exposed(log, {"revenue": "purchase.amount"}, entry=entry, **ASK).table
    return analyse_ramp(table, ["revenue"], arms=ARMS, **settings)


def test_without_carry_over_both_ways_cover_the_truth_and_the_second_is_narrower_in_late_stages():
    log = ramp_log(leave=0.0)
    first, each = (read(log, entry)["revenue"] for entry in ("first", "each"))
    assert first.low < 0 < first.high
    assert each.low < 0 < each.high
    users = {entry: len(exposed(log, {"n": "purchase"}, entry=entry, **ASK).table)
             for entry in ("first", "each")}  # fmt: skip
    assert users["each"] > 1.5 * users["first"]


def test_with_carry_over_the_first_exposure_still_covers_the_truth():
    effect = read(ramp_log(leave=0.8), "first")["revenue"]
    assert effect.low < 0 < effect.high


def test_with_carry_over_the_sample_ratio_of_the_last_stage_blocks_the_second_way():
    result = read(ramp_log(leave=0.8), "each")
    # after one stage too few have left to be noticed, after two they are missed
    assert [ratio.ok for ratio in result.ratios.values()] == [True, True, False]
    assert repr(result).endswith("missing or doubled")


def test_and_would_have_been_wrong():
    table = exposed(ramp_log(leave=0.8), {"revenue": "purchase.amount"}, entry="each", **ASK).table
    seen = table.group_by("stage", "variant").agg(pl.len())
    total = pl.col("len").sum().over("stage")
    rows = seen.with_columns(share=pl.col("len") / total).iter_rows(named=True)
    shares = {stage: {} for stage in range(3)}
    for row in rows:  # as if the shares that are left had been planned
        shares[row["stage"]][row["variant"]] = row["share"]
    effect = analyse_ramp(table, ["revenue"], arms=ARMS, shares=shares)["revenue"]
    assert effect.low > 0  # those who stayed spend more: no effect of the arm


@pytest.mark.parametrize("entry", ["first", "each"])
def test_row_order_changes_nothing(entry):
    log = ramp_log(leave=0.8)
    shuffled = {kind: frame.sample(fraction=1, shuffle=True, seed=1) for kind, frame in log.items()}
    ask = {"metrics": {"revenue": "purchase.amount"}, "entry": entry, **ASK}
    one, other = (exposed(each, **ask).table for each in (log, shuffled))
    assert one.equals(other)
