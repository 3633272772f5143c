"""`proctor try`: an image on public cases, through the code and the limits that the worker uses."""

import os
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from client.cases import LocalCase
from client.errors import ArchiveRefused, Local
from client.progress import size
from contract.cuda import GpuDriver, by_major, required, told, too_new
from contract.images import ImageFacts
from evaluator.spec import Challenge, Limits
from evaluator.verdicts import PlatformFault
from sandbox.archive import (
    ArchiveInvalid,
    Call,
    CheckpointLabels,
    DirectorySink,
    ToolMissing,
    check_archive,
    declared_in,
    write_canonical,
)
from sandbox.engine import Engine
from sandbox.engines import EngineKind
from sandbox.faults import EngineFault, ImageRefused
from sandbox.gpu import InstalledGpu
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from sandbox.loading import load_image
from sandbox.programs import require_machine
from sandbox.run import run_case
from sandbox.start import UNLOADABLE

_START = {
    EngineKind.DOCKER: (
        "Start Docker; `docker ps` has to work without sudo. For Podman: systemctl start podman.socket. "
        "Where neither can be had: --engine apptainer."
    ),
    EngineKind.PODMAN: "Start it as root: systemctl start podman.socket.",
    EngineKind.APPTAINER: "On a cluster often: module load apptainer; then `apptainer --version` has to answer.",
}
_IMAGES = {
    EngineKind.DOCKER: "`docker images` lists what the engine has.",
    EngineKind.PODMAN: "`podman images` lists what the engine has.",
    EngineKind.APPTAINER: "Apptainer keeps no images: give a SIF file, or an archive that `docker save` wrote.",
}


@dataclass(frozen=True)
class TrialPlan:
    """What is tried: an image id on one task of a challenge, within limits that this machine can hold."""

    image: str
    task_name: str
    challenge: Challenge
    track: str
    limits: Limits
    gpu: str | None


def connect(kind: EngineKind | None = None) -> Engine:
    """The engine of this machine, of this kind where one is named.

    Raises:
        Local: none answers.
    """
    try:
        engine = Engine.connect(kind)
        try:
            engine.ping()
        except EngineFault:
            engine.close()
            raise
    except EngineFault as fault:
        remedy = _START[kind or EngineKind.DOCKER]
        raise Local(f"No container engine answers: {fault}", remedy) from None
    return engine


def limits_here(limits: Limits, *, memory: int, cpus: int, gpu: str | None) -> tuple[Limits, list[str]]:
    """`limits` as far as this machine goes, and a sentence for every one that is lower here.

    `memory` in bytes and `cpus` are what the engine's host has; `gpu` is a local GPU's UUID. Of the memory an eighth is
    left to the host: a container that may take all of it ends other programs there before it is stopped itself.
    """
    spare = memory - memory // 8
    changes: dict[str, object] = {}
    warnings = []
    if limits.cpus > cpus:
        changes["cpus"] = float(cpus)
        warnings.append(f"{limits.cpus:g} processor cores in the challenge, {cpus} here: cases take longer.")
    if limits.memory > spare:
        changes["memory"] = spare
        warnings.append(
            f"{size(limits.memory)} memory in the challenge, {size(spare)} of the {size(memory)} here."
        )
    if limits.shm > spare:
        changes["shm"] = spare
    if limits.gpu is not None and limits.gpu.count and gpu is None:
        changes["gpu"] = None
        warnings.append("The challenge runs cases with a GPU, here is none: the image has to work without.")
    return limits.model_copy(update=changes), warnings


def driver_warning(kind: EngineKind, card: InstalledGpu | None, wanted: tuple[str, ...]) -> str | None:
    """A sentence where an image asks for a newer CUDA than the driver of the GPU takes that its cases are given.

    NVIDIA's toolkit looks at it where Docker starts a container, and nobody where another engine does.
    """
    if card is None or told(card.cuda) is None:
        return None
    asked = wanted if kind is EngineKind.DOCKER else by_major(wanted)
    return too_new(asked, [GpuDriver(card.cuda, card.driver)], "the driver of this machine goes")


@contextmanager
def image_on_engine(
    engine: Engine,
    image: str,
    *,
    limit: int,
    calls: Collection[Call],
    tell: Callable[[ImageFacts], None] | None = None,
    waiting: Callable[[str], AbstractContextManager[None]] = lambda what: nullcontext(),
) -> Iterator[str]:
    """The image id of a local image's name, or of a file, which is checked and loaded as on the server.

    `calls` are those of the challenge's tasks; `tell` is called with what the check of a file found, and `waiting` with
    what takes long, for as long as it does. What was loaded is removed again.

    Raises:
        Local: the engine has no such image, or it is a SIF file and squashfs-tools are missing.
        ArchiveRefused: the archive fails the check, no engine can load it, or the image is for another machine.
    """
    if not Path(image).is_file():
        yield _local(engine, image, calls)
        return
    with tempfile.TemporaryDirectory(prefix="proctor-") as folder:
        sink = DirectorySink(Path(folder))
        try:
            with waiting(f"Checking {Path(image).name}"):
                facts = check_archive(Path(image), limit=limit, sink=sink, calls=calls)
        except ArchiveInvalid as error:
            raise ArchiveRefused(error.code, error.message) from None
        except ToolMissing as error:
            raise Local(error.what, error.remedy) from None
        if tell is not None:
            tell(facts)
        loaded = not engine.has_image(facts.digest)
        if loaded:
            with waiting("Loading it into the engine"):
                _load(engine, facts, sink)
    try:
        yield facts.digest
    finally:
        if loaded:
            engine.remove_image(facts.digest)


def _load(engine: Engine, facts: ImageFacts, sink: DirectorySink) -> None:
    with tempfile.TemporaryFile() as archive:
        write_canonical(facts, sink.open, archive)
        archive.seek(0)
        try:
            load_image(engine, archive, facts.digest)
        except ImageRefused as error:
            message = f"{UNLOADABLE.message} The engine says: {error}"
            raise ArchiveRefused(UNLOADABLE.code, message) from None


def _local(engine: Engine, image: str, calls: Collection[Call]) -> str:
    try:
        config = engine.inspect_image(image)
    except EngineFault as fault:
        if fault.fault is not PlatformFault.IMAGE_MISSING:
            raise
        raise Local(
            f"There is no local image or file {image!r}.",
            _IMAGES[EngineKind(engine.raw.kind)],
        ) from None
    machine = f"{config.get('Os')}/{config.get('Architecture')}"
    if machine != "linux/amd64":
        raise ArchiveRefused(
            "wrong_architecture",
            f"built for {machine}; build it with `docker build --platform linux/amd64 …`.",
        )
    try:
        require_machine(engine, str(config["Id"]), calls)
    except ArchiveInvalid as error:
        raise ArchiveRefused(error.code, error.message) from None
    return str(config["Id"])


def requires_driver(engine: Engine, image: str) -> tuple[str, ...]:
    """What an image that the engine has asks of an NVIDIA driver, by its variables."""
    declared = (engine.inspect_image(image).get("Config") or {}).get("Env") or ()
    return required(dict(variable.partition("=")[::2] for variable in declared))


def labels_of(engine: Engine, image: str) -> CheckpointLabels | None:
    """The checkpoint that an image that the engine has declares; None where it declares none."""
    return declared_in((engine.inspect_image(image).get("Config") or {}).get("Labels") or {})


def host_memory(engine: Engine) -> tuple[int, int]:
    """Memory in bytes and processor cores of the engine's host."""
    info = engine.info()
    return int(info["MemTotal"]), int(info["NCPU"])


def try_cases(
    engine: Engine, plan: TrialPlan, cases: list[LocalCase]
) -> Iterator[tuple[LocalCase, CaseOutcome]]:
    """Runs one case after the other, each in a fresh container.

    Raises:
        EngineFault: the engine failed, not the image.
        KeyError: the challenge has no such task.
    """
    task = plan.challenge.tasks[plan.task_name]
    with _scratch() as folder:
        for number, case in enumerate(cases, 1):
            # Not "proctor-UUID-N": a worker on this machine must not take the container for an orphan of its own.
            name = f"proctor-try-{uuid.uuid4()}-1"
            job = CaseJob(
                name=name,
                image=plan.image,
                task=task,
                task_name=plan.task_name,
                track=plan.track,
                inputs=case.inputs,
                pseudonym=f"case{number:04d}",
                limits=plan.limits,
                slot=Slot(cpuset=None, gpu_uuid=plan.gpu),
                scratch=folder / name,
            )
            yield case, run_case(engine, job)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A directory that the engine's daemon can reach into, though not list."""
    with tempfile.TemporaryDirectory(prefix="proctor-try-") as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101, S103 - a container's user has to pass through
        yield Path(folder)
