"""Deliveries as they leave."""

from datetime import datetime

from contract.deliveries import DeliveryOut
from contract.statuses import DeliveryState
from server.deliveries.models import Delivery, Outcome


def delivery_out(delivery: Delivery, at: datetime) -> DeliveryOut:
    """One of them, as it stands at `at`: one whose score worker is not heard of any more waits for another."""
    held = delivery.lease_until is not None and delivery.lease_until > at
    lost = delivery.state is DeliveryState.WORKING and not held
    return DeliveryOut.of(
        delivery,
        delivery.outcome or Outcome(),
        asked_at=delivery.created_at,
        state=DeliveryState.WAITING if lost else delivery.state,
    )
