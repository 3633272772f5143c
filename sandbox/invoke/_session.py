"""One container that serves several cases of one evaluation in turn.

A case that this container does not answer with a valid output is nobody's failure yet: it is run again in a
fresh container, and that verdict counts. So nothing here judges; a session only ever wins time.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from contract.bounds import MOST_PER_CONTAINER
from evaluator.verdicts import PlatformFault
from sandbox import accounts, collect, options, parse, run
from sandbox.cgroups import Cgroup
from sandbox.disks import BoundedDisk
from sandbox.engine import Engine, translate
from sandbox.engines import EngineRefused, EngineSilent, EngineTrouble
from sandbox.faults import EngineFault
from sandbox.invoke._channel import Closed, StandardStreams
from sandbox.invoke._places import WritablePlaces
from sandbox.jobs import CaseJob, CaseOutcome

_CALL = ["--invoke"]
_LOOK_EVERY = 0.5


class NotServed(Exception):
    """The session did not answer a case with a valid output; it has to be run in a fresh container."""


@dataclass(frozen=True)
class _Running:
    """A started container with everything that is looked at while it serves."""

    container: str
    channel: StandardStreams
    places: WritablePlaces
    group: Cgroup
    config: dict[str, Any]
    started: float


class Session:
    """Serves the cases of one evaluation in turn; a context manager that starts and removes the container.

    `job` is any of the cases: image, task, limits and slot are the same for all. The container has its name, and
    its scratch folder belongs to the session. The worker has to be privileged, for it empties directories.
    """

    def __init__(self, engine: Engine, job: CaseJob) -> None:
        self._engine, self._job = engine, job
        self._inputs = job.scratch / "input"
        self._cleanup = ExitStack()
        self._running: _Running | None = None
        self._served = 0

    def __enter__(self) -> Self:
        """Start the container, without any case's input.

        Raises:
            EngineFault: the platform failed.
            NotServed: the image does not start like this.
        """
        try:
            self._running = self._start()
        except OSError as error:
            self._cleanup.close()
            raise NotServed(f"on this host: {error}") from error
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def name(self) -> str:
        """The container's name."""
        return self._job.name

    @property
    def alive(self) -> bool:
        """Whether it may be given another case: it runs, and has not had as many as one container may."""
        return self._running is not None and self._served < MOST_PER_CONTAINER

    def serve(self, case: CaseJob) -> CaseOutcome:
        """The valid outcome of one case. Before it every place that the container can write to is emptied.

        The clock runs from the line that is sent until the answer; for the first case from the container's start.

        Raises:
            EngineFault: the platform failed, or `case.stop` was set.
            NotServed: no valid output in time. If the container is to blame for more than this case, it is ended.
        """
        running = self._running
        if running is None:
            raise NotServed("the container has ended")
        try:
            began = self._next(running, case)
            said = self._ask(running.channel, case, began + case.limits.seconds_per_case)
        except (Closed, NotServed, OSError) as error:
            self._end()
            raise NotServed(f"{type(error).__name__}: {error}") from error
        except EngineFault:
            self._end()
            raise
        seconds = time.monotonic() - began
        if said.get("ok") is not True:
            raise NotServed("the container answered that it failed")
        try:
            return self._outcome(running, case, seconds)
        except OSError as error:  # the container lives, and may hold its files back
            self._end()
            raise NotServed(f"collecting its output: {error}") from error

    def _start(self) -> _Running:
        image = run.image_of(self._engine, self._job)
        info = self._engine.host
        self._job.scratch.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._cleanup.callback(shutil.rmtree, self._job.scratch, ignore_errors=True)
        parse.start()
        self._inputs.mkdir(mode=0o755)
        group = Cgroup(self._job.name, info, privileged=True)
        self._cleanup.callback(group.remove)
        made = run.make_disks(self._engine, self._job, image, self._cleanup)
        host = options.Host(int(info["NCPU"]), group.path)
        config = _serving(options.build(self._job, host, options.Mounts(self._inputs, made), image))
        self._cleanup.callback(self._engine.remove_container, self._job.name)
        try:
            container = self._engine.raw.create(config, self._job.name)
            self._engine.raw.fill(container, run.from_image(made))
            if accounts.refused(self._engine.raw, container, self._job.image) is not None:
                raise NotServed("the image's accounts are no ordinary files")
            channel = StandardStreams(self._engine, container)
            self._cleanup.callback(channel.close)
            started = time.monotonic()
            self._engine.raw.start(container)
        except EngineRefused as error:
            raise NotServed(error.said) from error
        except EngineSilent as error:
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"making a container: {error}") from error
        with translate("inspecting a container"):
            pid = self._engine.raw.state(container).pid
        places = WritablePlaces(pid, made, self._job.scratch / "kept")
        if pid == 0:
            raise NotServed("the container ended at once")
        stopped = time.monotonic()
        with self._frozen(container, group):
            places.remember()
        return _Running(container, channel, places, group, config, started + time.monotonic() - stopped)

    @contextmanager
    def _frozen(self, container: str, group: Cgroup) -> Iterator[None]:
        """None of the container's processes runs meanwhile: nothing moves while root of this host walks there."""
        name = self._engine.raw.group(container)
        if options.runtime(self._job) == "runc" and group.freeze(name):
            try:
                yield
            finally:
                group.thaw(name)
            return
        try:
            self._engine.raw.pause(container)
            yield
            self._engine.raw.unpause(container)
        except EngineTrouble as error:
            raise NotServed(f"stopping its processes for a moment: {error}") from error

    def _next(self, running: _Running, case: CaseJob) -> float:
        """Empty the places, lay out the case's inputs, and send its line; returns when its clock started.

        Processes stand still until the inputs are there, so that nobody looks at them before the clock runs.
        """
        stopped = time.monotonic()
        with self._frozen(running.container, running.group):
            if self._served:
                running.places.empty()
            for old in self._inputs.iterdir():
                old.unlink()
            run.stage(case, self._inputs)
        now = time.monotonic()
        began = now if self._served else running.started + now - stopped
        self._served += 1
        arguments = case.task.arguments(set(case.inputs), case.pseudonym)
        running.channel.send({"case": case.pseudonym, "arguments": arguments})
        return began

    def _ask(self, channel: StandardStreams, case: CaseJob, deadline: float) -> dict[str, Any]:
        while time.monotonic() < deadline:
            said = channel.answer(case.pseudonym, min(deadline, time.monotonic() + _LOOK_EVERY))
            if case.stop is not None and case.stop.is_set():
                raise EngineFault(PlatformFault.WORKER_LOST, "the case was told to stop")
            if said is not None:
                return said
        raise NotServed("no answer in time")

    def _outcome(self, running: _Running, case: CaseJob, seconds: float) -> CaseOutcome:
        checked = self._collected(running.places.disks[options.OUTPUT], case)
        if not checked.verdict.valid:
            raise NotServed(checked.verdict.code)
        usage = running.group.read(self._engine.raw.group(running.container))
        return CaseOutcome(
            verdict=checked.verdict,
            output=checked.output,
            seconds=seconds,
            peak_memory_bytes=usage.memory,
            exit_code=None,
            oom_killed=usage.oom_kills > 0,
            log="",
            options=options.receipt(running.config),
        )

    def _collected(self, disk: BoundedDisk, case: CaseJob) -> parse.Checked:
        folder, suffix = self._job.scratch / str(self._served), case.task.output.suffix
        folder.mkdir()
        try:
            collect.from_disk(
                disk.path, case.output_name, suffix, case.limits.output, folder / f"output{suffix}"
            )
            return parse.check(replace(case, scratch=folder), folder / f"output{suffix}")
        except collect.NotCollected as error:
            return parse.Checked(error.verdict)
        finally:
            shutil.rmtree(folder)

    def _end(self) -> None:
        self._running = None
        self._cleanup.close()


def _serving(config: dict[str, Any]) -> dict[str, Any]:
    """The options of a fresh container, changed to what one that serves several cases needs."""
    host = config["HostConfig"] | {"ReadonlyRootfs": True}
    pipe = {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True}
    return config | pipe | {"Cmd": _CALL, "HostConfig": host}
