"""What lies on the data disk and whose it is, for admins."""

import time
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from contract.admin import Disk, Overview, TeamStorage
from server.challenges.models import Challenge
from server.disk import Room, Share, gib
from server.images.models import Image
from server.settings import Settings
from server.teams.models import Team
from server.uploads.models import Upload
from server.uploads.stored import Allowed, stored_by

_FOLDERS = ("blobs", "uploads", "inputs", "references", "scoring", "logs", "worker")
_WEEK = 7 * 86400.0


def days_left(disk: Disk) -> float | None:
    """How long the room for uploads lasts at last week's pace; None if nothing came."""
    return 7 * disk.for_uploads / disk.last_week if disk.last_week else None


def sentence(disk: Disk) -> str:
    """What still works, and for how long if it goes on as in the last week."""
    if not disk.for_results:
        return "The disk is full: no output or score is stored, everything waits. Make room."
    if not disk.for_new_work:
        return "The disk is nearly full: no case is given out, no upload is taken; what runs is still stored."
    if not disk.for_uploads:
        return "The disk is nearly full: no upload is taken; what is there goes on."
    days = days_left(disk)
    pace = "" if days is None else f"; at last week's {gib(disk.last_week)} that lasts {days:,.0f} days"
    return f"{gib(disk.for_uploads)} are free for uploads{pace}."


def disk(data: Path, reserve: int) -> Disk:
    """How full the disk with `data` is; it looks at each file."""
    return _disk(data, reserve, sum(recent for _, recent in _sizes(data).values()))


def disk_now(settings: Settings) -> Disk:
    """How full the data disk is, without a look at any file, so that nothing is known of last week's pace."""
    return _disk(settings.data, settings.disk_reserve, 0)


def _disk(data: Path, reserve: int, last_week: int) -> Disk:
    left = {share: Room(data, int(reserve * share.value)).left() for share in Share}
    return Disk(
        free=Room(data, 0).left(),
        reserve=reserve,
        for_uploads=left[Share.UPLOADS],
        for_new_work=left[Share.NEW_WORK],
        for_results=left[Share.RESULTS],
        last_week=last_week,
    )


def _sizes(data: Path) -> dict[str, tuple[int, int]]:
    return {name: _tree(data / name) for name in _FOLDERS}


def overview(session: Session, settings: Settings) -> Overview:
    """Everything; it looks at each file."""
    sizes = _sizes(settings.data)
    found = _disk(settings.data, settings.disk_reserve, sum(recent for _, recent in sizes.values()))
    return Overview(
        **found.model_dump(),
        team_storage=settings.team_storage,
        database=session.scalar(text("SELECT pg_database_size(current_database())")) or 0,
        folders={name: size for name, (size, _) in sizes.items()},
        teams=_teams(session, settings),
    )


def _teams(session: Session, settings: Settings) -> list[TeamStorage]:
    """Teams that store something, the largest first."""
    uploaded = select(Upload.team_id).union(select(Image.team_id))
    found = session.execute(select(Team, Challenge).join(Challenge).where(Team.id.in_(uploaded))).all()
    has = stored_by(session, [team.id for team, _ in found])
    each = [
        TeamStorage.of(
            has[team.id],
            id=team.id,
            team=team.name,
            challenge=challenge.slug,
            allowed=Allowed.by(settings, challenge.spec).team,
        )
        for team, challenge in found
        if has[team.id].used
    ]
    return sorted(each, key=lambda team: -(team.images + team.uploads))


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
