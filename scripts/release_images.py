"""The images of a release, in one archive for `docker load`: built of the commit's files, without times of their own.

The same commit on the same base image and packages gives the same layers but for what a package's installation
writes of its day.
"""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

NAMES = ("server", "worker")
_OF_ITS_OWN = ("container", "container_config", "docker_version", "history")
_TIMES = ("mtime", "atime", "ctime")


class ImagesNotBuilt(Exception):
    """What the engine said."""


def make(tree: Path, version: str, commit: str, moment: int, options: dict[str, str], target: Path) -> None:
    """`proctor/server:VERSION` and `proctor/worker:VERSION` of the sources in `tree`, saved as the file `target`.

    `moment`: the commit's, in seconds; nothing in the archive is younger. `options`: further build arguments.

    Raises:
        ImagesNotBuilt: the engine does not answer, or the build failed.
    """
    tags = {name: f"proctor/{name}:{version}" for name in NAMES}
    for name, tag in tags.items():
        words = [f"--build-arg={key}={value}" for key, value in {**options, "PROCTOR_COMMIT": commit}.items()]
        recipe = tree / "docker" / f"{name}.Dockerfile"
        _docker("build", "--quiet", "--network=host", *words, f"--file={recipe}", f"--tag={tag}", str(tree))
    saved = target.with_suffix(".part")
    try:
        _docker("save", f"--output={saved}", *tags.values())
        with tarfile.open(saved) as old, packed(target) as new:
            settle(old, new, moment)
    finally:
        saved.unlink(missing_ok=True)


def settle(old: tarfile.TarFile, new: tarfile.TarFile, moment: int) -> None:
    """Copies the images of one archive into another: each layer once, and no time later than `moment`."""
    settled, listed = dict[str, str](), []
    for image in json.load(_read(old, "manifest.json")):
        config = json.load(_read(old, image["Config"]))
        for name in image["Layers"]:
            if name not in settled:
                settled[name] = _put_layer(_read(old, name), new, moment)
        digests = [settled[name] for name in image["Layers"]]
        text = _settled_config(config, digests, moment)
        named = f"{hashlib.sha256(text).hexdigest()}.json"
        _put(new, named, io.BytesIO(text), len(text), moment)
        layers = [f"{digest}.tar" for digest in digests]
        listed.append({"Config": named, "RepoTags": sorted(image["RepoTags"]), "Layers": layers})
    told = json.dumps(listed, sort_keys=True).encode()
    _put(new, "manifest.json", io.BytesIO(told), len(told), moment)


def _settled_config(config: dict[str, Any], digests: list[str], moment: int) -> bytes:
    kept = {key: value for key, value in config.items() if key not in _OF_ITS_OWN}
    kept["created"] = datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
    kept["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]}
    # The engine that built it names containers and images of its own in these.
    kept["config"] = {**kept["config"], "Hostname": "", "Image": ""}
    return json.dumps(kept, sort_keys=True).encode()


def _put_layer(layer: IO[bytes], new: tarfile.TarFile, moment: int) -> str:
    """Puts a layer under its digest, which is returned; twice the same one is there once."""
    with tempfile.TemporaryFile() as made:
        with tarfile.open(fileobj=layer) as old, tarfile.open(fileobj=made, mode="w") as out:
            for member in old:
                member.mtime = int(min(member.mtime, moment))
                member.pax_headers = {
                    key: value for key, value in member.pax_headers.items() if key not in _TIMES
                }
                out.addfile(member, old.extractfile(member) if member.isreg() else None)
        size = made.tell()
        made.seek(0)
        digest = hashlib.file_digest(made, "sha256").hexdigest()
        if f"{digest}.tar" not in new.getnames():
            made.seek(0)
            _put(new, f"{digest}.tar", made, size, moment)
    return digest


def _put(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int, moment: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = size, moment
    archive.addfile(member, content)


def _read(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise ImagesNotBuilt(f"{name} of the saved archive is no file")
    return found


@contextmanager
def packed(target: Path) -> Iterator[tarfile.TarFile]:
    """An archive to write into, compressed; the same content gives the same bytes."""
    with (
        target.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        yield archive


def _docker(*words: str) -> None:
    if shutil.which("docker") is None:
        raise ImagesNotBuilt("docker is not there")
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImagesNotBuilt(f"docker {words[0]}: {done.stderr.strip()[-2000:]}")
