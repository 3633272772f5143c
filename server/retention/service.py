"""Deleting what a challenge does not need any more: a plan, carried out as it was seen, and a signed certificate."""

import hashlib
import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from contract.ids import CaseRunId
from contract.problems import ErrorCode
from contract.retention import CertificateOut, DeletionPlan, DeletionRules
from server import events
from server.accounts.principals import Organizer
from server.challenges.models import Challenge
from server.clock import now
from server.database import SessionFactory, unit_of_work
from server.datasets.current import lock
from server.errors import Conflict
from server.evaluations.models import CaseRun
from server.evaluations.receipts import sign
from server.ids import new_id
from server.images.models import Image
from server.retention.models import DeletionCertificate
from server.retention.plan import Chosen, choose, plan_out
from server.settings import Settings
from server.storage.sweep import Swept, discard
from server.teams.models import Team
from server.versions.service import drop

_AT_ONCE = 200


def plan(session: Session, challenge: Challenge, rules: DeletionRules, *, settings: Settings) -> DeletionPlan:
    """What would be deleted."""
    return plan_out(challenge, choose(session, challenge, rules, settings))


def begin(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    rules: DeletionRules,
    *,
    seen: str,
    why: str,
    settings: Settings,
) -> UUID:
    """Takes from the rows what the plan says; the id of the certificate, whose blobs `finish` removes.

    Raises:
        Conflict: the plan is not the one that was seen, or a backup is being made.
    """
    lock(session, challenge.id)
    settings.blobs.require_no_backup()
    _hold_images(session, challenge)
    chosen = choose(session, challenge, rules, settings)
    told = plan_out(challenge, chosen)
    if told.digest != seen:
        detail = (
            "Something else would be deleted now than was shown, and nothing was. Look at the plan again."
        )
        raise Conflict(ErrorCode.PLAN_CHANGED, detail)
    _forget(session, chosen)
    for dataset in chosen.datasets:
        drop(session, dataset, settings=settings, actor=organizer.actor)
    certificate = DeletionCertificate(id=new_id(), challenge_id=challenge.id, blobs=sorted(chosen.blobs))
    certificate.statement = {
        "deletion": 1,
        "certificate": str(certificate.id),
        "challenge": challenge.slug,
        "by": organizer.actor,
        "why": why,
        "plan": told.digest,
        "deleted": [item.model_dump(mode="json") for item in told.items],
    }
    session.add(certificate)
    what = ", ".join(f"{item.count} {item.kind}" for item in told.items) or "nothing"
    events.record(
        session,
        "challenge",
        challenge.id,
        actor=organizer.actor,
        what=f"deleted for good: {what}",
        why=why,
    )
    return certificate.id


def _hold_images(session: Session, challenge: Challenge) -> None:
    """Waits for submissions of images that are being taken, and has further ones wait, so that the plan sees all."""
    mine = select(Image.id).join(Team, Team.id == Image.team_id).where(Team.challenge_id == challenge.id)
    session.execute(mine.order_by(Image.id).with_for_update(of=Image)).all()


def _forget(session: Session, chosen: Chosen) -> None:
    for ids, forgotten in ((chosen.logs, {"log": None}), (sorted(chosen.outputs), {"output": None})):
        for start in range(0, len(ids), _AT_ONCE):
            some: Sequence[CaseRunId] = ids[start : start + _AT_ONCE]
            session.execute(
                update(CaseRun).where(CaseRun.id.in_(some)).values(**forgotten),
                execution_options={"synchronize_session": False},
            )
    for image in chosen.images:
        image.removed_at = func.now()
    session.flush()


def finish(sessions: SessionFactory, certificate_id: UUID, *, settings: Settings) -> CertificateOut:
    """Removes the blobs and signs what was removed; again is as good as once.

    Blobs that a row has come to name meanwhile stay, and so do all while a backup is being made: the hourly sweep
    takes what is left.
    """
    with unit_of_work(sessions) as session:
        blobs = session.get_one(DeletionCertificate, certificate_id).blobs
    gone = sorted(settings.blobs.sizes(blobs))
    swept = Swept()
    for start in range(0, len(gone), _AT_ONCE):
        swept += discard(sessions, settings.blobs, gone[start : start + _AT_ONCE], before=time.time())
    with unit_of_work(sessions) as session:
        row = session.get_one(DeletionCertificate, certificate_id, with_for_update=True)
        if row.signature is None:
            removed = sorted({*blobs} - settings.blobs.sizes(blobs).keys())
            row.statement = row.statement | {
                "at": now(session).isoformat(),
                "blobs": len(removed),
                "blobs_sha256": hashlib.sha256("\n".join(removed).encode()).hexdigest(),
                "bytes_of_blobs": swept.bytes,
                "left_to_the_sweep": len(blobs) - len(removed),
            }
            row.blobs, row.signature = [], sign(row.statement, settings)
        session.flush()
        return CertificateOut.of(row)


def unfinished(session: Session) -> Sequence[UUID]:
    """Certificates of deletions that were broken off before their blobs were removed."""
    return session.scalars(
        select(DeletionCertificate.id).where(DeletionCertificate.signature.is_(None))
    ).all()


def certificates(session: Session, challenge: Challenge, *, limit: int) -> list[CertificateOut]:
    """What was deleted of a challenge, the latest first."""
    mine = select(DeletionCertificate).where(DeletionCertificate.challenge_id == challenge.id)
    rows = session.scalars(mine.order_by(DeletionCertificate.id.desc()).limit(limit)).all()
    return [CertificateOut.of(row) for row in rows]
