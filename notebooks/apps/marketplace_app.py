"""Break a shop, and see who notices. `marimo run notebooks/apps/marketplace_app.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Break it live")

with app.setup:
    import marimo as mo

    from workbench.data import checks
    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.studies.broken_days import CHOICES, open_shop
    from workbench.widgets import broken_days
    from workbench.widgets import checks as checks_map
    from workbench.widgets.broken_days import View

    DAYS = range(28, 49)  # four weeks to compare with, three to look at


@app.cell
def _():
    mo.md("""
    # Something just broke. Would you notice?

    A small shop with a home page, a search and a checkout. One model fills the page, another stops
    thieves, and checks watch the data that both live on. **Guess before you press:** a field is
    renamed, an amount is doubled, a tenth of the clicks is lost. Which of them does no check
    notice? Which costs most? Then move on, day by day.
    """)
    return


@app.cell
def _():
    asked, complaint = View.read(mo.query_params().to_dict(), DAYS)
    broken, set_broken = mo.state(asked)
    return asked, broken, complaint, set_broken


@app.cell
def _(asked):
    today = mo.ui.slider(DAYS[0], DAYS[-1], value=asked.day, label="today is day", show_value=True)
    seed = mo.ui.number(0, 999, value=asked.seed, label="shop number", debounce=True)
    fault = mo.ui.dropdown([*CHOICES], value=asked.fault or "wrong chargebacks", label="or this:")
    level = mo.ui.dropdown(["small", "medium", "large"], value=asked.level, label="how much:")
    return fault, level, seed, today


@app.cell
def _(fault, level, seed, set_broken, today):
    def press(name, size, label, kind="warn"):
        view = View(day=today.value, seed=seed.value).broken(name, size)
        return mo.ui.button(label=label, kind=kind, on_click=lambda _: set_broken(view))

    presses = [
        press("renamed field", "large", "rename a field"),
        press("amount doubled", "medium", "double an amount"),
        press("dropped events", "medium", "drop a tenth of the clicks"),
        mo.ui.button(label="reset", kind="neutral", on_click=lambda _: set_broken(View())),
    ]
    other = press(fault.value, level.value, "break it", kind="danger")
    rows = [[today, seed], [mo.md("**Break it today:**"), *presses], [fault, level, other]]
    mo.vstack([mo.hstack(row, justify="start") for row in rows])
    return


@app.cell
def _(seed):
    spec = MarketplaceSpec(
        seed=seed.value, users=500, items=200, days=DAYS.stop, shock_day=DAYS.stop,
        fraud_share=0.06, chargeback_delay_days=1.5, wave_minutes=1440,
    )  # fmt: skip
    with mo.status.spinner(f"Playing {spec.days} days of shop {spec.seed} …"):
        shop = open_shop(Marketplace(spec))
    return (shop,)


@app.cell
def _(broken, shop):
    pressed = broken()
    run = shop.twin
    if pressed.fault is not None:
        with mo.status.spinner("Checking every day …"):
            run = shop.broken_by(pressed.fault, pressed.level, pressed.since)
    drawn = broken_days.chart(run).drawn()
    return drawn, pressed, run


@app.cell
def _(complaint, run, shop, today):
    counters = [
        mo.stat(value, label=label, caption=caption, bordered=True)
        for label, (value, caption) in broken_days.numbers(run, today.value).items()
    ]
    wrong = mo.callout(f"The address says what cannot be: {complaint}", "warn")
    went_on = mo.md(broken_days.went_on(shop.busy, today.value))
    mo.vstack([wrong] * bool(complaint) + [went_on, mo.hstack(counters, widths="equal")])
    return


@app.cell
def _(drawn, run, today):
    told = mo.md(broken_days.words(run, today.value))
    seen = mo.hstack([drawn.until(day=today.value), told], widths=[5, 2], align="start")
    mo.vstack([seen, mo.accordion({"What to notice (guess first)": mo.md(broken_days.NOTICE)})])
    return


@app.cell
def _(pressed, seed, today):
    # the address says what is seen, so that a link shows it again
    address = mo.query_params()
    for name, said in pressed.on(today.value, seed.value).address().items():
        if address.get(name) != said:
            address[name] = said
    return


@app.cell
def _():
    example, set_example = mo.state("")
    fail = [
        mo.ui.button(label=check, on_click=lambda _, check=check: set_example(check))
        for check in checks.CHECKS
    ]
    why = mo.md("""
    ## Can every check fail?

    A check that never rang is a check nobody has tested. **Make it fail**, with a table that is
    broken in just that way:
    """)
    mo.vstack([why, mo.hstack(fail, justify="start", wrap=True)])
    return (example,)


@app.cell
def _(example):
    found = checks.compare(*checks.example(example()), "payment")
    mo.hstack([checks_map.chart(found), mo.plain_text(repr(found))], justify="start")
    return


if __name__ == "__main__":
    app.run()
