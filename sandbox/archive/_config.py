"""JSON of an archive, read as Docker will read it, and the image config among it."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._facts import DIGEST, Bounds, ImageFacts
from sandbox.archive._programs import DEFAULT_PATH

INVOKE_LABEL = "proctor.invoke"
"""The label with which an image says that its program serves several cases; no other label is looked at."""

_FIELDS = ("architecture", "os", "rootfs", "config")


@dataclass(frozen=True)
class Config:
    """An image config that may run here. `data` are its bytes, `digest` their sha256: the image id."""

    data: bytes
    digest: str
    layers: tuple[str, ...]
    architecture: str
    os: str
    user: str
    environment: tuple[str, ...]
    path: str
    entrypoint: tuple[str, ...]
    invoke: bool


def sha256(data: bytes) -> str:
    """The digest of `data`, as "sha256:…"."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def invalid(message: str) -> ArchiveInvalid:
    """The error of JSON that does not describe an image."""
    return ArchiveInvalid(ArchiveCode.CONFIG_INVALID, message)


def parse(data: bytes, what: str) -> Any:
    """JSON in which no key stands twice.

    Raises:
        ArchiveInvalid: config_invalid.
    """
    try:
        return json.loads(data, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise invalid(f"{what} is not valid JSON, or names a field twice.") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):  # Go merges such objects, other readers take the last
        raise ValueError("a key stands twice")
    return found


def parse_config(data: bytes, bounds: Bounds) -> Config:
    """The image config in `data`.

    Raises:
        ArchiveInvalid: config_invalid, wrong_architecture, too_many_layers.
    """
    content = parse(data, "the image config")
    if not isinstance(content, dict) or any(key.lower() in _FIELDS and key not in _FIELDS for key in content):
        raise invalid(
            "the image config is not an object with the fields that Docker writes."
        )  # Go ignores case
    machine = _text(content, "os"), _text(content, "architecture")
    if machine != ("linux", "amd64"):
        raise wrong_architecture("/".join(part or "?" for part in machine))
    running = _object_in(content, "config")
    environment = dict(one.partition("=")[::2] for one in _texts(running, "Env"))
    return Config(
        data=data,
        digest=sha256(data),
        layers=_layers(_object_in(content, "rootfs"), bounds),
        architecture=machine[1],
        os=machine[0],
        user=_text(running, "User"),
        environment=tuple(environment),
        path=environment.get("PATH", DEFAULT_PATH),
        entrypoint=_texts(running, "Entrypoint"),
        invoke=_object_in(running, "Labels").get(INVOKE_LABEL) == "1",
    )


def facts_of(config: Config, layer_sizes: tuple[int, ...]) -> ImageFacts:
    """What is known of the image with this config and layers of these many bytes, from the bottom up."""
    return ImageFacts(
        digest=config.digest,
        layers=config.layers,
        layer_sizes=layer_sizes,
        size=sum(layer_sizes),
        architecture=config.architecture,
        os=config.os,
        user=config.user,
        environment=config.environment,
        entrypoint=config.entrypoint,
        invoke=config.invoke,
    )


FOR_AMD64 = "build it for linux/amd64: `docker build --platform linux/amd64 …`"


def wrong_architecture(built_for: str, remedy: str = FOR_AMD64) -> ArchiveInvalid:
    """The error of an image for another machine."""
    return ArchiveInvalid(
        ArchiveCode.WRONG_ARCHITECTURE,
        f"the image is built for {shown(built_for)[1:-1]}; {remedy}.",
    )


def _layers(rootfs: dict[str, Any], bounds: Bounds) -> tuple[str, ...]:
    layers = _texts(rootfs, "diff_ids")
    if len(layers) > bounds.layers:
        raise ArchiveInvalid(
            ArchiveCode.TOO_MANY_LAYERS,
            f"the image has {len(layers)} layers, more than the {bounds.layers} that can be stacked; "
            "join RUN lines of the Dockerfile or build in stages.",
        )
    if not layers:
        raise invalid("the image config lists no layers: there is nothing to run.")
    if set(rootfs) - {"type", "diff_ids"} or not all(DIGEST.fullmatch(layer) for layer in layers):
        raise invalid("the image config's rootfs is not a list of sha256 digests under diff_ids.")
    return layers


def _is_text(value: Any) -> bool:
    """Whether this is a text that a database and a command line can hold: no NUL, no half of a surrogate pair."""
    return isinstance(value, str) and re.search("[\0\ud800-\udfff]", value) is None


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key) or ""
    if not _is_text(value):
        raise invalid(f"the image config's field {key} is not a text.")
    return value


def _texts(content: dict[str, Any], key: str) -> tuple[str, ...]:
    value = content.get(key) or []
    if not isinstance(value, list) or not all(_is_text(one) for one in value):
        raise invalid(f"the image config's field {key} is not a list of texts.")
    return tuple(value)


def _object_in(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise invalid(f"the image config's field {key} is not an object.")
    return value
