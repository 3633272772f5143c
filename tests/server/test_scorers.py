"""Score workers that take some challenges alone: nothing is lost, and admins learn of what nobody takes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select, update

from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import unit_of_work
from server.evaluations import scorers
from server.evaluations.models import Evaluation
from server.evaluations.worker_models import ScoreWorker
from server.reference_submissions.service import claim as claim_reference
from server.settings import Settings
from server.wakeups import wake_score_workers
from tests.abuse.test_checks import until
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from tests.server.test_scoring_faults import in_scoring
from tests.server.test_scoring_worker import LABELS, write_references


@pytest.fixture
def other(lab: Lab, fomo26: Challenge) -> Lab:
    """A second challenge beside the lab's; no score worker was seen lately."""
    name = f"fomo-{uuid4().hex[:10]}"
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": name}), actor="tests")
        session.execute(delete(ScoreWorker))
    made = Lab(lab.sessions, lab.settings, name, lab.clients)
    made.dataset()
    return made


def own(settings: Settings, *challenges: str) -> Settings:
    """Settings of a score worker that takes these."""
    return settings.model_copy(update={"scores_challenges": challenges})


@contextmanager
def worker(lab: Lab, redis_url: str, log: Path, challenges: str) -> Iterator[None]:
    environment = os.environ | {
        "DATABASE_URL": lab.settings.database_url,
        "REDIS_URL": redis_url,
        "PROCTOR_DATA": str(lab.settings.data),
        "PROCTOR_SECRET_KEY": lab.settings.secret_key.get_secret_value(),
    }
    command = [sys.executable, "-m", "worker.score", "--name", log.stem, "--challenges", challenges]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        until(lambda: process.poll() is not None or b"score_worker_ready" in log.read_bytes(), "it is ready")
        assert process.poll() is None, log.read_text()[-2000:]
        yield
    finally:
        process.kill()
        process.wait()


def status(lab: Lab, evaluation: str) -> str:
    with unit_of_work(lab.sessions) as session:
        return str(session.scalars(select(Evaluation.status).where(Evaluation.id == UUID(evaluation))).one())


def test_two_workers_each_score_their_own_challenge_and_the_third_waits_for_one_that_takes_it(
    lab: Lab,
    other: Lab,
    person: Callable[[str], Person],
    fomo26: Challenge,
    admin: Person,
    redis_url: str,
    tmp_path: Path,
) -> None:
    third = Lab(lab.sessions, lab.settings, f"fomo-{uuid4().hex[:10]}", lab.clients)
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": third.slug}), actor="tests")
    third.dataset()
    labs = (lab, other, third)
    waiting = [in_scoring(one, one.entrant(person("Ada").http, f"Team {one.slug}")) for one in labs]
    for one, evaluation in zip(labs, waiting, strict=True):
        write_references(one, evaluation, LABELS)
    logs = [tmp_path / "one.log", tmp_path / "other.log", tmp_path / "all.log"]
    with ExitStack() as stack:
        for log, one in zip(logs[:2], labs, strict=False):
            stack.enter_context(worker(one, redis_url, log, one.slug))
        wake_score_workers(redis_url)
        until(lambda: status(lab, waiting[0]) == status(lab, waiting[1]) == "scored", "both are scored")
        assert [
            evaluation in log.read_text() for log, evaluation in zip(logs[:2], waiting, strict=False)
        ] == [
            True,
            True,
        ]
        assert status(lab, waiting[2]) == "scoring"
        (said,) = [line for line in admin.http.get("/admin/status").json()["to_do"] if third.slug in line]
        assert "1 evaluation waits for its scores, and no score worker that takes this challenge" in said
        stack.enter_context(worker(third, redis_url, logs[2], ""))
        wake_score_workers(redis_url)
        until(lambda: status(lab, waiting[2]) == "scored", "the third is scored")
    assert not any(third.slug in line for line in admin.http.get("/admin/status").json()["to_do"])


def test_doctor_names_what_no_worker_takes(lab: Lab, other: Lab, team: Entrant, command: Admin) -> None:
    def found() -> list[str]:
        told = json.loads(command("doctor", "--json").stdout)
        return [one["found"] for one in told if one["subject"] == "scoring"]

    assert found() == [], "nothing waits"
    in_scoring(lab, team)
    assert [line.partition(":")[0] for line in found()] == [lab.slug]
    with unit_of_work(lab.sessions) as session:
        scorers.announce(session, "score-1@here", [lab.slug])
    (line,) = found()
    assert line.startswith("No score worker that is there takes ")
    with unit_of_work(lab.sessions) as session:
        session.execute(update(ScoreWorker).values(seen_at=func.now() - 2 * scorers.PRESENT))
    assert [line.partition(":")[0] for line in found()] == [lab.slug], "it is gone"
    with unit_of_work(lab.sessions) as session:
        scorers.announce(session, "score-2@here", [])
    assert found() == []


def test_what_is_for_organizers_is_left_to_who_has_the_labels_too(
    lab: Lab, other: Lab, admin: Person
) -> None:
    answer = admin.http.post(f"/organize/{other.slug}/reference-submissions", json={})
    assert answer.status_code in (200, 201, 202), answer.text
    with unit_of_work(lab.sessions) as session:
        assert claim_reference(session, [lab.slug]) is None
        found = claim_reference(session, [lab.slug, other.slug])
        assert found is not None
        session.rollback()


@pytest.mark.parametrize("written", ["FOMO 26", "a,,b c", "x" * 41])
def test_a_name_that_is_none_is_refused_at_the_start(
    written: str, redis_url: str, settings: Settings
) -> None:
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": redis_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": "k" * 40,
    }
    command = [sys.executable, "-m", "worker.score", "--challenges", written]
    outcome = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("PROCTOR_SCORES_CHALLENGES: ")
