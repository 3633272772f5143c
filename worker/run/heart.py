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

_log = structlog.get_logger()
_ASK_AGAIN = 1.0
_ASK_WHEN_FULL = 10.0
_TOO_SLOW = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})
_BUSY = _TOO_SLOW | {httpx.codes.SERVICE_UNAVAILABLE}
_T = TypeVar("_T")


@dataclass
class Held:
    """A lease that is renewed until it is let go; `stop` is set once it is lost.

    `until` is when its container must have ended, on the monotonic clock: a slot that hangs past it loses the lease
    by itself, for no server can tell a case that takes long from a worker that does nothing. `asked` is when it was to
    be renewed last, `renewed` when it was.
    """

    lease: Lease
    stop: threading.Event = field(default_factory=threading.Event)
    until: float = float("inf")
    since: float = field(default_factory=time.monotonic)
    asked: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)

    def due(self) -> float:
        """When it is renewed next: at a quarter of its length."""
        return self.asked + self.lease.lease_seconds / 4


class Heart:
    """Renews every lease that it holds at a quarter of its length, all of them in one call.

    A server that does not answer is not yet a lost lease; one that did not answer for a whole lease is, because
    another worker may have the case by then.
    """

    def __init__(self, client: LeaseClient) -> None:
        self._client = client
        self._held: dict[str, Held] = {}
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)
        self._thread.start()

    def hold(self, lease: Lease) -> Held:
        """Renews `lease` from now on."""
        held = Held(lease)
        with self._changed:
            self._held[lease.name] = held
            self._changed.notify()
        return held

    def let_go(self, held: Held) -> None:
        """Renews it no more: the case is settled or handed back."""
        with self._changed:
            self._held.pop(held.lease.name, None)

    def all_held(self) -> list[Held]:
        """Every lease that this slot has now."""
        with self._changed:
            return list(self._held.values())

    def stop(self) -> None:
        """Ends the thread; leases that are held then run out."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _beat(self) -> None:
        while True:
            with self._changed:
                if self._over:
                    return
                due = min((one.due() for one in self._held.values()), default=None)
                wait = None if due is None else due - time.monotonic()
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
            self._renew(self.all_held())

    def _renew(self, leases: Collection[Held]) -> None:
        now, kept = time.monotonic(), list[Held]()
        for held in leases:
            held.asked = now
            if now > held.until:
                self._lose(held, "its container should have ended long ago")
            else:
                kept.append(held)
        if not kept:
            return
        try:
            lost = self._client.heartbeat([held.lease for held in kept])
        except Exception as error:  # noqa: BLE001 - whatever stands in for the server, the heart must not stop
            _log.warning("heartbeat_failed", leases=len(kept), error=type(error).__name__)
            for held in kept:
                if now - held.renewed > held.lease.lease_seconds:
                    self._lose(held, "server silent for a whole lease")
            return
        for held in kept:
            if held.lease.name in lost:
                self._lose(held, "taken back")
            else:
                held.renewed = now

    def _lose(self, held: Held, why: str) -> None:
        with self._changed:
            if self._held.pop(held.lease.name, None) is None:
                return  # settled or handed back meanwhile
        _log.warning("lease_lost", case_run=held.lease.name, why=why)
        held.stop.set()


def insist(held: Held, call: Callable[[], _T]) -> _T:
    """What the server answers, asked again for as long as the lease is: a server that restarts costs no case.

    One that is busy, or whose disk has no room, is asked until the lease is lost, for it answers heartbeats meanwhile:
    what it cannot take now has been computed already.

    Raises:
        LeaseLost, httpx.HTTPError: it refuses, or does not answer for that long.
    """
    until = time.monotonic() + held.lease.lease_seconds
    while True:
        try:
            return call()
        except httpx.HTTPError as error:
            full = _lacks_room(error)
            late = not full and not _is_busy(error) and time.monotonic() > until
            if _final(error) or late or held.stop.wait(_ASK_WHEN_FULL if full else _ASK_AGAIN):
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
