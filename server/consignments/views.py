"""Consignments as they leave."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from contract.consignments import ConsignmentOut, ListedConsignmentOut
from contract.statuses import ConsignmentState
from server.accounts.called import called
from server.consignments.models import Consignment, Outcome


def listed_out(session: Session, found: Sequence[Consignment], at: datetime) -> list[ListedConsignmentOut]:
    """Several, without what came of them, which names cases."""
    names = called(session, (consignment.asked_by for consignment in found))
    return [
        ListedConsignmentOut.of(
            consignment,
            asked_at=consignment.created_at,
            asked_by_name=names.get(consignment.asked_by),
            state=_state(consignment, at),
        )
        for consignment in found
    ]


def consignment_out(consignment: Consignment, at: datetime) -> ConsignmentOut:
    """One of them, as it stands at `at`: one whose score worker is not heard of any more waits for another."""
    return ConsignmentOut.of(
        consignment,
        consignment.outcome or Outcome(),
        asked_at=consignment.created_at,
        state=_state(consignment, at),
    )


def _state(consignment: Consignment, at: datetime) -> ConsignmentState:
    held = consignment.lease_until is not None and consignment.lease_until > at
    lost = consignment.state is ConsignmentState.WORKING and not held
    return ConsignmentState.WAITING if lost else consignment.state
