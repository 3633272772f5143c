"""The suite: two lines of containers under the options of a real case, and one result per check."""

import secrets
import shutil
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from evaluator.verdicts import Fault
from sandbox import options
from sandbox.conformance import _image
from sandbox.conformance._job import PARTS, PREFIX, TASK, limits, listening
from sandbox.conformance._result import Result
from sandbox.conformance._world import JUDGES, said
from sandbox.conformance.inside import previous
from sandbox.conformance.inside.acts import text
from sandbox.conformance.inside.main import ACTS
from sandbox.engine import Engine, translate
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from sandbox.run import run_case

_LEFT = "left on the host"
_PATIENCE = 10.0
_ALWAYS_WRITABLE = {options.OUTPUT, options.WORK, options.TMP, "/dev/shm"}  # noqa: S108 - paths inside the container
_BOUNDS = {
    "memory": ("more memory than the challenge allows", (Fault.OUT_OF_MEMORY,)),
    "processes": ("more processes than allowed", (Fault.TOO_MANY_PROCESSES, Fault.OUT_OF_MEMORY)),
    "disk": ("more disk than the challenge allows, wherever it is written", (Fault.DISK_FULL,)),
}


@dataclass(frozen=True)
class ConformanceCheck:
    """A row of the suite: its name and what is denied, in words."""

    name: str
    denied: str


def checks(profile: str, runtime: str = "runc") -> list[ConformanceCheck]:
    """The rows for one profile and runtime, in the order of their results."""
    acts = [ConformanceCheck(act.name, act.denied) for act in ACTS if act.concerns(profile, runtime)]
    judged = [ConformanceCheck(name, denied) for name, (denied, _) in JUDGES.items()]
    bounds = [ConformanceCheck(name, denied) for name, (denied, _) in _BOUNDS.items()]
    last = ConformanceCheck(_LEFT, "containers, volumes and files that stay when a case is over")
    return [*acts, ConformanceCheck(previous.NAME, previous.DENIED), *judged, *bounds, last]


def run(
    engine: Engine,
    profile: str,
    runtime: str,
    scratch: Path,
    *,
    slot: Slot | None = None,
    prefix: str = PREFIX,
) -> list[Result]:
    """Try every denied act under the options of a real case; takes a few seconds.

    `profile` is `compatible` or `strict`, `runtime` one that the engine knows. `scratch` is an existing
    directory of this process; what is made there is removed. `prefix` starts the names of the containers.

    Raises:
        EngineFault: the engine does not answer, or the suite's image cannot be made.
    """
    return _Suite(engine, profile, runtime, scratch, slot or Slot(), prefix).results()


class _Suite:
    def __init__(
        self, engine: Engine, profile: str, runtime: str, scratch: Path, slot: Slot, prefix: str
    ) -> None:
        self._engine, self._profile, self._runtime, self._slot = engine, profile, runtime, slot
        self._canary = f"sub-{secrets.token_hex(6)}"
        self._prefix, self._mark = prefix, uuid.uuid4()
        self._scratch = scratch / f"conformance-{self._mark}"
        self._limits = limits(profile, runtime)

    def results(self) -> list[Result]:
        """One result per check."""
        image = _image.ensure(self._engine)
        folder = self._scratch / self._canary
        folder.mkdir(parents=True, mode=0o711)
        try:
            with listening() as told, ThreadPoolExecutor(2) as pool:
                facts = folder / f"{self._canary}.txt"
                facts.write_text(repr(self._facts(image) | told))
                bounds = pool.submit(lambda: {name: self._outcome(image, facts, name) for name in _BOUNDS})
                acts, later = (self._outcome(image, facts, part) for part in ("acts", "next"))
                outcomes = self._judge(acts, later, bounds.result())
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        outcomes[_LEFT] = self._left()
        rows = checks(self._profile, self._runtime)
        return [self._result(row, outcomes.get(row.name, "it was not tried")) for row in rows]

    def _result(self, row: ConformanceCheck, got: str | None) -> Result:
        return Result(row.name, row.denied, got is None, got or "", self._profile, self._runtime)

    def _facts(self, image: str) -> dict[str, object]:
        limits = self._limits
        numbers = {
            name: getattr(limits, name)
            for name in ("memory", "disk", "output", "output_files", "processes", "shm")
        }
        cores = options.cores(self._slot.cpuset) if self._slot.cpuset else None
        return numbers | {
            "profile": self._profile,
            "runtime": self._runtime,
            "uid": self._slot.uid,
            "nofile": options.OPEN_FILES,
            "file_size": options.largest_file(limits.disk),
            "pending_signals": options.PENDING_SIGNALS,
            "queue_bytes": options.QUEUE_BYTES,
            "cores": cores,
            "disks": self._engine.privileged,
            "file_time": options.FILE_TIME,
        }

    def _outcome(self, image: str, facts: Path, part: str) -> CaseOutcome | EngineFault:
        job = CaseJob(
            name=f"{self._prefix}{self._mark}-{PARTS.index(part)}",
            image=image,
            task=TASK,
            task_name="conformance",
            track=part,
            inputs={"facts": facts},
            pseudonym=secrets.token_hex(8),
            limits=self._limits,
            slot=self._slot,
            scratch=self._scratch / part,
        )
        try:
            return run_case(self._engine, job)
        except EngineFault as fault:
            return fault

    def _judge(
        self,
        acts: CaseOutcome | EngineFault,
        later: CaseOutcome | EngineFault,
        bounds: dict[str, CaseOutcome | EngineFault],
    ) -> dict[str, str | None]:
        """What could be done, by check; None where it was denied."""
        first = said(_log(acts))
        outcomes: dict[str, str | None] = dict.fromkeys(
            (row.name for row in checks(self._profile, self._runtime)), _why(acts)
        )
        outcomes |= first.acts
        left = set(first.world.get("left", ())) >= _ALWAYS_WRITABLE
        outcomes[previous.NAME] = (
            said(_log(later)).acts.get(previous.NAME, _why(later)) if left else _why(acts)
        )
        for name, (_, judge) in JUDGES.items():
            outcomes[name] = _judged(judge, first.world, self._canary, _why(acts))
        for name, (_, faults) in _BOUNDS.items():
            outcomes[name] = _bounded(name, bounds[name], faults)
        return outcomes

    def _left(self) -> str | None:
        """What is still there after a while: a container that starts meanwhile holds every mount for a moment."""
        deadline = time.monotonic() + _PATIENCE
        while left := self._named_by_us():
            if time.monotonic() > deadline:
                return f"there are {left}"
            time.sleep(0.1)
        return None

    def _named_by_us(self) -> list[str]:
        mark = str(self._mark)
        with translate("looking for what is left"):
            names = [container.name for container in self._engine.raw.containers()]
            names += self._engine.raw.volumes()
        names += [text(str(file)) for file in Path("/sys/block").glob("loop*/loop/backing_file")]
        return [name for name in names if mark in name]


def _log(outcome: CaseOutcome | EngineFault) -> str:
    return "" if isinstance(outcome, EngineFault) else outcome.log


def _why(outcome: CaseOutcome | EngineFault) -> str:
    """Why something was not tried, for the person who has to mend it."""
    if isinstance(outcome, EngineFault):
        return f"not tried: {outcome}"
    last = outcome.log.strip().splitlines()[-1:] or [""]
    return f"not tried: the container ended with {outcome.verdict.code}: {last[0][:300]}"


def _judged(
    judge: Callable[[dict[str, object], str], str | None], world: dict[str, object], canary: str, why: str
) -> str | None:
    try:
        return judge(world, canary)
    except (KeyError, IndexError, TypeError):
        return why


def _bounded(name: str, outcome: CaseOutcome | EngineFault, faults: tuple[Fault, ...]) -> str | None:
    """None if the bound ended the container, or the program says that it was refused."""
    if not isinstance(outcome, EngineFault) and outcome.verdict.fault in faults:
        return None
    return said(_log(outcome)).acts.get(name, _why(outcome))
