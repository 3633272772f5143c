"""Who may push where, and the uploads that pushes become."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.agreements import Before
from contract.ids import TeamId, UserId
from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from server import events, moves
from server.accounts import tallies
from server.accounts.log_ins import SOURCE
from server.accounts.models import Account
from server.accounts.principals import User
from server.agreements.service import require_accepted
from server.errors import NotNow, Problem
from server.images.models import Image
from server.images.service import own
from server.registry.signing import Grant
from server.teams.membership import is_member
from server.teams.models import Team
from server.teams.service import require_part
from server.uploads.models import Upload, without_name
from server.uploads.service import LASTS, UNFINISHED_PER_TEAM, reject

MOST_SCOPES = 8
"""What one token is asked for at most: its own repository, and one that layers are mounted from."""
_REPOSITORY = re.compile(
    r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/([a-z0-9]+(?:(?:\.|_|__|-+|/)[a-z0-9]+){0,32})"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LONGEST_NAME = 100
_UNKNOWN_SHA256 = "0" * 64  # until the archive is made
_OPEN = (UploadStatus.RECEIVING, UploadStatus.CHECKING)
_SAID = timedelta(hours=1)  # as often as the registry is looked through
_FULL = (
    f"The team has {UNFINISHED_PER_TEAM} pushes and uploads that are not fetched and checked yet, as many as it may. "
    "Push again when one of them is through."
)


@dataclass(frozen=True)
class Repository:
    """A team's own name in the registry: TEAM/NAME, where TEAM is the team's id."""

    team_id: TeamId
    name: str

    @classmethod
    def of(cls, path: str) -> Self | None:
        """The repository of a path; None where it is no team's."""
        found = _REPOSITORY.fullmatch(path)
        if found is None or len(found[2]) > _LONGEST_NAME:
            return None
        return cls(TeamId(UUID(found[1])), found[2])

    @property
    def path(self) -> str:
        """What the registry calls it."""
        return f"{self.team_id}/{self.name}"


@dataclass(frozen=True)
class Pushed:
    """A manifest that the registry says was pushed under a tag, and by whom where that is known."""

    repository: Repository
    tag: str
    digest: str
    by: UserId | None = None

    @classmethod
    def of(cls, path: str, tag: str, digest: str, by: str = "") -> Self | None:
        """The push that these name; None where they name none of a team's."""
        repository = Repository.of(path)
        if repository is None or not _TAG.fullmatch(tag) or not _DIGEST.fullmatch(digest):
            return None
        try:
            return cls(repository, tag, digest, UserId(UUID(by)) if by else None)
        except ValueError:
            return None

    @property
    def name(self) -> str:
        """What it was pushed as, NAME:TAG: the file name of its upload."""
        return f"{self.repository.name}:{self.tag}"

    @property
    def what(self) -> str:
        """How an upload names its manifest."""
        return f"{self.repository.name}@{self.digest}"


def count_log_in(session: Session, source: str, *, per_source: int) -> None:
    """Counts a log-in before its token is looked at; `give_back` follows where it was right.

    Raises:
        NotNow: too many wrong ones from there, at the registry and at the server together.
    """
    wait = tallies.count(session, SOURCE.at(per_source), source)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_LOG_INS,
            tallies.later("Too many wrong log-ins from your network.", wait),
            seconds=wait.total_seconds(),
        )


def give_back(session: Session, source: str) -> None:
    """The log-in that was counted was right."""
    tallies.give_back(session, SOURCE, source)


def grants(session: Session, user: User, scopes: Sequence[str]) -> list[Grant]:
    """What of `scopes`, each TYPE:NAME:ACTIONS, this person may do; the rest is left out, as the protocol wants it.

    A member may pull from the team's own repositories, and push to them as far as they may upload.

    Raises:
        NotNow: it would be a push, and as many of the team's wait as may.
    """
    granted = [_grant(session, user, scope) for scope in scopes]
    return [grant for grant in granted if grant is not None and grant.actions]


def _grant(session: Session, user: User, scope: str) -> Grant | None:
    kind, _, rest = scope.partition(":")
    name, _, wanted = rest.rpartition(":")
    repository = Repository.of(name)
    if kind != "repository" or repository is None or not is_member(session, user, repository.team_id):
        return None
    team = session.get_one(Team, repository.team_id)
    if team.merged_into is not None:
        return None
    may = ("pull", "push") if _may_push(session, user, team) else ("pull",)
    actions = tuple(action for action in may if action in wanted.split(","))
    if "push" in actions and _is_full(session, team.id):
        raise NotNow(ErrorCode.TOO_MANY_UPLOADS, _FULL, seconds=60)
    return Grant("repository", name, actions)


def _may_push(session: Session, user: User, team: Team) -> bool:
    if Scope.SUBMIT not in user.scopes:
        return False
    try:
        require_part(team)
        require_accepted(session, user, team.challenge_id, before=Before.SUBMISSION)
    except Problem:
        return False
    return True


def note(session: Session, pushed: Pushed, *, found: bool = False) -> Upload | None:
    """The upload that a push becomes; None where there is nothing to do, or not now.

    Of one name the newest upload is what was pushed under it last, so the same manifest under another name becomes an
    upload too, and being told twice changes nothing. `found`: somebody looked into the registry and does not know
    when it was pushed, so what was refused before stays refused.

    Of a team of which as many pushes and uploads wait as may, no more are taken: such an upload is REJECTED with a
    sentence, a few in an hour, and a look into the registry takes it up once there is room.
    """
    team = session.scalar(
        select(Team).where(Team.id == pushed.repository.team_id).with_for_update(key_share=True)
    )
    if team is None or team.merged_into is not None or team.disqualified is not None or team.waits:
        return None
    if _known(session, pushed, found=found):
        return None
    full = _is_full(session, team.id)
    if full and (found or _was_said(session, team.id)):
        return None
    account = session.get(Account, pushed.by) if pushed.by is not None else None
    by = account.id if account is not None and account.erased_at is None else None
    upload = Upload(
        team_id=team.id,
        user_id=by,
        filename=pushed.name,
        pushed=pushed.what,
        pushed_to=team.id,
        sha256=_UNKNOWN_SHA256,
        length=1,
        expires_at=func.now() + LASTS,
    )
    session.add(upload)
    session.flush()
    session.refresh(upload)
    moves.begin(session, "upload", upload.id, upload.status, actor=f"user:{by}" if by else events.PLATFORM)
    if full:
        reject(session, upload, code=ErrorCode.TOO_MANY_UPLOADS, message=_FULL)
    return upload


def image_there(session: Session, team_id: TeamId, what: str) -> str | None:
    """The digest of the team's image that an earlier push of the manifest `what` became, if the team has it still."""
    ready = select(Upload.image).where(
        Upload.team_id == team_id, Upload.pushed == what, Upload.status == UploadStatus.READY
    )
    image = session.scalar(own(team_id).where(Image.digest.in_(ready)).limit(1))
    return image.digest if image is not None else None


def _known(session: Session, pushed: Pushed, *, found: bool) -> bool:
    team_id = pushed.repository.team_id
    named = Upload.filename == pushed.name
    theirs = select(Upload).where(Upload.team_id == team_id, Upload.pushed.is_not(None))
    if found:
        taken = Upload.code.is_distinct_from(ErrorCode.TOO_MANY_UPLOADS)
        # Where whoever pushed it was erased it has no name any more, and is given none again.
        nameless = Upload.filename.is_(None)
        same = and_(Upload.pushed == pushed.what, or_(named, nameless), taken)
        known = or_(same, Upload.pushed == without_name(pushed.what))
        return session.scalar(theirs.where(known).limit(1)) is not None
    newest = session.scalar(theirs.where(named).order_by(Upload.id.desc()).limit(1))
    if newest is None or newest.pushed != pushed.what:
        return False
    return newest.status in _OPEN or image_there(session, team_id, pushed.what) is not None


def _is_full(session: Session, team_id: TeamId) -> bool:
    open_ = select(func.count()).where(Upload.team_id == team_id, Upload.status.in_(_OPEN))
    return (session.scalar(open_) or 0) >= UNFINISHED_PER_TEAM


def _was_said(session: Session, team_id: TeamId) -> bool:
    """Whether the team was told often enough of late that it has too many: each time is a row."""
    told = select(func.count()).where(
        Upload.team_id == team_id,
        Upload.code == ErrorCode.TOO_MANY_UPLOADS,
        Upload.created_at > func.now() - _SAID,
    )
    return (session.scalar(told) or 0) >= UNFINISHED_PER_TEAM
