"""When may last week's labels be believed? `marimo run notebooks/apps/two_clocks_app.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Two clocks")

with app.setup:
    import tempfile
    from datetime import timedelta

    import marimo as mo
    import polars as pl

    import workbench as wb
    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.policy import Rank, Threshold
    from workbench.widgets import two_clocks


@app.cell
def _():
    mo.md("""
    # When may last week's labels be believed?

    A payment happens today; the complaint that makes it a fraud comes weeks later. **Before you
    move the calendar, guess:** what share of the frauds of the last seven days is known today?
    """)
    return


@app.cell
def _():
    spec = MarketplaceSpec(seed=7, users=1_000, days=60, shock_day=60)
    world = Marketplace(spec)
    log = wb.EventLog(f"{tempfile.mkdtemp()}/log", clock=world.clock)
    approve_all = Threshold("amount", cutoff=float("inf"))
    page = Rank("price", k=5)
    world.run({"home": page, "search": page, "checkout": approve_all}, log=log)
    decisions = log.scan("decision").filter(pl.col("action") == "approve").collect()
    return decisions, log, spec, world


@app.cell
def _(spec):
    today = mo.ui.slider(8, spec.days, value=35, label="today is day", show_value=True)
    horizon = mo.ui.slider(1, 42, value=28, label="wait for complaints, days", show_value=True)
    mo.hstack([today, horizon], justify="start")
    return horizon, today


@app.cell
def _(decisions, world):
    # only a simulator lets us do this: the truth of every payment
    thefts = decisions.with_columns(share=pl.Series(world.truth.is_fraud(decisions)))
    true_share = thefts.group_by(day=pl.col("time").dt.date()).agg(pl.mean("share")).sort("day")
    return thefts, true_share


@app.cell
def _(decisions, horizon, log, spec, today, true_share):
    moment = spec.start + timedelta(days=today.value)
    past = decisions.filter(pl.col("time") < moment)
    labelled = wb.outcomes(
        log, past, of="chargeback", horizon=timedelta(days=horizon.value), at=moment
    )
    seen = true_share.filter(pl.col("day") < moment.date())
    two_clocks.chart(two_clocks.status_by_day(labelled), true_share=seen)
    return labelled, moment


@app.cell
def _(labelled, moment, thefts):
    recent = pl.col("time").is_between(moment - timedelta(days=7), moment, closed="left")
    frauds = int(thefts.filter(recent)["share"].sum())
    known = labelled.filter(recent, pl.col("status") == "positive").height
    final = labelled.filter(pl.col("status") != "pending").height / max(labelled.height, 1)
    mo.hstack(
        [
            mo.stat(f"{known} of {frauds}", label="frauds of the last 7 days, known today"),
            mo.stat(f"{final:.0%}", label="of all labels are final"),
            mo.md("Bars: the share as it looks today. Line: the truth."),
        ],
        justify="start",
    )
    return frauds, known


if __name__ == "__main__":
    app.run()
