"""What one screen says of a thing of each kind: facts, what belongs to it, and the commands that concern it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from shlex import quote
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.events import Subject
from contract.ids import (
    AgreementId,
    ChallengeId,
    DatasetId,
    ImageId,
    QuestionId,
    ReevaluationId,
    TeamId,
    TokenId,
    UploadId,
    UserId,
)
from server.accounts.models import Account, ApiToken
from server.admin import people
from server.admin import workers as run_workers
from server.admin.finding import Within
from server.agreements.models import Agreement
from server.challenges.models import Challenge
from server.datasets.models import Case, Dataset
from server.evaluations.models import Evaluation
from server.images.models import Image
from server.questions.models import Question
from server.reevaluations.models import Reevaluation
from server.submissions.models import Submission
from server.teams.models import Membership, Team
from server.uploads.models import Upload

RELATED = 10
"""Things that are listed beside one."""


@dataclass
class Sheet:
    """Facts by their heads, the ids of what belongs to it, and commands."""

    facts: dict[str, Any] = field(default_factory=dict)
    related: list[tuple[Subject, UUID]] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)

    def relate(self, subject: Subject, ids: Iterable[UUID | None]) -> None:
        """Adds what belongs to it."""
        self.related += [(subject, id_) for id_ in ids if id_ is not None]


def size(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count:,} bytes"


def team(session: Session, id_: UUID, within: Within) -> Sheet:
    """A team: who is in it, how it stands, and its latest submissions."""
    row = session.get_one(Team, TeamId(id_))
    slug = session.get_one(Challenge, row.challenge_id).slug
    (found,) = people.teams(session, only=row.id).items
    sheet = Sheet(
        {
            "challenge": slug,
            "stands": found.standing,
            "disqualified": row.disqualified,
            "disclaimer": row.disclaimer,
            "members": "\n".join(
                f"{member.name} <{member.email}>{', captain' if member.is_captain else ''}"
                for member in found.members
            ),
            "attempts": f"{found.spent} spent, {found.active} under way, {found.submissions} submissions",
        },
        acts=[
            f"proctor-admin submissions --challenge {slug} --team {quote(row.name)}",
            f"proctor-admin attempts {slug} {quote(row.name)}",
        ],
    )
    if row.merged_into is not None:
        sheet.relate(Subject.TEAM, [row.merged_into])
    latest = select(Submission.id).where(Submission.team_id == row.id).order_by(Submission.id.desc())
    sheet.relate(Subject.SUBMISSION, session.scalars(latest.limit(RELATED)))
    return sheet


def user(session: Session, id_: UUID, within: Within) -> Sheet:
    """A person and their teams, in the challenges that the asker may see."""
    row = session.get_one(Account, UserId(id_))
    facts = {"name": row.name, "address": row.email, "joined": row.created_at}
    if within is None:
        facts |= {"admin": "yes" if row.is_admin else None, "closed": row.closed_at, "why": row.closed_why}
    own = select(Membership.team_id).where(Membership.user_id == row.id).order_by(Membership.created_at)
    if within is not None:
        own = own.where(Membership.challenge_id.in_(within))
    sheet = Sheet(facts, acts=[f"proctor-admin people {quote(row.email)}"] if within is None else [])
    sheet.relate(Subject.TEAM, session.scalars(own))
    return sheet


def image(session: Session, id_: UUID, within: Within) -> Sheet:
    """An image, what its check found, and what ran it."""
    row = session.get_one(Image, ImageId(id_))
    facts = {
        "team": session.get_one(Team, row.team_id).name,
        "digest": row.digest,
        "size": f"{size(row.size)} in {len(row.facts.layers)} layers",
        "came": row.created_at,
        "removed": row.removed_at,
    }
    sheet = Sheet(facts)
    sheet.relate(Subject.UPLOAD, [row.upload_id])
    ran = select(Evaluation.id).where(Evaluation.image_id == row.id).order_by(Evaluation.id.desc())
    sheet.relate(Subject.EVALUATION, session.scalars(ran.limit(RELATED)))
    return sheet


def upload(session: Session, id_: UUID, within: Within) -> Sheet:
    """An archive: how far it came, and what its check said."""
    row = session.get_one(Upload, UploadId(id_))
    facts = {
        "team": session.get_one(Team, row.team_id).name,
        "file": row.filename,
        "sha256": row.sha256,
        "stands": row.status,
        "arrived": f"{size(row.offset)} of {size(row.length)}",
        "the team reads": row.message,
        "checked for": f"{row.check_seconds:.0f} s" if row.check_seconds else None,
    }
    sheet = Sheet(facts)
    sheet.relate(Subject.IMAGE, session.scalars(select(Image.id).where(Image.upload_id == row.id)))
    return sheet


def dataset(session: Session, id_: UUID, within: Within) -> Sheet:
    """A version of the cases, without their names."""
    row = session.get_one(Dataset, DatasetId(id_))
    slug = session.get_one(Challenge, row.challenge_id).slug
    cases = session.scalar(select(func.count()).where(Case.dataset_id == row.id))
    ran = session.scalar(select(func.count()).where(Evaluation.dataset_id == row.id))
    facts = {
        "of": f"{slug} {row.phase} {row.task}",
        "state": row.state,
        "cases": f"{cases:,}",
        "digest": row.digest,
        "imported by": row.imported_by,
        "evaluations": f"{ran:,}",
    }
    return Sheet(facts, acts=[f"proctor-admin datasets {slug}"])


def reevaluation(session: Session, id_: UUID, within: Within) -> Sheet:
    """A re-evaluation."""
    row = session.get_one(Reevaluation, ReevaluationId(id_))
    made = session.execute(
        select(Evaluation.status, func.count())
        .where(Evaluation.reevaluation_id == row.id)
        .group_by(Evaluation.status)
    )
    facts = {
        "mode": row.mode,
        "state": row.state,
        "why": row.why,
        "evaluations": ", ".join(f"{count} {status}" for status, count in made),
    }
    return Sheet(facts, acts=[f"proctor-admin reevaluation {row.id}"])


def question(session: Session, id_: UUID, within: Within) -> Sheet:
    """A question or an announcement."""
    row = session.get_one(Question, QuestionId(id_))
    slug = session.get_one(Challenge, row.challenge_id).slug
    facts = {
        "stands": row.status,
        "asked": row.text,
        "published": row.published,
        "answer": row.answer,
        "answered": row.answered_at,
    }
    sheet = Sheet(facts, acts=[f"proctor-admin questions {slug}"])
    sheet.relate(Subject.TEAM, [row.team_id])
    sheet.relate(Subject.SUBMISSION, [row.submission_id])
    return sheet


def agreement(session: Session, id_: UUID, within: Within) -> Sheet:
    """A version of a document."""
    row = session.get_one(Agreement, AgreementId(id_))
    slug = session.get_one(Challenge, row.challenge_id).slug
    facts = {
        "title": row.title,
        "document": f"{row.document}, version {row.number}",
        "digest": row.digest,
        "to be accepted before": row.before,
    }
    return Sheet(facts, acts=[f"proctor-admin agreements {slug}"])


def challenge(session: Session, id_: UUID, within: Within) -> Sheet:
    """A challenge and its phases."""
    row = session.get_one(Challenge, ChallengeId(id_))
    spec = row.spec
    facts: dict[str, Any] = {"title": spec.title, "file": spec.digest}
    for name, phase in spec.phases.items():
        dates = [f"opens {phase.opens:%Y-%m-%d %H:%M %Z}" if phase.opens else "no date"]
        dates += [f"closes {phase.closes:%Y-%m-%d %H:%M %Z}"] if phase.closes else []
        facts[f"phase {name}"] = ", ".join([*dates, *(["released"] if name in row.released else [])])
    return Sheet(facts, acts=[f"proctor-admin {act} {row.slug}" for act in ("datasets", "usage", "check")])


def worker(session: Session, id_: UUID, within: Within) -> Sheet:
    """A run worker's token."""
    row = run_workers.worker(session, TokenId(id_))
    did = f"{row.finished} finished, {row.handed_back} handed back, {row.abandoned} abandoned, {row.faulted} faulted"
    facts = {
        "slots": f"{row.slots_present} of {row.most_slots}",
        "seen": row.seen_at,
        "cases": f"{row.running} held, {did}",
        "gets no new case since": row.draining_since,
        "token revoked": row.revoked_at,
        "put away": row.retired_at,
        "warning": "; ".join(row.warnings),
    }
    verbs = ("workers", "drain-worker", "rotate-worker", "revoke-worker")
    return Sheet(facts, acts=[f"proctor-admin {verb} {quote(row.name)}" for verb in verbs])


def token(session: Session, id_: UUID, within: Within) -> Sheet:
    """A person's session or API token."""
    row = session.get_one(ApiToken, TokenId(id_))
    facts = {
        "kind": row.kind,
        "name": row.name,
        "scopes": ", ".join(row.scopes),
        "made": row.created_at,
        "expires": row.expires_at,
        "revoked": row.revoked_at,
    }
    sheet = Sheet(facts)
    sheet.relate(Subject.USER, [row.user_id])
    return sheet


SHEETS: dict[Subject, Callable[[Session, UUID, Within], Sheet]] = {
    Subject.AGREEMENT: agreement,
    Subject.CHALLENGE: challenge,
    Subject.DATASET: dataset,
    Subject.IMAGE: image,
    Subject.QUESTION: question,
    Subject.REEVALUATION: reevaluation,
    Subject.TEAM: team,
    Subject.TOKEN: token,
    Subject.UPLOAD: upload,
    Subject.USER: user,
    Subject.WORKER: worker,
}
"""Of all kinds but submissions, evaluations and cases, which `server.admin.runs` tells of."""
