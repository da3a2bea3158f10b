"""The shop that one breaks: press, see a check ring and money go, reset, open the link again."""

import json
from time import monotonic
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

pytestmark = pytest.mark.browser

APP, SECONDS = "marketplace_app.py", 120_000
LOST = "marimo-stat[data-label*='money lost']"


def test_break_it_see_it_ring_reset_and_open_the_link_again(page, serve, screenshot):
    with serve("apps") as url:
        link = page_link(page, url)
        page.goto(link)
        page.wait_for_selector(LOST, timeout=SECONDS)
        wait_for(page, "nothing is broken")
        screenshot("marketplace_1_quiet")

        started = monotonic()
        page.get_by_role("button", name="rename a field").click()
        wait_for(page, "device: the column is gone")
        print(f"from the press to the alarm {monotonic() - started:.2f} s")
        asked = parse_qs(urlsplit(page.url).query)
        assert asked["fault"] == ["renamed field"]
        assert asked["since"] == ["30"]
        assert lost(page) != "$0"
        screenshot("marketplace_2_broken")

        slider = page.locator("[role=slider]").first
        slider.focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        wait_for_address(page, "day=34")
        page.wait_for_timeout(1_500)
        on_day_34 = lost(page)
        screenshot("marketplace_3_four_days_later")

        page.goto("about:blank")
        page.goto(link + "&fault=renamed+field&level=large&since=30&day=34&seed=7")
        page.wait_for_selector(LOST, timeout=SECONDS)
        wait_for(page, "Broken on day 30")
        assert lost(page) == on_day_34

        started = monotonic()
        page.get_by_role("button", name="reset").click()
        wait_for(page, "nothing is broken")
        print(f"from reset to nothing {monotonic() - started:.2f} s")
        assert lost(page) == "$0"
        assert "fault=" not in page.url
        screenshot("marketplace_4_reset")


def test_a_check_is_made_to_fail_and_a_wrong_address_is_told(page, serve, screenshot):
    with serve("apps") as url:
        page.goto(page_link(page, url) + "&fault=gremlins&day=99")
        page.wait_for_selector("text=fault must be one of", timeout=SECONDS)
        page.wait_for_selector("text=nothing found")
        page.get_by_role("button", name="new categories").click()
        page.wait_for_selector("text=FAILED")
        page.get_by_role("button", name="new categories").scroll_into_view_if_needed()
        page.wait_for_timeout(1_000)
        screenshot("marketplace_5_make_it_fail")


def page_link(page, url):
    page.goto(url)
    page.wait_for_selector("a[href*='file=']")
    return urljoin(url, page.locator(f"a[href*='{APP}']").first.get_attribute("href"))


def wait_for(page, text):
    page.wait_for_selector(f"text={text}", timeout=SECONDS)


def wait_for_address(page, part):
    page.wait_for_function(f"location.href.includes('{part}')", timeout=SECONDS)


def lost(page) -> str:
    """What the money counter shows."""
    return json.loads(page.locator(LOST).get_attribute("data-value"))
