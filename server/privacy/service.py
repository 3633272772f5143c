"""Everything that is kept of a person, in one answer."""

from typing import Any

from sqlalchemy import and_, inspect, or_, select
from sqlalchemy.orm import Session

from contract.ids import UserId
from contract.privacy import PersonalData
from contract.problems import ErrorCode
from server.accounts.models import Account
from server.clock import now
from server.errors import NotFound
from server.events import Event
from server.privacy.rows import rows

ACTS = 10_000
"""Log entries that are given out at most, the latest."""


def personal_data(session: Session, user_id: UserId) -> PersonalData:
    """Everything that is kept of a person.

    Raises:
        NotFound: there is no such account.
    """
    account = session.get(Account, user_id)
    if account is None:
        raise NotFound(ErrorCode.UNKNOWN_ACCOUNT, "There is no such account. GET /admin/users lists them.")
    columns = [column.key for column in inspect(Account).column_attrs if column.key != "password_hash"]
    return PersonalData(
        at=now(session),
        account={name: getattr(account, name) for name in columns},
        rows=rows(session, user_id),
        acts=_acts(session, user_id),
    )


def _acts(session: Session, user_id: UserId) -> list[dict[str, Any]]:
    mine = or_(Event.actor == f"user:{user_id}", and_(Event.subject == "user", Event.subject_id == user_id))
    shown = (Event.created_at, Event.subject, Event.subject_id, Event.what, Event.old, Event.new)
    found = session.execute(select(*shown).where(mine).order_by(Event.id.desc()).limit(ACTS))
    return [dict(row) for row in found.mappings()]
