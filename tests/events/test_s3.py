"""The same log in an object store: moto's S3 server, in a process of its own on loopback."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import boto3
import polars as pl
import pytest

from workbench.events import EventLog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def store():
    """Address and storage options of an empty bucket."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    port = next(line.split()[1] for line in server.stdout if line.startswith("port"))
    options = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "aws_conditional_put": "etag",
    }
    client = boto3.client(
        "s3",
        endpoint_url=options["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="bucket")
    yield options, client
    server.stdin.close()
    server.wait(10)


def payments(first: int, rows: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        {"event": range(first, first + rows), "time": NOON, "user": 7, "amount": 1.5}
    )


def test_the_log_works_in_an_object_store(store):
    options, client = store
    log = EventLog("s3://bucket/log", storage_options=options)
    assert (log.version, log.kinds) == (-1, [])
    bad = payments(100, 1).with_columns(amount=float("nan"))
    log.append(payment=payments(0), click=payments(0).rename({"user": "item"}), known_at="time")
    done = log.append(payment=pl.concat([payments(5), bad]), known_at="time")
    assert (done.added, done.duplicates) == ({"payment": 5}, 5)
    first = log.version
    log.append(complete_until=NOON + timedelta(days=1))
    assert log.append(payment=payments(50), known_at="time").late == 10
    log.compact()
    log = EventLog("s3://bucket/log", storage_options=options)
    assert log.scan("payment", start=NOON).collect()["event"].n_unique() == 25
    assert log.as_of(NOON + timedelta(hours=1)).scan("payment").collect().height == 15
    assert log.at(first).scan("payment").collect().height == 15
    assert log.quarantine().height == 1
    sizes = client.list_objects_v2(Bucket="bucket", Prefix="log/kind=click")["Contents"]
    files = log._lake.snapshot().select("click")
    assert files["bytes"].to_list() == [each["Size"] for each in sizes]


def test_two_writers_in_an_object_store_put_each_event_in_once(store):
    options, _ = store

    def write():
        log = EventLog("s3://bucket/shared", storage_options=options)
        for number in range(6):
            log.append(payment=payments(5 * number), known_at="time")

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = EventLog("s3://bucket/shared", storage_options=options)
    assert log.scan("payment").collect()["event"].sort().to_list() == list(range(35))
