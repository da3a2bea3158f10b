"""How long must it run? `marimo run notebooks/apps/ab_planner_app.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A/B planner")

with app.setup:
    import marimo as mo

    from workbench.widgets.planner import MOST_LOOKS, Wish, html, plan


@app.cell
def _():
    mo.md("""
    # How long must it run?

    A lift to be found, a chance to find it, and the users of a day. **Before you halve the lift,
    guess:** how many times as many days? And what do looks on the way cost, if they are planned?
    """)
    return


@app.cell
def _():
    wide = {"show_value": True, "full_width": True, "debounce": False}
    lift = mo.ui.slider(0.2, 20, 0.1, value=3, label="lift to be found, %", **wide)
    power = mo.ui.slider(0.5, 0.99, 0.01, value=0.8, label="chance to find it", **wide)
    traffic = mo.ui.slider(1, 100, 1, value=100, label="of the traffic, %", **wide)
    saved = mo.ui.slider(0, 0.95, 0.01, value=0.3, label="variance that CUPED saves", **wide)
    looks = mo.ui.slider(1, MOST_LOOKS, 1, value=10, label="looks until the end", **wide)
    adjusted = {"read once, at the end": "fixed", "group sequential": "group_sequential",
                "valid at every look": "always_valid"}  # fmt: skip
    read = mo.ui.dropdown(adjusted, value=next(iter(adjusted)), label="read")
    mean = mo.ui.number(0.0001, value=10, label="mean of one user")
    deviation = mo.ui.number(0.0001, value=20, label="its standard deviation")
    users = mo.ui.number(1, value=3_000, label="new users a day, of all traffic")
    as_table = mo.ui.checkbox(label="show as table")
    boxes = mo.hstack([mean, deviation, users], justify="start")
    mo.vstack([lift, power, traffic, saved, looks, mo.hstack([read, as_table], justify="start"),
               boxes])  # fmt: skip
    return as_table, deviation, lift, looks, mean, power, read, saved, traffic, users


@app.cell
def _(as_table, deviation, lift, looks, mean, power, read, saved, traffic, users):
    wish = Wish(
        mean=mean.value, deviation=deviation.value, lift=lift.value / 100, power=power.value,
        users_a_day=users.value * traffic.value / 100, saved=saved.value, looks=looks.value,
        adjustment=read.value,
    )  # fmt: skip
    mo.Html(html(plan(wish), as_table=as_table.value))
    return


if __name__ == "__main__":
    app.run()
