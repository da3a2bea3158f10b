"""What `make apps` opens: a gallery of every app, and each one answers its first slider."""

from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

pytestmark = pytest.mark.browser

APPS = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks/apps").glob("*.py"))
SECONDS = 120


def test_every_app_opens_from_the_gallery_and_answers_its_slider(page, serve, screenshot):
    assert APPS, "notebooks/apps holds no *.py"
    with serve("apps") as url:
        page.goto(url)
        page.wait_for_selector("a[href*='file=']")
        screenshot("gallery")
        links = [link.get_attribute("href") for link in page.locator("a[href*='file=']").all()]
        assert sorted(parse_qs(urlsplit(link).query)["file"][0] for link in links) == APPS
        for link in links:
            drive(page, urljoin(url, link), screenshot)


def test_without_their_token_the_apps_answer_nobody(page, serve):
    with serve("apps") as url:
        parts = urlsplit(url)
        refused = page.request.get(f"{parts.scheme}://{parts.netloc}/?file={APPS[0]}")
        assert "/auth/login" in refused.url


def drive(page, url, screenshot):
    name = parse_qs(urlsplit(url).query)["file"][0]
    page.goto(url)
    page.wait_for_selector("[data-cell-id] .output-area")
    until_calm(page, name)
    screenshot(name)
    sliders = page.locator("[role=slider]")
    assert sliders.count(), f"{name} shows no slider; an app is for one decision with sliders"
    before = picture(page)
    sliders.first.focus()
    for key in ["ArrowRight", "ArrowLeft", "ArrowLeft"]:  # it may stand at its end
        page.keyboard.press(key)
        until_calm(page, name)
        if picture(page) != before:
            return
    raise AssertionError(f"{name}: the slider moved and nothing else did")


def until_calm(page, name):
    """Until no cell runs and nothing on the page has changed for a second."""
    last, calm = None, 0
    for _ in range(SECONDS * 2):
        page.wait_for_timeout(500)
        now = page.inner_text("body")
        running = page.get_by_test_id("loading-indicator").count()
        calm, last = (calm + 1 if now == last and not running else 0), now
        if calm == 2:
            break
    assert calm == 2, f"{name} still runs after {SECONDS} s"
    assert page.get_by_text("internal error").count() == 0, f"{name}: {last}"


def picture(page) -> bytes:
    """The page as it looks, the sliders themselves left out."""
    page.wait_for_timeout(500)
    return page.screenshot(mask=[page.locator("marimo-slider")], full_page=True)
