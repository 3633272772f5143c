"""Images that carry hidden inputs out: by the way they fail, by how long they take, by failing again and again.

An image can turn what it reads into an exit code, a wrong output, a sleep, or nothing at all. What its team then sees
is one class of failure, on a grid of moments, so many times a week and no more.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import BindParameter, DateTime, func, literal, select, update

from evaluator.spec import Challenge
from evaluator.verdicts import CLASSES
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.evaluations import scoring, ticks
from server.evaluations.models import CaseRun, Evaluation
from server.settings import Settings
from server.submissions.leakage import channels, moments
from tests.server.conftest import FOMO26, Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.organizer import Admin
from worker.admin.leakage import cells

SEED = 20260
ONLY_OF_THIS_ONE = ("id", "image", "created_at", "finished_at")
"""What differs between any two evaluations, whatever they ran on."""


def fail(lab: Lab, verdicts: list[tuple[str, str | None]]) -> None:
    """Cases end as `verdicts` say, the first three of them as whatever waits is leased."""
    worker = lab.worker()
    for fault, check in verdicts:
        assert worker.finish(worker.take(), fault=fault, check=check).status_code == 204


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
        report = {"rejected": words, "metrics": {}, "per_case": {}}
        scoring.settle(
            session, claimed.id, claimed.scoring_claim, {"b": report}, scored_with={}, settings=settings
        )
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
    """The server holds ends back, as every server does but that of tests."""
    sessions.configure(info={ticks.AT_ONCE: False})
    yield
    sessions.configure(info={ticks.AT_ONCE: True})


def aged(lab: Lab, evaluation: str, seconds: float) -> None:
    """The evaluation and all that happened to it is `seconds` older."""
    back, own = timedelta(seconds=seconds), Evaluation.id == UUID(evaluation)
    with unit_of_work(lab.sessions) as session:
        times = {
            column: column - back
            for column in (Evaluation.created_at, Evaluation.started_at, Evaluation.finished_at)
        }
        session.execute(update(Evaluation).where(own).values(times))
        runs = CaseRun.evaluation_id == UUID(evaluation)
        session.execute(update(CaseRun).where(runs).values({CaseRun.finished_at: CaseRun.finished_at - back}))


def freshly(lab: Lab, evaluation: str) -> None:
    """Everything that happened to the evaluation happened at this moment, after ten minutes."""
    with unit_of_work(lab.sessions) as session:
        moment = {
            Evaluation.created_at: func.clock_timestamp() - timedelta(seconds=600),
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
        metric = {
            "value": 0.5,
            "low": 0.4,
            "high": 0.6,
            "reason": None,
            "interval_note": None,
            "replicates": [0.5],
        }
        reports = {
            name: {"rejected": None, "metrics": dict.fromkeys(one.metrics, metric), "per_case": {}}
            for name, one in claimed.spec_version.spec.boards_of("task5").items()
        }
        with_ = scoring.bases(claimed.spec_version.spec, "task5")
        scoring.settle(
            session, claimed.id, claimed.scoring_claim, reports, scored_with=with_, settings=settings
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


def once_rejected(lab: Lab, team: Entrant, **changes: str) -> str:
    evaluation = team.submit(**changes)
    fail(lab, [("exit_code", None)] * 3)
    return evaluation


def test_a_week_has_so_many_rejections_and_the_refusal_says_when_there_is_another(
    lab: Lab, team: Entrant
) -> None:
    sent = [once_rejected(lab, team, track=track) for track in ["open", "method"] * 5]
    answer = team.post("task5")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_rejected")
    assert answer.headers["content-type"].startswith("application/problem+json")
    quota = team.quota()
    assert (quota["rejected_per_week"], quota["rejected"], quota["rejected_left"]) == (10, 10, 0)
    first = datetime.fromisoformat(team.evaluation(sent[0])["created_at"])
    assert datetime.fromisoformat(quota["rejected_next_at"]) == first + timedelta(days=7)
    assert (first + timedelta(days=7)).isoformat(timespec="seconds") in answer.json()["detail"]
    lab.dataset(phase="sanity", cases=3)
    assert team.post("task5", phase="sanity").status_code == 201, "public cases tell nothing"
    fail(lab, [("exit_code", None)] * 3)
    aged(lab, sent[0], timedelta(days=7).total_seconds())
    assert team.post("task5").status_code == 201
    assert team.post("task5").json()["code"] == "too_many_rejected", "what is under way may be rejected yet"


def test_many_at_once_on_the_last_rejection_are_one(lab: Lab, team: Entrant) -> None:
    for _ in range(9):
        once_rejected(lab, team)
    with ThreadPoolExecutor(12) as pool:
        codes = sorted(one.status_code for one in pool.map(lambda _: team.post("task5"), range(12)))
    assert codes == [201] + [429] * 11


def test_what_began_and_was_cancelled_counts_and_what_never_began_does_not(lab: Lab, team: Entrant) -> None:
    team.http.post(f"/evaluations/{team.submit()}/cancel")
    assert team.quota()["rejected"] == 0
    evaluation, worker = team.submit(), lab.worker()
    worker.take()
    assert team.quota()["rejected_left"] == 9, "it may be rejected yet"
    team.http.post(f"/evaluations/{evaluation}/cancel")
    assert (team.quota()["rejected"], team.quota()["rejected_left"]) == (1, 9)


def test_a_fault_of_the_platform_and_a_valid_run_do_not_count(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    lab.worker().drain()
    with unit_of_work(lab.sessions) as session:
        session.execute(
            update(Evaluation)
            .where(Evaluation.id == UUID(evaluation))
            .values(status="errored", finished_at=func.now())
        )
    assert (team.quota()["rejected"], team.quota()["rejected_left"]) == (0, 10)


def test_what_ran_on_cases_that_were_replaced_is_forgiven(lab: Lab, team: Entrant) -> None:
    once_rejected(lab, team)
    assert team.quota()["rejected"] == 1
    lab.dataset()
    assert team.quota()["rejected"] == 0


def test_an_admin_excuses_what_was_no_fault_of_the_team(
    lab: Lab, team: Entrant, admin: Person, command: Admin
) -> None:
    rejected, other = once_rejected(lab, team), once_rejected(lab, team)
    address = f"/admin/evaluations/{rejected}/excuse"
    assert team.http.post(address).status_code == 403
    assert admin.http.post(address, json={"why": "a damaged case"}).status_code == 204
    assert team.quota()["rejected"] == 1
    assert command("excuse", other, "--why", "the same").exit_code == 0
    assert team.quota()["rejected"] == 0
    refused = admin.http.post(f"/admin/evaluations/{team.submit()}/excuse")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_failed")


@pytest.mark.parametrize("wanted", [2, None])
def test_the_challenge_file_says_how_many(
    lab: Lab, team: Entrant, fomo26: Challenge, wanted: int | None
) -> None:
    phase = fomo26.phases["validation"]
    attempts = phase.attempts.model_copy(update={"rejected_per_week": wanted})
    phases = fomo26.phases | {"validation": phase.model_copy(update={"attempts": attempts})}
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "phases": phases}), actor="tests")
    for _ in range(3 if wanted is None else wanted):
        once_rejected(lab, team)
    assert team.quota()["rejected_left"] == (None if wanted is None else 0)
    assert team.post("task5").status_code == (201 if wanted is None else 429)


def documented(spec: Challenge) -> str:
    """The table of docs/security.md."""
    lines = ["| evaluation | what tells | bits each | evaluations | bits |", "|---|---|---|---|---|"]
    rows = list(channels(spec, "validation", "task5", weeks=26, cases=100))
    lines += [f"| {' | '.join(cells(one))} |" for one in rows]
    total = sum(one.season or 0 for one in rows)
    return "\n".join([*lines, f"| all | a team on this task | | | {total:,.0f} |"])


def test_the_documentation_reckons_what_a_season_can_tell(fomo26: Challenge) -> None:
    page = (Path(__file__).parents[2] / "docs/security.md").read_text()
    between = page.split("<!-- leakage:")[1].split("-->", 1)[1].split("<!-- end of leakage -->")[0]
    assert between.strip() == documented(fomo26)


def test_the_reckoning_counts_every_moment_of_the_grid() -> None:
    began = datetime(2026, 11, 3, tzinfo=UTC)
    seconds = 7200
    shown = {ticks.shown_at(began, began + timedelta(seconds=one)) for one in range(1, seconds + 1)}
    assert len(shown) == moments(seconds)


def test_the_command_says_what_a_file_allows(command: Admin) -> None:
    done = command("leakage", FOMO26, "--weeks", "4", "--cases", "10")
    assert done.exit_code == 0
    assert "validation, task5, 4 weeks, 10 cases" in done.output
    assert command("leakage", "/no/such/file.yaml").exit_code != 0
