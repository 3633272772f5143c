"""The archive a worker loads: verified blobs in `docker save`'s legacy layout, under our own name."""

import json
import tarfile
from collections.abc import Callable, Collection
from typing import BinaryIO

from contract.images import ImageFacts
from sandbox.archive._gzip import CHUNK


def canonical_name(digest: str) -> str:
    """The only name an image ever gets on a worker, so that no upload can replace another image."""
    return f"proctor/{digest.removeprefix('sha256:')}:run"


def write_canonical(
    facts: ImageFacts,
    open_blob: Callable[[str], BinaryIO],
    out: BinaryIO,
    *,
    without: Collection[str] = (),
) -> None:
    """Streams the image to `out` as an archive that `docker load` takes; equal facts give equal bytes.

    `open_blob` opens a blob by its digest: the config and every unpacked layer. `out` need not seek. Layers `without`
    which it goes are named in it and not opened: an engine may have them.

    Raises:
        ValueError: a blob has not the size that the facts state.
        OSError: a blob cannot be read.
    """
    with open_blob(facts.digest) as blob:
        config = blob.read()
    _write(out, "manifest.json", _manifest(facts))
    _write(out, f"{_hex(facts.digest)}.json", config)
    for digest, size in dict(zip(facts.layers, facts.layer_sizes, strict=True)).items():
        if digest in without:
            continue
        with open_blob(digest) as blob:
            _header(out, _layer(digest), size)
            copied = 0
            while data := blob.read(CHUNK):
                out.write(data)
                copied += len(data)
            if copied != size:
                raise ValueError(f"the blob {digest} has {copied} bytes instead of {size}")
            out.write(bytes(-size % 512))
    out.write(bytes(1024))


def _manifest(facts: ImageFacts) -> bytes:
    entry = {
        "Config": f"{_hex(facts.digest)}.json",
        "RepoTags": [canonical_name(facts.digest)],
        "Layers": [_layer(digest) for digest in facts.layers],
    }
    return json.dumps([entry], separators=(",", ":")).encode()


def _write(out: BinaryIO, name: str, data: bytes) -> None:
    _header(out, name, len(data))
    out.write(data)
    out.write(bytes(-len(data) % 512))


def _header(out: BinaryIO, name: str, size: int) -> None:
    header = tarfile.TarInfo(name)
    header.size = size
    out.write(header.tobuf(format=tarfile.GNU_FORMAT))


def _layer(digest: str) -> str:
    return f"{_hex(digest)}.tar"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
