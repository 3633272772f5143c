"""Images that carry hidden inputs out: by the way they fail, by how long they take, by failing again and again.

An image can turn what it reads into an exit code, a wrong output, a sleep, or nothing at all. What its team then sees
is one class of failure, on a grid of moments, so many times a week and no more.
"""

import random
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import BindParameter, DateTime, func, literal, select, update

from evaluator.scoring import MetricReport
from evaluator.spec import Challenge
from evaluator.verdicts import CLASSES
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.evaluations import scoring, ticks
from server.evaluations.models import Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.queue.places import PLACES
from server.settings import Settings
from tests.abuse.failures import aged, fail
from tests.server.lab import Entrant, Json, Lab
from tests.server.seeded import report

SEED = 20260
_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
ONLY_OF_THIS_ONE = ("id", "image", "created_at", "finished_at")
"""What differs between any two evaluations, whatever they ran on."""


def seen(team: Entrant, evaluation: str) -> tuple[Json, list[str]]:
    """An evaluation without what differs between any two, and its keys in their order."""
    found = team.evaluation(evaluation)
    return {key: value for key, value in found.items() if key not in ONLY_OF_THIS_ONE}, list(found)


def test_two_runs_that_differ_in_hidden_data_differ_in_one_class_alone(lab: Lab, team: Entrant) -> None:
    rng, told = random.Random(SEED), {}  # noqa: S311 - to repeat, not to hide
    verdicts = [(one.partition(":")[0], one.partition(":")[2] or None) for one in CLASSES]
    for _ in range(8):
        drawn = rng.choices(verdicts, k=3)
        evaluation = team.submit()
        fail(lab, drawn)
        answer, order = seen(team, evaluation)
        failure = answer.pop("failure")
        names = [fault if check is None else f"{fault}:{check}" for fault, check in drawn]
        assert failure == min(set(names), key=lambda one: (-names.count(one), CLASSES.index(one)))
        answer["reason"] = answer["reason"].partition(failure)[0]
        told[failure] = (answer, order)
    assert len(told) > 3
    first = next(iter(told.values()))
    assert all(one == first for one in told.values()), "nothing but the class and its sentence"
    assert first[0]["verdicts"] == {}
    assert first[0]["reason"] == "The first 3 cases failed, most often by "


def test_three_failures_of_three_classes_tell_the_first_of_a_fixed_order(lab: Lab, team: Entrant) -> None:
    answers = []
    for order in (("output_invalid", "timeout", "exit_code"), ("timeout", "exit_code", "output_invalid")):
        evaluation = team.submit()
        fail(lab, [(one, "finite" if one == "output_invalid" else None) for one in order])
        answers.append(seen(team, evaluation))
    assert answers[0] == answers[1]
    assert answers[0][0]["failure"] == "exit_code"


def test_failures_in_a_row_and_too_much_time_tell_no_more(lab: Lab, team: Entrant, fomo26: Challenge) -> None:
    limits = fomo26.limits_of("task5").model_copy(
        update={"stop_after_failures_in_a_row": 4, "first_cases": 1}
    )
    tasks = fomo26.tasks | {"task5": fomo26.tasks["task5"].model_copy(update={"limits": limits})}
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "tasks": tasks}), actor="tests")
    lab.dataset(cases=12)
    evaluation, worker = team.submit(), lab.worker()
    assert worker.finish(worker.take()).status_code == 204
    fail(lab, [("timeout", None), ("exit_code", None), ("timeout", None), ("output_invalid", "finite")])
    answer, _ = seen(team, evaluation)
    assert (answer["status"], answer["reason_code"]) == ("rejected", "failures_in_a_row")
    assert (answer["failure"], answer["verdicts"]) == ("timeout", {})
    assert "exit_code" not in answer["reason"]
    assert "finite" not in answer["reason"]


def test_a_rejected_run_of_embeddings_tells_neither_counts_nor_widths(
    lab: Lab, team: Entrant, settings: Settings
) -> None:
    evaluation, worker = team.submit(), lab.worker()
    worker.drain()
    words = "The embeddings of a run must all have the same width, but these have 51966 (1 cases), 47806 (4 cases)."
    with unit_of_work(lab.sessions) as session:
        claimed = scoring.claim(session)
        assert claimed is not None
        claim = claimed.id, claimed.scoring_claim_no
        scoring.settle(session, *claim, {"b": report("b", rejected=words)}, scored_with={}, settings=settings)
    answer, _ = seen(team, evaluation)
    assert (answer["status"], answer["failure"]) == ("rejected", "output_invalid:equal_width")
    assert "51966" not in answer["reason"]
    assert answer["verdicts"] == {}


def test_cancelling_is_no_way_to_learn_what_came_of_the_cases(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    worker.finish(worker.take(), fault="timeout")
    worker.finish(worker.take())
    answer = team.http.post(f"/evaluations/{evaluation}/cancel").json()
    assert (answer["status"], answer["verdicts"], answer["failure"]) == ("cancelled", {}, None)
    assert answer["progress"] == 10


def test_no_answer_holds_an_id_or_a_date_that_was_made_when_something_ended(lab: Lab, team: Entrant) -> None:
    submission = team.post("task5").json()
    evaluation = submission["evaluations"][0]["id"]
    fail(lab, [("timeout", None)] * 2)
    time.sleep(0.005)  # ids hold their milliseconds
    before_it_ended = time.time()
    fail(lab, [("timeout", None)])
    assert team.evaluation(evaluation)["status"] == "rejected"
    paths = (
        f"/evaluations/{evaluation}",
        f"/submissions/{submission['id']}",
        f"/challenges/{lab.slug}/submissions",
        f"/challenges/{lab.slug}/quota",
        f"/challenges/{lab.slug}/leaderboards/validation",
        f"/challenges/{lab.slug}/leaderboards/validation.csv",
    )
    for path in paths:
        answer = team.http.get(path)
        assert answer.status_code == 200, answer.text
        assert "Last-Modified" not in answer.headers, path
        made = {one: (UUID(one).int >> 80) / 1000 for one in re.findall(_ID, answer.text)}
        assert all(moment < before_it_ended for moment in made.values()), (path, made)


def test_every_time_that_depends_on_a_container_is_on_the_grid(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    fail(lab, [("timeout", None)] * 3)
    ended = datetime.fromisoformat(team.evaluation(evaluation)["finished_at"])
    assert ended.timestamp() % ticks.TICK_SECONDS == 0
    with unit_of_work(lab.sessions) as session:
        exact = session.get_one(Evaluation, UUID(evaluation)).finished_at
    assert exact is not None
    assert timedelta(0) <= ended - exact < timedelta(seconds=ticks.TICK_SECONDS)


def test_the_grid_never_shows_later_what_came_earlier_and_is_the_same_in_the_database(
    sessions: SessionFactory,
) -> None:
    rng = random.Random(SEED)  # noqa: S311 - to repeat, not to hide
    began = datetime(2026, 11, 3, 7, 11, 13, 123456, tzinfo=UTC)
    events = sorted(began + timedelta(seconds=rng.uniform(0, 10 ** rng.uniform(0, 6))) for _ in range(300))
    shown = [ticks.shown_at(began, one) for one in events]
    assert shown == sorted(shown)
    waits = [(one - event).total_seconds() for one, event in zip(shown, events, strict=True)]
    for wait, event in zip(waits, events, strict=True):
        allowed = max(ticks.TICK_SECONDS, (event - began).total_seconds() / 8)
        assert 0 <= wait <= min(allowed, ticks.LONGEST_SECONDS)
    with sessions() as session:
        session.info.clear()
        for event, at in list(zip(events, shown, strict=True))[::25]:
            stamp = ticks.is_shown(session, _moment(event), began=_moment(began), at=_moment(at))
            before = _moment(at - timedelta(microseconds=1))
            early = ticks.is_shown(session, _moment(event), began=_moment(began), at=before)
            assert session.execute(select(stamp, early)).one() == (True, False), event


def _moment(at: datetime) -> BindParameter[datetime]:
    return literal(at, DateTime(timezone=True))


@pytest.fixture
def held(sessions: SessionFactory) -> Iterator[None]:
    """The server holds ends back, as every server does but that of tests, and looks at the queue for each answer."""
    known = dict(sessions.kw["info"])
    looked = {name: value for name, value in known.items() if name != PLACES}
    sessions.configure(info=looked | {ticks.AT_ONCE: False})
    yield
    sessions.configure(info=known)


def freshly(lab: Lab, evaluation: str, seconds: float = 600) -> None:
    """Everything that happened to the evaluation happened at this moment, so long after it was submitted."""
    with unit_of_work(lab.sessions) as session:
        moment = {
            Evaluation.created_at: func.clock_timestamp() - timedelta(seconds=seconds),
            Evaluation.started_at: func.clock_timestamp(),
            Evaluation.finished_at: func.clock_timestamp(),
        }
        session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(moment))


def test_an_end_shows_nowhere_before_its_moment(lab: Lab, team: Entrant, held: None) -> None:
    assert lab.worker().lease() is None, "a slot is there, so nothing is to be said of one"
    evaluation = team.submit()
    before, quota = team.evaluation(evaluation), team.quota()
    fail(lab, [("timeout", None)] * 3)
    freshly(lab, evaluation)
    after = team.evaluation(evaluation)
    assert {**after, "created_at": 0} == {**before, "created_at": 0}
    assert after["status"] == "queued", "not even that it began"
    assert team.quota() == quota
    aged(lab, evaluation, 60)
    later = team.evaluation(evaluation)
    assert (later["status"], later["failure"]) == ("rejected", "timeout")
    assert team.quota()["rejected"] == 1


def test_an_end_on_public_cases_counts_at_once(
    lab: Lab, team: Entrant, fomo26: Challenge, held: None
) -> None:
    phase = fomo26.phases["sanity"]
    attempts = phase.attempts.model_copy(update={"rejected_per_week": 3})
    phases = fomo26.phases | {"sanity": phase.model_copy(update={"attempts": attempts})}
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "phases": phases}), actor="tests")
    lab.dataset(phase="sanity", cases=3)
    evaluation = team.submit(phase="sanity")
    fail(lab, [("timeout", None)] * 3)
    freshly(lab, evaluation)
    assert team.evaluation(evaluation)["status"] == "rejected"
    assert team.quota(phase="sanity")["rejected"] == 1


def test_a_score_shows_on_no_board_before_its_moment(
    lab: Lab, team: Entrant, held: None, settings: Settings
) -> None:
    evaluation = team.submit()
    lab.worker().drain()
    board = f"/challenges/{lab.slug}/leaderboards/validation"

    def entries() -> list[Json]:
        tracks = team.http.get(board).json()["tracks"]
        return [
            one for track in tracks for kind in track["boards"] for one in kind["entries"] + kind["otherwise"]
        ]

    with unit_of_work(lab.sessions) as session:
        claimed = scoring.claim(session)
        assert claimed is not None
        metric = MetricReport(value=0.5, low=0.4, high=0.6, replicates=(0.5,))
        reports = {
            name: report(name, **dict.fromkeys(one.metrics, metric))
            for name, one in claimed.spec_version.spec.boards_of("task5").items()
        }
        with_ = scoring.bases(claimed.spec_version.spec, "task5")
        scoring.settle(
            session, claimed.id, claimed.scoring_claim_no, reports, scored_with=with_, settings=settings
        )
    freshly(lab, evaluation)
    hidden = team.evaluation(evaluation)
    assert (hidden["status"], hidden["scores"], entries()) == ("queued", {}, [])
    assert (team.quota()["spent"], team.quota()["reserved"]) == (0, 1)
    aged(lab, evaluation, 60)
    assert team.evaluation(evaluation)["status"] == "scored"
    assert entries()
    assert (team.quota()["spent"], team.quota()["reserved"]) == (1, 0)


def test_progress_on_hidden_cases_moves_in_quarters(lab: Lab, team: Entrant, held: None) -> None:
    lab.dataset(cases=20)
    evaluation, worker = team.submit(), lab.worker()
    reached = set()
    for _ in range(20):
        worker.finish(worker.take())
        aged(lab, evaluation, 100)
        reached.add(team.evaluation(evaluation)["progress"])
    assert reached - {10} == {0, 2, 5, 7}
    aged(lab, evaluation, ticks.LONGEST_SECONDS)
    assert team.evaluation(evaluation)["progress"] == 10


def test_what_is_put_back_into_the_queue_is_shown_as_queued(lab: Lab, team: Entrant, held: None) -> None:
    evaluation, worker = team.submit(), lab.worker()
    lease = worker.take()
    aged(lab, evaluation, 60)
    assert team.evaluation(evaluation)["status"] == "running"
    assert worker.release(lease) == 204
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(status="queued"))
    assert (team.evaluation(evaluation)["status"], team.evaluation(evaluation)["progress"]) == ("queued", 0)


def test_a_withdrawal_is_answered_alike_whether_it_goes_on_or_has_ended_unseen(
    lab: Lab, team: Entrant, held: None
) -> None:
    assert lab.worker().lease() is None
    ended = team.submit()
    fail(lab, [("timeout", None)] * 3)
    lab.dataset("task1")
    going = team.submit("task1")
    for evaluation in (ended, going):
        freshly(lab, evaluation, seconds=7200)
    quota = team.quota(), team.quota(task="task1")
    same = {"id", "task", "image", "created_at", "cases"}
    answers = []
    for evaluation in (ended, going):
        answer = team.http.post(f"/evaluations/{evaluation}/cancel")
        assert answer.status_code == 200
        answers.append({key: value for key, value in answer.json().items() if key not in same})
        assert team.http.post(f"/evaluations/{evaluation}/cancel").status_code == 200
    assert answers[0] == answers[1]
    assert (team.quota(), team.quota(task="task1")) == quota
    for evaluation in (ended, going):
        aged(lab, evaluation, 900)
    assert [team.evaluation(one)["status"] for one in (ended, going)] == ["rejected", "cancelled"]
    assert team.http.post(f"/evaluations/{going}/cancel").json()["code"] == "already_ended"


def test_without_a_worker_the_note_of_hidden_cases_stays_when_they_end(
    lab: Lab, team: Entrant, held: None
) -> None:
    evaluation = team.submit()
    fail(lab, [("timeout", None)] * 3)
    with unit_of_work(lab.sessions) as session:
        session.execute(update(WorkerSlot).values(draining_since=func.now()))
    freshly(lab, evaluation)
    seen = team.evaluation(evaluation)
    assert seen["note"].startswith("Waits: the worker that could run it takes no work at present;")
    assert seen["queue"]["said"] == (
        "When it starts cannot be estimated: no worker that could run it takes work."
    )
