"""What the browser tests of the explorers share: open, run, time, download."""

import csv
import json
from urllib.parse import parse_qs, urljoin, urlsplit

LIMIT_MS = 400  # from a key to the new pixels, the median of some moves


def open_notebook(page, url, folder, cells):
    """A notebook of these cells in the JupyterLab that serves the folder, its cells running."""
    made = {
        "cells": [code(text) for text in cells],
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    }
    (folder / "explorer.ipynb").write_text(json.dumps(made), encoding="utf-8")
    parts = urlsplit(url)
    token = parse_qs(parts.query)["token"][0]
    page.goto(f"{parts.scheme}://{parts.netloc}/lab/tree/explorer.ipynb?token={token}")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    run_all(page)


def open_app(page, url, app):
    """An app of the gallery."""
    page.goto(url)
    page.wait_for_selector("a[href*='file=']")
    page.goto(urljoin(url, page.locator(f"a[href*='{app}']").first.get_attribute("href")))


def run_all(page):
    """Until a cell runs: a click right after the kernel's start can be lost."""
    prompt = page.locator(".jp-InputPrompt").first
    for _ in range(10):
        page.wait_for_timeout(3_000)
        if any(each.isdigit() or each == "*" for each in prompt.inner_text()):
            return
        page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    raise AssertionError("the cells were asked for ten times and none ran")


def report(what, took):
    middle = took[len(took) // 2]
    print(f"{what}: key to new pixels, median {middle:.0f} ms, worst of {len(took)} {took[-1]:.0f}")
    assert middle <= LIMIT_MS, took


def downloaded(page, name, column):
    with page.expect_download() as waiting:
        page.locator(f"a[download='{name}']").first.click()
    with open(waiting.value.path(), encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    assert waiting.value.suggested_filename == name
    assert column in rows[0]


def code(text) -> dict:
    return {"cell_type": "code", "id": f"c{len(text)}", "metadata": {}, "outputs": [],
            "execution_count": None, "source": text}  # fmt: skip
