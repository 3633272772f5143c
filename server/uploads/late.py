"""Images that were still on their way when a phase ended: their archives were announced by sha256 before that."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import TeamId
from contract.statuses import UploadStatus
from server.uploads.models import Upload


def were_under_way(session: Session, team_id: TeamId, digests: Collection[str], *, at: datetime) -> bool:
    """Whether uploads of all these images of a team had begun by `at`, and one was not complete and checked."""
    rows = session.execute(
        select(Upload.image, func.max(Upload.updated_at))
        .where(
            Upload.team_id == team_id,
            Upload.status == UploadStatus.READY,
            Upload.image.in_(digests),
            Upload.created_at < at,
        )
        .group_by(Upload.image)
    ).all()
    return len(rows) == len(set(digests)) and any(finished >= at for _, finished in rows)
