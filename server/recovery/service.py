"""What is compared after a restore, and what is put right in it before anything starts."""

import hashlib
import json
from dataclasses import dataclass

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.statuses import CaseStatus, EvaluationStatus, UploadStatus
from evaluator.signing import verify
from server import events
from server.challenges.models import Challenge
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.receipt_keys import receipt_keys
from server.evaluations.result_models import Receipt
from server.evaluations.service import Claim, hand_back
from server.leaderboard import service as boards
from server.leaderboard.bases import case_counts, in_force
from server.leaderboard.views import tracks_out
from server.settings import Settings
from server.uploads.models import Upload
from server.uploads.service import reject

_DECIMALS = 12
_AT_ONCE = 100


@dataclass(frozen=True)
class Settled:
    """How much waits again, and how many uploads ended."""

    cases: int
    scorings: int
    uploads: int


def board_digests(session: Session) -> dict[str, str]:
    """A sha256 of each phase's boards, "challenge/phase": all values and places, also of what nobody sees yet."""
    found = {}
    for challenge in session.scalars(select(Challenge).order_by(Challenge.slug)):
        spec = challenge.spec
        for name in (name for name, phase in spec.phases.items() if phase.board != "none"):
            now = in_force(session, challenge, name)
            listed = boards.attempts(session, challenge, name, now, shown=False)
            tracks = tracks_out(spec, listed, decimals=_DECIMALS, cases=case_counts(session, now))
            told = json.dumps([track.model_dump(mode="json") for track in tracks], sort_keys=True)
            found[f"{challenge.slug}/{name}"] = hashlib.sha256(told.encode()).hexdigest()
    return found


def check_receipts(session: Session) -> tuple[int, list[EvaluationId]]:
    """How many receipts there are, and of which evaluations they verify with no key of this installation."""
    keys = [key.public_key for key in receipt_keys(session)]
    count, wrong = 0, []
    query = select(Receipt.evaluation_id, Receipt.statement, Receipt.signature)
    for evaluation, statement, signature in session.execute(query.execution_options(yield_per=_AT_ONCE)):
        count += 1
        if not any(verify(statement, signature, key) for key in keys):
            wrong.append(evaluation)
    return count, wrong


def settle(session: Session, settings: Settings, *, actor: str) -> Settled:
    """Puts back what was leased when the backup was made, which is nobody's fault, and ends uploads without a file."""
    held = select(CaseRun.id, CaseRun.claim_no).where(CaseRun.status == CaseStatus.RUNNING)
    cases = session.execute(held.order_by(CaseRun.evaluation_id, CaseRun.id)).all()
    for run in cases:
        hand_back(session, Claim(run.id, run.claim_no), actor=actor, settings=settings, why="restored")
    leased = Evaluation.status == EvaluationStatus.SCORING, Evaluation.scoring_lease_until.is_not(None)
    scorings = session.scalars(
        update(Evaluation).where(*leased).values(scoring_lease_until=None).returning(Evaluation.id)
    ).all()
    # What was pushed is in the registry still, and is fetched from there.
    sent = and_(Upload.status == UploadStatus.RECEIVING, Upload.pushed.is_(None))
    unfinished = or_(sent, Upload.status == UploadStatus.CHECKING)
    uploads = session.scalars(select(Upload).where(unfinished).with_for_update()).all()
    for upload in uploads:
        reject(session, upload, code="upload_expired", message=_UPLOAD_GONE)
    for key in receipt_keys(session)[:1]:  # of the installation there is no other row
        events.record(session, "receipt_key", key.id, actor=actor, what="restored from a backup")
    return Settled(len(cases), len(scorings), len(uploads))


_UPLOAD_GONE = (
    "The platform was restored from a backup, which holds no unfinished uploads. Send the archive again."
)
