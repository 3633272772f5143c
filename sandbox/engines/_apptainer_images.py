"""Images as folders of this user's: made by Apptainer of an archive, and known by the digest of its configuration."""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from sandbox.engines._apptainer_command import build_command
from sandbox.engines._errors import EngineRefused, EngineSilent, EngineSlow
from sandbox.faults import shortened

_BUILD_SECONDS = 3600
_FILES, _TOLD = "rootfs", "image.json"
_MOST_CONFIG = 16 * 2**20


def load(program: str, top: Path, archive: BinaryIO) -> str | None:
    """Make a folder of an archive below `top`; what went wrong where that fails.

    Raises:
        EngineSlow: it takes longer than an hour.
    """
    with tempfile.TemporaryDirectory(dir=top, prefix=".load-") as made:
        file, files = Path(made) / "archive.tar", Path(made) / _FILES
        with file.open("wb") as copy:
            shutil.copyfileobj(archive, copy, 2**20)
        try:
            told = _told(file)
        except (KeyError, IndexError, TypeError, ValueError, tarfile.TarError) as error:
            return f"the archive is none that `docker save` writes: {error}"
        if (problem := _built(build_command(program, files, file))) is not None:
            return problem
        file.unlink()
        (Path(made) / _TOLD).write_text(json.dumps(told))
        target = top / told["Id"].removeprefix("sha256:")
        remove(target)
        target.mkdir()
        files.rename(target / _FILES)
        (Path(made) / _TOLD).rename(target / _TOLD)  # last: a folder without it is no image
    return None


def _told(file: Path) -> dict[str, Any]:
    """What an engine says of the image in an archive."""
    with tarfile.open(file) as tar:
        (entry,) = json.loads(_member(tar, "manifest.json"))
        data = _member(tar, entry["Config"])
    config = json.loads(data)
    return {
        "Id": "sha256:" + hashlib.sha256(data).hexdigest(),
        "Os": config.get("os"),
        "Architecture": config.get("architecture"),
        "Config": config.get("config") or {},
        "RepoTags": entry.get("RepoTags") or [],
    }


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is no file")
    return stream.read(_MOST_CONFIG)


def _built(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_BUILD_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EngineSlow("Apptainer did not make a folder of an image within an hour") from error
    said = (done.stderr or done.stdout).decode(errors="replace").strip()
    return shortened(said or f"exit code {done.returncode}") if done.returncode else None


def find(top: Path, image: str) -> tuple[dict[str, Any], Path]:
    """What is known of an image, by its id or a name of it, and where its files are.

    Raises:
        EngineRefused: there is none.
    """
    for file in top.glob(f"*/{_TOLD}"):
        told = json.loads(file.read_text())
        if image == told["Id"] or image in told["RepoTags"]:
            return told, file.parent / _FILES
    raise EngineRefused(404, f"no such image: {image}")


def remove(folder: Path) -> None:
    """Remove a folder and all that is in it, whatever its modes; one that is not there is fine."""
    if not folder.exists():
        return
    # Programs of the host, because paths may be longer than the kernel takes, and nested deeper than Python goes.
    for command in (["chmod", "--recursive", "u+rwx", "--"], ["rm", "--recursive", "--force", "--"]):
        done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if folder.exists():
        raise EngineSilent(f"{folder} could not be removed: {done.stderr.strip()[-200:]}")
