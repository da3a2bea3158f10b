"""One sum a user in Redis, fed by a Redis stream: what people write by hand, without windows.

One process writes, each event when it is due; this one reads with a consumer group, adds up and
acknowledges. No batch waits: whatever is there is taken.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

__all__ = ["stream_to_totals"]

STREAM, GROUP = "payments", "totals"
TICKS_A_SECOND, USERS, BATCH = 1_000, 100_000, 2_500
WARM_UP_SECONDS = 3.0


def stream_to_totals(port: int, *, events_a_second: int, seconds: float) -> float:
    """The 99th percentile from due to added up, in milliseconds."""
    import redis

    client = redis.Redis(host="127.0.0.1", port=port)
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    total = round(events_a_second * (WARM_UP_SECONDS + seconds))
    command = [sys.executable, "-m", "benchmarks.redis_totals", str(port)]
    with subprocess.Popen([*command, str(events_a_second), str(total)]) as writer:
        due, late, done = [], [], 0
        while done < total:
            if writer.poll():
                raise RuntimeError("the writer broke off")
            answer = client.xreadgroup(GROUP, "one", {STREAM: ">"}, count=BATCH, block=100)
            entries = answer[0][1] if answer else []
            with client.pipeline(transaction=True) as pipe:
                for _, fields in entries:
                    pipe.hincrbyfloat("totals", fields[b"user"], float(fields[b"amount"]))
                if entries:
                    pipe.xack(STREAM, GROUP, *(key for key, _ in entries))
                pipe.execute()
            now = time.time()
            due += [float(fields[b"due"]) for _, fields in entries]
            late += [now] * len(entries)
            done += len(entries)
    due, late = np.array(due), np.array(late)
    counted = due >= due[0] + WARM_UP_SECONDS
    return float(1_000 * np.quantile((late - due)[counted], 0.99))


def _write(port: int, events_a_second: int, total: int) -> None:
    import redis

    client, rng = redis.Redis(host="127.0.0.1", port=port), np.random.default_rng(0)
    users, amounts = rng.integers(0, USERS, total).tolist(), rng.lognormal(3, 1, total).tolist()
    began, number, tick = time.time(), 0, 0
    while number < total:
        due = began + tick / TICKS_A_SECOND
        if (left := due - time.time()) > 0:
            time.sleep(left)
        tick += 1
        until = min(total, tick * events_a_second // TICKS_A_SECOND)
        with client.pipeline(transaction=False) as pipe:
            for place in range(number, until):
                event = {"user": users[place], "amount": amounts[place], "due": due}
                pipe.xadd(STREAM, event)
            pipe.execute()
        number = until


if __name__ == "__main__":
    _write(*map(int, sys.argv[1:]))
