"""Downloads against a real server on this machine: resumed, checked, or refused with a reason."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workbench.data import download
from workbench.data.download import ChecksumError, DownloadError, fetch
from workbench.data.sources import File, Source

CONTENT = bytes(range(256)) * 2_000  # 512,000 bytes


class Server:
    """Serves files with Range support; breaks off after `break_after` bytes, as often as told."""

    def __init__(self, files):
        self.files, self.asked = files, []
        self.breaks, self.break_after, self.ranges, self.slow_s = 0, 0, True, 0.0
        outer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_words): ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request):
        start = request.headers.get("Range")
        self.asked.append((request.path, start))
        if request.path not in self.files:
            request.send_error(404)
            return
        content, first = self.files[request.path], 0
        if start and self.ranges:
            first = int(start.removeprefix("bytes=").rstrip("-"))
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(content) - first))
        request.end_headers()
        end = len(content)
        if self.breaks:
            self.breaks -= 1
            end = min(end, first + self.break_after)
        for start in range(first, end, 50_000):
            try:
                request.wfile.write(content[start : min(start + 50_000, end)])
                request.wfile.flush()
            except ConnectionError:  # who asked is gone
                return
            time.sleep(self.slow_s)
        request.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("WORKBENCH_PUBLIC_DATA", raising=False)
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    server = Server({"/a.bin": CONTENT, "/deep/b.txt": b"two"})
    yield server
    server.http.shutdown()
    server.http.server_close()


def source_at(address, **changes):
    files = tuple(
        File(path, f"{address}/{path}", len(content), hashlib.sha256(content).hexdigest())
        for path, content in (("a.bin", CONTENT), ("deep/b.txt", b"two"))
    )
    return Source("toy", "Toy", "CC0", "https://example.org", "toy-folder", files, **changes)


def test_files_arrive_once_and_the_manifest_is_written_last(server, tmp_path):
    folder = fetch(source_at(server.address), home=tmp_path)
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert (folder / "deep/b.txt").read_bytes() == b"two"
    assert json.loads((folder / "manifest.json").read_text())["licence"] == "CC0"
    assert not list(tmp_path.rglob("*.part"))
    fetch(source_at(server.address), home=tmp_path)
    assert server.asked == [("/a.bin", None), ("/deep/b.txt", None)]


def test_a_download_shows_a_bar(server, tmp_path):
    lines = [
        "from workbench.data.download import fetch",
        "from workbench.data.sources import File, Source",
        f"fetch({source_at(server.address)!r}, home={str(tmp_path)!r})",
    ]
    quiet = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    done = subprocess.run(
        [sys.executable, "-c", "; ".join(lines)], env=quiet, capture_output=True, check=True
    )
    assert b"toy: 100%" in done.stderr


def test_a_process_killed_in_the_middle_has_lost_nothing(server, tmp_path):
    server.slow_s = 0.05
    lines = [
        "from workbench.data.download import fetch",
        "from workbench.data.sources import File, Source",
        f"fetch({source_at(server.address)!r}, home={str(tmp_path)!r}, progress=False)",
    ]
    process = subprocess.Popen([sys.executable, "-c", "; ".join(lines)])
    part = tmp_path / "toy-folder" / "a.bin.part"
    while not part.exists() or part.stat().st_size < 100_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    have = part.stat().st_size
    assert 0 < have < len(CONTENT)
    server.slow_s = 0
    server.asked.clear()
    folder = fetch(source_at(server.address), home=tmp_path, progress=False)
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert server.asked[0] == ("/a.bin", f"bytes={have}-")


def test_a_connection_that_breaks_is_resumed_where_it_broke(server, tmp_path):
    server.breaks, server.break_after = 2, 200_000
    folder = fetch(source_at(server.address), home=tmp_path, progress=False)
    assert (folder / "a.bin").read_bytes() == CONTENT
    starts = [start for path, start in server.asked if path == "/a.bin"]
    assert starts == [None, "bytes=200000-", "bytes=400000-"]


def test_a_process_that_dies_leaves_a_part_that_the_next_one_finishes(server, tmp_path):
    server.breaks, server.break_after = download.ATTEMPTS, 1_000
    with pytest.raises(
        DownloadError, match=r"a\.bin: .*508,000 bytes too early.*4,000 bytes are kept"
    ):
        fetch(source_at(server.address), home=tmp_path, progress=False)
    assert not (tmp_path / "toy-folder" / "manifest.json").exists()
    server.asked.clear()
    fetch(source_at(server.address), home=tmp_path, progress=False)
    assert server.asked[0] == ("/a.bin", "bytes=4000-")


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.breaks, server.break_after, server.ranges = 1, 1_000, False
    folder = fetch(source_at(server.address), home=tmp_path, progress=False)
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_wrong_bytes_are_refused_and_not_kept(server, tmp_path):
    server.files["/a.bin"] = CONTENT[:-1] + b"!"
    with pytest.raises(ChecksumError, match=r"a\.bin\.part is not what was published: its SHA-256"):
        fetch(source_at(server.address), home=tmp_path, progress=False)
    server.files["/a.bin"] = CONTENT
    assert fetch(source_at(server.address), home=tmp_path, progress=False)


@pytest.mark.parametrize("content", [CONTENT + b"more", CONTENT * 3], ids=["longer", "much longer"])
def test_a_file_longer_than_published_is_refused(server, tmp_path, content):
    server.files["/a.bin"] = content
    with pytest.raises(ChecksumError, match="what was published has 512,000"):
        fetch(source_at(server.address), home=tmp_path, progress=False)


def test_a_shorter_file_is_refused(server, tmp_path):
    server.files["/a.bin"] = CONTENT[:1_000]
    with pytest.raises(ChecksumError, match="has 1,000 bytes, what was published has 512,000"):
        fetch(source_at(server.address), home=tmp_path, progress=False)


def test_a_missing_file_is_named_at_once_without_trying_again(server, tmp_path):
    del server.files["/a.bin"]
    with pytest.raises(DownloadError, match=r"toy: http.*/a\.bin: the server answers 404"):
        fetch(source_at(server.address), home=tmp_path, progress=False)
    assert len(server.asked) == 1


def test_no_network_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKBENCH_PUBLIC_DATA", raising=False)
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    with pytest.raises(DownloadError, match=r"refused.*let WORKBENCH_PUBLIC_DATA name a folder"):
        fetch(source_at("http://127.0.0.1:9"), home=tmp_path, progress=False)


def test_two_at_once_download_once(server, tmp_path):
    source, folders = source_at(server.address), []
    threads = [
        threading.Thread(
            target=lambda: folders.append(fetch(source, home=tmp_path, progress=False))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 4
    assert len(server.asked) == 2


def test_a_file_changed_on_disk_is_noticed(server, tmp_path):
    folder = fetch(source_at(server.address), home=tmp_path, progress=False)
    (folder / "deep/b.txt").write_bytes(b"tow")
    with pytest.raises(
        ChecksumError, match=r"b\.txt is not what was published.*delete .*toy-folder"
    ):
        fetch(source_at(server.address), home=tmp_path, progress=False)
    (folder / "deep/b.txt").unlink()
    with pytest.raises(ChecksumError, match=r"b\.txt is missing"):
        fetch(source_at(server.address), home=tmp_path, progress=False)


def test_a_set_that_is_made_of_its_files_keeps_only_what_was_made(server, tmp_path):
    def make(folder):
        (folder / "made.bin").write_bytes((folder / "a.bin").read_bytes()[:3])

    source = source_at(server.address, made="made.bin")
    folder = fetch(source, make=make, home=tmp_path, progress=False)
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        ".lock", "made.bin", "manifest.json",
    ]  # fmt: skip


def test_a_set_that_cannot_be_made_is_fetched_anew(server, tmp_path):
    def make(_folder):
        raise ChecksumError("not what was published")

    source = source_at(server.address, made="made.bin")
    for _ in range(2):
        server.asked.clear()
        with pytest.raises(ChecksumError):
            fetch(source, make=make, home=tmp_path, progress=False)
        assert len(server.asked) == 2


def test_a_mirror_is_used_and_checked_and_never_written(tmp_path, monkeypatch):
    source = source_at("http://127.0.0.1:9")
    monkeypatch.setenv("WORKBENCH_PUBLIC_DATA", str(tmp_path))
    with pytest.raises(DownloadError, match="WORKBENCH_PUBLIC_DATA is set, but there is no folder"):
        fetch(source)
    folder = tmp_path / "toy-folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(CONTENT)
    (folder / "deep/b.txt").write_bytes(b"two")
    folder.chmod(0o500)
    assert fetch(source) == folder
    folder.chmod(0o700)
    (folder / "a.bin").write_bytes(CONTENT[:7])
    with pytest.raises(ChecksumError, match="copy it again, or unset"):
        fetch(source)


def test_downloads_go_below_the_workbench_home(server, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    assert fetch(source_at(server.address), progress=False) == tmp_path / "home/public/toy-folder"
    monkeypatch.delenv("WORKBENCH_HOME")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(download.lab, "_is_ours", lambda _checkout: False)
    folder = fetch(source_at(server.address), progress=False)
    assert folder.resolve() == tmp_path / ".workbench/public/toy-folder"
