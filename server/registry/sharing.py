"""Layers of a push that its team has here already, and which need not be fetched again.

The registry knows a layer by the digest of its packed bytes, and an image's config by that of the unpacked ones, by
which it is stored here. A config only claims what the image consists of, so what another team has counts for nothing:
whoever knew the digest of its layer would else be given the layer.
"""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from contract.ids import TeamId
from server.images.models import Image
from server.registry.layout import DIGEST, PushedArchive, PushedImage, blob_name
from server.registry.remote import Remote

_MOST_CONFIG = 2**20  # no image with a larger one is taken

Sizes = Callable[[Collection[str]], Mapping[str, int]]
"""Of these unpacked layers those that the team has here, with their sizes."""


def own_layers(session: Session, team_id: TeamId, layers: Collection[str]) -> list[str]:
    """Those of the unpacked layers that an image of the team has, which it did not remove."""
    layer = (
        func.jsonb_array_elements_text(Image.facts["layers"])
        .table_valued("digest", name="layer")
        .render_derived()
    )
    query = select(layer.c.digest).distinct().select_from(Image).join(layer, true())
    own = Image.team_id == team_id, Image.removed_at.is_(None)
    return list(session.scalars(query.where(*own, layer.c.digest.in_(layers))))


def shared(remote: Remote, image: PushedImage, sizes: Sizes) -> PushedArchive | None:
    """The archive of the same image in which layers that the team has here stand unpacked, as in `docker save`'s.

    None where it has none of them, or more than one image was pushed. The image's digest is that of its config, so it
    is the same whether layers are packed or not; the check compares each with the config, wherever it came from.

    Raises:
        RegistryAway, RegistryLies, WrongSize: the registry does not give the config, or its size is another.
    """
    if len(image.images) != 1:
        return None
    (config, size), *packed = image.images[0]
    if size > _MOST_CONFIG:
        return None
    parts: list[bytes] = []
    remote.blob(image.repository, config, size, parts.append)
    body = b"".join(parts)
    unpacked = _unpacked(body)
    have = sizes(set(unpacked)) if len(packed) == len(unpacked) else {}
    if not have:
        return None
    pairs = list(zip(packed, unpacked, strict=True))
    names = [blob_name(inside if inside in have else digest) for (digest, _), inside in pairs]
    listed = [{"Config": blob_name(config), "RepoTags": None, "Layers": names}]
    documents = {"manifest.json": json.dumps(listed).encode(), blob_name(config): body}
    fetched = {digest: size for (digest, size), inside in pairs if inside not in have}
    return PushedArchive(image.repository, documents, fetched, dict(have))


def _unpacked(config: bytes) -> list[str]:
    """The digests of the unpacked layers by an image's config; none where it names none, or anything else as one."""
    try:
        content: Any = json.loads(config)
        layers = content["rootfs"]["diff_ids"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []
    if not isinstance(layers, list):
        return []
    digests = [layer for layer in layers if isinstance(layer, str) and DIGEST.fullmatch(layer)]
    return digests if len(digests) == len(layers) else []
