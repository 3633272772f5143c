"""Public keys of receipts: shown to everybody, and known again where none was noted yet."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete

from evaluator.scoring import MetricReport
from evaluator.signing import verify
from server.database import unit_of_work
from server.errors import Conflict
from server.evaluations import receipts, scoring
from server.evaluations.receipt_keys import require_own_key
from server.evaluations.result_models import Receipt, ReceiptKey
from server.settings import Settings
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import report
from tests.server.test_leaderboard import scored
from tests.server.test_scoring_faults import claimed, in_scoring


def test_keys_are_noted_by_their_receipts_where_they_were_not_before_and_are_public(
    lab: Lab, team: Entrant, settings: Settings, nobody: httpx.Client, admin: Person
) -> None:
    evaluation = scored(lab, team, 0.9)
    statement = {"receipt": 1, "evaluation": evaluation}
    with unit_of_work(lab.sessions) as session:
        session.execute(delete(ReceiptKey))
        signature = receipts.sign(statement, settings)
        session.add(Receipt(evaluation_id=UUID(evaluation), statement=statement, signature=signature))
    unsound = scored(lab, team, 0.8)
    with unit_of_work(lab.sessions) as session:
        session.add(Receipt(evaluation_id=UUID(unsound), statement={"value": 1}, signature=signature))
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


@pytest.mark.parametrize("value", [0.1, -0.0, 1e16, -3e22, 1e300, 5e-324, 1.0, None])
def test_a_receipt_verifies_whatever_number_a_metric_gives(
    lab: Lab, team: Entrant, admin: Person, value: float | None
) -> None:
    evaluation = in_scoring(lab, team)
    reports = {"task5": report("task5", auroc=MetricReport(value=value))}
    auroc = {"metric": "auroc", "parameters": {"bound": value}, "code": "sha256:of another version"}
    kept = {"task5": {"metrics": {"auroc": auroc}}}
    claim = claimed(lab)
    assert claim is not None
    with unit_of_work(lab.sessions) as session:
        scoring.settle(session, *claim, reports, scored_with=kept, settings=lab.settings)
    given = admin.http.get(f"/admin/evaluations/{evaluation}/receipt").json()
    stored = given["statement"]["scores"]["task5"]["auroc"]
    assert (None if stored is None else float(stored)) == value
    assert verify(given["statement"], given["signature"], given["key"])
