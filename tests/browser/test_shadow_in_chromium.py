"""The shadow explorer in JupyterLab and marimo: move, click, see numbers and requests change."""

import numpy as np
import polars as pl
import pytest

from tests.browser.explorers import downloaded, open_app, open_notebook, report

pytestmark = [pytest.mark.browser, pytest.mark.clock]

MOVES, APP = 12, "shadow_explorer_app.py"
SECONDS = 240_000
RATE, MAP = "[data-rate]", "svg[data-map]"
CELL = """\
import numpy as np, polars as pl
from workbench.widgets import shadow_panel
rng = np.random.default_rng(0)
n = 1_000_000
odds = rng.normal(-2, 1.5, n)
score = {name: 1 / (1 + np.exp(-odds - noise * rng.normal(0, 1, n)))
         for name, noise in {"live": 0.0, "shadow": 0.6, "twin": 0.15}.items()}
both = pl.DataFrame({f"{who}_{what}": value for who, values in score.items() for what, value in
                     {"score": values, "action": np.where(values > 0.4, "block", "approve")}.items()
                     }).with_columns(
    user=pl.Series(rng.integers(0, n // 3, n)), amount=pl.Series(rng.lognormal(3, 1, n)),
    country=pl.Series(rng.choice(["ch", "de", "fr"], n)),
    label=pl.Series((rng.random(n) < score["live"]).astype(int)))
"""

# from the key to the frame after the shown HTML has changed, in the page itself
TIMED = """box => new Promise((done, fail) => {
  const start = performance.now()
  const late = setTimeout(() => fail(new Error('nothing changed in 20 s')), 20000)
  new MutationObserver((_, seen) => {
    seen.disconnect(); clearTimeout(late)
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)))
  }).observe(box, {childList: true})
})"""

SAYS = """words => {
  const find = root => root.querySelector('[data-rate]') ??
    [...root.querySelectorAll('*')].filter(each => each.shadowRoot)
      .map(each => find(each.shadowRoot)).find(Boolean)
  return find(document)?.parentElement.textContent.includes(words)
}"""


def test_in_jupyterlab_a_key_moves_a_million_pairs(page, serve, screenshot, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    with serve("lab", "--folder", mine) as url:
        open_notebook(page, url, mine, [CELL, "explorer = shadow_panel.panel(both); explorer"])
        page.wait_for_selector(RATE, timeout=SECONDS)
        page.locator(RATE).scroll_into_view_if_needed()
        drive(page, screenshot, "shadow_lab", "country")


def test_in_marimo_two_fraud_models_are_looked_at(page, serve, screenshot):
    with serve("apps") as url:
        open_app(page, url, APP)
        page.wait_for_selector(RATE, timeout=SECONDS)
        drive(page, screenshot, "shadow_marimo", "device_users_1d")


def test_in_marimo_ones_own_file_is_read_or_what_it_lacks_is_said(
    page, serve, screenshot, tmp_path
):
    rng = np.random.default_rng(0)
    old = rng.random(600)
    mine = pl.DataFrame(
        {"old": old, "new": np.clip(old + rng.normal(0, 0.1, 600), 0, 1),
         "city": rng.choice(["Basel", "Bern"], 600), "label": (rng.random(600) < old).astype(int)}
    )  # fmt: skip
    mine.write_csv(tmp_path / "scores.csv")
    with serve("apps") as url:
        open_app(page, url, APP)
        page.get_by_text("Your own table").click()
        fill(page, "your own file", str(tmp_path / "scores.csv"))
        page.get_by_text("give a cutoff").first.wait_for(timeout=SECONDS)
        fill(page, "cutoff, for scores without actions", "0.5")
        page.get_by_text("'live_score' is no column").first.wait_for(timeout=SECONDS)
        fill(page, "champion's column", "old")
        screenshot("shadow_own_file_lacks")
        fill(page, "challenger's column", "new")
        wait_for_words(page, "600 rows. Cutoffs of block")
        parted = ((mine["old"] >= 0.5) != (mine["new"] >= 0.5)).mean()
        assert f"They disagree in {parted:.2%}" in page.inner_text(RATE)
        choose(page, "by", "city")
        page.locator("[data-value=Bern]").click()
        wait_for_words(page, "of city Bern")
        screenshot("shadow_own_file")


def drive(page, screenshot, name, column):
    """Everything that a reader can do, by mouse and by key."""
    page.wait_for_timeout(2_000)
    screenshot(name)
    report(f"{name}, cutoff", moves(page, page.locator("[data-control=cutoff]")))
    wait_for_words(page, "tried: not what was logged")
    choose(page, "outcomes", "label")
    wait_for_words(page, "only the champion was right in")
    choose(page, "color", "right")
    choose(page, "by", column)
    button = page.locator("button[data-value]").first
    value = button.get_attribute("data-value")
    button.click()
    wait_for_words(page, f"of {column} {value}")
    counts = page.locator(f"{MAP} rect[data-cell]")
    cell = counts.nth(counts.count() // 2)
    cell.click(force=True)
    page.wait_for_selector("[data-requests] table")
    rows = page.locator("[data-requests] tbody tr").count()
    assert 1 <= rows <= 20
    screenshot(f"{name}_cell")
    at = page.get_attribute(MAP, "data-map")
    took = moves(page, page.locator(MAP), "ArrowUp", times=3)
    report(f"{name}, cell", took)
    across, up = map(int, at.split(","))
    assert page.get_attribute(MAP, "data-map") == f"{across},{min(up + 3, 19)}"
    box = page.locator("[data-control=table]")
    box.focus()
    page.keyboard.press("Space")
    page.wait_for_selector("caption:has-text('the map, cell by cell')")
    page.keyboard.press("Space")
    page.wait_for_selector(MAP)
    for file, head in (("cells.csv", "shadow_low"), ("points.csv", "right"),
                       ("slices.csv", "neither")):  # fmt: skip
        downloaded(page, file, head)


def moves(page, where, key="ArrowLeft", times=MOVES) -> list[float]:
    """Milliseconds from a key to the new picture, each of the moves."""
    took = []
    for _ in range(times):
        box = page.locator(RATE).evaluate_handle("rate => rate.parentElement.parentElement")
        where.focus()
        waiting = box.evaluate_handle(f"box => ({{moved: ({TIMED})(box)}})")
        page.keyboard.press(key)
        took.append(waiting.evaluate("async each => await each.moved"))
        page.wait_for_timeout(150)
    return sorted(took)


def choose(page, control, value):
    page.locator(f"[data-control={control}]").select_option(value)


def wait_for_words(page, words):
    """Until the explorer says so, also inside of marimo's shadow roots."""
    page.wait_for_function(SAYS, arg=words)


def fill(page, label, words):
    page.get_by_label(label).fill(words)
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
