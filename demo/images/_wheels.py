"""Wheels for the Python inside an image, fetched by the pip of this interpreter."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.images._errors import BaseUnavailableError


def install_wheels(packages: Sequence[str], version: str, site: Path) -> None:
    """Unpacks `packages` and what they need into `site` for CPython `version` ("3.11") on this architecture.

    Raises:
        BaseUnavailableError: pip found no wheels; the message ends with pip's own words.
    """
    machine = platform.machine()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (28, 27, 17)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    command += [f"--python-version={version}", "--implementation=cp", *platforms]
    command += [f"--platform=manylinux2014_{machine}", f"--target={site}", *packages]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BaseUnavailableError(f"pip found no wheels for Python {version}: {done.stderr.strip()[-2000:]}")
    shutil.rmtree(site / "nibabel" / "tests", ignore_errors=True)  # megabytes of example scans
    shutil.rmtree(site / "bin", ignore_errors=True)
