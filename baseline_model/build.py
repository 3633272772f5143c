"""Builds the image: fills `wheels/` by pip, then runs `docker build`, or `apptainer build` for a SIF file.

`python build.py --tag my-submission --save my-submission.tar`, or `python build.py --sif my-submission.sif`. Options
after `--` go to pip, for instance the index that holds the wheels of PyTorch without CUDA. The build itself needs no
network but for its base.
"""

import argparse
import hashlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels"
BASE = "python:3.11-slim"
PLATFORM, MACHINE = "linux/amd64", "x86_64"
"""What hosts of challenges are. A Mac of today is something else, and would build for itself."""
ASK = "import platform, sys; print(sys.version_info[0], sys.version_info[1], platform.machine())"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit code. What is wrong is one line on standard error, below what the program itself says."""
    parser = argparse.ArgumentParser(description="Build the container image.")
    parser.add_argument("--base", default=BASE, help="image to build on")
    parser.add_argument("--tag", default="my-submission", help="name of the image")
    made = parser.add_mutually_exclusive_group()
    made.add_argument("--save", type=Path, help="also write the image as an archive for upload")
    made.add_argument("--sif", type=Path, help="write a SIF file with Apptainer instead")
    parser.add_argument("--engine", help="command of the engine: docker, or with --sif apptainer")
    parser.add_argument("pip", nargs="*", help="options for pip, after --")
    given = parser.parse_args(arguments)
    try:
        if given.sif is not None:
            engine = given.engine or "apptainer"
            build_sif(given.base, given.sif, engine=engine, pip_options=given.pip, say=_print)
            result = f"{given.sif}, {_size(given.sif.stat().st_size)}"
        else:
            engine = given.engine or "docker"
            build(given.base, given.tag, save=given.save, engine=engine, pip_options=given.pip, say=_print)
            result = f"{given.tag}{_image_size(engine, given.tag)}"
            if given.save is not None:
                result += f", and saved it as {given.save}, {_size(given.save.stat().st_size)}"
    except subprocess.CalledProcessError as error:
        print(f"`{_said(error.cmd)}` failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except WrongMachineError as error:
        print(error, file=sys.stderr)
        return 1
    _print(f"Built {result}. Next: `proctor try`, with the words that the README says.")
    return 0


class WrongMachineError(Exception):
    """The base is for other machines than those of challenges."""


Say = Callable[[str], None]
"""Called with what takes long before it begins."""


def build(
    base: str,
    tag: str,
    *,
    save: Path | None = None,
    engine: str = "docker",
    pip_options: Sequence[str] = (),
    say: Say | None = None,
) -> None:
    """Builds the image `tag` on `base` and, where `save` is given, writes its archive there.

    Without `say` nothing is printed, by pip and the engine neither, unless they fail.

    Raises:
        subprocess.CalledProcessError: pip or the engine failed; they have said why on stderr.
        OSError: a file of the template cannot be read, or there is no such engine.
        WrongMachineError: the base is for other machines.
    """
    checkpoint = hashlib.sha256((HERE / "checkpoint.pt").read_bytes()).hexdigest()
    quiet = say is None
    say = say or _nothing
    say(f"Looking at the base {base}, which is fetched where it is not here yet")
    fetch_wheels(*python_of(base, engine), pip_options, say=None if quiet else say)
    command = [engine, "build", *(["--quiet"] if quiet else []), "--network=none", f"--platform={PLATFORM}"]
    command += ["--build-arg", f"BASE={base}"]
    command += ["--build-arg", f"CHECKPOINT_SHA256={checkpoint}", "--tag", tag]
    say(f"Building {tag}: unpacking torch takes a minute, with CUDA several")
    built = subprocess.run([*command, str(HERE)], check=False, capture_output=quiet, text=True)
    if built.returncode != 0:
        if quiet:
            print(built.stderr, file=sys.stderr)
        built.check_returncode()
    if save is not None:
        say(f"Saving {save}")
        subprocess.run([engine, "save", "--output", str(save), tag], check=True)


def build_sif(
    base: str,
    target: Path,
    *,
    engine: str = "apptainer",
    pip_options: Sequence[str] = (),
    say: Say | None = None,
) -> None:
    """Builds the SIF file `target` on the Docker image `base`; what was there before stays until it is whole.

    Raises:
        subprocess.CalledProcessError: pip or the engine failed; they have said why on stderr.
        OSError: a file cannot be read or written, or there is no such engine.
        WrongMachineError: the base is for other machines.
    """
    found = _answered([engine, "exec", f"docker://{base}", "python", "-c", ASK], base)
    fetch_wheels(*found, pip_options, say=say)
    part = target.resolve().with_name(f".{target.name}.part.sif")
    command = [engine, "build", "--force", "--build-arg", f"BASE={base}", str(part), "predict.def"]
    try:
        # The files that a definition names are looked for where it is built.
        subprocess.run(command, check=True, cwd=HERE)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def python_of(base: str, engine: str = "docker") -> tuple[str, str]:
    """The version of Python in the image `base`, such as "3.11", and the machine that it is for.

    Raises:
        subprocess.CalledProcessError: the image is not to be had, or has no `python`.
        OSError: there is no such engine.
        WrongMachineError: it is for other machines than those of challenges.
    """
    command = [engine, "run", "--rm", "--network=none", f"--platform={PLATFORM}", base, "python", "-c", ASK]
    return _answered(command, base)


def _answered(command: Sequence[str], base: str) -> tuple[str, str]:
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    major, minor, machine = said.split()
    if machine != MACHINE:
        raise WrongMachineError(f"{base}: is for {machine}, and challenges run images for {MACHINE}")
    return f"{major}.{minor}", machine


def fetch_wheels(
    version: str, machine: str, pip_options: Sequence[str] = (), *, say: Say | None = None
) -> None:
    """Puts the wheels of requirements.txt and pip's own into `wheels/`, for CPython `version` on `machine`.

    Nothing is fetched when the folder was filled for the same requirements. Without `say` pip prints nothing.
    """
    wanted = f"{version} {machine}\n{(HERE / 'requirements.txt').read_text(encoding='utf-8')}"
    stamp = WHEELS / "filled-for.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(WHEELS, ignore_errors=True)
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (28, 27, 17)]
    (say or _nothing)(
        f"Fetching torch and what it needs for Python {version}, once; with CUDA that is gigabytes"
    )
    command = [sys.executable, "-m", "pip", "download", *([] if say else ["--quiet"])]
    command += ["--only-binary=:all:", f"--dest={WHEELS}"]
    command += [f"--python-version={version}", "--implementation=cp", *platforms]
    command += [f"--platform=manylinux2014_{machine}", *pip_options]
    subprocess.run([*command, "-r", str(HERE / "requirements.txt"), "pip"], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def _image_size(engine: str, tag: str) -> str:
    """What is said of an image's size; nothing where the engine does not say it."""
    command = [engine, "image", "inspect", "--format", "{{.Size}}", tag]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    return f", {_size(int(said))}" if said.isdecimal() else ""


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _print(sentence: str) -> None:
    print(sentence, flush=True)  # pip and the engine print between these


def _nothing(sentence: str) -> None:
    """Nobody reads it."""


def _said(command: Sequence[str]) -> str:
    """The command without its last long words."""
    return shlex.join(map(str, command[:4])) + (" …" if len(command) > 4 else "")


if __name__ == "__main__":
    sys.exit(main())
