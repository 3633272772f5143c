"""Amendments as they leave: who made them is not told, for nobody agreed to be named in public."""

from contract.phases import ORGANIZERS, AmendmentOut
from server.amendments.models import Amendment


def amendment_out(amendment: Amendment) -> AmendmentOut:
    """An amendment as everybody reads it."""
    return AmendmentOut.of(amendment, at=amendment.created_at, by=ORGANIZERS)
