"""Content-addressed stores of bytes, named by their sha256: files of this machine, or a bucket of an S3 store."""

from typing import TYPE_CHECKING

from server.blobs._faults import BlobDamaged, BlobsAway
from server.blobs._files import FileStore
from server.blobs._place import BucketPlace
from server.blobs._store import LOCK, BlobStore, BlobWriter, Piece, Taken

if TYPE_CHECKING:
    from server.blobs._probe import BucketProbe

__all__ = [
    "LOCK",
    "BlobDamaged",
    "BlobStore",
    "BlobWriter",
    "BlobsAway",
    "BucketPlace",
    "FileStore",
    "Piece",
    "Taken",
    "probe_of",
    "store_of",
    "why_away",
]


def probe_of(place: BucketPlace) -> "BucketProbe":
    """What becomes of a probe that is written, read, listed and removed.

    Raises:
        BlobsAway: one of these cannot be done.
    """
    from server.blobs._probe import probe

    return probe(place)


def store_of(place: BucketPlace | None, files: FileStore) -> BlobStore:
    """The store at `place`, which writes beside `files` what is on its way; `files` where there is no place."""
    if place is None:
        return files
    from server.blobs._bucket_store import BucketStore  # where there is no bucket its library is not loaded

    return BucketStore(files.root, files.room, place)


def why_away(place: BucketPlace | None) -> str | None:
    """Why the bucket at `place` cannot be used now, in a sentence for admins; None where it can, or there is none."""
    if place is None:
        return None
    from server.blobs._watch import watch_at

    return watch_at(place).why_away()
