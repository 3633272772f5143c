"""An installation from before reports were stored whole: nothing is lost, and a score says what it lacks."""

import json
from array import array
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.orm import Session

from contract.statuses import EvaluationStatus
from evaluator.comparison import Entrant, compare_track
from evaluator.scoring import Report
from evaluator.spec import Challenge
from server.database import connect
from server.evaluations.reports import stored
from tests.server.seeded import season_reports
from tests.server.test_dataset_migration import alembic
from worker.embedded.postgres import Postgres

_EVALUATION = (
    "INSERT INTO evaluations (id, submission_id, challenge_id, team_id, spec_version_id, dataset_id, image_id, task,"
    " track, phase, priority, first_cases, cleared, needs_cpus, needs_memory, needs_gpus, needs_gpu_memory, status,"
    " scoring_claim, scoring_faults) VALUES (%(id)s, %(id)s, %(id)s, %(id)s, %(id)s, %(id)s, %(id)s, 'task1', 'open',"
    " 'validation', 0, 3, true, 1, 1, 0, 0, %(status)s, 1, 0)"
)
_SCORE = (
    "INSERT INTO scores (id, evaluation_id, board, metric, value, low, high, replicates, per_case)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


def keep(connection: psycopg.Connection, status: EvaluationStatus, reports: dict[str, Report]) -> UUID:
    """An evaluation as it was stored before, with scores and a receipt where it has reports."""
    evaluation = uuid4()
    connection.execute("SET session_replication_role = replica")  # what it belongs to does not matter here
    connection.execute(_EVALUATION, {"id": evaluation, "status": status.value})
    for board, report in reports.items():
        for name, metric in report.metrics.items():
            drawn = array("d", [float("nan") if one is None else one for one in metric.replicates]).tobytes()
            cases = list(report.per_case[name]) if name in report.per_case else None
            figures = [metric.value, metric.low, metric.high, drawn, cases]
            connection.execute(_SCORE, [uuid4(), evaluation, board, name, *figures])
    if reports:
        empty = {"metrics": None, "per_case": None}
        extras = {"dataset": "sha256:clf", "missing": 0, "sampling": "test-case sampling only"}
        slim = {
            board: {"board": board, "cases": report.cases, "rejected": None, "extras": extras} | empty
            for board, report in reports.items()
        }
        connection.execute(
            "INSERT INTO receipts (evaluation_id, statement, signature, reports) VALUES (%s, %s, 'signed', %s)",
            [evaluation, json.dumps({"receipt": 1}), json.dumps(slim)],
        )
    return evaluation


def test_what_was_stored_before_is_kept_and_says_what_it_lacks(
    embedded_postgres: Postgres, fomo26: Challenge
) -> None:
    name = f"before_{uuid4().hex[:8]}"
    url = embedded_postgres.url(name)
    with embedded_postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    alembic(url, "upgrade", "0011")
    reports = season_reports()
    outside = (
        reports["Bob"]["task1"].metrics["auroc"].model_copy(update={"value": 0.9, "low": 0.1, "high": 0.2})
    )
    reports["Bob"]["task1"] = reports["Bob"]["task1"].model_copy(update={"metrics": {"auroc": outside}})
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        scored = {team: keep(connection, EvaluationStatus.SCORED, found) for team, found in reports.items()}
        others = {status: keep(connection, status, {}) for status in EvaluationStatus}
    alembic(url, "upgrade", "head")
    engine = connect(url)
    with Session(engine) as session:
        found = stored(session, [*scored.values(), *others.values()])
        assert found.keys() == set(scored.values()), "evaluations without a score have no report"
        for team, evaluation in scored.items():
            assert found[evaluation].keys() == reports[team].keys()
            for board, report in found[evaluation].items():
                before = reports[team][board]
                assert (report.cases, report.per_case) == (before.cases, before.per_case)
                for key, metric in report.metrics.items():
                    old = before.metrics[key]
                    assert (metric.value, metric.low, metric.high) == (old.value, old.low, old.high)
                    assert metric.replicates == pytest.approx(old.replicates, abs=0, nan_ok=True)
                    assert (metric.influence, metric.interval_method) == (None, None)
                    assert (metric.lacks is None) is (metric.value is None)
        note = found[scored["Bob"]]["task1"].metrics["auroc"].interval_note
        assert note is not None
        assert note.startswith("The value lies outside its interval")
        entrants = [Entrant(team, found[evaluation]) for team, evaluation in scored.items()]
        compared = compare_track(fomo26.ranking, fomo26.boards, entrants)
        test = compared.boards["task1"].tests["auroc"]
        assert test.test is None
        assert "has to be scored again" in (test.reason or "")
        assert compared.boards["task2"].tests["dsc"].test == "paired permutation", "values per case were kept"
    engine.dispose()
    alembic(url, "downgrade", "0011")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT evaluation_id, reports FROM receipts").fetchall()
        statuses = connection.execute(
            "SELECT id, status FROM evaluations WHERE id = any(%s)", [[*others.values()]]
        )
        assert dict(statuses.fetchall()) == {one: status.value for status, one in others.items()}
    back = dict(rows)
    assert {team: set(back[evaluation]) for team, evaluation in scored.items()} == {
        team: set(found) for team, found in reports.items()
    }
    assert back[scored["Ada"]]["task1"]["metrics"] is None
    alembic(url, "upgrade", "head")
    with embedded_postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name}")
