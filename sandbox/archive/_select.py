"""Which image an archive holds, by `manifest.json` of `docker save` or by the OCI layout's index."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.archive._config import Config, invalid, parse, parse_config, sha256, wrong_architecture
from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._facts import DIGEST
from sandbox.archive._index import Archive, clean_name
from sandbox.archive._tar import Member

_DEPTH = 3  # an index, the image's index of platforms, and one to spare
_BLOB = "blobs/sha256/"


@dataclass(frozen=True)
class Chosen:
    """The one image of an archive: its config, and the member that holds each layer, from the bottom up."""

    config: Config
    layers: tuple[Member, ...]


def choose(archive: Archive) -> Chosen:
    """The one image.

    Raises:
        ArchiveInvalid: no_image, several_images, missing_blob, wrong_digest, wrong_architecture,
            config_invalid, too_many_layers, unsafe_path.
    """
    names = _from_manifest(archive) if archive.find("manifest.json") else _from_index(archive)
    config_name, *layer_names = names
    config = parse_config(_verified(archive, config_name, "the image config"), archive.bounds)
    if len(layer_names) != len(config.layers):
        raise invalid(
            f"the archive lists {len(layer_names)} layers and the image config {len(config.layers)}; "
            f"{SAVE_AGAIN}."
        )
    return Chosen(config, tuple(_layer(archive, name) for name in layer_names))


def _from_manifest(archive: Archive) -> list[str]:
    """The member names of the config and the layers by `docker save`'s own list."""
    entries = _json(archive, "manifest.json")
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise invalid("manifest.json is not a list of images.")
    entries = [one for one in entries if one.get("Config")]
    if not entries:
        raise _no_image()
    if len(entries) > 1:
        raise _several(len(entries))
    config, layers = entries[0]["Config"], entries[0].get("Layers") or []
    if not isinstance(layers, list) or not all(isinstance(one, str) for one in (config, *layers)):
        raise invalid("manifest.json does not name the config and the layers of its image.")
    return [clean_name(one, "manifest.json") for one in (config, *layers)]


def _from_index(archive: Archive) -> list[str]:
    """The member names of the config and the layers by the OCI index."""
    if not archive.find("index.json"):
        raise _no_image()
    index = _json(archive, "index.json")
    top = {str(one.get("digest")) for one in _descriptors(index) if not _attests(one)}
    if len(top) > 1:
        raise _several(len(top))
    found = dict(_images(archive, index, _DEPTH))
    if not found:
        raise _no_image()
    here = [digest for digest, platform in found.items() if platform in ("linux/amd64", "")]
    if not here:
        raise wrong_architecture(", ".join(sorted(set(found.values()))))
    if len(here) > 1:
        raise _several(len(here))
    manifest = _json(archive, _blob(here[0]))
    parts = [manifest.get("config"), *(manifest.get("layers") or [])]
    if not all(isinstance(one, dict) for one in parts):
        raise invalid("the image's manifest does not name its config and layers.")
    return [_blob(one.get("digest")) for one in parts]


def _images(archive: Archive, index: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Digest and platform ("" where the index does not say) of every image manifest below `index`."""
    for one in _descriptors(index):
        if _attests(one):
            continue
        name = _blob(one.get("digest"))
        if "manifests" not in (manifest := _json(archive, name)):
            yield one["digest"], _platform(one.get("platform"))
        elif depth:
            yield from _images(archive, manifest, depth - 1)


def _descriptors(index: Any) -> list[dict[str, Any]]:
    found = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise invalid("index.json is not an OCI index: it has no list of manifests.")
    return found


def _attests(descriptor: dict[str, Any]) -> bool:
    """Whether this is what BuildKit says about an image, and none itself."""
    notes = descriptor.get("annotations")
    return isinstance(notes, dict) and notes.get("vnd.docker.reference.type") == "attestation-manifest"


def _platform(value: Any) -> str:
    return f"{value.get('os')}/{value.get('architecture')}" if isinstance(value, dict) else ""


def _blob(digest: Any) -> str:
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise invalid("the OCI index names a blob by something else than a sha256 digest.")
    return _BLOB + digest.removeprefix("sha256:")


def _json(archive: Archive, name: str) -> Any:
    content = parse(_verified(archive, name, shown(name)), shown(name))
    if name.startswith(_BLOB) and not isinstance(content, dict):
        raise invalid(f"{shown(name)} is not a manifest.")
    return content


def _verified(archive: Archive, name: str, what: str) -> bytes:
    """A document, whose bytes have the sha256 that its name states."""
    member = archive.find(name)
    if member is None:
        raise _missing(what, name)
    data = archive.document(name)
    if data is None:
        raise invalid(f"{what} is no JSON document of at most {archive.bounds.config:,} bytes.")
    if (stated := stated_digest(member.name)) and stated != sha256(data):
        raise wrong_digest(what, stated, sha256(data))
    return data


def _layer(archive: Archive, name: str) -> Member:
    member = archive.find(name)
    if member is None:
        raise _missing("a layer", name)
    return member


def stated_digest(name: str) -> str | None:
    """The digest that a member's name promises: an OCI blob, or `docker save`'s CONFIG.json."""
    stem = name.removeprefix(_BLOB) if name.startswith(_BLOB) else name.removesuffix(".json")
    digest = "sha256:" + stem.removeprefix("sha256:")
    return digest if DIGEST.fullmatch(digest) else None


def wrong_digest(what: str, stated: str, found: str) -> ArchiveInvalid:
    """The error of bytes that are not what the archive says they are."""
    return ArchiveInvalid(
        ArchiveCode.WRONG_DIGEST,
        f"{what} should have the digest {stated[:19]}… but has {found[:19]}…: it was damaged or changed; "
        f"{SAVE_AGAIN}.",
    )


def _missing(what: str, name: str) -> ArchiveInvalid:
    return ArchiveInvalid(
        ArchiveCode.MISSING_BLOB, f"{what} is not in the archive ({shown(name)}); {SAVE_AGAIN}."
    )


def _no_image() -> ArchiveInvalid:
    return ArchiveInvalid(
        ArchiveCode.NO_IMAGE,
        "the archive holds no image: neither manifest.json nor an OCI index names one "
        "(`docker export` writes a file system, not an image); " + SAVE_AGAIN + ".",
    )


def _several(count: int) -> ArchiveInvalid:
    return ArchiveInvalid(
        ArchiveCode.SEVERAL_IMAGES,
        f"the archive holds {count} images and it is not said which to run; save one image at a time.",
    )
