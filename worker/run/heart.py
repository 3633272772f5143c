"""The heartbeat of a slot: one thread that renews all its leases and stops the case whose lease is lost."""

import threading
import time
from dataclasses import dataclass, field

import httpx
import structlog

from worker.run.leases import Lease, LeaseClient, LeaseLost

_log = structlog.get_logger()


@dataclass
class Held:
    """A lease that is renewed until it is let go; `stop` is set once it is lost.

    `until` is when its container must have ended, on the monotonic clock: a slot that hangs past it loses the lease
    by itself, for no server can tell a case that takes long from a worker that does nothing.
    """

    lease: Lease
    stop: threading.Event = field(default_factory=threading.Event)
    until: float = float("inf")
    since: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)

    def due(self) -> float:
        """When it is renewed next: at a quarter of its length."""
        return self.renewed + self.lease.lease_seconds / 4


class Heart:
    """Renews every lease that it holds at a quarter of its length.

    A server that does not answer is not yet a lost lease; one that did not answer for a whole lease is, because
    another worker may have the case by then.
    """

    def __init__(self, client: LeaseClient) -> None:
        self._client = client
        self._held: dict[str, Held] = {}
        self._answered: dict[str, float] = {}
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)
        self._thread.start()

    def hold(self, lease: Lease) -> Held:
        """Renews `lease` from now on."""
        held = Held(lease)
        with self._changed:
            self._held[lease.name] = held
            self._answered[lease.name] = held.renewed
            self._changed.notify()
        return held

    def let_go(self, held: Held) -> None:
        """Renews it no more: the case is settled or handed back."""
        with self._changed:
            self._held.pop(held.lease.name, None)
            self._answered.pop(held.lease.name, None)

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
                next_one = min(self._held.values(), key=Held.due, default=None)
                wait = None if next_one is None else next_one.due() - time.monotonic()
                if next_one is None or wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
            self._renew(next_one)

    def _renew(self, held: Held) -> None:
        held.renewed = time.monotonic()
        if held.renewed > held.until:
            self._lose(held, "its container should have ended long ago")
            return
        try:
            self._client.heartbeat(held.lease)
        except LeaseLost:
            self._lose(held, "taken back")
        except httpx.HTTPError as error:
            _log.warning("heartbeat_failed", case_run=held.lease.name, error=type(error).__name__)
            silent = held.renewed - self._answered.get(held.lease.name, held.renewed)
            if silent > held.lease.lease_seconds:
                self._lose(held, "server silent for a whole lease")
        else:
            with self._changed:
                if held.lease.name in self._answered:
                    self._answered[held.lease.name] = held.renewed

    def _lose(self, held: Held, why: str) -> None:
        _log.warning("lease_lost", case_run=held.lease.name, why=why)
        self.let_go(held)
        held.stop.set()
