"""`proctor-admin queue` and `proctor-admin priority`: what waits is seen, and what an admin puts first runs first."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.events import Event
from tests.server.simulation import Queue
from tests.worker.queues import Admin


def priorities(queue: Queue) -> dict[str, int]:
    with unit_of_work(queue.sessions) as session:
        found = session.scalars(select(Evaluation).order_by(Evaluation.created_at)).all()
        return {str(one.id): one.priority for one in found}


def test_what_is_put_first_runs_before_all_others(queue: Queue, admin: Admin) -> None:
    queue.submit("many", 40)
    queue.submit("late", 10)
    queue.run(1, until=lambda: len(queue.held) == 4)
    said = admin("priority", 5, "--team", "late")
    assert (said.exit_code, said.output) == (0, "1 of 1 evaluations changed to priority 5\n")
    queue.run(1, until=lambda: len(queue.held) == 4 + 11)
    assert [one.team for one in queue.held].count("late") >= 10


def test_what_is_put_last_delays_nobody(queue: Queue, admin: Admin) -> None:
    queue.submit("again", 20)
    queue.submit("new", 10)
    queue.run(0)
    assert admin("priority", "--team", "again", "--", -10).exit_code == 0
    queue.run(1)
    assert {one.team for one in queue.held[:10]} == {"new"}


def test_the_queue_lists_what_has_cases_to_run(queue: Queue, admin: Admin) -> None:
    assert admin("queue").output == "No evaluation waits.\n"
    queue.submit("first", 40)
    queue.submit("second", 10)
    queue.run(0)
    *_, second = priorities(queue)
    assert admin("priority", 1, second).exit_code == 0
    _, *rows = admin("queue").output.splitlines()
    assert rows[0].split()[:3] == [second, "1", "second"]
    assert rows[1].split()[1:3] == ["0", "first"]
    assert "validation method task5" in rows[1]
    assert (
        len(admin("queue", "--team", "first", "--task", "task5", "--phase", "validation").output.splitlines())
        == 2
    )
    assert admin("queue", "--track", "open").output == "No evaluation waits.\n"


def test_more_than_one_is_asked_for_and_each_change_is_an_event(queue: Queue, admin: Admin) -> None:
    queue.submit("one", 10, times=3)
    queue.run(0)
    refused = admin("priority", 2, "--task", "task5")
    assert refused.exit_code == 1
    assert "3 evaluations get priority 2." in refused.output
    assert set(priorities(queue).values()) == {0}
    assert admin("priority", 2, "--task", "task5", "--yes").exit_code == 0
    assert admin("priority", 2, "--task", "task5", "--yes").output.startswith("0 of 3 evaluations changed")
    assert set(priorities(queue).values()) == {2}
    with unit_of_work(queue.sessions) as session:
        told = session.scalars(select(Event).where(Event.what == "priority 0 → 2")).all()
        assert {str(one.subject_id) for one in told} == priorities(queue).keys()
        assert {one.actor for one in told} == {"proctor-admin"}


@pytest.mark.parametrize(
    "words", [["3"], ["3", str(UUID(int=1))], ["5000", "--team", "one"], ["high", "--team", "one"]]
)
def test_a_call_that_means_nothing_changes_nothing_and_says_why(
    queue: Queue, admin: Admin, words: list[str]
) -> None:
    queue.submit("one", 10)
    queue.run(0)
    said = admin("priority", *words)
    assert said.exit_code != 0
    assert said.output.strip()
    assert "Traceback" not in said.output
    assert set(priorities(queue).values()) == {0}


def test_an_empty_name_and_one_wrong_id_among_others_change_nothing(queue: Queue, admin: Admin) -> None:
    queue.submit("one", 10, times=2)
    queue.run(0)
    first, _ = priorities(queue)
    assert admin("priority", 7, "--team", "", "--yes").exit_code == 1
    wrong = uuid4()
    said = admin("priority", 7, first, wrong, "--yes")
    assert said.exit_code == 1
    assert str(wrong) in said.output
    assert set(priorities(queue).values()) == {0}


def test_what_has_ended_is_left_alone(queue: Queue, admin: Admin) -> None:
    queue.submit("one", 4)
    queue.run(1)
    said = admin("priority", 3, "--team", "one")
    assert said.exit_code == 1
    assert "'proctor-admin queue' shows" in said.output
    assert admin("priority", 3, uuid4()).exit_code == 1
