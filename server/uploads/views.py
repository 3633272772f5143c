"""Uploads and images as they leave, with what is to be said of them now."""

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from contract.ids import TeamId
from contract.images import ImageOut
from contract.uploads import UploadOut
from server.images.models import Image
from server.images.service import own
from server.uploads.models import Upload
from server.uploads.warnings import warnings_of


def uploads_out(session: Session, team_id: TeamId, uploads: Sequence[Upload]) -> list[UploadOut]:
    """A team's uploads."""
    said = warnings_on(session, team_id, {upload.image for upload in uploads if upload.image is not None})
    return [
        UploadOut.of(upload, warnings=said.get(upload.image, []) if upload.image else [])
        for upload in uploads
    ]


def images_out(session: Session, team_id: TeamId, images: Sequence[Image]) -> list[ImageOut]:
    """A team's images."""
    said = warnings_of(session, team_id, [image.facts for image in images])
    return [ImageOut.of(image, warnings=said.get(image.digest, [])) for image in images]


def warnings_on(session: Session, team_id: TeamId, digests: Collection[str]) -> dict[str, list[str]]:
    """Sentences on those of a team's images with these digests that call for any."""
    if not digests:
        return {}
    found = own(team_id).where(Image.digest.in_(digests)).with_only_columns(Image.facts)
    return warnings_of(session, team_id, session.scalars(found).all())
