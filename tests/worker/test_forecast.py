"""`proctor-admin forecast` on the real queue in virtual time: what it says is what then happens."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from contract.queue import Forecast
from evaluator.spec import load_challenge
from server.challenges.service import apply
from server.database import unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.queue.forecast import forecast
from server.queue.outlook import Work, ends
from server.queue.slots import slot_states
from tests.facts import image_facts
from tests.server.simulation import Queue
from tests.worker.queues import SECONDS, Admin
from tests.worker.slots import CHALLENGE
from worker.admin.slot_list import slots_table
from worker.embedded.data import CHECKOUT


def work(cases: int, seconds: float, slots: set[int], *, team: UUID | None = None, priority: int = 0) -> Work:
    return Work(uuid4(), team or uuid4(), cases, seconds, frozenset(slots), priority)


def test_one_slot_runs_all_there_is_and_two_half_of_it_each() -> None:
    one = work(10, 6.0, {0, 1})
    assert ends([one], 1) == {one.evaluation: 60.0}
    assert ends([one], 2) == {one.evaluation: 30.0}


def test_a_slot_runs_only_what_it_can_and_what_none_can_has_no_end() -> None:
    small, large, huge = work(4, 5.0, {0, 1}), work(2, 30.0, {1}), work(1, 1.0, set())
    found = ends([small, large, huge], 2)
    assert found[large.evaluation] == 60.0
    assert found[small.evaluation] == 20.0
    assert huge.evaluation not in found


def test_teams_share_and_priority_goes_first() -> None:
    many, few = work(100, 1.0, {0}), work(5, 1.0, {0})
    assert ends([many, few], 1)[few.evaluation] == pytest.approx(10.0, abs=1.0)
    urgent = work(50, 1.0, {0}, priority=1)
    assert ends([many, few, urgent], 1)[urgent.evaluation] == 50.0


def test_a_season_of_hundreds_of_thousands_of_cases_is_dealt_in_bundles() -> None:
    season = [work(6_500, 3.0, {0, 1}) for _ in range(60)]
    assert max(ends(season, 2).values()) == pytest.approx(60 * 6_500 * 3.0 / 2, rel=0.01)


def now(queue: Queue) -> Forecast:
    with unit_of_work(queue.sessions) as session:
        return forecast(session)


def test_an_empty_queue_has_no_end(queue: Queue) -> None:
    assert (now(queue).phases, now(queue).tasks, now(queue).changes) == ([], [], [])


def test_the_end_that_was_forecast_is_the_end(queue: Queue) -> None:
    queue.submit("one", 60)
    queue.submit("two", 40)
    queue.run(2, until=lambda: len(queue.held) == 10)
    said = now(queue)
    (task,), (phase,) = said.tasks, said.phases
    assert (said.slots, task.cases, task.evaluations, task.measured) == (2, 90, 2, True)
    assert task.seconds_per_case == SECONDS
    assert task.slot_seconds == 90 * SECONDS
    assert phase.ends is not None
    queue.run(2)
    with unit_of_work(queue.sessions) as session:
        ended = forecast(session).at
    assert abs((phase.ends - ended).total_seconds()) <= 2 * SECONDS


def test_what_would_change_the_end_is_counted_out(queue: Queue) -> None:
    queue.submit("one", 60)
    queue.submit("two", 40)
    queue.run(2, until=lambda: len(queue.held) == 10)
    more, invoked, less = now(queue).changes
    assert more.what.startswith("one more slot like slot-")
    assert more.seconds == pytest.approx(-90 * SECONDS / 2 / 3, abs=SECONDS)
    assert (invoked.what.split(": ")[1], invoked.seconds) == ("none has run like that yet", None)
    assert less.seconds is not None
    assert less.seconds < -SECONDS


def test_two_at_once_is_reckoned_only_where_the_challenge_promises_no_case_a_machine_of_its_own(
    queue: Queue,
) -> None:
    queue.submit("promised", 40)
    queue.run(2, until=lambda: len(queue.held) == 4)
    assert now(queue).changes
    assert not [one for one in now(queue).changes if "two cases at once" in one.what]
    limits = CHALLENGE.limits.model_copy(update={"gpu": None, "cpus": 1, "pack": "auto"})
    with unit_of_work(queue.sessions) as session:
        apply(session, CHALLENGE.model_copy(update={"limits": limits}), actor="tests")
    queue.submit("modest", 40)
    queue.run(2, until=lambda: len(queue.held) == 14)
    (packed,) = [one.seconds for one in now(queue).changes if "two cases at once" in one.what]
    assert packed is not None
    assert -40 * SECONDS / 4 - SECONDS <= packed < -SECONDS, "those of one team only"


def test_containers_for_many_cases_are_reckoned_with_what_was_measured_of_them(queue: Queue) -> None:
    queue.submit("one", 60)
    queue.submit("two", 40)
    queue.run(2, until=lambda: len(queue.held) == 10)
    with unit_of_work(
        queue.sessions
    ) as session:  # four cases of one slot came out of one container, five seconds each
        done = select(CaseRun).where(CaseRun.status == "done", CaseRun.worker == "slot-0")
        first, *more = session.scalars(done.order_by(CaseRun.finished_at)).all()
        assert first.finished_at is not None
        for number, run in enumerate(more, 1):
            run.mode, run.started_at = "invoke", first.finished_at
            run.finished_at = first.finished_at + timedelta(seconds=5 * number)
    before = now(queue)
    (invoked,) = (one for one in before.changes if one.what.startswith("one container for many cases"))
    assert invoked.what.endswith("as measured for task5")
    assert invoked.seconds is not None
    assert before.phases[0].ends is not None
    assert invoked.seconds == pytest.approx(
        90 * 5 / 2 - (before.phases[0].ends - before.at).total_seconds(), abs=6
    )


def test_what_runs_in_such_containers_already_is_no_change(queue: Queue) -> None:
    queue.submit("one", 20)
    queue.run(1, until=lambda: len(queue.held) == 5)
    with unit_of_work(queue.sessions) as session:
        evaluation = session.scalars(select(Evaluation)).one()
        evaluation.image.facts = image_facts(invoke=True)
        content = evaluation.spec_version.content
        evaluation.spec_version.content = content | {"limits": content["limits"] | {"invoke": True}}
    assert not [one for one in now(queue).changes if "one container for many" in one.what]


def test_without_a_measured_case_the_limit_counts_and_is_marked(queue: Queue) -> None:
    queue.submit("one", 10)
    queue.run(0)
    (task,) = now(queue).tasks
    limit = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml").limits_of("task5").seconds_per_case
    assert (task.measured, task.seconds_per_case) == (False, limit)


def test_what_no_slot_can_run_has_no_end_and_says_what_is_missing(queue: Queue) -> None:
    queue.submit("one", 10)
    queue.run(1, until=lambda: bool(queue.held))
    with unit_of_work(queue.sessions) as session:
        session.execute(update(Evaluation).values(needs_cpus=1000.0))
    said = now(queue)
    assert said.phases[0].ends is None
    assert said.tasks[0].nobody_offers == "1000 CPUs, 1 GiB of memory, the runtime runc"


def test_the_commands_print_tables_and_json(queue: Queue, admin: Admin) -> None:
    assert "No case waits." in admin("forecast").output
    queue.submit("one", 30)
    queue.run(2, until=lambda: len(queue.held) == 6)
    with unit_of_work(queue.sessions) as session:
        session.execute(
            update(WorkerSlot).where(WorkerSlot.name == "slot-1").values(unfit="The canary was wrong.")
        )
    printed = admin("forecast").output
    assert "slots present: 1" in printed
    assert "measured" in printed
    assert "one more slot like slot-0" in printed
    assert json.loads(admin("forecast", "--json").output)["tasks"][0]["cases"] == 24
    listed = admin("slots").output
    assert "The canary was wrong." in listed
    assert "1 of task5" in listed
    with unit_of_work(queue.sessions) as session:
        (state, *_) = slot_states(session)
        named_alike = slots_table([replace(state, worker=state.slot.name)])
    assert named_alike.rows[0][:2] == (state.slot.name, state.slot.name)


def test_cases_that_ran_beside_each_other_or_were_leased_ahead_are_counted_once(queue: Queue) -> None:
    queue.submit("one", 30)
    queue.run(1, until=lambda: len(queue.held) == 9)
    with unit_of_work(queue.sessions) as session:
        done = list(
            session.scalars(select(CaseRun).where(CaseRun.status == "done").order_by(CaseRun.position))
        )
        begin = done[0].started_at
        assert begin is not None
        # Three packed at once, ended after 30 s; then six one by one, each leased while the last one ran for 10 s.
        for number, run in enumerate(done):
            leased, ended = (0, 30) if number < 3 else (10 * number - 10, 10 * number + 10)
            run.started_at = begin + timedelta(seconds=leased)
            run.finished_at = begin + timedelta(seconds=ended)
    (task,) = now(queue).tasks
    assert task.seconds_per_case == pytest.approx((30 + 6 * 10) / 9)


def test_without_a_slot_one_sentence_says_so(queue: Queue, admin: Admin) -> None:
    assert now(queue).note == "No case waits."
    queue.submit("one", 10)
    queue.run(0)
    said = now(queue)
    assert said.note is not None
    assert said.note.startswith("No slot is present that takes work: none of 10 cases")
    assert (said.phases[0].ends, said.changes) == (None, [])
    printed = admin("forecast").output
    assert said.note in printed
    assert "limit: nothing measured" in printed
