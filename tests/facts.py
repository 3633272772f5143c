"""Facts of images that no archive was ever checked for."""

import uuid
from collections.abc import Sequence

from contract.images import DeclaredCheckpoint, ImageFacts

NO_IMAGE = "sha256:" + "0" * 64
"""The digest of an image that no engine has."""


def image_facts(
    digest: str | None = None,
    layers: Sequence[str] = (),
    *,
    sizes: int | Sequence[int] = 0,
    invoke: bool = False,
    checkpoint: DeclaredCheckpoint | None = None,
) -> ImageFacts:
    """An image of `layers` with these many bytes each; its digest is one that no other has unless it is given."""
    each = (sizes,) * len(layers) if isinstance(sizes, int) else tuple(sizes)
    return ImageFacts(
        digest=digest or "sha256:" + uuid.uuid4().hex * 2,
        layers=tuple(layers),
        layer_sizes=each,
        size=sum(each),
        architecture="amd64",
        os="linux",
        user="",
        environment=(),
        entrypoint=(),
        invoke=invoke,
        checkpoint=checkpoint,
    )
