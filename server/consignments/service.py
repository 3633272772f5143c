"""Taking what organizers send, and the score worker's side of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from contract.consignments import ConsignmentKind, RefusalOut
from contract.datasets import StagedOut
from contract.ids import ConsignmentId, DatasetId
from contract.problems import ErrorCode
from contract.statuses import ConsignmentState
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge
from server.challenges.service import of_these
from server.consignments.models import Consignment, Outcome
from server.database import after_commit
from server.datasets.models import Case, Dataset
from server.errors import Conflict, NotFound, NotNow, Problem
from server.events import PLATFORM
from server.moves import begin
from server.settings import Settings
from server.wakeups import wake_checkers

LEASE = timedelta(minutes=2)
"""For so long one is a score worker's, from each time that it renews it."""
KEPT = timedelta(days=7)
"""So long what came of one is told."""
_MOST_CLAIMS = 2
_MOST_WAITING = 20
_PAUSE = 60.0
_WITHOUT_A_WORD = (
    "Nothing was made: the score worker that had the files ended without a word, twice. Look at its log, and send "
    "them again."
)
_UNDER_WAY = Consignment.state.in_((ConsignmentState.WAITING, ConsignmentState.WORKING))


@dataclass(frozen=True)
class Sent:
    """What was sent, and for what, as a `Consignment` has it."""

    kind: ConsignmentKind
    phase: str
    task: str
    accept: bool
    dataset_id: DatasetId | None = None
    against_id: DatasetId | None = None
    case_name: str | None = None
    why: str | None = None


def require_room(session: Session, challenge: Challenge) -> None:
    """Raises NotNow where so much waits already that more would only fill the disk."""
    query = select(func.count()).where(Consignment.challenge_id == challenge.id, _UNDER_WAY)
    if (session.scalar(query) or 0) >= _MOST_WAITING:
        detail = f"{_MOST_WAITING} consignments of {challenge.slug} wait for a score worker: is one running?"
        raise NotNow(ErrorCode.TOO_MANY_CONSIGNMENTS, detail, seconds=_PAUSE)


def take(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    sent: Sent,
    *,
    consignment_id: ConsignmentId,
    settings: Settings,
) -> Consignment:
    """Has a score worker make of what lies in the folder of `consignment_id` what the organizer wants.

    Raises:
        NotNow: see `require_room`.
    """
    require_room(session, challenge)
    consignment = Consignment(
        id=consignment_id, challenge_id=challenge.id, asked_by=organizer.actor, **vars(sent)
    )
    session.add(consignment)
    session.flush()
    begin(session, "consignment", consignment_id, consignment.state, actor=organizer.actor, why=sent.why)
    after_commit(session, lambda: wake_checkers(settings.redis_url))
    return consignment


def found(
    session: Session, challenge: Challenge, observer: Observer, consignment_id: ConsignmentId
) -> Consignment:
    """The consignment with this id, of this challenge.

    Raises:
        NotFound: there is none.
    """
    consignment = session.get(Consignment, consignment_id)
    if consignment is None or consignment.challenge_id != challenge.id:
        raise NotFound(
            ErrorCode.UNKNOWN_CONSIGNMENT, f"No such files were sent for cases of {challenge.slug}."
        )
    return consignment


def listed(
    session: Session, challenge: Challenge, *, before: ConsignmentId | None, limit: int
) -> Sequence[Consignment]:
    """Up to `limit` consignments of a challenge, newest first, those before `before` where it is given."""
    query = select(Consignment).where(Consignment.challenge_id == challenge.id)
    query = query if before is None else query.where(Consignment.id < before)
    return session.scalars(query.order_by(Consignment.id.desc()).limit(limit)).all()


def outcome_of(session: Session, challenge: Challenge, dataset: Dataset) -> StagedOut | None:
    """What was said of a version when it was made of what somebody sent, as long as that is told; None elsewhere."""
    same = Consignment.phase == dataset.phase, Consignment.task == dataset.task
    query = select(Consignment).where(Consignment.challenge_id == challenge.id, *same)
    done = query.where(Consignment.state == ConsignmentState.DONE, Consignment.outcome.is_not(None))
    for consignment in session.scalars(done.order_by(Consignment.id.desc()).limit(_MOST_WAITING)):
        made = None if consignment.outcome is None else consignment.outcome.made
        if made is not None and made.id == str(dataset.id):
            return made
    return None


def case_name(session: Session, dataset: Dataset, case: str) -> str:
    """The name of the case that is meant by its id; whatever is no id of a case of this version stays as it is."""
    try:
        found = session.get(Case, UUID(case))
    except ValueError:
        return case
    return found.name if found is not None and found.dataset_id == dataset.id else case


def claim(
    session: Session, only: ConsignmentId | None = None, challenges: Collection[str] = ()
) -> Consignment | None:
    """The one that has waited longest, or the `only` one that is meant, leased to the caller.

    Of these `challenges` alone where some are named, unless one is meant.
    """
    clock = func.clock_timestamp()
    free = or_(Consignment.lease_until.is_(None), Consignment.lease_until < clock)
    query = select(Consignment).where(_UNDER_WAY, free)
    meant = of_these(Consignment.challenge_id, challenges) if only is None else Consignment.id == only
    query = query.where(meant)
    query = query.order_by(Consignment.created_at, Consignment.id).limit(1).with_for_update(skip_locked=True)
    while (consignment := session.scalar(query)) is not None:
        if consignment.claim_no < _MOST_CLAIMS:
            consignment.claim_no += 1
            consignment.lease_until = clock + LEASE
            consignment.move_to(session, ConsignmentState.WORKING, actor=PLATFORM)
            session.flush()
            return consignment
        _end(
            session,
            consignment,
            Outcome(refused=refusal(Conflict(ErrorCode.CONSIGNMENT_LOST, _WITHOUT_A_WORD))),
        )
        session.flush()
    return None


def renew(session: Session, consignment_id: ConsignmentId, claim_no: int) -> None:
    """Keeps one for its score worker.

    Raises:
        Conflict: another has taken it.
    """
    _locked(session, consignment_id, claim_no).lease_until = func.clock_timestamp() + LEASE


def settle(
    session: Session,
    consignment_id: ConsignmentId,
    claim_no: int,
    *,
    made: StagedOut | None = None,
    problem: Problem | None = None,
) -> None:
    """Stores what came of it; in the unit of work that makes a version, so that neither is without the other.

    Raises:
        Conflict: as `renew`.
    """
    consignment = _locked(session, consignment_id, claim_no)
    _end(session, consignment, Outcome(made=made, refused=None if problem is None else refusal(problem)))


def refusal(problem: Problem) -> RefusalOut:
    """A problem as the answer keeps it."""
    extra = {name: problem.extra.get(name, []) for name in ("errors", "warnings")}
    return RefusalOut(code=problem.code, title=problem.title, detail=problem.detail, **extra)


def _end(session: Session, consignment: Consignment, outcome: Outcome) -> None:
    state = ConsignmentState.DONE if outcome.refused is None else ConsignmentState.REFUSED
    code = None if outcome.refused is None else outcome.refused.code
    consignment.outcome, consignment.ended_at = outcome, func.clock_timestamp()
    consignment.move_to(session, state, actor=PLATFORM, code=code)


def forget(session: Session) -> None:
    """Forgets what came of those that ended a week ago: sentences about cases, which events do not hold either."""
    old = Consignment.ended_at < func.now() - KEPT
    session.execute(update(Consignment).where(old, Consignment.outcome.is_not(None)).values(outcome=None))


def is_under_way(session: Session, consignment_id: UUID) -> bool:
    """Whether its bytes are needed yet."""
    return bool(session.scalar(select(exists().where(Consignment.id == consignment_id, _UNDER_WAY))))


def is_held(session: Session, consignment_id: UUID, claim_no: int) -> bool:
    """Whether a score worker works on it under this claim."""
    leased = Consignment.lease_until > func.clock_timestamp()
    return bool(session.scalar(select(exists().where(*_claimed(consignment_id, claim_no), leased))))


def _claimed(consignment_id: UUID, claim_no: int) -> tuple[ColumnElement[bool], ...]:
    return (
        Consignment.id == consignment_id,
        Consignment.claim_no == claim_no,
        Consignment.state == ConsignmentState.WORKING,
    )


def _locked(session: Session, consignment_id: ConsignmentId, claim_no: int) -> Consignment:
    query = select(Consignment).where(*_claimed(consignment_id, claim_no)).with_for_update()
    consignment = session.scalar(query, execution_options={"populate_existing": True})
    if consignment is None:
        raise Conflict(ErrorCode.CONSIGNMENT_LOST, "This consignment is not yours to work off any more.")
    return consignment
