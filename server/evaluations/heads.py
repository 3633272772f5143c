"""Heads of the audit chain as they leave: signed, as receipts are, so that whoever keeps one can show whose it is."""

from contract.audit import HeadOut
from server.audit.chain import Head
from server.evaluations.receipts import public_key, sign
from server.settings import Settings


def signed(head: Head, settings: Settings) -> HeadOut:
    """The head with the signature that `contract.audit` describes."""
    text = str(head)
    signature = sign({"audit": text}, settings)
    return HeadOut.of(head, text=text, signature=signature, public_key=public_key(settings))
