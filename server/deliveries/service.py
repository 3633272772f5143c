"""Taking what organizers send, and the score worker's side of it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from contract.datasets import StagedOut
from contract.deliveries import DeliveryKind, RefusalOut
from contract.ids import DatasetId, DeliveryId
from contract.problems import ErrorCode
from contract.statuses import DeliveryState
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge
from server.database import after_commit
from server.deliveries.models import Delivery, Outcome
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
_UNDER_WAY = Delivery.state.in_((DeliveryState.WAITING, DeliveryState.WORKING))


@dataclass(frozen=True)
class Sent:
    """What was sent, and for what, as a `Delivery` has it."""

    kind: DeliveryKind
    phase: str
    task: str
    accept: bool
    dataset_id: DatasetId | None = None
    against_id: DatasetId | None = None
    case_name: str | None = None
    why: str | None = None


def require_room(session: Session, challenge: Challenge) -> None:
    """Raises NotNow where so much waits already that more would only fill the disk."""
    query = select(func.count()).where(Delivery.challenge_id == challenge.id, _UNDER_WAY)
    if (session.scalar(query) or 0) >= _MOST_WAITING:
        detail = f"{_MOST_WAITING} deliveries of {challenge.slug} wait for a score worker: is one running?"
        raise NotNow(ErrorCode.TOO_MANY_DELIVERIES, detail, seconds=_PAUSE)


def take(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    sent: Sent,
    *,
    delivery_id: DeliveryId,
    settings: Settings,
) -> Delivery:
    """Has a score worker make of what lies in the folder of `delivery_id` what the organizer wants.

    Raises:
        NotNow: see `require_room`.
    """
    require_room(session, challenge)
    delivery = Delivery(id=delivery_id, challenge_id=challenge.id, asked_by=organizer.actor, **vars(sent))
    session.add(delivery)
    session.flush()
    begin(session, "delivery", delivery_id, delivery.state, actor=organizer.actor, why=sent.why)
    after_commit(session, lambda: wake_checkers(settings.redis_url))
    return delivery


def found(session: Session, challenge: Challenge, observer: Observer, delivery_id: DeliveryId) -> Delivery:
    """The delivery with this id, of this challenge.

    Raises:
        NotFound: there is none.
    """
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.challenge_id != challenge.id:
        raise NotFound(ErrorCode.UNKNOWN_DELIVERY, f"No such files were sent for cases of {challenge.slug}.")
    return delivery


def claim(session: Session, only: DeliveryId | None = None) -> Delivery | None:
    """The one that has waited longest, or the `only` one that is meant, leased to the caller."""
    clock = func.clock_timestamp()
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < clock)
    query = select(Delivery).where(_UNDER_WAY, free)
    query = query if only is None else query.where(Delivery.id == only)
    query = query.order_by(Delivery.created_at, Delivery.id).limit(1).with_for_update(skip_locked=True)
    while (delivery := session.scalar(query)) is not None:
        if delivery.claim_no < _MOST_CLAIMS:
            delivery.claim_no += 1
            delivery.lease_until = clock + LEASE
            delivery.move_to(session, DeliveryState.WORKING, actor=PLATFORM)
            session.flush()
            return delivery
        _end(session, delivery, Outcome(refused=refusal(Conflict(ErrorCode.DELIVERY_LOST, _WITHOUT_A_WORD))))
        session.flush()
    return None


def renew(session: Session, delivery_id: DeliveryId, claim_no: int) -> None:
    """Keeps one for its score worker.

    Raises:
        Conflict: another has taken it.
    """
    _locked(session, delivery_id, claim_no).lease_until = func.clock_timestamp() + LEASE


def settle(
    session: Session,
    delivery_id: DeliveryId,
    claim_no: int,
    *,
    made: StagedOut | None = None,
    problem: Problem | None = None,
) -> None:
    """Stores what came of it; in the unit of work that makes a version, so that neither is without the other.

    Raises:
        Conflict: as `renew`.
    """
    delivery = _locked(session, delivery_id, claim_no)
    _end(session, delivery, Outcome(made=made, refused=None if problem is None else refusal(problem)))


def refusal(problem: Problem) -> RefusalOut:
    """A problem as the answer keeps it."""
    extra = {name: problem.extra.get(name, []) for name in ("errors", "warnings")}
    return RefusalOut(code=problem.code, title=problem.title, detail=problem.detail, **extra)


def _end(session: Session, delivery: Delivery, outcome: Outcome) -> None:
    state = DeliveryState.DONE if outcome.refused is None else DeliveryState.REFUSED
    code = None if outcome.refused is None else outcome.refused.code
    delivery.outcome, delivery.ended_at = outcome, func.clock_timestamp()
    delivery.move_to(session, state, actor=PLATFORM, code=code)


def forget(session: Session) -> None:
    """Forgets what came of those that ended a week ago: sentences about cases, which events do not hold either."""
    old = Delivery.ended_at < func.now() - KEPT
    session.execute(update(Delivery).where(old, Delivery.outcome.is_not(None)).values(outcome=None))


def is_under_way(session: Session, delivery_id: UUID) -> bool:
    """Whether its bytes are needed yet."""
    return bool(session.scalar(select(exists().where(Delivery.id == delivery_id, _UNDER_WAY))))


def is_held(session: Session, delivery_id: UUID, claim_no: int) -> bool:
    """Whether a score worker works on it under this claim."""
    leased = Delivery.lease_until > func.clock_timestamp()
    return bool(session.scalar(select(exists().where(*_claimed(delivery_id, claim_no), leased))))


def _claimed(delivery_id: UUID, claim_no: int) -> tuple[ColumnElement[bool], ...]:
    return Delivery.id == delivery_id, Delivery.claim_no == claim_no, Delivery.state == DeliveryState.WORKING


def _locked(session: Session, delivery_id: DeliveryId, claim_no: int) -> Delivery:
    query = select(Delivery).where(*_claimed(delivery_id, claim_no)).with_for_update()
    delivery = session.scalar(query, execution_options={"populate_existing": True})
    if delivery is None:
        raise Conflict(ErrorCode.DELIVERY_LOST, "This delivery is not yours to work off any more.")
    return delivery
