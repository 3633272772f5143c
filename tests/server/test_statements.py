"""How the database plans what it is asked again and again."""

from sqlalchemy import select, text

from contract.statuses import CaseStatus
from server.database import SessionFactory
from server.evaluations.models import CaseRun
from server.ids import new_id

_OFTEN = 20
"""Times after which the driver has had a statement prepared, and the database would plan it for any values."""


def test_a_statement_is_planned_for_the_values_it_is_asked_with(sessions: SessionFactory) -> None:
    """Only so may it take an index of the rows of one status, however often it has been asked before."""
    waiting = select(CaseRun.id).where(
        CaseRun.evaluation_id == new_id(), CaseRun.status == CaseStatus.WAITING
    )
    kept = text("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE :text")
    with sessions() as session:
        for _ in range(_OFTEN):
            assert session.scalars(waiting).all() == []
        plans = session.execute(kept, {"text": "%FROM case_runs%"}).all()
    assert plans
    assert all(generic == 0 < custom for generic, custom in plans)
