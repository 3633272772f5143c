"""What is answered of uploads."""

from datetime import datetime
from typing import Annotated

from contract.answers import Answer, Id, Older, OrNewer
from contract.statuses import UploadStatus


class UploadOut(Answer):
    """An upload and what came of it; `image` is the digest to submit once it is ready.

    `pushed`: NAME@DIGEST of the manifest, of one that came through the registry, or @DIGEST where
    whoever named it was erased. warnings: those of its image.
    """

    id: Id
    team_id: Id
    status: Annotated[UploadStatus | str, OrNewer()]
    offset: int
    length: int
    filename: str | None
    pushed: Annotated[str | None, Older(None)]
    image: str | None
    code: str | None
    message: str | None
    warnings: Annotated[list[str], Older([])]
    created_at: datetime
    expires_at: datetime
