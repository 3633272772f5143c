"""Images of made-up teams; nothing runs them."""

from uuid import UUID

from contract.images import ImageFacts
from server.images.models import Image


def image_of(team_id: UUID, number: int) -> Image:
    """An image of the team, for x86-64 and without a layer."""
    digest, nothing = f"sha256:{number:064x}", ()
    facts = ImageFacts(
        digest=digest,
        layers=nothing,
        layer_sizes=nothing,
        size=1,
        architecture="amd64",
        os="linux",
        user="",
        environment=nothing,
        entrypoint=nothing,
    )
    return Image(team_id=team_id, digest=digest, facts=facts, size=1)
