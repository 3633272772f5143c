"""Getting one leased case ready and running it: inputs, image, container; each step can be done ahead of its turn."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import structlog

from contract.leases import Lease
from evaluator.spec import Limits
from sandbox import run as sandbox
from sandbox.invoke import Session
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from worker.run.cases import LeasedCase
from worker.run.engine_connection import EngineConnection
from worker.run.heartbeat import LeaseHandle, insist
from worker.run.host import HostFolder
from worker.run.image_cache import ImageCache
from worker.run.images import Refusals, ensure_image
from worker.run.input_cache import InputCache
from worker.run.lease_client import LeaseClient, LeaseLost

PATIENCE = 1.5
"""How many times its limit a container may run that had its slot to itself; what it wrote late is asked for again."""
_log = structlog.get_logger()
_GRACE = 60.0
"""Seconds beyond that in which a container is started and killed; a slot that needs more hangs."""
_SETTLED_WITHIN = 1800.0
_MOMENT = 0.02


class Executor:
    """Gets the cases of one slot ready and runs them.

    admit: raises `Unfit` where this slot may not run a case with these limits.
    """

    def __init__(
        self,
        slot: str,
        *,
        host: HostFolder,
        client: LeaseClient,
        connection: EngineConnection,
        inputs: InputCache,
        images: ImageCache,
        whole: Slot,
        admit: Callable[[Limits], None],
    ) -> None:
        self._slot, self._host, self._client, self._engine = slot, host, client, connection.engine
        self._whole, self._admit = whole, admit
        self._inputs, self._images = inputs, images
        self._refusals = Refusals()
        self._doubted: set[str] = set()
        self._in_use: dict[str, IO[str]] = {}
        # Names of containers that are wanted. Changed in place and looked at only after containers are listed, so
        # that no reaper takes one for an orphan that was made meanwhile.
        self.wanted: set[str] = set()

    def container(self, lease: Lease) -> str:
        """The name of the case's container."""
        return self._host.container_prefix(self._slot) + lease.name

    def begin(self, handle: LeaseHandle, part: Slot | None = None, *, admitted: bool = False) -> LeasedCase:
        """The case with its inputs on this host, and nothing else yet. `part` is its part of a shared slot.

        admitted: another case of the same lease was; to ask again could take the slot, which that one may have.

        Raises:
            Unfit: this slot may not run it.
            Damaged, LeaseLost, httpx.HTTPError: an input cannot be fetched.
        """
        lease = handle.lease
        if not admitted:
            self._admit(lease.limits)
        self.wanted.add(self.container(lease))
        scratch = self._host.scratch(self._slot) / lease.name
        try:
            self._in_use[lease.name] = self._host.use_image(lease.image.digest)
            scratch.mkdir(parents=True)
            inputs = self._bring_inputs(handle, scratch)
        except BaseException:
            self._clear(lease, scratch)
            raise
        _log.info("case_begun", container=self.container(lease), **lease.named)
        job = CaseJob(
            name=self.container(lease),
            image=lease.image.digest,
            task=lease.task,
            task_name=lease.task_name,
            track=lease.track,
            inputs=inputs,
            pseudonym=lease.pseudonym,
            limits=lease.limits,
            slot=part or self._whole,
            scratch=scratch / "run",
            stop=handle.stop,
            patience=1.0 if part else PATIENCE,
        )
        return LeasedCase(handle, scratch, job)

    def doubt(self, lease: Lease) -> None:
        """Notes that the engine failed at the case: an image that never ran on this host is brought anew then.

        So it is not for a copy that was damaged here that an image fails again and again.
        """
        self._doubted.add(lease.image.digest)

    def image_is_ready(self, lease: Lease) -> bool:
        """Whether the image needs no uncounted run, which would take what a slot lends."""
        return self._host.is_warm(lease.image.digest) and self._engine().has_image(lease.image.digest)

    def bring_image(self, case: LeasedCase) -> None:
        """Has the image on this host, its files in memory, before a clock starts.

        Raises:
            ImageRefused: no engine can load it.
            EngineFault, Damaged, LeaseLost, httpx.HTTPError: the platform failed.
        """
        digest, handle = case.job.image, case.handle

        def fetch(blob: str, target: Path) -> None:
            insist(handle, lambda: self._client.fetch_blob(handle.lease, blob, target))

        self._refusals.raise_if_fresh(digest)
        with self._host.image_lock(digest), self._refusals.noted(digest):
            if digest in self._doubted and not self._host.is_warm(digest):
                self._images.drop(self._engine(), digest)
            self._doubted.discard(digest)
            ensure_image(self._engine(), fetch, handle.lease, case.scratch / "image", cache=self._images)
            if not self._host.is_warm(digest):
                warm = replace(case.job, patience=1.0)
                with self._host.running():
                    self._watched(case, warm)
                    sandbox.run_case(self._engine(), warm)  # uncounted
                self._host.mark_warm(digest)

    def make(self, case: LeasedCase) -> None:
        """Makes the case's container; nothing runs yet."""
        case.container = sandbox.prepare(self._engine(), case.job)

    def execute(self, case: LeasedCase) -> None:
        """Runs the container until its processes are gone, beside others of this host."""
        if case.container is None:
            self.make(case)
        with self._host.running():
            self._start(case)

    def execute_alone(self, case: LeasedCase) -> None:
        """Runs the case once more, in another fresh container with the whole slot, and nothing else on this host."""
        self.remove(case)
        case.handle.waits()  # for the containers of other slots to end
        case.job = replace(case.job, slot=self._whole, patience=1.0)
        self.make(case)
        with self._host.alone():
            self._start(case)

    def outcome(self, case: LeasedCase) -> CaseOutcome:
        """What came of a case whose container has ended."""
        if case.container is None:
            raise RuntimeError("a case has a container until it is forgotten")
        return sandbox.conclude(case.container)

    @contextmanager
    def serving(self, case: LeasedCase) -> Iterator[Session]:
        """A container, with a name and files of its own, that answers this case and others of its evaluation.

        Raises:
            NotServed: the image does not start like this.
            EngineFault: the platform failed.
        """
        name = f"{uuid.uuid4()}-0"
        container, scratch = (
            self._host.container_prefix(self._slot) + name,
            self._host.scratch(self._slot) / name,
        )
        self.wanted.add(container)
        try:
            scratch.mkdir(parents=True)
            job = replace(case.job, name=container, scratch=scratch / "run")
            with (
                self._host.use_image(job.image),
                self._host.running(),
                Session(self._engine(), job) as session,
            ):
                yield session
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            self.wanted.discard(container)

    def wanted_alone(self) -> bool:
        """Whether somebody on this host waits until no container runs; asked twice, for others pass by in a moment."""
        if not self._host.wanted_alone():
            return False
        time.sleep(_MOMENT)
        return self._host.wanted_alone()

    def watch_served(self, case: LeasedCase, container: str) -> None:
        """Tells the heartbeat and every reaper of this host how long the container may take for this case."""
        seconds = case.job.limits.seconds_per_case + _GRACE
        case.handle.must_end_in(seconds + _SETTLED_WITHIN)
        name = container.removeprefix(self._host.container_prefix(self._slot))
        self._host.note_deadline(self._slot, name, seconds)

    def _start(self, case: LeasedCase) -> None:
        if case.container is None:
            raise RuntimeError("a case is made before it is started")
        if case.handle.stop.is_set():  # lost while it waited for its turn
            raise LeaseLost(case.lease.name)
        self._watched(case, case.job)
        case.started = case.started or time.monotonic()
        sandbox.execute(case.container)
        case.handle.must_end_in(_SETTLED_WITHIN)
        self._host.forget_deadline(self._slot, case.lease.name)

    def _watched(self, case: LeasedCase, job: CaseJob) -> None:
        """Tells the heartbeat and every reaper of this host how long the container may take."""
        seconds = job.limits.seconds_per_case * job.patience + _GRACE
        case.handle.must_end_in(seconds)
        self._host.note_deadline(self._slot, case.lease.name, seconds)

    def remove(self, case: LeasedCase) -> None:
        """Removes the container and what was made for it."""
        container, case.container = case.container, None
        if container is not None:
            sandbox.remove(container)

    def forget(self, case: LeasedCase) -> None:
        """Removes everything of the case from this host; what is gone already is no matter.

        Raises:
            EngineFault: the engine does not answer.
        """
        try:
            self.remove(case)
        finally:
            self._clear(case.lease, case.scratch)

    def _clear(self, lease: Lease, scratch: Path) -> None:
        shutil.rmtree(scratch, ignore_errors=True)
        self.wanted.discard(self.container(lease))
        if (image := self._in_use.pop(lease.name, None)) is not None:
            image.close()

    def _bring_inputs(self, handle: LeaseHandle, scratch: Path) -> dict[str, Path]:
        lease = handle.lease
        files = {entry.key: entry.file for entry in lease.task.all_inputs}
        folder = scratch / "inputs"
        folder.mkdir()
        paths = {}
        for key in lease.inputs:
            paths[key] = folder / files[key]
            self._bring(handle, key, paths[key])
        return paths

    def _bring(self, handle: LeaseHandle, key: str, target: Path) -> None:
        def fetch(part: Path) -> None:
            insist(handle, lambda: self._client.fetch_input(handle.lease, key, part))

        self._inputs.bring(handle.lease.inputs[key].sha256, target, fetch)
