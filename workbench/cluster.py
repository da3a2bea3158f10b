"""Where the work runs: this machine or a scheduler somewhere, by the same call.

    connect()                        workers on this machine, on 127.0.0.1 only
    connect("tcp://10.0.0.5:8786")   the scheduler that answers there

The local scheduler lives in this process and every worker is a program of its own, started as
`python -m dask`. Nothing re-imports the caller's script, so there is no `if __name__ ==
"__main__"` to remember; and when this process dies, even by kill -9, the workers leave.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["connect"]

SUPPORTED = (
    'None (workers on this machine) or a scheduler\'s address such as "tcp://127.0.0.1:8786"'
)


def connect(
    where: str | None = None,
    *,
    workers: int | None = None,
    threads: int = 1,
    timeout_seconds: float = 10.0,
) -> Client:
    """A Dask client, to be closed by `with` or `close()`.

    Parameters
    ----------
    where : str, optional
        None starts workers on this machine; they end with the client. An address `tcp://HOST:PORT`
        (or `tls://`) joins the scheduler that runs there, and leaves it running.
    workers : int, optional
        Worker processes on this machine, by default as many as `threads` fits into the cores.
    threads : int, default 1
        Threads of each worker. One is right for Polars, NumPy and XGBoost, which bring their own.
    timeout_seconds : float, default 10
        How long to wait for a scheduler's answer.

    Returns
    -------
    distributed.Client
        Also Dask's default client until it is closed.

    Raises
    ------
    ValueError
        For another word, a number of workers or threads below 1, or `workers` with an address.
    ConnectionError
        When no scheduler answers at the address.

    Examples
    --------
    >>> with connect(workers=1) as client:
    ...     client.submit(pow, 2, 10).result()
    1024
    """
    if where is None:
        return _this_machine(workers, threads, timeout_seconds)
    if not isinstance(where, str) or not where.startswith(("tcp://", "tls://")):
        raise ValueError(f"where must be {SUPPORTED}; got {where!r}")
    if workers is not None or threads != 1:
        raise ValueError(
            f"workers and threads belong to connect() on this machine; the scheduler at {where} "
            "already has its workers"
        )
    return _scheduler_at(where, timeout_seconds)


def _this_machine(workers: int | None, threads: int, timeout_seconds: float) -> Client:
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    from dask.system import CPU_COUNT
    from distributed import Client, Scheduler
    from distributed.deploy.spec import SpecCluster
    from distributed.deploy.subprocess import SubprocessWorker
    from distributed.system import MEMORY_LIMIT

    count = max(1, CPU_COUNT // threads) if workers is None else workers
    if count < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    loopback = {"host": "127.0.0.1", "dashboard": False}
    options = {
        **loopback,
        "nthreads": threads,
        "memory_limit": MEMORY_LIMIT // count,
        "death_timeout": timeout_seconds + 20,  # seconds without a scheduler before a worker leaves
        "silence_logs": 40,  # logging.ERROR
    }
    worker = {
        "cls": SubprocessWorker,
        "options": {"worker_class": "distributed.Nanny", "worker_kwargs": options},
    }
    cluster = SpecCluster(
        scheduler={
            "cls": Scheduler,
            "options": {**loopback, "port": 0, "dashboard_address": "127.0.0.1:0"},
        },
        workers=dict.fromkeys(range(count), worker),
        worker=worker,
        name="this machine",
        silence_logs=40,
    )
    try:
        client = Client(cluster)
        client._start_arg = None  # as for Client(): closing the client closes its cluster
        client.register_plugin(_import_path(), name="workbench-path")
        client.wait_for_workers(count, timeout=timeout_seconds + 20)
    except BaseException:
        cluster.close()
        raise
    return client


def _scheduler_at(address: str, timeout_seconds: float) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=timeout_seconds)
    except OSError as error:
        raise ConnectionError(
            f"no Dask scheduler answered at {address} within {timeout_seconds:g} s; "
            "start one there with `dask scheduler`, or use connect() for this machine"
        ) from error


def _import_path():
    """Let the workers import what the caller can: modules beside its notebook or script."""
    from distributed import WorkerPlugin

    folders = [os.path.abspath(folder) for folder in sys.path]

    class ImportPath(WorkerPlugin):
        def setup(self, worker):
            import sys

            sys.path.extend(folder for folder in folders if folder not in sys.path)

    return ImportPath()
