"""`proctor-admin queue` and `proctor-admin priority`: what waits is seen, and what an admin puts first runs first."""

import io
import json
from uuid import UUID, uuid4

import pytest
from rich.console import Console
from sqlalchemy import select

from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.events import Event
from server.queue.slots import slot_states
from server.queue.views import waiting_out
from server.queue.waiting import Which, waiting
from tests.server.simulation import Queue
from tests.worker.queues import Admin
from worker.admin.queue import queue_table
from worker.admin.slot_list import slots_table


def priorities(queue: Queue) -> dict[str, int]:
    with unit_of_work(queue.sessions) as session:
        found = session.scalars(select(Evaluation).order_by(Evaluation.created_at)).all()
        return {str(one.id): one.priority for one in found}


def test_what_is_put_first_runs_before_all_others(queue: Queue, admin: Admin) -> None:
    queue.submit("many", 40)
    queue.submit("late", 10)
    queue.run(1, until=lambda: len(queue.held) == 4)
    said = admin("priority", 5, "--team", "late")
    assert (said.exit_code, said.output) == (0, "1 of 1 evaluation changed to priority 5\n")
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
    assert [one["id"] for one in json.loads(admin("queue", "--json").output)] == [
        *reversed(priorities(queue))
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_what_is_to_be_copied_is_never_cut(queue: Queue, admin: Admin, columns: int) -> None:
    queue.submit("a team of a rather long name", 10)
    queue.run(2, until=lambda: len(queue.held) == 1)
    (found,) = priorities(queue)
    with unit_of_work(queue.sessions) as session:
        rows = waiting_out(session, waiting(session, Which()))
        for table in (queue_table(rows), slots_table(slot_states(session))):
            screen = Console(width=columns, file=io.StringIO())
            screen.print(table)
            assert found in screen.file.getvalue()  # type: ignore[attr-defined]
    assert found in admin("queue").output
    assert found in admin("slots").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--challenge", "nope"], "There is no challenge 'nope'. There are: fomo26."),
        (["--phase", "val"], "There is no phase 'val'. There are: sanity, test, validation."),
        (["--task", "task7"], "There is no task 'task7'."),
        (["--team", "Nobody"], "There is no team 'Nobody'."),
    ],
)
def test_names_that_nothing_has_are_no_empty_queue(
    queue: Queue, admin: Admin, words: list[str], said: str
) -> None:
    for command in (["queue"], ["priority", "5"]):
        answered = admin(*command, *words)
        assert answered.exit_code == 1
        assert said in answered.output


@pytest.mark.parametrize(
    "command", [["queue"], ["slots"], ["forecast"], ["priority", "1", "--task", "task1"]]
)
def test_an_installation_that_is_stopped_is_named_in_a_sentence(
    queue: Queue, admin: Admin, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://proctor:secret@127.0.0.1:1/proctor")
    answered = admin(*command)
    assert answered.exit_code == 1
    assert "does not answer" in answered.output
    assert "secret" not in answered.output
    assert len(answered.output) < 400


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


def test_a_team_is_found_whatever_its_capitals(queue: Queue, admin: Admin) -> None:
    queue.submit("Blue Lab", 4)
    queue.run(0)
    assert "Blue Lab" in admin("queue", "--team", "blue  LAB").output
    assert admin("priority", 3, "--team", "BLUE LAB").exit_code == 0
    assert set(priorities(queue).values()) == {3}


def test_the_beginning_of_an_id_is_enough_where_one_evaluation_has_it(queue: Queue, admin: Admin) -> None:
    queue.submit("one", 4)
    queue.submit("two", 4)
    queue.run(0)
    first, _ = priorities(queue)
    assert admin("priority", 3, first[:-3]).exit_code == 0
    assert priorities(queue)[first] == 3
    both = admin("priority", 3, first[:4])
    assert both.exit_code == 1
    assert "begin with" in both.output
    assert all(one in both.output for one in priorities(queue))
    assert "no beginning of an id" in admin("priority", 3, "xyz").output
