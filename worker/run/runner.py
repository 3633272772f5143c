"""The loop of one slot: run what was made ready, until no case waits."""

import shutil
import threading
import time
from collections.abc import Collection

import httpx
import structlog

from evaluator.verdicts import PlatformFault
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from worker.run.ahead import Ahead, Batch
from worker.run.cases import Running, Workshop
from worker.run.config import RunConfig
from worker.run.gate import Gate
from worker.run.heart import Heart
from worker.run.host import Host
from worker.run.lease_client import LeaseClient, said_by
from worker.run.lend import lent
from worker.run.serve import Serving
from worker.run.settle import Settler

_log = structlog.get_logger()

_LEAST_FREE = 64 * 2**20
_KEPT_WAITING = 2.0
_PAUSE_AFTER_FAULT = 5.0
"""Seconds a slot waits after a platform fault, so that a broken host does not burn through the queue."""


class Runner:
    """One slot of this host.

    While a batch of cases runs, the next one is leased and prepared and the last one is settled, each in threads of
    their own; only running takes what the slot lends.
    """

    def __init__(self, config: RunConfig, slot: str) -> None:
        self._config, self._slot = config, slot
        self._host = Host(config.worker_dir)
        self._alive = self._host.take_slot(slot)
        self._client = LeaseClient(config, slot)
        self._client.bearer.when_refused = self._refused
        self._woken = threading.Event()
        self._rest_until = 0.0
        self._engine: Engine | None = None
        self._connecting = threading.Lock()
        self.stopping = threading.Event()
        self._heart = Heart(self._client)
        lent_alone = lent(config, self._host, slot)
        self._gate = Gate(config, self._host, lent_alone, self._client)
        self._workshop = Workshop(
            config,
            slot,
            host=self._host,
            client=self._client,
            engine=self._connect,
            lent=lent_alone,
            admit=self._gate.require,
        )
        self._settler = Settler(
            self._workshop, self._client, self._heart, pause=self._fault, most=config.most
        )
        self._serving = Serving(
            self._workshop,
            self._settler,
            lent=lent_alone,
            memory=config.slot_memory,
            run_fresh=lambda running: self._run(running, packed=1),
            stopping=self.stopping.is_set,
        )
        self._ahead = Ahead(
            self._workshop,
            self._client,
            self._heart,
            self._settler,
            lent=lent_alone,
            memory=config.slot_memory,
            allowed=self._may_lease,
            stopping=self.stopping,
        )

    def work(self) -> None:
        """The life of the slot: after each wake-up it runs cases until none waits; `stop` ends it.

        A token that the server refuses ends it too: `refused` says so.
        """
        self._greet()
        while not self.stopping.is_set():
            self._woken.wait()
            self._woken.clear()
            try:
                self._run_what_waits()
            except httpx.HTTPStatusError as error:
                if not self.refused:
                    _log.warning(
                        "server_refuses", status=error.response.status_code, why=said_by(error.response)
                    )
            except httpx.HTTPError as error:
                _log.warning("server_unreachable", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - the next wake-up finds the slot at work again
                _log.exception("worker_defect")
                self._fault()
        self._ahead.abandon()
        self._settler.finish()
        self._heart.stop()
        self._disconnect()
        self._client.close()

    @property
    def refused(self) -> bool:
        """Whether the server does not take this worker's token."""
        return self._client.bearer.refused

    def _greet(self) -> None:
        try:
            self._client.greet()
        except httpx.HTTPError as error:
            _log.warning("server_unreachable", error=type(error).__name__)

    def _refused(self) -> None:
        in_file = self._config.worker_token_file is not None
        of_up = "; of workers that 'up' started, worker-token local writes it anew" if in_file else ""
        _log.error(
            "token_refused",
            why=f"The token of {self._slot} is not known to the server at {self._config.server_url}: it was revoked, "
            "replaced or mistyped. On the server's host, "
            f"proctor-admin worker-token {self._slot} prints a new one{of_up}.",
        )
        self.stop_now()

    def wake(self) -> None:
        """Makes the slot look at the queue, now or after the cases under way."""
        self._woken.set()

    def stop(self) -> None:
        """Makes `work` return after the cases under way; after the configured time they are handed back."""
        self.stopping.set()
        self._woken.set()
        if self._config.drain_seconds is not None:
            timer = threading.Timer(self._config.drain_seconds, self.stop_now)
            timer.daemon = True
            timer.start()

    def stop_now(self) -> None:
        """Makes `work` return at once: the cases under way are killed and handed back, nobody's fault."""
        self._settler.stopping.set()
        self.stop_cases()
        self.stopping.set()
        self._woken.set()

    def stop_cases(self) -> None:
        """Kills what runs now."""
        for held in self._heart.all_held():
            held.stop.set()

    def reap(self) -> None:
        """Removes containers of this host that should have ended long ago, and what dead slots left."""
        try:
            engine = Engine.connect()
            for name in self._host.overdue():
                _log.error("container_overdue", container=name)
                engine.kill_container(name)
            removed = self._remove_orphans_of(engine, self._slot, self._workshop.wanted)
            for dead in self._host.dead_slots(self._slot):
                removed += self._remove_orphans_of(engine, dead, set())
            engine.close()
        except EngineFault as fault:
            _log.warning("orphans_not_checked", fault=fault.fault)
            return
        if removed:
            _log.info("orphans_removed", count=len(removed))

    def _remove_orphans_of(self, engine: Engine, slot: str, keep: Collection[str]) -> list[str]:
        prefix = self._host.container_prefix(slot)
        removed = engine.remove_orphans(prefix, keep)
        for folder in self._host.scratches(slot):
            if prefix + folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)
        return removed

    def _run_what_waits(self) -> None:
        try:
            while not self.stopping.is_set() and self._may_work() and self._next():
                pass
        finally:
            self._serving.end()

    def _may_work(self) -> bool:
        if self._serving.keeps and (self._gate.is_due or self._rests()):
            self._serving.end()
        return self._gate.open()

    def _next(self) -> bool:
        self.stopping.wait(max(0.0, self._rest_until - time.monotonic()))
        batch = self._taken()
        if batch is None:
            return self._rests()  # then it looks again by itself, for nobody will wake it
        if self.stopping.is_set():
            self._ahead.hand_back(batch)
            return False
        for running in () if batch.served else list(batch.cases):
            self._make_ready(batch, running)
        turns = batch.turns
        wait = self._ahead.pace.wait(batch.evaluation, turns)
        if wait is not None:
            self._ahead.begin(wait)
        began = time.monotonic()
        if batch.served:
            self._serving.run(batch)
        else:
            self._run_at_once(batch)
        if batch.cases:
            self._ahead.pace.ran(batch.evaluation, time.monotonic() - began, turns)
        return True

    def _taken(self) -> Batch | None:
        """The next batch. A container is kept for it for a moment only, and not while anything else is run."""
        if self._serving.keeps and not self._ahead.ready_within(_KEPT_WAITING):
            self._serving.end()
        batch = self._ahead.take()
        if batch is None or not batch.served:
            self._serving.end()
        return batch

    def _run_at_once(self, batch: Batch) -> None:
        threads = [threading.Thread(target=self._run, args=[one, batch.packed]) for one in batch.cases[1:]]
        for thread in threads:
            thread.start()
        for running in batch.cases[:1]:
            self._run(running, batch.packed)
        for thread in threads:
            thread.join()

    def _make_ready(self, batch: Batch, running: Running) -> None:
        """What could not be done ahead because it takes the slot: loading the image, and its uncounted run."""
        if running.case is not None:
            return
        with self._settler.responsible(running.held):
            self._workshop.bring_image(running)
            self._ahead.make(batch, running)
            return
        batch.cases.remove(running)
        self._settler.forget(running)

    def _run(self, running: Running, packed: int) -> None:
        with self._settler.responsible(running.held):
            self._workshop.execute(running)
            self._settler.settle(running, packed=packed)
            return
        self._settler.forget(running)

    def _rests(self) -> bool:
        return time.monotonic() < self._rest_until and not self.stopping.is_set()

    def _may_lease(self) -> bool:
        """Whether this host can run a case now; a case leased by one that cannot would only collect faults there."""
        if self.stopping.is_set() or self._rests():
            return False
        try:
            if shutil.disk_usage(self._config.worker_dir).free < _LEAST_FREE:
                raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "the workers' folder has no room")
            self._connect().ping()
        except EngineFault as fault:
            _log.warning("host_not_ready", fault=fault.fault, detail=fault.detail)
            self._fault()
            return False
        return True

    def _fault(self) -> None:
        self._rest_until = time.monotonic() + _PAUSE_AFTER_FAULT
        self._disconnect()

    def _disconnect(self) -> None:
        with self._connecting:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _connect(self) -> Engine:
        with self._connecting:
            if self._engine is None:
                self._engine = Engine.connect()
            return self._engine
