"""The loop of one slot: lease, fetch, run, upload, finish, until no case waits."""

import shutil
import threading
import time
from collections.abc import Collection
from pathlib import Path

import httpx
import structlog

from evaluator.verdicts import Fault, PlatformFault, Verdict
from sandbox.engine import Engine
from sandbox.faults import EngineFault, ImageRefused
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from sandbox.run import run_case
from worker.run.config import RunConfig
from worker.run.heart import Heart
from worker.run.host import Host
from worker.run.images import ensure_image
from worker.run.leases import Damaged, Lease, LeaseClient, LeaseLost

_log = structlog.get_logger()

_PAUSE_AFTER_FAULT = 5.0
"""Seconds a slot waits after a platform fault, so that a broken host does not burn through the queue."""


class Runner:
    """One slot of this host."""

    def __init__(self, config: RunConfig, slot: str) -> None:
        self._config, self._slot = config, slot
        self._host = Host(config.worker_dir)
        self._alive = self._host.take_slot(slot)
        self._client = LeaseClient(config, slot)
        self._woken = threading.Event()
        # Containers of this slot that are wanted. Changed in place and looked at only after containers are listed,
        # so that no reaper takes one for an orphan that was started meanwhile.
        self._wanted: set[str] = set()
        self._engine: Engine | None = None
        self.stopping = threading.Event()

    def work(self) -> None:
        """The life of the slot: after each wake-up it runs cases until none waits; `stop` ends it."""
        while not self.stopping.is_set():
            self._woken.wait()
            self._woken.clear()
            try:
                while not self.stopping.is_set() and self._next():
                    pass
            except httpx.HTTPError as error:
                _log.warning("server_unreachable", error=type(error).__name__)

    def wake(self) -> None:
        """Makes the slot look at the queue, now or after the case under way."""
        self._woken.set()

    def stop(self) -> None:
        """Makes `work` return after the case under way."""
        self.stopping.set()
        self._woken.set()

    def remove_orphans(self) -> None:
        """Removes what this slot does not run now, and everything of slots that are dead: containers and files."""
        try:
            engine = Engine.connect()
            removed = self._remove_orphans_of(engine, self._slot, self._wanted)
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

    def _next(self) -> bool:
        lease = self._client.lease()
        if lease is None:
            return False
        log = _log.bind(case_run=lease.name, task=lease.task_name)
        self._wanted.add(self._container(lease))
        try:
            self._run(lease)
        except LeaseLost:
            log.warning("lease_lost")
        except EngineFault as error:
            log.error("platform_fault", fault=error.fault, detail=error.detail)
            self._disconnect()
            self._release(lease, error.fault)
        except (Damaged, httpx.HTTPError) as error:
            log.error("fetch_failed", error=f"{type(error).__name__}: {error}")
            self._release(lease, PlatformFault.INPUT_MISSING)
        except Exception:
            log.exception("worker_defect")
            self._release(lease, PlatformFault.WORKER_LOST)
        finally:
            self._wanted.clear()
        return True

    def _container(self, lease: Lease) -> str:
        return self._host.container_prefix(self._slot) + lease.name

    def _release(self, lease: Lease, fault: PlatformFault) -> None:
        try:
            self._client.release(lease, fault)
        except (LeaseLost, httpx.HTTPError):
            _log.warning("release_failed", case_run=lease.name)  # the lease runs out by itself
        self.stopping.wait(_PAUSE_AFTER_FAULT)

    def _run(self, lease: Lease) -> None:
        stop = threading.Event()
        scratch = self._host.scratch(self._slot) / lease.name
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with Heart(self._client, lease, stop):
                started = time.monotonic()
                try:
                    outcome = self._run_in_sandbox(lease, scratch, stop)
                except ImageRefused as error:
                    outcome = _unloadable(error)
                if stop.is_set():
                    raise LeaseLost(lease.name)
                output = None if outcome.output is None else self._client.put_output(lease, outcome.output)
                self._client.finish(lease, outcome, output)
            _log.info(
                "case_done",
                case_run=lease.name,
                task=lease.task_name,
                verdict=outcome.verdict.code,
                seconds=round(outcome.seconds, 3),
                total_seconds=round(time.monotonic() - started, 3),
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _run_in_sandbox(self, lease: Lease, scratch: Path, stop: threading.Event) -> CaseOutcome:
        engine = self._connect()
        digest = lease.image["digest"]
        job = CaseJob(
            name=self._container(lease),
            image=digest,
            task=lease.task,
            task_name=lease.task_name,
            track=lease.track,
            inputs=self._fetch_inputs(lease, scratch),
            pseudonym=lease.pseudonym,
            limits=lease.limits,
            slot=Slot(cpuset=self._config.slot_cpuset, gpu_uuid=self._config.slot_gpu),
            scratch=scratch / "run",
            stop=stop,
        )
        with self._host.image_lock(digest):
            ensure_image(engine, self._client, lease, scratch / "image")
            if not self._host.is_warm(digest):
                run_case(
                    engine, job
                )  # uncounted: the image's files are in memory when the first clock starts
                self._host.mark_warm(digest)
        return run_case(engine, job)

    def _connect(self) -> Engine:
        if self._engine is None:
            self._engine = Engine.connect()
        return self._engine

    def _disconnect(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _fetch_inputs(self, lease: Lease, scratch: Path) -> dict[str, Path]:
        files = {one.key: one.file for one in lease.task.all_inputs}
        folder = scratch / "inputs"
        folder.mkdir()
        paths = {}
        for key in lease.inputs:
            paths[key] = folder / files[key]
            self._client.fetch_input(lease, key, paths[key])
        return paths


def _unloadable(error: ImageRefused) -> CaseOutcome:
    message = "The image cannot be loaded: its configuration or its layers do not fit together."
    return CaseOutcome(Verdict(Fault.NO_START, message), None, 0.0, None, None, False, str(error), {})
