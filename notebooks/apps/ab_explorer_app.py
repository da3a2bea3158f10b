"""An A/B test, day by day: stop now? `marimo run notebooks/apps/ab_explorer_app.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A/B explorer")

with app.setup:
    from pathlib import Path

    import marimo as mo
    import numpy as np
    import polars as pl

    from workbench.assign import assign, uniform
    from workbench.widgets import ab_chart, ab_days
    from workbench.widgets.ab_explorer import explore


@app.cell
def _():
    mo.md("""
    # Stop now?

    Two versions of a page, 28 days, one row per user. **Before you move the day, guess:** how often
    will p be below 0.05 on the way if nothing differs, and on which day may you stop?

    Your own table: a csv or parquet file with the columns `user variant time`, metrics, segments,
    and what was known of a user before.
    """)
    return


@app.function
def demo(world: str, users: int = 20_000) -> pl.DataFrame:
    """A table whose numbers are fixed for ever: spending before, and in the experiment."""
    user = np.arange(users)
    first, second, third = (uniform(f"demo {name}", user) for name in ("a", "b", "c"))
    before = 5 - 5 * np.log1p(-first)
    variant = assign(user, {"old": 0.5, "new": 0.5}, salt="demo arm")
    better = np.where(variant == "new", {"a better page": 1.05}.get(world, 1.0), 1.0)
    noise = np.sqrt(-2 * np.log1p(-second)) * np.cos(2 * np.pi * third)
    table = pl.DataFrame(
        {
            "user": user,
            "variant": variant,
            "minutes": (uniform("demo time", user) * 28 * 1440).astype(int),
            "device": np.array(["phone", "laptop", "tablet"])[(user % 10 // 5 + (user % 10 == 9))],
            "spent": np.maximum((before + 4 * noise) * better, 0),
            "spent_before": before,
        }
    )
    time = pl.datetime(2026, 3, 1, time_zone="UTC") + pl.duration(minutes="minutes")
    lost = (pl.col("variant") == "new") & (pl.col("user") % 12 == 0)
    kept = table.filter(~lost) if world == "a page that loses users" else table
    return kept.with_columns(time=time).drop("minutes")


@app.cell
def _():
    worlds = ["a better page", "no difference", "a page that loses users"]
    world = mo.ui.dropdown(worlds, value=worlds[0], label="demo")
    path = mo.ui.text(label="or your own file", placeholder="/…/users.parquet", full_width=True)
    shares = mo.ui.text(value="old=0.5, new=0.5", label="planned shares, control first")
    mo.vstack([mo.hstack([world, shares], justify="start"), path])
    return path, shares, world


@app.cell
def _(path, shares, world):
    if path.value.strip():
        source = Path(path.value.strip())
        mo.stop(not source.is_file(), mo.md(f"there is no file {source}"))
        is_csv = source.suffix == ".csv"
        table = pl.read_csv(source, try_parse_dates=True) if is_csv else pl.read_parquet(source)
    else:
        table = demo(world.value)
    if getattr(table.schema.get("time"), "time_zone", "?") is None:
        table = table.with_columns(pl.col("time").dt.replace_time_zone("UTC"))
    pairs = [word.partition("=") for word in shares.value.split(",")]
    try:
        expected = {arm.strip(): float(share) for arm, _, share in pairs}
    except ValueError:
        mo.stop(True, mo.callout("write the shares as old=0.5, new=0.5", kind="warn"))
    return expected, table


@app.cell
def _(table):
    numeric = [n for n, kind in table.schema.items() if kind.is_numeric() and n != "user"]
    words = [n for n, kind in table.schema.items() if kind == pl.String and n not in "user variant"]
    known = [name for name in numeric if "before" in name]
    first = next(name for name in numeric if name not in known)
    metric = mo.ui.dropdown(numeric, value=first, label="metric")
    before = mo.ui.multiselect(numeric, value=known, label="known before (for CUPED)")
    segment = mo.ui.dropdown(["all users", *words], value=[*words, "all users"][0], label="by")
    mo.hstack([metric, before, segment], justify="start")
    return before, metric, segment


@app.cell
def _(before, expected, metric, segment, table):
    try:
        days = ab_days.days_of(
            table, metric.value, expected=expected, covariates={metric.value: before.value},
            segments=[segment.value] if segment.value != "all users" else [],
        )  # fmt: skip
    except ValueError as error:
        mo.stop(True, mo.callout(str(error), kind="warn"))
    return (days,)


@app.cell
def _(days, expected, path):
    wide = {"show_value": True, "full_width": True}
    today = mo.ui.slider(1, days.days, value=days.days, label="today is day", **wide)
    share = mo.ui.slider(1, days.days, value=days.days, label="looks until today, at most", **wide)
    dealt = 20_000 if not path.value.strip() else int(days.users[:, -1].sum())
    planned = mo.ui.number(2, value=dealt, label="users of the plan")
    arm = mo.ui.dropdown([*expected][1:], value=[*expected][1], label="arm")
    adjusted = {"valid at every look": "always_valid", "group sequential": "group_sequential",
                "read once, at the end": "fixed"}  # fmt: skip
    verdict = mo.ui.dropdown(adjusted, value=next(iter(adjusted)), label="verdict")
    cuped = mo.ui.checkbox(label="CUPED")
    as_table = mo.ui.checkbox(label="show as tables")
    row = mo.hstack([arm, verdict, planned, cuped, as_table], justify="start")
    mo.vstack([today, share, row])
    return arm, as_table, cuped, planned, share, today, verdict


@app.cell
def _(arm, as_table, before, cuped, days, metric, planned, segment, share, today, verdict):
    view = explore(
        days, metric.value, arm.value, planned_users=planned.value, today=today.value,
        looks=min(share.value, today.value), adjustment=verdict.value, segment=segment.value,
        cuped=cuped.value and bool(before.value),
    )  # fmt: skip
    mo.Html(ab_chart.html(view, as_table=as_table.value))
    return


if __name__ == "__main__":
    app.run()
