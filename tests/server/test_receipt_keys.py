"""Public keys of receipts: shown to everybody, and known again where none was noted yet."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete

from server.database import unit_of_work
from server.errors import Conflict
from server.evaluations import receipts
from server.evaluations.models import Receipt, ReceiptKey
from server.evaluations.receipt_keys import require_own_key
from server.settings import Settings
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.test_leaderboard import scored


def test_keys_are_noted_by_their_receipts_where_they_were_not_before_and_are_public(
    lab: Lab, team: Entrant, settings: Settings, nobody: httpx.Client, admin: Person
) -> None:
    evaluation = scored(lab, team, 0.9)
    statement = {"receipt": 1, "evaluation": evaluation}
    with unit_of_work(lab.sessions) as session:
        session.execute(delete(ReceiptKey))
        signature = receipts.sign(statement, settings)
        session.add(
            Receipt(evaluation_id=UUID(evaluation), statement=statement, signature=signature, reports={})
        )
    other = Settings.model_validate(
        {"data": settings.data, "secret_key": "o" * 40, "DATABASE_URL": settings.database_url}
    )
    with pytest.raises(Conflict, match="not the one"), unit_of_work(lab.sessions) as session:
        require_own_key(session, other)
    assert nobody.get("/receipts/keys").json() == []
    with unit_of_work(lab.sessions) as session:
        require_own_key(session, settings)
    (shown,) = nobody.get("/receipts/keys").json()
    assert shown["key"] == receipts.public_key(settings) == nobody.get("/receipts/key").json()["key"]
    assert (shown["algorithm"], shown["retired_at"]) == ("Ed25519", None)
    given = admin.http.get(f"/admin/evaluations/{evaluation}/receipt").json()
    assert (given["signature"], given["key"]) == (signature, shown["key"])
