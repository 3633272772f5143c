"""The heartbeat of a slot: one thread that renews all its leases and stops the cases whose leases are lost."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import structlog

from contract.leases import Lease
from worker.run.lease_client import LeaseClient
from worker.run.metrics import LOST

_log = structlog.get_logger()
_ASK_AGAIN = 1.0
_ASK_WHEN_FULL = 10.0
_TOO_SLOW = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})
_BUSY = _TOO_SLOW | {httpx.codes.SERVICE_UNAVAILABLE}
_T = TypeVar("_T")


@dataclass
class LeaseHandle:
    """A lease that is renewed until it is let go; `stop` is set once it is lost, or its case is to end otherwise.

    `since` is when it came, `asked` when it was to be renewed last, `renewed` when it was, all on the monotonic clock.
    """

    lease: Lease
    stop: threading.Event = field(default_factory=threading.Event)
    since: float = field(default_factory=time.monotonic)
    asked: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)
    _ends: float = field(default=float("inf"), init=False)

    def waits(self) -> None:
        """The case waits for its turn, for as long as that takes."""
        self._ends = float("inf")

    def must_end_in(self, seconds: float) -> None:
        """The case has to be settled within so many seconds from now.

        A slot that hangs past that loses the lease by itself, for no server can tell a case that takes long from a
        worker that does nothing.
        """
        self._ends = time.monotonic() + seconds

    def due(self) -> float:
        """When it is renewed next: at a quarter of its length."""
        return self.asked + self.lease.lease_seconds / 4

    def is_overdue(self) -> bool:
        """Whether its case should have been settled by now."""
        return time.monotonic() > self._ends


class Heartbeat:
    """Renews every lease that it holds at a quarter of its length, all of them in one call.

    A server that does not answer is not yet a lost lease; one that did not answer for a whole lease is, because
    another worker may have the case by then.
    """

    def __init__(self, client: LeaseClient) -> None:
        self._client = client
        self._handles: dict[str, LeaseHandle] = {}
        self._changed = threading.Condition()
        self._over = False
        self._quiet_since: float | None = time.monotonic()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def hold(self, lease: Lease) -> LeaseHandle:
        """Renews `lease` from now on."""
        handle = LeaseHandle(lease)
        with self._changed:
            self._handles[lease.name] = handle
            self._quiet_since = None
            self._changed.notify_all()
        return handle

    def let_go(self, handle: LeaseHandle) -> None:
        """Renews it no more: the case is settled or handed back."""
        with self._changed:
            self._drop(handle)

    def _drop(self, handle: LeaseHandle) -> bool:
        """Whether it was held until now."""
        if self._handles.pop(handle.lease.name, None) is None:
            return False
        if not self._handles:
            self._quiet_since = time.monotonic()
            self._changed.notify_all()
        return True

    @property
    def idle_seconds(self) -> float:
        """For how long no lease has been held; 0 while one is."""
        with self._changed:
            return 0.0 if self._quiet_since is None else time.monotonic() - self._quiet_since

    def holds_none_within(self, seconds: float) -> bool:
        """Whether no lease is held, looked at until so many seconds from now."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._handles, seconds)

    def handles(self) -> list[LeaseHandle]:
        """Every lease that this slot has now."""
        with self._changed:
            return list(self._handles.values())

    def stop(self) -> None:
        """Ends the thread; leases that are held then run out."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()

    def _beat(self) -> None:
        while True:
            with self._changed:
                if self._over:
                    return
                due = min((handle.due() for handle in self._handles.values()), default=None)
                wait = None if due is None else due - time.monotonic()
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
            self._renew(self.handles())

    def _renew(self, handles: Collection[LeaseHandle]) -> None:
        now, kept = time.monotonic(), list[LeaseHandle]()
        for handle in handles:
            handle.asked = now
            if handle.is_overdue():
                self._lose(handle, "its container should have ended long ago")
            else:
                kept.append(handle)
        if not kept:
            return
        try:
            lost = self._client.heartbeat([handle.lease for handle in kept])
        except Exception as error:  # noqa: BLE001 - whatever stands in for the server, the heartbeat must not stop
            _log.warning("heartbeat_failed", leases=len(kept), error=type(error).__name__)
            for handle in kept:
                if now - handle.renewed > handle.lease.lease_seconds:
                    self._lose(handle, "server silent for a whole lease")
            return
        for handle in kept:
            if handle.lease.name in lost:
                self._lose(handle, "taken back")
            else:
                handle.renewed = now

    def _lose(self, handle: LeaseHandle, why: str) -> None:
        with self._changed:
            if not self._drop(handle):
                return  # settled or handed back meanwhile
        LOST.inc()
        _log.warning("lease_lost", why=why, **handle.lease.named)
        handle.stop.set()


def insist(handle: LeaseHandle, call: Callable[[], _T]) -> _T:
    """What the server answers, asked again for as long as the lease is: a server that restarts costs no case.

    One that is busy, or whose disk has no room, is asked until the lease is lost, for it answers heartbeats meanwhile:
    what it cannot take now has been computed already.

    Raises:
        LeaseLost, httpx.HTTPError: it refuses, or does not answer for that long.
    """
    until = time.monotonic() + handle.lease.lease_seconds
    while True:
        try:
            return call()
        except httpx.HTTPError as error:
            full = _lacks_room(error)
            late = not full and not _is_busy(error) and time.monotonic() > until
            if _final(error) or late or handle.stop.wait(_ASK_WHEN_FULL if full else _ASK_AGAIN):
                raise


def _lacks_room(error: httpx.HTTPError) -> bool:
    return (
        isinstance(error, httpx.HTTPStatusError)
        and error.response.status_code == httpx.codes.INSUFFICIENT_STORAGE
    )


def _is_busy(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code in _BUSY


def _final(error: httpx.HTTPError) -> bool:
    """Whether asking again would bring the same answer: a refusal, or a file that the server has lost."""
    if not isinstance(error, httpx.HTTPStatusError):
        return False
    if error.response.status_code in _TOO_SLOW:
        return False
    return not error.response.is_server_error or '"data_missing"' in error.response.text
