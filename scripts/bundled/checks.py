"""Whether a bundle is whole, and whether it suits this machine; nothing here changes anything."""

import hashlib
import importlib.util
import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SUMS = "SHA256SUMS"
ABOUT = "bundle.json"
MARK = ".offline"
"""In what was installed: the commit of its bundle. The Makefile asks no network where it lies."""
UNDER_WAY = ".installing"
"""In what is being installed, and in what a killed installation left: who holds its lock is at work there."""
OURS = "Left by an installation of Proctor from a bundle; it is begun anew by the same command. Commit: "
"""How that file begins, so that another program's of the same name is not taken for it."""

_SHOWN = 5
_GIB = 2**30


class NotInstalled(Exception):
    """Why nothing was installed, in a sentence for whoever typed the command."""


@dataclass(frozen=True)
class BundledImage:
    """A container image of the bundle."""

    name: str
    id: str
    file: str


@dataclass(frozen=True)
class Bundle:
    """What a bundle says of itself, and where it lies."""

    folder: Path
    version: str
    commit: str
    python: str
    machine: str
    glibc: str
    installed_bytes: int
    image_bytes: int
    images: tuple[BundledImage, ...]

    @property
    def name(self) -> str:
        """For people."""
        return f"Proctor {self.version} (commit {self.commit[:12]})"


def read(folder: Path) -> Bundle:
    """What the bundle in `folder` is.

    Raises:
        NotInstalled: this is no bundle, or not all of one.
    """
    try:
        told = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        images = tuple(BundledImage(**one) for one in told.pop("images"))
        return Bundle(folder=folder, images=images, **told)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotInstalled(f"{folder} is no whole bundle: {ABOUT} cannot be read ({error}).") from error


def verify(folder: Path) -> None:
    """Compares all files with SHA256SUMS.

    Raises:
        NotInstalled: a file is missing, is another one than was bundled, or was put there later.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        raise NotInstalled(f"{folder / SUMS} cannot be read ({error}). Unpack the archive again.") from error
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    faults = [f"{name} is missing" for name in sorted(sums.keys() - there)]
    faults += [f"{name} is not of the bundle" for name in sorted(there - sums.keys() - {SUMS})]
    faults += [
        f"{name} is damaged" for name in sorted(sums.keys() & there) if _digest(folder / name) != sums[name]
    ]
    if faults:
        more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        listed = "".join(f"\n  {fault}" for fault in faults[:_SHOWN]) + more
        raise NotInstalled(f"The bundle is not as it was made; nothing was installed.{listed}")


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def suits(bundle: Bundle) -> None:
    """Whether this Python on this machine is what the bundle was made for.

    Raises:
        NotInstalled: it is not, or cannot make virtual environments.
    """
    here = ".".join(map(str, sys.version_info[:2]))
    if platform.machine() != bundle.machine or sys.platform != "linux":
        raise NotInstalled(
            f"This bundle is for Linux on {bundle.machine}; this is {sys.platform} on {platform.machine()}."
        )
    if here != bundle.python or sys.implementation.name != "cpython":
        raise NotInstalled(
            f"This bundle is for Python {bundle.python}; {sys.executable} is {platform.python_version()}. "
            f"Install Python {bundle.python}, or name it: PYTHON=/path/to/python{bundle.python} ./install, "
            "or have a bundle made for this one."
        )
    library, version = platform.libc_ver()
    if library != "glibc" or _numbers(version) < _numbers(bundle.glibc):
        found = f"{library or 'another C library'} {version}".strip()
        raise NotInstalled(f"This bundle needs glibc {bundle.glibc} or newer; this system has {found}.")
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        raise NotInstalled(
            "This Python cannot make virtual environments. On Debian and Ubuntu the package "
            f"python{bundle.python}-venv is missing: bring it along, or take it from your mirror."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def is_free(bundle: Bundle, target: Path) -> None:
    """Whether `target` may become, or is, what this bundle installs.

    Raises:
        NotInstalled: it holds something else.
    """
    if target == bundle.folder or bundle.folder in target.resolve().parents:
        raise NotInstalled(
            f"{target} lies in the bundle, which stays as it is; name another folder with --to."
        )
    if target.exists() and not target.is_dir():
        raise NotInstalled(f"{target} is a file; name a folder with --to.")
    mark = target / MARK
    if mark.is_file() and mark.read_text(encoding="utf-8").strip() != bundle.commit:
        raise NotInstalled(
            f"{target} holds another version of Proctor. Install this one beside it and start it with the "
            'same PROCTOR_DATA: docs/operations.md, "Without a network".'
        )
    if target.is_dir() and not mark.is_file() and not is_ours(target) and any(target.iterdir()):
        raise NotInstalled(f"{target} is not empty, and what is in it is not ours; name another with --to.")


def is_ours(target: Path) -> bool:
    """Whether an installation is under way in `target`, or was killed there, so that all in it may be removed.

    Before its file says so there is nothing else in it.
    """
    try:
        said = (target / UNDER_WAY).read_bytes()
    except OSError:
        return False
    return said.startswith(OURS.encode()) or (not said and [*target.iterdir()] == [target / UNDER_WAY])


def the_engine(wanted: str | None) -> str | None:
    """The command of the engine that answers; None where none is wanted.

    Raises:
        NotInstalled: none does.
    """
    if wanted == "none":
        return None
    probes = {
        "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
        "podman": ("podman", "info", "--format", "json"),
    }
    for name, probe in probes.items():
        if wanted in (None, name) and shutil.which(name) and ask(*probe) is not None:
            return name
    raise NotInstalled(
        f"{(wanted or 'No container engine').capitalize()} {'does not answer' if wanted else 'answers'} here. "
        "Install Docker 20.10 or Podman 4.3, or newer, from your system's packages and start it; "
        "a host that runs no cases needs none: --engine none."
    )


def ask(*command: str) -> str | None:
    """What a program answers; None where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def has_room(bundle: Bundle, target: Path, engine: str | None) -> None:
    """Whether the disks have room for the installation, and for the engine's images.

    Raises:
        NotInstalled: one has not.
    """
    places = {_nearest(target): bundle.installed_bytes}
    if engine:
        field = "{{.DockerRootDir}}" if engine == "docker" else "{{.Store.GraphRoot}}"
        root = Path(ask(engine, "info", "--format", field) or "/nowhere")
        # An engine elsewhere keeps its images there.
        if root.is_dir():
            places[root] = places.get(root, 0) + bundle.image_bytes
    for place in places:
        device = place.stat().st_dev
        wanted = sum(size for other, size in places.items() if other.stat().st_dev == device)
        free = shutil.disk_usage(place).free
        if free < wanted:
            raise NotInstalled(
                f"The disk of {place} has {free / _GIB:.1f} GiB free, and {wanted / _GIB:.1f} GiB are needed."
            )


def _nearest(target: Path) -> Path:
    return next(path for path in (target, *target.parents) if path.is_dir())
