"""The heartbeat of a lease: a thread that renews it and stops the case when it is lost."""

import threading
import time
from types import TracebackType
from typing import Self

import httpx
import structlog

from worker.run.leases import Lease, LeaseClient, LeaseLost

_log = structlog.get_logger()


class Heart:
    """Renews `lease` at a quarter of its length; sets `stop` once it is lost.

    A server that does not answer is not yet a lost lease; one that did not answer for a whole lease is, because
    another worker may have the case by then.
    """

    def __init__(self, client: LeaseClient, lease: Lease, stop: threading.Event) -> None:
        self._client, self._lease, self.stop = client, lease, stop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heart-{lease.name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._over.wait(self._lease.lease_seconds / 4):
            try:
                self._client.heartbeat(self._lease)
                last = time.monotonic()
            except LeaseLost:
                self._lose("taken back")
                return
            except httpx.HTTPError as error:
                _log.warning("heartbeat_failed", case_run=self._lease.name, error=type(error).__name__)
                if time.monotonic() - last > self._lease.lease_seconds:
                    self._lose("server silent for a whole lease")
                    return

    def _lose(self, why: str) -> None:
        _log.warning("lease_lost", case_run=self._lease.name, why=why)
        self.stop.set()
