"""What did a feature know, and when? `marimo run notebooks/apps/feature_time_app.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A feature in time")

with app.setup:
    from datetime import timedelta

    import marimo as mo
    import numpy as np
    import polars as pl

    from workbench import features
    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.policy import Rank, Threshold
    from workbench.widgets import feature_paths, feature_window

    ABOUT = {"of": "payment", "per": "user"}
    FEATURES = {
        "average amount, 7 days": features.mean("amount", **ABOUT, days=7),
        "payments of the last 24 hours": features.count(**ABOUT, days=1),
        "payments of a day, in steps of a day": features.count(**ABOUT, days=1, step_minutes=1440),
        "last three amounts": features.last("amount", 3, **ABOUT, days=30),
        "days since the last payment": features.time_since(**ABOUT),
        "complaints of this customer, ever": features.count("chargeback", per="user"),
        "amount of the running session": features.sum("amount", **ABOUT, session_minutes=30),
    }


@app.cell
def _():
    mo.md("""
    # What did a feature know, and when?

    A customer, a feature, a moment. One definition computes the value three times: for a training
    row, from a store that a job fills every night, and from a store that a stream keeps fresh.
    **Before you drag the moment, guess:** when do the three agree, and what does a complaint that
    is known a week later do to them?
    """)
    return


@app.cell
def _():
    spec = MarketplaceSpec(
        seed=1, users=400, items=200, days=40, shock_day=40, fraud_share=0.05,
        chargeback_delay_days=5.0, wave_minutes=1440,
    )  # fmt: skip
    world, page = Marketplace(spec), Rank("price", k=5)
    policies = {"home": page, "search": page, "checkout": Threshold("amount", cutoff=np.inf)}
    while (requests := world.next_requests()) is not None:
        world.react({where: policies[where].act(rows) for where, rows in requests.items()})
    log = world.events()
    return log, spec


@app.cell
def _(log):
    robbed = log["chargeback"].group_by("user").len("complaints")
    busy = log["payment"].group_by("user").len("payments").join(robbed, on="user", how="left")
    busy = busy.fill_null(0)
    two = [busy.filter(pl.col("complaints") >= 2), busy.filter(complaints=0)]
    some = pl.concat([each.sort("payments", "user", descending=True).head(6) for each in two])
    customers = {
        f"customer {user}: {payments} payments, {complaints} complaints": user
        for user, payments, complaints in some.iter_rows()
    }
    return (customers,)


@app.cell
def _(customers, log, spec):
    theirs = log["payment"].filter(user=next(iter(customers.values())))["time"] - spec.start
    busy_hours = (theirs.dt.total_hours() + 1).filter(theirs < timedelta(days=34))
    words = {"label": "moment, hours since the start", "show_value": True, "full_width": True}
    moment = mo.ui.slider(10 * 24, 40 * 24, value=busy_hours.max(), **words)
    feature = mo.ui.dropdown(FEATURES, value=next(iter(FEATURES)), label="feature")
    customer = mo.ui.dropdown(customers, value=next(iter(customers)), label="of")
    mo.vstack([mo.hstack([feature, customer], justify="start"), moment])
    return customer, feature, moment


@app.cell
def _(customer, feature, log, moment, spec):
    at = spec.start + timedelta(hours=moment.value)
    row = {"user": customer.value, "time": at}
    paths = feature_paths.three_paths(row, feature.value, log)
    view = feature_window.window_of(row, feature.value, log)
    return at, paths, view


@app.cell
def _(at, paths, view):
    stats = [
        mo.stat(
            each.words, label=each.path, bordered=True,
            caption=f"knows what was known before {each.knows_until:%a %d %b, %H:%M}",
        )
        for each in paths
    ]  # fmt: skip
    told = mo.md(f"**{at:%A, %d %B, %H:%M}.** {view.words}.")
    unlike = paths[1].value != paths[0].value
    word = "The nightly store answers from last night." if unlike else "All three agree."
    mo.vstack([mo.hstack(stats, widths="equal"), mo.hstack([told, mo.md(word)])])
    return


@app.cell
def _(at, feature, view):
    first, last = at - timedelta(days=14), at + timedelta(days=7)
    unit = feature.value.column or "event"
    mo.vstack(
        [
            feature_window.chart(view, first, last, unit=unit),
            mo.md("""
            Shaded: the window. Black: the moment. A point is an event, at the time it happened; a
            line leads from there to the tick at which it became **known**.
            """),
        ]
    )
    return


@app.cell
def _(view):
    mo.accordion({"The very events": mo.ui.table(view.events.reverse(), page_size=8)})
    return


if __name__ == "__main__":
    app.run()
