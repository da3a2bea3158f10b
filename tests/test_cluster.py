"""The cluster: this machine's workers come and go with the client, and only on loopback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workbench import cluster


def dask_workers_of(pid):
    return [p for p in psutil.Process(pid).children(recursive=True) if "dask" in p.cmdline()]


@pytest.fixture(scope="module")
def client():
    with cluster.connect(workers=2) as client:
        yield client


def test_every_worker_is_a_process_of_its_own_with_one_thread(client):
    pids = client.run(os.getpid)
    assert len(set(pids.values())) == 2
    assert os.getpid() not in pids.values()
    assert set(client.nthreads().values()) == {1}


def test_nothing_listens_outside_loopback(client):
    mine = psutil.Process()
    listening = [
        address
        for process in [mine, *mine.children(recursive=True)]
        for address in process.net_connections("tcp")
        if address.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3  # the scheduler and two workers
    assert {address.laddr.ip for address in listening} == {"127.0.0.1"}


def test_workers_import_what_lies_beside_the_caller(client, tmp_path, monkeypatch):
    (tmp_path / "beside_me.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    with cluster.connect(workers=1) as second:
        answer = second.submit(lambda: __import__("beside_me").ANSWER)
        assert answer.result(timeout=20) == 42


def test_an_address_joins_a_running_scheduler_and_leaves_it_running(client):
    with cluster.connect(client.scheduler.address) as joined:
        assert joined.submit(sum, [1, 2, 3]).result(timeout=20) == 6
    assert client.submit(sum, [4, 5]).result(timeout=20) == 9


def test_no_answer_is_an_error_that_names_the_address():
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answered at tcp://127.0.0.1:9 "):
        cluster.connect("tcp://127.0.0.1:9", timeout_seconds=0.5)


@pytest.mark.parametrize("where", ["cuda", "slurm", "local", "127.0.0.1:8786", 7])
def test_another_word_is_an_error_that_says_what_exists(where):
    with pytest.raises(ValueError, match=r"None \(workers on this machine\) or a scheduler's"):
        cluster.connect(where)


def test_sizes_below_one_and_sizes_with_an_address_are_errors():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        cluster.connect(workers=0)
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        cluster.connect(threads=0)
    with pytest.raises(ValueError, match="already has its workers"):
        cluster.connect("tcp://127.0.0.1:9", workers=2)


def test_closing_ends_the_workers():
    with cluster.connect(workers=1) as client:
        worker = psutil.Process(next(iter(client.run(os.getpid).values())))
    assert worker.wait(timeout=10) is None or not worker.is_running()


SCRIPT = """
import os, sys, time
from workbench import cluster
client = cluster.connect(workers=1)
answer = client.submit(lambda number: number + 1, 1).result()
print(answer, *client.run(os.getpid).values(), flush=True)
if "wait" in sys.argv:
    time.sleep(60)
"""


def test_a_script_needs_no_main_guard_and_no_close(tmp_path):
    script = Path(tmp_path, "script.py")
    script.write_text(SCRIPT)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    answer, worker = map(int, ran.stdout.split())
    assert answer == 2
    assert gone(worker)


def test_workers_leave_when_their_caller_is_killed(tmp_path):
    script = Path(tmp_path, "script.py")
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, script, "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as caller:
        _answer, worker = map(int, caller.stdout.readline().split())
        assert dask_workers_of(caller.pid)
        caller.send_signal(signal.SIGKILL)
    assert gone(worker)


def gone(pid, seconds=15):
    end = time.monotonic() + seconds
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return not psutil.pid_exists(pid)
