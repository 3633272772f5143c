"""Builds the container image: fills `wheels/` by pip, then runs `docker build`.

`python build.py --tag my-submission --save my-submission.tar`. Options after `--` go to pip, for instance the
index that holds the wheels of PyTorch without CUDA. The build itself needs no network.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels"
ASK = "import platform, sys; print(sys.version_info[0], sys.version_info[1], platform.machine())"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Build the container image.")
    parser.add_argument("--base", default="python:3.11-slim", help="image to build on")
    parser.add_argument("--tag", default="my-submission", help="name of the image")
    parser.add_argument("--save", type=Path, help="also write the image as an archive for upload")
    parser.add_argument("--engine", default="docker", help="command of the container engine")
    parser.add_argument("pip", nargs="*", help="options for pip, after --")
    given = parser.parse_args()
    build(given.base, given.tag, save=given.save, engine=given.engine, pip_options=given.pip)


def build(
    base: str, tag: str, *, save: Path | None = None, engine: str = "docker", pip_options: Sequence[str] = ()
) -> None:
    """Builds the image `tag` on `base` and, where `save` is given, writes its archive there.

    Raises:
        subprocess.CalledProcessError: pip or the engine failed; they have said why on stderr.
    """
    fetch_wheels(*python_of(base, engine), pip_options)
    command = [engine, "build", "--quiet", "--network=none", "--build-arg", f"BASE={base}"]
    checkpoint = hashlib.sha256((HERE / "checkpoint.pt").read_bytes()).hexdigest()
    command += ["--build-arg", f"CHECKPOINT_SHA256={checkpoint}", "--tag", tag]
    built = subprocess.run([*command, str(HERE)], check=False, capture_output=True, text=True)
    if built.returncode != 0:
        print(built.stderr, file=sys.stderr)
        built.check_returncode()
    if save is not None:
        subprocess.run([engine, "save", "--output", str(save), tag], check=True)


def python_of(base: str, engine: str = "docker") -> tuple[str, str]:
    """The version of Python in the image `base`, such as "3.11", and the machine that it is for."""
    asked = [engine, "run", "--rm", "--network=none", base, "python", "-c", ASK]
    major, minor, machine = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    return f"{major}.{minor}", machine


def fetch_wheels(version: str, machine: str, pip_options: Sequence[str] = ()) -> None:
    """Puts the wheels of requirements.txt and pip's own into `wheels/`, for CPython `version` on `machine`.

    Nothing is fetched when the folder was filled for the same requirements.
    """
    wanted = f"{version} {machine}\n{(HERE / 'requirements.txt').read_text()}"
    stamp = WHEELS / "filled-for.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(WHEELS, ignore_errors=True)
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (28, 27, 17)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={WHEELS}"]
    command += [f"--python-version={version}", "--implementation=cp", *platforms]
    command += [f"--platform=manylinux2014_{machine}", *pip_options]
    subprocess.run([*command, "-r", str(HERE / "requirements.txt"), "pip"], check=True)
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
