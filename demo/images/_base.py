"""The base image of every demo container: Python 3 with numpy and nibabel.

Where a registry answers it is the public Python image plus wheels; where none does, Debian's own packages
plus wheels. Nothing in an image depends on which way it was made.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from demo.images._cache import locked
from demo.images._debian import debian_root, python_version
from demo.images._errors import BaseUnavailableError
from demo.images._pull import can_have
from demo.images._wheels import install_wheels

PUBLIC_IMAGE = "python:3.11-slim"
PUBLIC_PYTHON = "3.11"
PACKAGES = ("numpy==2.4.6", "nibabel==5.4.2")
RECIPE = 1  # raise it when the steps below make another image from the same packages
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

log = logging.getLogger(__name__)


def base_tag() -> str:
    """Name of the base image; it changes with the recipe, so an old one is never taken for a new one."""
    recipe = json.dumps([RECIPE, PUBLIC_IMAGE, PACKAGES])
    return "proctor-base:" + hashlib.sha256(recipe.encode()).hexdigest()[:12]


def ensure_base(engine_cli: str = "docker") -> str:
    """Tag of a local image with `python`, `python3`, numpy and nibabel; built when the engine lacks it.

    Takes milliseconds when the image is there, else one to two minutes. Two processes may call it at once.

    Raises:
        BaseUnavailableError: neither the public image nor Debian's packages can be had here, or with
            PROCTOR_OFFLINE: it is not there.
    """
    tag = base_tag()
    with locked("base"):
        if not _has(engine_cli, tag):
            log.info("building %s", tag)
            _build(engine_cli, tag)
    return tag


def _has(engine_cli: str, tag: str) -> bool:
    return subprocess.run([engine_cli, "image", "inspect", tag], capture_output=True).returncode == 0


def _build(engine_cli: str, tag: str) -> None:
    if os.environ.get("PROCTOR_OFFLINE"):
        raise BaseUnavailableError(
            f"{engine_cli} has no image {tag}, and no network is asked for it. It is in the bundle that was "
            "installed: `./install --offline --to` with the same folder loads it again."
        )
    with tempfile.TemporaryDirectory(prefix="proctor-base-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # debootstrap's unprivileged downloader has to read below it
        if can_have(engine_cli, PUBLIC_IMAGE):
            _build_on_public(engine_cli, tag, folder)
        else:
            _build_from_debian(engine_cli, tag, folder)


def _build_on_public(engine_cli: str, tag: str, folder: Path) -> None:
    install_wheels(PACKAGES, PUBLIC_PYTHON, folder / "site")
    site = f"/usr/local/lib/python{PUBLIC_PYTHON}/site-packages"
    (folder / "Dockerfile").write_text(
        f"FROM {PUBLIC_IMAGE}\nCOPY site {site}\n"
        f"RUN python -m compileall -q --invalidation-mode unchecked-hash {site} || true\n"
    )
    _check([engine_cli, "build", "-q", "-t", tag, str(folder)])


def _build_from_debian(engine_cli: str, tag: str, folder: Path) -> None:
    root = debian_root(folder / "root")
    version = python_version(root)
    site = f"/usr/local/lib/python{version}/dist-packages"
    install_wheels(PACKAGES, version, root / site.lstrip("/"))
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    # Fresh containers would otherwise compile numpy at every start: half a second a case.
    compile_all = ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", site]
    subprocess.run(["chroot", str(root), *compile_all], capture_output=True)
    archive = folder / "root.tar"
    _check(["tar", "--numeric-owner", "-C", str(root), "-cf", str(archive), "."])
    shutil.rmtree(root)
    changes = [f"ENV PATH={PATH}", "ENV LANG=C.UTF-8", 'CMD ["python3"]']
    _check([engine_cli, "import", *(f"--change={change}" for change in changes), str(archive), tag])


def _check(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BaseUnavailableError(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-2000:]}")
