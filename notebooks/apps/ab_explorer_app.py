"""An A/B test, day by day: stop now? `marimo run notebooks/apps/ab_explorer_app.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A/B explorer")

with app.setup:
    from pathlib import Path

    import marimo as mo
    import polars as pl

    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.policy import Rank, Split, Threshold
    from workbench.studies.ab_demos import DEMOS, Demo, ab_demo, of_a_shop
    from workbench.widgets import ab_chart, ab_days
    from workbench.widgets.ab_explorer import explore

    SHOP = "a shop, played twice"


@app.cell
def _():
    mo.md("""
    # Stop now?

    Two versions of a page, 28 days, one row per user. **Before you move the day, guess:** how often
    will p be below 0.05 on the way if nothing differs, and on which day may you stop?

    Where the **truth** is known it stands beside the intervals. The last demo is a simulated shop
    in which everybody lives through both pages; it takes some seconds to play.

    Your own table: a csv or parquet file with the columns `user variant time`, metrics, segments,
    and what was known of a user before.
    """)
    return


@app.function
def shop(users: int = 2_500, days: int = 14) -> Demo:
    """Dear things first, or cheap ones for 30 % of the people, after two weeks of the dear ones."""
    rest = {"search": Rank("price", 8, "dear@1"), "checkout": Threshold("amount", 300.0)}
    dear, cheap = Rank("price", 5, "dear@1"), Rank(lambda rows: -rows["price"], 5, "cheap@1")
    mixed = Split({"dear": dear, "cheap": cheap}, {"dear": 0.7, "cheap": 0.3}, salt="demo taste")
    arms = {"old": {"home": dear, **rest}, "new": {"home": mixed, **rest}}
    spec = MarketplaceSpec(seed=3, users=users, days=2 * days, shock_day=2 * days)
    world = Marketplace(spec)
    past = world.truth.potential_outcomes({"old": arms["old"]}, until=days)
    world.play(arms["old"], until=days)
    outcomes = world.truth.potential_outcomes(arms, by_day=True)
    return of_a_shop(outcomes, past, "clicks", start=spec.start)


@app.cell
def _():
    world = mo.ui.dropdown([*DEMOS, SHOP], value=DEMOS[0], label="demo")
    path = mo.ui.text(label="or your own file", placeholder="/…/users.parquet", full_width=True)
    shares = mo.ui.text(value="old=0.5, new=0.5", label="planned shares, control first")
    mo.vstack([mo.hstack([world, shares], justify="start"), path])
    return path, shares, world


@app.cell
def _(path, shares, world):
    planned_users, lifts, known_of = None, None, None
    if path.value.strip():
        source = Path(path.value.strip())
        mo.stop(not source.is_file(), mo.md(f"there is no file {source}"))
        is_csv = source.suffix == ".csv"
        table = pl.read_csv(source, try_parse_dates=True) if is_csv else pl.read_parquet(source)
    else:
        with mo.status.spinner("playing"):
            shown = shop() if world.value == SHOP else ab_demo(world.value)
        table, lifts, known_of = shown.table, shown.true_lifts, shown.metric
        planned_users = shown.planned_users
    if getattr(table.schema.get("time"), "time_zone", "?") is None:
        table = table.with_columns(pl.col("time").dt.replace_time_zone("UTC"))
    pairs = [word.partition("=") for word in shares.value.split(",")]
    try:
        expected = {arm.strip(): float(share) for arm, _, share in pairs}
    except ValueError:
        mo.stop(True, mo.callout("write the shares as old=0.5, new=0.5", kind="warn"))
    return expected, known_of, lifts, planned_users, table


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
def _(days, expected, planned_users):
    wide = {"show_value": True, "full_width": True}
    today = mo.ui.slider(1, days.days, value=days.days, label="today is day", **wide)
    share = mo.ui.slider(1, days.days, value=days.days, label="looks until today, at most", **wide)
    dealt = planned_users or int(days.users[:, -1].sum())
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
def _(
    arm, as_table, before, cuped, days, known_of, lifts, metric, planned, segment, share, today,
    verdict,
):  # fmt: skip
    view = explore(
        days, metric.value, arm.value, planned_users=planned.value, today=today.value,
        looks=min(share.value, today.value), adjustment=verdict.value, segment=segment.value,
        cuped=cuped.value and bool(before.value),
        true_lifts=lifts if metric.value == known_of else None,
    )  # fmt: skip
    mo.Html(ab_chart.html(view, as_table=as_table.value))
    return


if __name__ == "__main__":
    app.run()
