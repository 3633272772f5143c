"""JSON of an archive, read as Docker will read it, and the image config among it."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contract.cuda import required
from contract.images import DeclaredCheckpoint, ImageFacts
from sandbox.archive._bounds import DIGEST, Bounds
from sandbox.archive._checkpoint import CheckpointLabels, declared_in
from sandbox.archive._errors import BUILD_AGAIN, SAVE_AGAIN, ArchiveCode, ArchiveInvalid, binary_size, shown
from sandbox.archive._fields import invalid, is_text, require_types
from sandbox.archive._programs import DEFAULT_PATH

_LONGEST_USER = 512  # a user and a group, of which Linux has none longer than 32 characters
INVOKE_LABEL = "proctor.invoke"
"""The label with which an image says that its program serves several cases."""


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
    checkpoint: CheckpointLabels | None
    requires_driver: tuple[str, ...]


def sha256(data: bytes) -> str:
    """The digest of `data`, as "sha256:…"."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parse(data: bytes, what: str) -> Any:
    """JSON in which no key stands twice.

    Raises:
        ArchiveInvalid: config_invalid.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except _TwiceError as error:
        raise invalid(f"{what} names the field {shown(str(error))} twice; {SAVE_AGAIN}.") from None
    except (ValueError, RecursionError):
        raise invalid(f"{what} is not valid JSON; {SAVE_AGAIN}.") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    merged = dict(pairs)
    if len(merged) < len(pairs):  # Go merges such objects, other readers take the last
        names = Counter(name for name, _ in pairs)
        raise _TwiceError(max(names, key=lambda name: names[name]))
    return merged


class _TwiceError(ValueError):
    """A key that stands twice in an object."""


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON, though Python writes it")


def parse_config(data: bytes, bounds: Bounds) -> Config:
    """The image config in `data`.

    Raises:
        ArchiveInvalid: config_invalid, wrong_architecture, too_many_layers.
    """
    content = parse(data, "the image config")
    require_types(content)
    if not content.get("architecture"):
        raise wrong_architecture("a machine that its config does not state")
    if (platform := platform_of(content)).split("/")[:2] != ["linux", "amd64"]:
        raise wrong_architecture(platform)
    running = _object_in(content, "config")
    layers = _layers(_object_in(content, "rootfs"), bounds)
    _require_history(content, len(layers))
    environment = _environment(running, bounds)
    labels = _object_in(running, "Labels")
    return Config(
        data=data,
        digest=sha256(data),
        layers=layers,
        architecture="amd64",
        os="linux",
        user=_user(running),
        environment=tuple(environment),
        path=environment.get("PATH", DEFAULT_PATH),
        entrypoint=_words(running, "Entrypoint"),
        invoke=labels.get(INVOKE_LABEL) == "1",
        checkpoint=declared_in(labels),
        requires_driver=required(environment),
    )


def platform_of(content: dict[str, Any]) -> str:
    """The platform in a config, or in an index, such as "linux/arm/v7"; an image that names no system is for Linux."""
    parts = [content.get("os") or "linux", content.get("architecture") or "?", content.get("variant")]
    return "/".join(str(part) for part in parts if part)


def _environment(running: dict[str, Any], bounds: Bounds) -> dict[str, str]:
    """The variables by name, of which an engine's time grows with the square."""
    texts = _texts(running, "Env")
    size = sum(len(variable.encode()) + 1 for variable in texts)
    if len(texts) > bounds.variables or size > bounds.environment:
        raise invalid(
            f"the image config's field config.Env has {len(texts):,} variables of {size:,} bytes; at most "
            f"{bounds.variables:,} of together {binary_size(bounds.environment)} are accepted: keep data in files."
        )
    return dict(variable.partition("=")[::2] for variable in texts)


def _require_history(content: dict[str, Any], layers: int) -> None:
    steps = [step for step in content.get("history") or () if not (step or {}).get("empty_layer")]
    if len(steps) > layers:
        raise invalid(
            f"the image config's history names {len(steps)} layers and its rootfs {layers}: no engine takes that; "
            f"{BUILD_AGAIN}."
        )


def facts_of(config: Config, layer_sizes: tuple[int, ...], checkpoint: DeclaredCheckpoint) -> ImageFacts:
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
        checkpoint=checkpoint,
        requires_driver=config.requires_driver,
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
        raise invalid(f"the image config lists no layers: there is nothing to run; {BUILD_AGAIN}.")
    if set(rootfs) - {"type", "diff_ids"} or not all(DIGEST.fullmatch(layer) for layer in layers):
        raise invalid(
            f"the image config's rootfs is not a list of sha256 digests under diff_ids; {BUILD_AGAIN}."
        )
    return layers


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key) or ""
    if not is_text(value):
        raise invalid(f"the image config's field {key} holds what is no text; {BUILD_AGAIN}.")
    return str(value)


def _user(running: dict[str, Any]) -> str:
    user = _text(running, "User")
    if len(user) > _LONGEST_USER:
        raise invalid(
            f"the image config's field config.User has {len(user):,} characters, at most {_LONGEST_USER} are accepted; "
            f"{BUILD_AGAIN}."
        )
    return user


def _texts(content: dict[str, Any], key: str) -> tuple[str, ...]:
    value = content.get(key) or []
    if not isinstance(value, list) or not all(is_text(item) for item in value):
        raise invalid(f"the image config's field {key} is not a list of texts; {BUILD_AGAIN}.")
    return tuple(value)


def _words(content: dict[str, Any], key: str) -> tuple[str, ...]:
    """A command line; a text is one word, as Docker takes it."""
    if isinstance(content.get(key), str):
        return (text,) if (text := _text(content, key)) else ()
    return _texts(content, key)


def _object_in(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise invalid(f"the image config's field {key} is not an object; {BUILD_AGAIN}.")
    return value
