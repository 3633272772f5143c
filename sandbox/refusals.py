"""Whose fault it is that an engine refuses an image: told by what the engine does, whatever its version says.

An image is to blame where the engine answers, has room, takes a known image right then, and refuses this one again.
Words decide one thing alone: the kernel's own for what a host has run out of, with which every engine ends such a
sentence. They clear an image; they never blame one.
"""

import hashlib
import json
import os
import re
import tarfile
from pathlib import Path
from typing import BinaryIO

from evaluator.verdicts import PlatformFault
from sandbox import known
from sandbox.engine import Engine
from sandbox.faults import EngineFault, ImageRefused

_END = r"[\s.:]*(?:unknown[\s.:]*)?$"  # containerd puts the kind of an error, of which it has none, behind it
_FULL = re.compile(rf"(?P<words>no space left on device|disk quota exceeded){_END}", re.IGNORECASE)
_HOST = re.compile(
    r"(?P<words>cannot allocate memory|input/output error|too many open files(?: in system)?"
    r"|resource temporarily unavailable|structure needs cleaning|stale (?:nfs )?file handle|connection refused"
    rf"|connection reset by peer|i/o timeout|context canceled|context deadline exceeded){_END}",
    re.IGNORECASE,
)
_LONG = re.compile(rf"file name too long{_END}", re.IGNORECASE)
_COPIES = 4
_LEAST_FREE = 2**30
_LEAST_FILES = 10_000
_CHUNK = 2**20


def judge_load(engine: Engine, archive: BinaryIO, digest: str, said: str) -> None:
    """Returns if the engine loads the image after all, which it had refused with the words `said`.

    `archive` is what it was given, and can seek; it is given once more.

    Raises:
        ImageRefused: the image's config or layers are such that this engine cannot load them.
        EngineFault: the archive is not what it should be, or the engine would have refused any image.
    """
    if not is_whole(archive, digest):
        text = f"the archive of the image is damaged on this host; the engine says: {said}"
        raise EngineFault(PlatformFault.IMAGE_MISSING, text)
    size = archive.seek(0, os.SEEK_END)
    if ran_out(engine, said, size) or _names_its_store(engine, said):
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"loading an image: {said}")
    with known.loaded(engine):
        pass
    twice = engine.try_load(archive, digest)
    if twice is not None:
        raise ImageRefused(twice)


def ran_out(engine: Engine, said: str, size: int = 0, *, image: str | None = None) -> bool:
    """Whether the engine's sentence ends with something that its host lacks, as far as can be seen here.

    A file system says "no space left" also of an extended attribute that is too long. So where there is room for the
    `size` bytes of an image several times over, that is not the host's disk. Nor are words the host's that the
    `image` of the sentence has in its own config: as a VOLUME, say, whose name ends a sentence.
    """
    full = _FULL.search(said)
    matched = _HOST.search(said) or (None if full and _has_room(engine, size) else full)
    return matched is not None and (image is None or not _says(engine, image, matched["words"]))


def _says(engine: Engine, image: str, words: str) -> bool:
    return words.lower() in json.dumps(engine.inspect_image(image)).lower()


def _has_room(engine: Engine, size: int) -> bool:
    store = Path(str(engine.host["DockerRootDir"]))
    if not store.is_dir():
        return False
    state = os.statvfs(store)
    few = state.f_files and state.f_favail < _LEAST_FILES
    return not few and state.f_bavail * state.f_frsize >= _COPIES * size + _LEAST_FREE


def _names_its_store(engine: Engine, said: str) -> bool:
    """Whether the sentence is about a file of the engine's own folder: layers are unpacked as if there were none.

    But where a name is too long, the image brought all of it but the beginning.
    """
    return f"{engine.host['DockerRootDir']}/" in said and not _LONG.search(said)


def is_whole(archive: BinaryIO, digest: str) -> bool:
    """Whether this is an archive of the image `digest` with every layer that its config names."""
    archive.seek(0)
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            members = {member.name: member for member in tar}
            (entry,) = json.loads(_read(tar, members["manifest.json"]))
            config = _read(tar, members[entry["Config"]])
            layers = [_digest(tar, members[name]) for name in entry["Layers"]]
        return _sha256(config) == digest and layers == json.loads(config)["rootfs"]["diff_ids"]
    except (tarfile.TarError, EOFError, KeyError, ValueError, TypeError):
        return False


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _digest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file, digest = tar.extractfile(member), hashlib.sha256()
    while file is not None and (data := file.read(_CHUNK)):
        digest.update(data)
    return "sha256:" + digest.hexdigest()


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
