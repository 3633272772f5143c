"""What follows from a try: webhooks that take nothing are disabled, and whoever should know of it is told."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.notices import Audience, Channel, DeliveryStatus, NoticeKind
from server.challenges.models import Challenge
from server.clock import now
from server.notices.service import tell
from server.outbox.models import Delivery
from server.outbox.tries import LONGEST, Tried, note
from server.webhooks.models import Endpoint

_PATIENCE = timedelta(days=3)
"""So long a webhook may take nothing before it is disabled."""


def settle(
    session: Session,
    delivery: Delivery,
    tried: Tried,
    *,
    gone: bool = False,
    first_pause: timedelta | None = None,
) -> None:
    """Notes what came of a try, and what follows for its webhook or its address.

    gone: the receiver said that it wants nothing any more.
    """
    given_up = note(session, delivery, tried, **({} if first_pause is None else {"first_pause": first_pause}))
    if delivery.channel is Channel.WEBHOOK:
        _of_webhook(session, delivery, tried, gone=gone, given_up=given_up)
    elif given_up:
        tell(
            session,
            NoticeKind.DELIVERY_FAILED,
            Audience.ADMINS,
            title=f"A mail to {delivery.address} was given up",
            text=f"The mail server's answer: {tried.error}\nWhat it said stands in the person's notices.",
            about={"delivery": delivery.id},
            key=f"mail given up:{delivery.address}:{now(session):%Y-%m-%d}",
        )


def _of_webhook(session: Session, delivery: Delivery, tried: Tried, *, gone: bool, given_up: bool) -> None:
    endpoint = session.scalar(select(Endpoint).where(Endpoint.id == delivery.endpoint_id).with_for_update())
    if endpoint is None or endpoint.disabled_at is not None:
        return
    if tried.error is None:
        endpoint.failing_since = None
        return
    at = now(session)
    endpoint.failing_since = endpoint.failing_since or at
    if gone:
        _disable(session, endpoint, "Its receiver answered 410: it wants nothing any more.")
    elif at - endpoint.failing_since > _PATIENCE:
        _disable(session, endpoint, f"It took nothing for {_PATIENCE.days} days. Last: {tried.error}")
    elif given_up:
        hours = LONGEST // timedelta(hours=1)
        said = f"It did not take a message within {hours} hours. Last: {tried.error}"
        _tell_owner(session, endpoint, "A message to your webhook was given up", said)


def _disable(session: Session, endpoint: Endpoint, why: str) -> None:
    endpoint.disabled_at, endpoint.disabled_why = now(session), why
    waiting = select(Delivery).where(
        Delivery.endpoint_id == endpoint.id, Delivery.status == DeliveryStatus.QUEUED
    )
    for delivery in session.scalars(waiting.with_for_update(skip_locked=True)):
        note(session, delivery, Tried("The webhook is disabled.", final=True))
    _tell_owner(session, endpoint, "Your webhook is disabled", why)


def _tell_owner(session: Session, endpoint: Endpoint, title: str, why: str) -> None:
    owner = (
        Audience.TEAM
        if endpoint.team_id
        else Audience.ORGANIZERS
        if endpoint.challenge_id
        else Audience.ADMINS
    )
    challenge = None if endpoint.challenge_id is None else session.get_one(Challenge, endpoint.challenge_id)
    tell(
        session,
        NoticeKind.DELIVERY_FAILED,
        owner,
        title=title,
        text=f"{endpoint.url}\n{why}",
        challenge=challenge,
        team_id=endpoint.team_id,
        about={"webhook": endpoint.id},
        key=f"{title}:{endpoint.id}:{now(session):%Y-%m-%dT%H}",
    )
