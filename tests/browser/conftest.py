"""A real Chromium, and servers started as a reader starts them, all cut off from the network.

What a page asks for outside this machine is stopped and listed; what a server or a kernel asks for
goes to a proxy that refuses and lists it too.
"""

import os
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])),
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
FLAGS += "--disable-component-update --disable-sync"
PROXIES = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]
ADDRESS = re.compile(r"http://(127\.0\.0\.1|localhost):\d+\S*token=[\w-]+")
LOCAL = {"127.0.0.1", "localhost"}


@pytest.fixture(scope="session")
def chromium():
    if not Path(CHROMIUM).exists():
        why = "no Chromium on this machine: `make services` installs it"
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"{why}, and with CI set the browser is not skipped")
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, outside):
    """A page that reaches this machine only. What else it asked for fails the test."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(60_000)

    def local_only(route):
        if urlsplit(route.request.url).hostname in LOCAL:
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route(re.compile("^https?:"), local_only)
    page = context.new_page()
    page.on("websocket", lambda ws: urlsplit(ws.url).hostname in LOCAL or outside.append(ws.url))
    yield page
    context.close()
    assert outside == [], "asked for outside this machine"


@pytest.fixture
def outside():
    """Every address outside this machine that a page, a server or a kernel asked for."""
    return []


@pytest.fixture
def screenshot(page):
    """`SCREENSHOTS=folder pytest tests/browser` keeps pictures, to be looked at."""

    def keep(name):
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep


@pytest.fixture
def serve(outside, tmp_path):
    """`with serve("lab", …) as address`: the command as a reader starts it, on a free port."""

    @contextmanager
    def start(command, *options):
        with refusing_proxy(outside) as proxy, socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
            probe.close()
            words = [command, "--no-browser", "--port", port, *map(str, options)]
            server = subprocess.Popen(
                [sys.executable, "-m", "workbench.cli", *words],
                env={
                    **os.environ,
                    **dict.fromkeys(
                        ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], proxy
                    ),
                    **dict.fromkeys(["no_proxy", "NO_PROXY"], "127.0.0.1,localhost"),
                    "WORKBENCH_HOME": str(tmp_path / "labs"),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            try:
                where = address(server, seconds=60)
                until_it_listens(int(port), seconds=60)  # the address is printed before
                yield where
            finally:
                server.send_signal(signal.SIGTERM)
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()
                server.stdout.close()

    return start


def until_it_listens(port: int, seconds: float) -> None:
    until = monotonic() + seconds
    while monotonic() < until:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.1)
    raise AssertionError(f"nothing listens on port {port} after {seconds:g} s")


def address(server, seconds: float) -> str:
    """The address with its token, from what the server prints."""
    said, until = [], monotonic() + seconds
    found = threading.Event()

    def read():
        for line in server.stdout:
            said.append(line)
            if ADDRESS.search(line):
                found.set()
        found.set()

    threading.Thread(target=read, daemon=True).start()
    found.wait(until - monotonic())
    match = ADDRESS.search("".join(said))
    assert match, "the server printed no address with a token:\n" + "".join(said)
    return match.group()


@contextmanager
def refusing_proxy(asked: list):
    class Refuse(socketserver.StreamRequestHandler):
        def handle(self):
            asked.append(self.rfile.readline().decode("latin-1").strip())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as proxy:
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()
