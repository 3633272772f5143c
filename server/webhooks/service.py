"""Adding, trying and removing webhooks: of a team, of a challenge's organizers, or of the admins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Self

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from contract.ids import ChallengeId, EndpointId, TeamId, UserId
from contract.notices import DeliveryStatus, NoticeKind, is_told
from contract.problems import ErrorCode
from contract.webhooks import KEEPS_HOURS, MOST, TEST, WebhookAct
from server import events
from server.accounts.principals import Operator, User
from server.clock import now
from server.errors import Conflict, NotFound, Unprocessable
from server.outbox.models import OutboxMessage
from server.outbox.service import enqueue_webhook
from server.webhooks.addresses import target_of
from server.webhooks.models import Endpoint
from server.webhooks.signing import new_secret


@dataclass(frozen=True)
class Owner:
    """Whose webhooks are meant, by somebody who may decide about them: a team's, a challenge's, or the admins'."""

    actor: str
    made_by: UserId | None
    team_id: TeamId | None = None
    challenge_id: ChallengeId | None = None

    @classmethod
    def of(
        cls, user: User, *, team_id: TeamId | None = None, challenge_id: ChallengeId | None = None
    ) -> Self:
        """`user` as one who decides; whoever calls this has made sure of it."""
        made_by = None if isinstance(user, Operator) else user.id
        return cls(user.actor, made_by, team_id, challenge_id)

    def is_told(self, kind: NoticeKind) -> bool:
        """Whether a kind ever concerns the owner."""
        return is_told(kind, team=self.team_id is not None, challenge=self.challenge_id is not None)

    @property
    def own(self) -> ColumnElement[bool]:
        """Whether a webhook is the owner's."""
        return and_(
            Endpoint.team_id.is_not_distinct_from(self.team_id),
            Endpoint.challenge_id.is_not_distinct_from(self.challenge_id),
        )


def listed(session: Session, owner: Owner) -> Sequence[Endpoint]:
    """The owner's webhooks, the oldest first."""
    return session.scalars(select(Endpoint).where(owner.own).order_by(Endpoint.id)).all()


def last_deliveries(session: Session, endpoints: Sequence[Endpoint]) -> dict[EndpointId, OutboxMessage]:
    """The latest message to each that was tried, or else that waits."""
    rows = session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.endpoint_id.in_([endpoint.id for endpoint in endpoints]))
        .ext(distinct_on(OutboxMessage.endpoint_id))
        .order_by(
            OutboxMessage.endpoint_id, (OutboxMessage.attempts > 0).desc(), OutboxMessage.created_at.desc()
        )
    )
    return {row.endpoint_id: row for row in rows if row.endpoint_id is not None}


def add(session: Session, owner: Owner, *, url: str, kinds: Sequence[NoticeKind], private: bool) -> Endpoint:
    """A webhook with a secret of its own. private: addresses of this network are allowed.

    Raises:
        Unprocessable: nothing can be sent to this address, or the owner is never told of such a kind.
        Conflict: there are as many as there may be, or one of this address.
    """
    try:
        target_of(url, private=private)
    except ValueError as error:
        raise Unprocessable(ErrorCode.WEBHOOK_ADDRESS, str(error)) from None
    unheard = [kind for kind in kinds if not owner.is_told(kind)]
    if unheard:
        raise Unprocessable(
            ErrorCode.WEBHOOK_KIND,
            f"Those whose webhook this is are never told of {', '.join(unheard)}: leave it out.",
        )
    present = session.scalars(select(Endpoint.url).where(owner.own).with_for_update()).all()
    if url in present:
        raise Conflict(
            ErrorCode.WEBHOOK_EXISTS,
            "There is a webhook with this address already. For other kinds, remove it first.",
        )
    if len(present) >= MOST:
        raise Conflict(ErrorCode.TOO_MANY_WEBHOOKS, f"There are {MOST} webhooks already. Remove one first.")
    endpoint = Endpoint(
        team_id=owner.team_id,
        challenge_id=owner.challenge_id,
        made_by=owner.made_by,
        url=url,
        kinds=[kind.value for kind in dict.fromkeys(kinds)],
        secret=new_secret(),
    )
    session.add(endpoint)
    session.flush()
    session.refresh(endpoint)
    events.record(session, "webhook", endpoint.id, actor=owner.actor, what="added")
    return endpoint


def remove(session: Session, owner: Owner, endpoint_id: EndpointId) -> None:
    """Removes a webhook with all that waits for it.

    Raises:
        NotFound: the owner has no such webhook.
    """
    session.delete(_get(session, owner, endpoint_id))
    events.record(session, "webhook", endpoint_id, actor=owner.actor, what="removed")


def act(session: Session, owner: Owner, endpoint_id: EndpointId, wanted: WebhookAct) -> Endpoint:
    """Tries a webhook, gives it another secret, or sends to it again. Of tries one waits at most.

    Raises:
        NotFound: the owner has no such webhook.
        Conflict: it is disabled, and is to be tried.
    """
    endpoint, at = _get(session, owner, endpoint_id), now(session)
    match wanted:
        case WebhookAct.TEST:
            if endpoint.disabled_at is not None:
                raise Conflict(
                    ErrorCode.WEBHOOK_DISABLED, f"It is disabled: {endpoint.disabled_why} Enable it first."
                )
            if _is_being_tried(session, endpoint):
                return endpoint
            moment = at.astimezone(UTC).isoformat()
            payload = {"type": TEST, "timestamp": moment, "data": {"webhook": str(endpoint.id)}}
            enqueue_webhook(session, endpoint.id, payload=payload, key=f"test:{endpoint.id}:{moment}")
            return endpoint
        case WebhookAct.ROTATE:
            endpoint.old_secret, endpoint.secret = endpoint.secret, new_secret()
            endpoint.old_secret_until = at + timedelta(hours=KEEPS_HOURS)
        case WebhookAct.ENABLE:
            endpoint.disabled_at = endpoint.disabled_why = endpoint.failing_since = None
    what = {WebhookAct.ROTATE: "secret replaced", WebhookAct.ENABLE: "enabled"}[wanted]
    events.record(session, "webhook", endpoint.id, actor=owner.actor, what=what)
    return endpoint


def _is_being_tried(session: Session, endpoint: Endpoint) -> bool:
    waits = OutboxMessage.endpoint_id == endpoint.id, OutboxMessage.status == DeliveryStatus.QUEUED
    return bool(session.scalar(select(exists().where(*waits, OutboxMessage.key.startswith("test:")))))


def _get(session: Session, owner: Owner, endpoint_id: EndpointId) -> Endpoint:
    found = session.scalar(select(Endpoint).where(Endpoint.id == endpoint_id, owner.own).with_for_update())
    if found is None:
        raise NotFound(ErrorCode.UNKNOWN_WEBHOOK, "There is no such webhook. The list has those there are.")
    return found
