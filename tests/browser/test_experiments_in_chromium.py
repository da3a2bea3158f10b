"""The A/B explorer and the planner in JupyterLab and marimo: open, move, see the number change."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from tests.browser.explorers import downloaded, open_app, open_notebook, report

pytestmark = [pytest.mark.browser, pytest.mark.clock]

MOVES, SECONDS = 12, 120_000
VERDICT, PLAN = "[data-verdict]", "[data-plan]"
CELL = """\
from datetime import UTC, datetime
import numpy as np, polars as pl
from workbench.widgets import ab_days, ab_panel, planner_panel
rng = np.random.default_rng(0)
n, start = 1_000_000, datetime(2026, 3, 1, tzinfo=UTC)
new, before = rng.random(n) < 0.5, rng.gamma(4.0, 2.5, n)
minutes = rng.integers(0, 28 * 1440, n)
table = pl.DataFrame({
    "user": np.arange(n), "variant": np.where(new, "new", "old"),
    "device": rng.choice(["phone", "laptop"], n), "minutes": minutes, "before": before,
    "spent": before * np.where(new, 1.002, 1) + rng.normal(0, 1, n),
}).with_columns(time=pl.lit(start) + pl.duration(minutes="minutes"))
days = ab_days.days_of(table, "spent", expected={"old": 0.5, "new": 0.5},
                       covariates={"spent": "before"}, segments=["device"])
"""
PANELS = ["ab_panel.panel(days, planned_users=n)",
          "planner_panel.panel(mean=10, deviation=20, users_a_day=3_000)"]  # fmt: skip

# from the key to the frame after the first change of the shown text, in the page itself
TIMED = """([key, shown]) => new Promise((done, fail) => {
  const before = document.querySelector(shown).parentElement.innerHTML, start = performance.now()
  const look = () => {
    const now = document.querySelector(shown)
    if (now && now.parentElement.innerHTML !== before)
      requestAnimationFrame(() => done(performance.now() - start))
    else if (performance.now() - start > 20000) fail(new Error('nothing changed in 20 s'))
    else requestAnimationFrame(look)
  }
  look()
})"""


def test_in_jupyterlab_a_key_moves_a_million_rows(page, serve, screenshot, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    with serve("lab", "--folder", mine) as url:
        open_notebook(page, url, mine, [CELL, *PANELS])
        page.wait_for_selector(VERDICT, timeout=SECONDS)
        page.locator(VERDICT).scroll_into_view_if_needed()
        sliders = page.locator(".jp-OutputArea [role=slider], .jp-OutputArea .noUi-handle")
        took = moves(page, sliders.first, VERDICT)
        screenshot("ab_explorer_lab")
        report("explorer, JupyterLab, 1 M rows", took)
        box = page.locator("label:has-text('show as tables') input")
        box.focus()
        page.keyboard.press("Space")
        page.wait_for_selector("table:has-text('valid_p_value')")
        page.keyboard.press("Space")
        downloaded(page, "spent_by_day.csv", "valid_low")
        page.locator(PLAN).scroll_into_view_if_needed()
        lift = page.locator(".jp-OutputArea .noUi-handle").nth(2)
        report("planner, JupyterLab", moves(page, lift, PLAN))
        screenshot("ab_planner_lab")


@pytest.mark.parametrize(
    ("app", "shown", "file", "column"),
    [
        ("ab_explorer_app.py", VERDICT, "spent_by_day.csv", "valid_low"),
        ("ab_planner_app.py", PLAN, "plan.csv", "plain_lift"),
    ],
)
def test_in_marimo_a_key_changes_the_number(
    page, serve, screenshot, tmp_path, app, shown, file, column
):
    with serve("apps") as url:
        open_app(page, url, app)
        page.wait_for_selector(shown, timeout=SECONDS)
        page.wait_for_timeout(2_000)
        screenshot(app.removesuffix(".py"))
        took = moves(page, page.locator("[role=slider]").first, shown)
        report(f"{app}, marimo", took)
        screenshot(app.removesuffix(".py") + "_moved")
        downloaded(page, file, column)
        if shown == VERDICT:
            page.locator("marimo-dropdown select").first.select_option("a page that loses users")
            page.wait_for_selector("[data-light=red]", timeout=SECONDS)
            assert "SRM failed: do not read" in page.inner_text(VERDICT)
            assert page.locator("a[download]").count() == 0
            screenshot("ab_explorer_srm")
            page.locator("marimo-dropdown select").first.select_option("a shop, played twice")
            page.wait_for_selector("[data-truth]", timeout=SECONDS)
            screenshot("ab_explorer_truth")
            path = page.locator("input[placeholder*='users.parquet']")
            for name, each in (("own.csv", 150), ("own.parquet", 160)):
                path.fill(str(own_table(tmp_path / name, each)))
                path.press("Enter")
                page.wait_for_selector(f"[data-light]:has-text('old {each} ')", timeout=SECONDS)
            assert page.locator("[data-truth]").count() == 0
            path.fill(str(tmp_path / "none.csv"))
            path.press("Enter")
            page.wait_for_selector("text=there is no file")


def own_table(path, each):
    """Somebody's own experiment, half of the users in each arm; a file without a time zone."""
    rng = np.random.default_rng(0)
    user = np.arange(2 * each)
    table = pl.DataFrame(
        {
            "user": [f"user {number}" for number in user],
            "variant": np.where(user % 2 == 0, "old", "new"),
            "time": [datetime(2026, 5, 1 + number % 9) for number in user],
            "orders": rng.poisson(3, 2 * each),
        }
    )
    table.write_csv(path) if path.suffix == ".csv" else table.write_parquet(path)
    return path


def moves(page, slider, shown) -> list[float]:
    """Milliseconds from a key to the new picture, each of the moves."""
    took = []
    slider.focus()
    for _ in range(MOVES):
        waiting = page.evaluate_handle(f"args => ({{moved: ({TIMED})(args)}})", ["", shown])
        page.keyboard.press("ArrowLeft")
        took.append(waiting.evaluate("async each => await each.moved"))
        page.wait_for_timeout(150)
    return sorted(took)
