"""Deliveries as they leave."""

from contract.deliveries import DeliveryOut
from server.deliveries.models import Delivery, Outcome


def delivery_out(delivery: Delivery) -> DeliveryOut:
    """One of them, as it stands."""
    return DeliveryOut.of(delivery, delivery.outcome or Outcome(), asked_at=delivery.created_at)
