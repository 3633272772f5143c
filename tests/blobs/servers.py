"""S3 stores that run on this machine: OpenStack Swift, which checks signatures, digests and clocks, and moto."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
from botocore.config import Config

from server.blobs import BucketPlace
from worker.embedded.ports import free_port

_CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class S3Server:
    """A store that answers at `endpoint` to whoever has the keys."""

    endpoint: str
    access_key: str
    secret_key: str

    @property
    def client(self) -> Any:
        """Somebody else's client, for what ours does not do: making, breaking and looking."""
        return _client(self)

    def bucket(self, *, prefix: str = "proctor/blobs") -> BucketPlace:
        """A new bucket."""
        name = f"b-{uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return self.place(name, prefix)

    def place(self, bucket: str, prefix: str = "proctor/blobs") -> BucketPlace:
        """Where a bucket of this store is, as one who waits for seconds only asks for it."""
        url = f"s3://{bucket}/{prefix}"
        place = BucketPlace.at(
            url, self.endpoint, "us-east-1", self.access_key, self.secret_key, path_style=True
        )
        return replace(place, patience=40.0)

    def empty(self, place: BucketPlace) -> None:
        """Removes the bucket with all that is in it."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket):
            for row in page.get("Contents", ()):
                self.client.delete_object(Bucket=place.bucket, Key=row["Key"])
        self.client.delete_bucket(Bucket=place.bucket)


@cache
def _client(server: S3Server) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


@contextmanager
def swift(folder: Path, *, ahead: float = 0.0) -> Iterator[S3Server]:
    """Swift, whose clock is `ahead` by so many seconds."""
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "tests.blobs.swift_server", str(folder), str(port), str(ahead)]
    with _running(command, folder.with_suffix(".log"), port) as endpoint:
        yield S3Server(endpoint, "test:tester", "testing")


@contextmanager
def moto(folder: Path) -> Iterator[S3Server]:
    """moto, which takes any key."""
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder.with_suffix(".log"), port) as endpoint:
        yield S3Server(endpoint, "a-key", "a-secret")


@contextmanager
def _running(command: list[str], log: Path, port: int) -> Iterator[str]:
    endpoint = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=_CHECKOUT, stdout=out, stderr=out)
    try:
        _wait(endpoint, process, log)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _wait(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            httpx.get(endpoint, timeout=10, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{endpoint} did not come up: {log.read_text(errors='replace')[-2000:]}")
