"""Webhooks as they are shown."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from contract.notices import DeliveryStatus
from contract.webhooks import LastDelivery, WebhookOut, WebhookSecretOut
from server.outbox.models import Delivery
from server.webhooks.models import Endpoint
from server.webhooks.service import last_deliveries


def webhooks_out(session: Session, endpoints: Sequence[Endpoint]) -> list[WebhookOut]:
    """Each with its latest message."""
    last = last_deliveries(session, endpoints)
    return [WebhookOut.of(endpoint, last=_last(last.get(endpoint.id))) for endpoint in endpoints]


def webhook_out(session: Session, endpoint: Endpoint, *, secret: bool) -> WebhookSecretOut:
    """One; with `secret` what signs its messages, which nobody is shown again."""
    shown = endpoint.secret if secret else None
    last = last_deliveries(session, [endpoint]).get(endpoint.id)
    return WebhookSecretOut.of(endpoint, last=_last(last), secret=shown)


def _last(delivery: Delivery | None) -> LastDelivery | None:
    if delivery is None:
        return None
    waits = delivery.next_at if delivery.status is DeliveryStatus.QUEUED else None
    return LastDelivery.of(delivery, at=delivery.ended_at or delivery.created_at, next_at=waits)
