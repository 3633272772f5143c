"""What lies on the data disk and whose it is, for admins."""

import time
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from server.challenges.models import Challenge
from server.disk import Share, gib
from server.images.models import Image
from server.images.storage import stored
from server.settings import Settings
from server.teams.models import Team
from server.uploads.models import Upload

_FOLDERS = ("blobs", "uploads", "inputs", "references", "scoring", "logs", "worker")
_WEEK = 7 * 86400.0
_LASTS_LONG = 3650


class TeamStorage(BaseModel):
    """Bytes that a team stores: its images, each layer once, and uploads as long as they will be."""

    id: UUID
    team: str
    challenge: str
    images: int
    uploads: int


class Overview(BaseModel):
    """The data disk in bytes: what is free, what is kept, what came in the last week, by folder and by team."""

    free: int
    reserve: int
    for_uploads: int
    for_new_work: int
    for_results: int
    last_week: int
    team_storage: int
    database: int
    folders: dict[str, int]
    teams: list[TeamStorage]

    def sentence(self) -> str:
        """How full it is and how long that lasts at last week's pace."""
        return disk_sentence(self.for_uploads, self.for_new_work, self.for_results, self.last_week)


def disk_sentence(for_uploads: int, for_new_work: int, for_results: int, last_week: int) -> str:
    """What still works, and for how long if it goes on as in the last week; all in bytes."""
    if not for_results:
        return "The disk is full: no output or score is stored, everything waits. Make room."
    if not for_new_work:
        return "The disk is nearly full: no case is given out, no upload is taken; what runs can still be stored."
    if not for_uploads:
        return "The disk is nearly full: no upload is taken, what is there goes on."
    days = 7 * for_uploads / last_week if last_week else _LASTS_LONG
    lasts = (
        f"; {gib(last_week)} came in the last week, so it lasts about {days:,.0f} days" if last_week else ""
    )
    return f"{gib(for_uploads)} are free for uploads{lasts}."


def overview(session: Session, settings: Settings) -> Overview:
    """Everything; it looks at each file."""
    sizes = {name: _tree(settings.data / name) for name in _FOLDERS}
    return Overview(
        free=settings.room(Share.UPLOADS).left() + settings.disk_reserve,
        reserve=settings.disk_reserve,
        for_uploads=settings.room(Share.UPLOADS).left(),
        for_new_work=settings.room(Share.NEW_WORK).left(),
        for_results=settings.room(Share.RESULTS).left(),
        last_week=sum(recent for _, recent in sizes.values()),
        team_storage=settings.team_storage,
        database=session.scalar(text("SELECT pg_database_size(current_database())")) or 0,
        folders={name: size for name, (size, _) in sizes.items()},
        teams=_teams(session),
    )


def _teams(session: Session) -> list[TeamStorage]:
    """Teams that store something, the largest first."""
    uploaded = select(Upload.team_id).union(select(Image.team_id))
    rows = session.execute(
        select(Team.id, Team.name, Challenge.slug).join(Challenge).where(Team.id.in_(uploaded))
    ).all()
    each = []
    for team_id, name, challenge in rows:
        has = stored(session, team_id)
        if has.used:
            each.append(
                TeamStorage(
                    id=team_id, team=name, challenge=challenge, images=has.images, uploads=has.uploads
                )
            )
    return sorted(each, key=lambda one: -(one.images + one.uploads))


def _tree(folder: Path) -> tuple[int, int]:
    """Bytes of a folder's files, and of those that changed in the last week."""
    size, recent, since = 0, 0, time.time() - _WEEK
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if not path.is_dir():
            size += found.st_size
            recent += found.st_size if found.st_mtime > since else 0
    return size, recent
