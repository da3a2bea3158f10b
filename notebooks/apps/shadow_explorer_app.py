"""A challenger in the champion's shadow. `marimo run notebooks/apps/shadow_explorer_app.py`."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Shadow explorer")

with app.setup:
    import tempfile
    from pathlib import Path

    import marimo as mo
    import polars as pl

    from workbench.events import EventLog
    from workbench.experiments import pairs
    from workbench.marketplace import Marketplace, MarketplaceSpec
    from workbench.studies.fraud_shadow import fraud_shadow
    from workbench.widgets.shadow_panel import panel


@app.cell
def _():
    mo.md("""
    # Would you let it decide?

    A challenger scored the same requests as the champion; nobody saw what it said. **Before you
    show the outcomes, guess:** where they disagree, who is right more often? Then move the
    challenger's cutoff, slice, and click on a cell of the map to read the requests.
    """)
    return


@app.cell
def _():
    path = mo.ui.text(label="your own file", placeholder="/…/scores.parquet", full_width=True)
    live = mo.ui.text(value="live_score", label="champion's column")
    shadow = mo.ui.text(value="shadow_score", label="challenger's column")
    cutoff = mo.ui.text(label="cutoff, for scores without actions", placeholder="0.5")
    asked = mo.md("""
    A csv or parquet file with a row per request: two columns of scores, and either `live_action`
    and `shadow_action` or a cutoff. Optional: `request`, `user`, `label` (0, 1, empty), and what
    you want to slice by. Without a file two fraud models of a small marketplace are shown.
    """)
    row = mo.hstack([live, shadow, cutoff], justify="start")
    mo.accordion({"Your own table": mo.vstack([asked, path, row])})
    return cutoff, live, path, shadow


@app.function
@mo.cache
def demo() -> pl.DataFrame:
    """A shop of 2,000 people: a week to learn from, and the days on which the shadow ran."""
    spec = MarketplaceSpec(
        users=2_000, items=100, days=15, shock_day=15, fraud_share=0.08,
        chargeback_delay_days=0.75, never_complained_share=0.05, wave_minutes=1440,
    )  # fmt: skip
    world = Marketplace(spec)
    with tempfile.TemporaryDirectory() as folder:  # the truth is peeked at: the world is made
        return fraud_shadow(world, EventLog(folder), is_fraud=world.truth.is_fraud)


@app.function
def own(source: Path, live: str, shadow: str, cutoff: str) -> pl.DataFrame:
    """Somebody's file as pairs."""
    if not source.is_file():
        raise ValueError(f"there is no file {source}")
    is_csv = source.suffix == ".csv"
    table = pl.read_csv(source, try_parse_dates=True) if is_csv else pl.read_parquet(source)
    at = float(cutoff) if cutoff else None
    if {"live_action", "shadow_action"} <= set(table.columns):
        return table.rename({live: "live_score", shadow: "shadow_score"})
    if at is None:
        raise ValueError("the file has no live_action and shadow_action: give a cutoff")
    if "request" not in table.columns:
        table = table.with_row_index("request")
    return pairs(table, live=live, shadow=shadow, cutoff=at)


@app.cell
def _(cutoff, live, path, shadow):
    try:
        if path.value.strip():
            words = (live.value.strip(), shadow.value.strip(), cutoff.value.strip())
            explorer = panel(own(Path(path.value.strip()), *words))
        else:
            with mo.status.spinner("Playing 15 days of a small shop …"):
                explorer = panel(demo())
    except (ValueError, pl.exceptions.PolarsError) as error:
        mo.stop(True, mo.callout(str(error), kind="warn"))
    return (explorer,)


@app.cell
def _(explorer):
    mo.ui.anywidget(explorer)
    return


if __name__ == "__main__":
    app.run()
