"""An archive in the OCI layout, written from what a registry holds: the same that `docker save` would have written."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from server.blobs import BlobDamaged, BlobsAway, BlobStore, Piece
from server.registry.remote import Remote

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BLOCK = 512
_MOST_MANIFESTS = 64
_MOST_LAYERS = 512
_MOST_BYTES = 2**50


SizedDigest = tuple[str, int]
"""The digest of a blob, and its bytes."""


class Writable(Protocol):
    """Where an archive is written to."""

    def write(self, data: memoryview, /) -> int:
        """Writes the data, or its beginning; how many bytes."""


class NotTaken(Exception):
    """What was pushed cannot be an image here; the sentence is for whoever pushed it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class NotStored(Exception):
    """A blob that was here is not to be had any more, or not now."""


@dataclass(frozen=True)
class PushedArchive:
    """What an archive is made of: documents by their names, and blobs with their sizes.

    Blobs are `fetched` from the registry, or `stored` here already.
    """

    repository: str
    documents: dict[str, bytes]
    fetched: dict[str, int]
    stored: dict[str, int] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Its bytes."""
        documents = [len(body) for body in self.documents.values()]
        sizes = (*documents, *self.fetched.values(), *self.stored.values())
        return sum(_BLOCK + _padded(size) for size in sizes) + 2 * _BLOCK


@dataclass
class PushedImage:
    """The manifests of a push by digest, the first one on top, and the blobs that they name with their sizes.

    `images`: of each manifest that names no others the config and then its layers, and nothing else: a manifest may
    hold megabytes of notes, and there may be many.
    """

    repository: str
    top: str
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)
    images: list[tuple[SizedDigest, ...]] = field(default_factory=list)

    @property
    def archive(self) -> PushedArchive:
        """The archive of all of it as it was pushed."""
        documents = {"oci-layout": _OCI_LAYOUT, "index.json": self._index}
        documents |= {blob_name(digest): body for digest, body in self.manifests.items()}
        return PushedArchive(self.repository, documents, self.blobs)

    @property
    def _index(self) -> bytes:
        """The layout's own list, which names the manifest on top."""
        body = self.manifests[self.top]
        kind = json.loads(body).get("mediaType")
        descriptor = {"mediaType": kind, "digest": self.top, "size": len(body)}
        return json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode()


_OCI_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'


def read(remote: Remote, repository: str, digest: str) -> PushedImage:
    """What a manifest leads to; of an index only what may be for linux/amd64, and nothing that attests.

    Raises:
        NotTaken: it is no image of a kind that is taken.
        RegistryAway, RegistryLies: the registry does not give it.
    """
    image = PushedImage(repository, digest)
    waiting = [digest]
    while waiting:
        name = waiting.pop()
        if name in image.manifests:
            continue
        if len(image.manifests) >= _MOST_MANIFESTS:
            raise NotTaken("too_many_members", "The index that was pushed names too many images. Push one.")
        body = remote.manifest(repository, name)
        image.manifests[name] = body
        waiting += _enter(image, _parsed(body))
    return image


def _enter(image: PushedImage, manifest: dict[str, Any]) -> list[str]:
    """Enters the blobs that a manifest names; the digests of the manifests that it names."""
    if manifest.get("schemaVersion") == 1 or "fsLayers" in manifest:
        raise NotTaken(
            "config_invalid",
            "This was pushed in the old format (schema 1), which does not say what is in the image. Push it with a "
            "newer Docker, Podman or skopeo.",
        )
    if "manifests" in manifest:
        return [_digest(entry) for entry in _entries(manifest["manifests"]) if _for_us(entry)]
    layers = _entries(manifest.get("layers"))
    if len(layers) > _MOST_LAYERS:
        raise NotTaken(
            "too_many_layers", f"The image has more than {_MOST_LAYERS} layers. Build it with fewer."
        )
    entries = (*_entries([manifest.get("config")]), *layers)
    for entry in entries:
        kind = str(entry.get("mediaType"))
        if entry.get("urls") or "foreign" in kind or "nondistributable" in kind:
            raise NotTaken(
                "missing_blob",
                "A layer of this image is not in the registry but at another address (a foreign layer). Build the "
                "image from a base that may be distributed, and push it again.",
            )
    named = tuple(map(_sized_digest, entries))
    image.blobs.update(named)
    image.images.append(named)
    return []


def write(remote: Remote, archive: PushedArchive, file: Writable, *, blobs: BlobStore) -> str:
    """Writes the archive, `archive.length` bytes, as its blobs come; the archive's sha256.

    Raises:
        RegistryAway, RegistryLies, WrongSize: a blob does not come, or is another; what was written is worth nothing.
        NotStored: the same of a blob that was stored here.
    """
    out = _Hashed(file)
    for name, body in archive.documents.items():
        with out.member(name, len(body)):
            out.write(body)
    for digest, size in archive.fetched.items():
        with out.member(blob_name(digest), size):
            remote.blob(archive.repository, digest, size, out.write)
    for digest, size in archive.stored.items():
        with out.member(blob_name(digest), size):
            for piece in _pieces(blobs, digest, size):
                out.write(piece)
    out.write(bytes(2 * _BLOCK))
    return out.sha256.hexdigest()


def _pieces(blobs: BlobStore, digest: str, size: int) -> Iterator[Piece]:
    count = 0
    try:
        for piece in blobs.read(digest):
            count += len(piece)
            yield piece
    except (FileNotFoundError, BlobsAway, BlobDamaged) as error:
        raise NotStored(f"{digest}: {error}") from None
    if count != size:
        raise NotStored(f"{digest} has {count:,} bytes, and not {size:,}")


class _Hashed:
    """A file whose bytes are hashed as they are written."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    @contextmanager
    def member(self, name: str, size: int) -> Iterator[None]:
        """Of an archive: the block writes its `size` bytes."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o644
        self.write(entry.tobuf(tarfile.GNU_FORMAT))
        yield
        self.write(bytes(_padded(size) - size))

    def write(self, data: Piece) -> None:
        """Writes all of it."""
        self.sha256.update(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(body)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise _odd()
    return manifest


def _entries(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _odd()
    return value


def _digest(entry: dict[str, Any]) -> str:
    digest = entry.get("digest")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise _odd()
    return digest


def _sized_digest(entry: dict[str, Any]) -> SizedDigest:
    size = entry.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _MOST_BYTES:
        raise _odd()
    return _digest(entry), size


def _odd() -> NotTaken:
    return NotTaken(
        "config_invalid",
        "What was pushed is no image: its manifest does not name a config and layers. Push what `docker build` made.",
    )


def _for_us(entry: dict[str, Any]) -> bool:
    """Whether a manifest of an index may be that of an image for linux/amd64."""
    notes, platform = entry.get("annotations"), entry.get("platform")
    if isinstance(notes, dict) and notes.get("vnd.docker.reference.type") is not None:
        return False
    if not isinstance(platform, dict) or not platform.get("architecture"):
        return True
    return (platform.get("os", "linux"), platform["architecture"]) == ("linux", "amd64")


def blob_name(digest: str) -> str:
    """Where a blob lies in an archive."""
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
