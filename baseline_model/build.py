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
from collections.abc import Sequence
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
            build_sif(given.base, given.sif, engine=given.engine or "apptainer", pip_options=given.pip)
        else:
            engine = given.engine or "docker"
            build(given.base, given.tag, save=given.save, engine=engine, pip_options=given.pip)
    except subprocess.CalledProcessError as error:
        print(f"`{_said(error.cmd)}` failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except WrongMachineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


class WrongMachineError(Exception):
    """The base is for other machines than those of challenges."""


def build(
    base: str, tag: str, *, save: Path | None = None, engine: str = "docker", pip_options: Sequence[str] = ()
) -> None:
    """Builds the image `tag` on `base` and, where `save` is given, writes its archive there.

    Raises:
        subprocess.CalledProcessError: pip or the engine failed; they have said why on stderr.
        OSError: a file of the template cannot be read, or there is no such engine.
        WrongMachineError: the base is for other machines.
    """
    checkpoint = hashlib.sha256((HERE / "checkpoint.pt").read_bytes()).hexdigest()
    fetch_wheels(*python_of(base, engine), pip_options)
    command = [engine, "build", "--quiet", "--network=none", f"--platform={PLATFORM}"]
    command += ["--build-arg", f"BASE={base}"]
    command += ["--build-arg", f"CHECKPOINT_SHA256={checkpoint}", "--tag", tag]
    built = subprocess.run([*command, str(HERE)], check=False, capture_output=True, text=True)
    if built.returncode != 0:
        print(built.stderr, file=sys.stderr)
        built.check_returncode()
    if save is not None:
        subprocess.run([engine, "save", "--output", str(save), tag], check=True)


def build_sif(base: str, target: Path, *, engine: str = "apptainer", pip_options: Sequence[str] = ()) -> None:
    """Builds the SIF file `target` on the Docker image `base`; what was there before stays until it is whole.

    Raises:
        subprocess.CalledProcessError: pip or the engine failed; they have said why on stderr.
        OSError: a file cannot be read or written, or there is no such engine.
        WrongMachineError: the base is for other machines.
    """
    fetch_wheels(*_answered([engine, "exec", f"docker://{base}", "python", "-c", ASK], base), pip_options)
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


def fetch_wheels(version: str, machine: str, pip_options: Sequence[str] = ()) -> None:
    """Puts the wheels of requirements.txt and pip's own into `wheels/`, for CPython `version` on `machine`.

    Nothing is fetched when the folder was filled for the same requirements.
    """
    wanted = f"{version} {machine}\n{(HERE / 'requirements.txt').read_text(encoding='utf-8')}"
    stamp = WHEELS / "filled-for.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(WHEELS, ignore_errors=True)
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (28, 27, 17)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={WHEELS}"]
    command += [f"--python-version={version}", "--implementation=cp", *platforms]
    command += [f"--platform=manylinux2014_{machine}", *pip_options]
    subprocess.run([*command, "-r", str(HERE / "requirements.txt"), "pip"], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def _said(command: Sequence[str]) -> str:
    """The command without its last long words."""
    return shlex.join(map(str, command[:4])) + (" …" if len(command) > 4 else "")


if __name__ == "__main__":
    sys.exit(main())
