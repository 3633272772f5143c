"""Whether a bucket answers, for whoever looks at the installation: nobody waits longer for that than a moment."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from server.blobs._bucket_store import bucket_at
from server.blobs._faults import BlobsAway
from server.blobs._place import BucketPlace

_WITHIN = 3.0


class BucketWatch:
    """Asks the store at `place` for its bucket, in a thread of its own; those who ask meanwhile share the answer."""

    def __init__(self, place: BucketPlace) -> None:
        self._bucket, self._endpoint = bucket_at(place), place.endpoint
        self._pool = ThreadPoolExecutor(1, "bucket-watch")
        self._lock = threading.Lock()
        self._asked: Future[str | None] | None = None

    def why_away(self) -> str | None:
        """Why the bucket cannot be used now, in a sentence for admins; None where it can."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = self._pool.submit(self._ask)
            asked = self._asked
        try:
            return asked.result(_WITHIN)
        except TimeoutError:
            return f"The blob store at {self._endpoint} has not answered for {_WITHIN:g} s."

    def _ask(self) -> str | None:
        try:
            self._bucket.require()
        except BlobsAway as away:
            return away.why
        return None


@cache
def watch_at(place: BucketPlace) -> BucketWatch:
    """The watch of a place: one for this process."""
    return BucketWatch(place)
