"""Which image an archive holds: the one for linux/amd64 that `manifest.json` or the OCI layout's index names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.archive._config import (
    Config,
    parse,
    parse_config,
    platform_of,
    sha256,
    wrong_architecture,
)
from sandbox.archive._contents import no_image
from sandbox.archive._documents import blob_name, json_at, missing, verified
from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._fields import invalid
from sandbox.archive._index import Archive, clean_name
from sandbox.archive._tar import TarMember

_OURS = "linux/amd64"
_UNKNOWN = "unknown/unknown"
_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_MOST_NAMES = 4


@dataclass(frozen=True)
class ChosenImage:
    """The one image of an archive: its config, and the member that holds each layer, from the bottom up."""

    config: Config
    layers: tuple[TarMember, ...]


@dataclass(frozen=True)
class _Image:
    """An image that the archive names: its platform, what people call it, and the members that it is made of.

    `missing` is what of it is not in the archive; `digest` that of the config.
    """

    platform: str
    digest: str
    called: str
    config: str
    layers: tuple[str, ...]
    missing: str | None = None


def choose(archive: Archive) -> ChosenImage:
    """The one image.

    Of several variants of amd64 the plainest counts, which every host can run.

    Raises:
        ArchiveInvalid: no_image, several_images, missing_blob, wrong_digest, wrong_architecture,
            config_invalid, too_many_layers, unsafe_path.
    """
    image = _one(_images(archive))
    config = parse_config(verified(archive, image.config, "the image config"), archive.bounds)
    if len(image.layers) != len(config.layers):
        raise invalid(
            f"the archive lists {len(image.layers)} layers and the image config {len(config.layers)}; "
            f"{SAVE_AGAIN}."
        )
    return ChosenImage(config, tuple(_layer(archive, name) for name in image.layers))


def _images(archive: Archive) -> list[_Image]:
    """Every image that the archive names, once; what is said about images is none."""
    configs = _Configs(archive)
    listed = list(_from_manifest(archive, configs)) if archive.find("manifest.json") else []
    if not archive.find("index.json"):
        return listed
    try:
        return listed + list(_from_index(archive, configs))
    except ArchiveInvalid:
        if any(image.platform.startswith(_OURS) for image in listed):
            return listed  # an engine that goes by manifest.json never looks at the index
        raise


def _layer(archive: Archive, name: str) -> TarMember:
    member = archive.find(name)
    if member is None:
        raise missing("a layer", name)
    return member


def _one(images: Sequence[_Image]) -> _Image:
    if not images:
        raise no_image()
    ours = [image for image in images if image.platform.startswith(_OURS)]
    if not ours:
        platforms = sorted({image.platform for image in images})
        raise wrong_architecture(", ".join(platforms[:9]))
    whole = [image for image in ours if image.missing is None]
    if not whole:
        raise _not_whole(ours[0], images)
    plainest = min(_rank(image) for image in whole)
    left = {image.digest: image for image in reversed(whole) if _rank(image) == plainest}
    if len(left) > 1:
        raise _several(list(left.values()))
    return next(iter(left.values()))


def _rank(image: _Image) -> str:
    """The variant of amd64, by which the plainest comes first."""
    variant = image.platform.removeprefix(_OURS).lstrip("/")
    return "" if variant == "v1" else variant


def _from_manifest(archive: Archive, configs: "_Configs") -> Iterator[_Image]:
    """The images by `docker save`'s own list."""
    entries = json_at(archive, "manifest.json")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise invalid(f"manifest.json is not a list of images; {SAVE_AGAIN}.")
    entries = [entry for entry in entries if entry.get("Config")]
    for entry in entries:
        names = [entry["Config"], *_list(entry.get("Layers"), "manifest.json's Layers")]
        if not all(isinstance(name, str) for name in names):
            raise invalid(
                f"manifest.json does not name the config and the layers of its image; {SAVE_AGAIN}."
            )
        config, *layers = (clean_name(name, "manifest.json") for name in names)
        tags = [
            name for name in _list(entry.get("RepoTags"), "manifest.json's RepoTags") if isinstance(name, str)
        ]
        image = configs.image(config, tuple(layers), called=", ".join(tags))
        if image is not None:
            yield image


def _from_index(archive: Archive, configs: "_Configs") -> Iterator[_Image]:
    """The images by the OCI index; each blob is read once, however often the indexes below it name it."""
    waiting = [(descriptor, "") for descriptor in reversed(_descriptors(json_at(archive, "index.json")))]
    seen: set[str] = set()
    while waiting:
        descriptor, called = waiting.pop()
        name, called = blob_name(descriptor.get("digest")), _called(descriptor) or called
        member = archive.find(name)
        if _attests(descriptor) or (key := member.name if member else name) in seen:
            continue
        seen.add(key)
        stated = _platform(descriptor.get("platform"))
        if member is None:
            yield _Image(stated or _OURS, name, called, name, (), missing=name)
            continue
        manifest = json_at(archive, name)
        if "manifests" in manifest:
            waiting += [(descriptor, called) for descriptor in reversed(_descriptors(manifest))]
        elif (image := _by_manifest(configs, manifest, stated, called)) is not None:
            yield image


def _by_manifest(configs: "_Configs", manifest: dict[str, Any], stated: str, called: str) -> _Image | None:
    """The image of an OCI manifest; None where it describes something else."""
    config, layers = manifest.get("config"), _list(manifest.get("layers"), "a manifest's layers")
    if not isinstance(config, dict) or not all(isinstance(layer, dict) for layer in layers):
        raise invalid(f"the image's manifest does not name its config and layers; {SAVE_AGAIN}.")
    kinds = [str(layer.get("mediaType")) for layer in layers]
    if config.get("mediaType", _CONFIGS[0]) not in _CONFIGS or any("in-toto" in kind for kind in kinds):
        return None
    names = tuple(blob_name(layer.get("digest")) for layer in layers)
    return configs.image(blob_name(config.get("digest")), names, called=called, stated=stated)


class _Configs:
    """The images by their configs, each of which is read once, however many lists and links lead to it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[str, tuple[str, str] | None] = {}

    def image(self, config: str, layers: tuple[str, ...], *, called: str, stated: str = "") -> _Image | None:
        """The image with this config; None where the config is that of none."""
        member = self._archive.find(config)
        if member is None:
            return _Image(stated or _OURS, config, called, config, layers, missing=config)
        if member.name not in self._known:
            self._known[member.name] = self._read(config)
        if (known := self._known[member.name]) is None:
            return None
        platform, digest = known
        if stated.startswith(f"{platform}/"):  # a variant that the config does not tell
            platform = stated
        missing = next((name for name in layers if self._archive.find(name) is None), None)
        return _Image(platform, digest, called, config, layers, missing)

    def _read(self, config: str) -> tuple[str, str] | None:
        """Platform and digest of the config."""
        data = verified(self._archive, config, "the image config")
        content = parse(data, "the image config")
        if not isinstance(content, dict):
            raise invalid(f"the image config is not a JSON object; {SAVE_AGAIN}.")
        platform = platform_of(content)
        if platform.startswith(_UNKNOWN) or not {"rootfs", "architecture", "config"} & set(content):
            return None
        return platform, sha256(data)


def _list(value: Any, what: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise invalid(f"{what} is not a list; {SAVE_AGAIN}.")
    return value or []


def _called(descriptor: dict[str, Any]) -> str:
    notes = descriptor.get("annotations")
    names = [notes.get(key) for key in _NAMES] if isinstance(notes, dict) else []
    return next((name for name in names if isinstance(name, str)), "")


def _descriptors(index: Any) -> list[dict[str, Any]]:
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(manifests, list) or not all(isinstance(entry, dict) for entry in manifests):
        raise invalid(f"index.json is not an OCI index: it has no list of manifests; {SAVE_AGAIN}.")
    return manifests


def _attests(descriptor: dict[str, Any]) -> bool:
    """Whether this is what BuildKit says about an image, and none itself."""
    notes = descriptor.get("annotations")
    kind = notes.get("vnd.docker.reference.type") if isinstance(notes, dict) else None
    return kind is not None or _platform(descriptor.get("platform")) == _UNKNOWN


def _platform(value: Any) -> str:
    return platform_of(value) if isinstance(value, dict) and value.get("architecture") else ""


def _not_whole(image: _Image, images: Sequence[_Image]) -> ArchiveInvalid:
    """The error of an image for amd64 of which the archive lacks a part."""
    others = sorted({image.platform for image in images if image.missing is None})
    if not others:
        return missing("a part of the image", str(image.missing))
    return ArchiveInvalid(
        ArchiveCode.MISSING_BLOB,
        f"the archive names an image for {_OURS} but lacks a part of it ({shown(str(image.missing))}); whole in it is "
        f"{', '.join(shown(platform)[1:-1] for platform in others[:9])}: save the image for {_OURS} with `docker save "
        "--platform linux/amd64 IMAGE -o image.tar`.",
    )


def _several(images: Sequence[_Image]) -> ArchiveInvalid:
    names = sorted({image.called for image in images if image.called})
    called = f" ({', '.join(shown(name)[1:-1] for name in names[:_MOST_NAMES])})" if names else ""
    first = next((shown(name.split(", ")[0])[1:-1] for name in names if ":" in name), "REPO:TAG")
    return ArchiveInvalid(
        ArchiveCode.SEVERAL_IMAGES,
        f"the archive holds {len(images)} images{called} for {_OURS} and it is not said which to run; save one, "
        f"by its name and tag: `docker save {first} -o image.tar`.",
    )
