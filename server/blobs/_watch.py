"""Whether a bucket answers, for whoever looks at the installation: nobody waits longer for that than a moment."""

import threading
from concurrent.futures import Future
from functools import cache

from server.blobs._bucket_store import bucket_at
from server.blobs._faults import BlobsAway
from server.blobs._place import BucketPlace

_WITHIN = 3.0


class BucketWatch:
    """Asks the store at `place` for its bucket, in a thread of its own; those who ask meanwhile share the answer."""

    def __init__(self, place: BucketPlace) -> None:
        self._bucket, self._endpoint = bucket_at(place), place.endpoint
        self._lock = threading.Lock()
        self._asked: Future[str | None] | None = None

    def why_away(self) -> str | None:
        """Why the bucket cannot be used now, in a sentence for admins; None where it can."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = Future()
                # A pool's thread would be waited for at the end of the process, however long the store is silent.
                threading.Thread(
                    target=self._answer, args=[self._asked], name="bucket-watch", daemon=True
                ).start()
            asked = self._asked
        try:
            return asked.result(_WITHIN)
        except TimeoutError:
            return f"The blob store at {self._endpoint} has not answered for {_WITHIN:g} s."

    def _answer(self, asked: "Future[str | None]") -> None:
        try:
            self._bucket.require()
        except BlobsAway as away:
            asked.set_result(away.why)
        except Exception as error:  # noqa: BLE001 - whoever asked is to have it
            asked.set_exception(error)
        else:
            asked.set_result(None)


@cache
def watch_at(place: BucketPlace) -> BucketWatch:
    """The watch of a place: one for this process."""
    return BucketWatch(place)
