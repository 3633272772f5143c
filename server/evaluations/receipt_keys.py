"""The installation's secret key, known again by the public key of receipts that comes from it.

The database keeps every public key there was. So a lost secret key is noticed before anything is signed or named with
another one, and receipts of a key that was given up still verify.
"""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from evaluator.signing import verify
from server import events
from server.errors import Conflict
from server.evaluations.receipts import public_key
from server.evaluations.result_models import Receipt, ReceiptKey
from server.settings import Settings

_NEWEST = 20


def receipt_keys(session: Session) -> Sequence[ReceiptKey]:
    """Every public key that receipts were signed with, the one in use first."""
    return session.scalars(
        select(ReceiptKey).order_by(ReceiptKey.retired_at.desc().nulls_first(), ReceiptKey.id)
    ).all()


def key_of(session: Session, receipt: Receipt) -> str | None:
    """The public key that this receipt verifies with; None if it was changed, or its key is not known here."""
    keys = [key.public_key for key in receipt_keys(session)]
    return next((key for key in keys if verify(receipt.statement, receipt.signature, key)), None)


def require_own_key(session: Session, settings: Settings) -> None:
    """Notes the public key of the secret key at the first call, and from then on requires the same one.

    Raises:
        Conflict: the secret key is not the one of this installation.
    """
    own = public_key(settings)
    if not is_own_key(session, settings):
        raise Conflict(
            ErrorCode.OTHER_SECRET_KEY,
            "The secret key is not the one this installation works with: pseudonyms and the signatures of receipts "
            "come from it.",
        )
    session.execute(insert(ReceiptKey).values(public_key=own).on_conflict_do_nothing())


def is_own_key(session: Session, settings: Settings) -> bool:
    """Whether the secret key is this installation's, or there is none yet to compare it with."""
    own, present = public_key(settings), _present(session)
    if present is not None:
        return present == own
    newest = _newest(session)
    return not newest or any(verify(receipt.statement, receipt.signature, own) for receipt in newest)


def replace_key(session: Session, settings: Settings, *, actor: str) -> bool:
    """Goes on with another secret key: the present public key is retired, and its receipts still verify.

    Returns False, and changes nothing, if the key is the present one.
    """
    own = public_key(settings)
    if _present(session) == own:
        return False
    session.execute(update(ReceiptKey).where(ReceiptKey.retired_at.is_(None)).values(retired_at=func.now()))
    row = session.scalars(
        insert(ReceiptKey)
        .values(public_key=own)
        .on_conflict_do_update(index_elements=["public_key"], set_={"retired_at": None})
        .returning(ReceiptKey.id)
    ).one()
    events.record(
        session, "receipt_key", row, actor=actor, what="secret key replaced", why="asked for at the start"
    )
    return True


def _present(session: Session) -> str | None:
    return session.scalar(select(ReceiptKey.public_key).where(ReceiptKey.retired_at.is_(None)))


def _newest(session: Session) -> Sequence[Receipt]:
    """The last ones: before keys were noted, numbers from 1e16 and -0.0 were signed as no database gives them back."""
    return session.scalars(select(Receipt).order_by(Receipt.created_at.desc()).limit(_NEWEST)).all()
