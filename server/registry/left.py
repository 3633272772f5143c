"""What lies in the registry and is not needed there any more: it was taken over or refused, or ran out."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from server.database import SessionFactory, unit_of_work
from server.registry.remote import Remote
from server.registry.service import Pushed
from server.teams.models import Team
from server.uploads.models import Upload, without_name

MOST_LOOKED_AT = 1000
"""Names and tags of one team in one search."""


def pushes_in(remote: Remote) -> Iterator[Pushed]:
    """The manifests of teams in the registry by their tags, as far as they are looked at.

    Raises:
        RegistryAway: it does not answer.
    """
    for repository, tag, digest in remote.tagged(most=MOST_LOOKED_AT):
        if (pushed := Pushed.of(repository, tag, digest)) is not None:
            yield pushed


def is_left(session: Session, pushed: Pushed) -> bool:
    """Whether what was pushed may go: nothing is to be fetched for its name and digest, now or once there is room.

    One of which the server has not been told stays, unless its team is no more.
    """
    repository = pushed.repository
    rows = session.execute(
        select(Upload.code, Upload.filename, Upload.expires_at > func.now(), Upload.status).where(
            Upload.pushed_to == repository.team_id,
            Upload.pushed.in_((pushed.what, without_name(pushed.what))),
        )
    ).all()
    if any(lasts and status is UploadStatus.RECEIVING for _, _, lasts, status in rows):
        return False
    if any(code != ErrorCode.TOO_MANY_UPLOADS or name is None for code, name, _, _ in rows):
        return True
    team = session.get(Team, repository.team_id)
    return team is None or team.merged_into is not None


def remove_left(sessions: SessionFactory, remote: Remote, left: set[Pushed]) -> int:
    """Takes these out of the registry, unless they are waited for by now; how many. Their layers stay on its disk.

    A manifest goes with all its tags, so this is called when each of them has been looked at.
    """
    count = 0
    for path, digest in sorted({(one.repository.path, one.digest) for one in left}):
        of = [one for one in left if (one.repository.path, one.digest) == (path, digest)]
        with unit_of_work(sessions) as session:
            still = all(is_left(session, one) for one in of)
        count += still and remote.delete(path, digest)
    return count
