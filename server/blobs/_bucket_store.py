"""Blobs as objects of a bucket: what is read is compared with its digest before anybody sees it whole."""

import hashlib
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

import structlog

from server.blobs._bucket import PIECE, Bucket
from server.blobs._faults import BlobDamaged
from server.blobs._place import BucketPlace
from server.blobs._store import BlobStore, BlobWriter, Piece, Taken, lost_output, name_of
from server.disk import Room

_KEY = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})")
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_TWICE = 2
_AT_ONCE = 8

_log = structlog.get_logger()


@cache
def bucket_at(place: BucketPlace) -> Bucket:
    """The bucket of a place, with its connections: one for this process."""
    return Bucket(place)


class BucketStore(BlobStore):
    """Blobs in the bucket at `place`, under the names that files of them would have.

    What is written lies in a file of this machine until its digest is known, so no key ever holds other bytes than it
    names, and nothing depends on a store that writes only where nothing is. Memory holds a few pieces of 8 MiB.
    """

    def __init__(self, root: Path, room: Room | None, place: BucketPlace) -> None:
        super().__init__(root, room)
        self.place = place
        self.bucket = bucket_at(place)

    @property
    def where(self) -> str:
        """The bucket and its store."""
        return str(self.place)

    def has(self, digest: str) -> bool:
        """Whether the blob is stored. A store notes no use: who names it asks once more, see `server.naming`."""
        return self.bucket.head(key_of(digest)) is not None

    def sizes(self, digests: Collection[str]) -> dict[str, int]:
        """Of those that are stored, how many bytes each has; many are asked for at once."""
        found = self.bucket.heads([key_of(digest) for digest in digests])
        return {digest_of(key): int(meta["size"]) for key, meta in found.items()}

    def open(self, digest: str) -> BinaryIO:
        """The blob for reading, in a file without a name: all of it was compared with the digest."""
        file: BinaryIO = tempfile.TemporaryFile(dir=self.incoming)  # noqa: SIM115 - the caller closes it
        try:
            self._fetch(digest, file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def read(self, digest: str) -> Iterator[Piece]:
        """The blob's bytes piece by piece; the last piece comes only if all of them are the blob's."""
        return self._read(digest, self.size(digest))

    def _read(self, digest: str, size: int) -> Iterator[Piece]:
        found, held = hashlib.sha256(), memoryview(b"")
        for piece in self.bucket.pieces(key_of(digest), size):
            found.update(piece)
            if held:
                yield held
            held = piece
        if f"sha256:{found.hexdigest()}" != digest:
            raise BlobDamaged(digest)
        if held:
            yield held

    def local(self, digest: str) -> None:
        """None: it is no file of this machine."""

    def link(self, digest: str, seconds: float) -> str:
        """An address in the store at which whoever has it may read this one blob for so long."""
        return self.bucket.sign(key_of(digest), seconds)

    def lend(self, of: str, path: Path, sha256: str, seconds: float) -> str | None:
        """An address of a copy in the bucket; where there is none yet one is made meanwhile, for the next who asks."""
        key = f"{_lent(of)}/{sha256}"
        if self.bucket.head(key) is None:
            self.bucket.put_soon(key, path)
            return None
        return self.bucket.sign(key, seconds)

    def lenders(self) -> set[str]:
        """The names under which copies are lent."""
        return {name for name in self.bucket.folders("inputs") if _NAME.fullmatch(name)}

    def forget_lent(self, of: str) -> None:
        """Removes every copy that was made to be lent under this name."""
        for page in self.bucket.list(_lent(of)):
            self.bucket.delete([row["path"] for row in page])

    def bring(self, wanted: Mapping[Path, str]) -> None:
        """Writes blobs to files that are not there yet, several at once."""
        with ThreadPoolExecutor(_AT_ONCE, "blobs") as pool:
            try:
                for _ in pool.map(self._bring, wanted.items()):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _bring(self, item: tuple[Path, str]) -> None:
        path, digest = item
        with path.open("xb") as file:
            self._fetch(digest, file)

    def _fetch(self, digest: str, file: BinaryIO) -> None:
        """Writes the blob to an empty file; what came damaged is asked for once more."""
        size = self.size(digest)
        if self.room is not None:
            self.room.require(size)
        for turn in range(_TWICE):
            try:
                for piece in self._read(digest, size):
                    file.write(piece)
                file.flush()
                return
            except BlobDamaged:
                _log.error("blob_damaged", digest=digest, place=str(self.place))
                if turn + 1 == _TWICE:
                    raise
                file.seek(0)
                file.truncate()

    def writer(self) -> "BucketWriter":
        """A context in which a blob is written; nothing is in the bucket before its `commit`."""
        return BucketWriter(self)

    def take_in(self, path: Path) -> str:
        """Makes a file of this machine a blob, if it is none yet, and returns its digest."""
        with path.open("rb") as file:
            digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        if not self.has(digest):
            self.bucket.put(key_of(digest), path)
        return digest

    def adopt(self, name: str, digest: str) -> None:
        """What was set aside is a blob already, so this only asks for it.

        Raises:
            DataMissing: it is not there.
        """
        if not self.has(digest):
            raise lost_output()

    def stored(self, *, before: float) -> Iterator[dict[str, int]]:
        """All blobs that were written before this moment, page by page, with their sizes."""
        for page in self.bucket.list():
            old = (row for row in page if row["last_modified"].timestamp() < before)
            yield {digest_of(row["path"]): int(row["size"]) for row in old if _KEY.fullmatch(row["path"])}

    def take(self, digests: Collection[str], *, before: float) -> list[Taken]:
        """Removes those of the blobs that were written before this moment, at once."""
        found = self.bucket.heads([key_of(digest) for digest in digests])
        old = {key: meta for key, meta in found.items() if meta["last_modified"].timestamp() < before}
        self.bucket.delete(old.keys())
        return [partial(int, meta["size"]) for meta in old.values()]

    def tidy(self, age: timedelta) -> None:
        """Ends uploads in parts that were broken off: a store keeps their parts, which no list shows."""
        if aborted := self.bucket.abort_older(age):
            _log.info("uploads_to_bucket_aborted", count=aborted)


def _lent(of: str) -> str:
    """The folder of copies; no key of a blob begins like it.

    Raises:
        ValueError: it is no name of letters, digits and dashes.
    """
    if not _NAME.fullmatch(of):
        raise ValueError("copies are lent under a name of letters, digits and dashes")
    return f"inputs/{of}"


def key_of(digest: str) -> str:
    """Below the prefix, as the path of its file is below the folder of blobs."""
    name = name_of(digest)
    return f"{name[:2]}/{name}"


def digest_of(key: str) -> str:
    """The digest of the blob with this key."""
    return f"sha256:{key.rpartition('/')[2]}"


class BucketWriter(BlobWriter):
    """One blob on its way into the bucket: in a file until it is whole."""

    def __init__(self, store: BucketStore) -> None:
        super().__init__(store)
        self._bucket = store.bucket

    def commit(self) -> str:
        """Writes the blob under its digest, which is returned; one that is there is replaced, and young then."""
        self.seal()
        return self.digest

    def set_aside(self, name: str) -> str:
        """The same: a blob that no verdict comes to name goes with the sweep."""
        self.seal()
        return self.digest

    def seal(self) -> None:
        """Writes the blob to the bucket; again is as good as once."""
        if self._file.closed:
            return
        self._file.close()
        self._bucket.put(key_of(self.digest), self._path)


__all__ = ["PIECE", "BucketStore", "bucket_at"]
