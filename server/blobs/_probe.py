"""Trying a bucket: whether it takes, shows, lists and removes an object, and what its clock says."""

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from server.blobs._bucket import Bucket
from server.blobs._faults import BlobsAway
from server.blobs._place import BucketPlace

_CONTENT = b"a probe of proctor-admin doctor\n"


@dataclass(frozen=True)
class BucketProbe:
    """What became of a probe: how long it took, how far the store's clock is ahead, and whether it lists uploads."""

    seconds: float
    clock: timedelta | None
    lists_uploads: bool


def probe(place: BucketPlace) -> BucketProbe:
    """Writes an object under the prefix, reads it, lists it and removes it.

    Raises:
        BlobsAway: one of these cannot be done; the sentence says which.
    """
    bucket, key = Bucket(place), f"probe/{uuid4()}"
    clock = bucket.require().clock
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "probe"
        path.write_bytes(_CONTENT)
        bucket.put(key, path)
    try:
        if b"".join(bucket.pieces(key, len(_CONTENT))) != _CONTENT:
            raise BlobsAway(f"The blob store at {place.endpoint} gives other bytes than it took.")
        if not any(row["path"] == key for page in bucket.list("probe") for row in page):
            raise BlobsAway(f"The blob store at {place.endpoint} does not list what it took.")
    finally:
        bucket.delete([key])
    if bucket.head(key) is not None:
        raise BlobsAway(f"The blob store at {place.endpoint} does not remove what it is told to.")
    return BucketProbe(time.monotonic() - began, clock, bucket.lists_uploads())
