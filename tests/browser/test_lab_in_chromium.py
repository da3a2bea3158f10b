"""What `make lab` opens is the lab: the first notebook runs whole in a real browser."""

import json
import re
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
FIRST = "00_the_loop.ipynb"
SECONDS = 240


def test_the_first_notebook_runs_from_top_to_bottom(page, serve, screenshot, tmp_path):
    mine = tmp_path / "mine"
    with serve("lab", "--folder", mine) as url:
        page.goto(url)
        page.wait_for_selector(".jp-NotebookPanel .jp-Notebook")
        jupyter = Api(page, url)
        jupyter.until_idle()
        for _attempt in range(2):  # a click right after the kernel's start can be lost
            run_all(page)
            if jupyter.until_started():
                break
        jupyter.until_idle()
        prompts, drawn, wanted = read_through(page)
        screenshot("lab")
        page.keyboard.press("Control+s")
        cells = saved_cells(jupyter, mine / FIRST)

    codes = [cell for cell in cells if cell["cell_type"] == "code"]
    numbers = [cell["execution_count"] for cell in codes]
    assert numbers == list(range(1, len(codes) + 1))
    assert prompts >= {f"[{number}]:" for number in numbers}
    errors = [out for cell in codes for out in cell["outputs"] if out["output_type"] == "error"]
    assert errors == []
    assert drawn >= min(wanted, 1), "a chart was saved, and none was drawn"


def test_your_notebook_is_never_overwritten_and_comes_back_when_asked(serve, tmp_path):
    from workbench.cli import main

    mine = tmp_path / "mine"
    with serve("lab", "--folder", mine):
        assert (mine / FIRST).is_file()
    changed = (mine / FIRST).read_text(encoding="utf-8").replace("# ", "# mine ", 1)
    (mine / FIRST).write_text(changed, encoding="utf-8")
    with serve("lab", "--folder", mine):
        assert (mine / FIRST).read_text(encoding="utf-8") == changed
    assert main(["reset", "00", "--folder", str(mine)]) == 0
    assert (mine / FIRST).read_bytes() == (ROOT / "notebooks" / FIRST).read_bytes()
    (backup,) = (mine / "backups").glob("*.ipynb")
    assert backup.read_text(encoding="utf-8") == changed


def test_without_its_token_the_lab_answers_nobody(page, serve, tmp_path):
    with serve("lab", "--folder", tmp_path / "mine") as url:
        port = urlsplit(url).port
        refused = page.request.get(f"http://127.0.0.1:{port}/api/contents")
        assert refused.status == 403


class Api:
    """The server's own interface, for what a page cannot tell for sure."""

    def __init__(self, page, url):
        parts = urlsplit(url)
        self.page, self.home = page, f"{parts.scheme}://{parts.netloc}"
        self.token = parse_qs(parts.query)["token"][0]

    def kernel(self) -> dict:
        headers = {"Authorization": f"token {self.token}"}
        sessions = self.page.request.get(f"{self.home}/api/sessions", headers=headers).json()
        return sessions[0]["kernel"] if sessions else {"execution_state": "none", "connections": 0}

    def until_idle(self):
        """Until the kernel is connected and has been idle for some seconds.

        Between two cells it is idle too, and on a busy machine the page takes its time.
        """
        calm, until = 0, monotonic() + SECONDS
        while calm < 10:
            assert monotonic() < until, f"the kernel is {self.kernel()} after {SECONDS} s"
            now = self.kernel()
            calm = calm + 1 if now["execution_state"] == "idle" and now["connections"] else 0
            sleep(0.4)

    def until_started(self) -> bool:
        """Whether a first prompt shows within 20 s that the cells run."""
        try:
            waiting = ".jp-InputPrompt:text-matches('\\\\[(\\\\*|1)\\\\]:')"
            self.page.wait_for_selector(waiting, timeout=20_000)
        except Exception as error:
            if "Timeout" not in str(error):
                raise
            return False
        return True


def run_all(page):
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")


def read_through(page) -> tuple[set[str], int, int]:
    """Scroll from top to bottom: the prompts seen, the charts drawn, the charts there are."""
    prompts, drawn = set(), 0
    outer = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer").first
    outer.evaluate("panel => panel.scrollTop = 0")
    at_end = False
    while not at_end:
        page.wait_for_timeout(250)
        prompts |= set(page.locator(".jp-InputPrompt").all_inner_texts())
        drawn = max(drawn, page.locator(".vega-embed :is(svg, canvas)").count())
        at_end = outer.evaluate(
            "panel => { const before = panel.scrollTop; panel.scrollTop += panel.clientHeight / 2;"
            " return panel.scrollTop === before }"
        )
    outer.evaluate("panel => panel.scrollTop = 0")
    page.wait_for_timeout(500)
    notebook = (ROOT / "notebooks" / FIRST).read_text(encoding="utf-8")
    wanted = len(re.findall(r"application/vnd\.vegalite", notebook))
    return {re.sub(r"\s", "", prompt) for prompt in prompts}, drawn, wanted


def saved_cells(jupyter: Api, path: Path) -> list[dict]:
    """The cells once the file on disk has every prompt."""
    until = monotonic() + 30
    while True:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        codes = [cell for cell in cells if cell["cell_type"] == "code"]
        if all(cell["execution_count"] for cell in codes) or monotonic() > until:
            return cells
        sleep(0.5)
