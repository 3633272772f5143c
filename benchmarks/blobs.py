"""A blob into a bucket and out of it, each byte compared with its digest, against boto3, which compares none."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx

from benchmarks.support.compare import Comparison, compare
from server.blobs import BlobStore, BucketPlace, FileStore, store_of
from worker.embedded.ports import free_port

_MEGABYTES = 256
_REPEAT = 3


def run() -> list[Comparison]:
    """Into and out of moto's S3 server on this machine, which is the slower end of both."""
    with tempfile.TemporaryDirectory() as name, s3_server(Path(name)) as endpoint:
        folder = Path(name)
        place = BucketPlace.at("s3://bench/blobs", endpoint, "us-east-1", "key", "secret", path_style=True)
        client = s3_client(place)
        client.create_bucket(Bucket=place.bucket)
        source, target = folder / "source", folder / "target"
        source.write_bytes(os.urandom(_MEGABYTES * 10**6))
        store = store_of(place, FileStore(folder / "blobs"))
        digest = store.take_in(source)
        client.upload_file(str(source), place.bucket, "other")
        ways = (
            (
                "into",
                ("take_in", lambda: _in(store, source, digest)),
                ("upload_file", lambda: client.upload_file(str(source), place.bucket, "other")),
            ),
            (
                "out of",
                ("bring", lambda: _out(store, digest, target)),
                ("download_file", lambda: client.download_file(place.bucket, "other", str(target))),
            ),
        )
        return [
            compare(f"{way} a bucket", ours, other, repeat=_REPEAT, megabytes=_MEGABYTES)
            for way, ours, other in ways
        ]


def _in(store: BlobStore, source: Path, digest: str) -> None:
    """Anew: a blob that is there would not be sent."""
    for delete in store.take([digest], before=time.time() + 3600):
        delete()
    store.take_in(source)


def _out(store: BlobStore, digest: str, target: Path) -> None:
    target.unlink(missing_ok=True)
    store.bring({target: digest})


def s3_client(place: BucketPlace) -> Any:
    """Somebody else's client of a place."""
    return boto3.client(
        "s3",
        endpoint_url=place.endpoint,
        aws_access_key_id=place.access_key,
        aws_secret_access_key=place.secret_key,
        region_name=place.region,
    )


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """moto's S3 server, which logs into `folder`; its address."""
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(endpoint, trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield endpoint
    finally:
        process.kill()
        process.wait()
