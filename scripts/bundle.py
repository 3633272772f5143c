"""`python -m scripts.bundle`: one archive from which Proctor is installed where there is no network.

It holds the commit that is checked out, all packages as wheels, the scripts of others, the base image of the demo's
containers and whatever other images are named, the wheels of the baseline, the release, a list of all of it
(CycloneDX), SHA256SUMS, and an installer (`scripts/bundled`). Made here, it fits this version of Python on this
architecture. Where wheels come from is for pip to know: its own settings hold.
"""

import argparse
import gzip
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from baseline_model import build as baseline
from demo.images import BaseUnavailableError, ensure_base
from scripts import components, release
from scripts.bundled.checks import ABOUT, SUMS
from scripts.bundled.installer import BASELINE_WHEELS, SOURCE, WHEELS

ROOT = release.ROOT
EXTRAS = ("client", "server", "worker", "embedded", "parquet", "demo")
# What builds the project, and what pip wants of Pythons before 3.11.3, whichever this one is.
ALSO = ("hatchling", "editables", "async-timeout")
_INSTALLER = ("install", "installer.py", "checks.py")
_BYTECODE = 1.4  # what a package is on the disk, with its bytecode, for each byte that its wheel unpacks to


class NotBundled(Exception):
    """Why no archive was made."""


def main() -> None:
    """Makes the archive in the folder --to."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bundle", description="Make what installs offline."
    )
    parser.add_argument("--to", type=Path, default=Path("dist/bundle"), help="folder for the archive")
    parser.add_argument("--image", action="append", default=[], help="also this image of the engine's")
    parser.add_argument("--engine", default="docker", help="command of the container engine")
    chosen = parser.parse_args()
    try:
        archive = make(chosen.to, chosen.image, chosen.engine)
    except (NotBundled, release.NotReleased, BaseUnavailableError) as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        said = error.stderr if isinstance(error.stderr, str) else ""
        sys.exit(f"{' '.join(map(str, error.cmd[:3]))} failed: {said.strip()[-2000:]}")
    digest = _digest(archive)
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n")
    sys.stdout.write(f"{archive}  {archive.stat().st_size / 2**20:.0f} MiB\n  sha256 {digest}\n")


def make(target: Path, images: Sequence[str], engine: str) -> Path:
    """The archive, in `target`.

    Raises:
        NotBundled: a package or an image cannot be had.
        NotReleased: files differ from the commit, or scripts of others are not there.
    """
    version, commit = release.the_version(), release.the_commit()
    here = "{}{}".format(*sys.version_info[:2])
    name = f"proctor-{version}-linux-{platform.machine()}-cp{here}"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".making-") as scratch:
        folder = Path(scratch) / name
        folder.mkdir()
        release.build(folder / "release")
        source(folder, Path(scratch) / "source", commit)
        gather_wheels(folder / WHEELS)
        base = ensure_base(engine)
        gather_baseline(folder / BASELINE_WHEELS, base, engine)
        saved = [save(image, folder, engine) for image in dict.fromkeys([base, *images])]
        describe(folder, version, commit, saved)
        bill(folder, version, commit)
        seal(folder)
        return pack(folder, target / f"{name}.tar")


def source(folder: Path, tree: Path, commit: str) -> None:
    """The commit's files with the scripts of others, and the installer beside them."""
    release.lay_out(tree, commit)
    with tarfile.open(folder / SOURCE, "w:gz") as packed:
        for path in sorted(tree.rglob("*")):
            packed.add(path, path.relative_to(tree).as_posix(), recursive=False, filter=_nobodys)
    lay_installer(folder)


def lay_installer(folder: Path) -> None:
    """`install`, and the modules that it runs, as a package that no other of that name stands before."""
    here = Path(__file__).parent / "bundled"
    inside = folder / "scripts" / "bundled"
    inside.mkdir(parents=True)
    for package in (inside, inside.parent):
        (package / "__init__.py").touch()
    for name in _INSTALLER:
        shutil.copy(here / name, folder if name == "install" else inside)


def gather_wheels(target: Path) -> None:
    """All packages in their locked versions, and requirements.txt, which names each by its digest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *ALSO]
    wanted += [one for extra in EXTRAS for one in project["optional-dependencies"][extra]]
    _pip("wheel", "--wheel-dir", target, "--constraint", ROOT / "requirements.lock", *wanted)
    (target / "requirements.txt").write_text(pins(target.glob("*.whl")))
    # Images are built with it where their base has none; the virtual environment has its own.
    _pip("download", "--no-deps", "--only-binary", ":all:", "--dest", target, "pip")


def pins(wheels: Iterable[Path]) -> str:
    """One line for each wheel, as pip compares it."""
    lines = []
    for path in sorted(wheels):
        name, version, *_ = path.name.split("-")
        lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{_digest(path)}\n")
    return "".join(lines)


def _pip(verb: str, *arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", verb, "--quiet"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotBundled(f"pip could not have all packages: {done.stderr.strip()[-2000:]}")


def gather_baseline(target: Path, base: str, engine: str) -> None:
    """The wheels from which the baseline's image is built, for the Python in the image `base`."""
    baseline.fetch_wheels(*baseline.python_of(base, engine))
    shutil.copytree(baseline.WHEELS, target)


def save(name: str, folder: Path, engine: str) -> dict[str, str | int]:
    """An image of the engine's as a compressed archive, and what the installer has to know of it.

    Raises:
        NotBundled: the engine does not have it.
    """
    asked = [engine, "image", "inspect", "--format", "{{.Id}} {{.Size}}", name]
    known = subprocess.run(asked, capture_output=True, text=True, check=False)
    if known.returncode:
        raise NotBundled(f"{engine} has no image {name}; pull or build it first.")
    image_id, size = known.stdout.split()
    (folder / "images").mkdir(exist_ok=True)
    file = f"images/{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.tar.gz"
    with subprocess.Popen([engine, "save", name], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None  # noqa: S101 - as it was asked for
        with gzip.GzipFile(folder / file, "wb", mtime=0) as packed:
            shutil.copyfileobj(saving.stdout, packed, 1 << 20)
    if saving.returncode:
        raise NotBundled(f"{engine} could not save {name}.")
    return {"name": name, "id": image_id, "file": file, "bytes": int(size)}


def describe(folder: Path, version: str, commit: str, images: Sequence[dict[str, str | int]]) -> None:
    """bundle.json: what the installer compares with the machine that it is on."""
    wheels = list((folder / WHEELS).glob("*.whl"))
    brought = sum(path.stat().st_size for path in (folder / BASELINE_WHEELS).glob("*"))
    about = {
        "version": version,
        "commit": commit,
        "python": ".".join(map(str, sys.version_info[:2])),
        "machine": platform.machine(),
        "glibc": needed_glibc(path.name for path in wheels),
        "installed_bytes": int(_BYTECODE * sum(map(_unpacked, wheels))) + brought + 2**28,
        # An engine unpacks an archive beside its images.
        "image_bytes": 2 * sum(int(image["bytes"]) for image in images),
        "images": [{key: image[key] for key in ("name", "id", "file")} for image in images],
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n")


def _unpacked(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as packed:
        return sum(member.file_size for member in packed.infolist())


def needed_glibc(wheels: Iterable[str]) -> str:
    """The oldest C library that every one of these wheels runs on, such as "2.28"."""
    old = {"1": 5, "2010": 12, "2014": 17}
    needed = 17
    for name in wheels:
        tags = name.removesuffix(".whl").rpartition("-")[2].split(".")
        minors = [int(found[1]) for tag in tags if (found := re.match(r"manylinux_2_(\d+)_", tag))]
        minors += [old[found[1]] for tag in tags if (found := re.match(r"manylinux(\d+)_", tag))]
        if not minors and "any" not in tags:  # built here
            minors = [int(platform.libc_ver()[1].split(".")[1])]
        needed = max(needed, min(minors, default=0))
    return f"2.{needed}"


def bill(folder: Path, version: str, commit: str) -> None:
    """All that the bundle holds, beside the list of what an installation stands on, which is the release's."""
    wheels = sorted({path.name: path for path in folder.glob("*wheels/*.whl")}.values())
    images = json.loads((folder / ABOUT).read_text())["images"]
    document = components.document(
        version,
        commit,
        [
            *map(components.of_wheel, wheels),
            *components.of_scripts(ROOT),
            *(components.of_image(one["name"], one["id"]) for one in images),
        ],
    )
    (folder / f"proctor-{version}-bundle.cdx.json").write_text(document, encoding="utf-8")


def seal(folder: Path) -> None:
    """SHA256SUMS of every file, as sha256sum writes it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    lines = [f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(folder: Path, archive: Path) -> Path:
    """The folder as one archive, whole or not at all; what is in it is compressed already."""
    part = archive.with_name(f"{archive.name}.part")
    with tarfile.open(part, "w") as packed:
        packed.add(folder, folder.name, filter=_nobodys)
    return part.rename(archive)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


if __name__ == "__main__":
    main()
