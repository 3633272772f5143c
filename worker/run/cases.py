"""One leased case on its way through a slot: inputs, image, container; each step can be done ahead of its turn."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from contract.leases import Lease
from evaluator.spec import Limits
from sandbox import run as sandbox
from sandbox.engine import Engine
from sandbox.invoke import Session
from sandbox.jobs import CaseJob, Slot
from worker.run.cache import ImageCache
from worker.run.config import RunConfig
from worker.run.heart import Held, insist
from worker.run.host import Host
from worker.run.images import Refusals, ensure_image
from worker.run.inputs import InputCache
from worker.run.lease_client import LeaseClient, LeaseLost

PATIENCE = 1.5
"""How many times its limit a container may run that had its slot to itself; what it wrote late is asked for again."""
_GRACE = 60.0
"""Seconds beyond that in which a container is started and killed; a slot that needs more hangs."""
_SETTLED_WITHIN = 1800.0
_MOMENT = 0.02


@dataclass
class Running:
    """A leased case; `case` is there once its container is made. Times are seconds on the monotonic clock."""

    held: Held
    scratch: Path
    job: CaseJob
    case: sandbox.Case | None = None
    started: float | None = None

    @property
    def lease(self) -> Lease:
        """What the server said of it."""
        return self.held.lease

    @property
    def waited(self) -> float:
        """Seconds from the lease until the clock started, or until now."""
        return (self.started or time.monotonic()) - self.held.since


class Workshop:
    """What a slot needs to get a case ready and to run it."""

    def __init__(
        self,
        config: RunConfig,
        slot: str,
        *,
        host: Host,
        client: LeaseClient,
        engine: Callable[[], Engine],
        lent: Slot,
        admit: Callable[[Limits], None],
    ) -> None:
        self._slot, self._host, self._client, self._engine = slot, host, client, engine
        self._lent, self._admit = lent, admit
        self._inputs = InputCache(host.root / "inputs", config.input_cache)
        self._images = ImageCache(host, config.image_cache)
        self._refusals = Refusals()
        self._doubted: set[str] = set()
        self._in_use: dict[str, IO[str]] = {}
        # Names of containers that are wanted. Changed in place and looked at only after containers are listed, so
        # that no reaper takes one for an orphan that was made meanwhile.
        self.wanted: set[str] = set()

    def container(self, lease: Lease) -> str:
        """The name of the case's container."""
        return self._host.container_prefix(self._slot) + lease.name

    def begin(self, held: Held, lent: Slot | None = None, *, admitted: bool = False) -> Running:
        """The case with its inputs on this host, and nothing else yet. `lent` is its part of a shared slot.

        admitted: another case of the same lease was; to ask again could take the slot, which that one may have.

        Raises:
            Unfit: this slot may not run it.
            Damaged, LeaseLost, httpx.HTTPError: an input cannot be fetched.
        """
        lease = held.lease
        if not admitted:
            self._admit(lease.limits)
        self.wanted.add(self.container(lease))
        scratch = self._host.scratch(self._slot) / lease.name
        try:
            self._in_use[lease.name] = self._host.use_image(lease.image.digest)
            scratch.mkdir(parents=True)
            inputs = self._bring_inputs(held, scratch)
        except BaseException:
            self._clear(lease, scratch)
            raise
        job = CaseJob(
            name=self.container(lease),
            image=lease.image.digest,
            task=lease.task,
            task_name=lease.task_name,
            track=lease.track,
            inputs=inputs,
            pseudonym=lease.pseudonym,
            limits=lease.limits,
            slot=lent or self._lent,
            scratch=scratch / "run",
            stop=held.stop,
            patience=1.0 if lent else PATIENCE,
        )
        return Running(held, scratch, job)

    def doubt(self, lease: Lease) -> None:
        """Notes that the engine failed at the case: an image that never ran on this host is brought anew then.

        So it is not for a copy that was damaged here that an image fails again and again.
        """
        self._doubted.add(lease.image.digest)

    def image_is_ready(self, lease: Lease) -> bool:
        """Whether the image needs no uncounted run, which would take what a slot lends."""
        return self._host.is_warm(lease.image.digest) and self._engine().has_image(lease.image.digest)

    def bring_image(self, running: Running) -> None:
        """Has the image on this host, its files in memory, before a clock starts.

        Raises:
            ImageRefused: no engine can load it.
            EngineFault, Damaged, LeaseLost, httpx.HTTPError: the platform failed.
        """
        digest, held = running.job.image, running.held

        def fetch(blob: str, target: Path) -> None:
            insist(held, lambda: self._client.fetch_blob(held.lease, blob, target))

        self._refusals.raise_if_fresh(digest)
        with self._host.image_lock(digest), self._refusals.noted(digest):
            if digest in self._doubted and not self._host.is_warm(digest):
                self._images.drop(self._engine(), digest)
            self._doubted.discard(digest)
            ensure_image(self._engine(), fetch, held.lease, running.scratch / "image", cache=self._images)
            if not self._host.is_warm(digest):
                warm = replace(running.job, patience=1.0)
                with self._host.running():
                    self._watched(running, warm)
                    sandbox.run_case(self._engine(), warm)  # uncounted
                self._host.mark_warm(digest)

    def make(self, running: Running) -> None:
        """Makes the case's container; nothing runs yet."""
        running.case = sandbox.prepare(self._engine(), running.job)

    def execute(self, running: Running) -> None:
        """Runs the container until its processes are gone, beside others of this host."""
        if running.case is None:
            self.make(running)
        with self._host.running():
            self._start(running)

    def execute_alone(self, running: Running) -> None:
        """Runs the case once more, in another fresh container with the whole slot, and nothing else on this host."""
        self.remove(running)
        running.held.until = float("inf")  # it may have to wait for the containers of other slots
        running.job = replace(running.job, slot=self._lent, patience=1.0)
        self.make(running)
        with self._host.alone():
            self._start(running)

    @contextmanager
    def serving(self, running: Running) -> Iterator[Session]:
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
            job = replace(running.job, name=container, scratch=scratch / "run")
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

    def watch_served(self, running: Running, container: str) -> None:
        """Tells the heart and every reaper of this host how long the container may take for this case."""
        seconds = running.job.limits.seconds_per_case + _GRACE
        running.held.until = time.monotonic() + seconds + _SETTLED_WITHIN
        name = container.removeprefix(self._host.container_prefix(self._slot))
        self._host.note_deadline(self._slot, name, seconds)

    def _start(self, running: Running) -> None:
        if running.case is None:
            raise RuntimeError("a case is made before it is started")
        if running.held.stop.is_set():  # lost while it waited for its turn
            raise LeaseLost(running.lease.name)
        self._watched(running, running.job)
        running.started = running.started or time.monotonic()
        sandbox.execute(running.case)
        running.held.until = time.monotonic() + _SETTLED_WITHIN
        self._host.forget_deadline(self._slot, running.lease.name)

    def _watched(self, running: Running, job: CaseJob) -> None:
        """Tells the heart and every reaper of this host how long the container may take."""
        seconds = job.limits.seconds_per_case * job.patience + _GRACE
        running.held.until = time.monotonic() + seconds
        self._host.note_deadline(self._slot, running.lease.name, seconds)

    def remove(self, running: Running) -> None:
        """Removes the container and what was made for it."""
        case, running.case = running.case, None
        if case is not None:
            sandbox.remove(case)

    def forget(self, running: Running) -> None:
        """Removes everything of the case from this host."""
        try:
            self.remove(running)
        finally:
            self._clear(running.lease, running.scratch)

    def _clear(self, lease: Lease, scratch: Path) -> None:
        shutil.rmtree(scratch, ignore_errors=True)
        self.wanted.discard(self.container(lease))
        if (image := self._in_use.pop(lease.name, None)) is not None:
            image.close()

    def _bring_inputs(self, held: Held, scratch: Path) -> dict[str, Path]:
        lease = held.lease
        files = {one.key: one.file for one in lease.task.all_inputs}
        folder = scratch / "inputs"
        folder.mkdir()
        paths = {}
        for key in lease.inputs:
            paths[key] = folder / files[key]
            self._bring(held, key, paths[key])
        return paths

    def _bring(self, held: Held, key: str, target: Path) -> None:
        def fetch(part: Path) -> None:
            insist(held, lambda: self._client.fetch_input(held.lease, key, part))

        self._inputs.bring(held.lease.inputs[key].sha256, target, fetch)
