"""A bucket of an S3 store, by obstore: each call answers, or raises BlobsAway with a sentence for an admin."""

import builtins
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

from server.blobs._faults import BlobsAway
from server.blobs._place import BucketPlace
from server.blobs._signed import BucketAnswer, BucketAsker, code_in

PIECE = 8 * 2**20
"""Bytes that are read at once."""
_PART, _PARTS, _UNDER_WAY = 8 * 2**20, 900, 32 * 2**20
_AHEAD = 2  # pieces that are fetched while one is used
_PAGE = 1000
_SOON = 1000  # files that wait to be copied
_THERE = 5.0  # seconds for which a bucket that was seen is not asked for again
_SKEW = timedelta(minutes=5)
_log = structlog.get_logger()
_REFUSED = frozenset((401, 403))
_Result = TypeVar("_Result")


class Bucket:
    """Objects by their keys below the place's prefix. Threads may share it, and should: it keeps its connections."""

    def __init__(self, place: BucketPlace) -> None:
        self.place = place
        self._asker = BucketAsker(place)
        self._quick = _store(place, place.patience / 8, tries=1)
        self._steady = _store(place, place.patience, tries=4)
        self._heads = ThreadPoolExecutor(16, "blob-sizes")
        self._ahead = ThreadPoolExecutor(8, "blob-pieces")
        self._later = ThreadPoolExecutor(2, "blob-copies")
        self._coming: set[str] = set()
        self._seen = 0.0
        self._lock = threading.Lock()

    def look(self) -> BucketAnswer:
        """How the store answers when it is asked for the bucket.

        Raises:
            BlobsAway: it does not answer at all.
        """
        try:
            return self._asker.look()
        except httpx.HTTPError as error:
            raise BlobsAway(self._no_answer(_kind(error))) from None

    def require(self) -> BucketAnswer:
        """The answer of a store that lets us into the bucket.

        Raises:
            BlobsAway: there is none, or we are not let in.
        """
        answer = self.look()
        if answer.status != httpx.codes.OK:
            raise BlobsAway(self._why(answer))
        self._seen = time.monotonic()
        return answer

    def head(self, key: str) -> dict[str, Any] | None:
        """What is known of an object: its size and when it was written; None where there is none."""
        try:
            with self._said():
                return dict(obstore.head(self._quick, key))
        except FileNotFoundError:
            if time.monotonic() - self._seen > _THERE:
                self.require()  # a bucket that is gone has no object either, and that is no answer
            return None

    def heads(self, keys: Collection[str]) -> dict[str, dict[str, Any]]:
        """The same of many at once; those that are not there are left out."""
        found = zip(keys, self._heads.map(self.head, keys), strict=True)
        return {key: meta for key, meta in found if meta is not None}

    def pieces(self, key: str, size: int) -> Iterator[memoryview]:
        """An object's bytes piece by piece; the next are on their way while one is used."""
        starts = iter(range(0, size, PIECE))
        coming: list[Future[memoryview]] = []
        try:
            for start in starts:
                coming.append(self._ahead.submit(self._piece, key, start, min(PIECE, size - start)))
                if len(coming) > _AHEAD:
                    yield coming.pop(0).result()
            while coming:
                yield coming.pop(0).result()
        finally:
            for piece in coming:
                piece.cancel()

    def _piece(self, key: str, start: int, length: int) -> memoryview:
        with self._said():
            return memoryview(obstore.get_range(self._steady, key, start=start, length=length))

    def put(self, key: str, path: Path) -> None:
        """Writes a file to a key, in parts where it is large; what was there is replaced at once, or stays."""
        size = path.stat().st_size
        part = max(_PART, -(-size // _PARTS))
        with self._said():
            obstore.put(self._steady, key, path, chunk_size=part, max_concurrency=max(1, _UNDER_WAY // part))

    def put_soon(self, key: str, path: Path) -> None:
        """Writes a file to a key in a thread of its own, unless it is under way; what fails is logged."""
        with self._lock:
            if key in self._coming or len(self._coming) >= _SOON:
                return
            self._coming.add(key)
        self._later.submit(self._put_quietly, key, path)

    def _put_quietly(self, key: str, path: Path) -> None:
        try:
            self.put(key, path)
        except (BlobsAway, OSError) as error:
            _log.warning(
                "copy_not_made", why=str(error) if isinstance(error, BlobsAway) else type(error).__name__
            )
        finally:
            with self._lock:
                self._coming.discard(key)

    def delete(self, keys: Collection[str]) -> None:
        """Removes objects, whether they are there or not."""
        if keys:
            with self._said():
                obstore.delete(self._quick, [*keys])

    def list(self, under: str | None = None) -> Iterator[builtins.list[dict[str, Any]]]:
        """All objects, or those in a folder, page by page."""
        pages = obstore.list(self._steady, under, chunk_size=_PAGE)
        while True:
            with self._said():
                page = next(pages, None)
            if page is None:
                return
            yield [dict(row) for row in page]

    def folders(self, under: str) -> set[str]:
        """The names of the folders in a folder."""
        with self._said():
            found = obstore.list_with_delimiter(self._quick, under)
        return {prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"]}

    def sign(self, key: str, seconds: float) -> str:
        """An address at which this object may be read for so long."""
        with self._said():
            return str(obstore.sign(self._quick, "GET", key, timedelta(seconds=seconds)))

    def lists_uploads(self) -> bool:
        """Whether the store says which uploads in parts have not ended."""
        try:
            return self._asker.may_list()
        except httpx.HTTPError as error:
            raise BlobsAway(self._no_answer(_kind(error))) from None

    def abort_older(self, age: timedelta) -> int:
        """Ends uploads in parts that began longer ago, by the store's clock; how many."""
        answer = self.require()
        now = time.time() + (answer.clock or timedelta()).total_seconds()
        try:
            old = [one for one in self._asker.pending() if now - one.since.timestamp() > age.total_seconds()]
            for upload in old:
                self._asker.abort(upload)
        except httpx.HTTPError as error:
            raise BlobsAway(self._no_answer(_kind(error))) from None
        return len(old)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What the library raises, as ours; FileNotFoundError stays, but where it is the bucket that is gone."""
        try:
            yield
        except FileNotFoundError as error:
            if code_in(str(error)) == "NoSuchBucket":
                raise BlobsAway(self._why_code("NoSuchBucket", None)) from None
            raise FileNotFoundError(f"not in {self.place}") from None
        except (BaseError, OSError, ValueError) as error:
            raise BlobsAway(self._meaning(str(error))) from None

    def _meaning(self, text: str) -> str:
        """What went wrong; an answer to HEAD has no text, so the store is asked for the bucket."""
        code = code_in(text)
        if not code and any(f"status code: {status}" in text for status in _REFUSED):
            answer = self.look()
            return (
                self._why(answer) if answer.status != httpx.codes.OK else self._why_code("AccessDenied", None)
            )
        return self._why_code(code, self._clock(code)) if code else self._no_answer(_first_line(text))

    def _clock(self, code: str) -> timedelta | None:
        return self.look().clock if code in _CLOCK else None

    def _why(self, answer: BucketAnswer) -> str:
        skewed = answer.clock is not None and abs(answer.clock) > _SKEW
        if answer.code in _CLOCK or (answer.status in _REFUSED and skewed):
            return self._why_code("RequestTimeTooSkewed", answer.clock)
        return self._why_code(answer.code or f"status {answer.status}", answer.clock)

    def _why_code(self, code: str, clock: timedelta | None) -> str:
        place = self.place
        if code == "NoSuchBucket":
            return (
                f"There is no bucket {place.bucket} at {place.endpoint}. Make it again, or correct BLOBS_URL."
            )
        if code in _CLOCK:
            off = "" if clock is None else f", by {_hours(clock)}"
            told = "Set both by NTP: until then the store refuses everything."
            return f"The clocks of this machine and of the blob store at {place.endpoint} differ{off}. {told}"
        if code in _WHO:
            told = "Correct PROCTOR_BLOBS_ACCESS_KEY and PROCTOR_BLOBS_SECRET_KEY, or what they may do there."
            return f"The blob store refuses our keys for {place} ({code}). {told}"
        if code in _ELSEWHERE:
            told = "Correct PROCTOR_BLOBS_REGION, PROCTOR_BLOBS_ENDPOINT or PROCTOR_BLOBS_PATH_STYLE."
            return f"The bucket of {place} is elsewhere ({code}). {told}"
        return f"The blob store refuses a request for {place}: {code}."

    def _no_answer(self, what: str) -> str:
        return f"The blob store at {self.place.endpoint} does not answer: {what}."


_CLOCK = frozenset(("RequestTimeTooSkewed", "RequestExpired"))
_WHO = frozenset(("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "status 401", "status 403"))
_ELSEWHERE = frozenset(
    ("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "status 301")
)


def _store(place: BucketPlace, seconds: float, *, tries: int) -> S3Store:
    return S3Store(
        place.bucket,
        prefix=place.prefix or None,
        endpoint=place.endpoint if place.path_style else place.root,
        region=place.region,
        access_key_id=place.access_key,
        secret_access_key=place.secret_key,
        virtual_hosted_style_request=not place.path_style,
        client_options={
            "allow_http": place.endpoint.startswith("http://"),
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=min(5.0, seconds)),
        },
        retry_config={
            "max_retries": tries,
            "retry_timeout": timedelta(seconds=2 * seconds),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=3),
                "base": 2,
            },
        },
    )


def _first_line(text: str) -> str:
    """What the library says first, without the address, which may be a signed one."""
    line = text.partition("\n")[0]
    return (line.rpartition(" - ")[2] or line)[:200].rstrip(".: ")


def _kind(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__} {error}"[:200].rstrip(".: ")


def _hours(clock: timedelta) -> str:
    seconds = abs(clock.total_seconds())
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"
