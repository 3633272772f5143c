"""Running one case: one fresh container from create to removed, and the verdict on what it left behind."""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException
from requests import RequestException

from evaluator.verdicts import Fault, PlatformFault, Verdict
from sandbox import collect, disks, judge, options, parse, start
from sandbox.cgroups import Group
from sandbox.disks import Disk
from sandbox.engine import Engine, translate
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from sandbox.watch import Ending, Watch

__all__ = ["CaseJob", "CaseOutcome", "Slot", "run_case"]

_FILES_PER_DISK = 500_000
_OUTPUT_SLACK = 8 * 2**20  # a file of exactly the limit has to fit beside the file system's own blocks


@dataclass(frozen=True)
class _Case:
    """Everything that was prepared for one container, and what removes it."""

    engine: Engine
    job: CaseJob
    group: Group
    disks: Mapping[str, Disk]
    config: dict[str, Any]


def run_case(engine: Engine, job: CaseJob) -> CaseOutcome:
    """Run one case in a fresh container and judge it; nothing of it is left on the host afterwards.

    Raises:
        EngineFault: the platform failed, or `job.stop` was set; the case may run again.
        ValueError: the case lacks an input that the task needs.
    """
    image = image_of(engine, job)
    if len(options.volumes_to_bound(image)) > options.MAX_VOLUMES:
        message = f"The image declares more than {options.MAX_VOLUMES} VOLUMEs."
        return CaseOutcome(Verdict(Fault.NO_START, message), None, 0.0, None, None, False, "", {})
    with ExitStack() as cleanup:
        try:
            return _run(_prepare(engine, job, image, cleanup))
        except OSError as error:
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"on this host: {error}") from error


def image_of(engine: Engine, job: CaseJob) -> dict[str, Any]:
    """The engine's description of the job's image, which is on this host under this very id."""
    image = engine.inspect_image(job.image)
    if image.get("Id") != job.image:
        raise EngineFault(PlatformFault.IMAGE_MISSING, "images are run by their id")
    return image


def _prepare(engine: Engine, job: CaseJob, image: Mapping[str, Any], cleanup: ExitStack) -> _Case:
    info = engine.host
    job.scratch.mkdir(parents=True, exist_ok=True, mode=0o711)
    cleanup.callback(shutil.rmtree, job.scratch, ignore_errors=True)
    parse.start()
    inputs = job.scratch / "input"
    inputs.mkdir(mode=0o755)
    stage(job, inputs)
    group = Group(job.name, info, privileged=engine.privileged)
    cleanup.callback(group.remove)
    made = make_disks(engine, job, image, cleanup) if engine.privileged else {}
    host = options.Host(int(info["NCPU"]), group.path)
    config = options.build(job, host, options.Mounts(inputs, made))
    return _Case(engine, job, group, made, config)


def stage(job: CaseJob, top: Path) -> None:
    """Put the case's inputs into `top`, under their canonical names and for everybody to read."""
    for one in job.task.inputs_of(set(job.inputs)):
        source, target = job.inputs[one.key], top / one.file
        try:
            state = source.stat()
            if stat.S_IMODE(state.st_mode) & 0o444 == 0o444 and state.st_dev == top.stat().st_dev:
                os.link(source.resolve(), target)
            else:
                shutil.copyfile(source, target)
                target.chmod(0o444)
        except FileNotFoundError as error:
            raise EngineFault(PlatformFault.INPUT_MISSING, f"input {one.key}") from error
    top.chmod(0o755)


def make_disks(engine: Engine, job: CaseJob, image: Mapping[str, Any], cleanup: ExitStack) -> dict[str, Disk]:
    """A bounded disk for every path that the container may write to; `cleanup` removes them."""
    limits = job.limits
    sizes = {
        options.OUTPUT: (limits.output + limits.output // 16 + _OUTPUT_SLACK, limits.output_files),
        options.WORK: (limits.disk, _FILES_PER_DISK),
        options.TMP: (limits.disk, _FILES_PER_DISK),
    }
    sizes |= dict.fromkeys(options.volumes_to_bound(image), (limits.disk, _FILES_PER_DISK))
    made: dict[str, Disk] = {}
    for number, (target, (size, files)) in enumerate(sizes.items()):
        disk = disks.make(f"{job.name}.{number}", size, files, job.scratch)
        cleanup.callback(_remove_disk, engine, disk)
        made[target] = disk
    return made


def _remove_disk(engine: Engine, disk: Disk) -> None:
    engine.remove_volume(disk.volume)
    disk.remove()


def _run(case: _Case) -> CaseOutcome:
    with _container(case) as container:
        if isinstance(container, Verdict):
            return _outcome(case, container, log="")
        ending = Watch(case.engine, case.job, case.group, case.disks.values()).to_the_end(container)
        log = _log(case.engine, container, case.job.limits.log)
        verdict = judge.failed(ending, log)
        output = None
        if verdict is None:
            verdict, output = _check(case, container)
            verdict = judge.cause(ending, verdict)
            if verdict.valid and ending.oom_killed:
                verdict = replace(verdict, warnings=(*verdict.warnings, judge.CHILD_KILLED))
        return _outcome(case, verdict, output=output if verdict.valid else None, ending=ending, log=log)


@contextlib.contextmanager
def _container(case: _Case) -> Iterator[str | Verdict]:
    """The id of the started container, or the verdict if the image cannot be started; removed in any case."""
    try:
        yield _start(case)
    finally:
        case.engine.remove_container(case.job.name)


def _start(case: _Case) -> str | Verdict:
    api = case.engine.api
    try:
        container = str(api.create_container_from_config(case.config, name=case.job.name)["Id"])
        if options.OUTPUT not in case.disks:
            collect.make_writable(case.engine, container)
        api.start(container)
    except APIError as error:
        return start.refused(error)
    except (DockerException, RequestException) as error:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"starting a container: {error}") from error
    return container


def _check(case: _Case, container: str) -> tuple[Verdict, bytes | None]:
    """The verdict on the output file and, if it is valid, its canonical encoding."""
    job, target = case.job, case.job.scratch / f"output{case.job.task.output.suffix}"
    suffix, limit = job.task.output.suffix, job.limits.output
    try:
        if options.OUTPUT in case.disks:
            collect.from_disk(case.disks[options.OUTPUT].path, job.output_name, suffix, limit, target)
        else:
            collect.from_engine(case.engine, container, job.output_name, suffix, limit, target)
    except collect.NotCollected as found:
        return found.verdict, None
    return parse.check(case.job, target)


def _log(engine: Engine, container: str, tail: int) -> str:
    with translate("reading a log"):
        text = bytearray()
        for chunk in engine.api.logs(container, stream=True, follow=False):
            text += chunk
            del text[: max(0, len(text) - tail)]
    return text.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")  # no database stores NUL


def _outcome(
    case: _Case, verdict: Verdict, *, log: str, output: bytes | None = None, ending: Ending | None = None
) -> CaseOutcome:
    return CaseOutcome(
        verdict=verdict,
        output=output,
        seconds=ending.seconds if ending else 0.0,
        peak_memory_bytes=ending.peak_memory if ending else None,
        exit_code=ending.exit_code if ending else None,
        oom_killed=ending.oom_killed if ending else False,
        log=log,
        options=options.receipt(case.config),
    )
