"""Agreements as they leave."""

from contract.agreements import AgreementOut
from server.agreements.service import Asked


def agreement_out(asked: Asked) -> AgreementOut:
    """A version as everybody sees it."""
    return AgreementOut.of(asked.agreement, accepted_at=asked.accepted_at)
