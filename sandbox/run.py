"""Running one case: one fresh container from create to removed, and the verdict on what it left behind.

The steps are functions of their own, so that a worker can prepare the next case and conclude the last one while a
container runs. Only `execute` takes what a slot lends.
"""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluator.verdicts import HINTS, Fault, PlatformFault, Verdict
from sandbox import accounts, collect, disks, gpu_state, judge, options, parse, start
from sandbox.cgroups import Cgroup
from sandbox.disks import BoundedDisk
from sandbox.engine import Engine, translate
from sandbox.engines import EngineRefused, EngineSlow, EngineTrouble
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, CaseOutcome
from sandbox.watch import Ending, Watch

_FILES_PER_DISK = 500_000
_OUTPUT_SLACK = 8 * 2**20  # a file of exactly the limit has to fit beside the file system's own blocks


@dataclass
class PreparedCase:
    """A case whose container is made but not started.

    `refused` is the verdict where none could be made or started, `said` what the engine said then.
    """

    engine: Engine
    job: CaseJob
    cleanup: ExitStack
    group: Cgroup
    disks: Mapping[str, BoundedDisk] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    container: str = ""
    refused: Verdict | None = None
    said: str = ""
    watch: Watch | None = None


def run_case(engine: Engine, job: CaseJob) -> CaseOutcome:
    """Run one case in a fresh container and judge it; nothing of it is left on the host afterwards.

    Raises:
        EngineFault: the platform failed, or `job.stop` was set; the case may run again.
        ValueError: the case lacks an input that the task needs.
    """
    case = prepare(engine, job)
    try:
        execute(case)
        return conclude(case)
    finally:
        remove(case)


def prepare(engine: Engine, job: CaseJob) -> PreparedCase:
    """Everything up to the start: staged inputs, disks, the created container. `remove` undoes it.

    Nothing is left behind where it raises.

    Raises:
        EngineFault: the platform failed.
        ValueError: the case lacks an input that the task needs.
    """
    with _our_fault():
        image = image_of(engine, job)
        with ExitStack() as cleanup:
            group = Cgroup(job.name, engine.host, privileged=engine.privileged)
            cleanup.callback(group.remove)
            case = PreparedCase(engine, job, cleanup, group)
            message = options.refused_volumes(image)
            case.refused = start.known_slow(job.image)
            if message is not None:
                case.refused = Verdict(Fault.NO_START, message)
            if case.refused is None:
                _make(case, image)
            case.cleanup = cleanup.pop_all()
    return case


def execute(case: PreparedCase) -> None:
    """Start the container and wait until its processes are gone; what they held is free then.

    Raises:
        EngineFault: the platform failed, or `job.stop` was set.
    """
    if case.refused is not None:
        return
    with _our_fault():
        try:
            begin = functools.partial(case.engine.raw.start, case.container)
            _asked(case, begin, begin)
        except EngineTrouble as error:
            text = f"starting a container: {error}"
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, text) from error
        if case.refused is not None:
            return
        case.watch = Watch(case.engine, case.job, case.group, case.disks)
        case.watch.until_gone(case.container)


def conclude(case: PreparedCase) -> CaseOutcome:
    """The outcome of a case that was executed: what the container left behind is collected and checked.

    Raises:
        EngineFault: the platform failed.
    """
    if case.refused is not None or case.watch is None:
        refused = case.refused or Verdict(Fault.NO_START, HINTS[Fault.NO_START])
        return _outcome(case, refused, log=start.without_paths(case.engine, case.said, case.job.scratch))
    with _our_fault():
        ending = case.watch.ending()
        log = _log(case.engine, case.container, case.job.limits.log)
        verdict = judge.failed(ending, log)
        checked = None
        if verdict is None:
            checked = _check(case)
            verdict = judge.cause(ending, checked.verdict)
        if not verdict.valid:
            gpu_state.blame(case.job.slot.gpu_uuid)
        late = ending.overran and verdict.valid
        if ending.overran:
            verdict = judge.too_late(verdict)
        if verdict.valid and ending.oom_killed:
            verdict = replace(verdict, warnings=(*verdict.warnings, judge.CHILD_KILLED))
    kept = checked.output if checked is not None and verdict.valid else None
    outcome = _outcome(case, verdict, output=kept, ending=ending, log=log)
    return replace(outcome, late=late, detail=judge.detail(verdict, checked, log))


def remove(case: PreparedCase) -> None:
    """Remove the container, running or not, and everything that was made for it.

    Raises:
        EngineFault: the engine did not do it; the orphans' removal will.
    """
    case.cleanup.close()


@contextlib.contextmanager
def _our_fault() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"on this host: {error}") from error


def _make(case: PreparedCase, image: Mapping[str, Any]) -> None:
    """Fill in `case`, whose clean-up grows with every step."""
    engine, job, cleanup = case.engine, case.job, case.cleanup
    job.scratch.mkdir(parents=True, exist_ok=True, mode=0o711)
    cleanup.callback(shutil.rmtree, job.scratch, ignore_errors=True)
    parse.start()
    inputs = job.scratch / "input"
    inputs.mkdir(mode=0o755)
    stage(job, inputs)
    case.disks = make_disks(engine, job, image, cleanup) if engine.privileged else {}
    host = options.Host(int(engine.host["NCPU"]), case.group.path)
    case.config = options.build(job, host, options.Mounts(inputs, case.disks), image)
    cleanup.callback(engine.remove_container, job.name)
    try:
        _asked(case, lambda: _create(case), lambda: _create_again(case))
    except EngineTrouble as error:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"making a container: {error}") from error


def _create(case: PreparedCase) -> None:
    engine, job = case.engine, case.job
    case.container = engine.raw.create(case.config, job.name)
    engine.raw.fill(case.container, from_image(case.disks))
    if options.OUTPUT not in case.disks:
        collect.make_writable(engine.raw, case.container)
    case.refused = accounts.refused(engine.raw, case.container, job.image)


def from_image(made: Mapping[str, BoundedDisk]) -> dict[str, Path]:
    """The disks that begin with what the image holds at their places."""
    return {place: disk.path for place, disk in made.items() if place not in (options.OUTPUT, options.WORK)}


def _create_again(case: PreparedCase) -> None:
    """As the first time: an engine copies what an image holds to empty disks only, and never looks again."""
    case.engine.remove_container(case.job.name)
    for disk in case.disks.values():
        disk.clear()
    _create(case)


def _asked(case: PreparedCase, act: Callable[[], object], again: Callable[[], object]) -> None:
    """Does what the engine may refuse; `case.refused` is the verdict where that is the image's doing."""
    try:
        act()
    except EngineRefused as error:
        verdict = start.refused(case.engine, case.config, case.job.name, error, again=again)
        case.refused, case.said = case.refused or verdict, error.said
    except EngineSlow as error:
        case.refused = start.too_slow(case.engine, case.config, case.job.name, error)


def image_of(engine: Engine, job: CaseJob) -> dict[str, Any]:
    """The engine's description of the job's image, which is on this host under this very id."""
    image = engine.inspect_image(job.image)
    if image.get("Id") != job.image:
        raise EngineFault(PlatformFault.IMAGE_MISSING, "images are run by their id")
    return image


def stage(job: CaseJob, top: Path) -> None:
    """Put the case's inputs into `top`, under their canonical names and for everybody to read."""
    for scan in job.task.inputs_of(set(job.inputs)):
        source, target = job.inputs[scan.key], top / scan.file
        try:
            # A link's own times and count would tell when other cases used the file.
            shutil.copyfile(source, target)
            target.chmod(0o444)
            os.utime(target, (options.FILE_TIME, options.FILE_TIME))
        except FileNotFoundError as error:
            raise EngineFault(PlatformFault.INPUT_MISSING, f"input {scan.key}") from error
    top.chmod(0o755)
    os.utime(top, (options.FILE_TIME, options.FILE_TIME))


def make_disks(
    engine: Engine, job: CaseJob, image: Mapping[str, Any], cleanup: ExitStack
) -> dict[str, BoundedDisk]:
    """A bounded disk for every path that the container may write to; `cleanup` removes them."""
    limits = job.limits
    sizes = {
        options.OUTPUT: (limits.output + limits.output // 16 + _OUTPUT_SLACK, limits.output_files),
        options.WORK: (limits.disk, _FILES_PER_DISK),
        options.TMP: (limits.disk, _FILES_PER_DISK),
    }
    sizes |= dict.fromkeys(options.volumes_to_bound(image), (limits.disk, _FILES_PER_DISK))
    made: dict[str, BoundedDisk] = {}
    for number, (target, (size, files)) in enumerate(sizes.items()):
        disk = disks.make(f"{job.name}.{number}", size, files, job.scratch)
        cleanup.callback(disk.remove)  # also where the engine keeps its volume
        cleanup.callback(engine.remove_volume, disk.volume)
        made[target] = disk
    return made


def _check(case: PreparedCase) -> parse.Checked:
    """The verdict on the output file and, if it is valid, its canonical encoding."""
    job, target = case.job, case.job.scratch / f"output{case.job.task.output.suffix}"
    suffix, limit = job.task.output.suffix, job.limits.output
    try:
        if options.OUTPUT in case.disks:
            collect.from_disk(case.disks[options.OUTPUT].path, job.output_name, suffix, limit, target)
        else:
            collect.from_engine(case.engine, case.container, job.output_name, suffix, limit, target)
    except collect.NotCollected as refusal:
        return parse.Checked(refusal.verdict)
    return parse.check(case.job, target)


def _log(engine: Engine, container: str, tail: int) -> str:
    with translate("reading a log"):
        text = engine.raw.logs(container, tail)
    return text.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")  # no database stores NUL


def _outcome(
    case: PreparedCase,
    verdict: Verdict,
    *,
    log: str,
    output: bytes | None = None,
    ending: Ending | None = None,
) -> CaseOutcome:
    return CaseOutcome(
        verdict=verdict,
        output=output,
        seconds=ending.seconds if ending else 0.0,
        peak_memory_bytes=ending.peak_memory if ending else None,
        exit_code=ending.exit_code if ending else None,
        oom_killed=ending.oom_killed if ending else False,
        log=log,
        options=options.receipt(case.config) if case.config else {},
        cpu_seconds=ending.cpu_seconds if ending else None,
        gpu_memory_bytes=ending.gpu_memory if ending else None,
    )
