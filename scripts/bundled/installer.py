"""Installs Proctor from the bundle that it lies in, and asks no network. Standard library only.

    ./install --offline --to /opt/proctor

Nothing is laid before every file is what SHA256SUMS says and the machine is one that the bundle was made for. What
fails afterwards leaves nothing behind; the same command again finds that all is there.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from scripts.bundled.checks import (
    MARK,
    OURS,
    UNDER_WAY,
    Bundle,
    NotInstalled,
    ask,
    has_room,
    is_free,
    is_ours,
    read,
    suits,
    the_engine,
    verify,
)

HERE = Path(__file__).resolve().parents[2]
SOURCE = "source.tar.gz"
WHEELS = "wheels"
BASELINE_WHEELS = "baseline_wheels"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit code is 1 where nothing was installed."""
    options = _options().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        bundle = read(HERE)
        _say("Comparing every file with SHA256SUMS")
        verify(HERE)
        if options.verify:
            _say(f"The bundle of {bundle.name} is whole.")
            return 0
        target = Path(options.to or HERE.parent / f"proctor-{bundle.version}").absolute()
        install(bundle, target, options.engine)
    except NotInstalled as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing was installed.", file=sys.stderr)
        return 130
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="install", description="Install Proctor from this bundle.")
    parser.add_argument("--offline", action="store_true", help="ask no network, which is always so")
    parser.add_argument(
        "--to", metavar="DIR", help="folder, new or empty (proctor-VERSION beside the bundle)"
    )
    parser.add_argument(
        "--engine",
        choices=("docker", "podman", "none"),
        help="where images go (the one that answers); none: a host that runs no cases",
    )
    parser.add_argument("--verify", action="store_true", help="compare the files with SHA256SUMS and leave")
    return parser


def install(bundle: Bundle, target: Path, engine: str | None) -> None:
    """Lays the bundle out in `target`, with images in the engine; does nothing again that was done.

    Raises:
        NotInstalled: why it could not be; `target` is as it was.
    """
    suits(bundle)
    is_free(bundle, target)
    chosen = the_engine(engine)
    if (target / MARK).is_file() and not is_ours(target):
        _say(f"{bundle.name} is in {target} already")
        _load(bundle, chosen)
        _runs(target)
    else:
        has_room(bundle, target, chosen)
        with whole_or_nothing(bundle, target):
            _load(bundle, chosen)
            _lay(bundle, target)
            _runs(target)
    _say_next(bundle, target, chosen)


@contextmanager
def whole_or_nothing(bundle: Bundle, target: Path) -> Iterator[None]:
    """Whatever ends the block early, `target` is as it was; what a killed installation left is removed first.

    Raises:
        NotInstalled: another installation is at work there, or has ended since somebody looked.
    """
    made = not target.exists()
    try:
        target.mkdir(parents=True, exist_ok=True)
        under_way = (target / UNDER_WAY).open("a")  # which leaves what another one wrote
    except OSError as error:
        raise NotInstalled(f"{target} cannot be written: {error.strerror}.") from error
    with under_way:
        try:
            fcntl.flock(under_way, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotInstalled(f"Another installation into {target} is under way.") from error
        _take(target, under_way, bundle.commit)
        _clear(target, but=UNDER_WAY)
        try:
            yield
        except BaseException as error:
            _clear(target)
            if made:
                target.rmdir()
            if isinstance(error, (OSError, tarfile.TarError)):
                raise NotInstalled(f"Nothing was installed: {error}") from error
            raise
        (target / UNDER_WAY).unlink()


def _take(target: Path, under_way: TextIO, commit: str) -> None:
    """Makes the locked file say whose it is, where all that lies beside it may be removed."""
    mark = target / UNDER_WAY
    there = mark.exists() and os.path.samestat(mark.stat(), os.fstat(under_way.fileno()))
    if not there or not is_ours(target):
        if there and not mark.stat().st_size:  # opening made it
            mark.unlink()
        raise NotInstalled(f"{target} has been changed meanwhile; run this again to see what is there now.")
    under_way.truncate(0)
    under_way.write(f"{OURS}{commit}\n")
    under_way.flush()


def _clear(folder: Path, but: str = "") -> None:
    for path in folder.iterdir():
        if path.name == but:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _lay(bundle: Bundle, target: Path) -> None:
    os.umask(0o022)  # the database runs as a user of its own, who reads what is installed
    target.chmod(0o755)
    _say(f"Laying out the source in {target}")
    with tarfile.open(bundle.folder / SOURCE) as members:
        if hasattr(tarfile, "data_filter"):
            members.extractall(target, filter="data")
        else:
            members.extractall(target)  # noqa: S202 - its digest was compared
    if (bundle.folder / BASELINE_WHEELS).is_dir():
        shutil.copytree(bundle.folder / BASELINE_WHEELS, target / "baseline_model" / "wheels")
    _say("Making the virtual environment")
    _run("virtual environment", sys.executable, "-m", "venv", "--clear", str(target / ".venv"))
    wheels = bundle.folder / WHEELS
    requirements = str(wheels / "requirements.txt")
    python = str(target / ".venv" / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pip += ["--no-index", "--find-links", str(wheels)]
    _say("Installing the packages")
    _run("packages", *pip, "--require-hashes", "--requirement", requirements)
    _run("Proctor", *pip, "--no-deps", "--no-build-isolation", "--editable", str(target))
    for stamp in (".locked", ".project"):  # as `make setup` leaves them, which then has nothing to do
        (target / ".venv" / stamp).touch()
    (target / MARK).write_text(f"{bundle.commit}\n", encoding="utf-8")


def _run(what: str, *command: str) -> None:
    # What is set for pip or Python here, such as another index, is none of the bundle's business.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
    environment["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise NotInstalled(f"The {what} could not be installed, and nothing was left behind:\n{said}")


def _load(bundle: Bundle, engine: str | None) -> None:
    if engine is None:
        return
    for image in bundle.images:
        there = ask(engine, "image", "inspect", "--format", "{{.Id}}", image.name)
        if there is not None and there.rpartition(":")[2] == image.id.rpartition(":")[2]:
            continue
        _say(f"Loading the image {image.name} into {engine}")
        _run(f"image {image.name}", engine, "load", "--input", str(bundle.folder / image.file))
        if ask(engine, "image", "inspect", "--format", "{{.Id}}", image.name) is None:
            raise NotInstalled(f"{engine} loaded {image.file} and yet has no image {image.name}.")


def _runs(target: Path) -> None:
    program = target / ".venv" / "bin" / "proctor-admin"
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotInstalled(f"{program} does not run ({error}). Remove {target} and install again.") from error
    if done.returncode:
        said = done.stderr.strip()[-2000:]
        raise NotInstalled(f"{program} does not run. Remove {target} and install again.\n{said}")
    _say(done.stdout.strip())


def _say_next(bundle: Bundle, target: Path, engine: str | None) -> None:
    demo = "make demo ARGS=--exit" if shutil.which("make") else ".venv/bin/python -m demo --exit"
    lines = ["", f"{bundle.name} is in {target}; no network was asked. What to do next:", f"  cd {target}"]
    if engine:
        lines += [f"  {demo:<32} # the whole platform with synthetic data, in minutes"]
    lines += [f"  {'.venv/bin/proctor-admin doctor':<32} # what this host lacks"]
    lines += [f"  {'.venv/bin/proctor-admin up':<32} # docs/operations.md says what else"]
    if shutil.which("unsquashfs") is None:
        lines += [
            "SIF files are refused until squashfs-tools 4.5 or newer is here, from your system's packages."
        ]
    _say("\n".join(lines))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
