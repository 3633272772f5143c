"""Consignments as they leave."""

from datetime import datetime

from contract.consignments import ConsignmentOut
from contract.statuses import ConsignmentState
from server.consignments.models import Consignment, Outcome


def consignment_out(consignment: Consignment, at: datetime) -> ConsignmentOut:
    """One of them, as it stands at `at`: one whose score worker is not heard of any more waits for another."""
    held = consignment.lease_until is not None and consignment.lease_until > at
    lost = consignment.state is ConsignmentState.WORKING and not held
    return ConsignmentOut.of(
        consignment,
        consignment.outcome or Outcome(),
        asked_at=consignment.created_at,
        state=ConsignmentState.WAITING if lost else consignment.state,
    )
