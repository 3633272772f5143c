"""One slot of this host: its parts, put together, and its life from the first wake-up to the last case."""

import threading

import httpx
import structlog

from worker.run.answers import Answers
from worker.run.config import RunConfig
from worker.run.engine_connection import EngineConnection
from worker.run.executor import Executor
from worker.run.fresh import FreshRuns
from worker.run.heartbeat import Heartbeat
from worker.run.host import HostFolder
from worker.run.host_check import HostCheck
from worker.run.image_cache import ImageCache
from worker.run.input_cache import InputCache, Wiped
from worker.run.lease_client import LeaseClient, said_by
from worker.run.left import Left
from worker.run.loop import SlotLoop
from worker.run.polling import Polling
from worker.run.prefetch import Prefetch
from worker.run.readiness import Readiness
from worker.run.reaper import Reaper
from worker.run.serve import Serving
from worker.run.settle import Settler
from worker.run.slots import whole_slot

_log = structlog.get_logger()
_REAP_EVERY = 60.0


class Runner:
    """One slot of this host. All that it consists of is made here; each part knows only those that it is given."""

    def __init__(self, config: RunConfig, slot: str) -> None:
        self._config, self._slot = config, slot
        host = HostFolder(config.worker_dir)
        self._alive = host.take_slot(slot)
        self._own_gpu = host.take_gpu(config.slot_gpu) if config.slot_gpu else None
        self._woken, self._leaving, self.stopping = threading.Event(), threading.Event(), threading.Event()
        self._client = client = LeaseClient(config, slot)
        client.bearer.when_refused = self._refused
        self._heartbeat = heartbeat = Heartbeat(client)
        self._connection = connection = EngineConnection()
        whole, memory = whole_slot(config, host, slot), config.slot_memory
        host_check = HostCheck(config, host, whole, client)
        self._readiness = readiness = Readiness(config.worker_dir, connection, self.stopping)
        self._inputs = InputCache(host.root / "inputs", config.input_cache)
        executor = Executor(
            slot,
            host=host,
            client=client,
            connection=connection,
            inputs=self._inputs,
            images=ImageCache(host, config.image_cache),
            whole=whole,
            admit=host_check.require,
        )
        answers = Answers(executor, client, heartbeat, readiness, leaving=self._leaving)
        self._settler = settler = Settler(executor, answers, most=config.most)
        fresh = FreshRuns(executor, answers, settler)
        self._prefetch = prefetch = Prefetch(
            executor,
            client,
            heartbeat,
            answers,
            readiness,
            whole=whole,
            memory=memory,
            stopping=self.stopping,
        )
        serving = Serving(
            executor, answers, settler, fresh, whole=whole, memory=memory, stopping=self.stopping
        )
        self._loop = SlotLoop(
            host_check, readiness, answers, prefetch, fresh, serving, stopping=self.stopping
        )
        self._reaper = Reaper(host, slot, executor.wanted)
        self._polling = Polling(client, heartbeat, self.wake, self.stopping)
        self._left = Left(host, slot, client)

    def work(self) -> None:
        """The life of the slot: after each wake-up it runs cases until none waits; `stop` ends it.

        A token that the server refuses ends it too: `refused` says so.
        """
        self._note_wiped(
            self._inputs.serve(self._config.server_url), "nothing is kept, or it was another server's"
        )
        self._greet()
        while not self.stopping.is_set():
            self._woken.wait()
            self._woken.clear()
            try:
                self._loop.run_what_waits()
            except httpx.HTTPStatusError as error:
                if not self.refused:
                    _log.warning(
                        "server_refuses", status=error.response.status_code, why=said_by(error.response)
                    )
            except httpx.HTTPError as error:
                _log.warning("server_unreachable", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - the next wake-up finds the slot at work again
                _log.exception("worker_defect")
                self._readiness.note_fault()
        self._prefetch.abandon()
        self._settler.finish()
        self._heartbeat.stop()
        self._connection.close()
        self._client.close()
        if self.refused:
            self._note_wiped(self._inputs.wipe(), "the server does not take this worker's token")

    @property
    def refused(self) -> bool:
        """Whether the server does not take this worker's token."""
        return self._client.bearer.refused

    @property
    def metrics_address(self) -> str | None:
        """Where its figures are shown."""
        return self._config.metrics_address

    def _greet(self) -> None:
        try:
            self._client.greet()
        except httpx.HTTPError as error:
            _log.warning("server_unreachable", error=type(error).__name__)

    def _note_wiped(self, wiped: Wiped, why: str) -> None:
        if wiped.files:
            _log.warning("inputs_wiped", files=wiped.files, bytes=wiped.size, why=why)

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

    def stop(self, within: float | None = None) -> None:
        """Makes `work` return after the cases under way; after the configured time they are handed back.

        within: instead of the configured time, in seconds.
        """
        self.stopping.set()
        self._woken.set()
        seconds = self._config.drain_seconds if within is None else within
        if seconds is not None:
            timer = threading.Timer(seconds, self.stop_now)
            timer.daemon = True
            timer.start()

    def stop_now(self) -> None:
        """Makes `work` return at once: the cases under way are killed and handed back, nobody's fault."""
        self._leaving.set()
        for handle in self._heartbeat.handles():
            handle.stop.set()
        self.stopping.set()
        self._woken.set()

    @property
    def idle_seconds(self) -> float:
        """For how long the slot has held no case; 0 while it does."""
        return self._heartbeat.idle_seconds

    def poll(self) -> None:
        """Has the server wake this slot, until it is told to stop; for a worker that no broker does."""
        self._polling.poll()

    def take_over(self) -> None:
        """Hands back the cases that a process which had this slot before was killed with, and is nobody's fault.

        Their containers are removed first. For a job that was killed to be queued again: a case that kills its worker
        would go round for ever.
        """
        left = self._left.found()
        self.reap()
        self._left.hand_back(left)

    def reap(self) -> None:
        """Removes containers of this host that should have ended long ago, and what dead slots left."""
        self._reaper.reap()

    def keep_reaping(self) -> None:
        """Reaps now and every minute, until the slot is told to stop."""
        while True:
            self.reap()
            if self.stopping.wait(_REAP_EVERY):
                return
