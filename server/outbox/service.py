"""Putting messages into the outbox, in the unit of work that causes them: they leave if it lasts, and never else."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.ids import EndpointId, UserId
from contract.notices import Channel
from server.ids import new_id
from server.outbox.models import Delivery
from server.settings import Outgoing


def mail_is_set_up(settings: Outgoing) -> bool:
    """Whether this installation sends mail."""
    return settings.smtp_url is not None


def enqueue_mail(
    session: Session, *, to: str, subject: str, text: str, key: str, user_id: UserId | None = None
) -> None:
    """A mail that leaves once the unit of work has committed; a second one of the same `key` does not.

    subject: one line. user_id: whose it is, so that it goes with their account's row.
    """
    payload = {"subject": " ".join(subject.split()), "text": text}
    _enqueue(session, channel=Channel.MAIL, key=key, address=to, payload=payload, user_id=user_id)


def enqueue_webhook(session: Session, endpoint_id: EndpointId, *, payload: dict[str, Any], key: str) -> None:
    """A message to an endpoint; a second one of the same `key` does not leave."""
    _enqueue(session, channel=Channel.WEBHOOK, key=key, endpoint_id=endpoint_id, payload=payload)


def _enqueue(session: Session, **values: Any) -> None:
    session.execute(
        insert(Delivery).values(id=new_id(), **values).on_conflict_do_nothing(index_elements=["key"])
    )
