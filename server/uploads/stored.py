"""What a team stores: its images, each layer once, and uploads that are not checked yet; and what it may store."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from sqlalchemy import BigInteger, ColumnElement, Integer, Subquery, and_, cast, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from contract.ids import TeamId
from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from evaluator.spec import Challenge as Spec
from server.disk import gib
from server.errors import Conflict, StorageFull
from server.images.models import Image
from server.settings import Settings
from server.teams.models import Team
from server.uploads.models import Upload

MOST_IMAGES = 1000
_HOW = (
    "Remove images you do not need (`proctor images --remove DIGEST`), or end uploads that are not complete."
)


@dataclass(frozen=True)
class Allowed:
    """Bytes that a team, and where it is set all teams together, may store."""

    team: int
    total: int | None

    @classmethod
    def by(cls, settings: Settings, spec: Spec) -> Self:
        """As the installation's settings have it, or less for each team where the challenge file says so."""
        own = settings.team_storage if spec.team_storage is None else spec.team_storage
        return cls(min(own, settings.team_storage), settings.total_storage)


@dataclass(frozen=True)
class Stored:
    """Bytes of a team's images, unpacked, each layer once; and of its uploads, as long as they will be."""

    images: int
    uploads: int

    @property
    def used(self) -> int:
        """Both."""
        return self.images + self.uploads


def stored(session: Session, team_id: TeamId) -> Stored:
    """What a team stores. A layer that other teams have too counts for each of them: nobody learns who has it."""
    return stored_by(session, [team_id])[team_id]


def stored_by(session: Session, teams: Collection[TeamId]) -> dict[TeamId, Stored]:
    """What each of these teams stores."""
    layers = _layers(Image.team_id.in_(teams), Image.team_id)
    images = session.execute(
        select(layers.c.team_id, func.sum(layers.c.size)).group_by(layers.c.team_id)
    ).all()
    length = func.sum(Upload.length)
    uploads = session.execute(
        select(Upload.team_id, length).where(Upload.team_id.in_(teams), _UNCHECKED).group_by(Upload.team_id)
    ).all()
    unpacked, unchecked = dict(images), dict(uploads)
    return {team: Stored(int(unpacked.get(team, 0)), int(unchecked.get(team, 0))) for team in teams}


def require(session: Session, team_id: TeamId, size: int, allowed: Allowed) -> None:
    """Returns if a team may store `size` more bytes. Who asks for one team waits for who asked before.

    Raises:
        StorageFull: not within what it may store, or what all teams may.
        Conflict: it has too many images, however small.
    """
    session.scalar(select(Team.id).where(Team.id == team_id).with_for_update(key_share=True))
    images = select(func.count()).where(Image.team_id == team_id, Image.removed_at.is_(None))
    if (session.scalar(images) or 0) >= MOST_IMAGES:
        raise Conflict(ErrorCode.TOO_MANY_IMAGES, f"The team has {MOST_IMAGES:,} images. {_HOW}")
    used = stored(session, team_id).used
    if used + size > allowed.team:
        raise over(used, size, allowed)
    if allowed.total is not None and total(session) + size > allowed.total:
        raise StorageFull(
            ErrorCode.TOTAL_STORAGE_FULL,
            "All teams together store as much as the organizers allow on this server. Tell them, and try again "
            "later; what you have uploaded can be submitted.",
        )


def over(used: int, size: int, allowed: Allowed) -> StorageFull:
    """The problem of `size` bytes more than a team that stores `used` bytes may store."""
    return _over(f"With this the team would store {gib(used + size)}, more than it may", used, allowed)


def too_large_unpacked(used: int, allowed: Allowed) -> StorageFull:
    """The problem of an image that would be too much for its team, known before all of it is unpacked."""
    return _over(
        f"Unpacked, this image is larger than the {gib(max(0, allowed.team - used))} which the team may still",
        used,
        allowed,
    )


def _over(sentence: str, used: int, allowed: Allowed) -> StorageFull:
    detail = f"{sentence} store; {gib(allowed.team)} are allowed. {_HOW}"
    return StorageFull(ErrorCode.TEAM_STORAGE_FULL, detail, used=used, allowed=allowed.team)


def total(session: Session) -> int:
    """Bytes that all teams store, a layer that several have once, and of uploads what has come: no announcement."""
    images = session.scalar(select(func.sum(_layers(true()).c.size)))
    uploads = session.scalar(select(func.sum(Upload.offset)).where(_UNCHECKED))
    return int(images or 0) + int(uploads or 0)


_UNCHECKED = or_(
    and_(Upload.status == UploadStatus.RECEIVING, Upload.expires_at > func.now()),
    Upload.status == UploadStatus.CHECKING,
)


def _layers(which: ColumnElement[bool], *by: InstrumentedAttribute[TeamId]) -> Subquery:
    """The digest and size of each layer of the images, once for each of `by`."""
    numbered = (
        func.jsonb_array_elements_text(Image.facts["layers"])
        .table_valued("digest", with_ordinality="number", name="layer")
        .render_derived()
    )
    size = cast(Image.facts["layer_sizes"][cast(numbered.c.number - 1, Integer)].astext, BigInteger)
    return (
        select(*by, numbered.c.digest, func.max(size).label("size"))
        .select_from(Image)
        .join(numbered, onclause=true())
        .where(which, Image.removed_at.is_(None))
        .group_by(*by, numbered.c.digest)
        .subquery()
    )
