"""Challenge files on the server: versions, phases and what visitors see."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from evaluator.spec import Challenge
from server.challenges import service
from server.database import SessionFactory, unit_of_work
from server.errors import Conflict, NotFound, Unprocessable


def test_the_same_file_again_changes_nothing_and_another_is_a_new_version(
    sessions: SessionFactory, slug: str, fomo26: Challenge
) -> None:
    same = fomo26.model_copy(update={"challenge": slug})
    other = same.model_copy(update={"title": "Amended"})
    changed = []
    for spec in (same, other, same):
        with unit_of_work(sessions) as session:
            changed.append(service.apply(session, spec, actor="tests")[1])
    assert changed == [False, True, True]
    with unit_of_work(sessions) as session:
        assert service.get_challenge(session, slug).spec.digest == same.digest


def test_a_visitor_sees_the_challenge_and_its_whole_file(
    slug: str, nobody: httpx.Client, fomo26: Challenge
) -> None:
    seen = nobody.get(f"/challenges/{slug}").json()
    assert seen["tracks"] == ["method", "open"]
    assert {phase["name"]: phase["open"] for phase in seen["phases"]} == {
        "sanity": True,
        "validation": True,
        "test": False,
    }
    assert set(seen["spec"]["tasks"]) == set(fomo26.tasks)
    assert slug in [one["slug"] for one in nobody.get("/challenges").json()]


def test_an_unknown_challenge_is_answered_with_those_there_are(slug: str, nobody: httpx.Client) -> None:
    answer = nobody.get("/challenges/fomo99")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_challenge")
    assert slug in answer.json()["detail"]


@pytest.mark.parametrize(
    ("opens", "closes", "part"),
    [(None, None, "no opening date"), (1, 2, "opens 20"), (-2, -1, "closed 20"), (-1, 0, "closed 20")],
)
def test_a_phase_takes_submissions_from_opens_until_closes(
    fomo26: Challenge, opens: int | None, closes: int | None, part: str
) -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    dates = {
        "opens": None if opens is None else at + timedelta(hours=opens),
        "closes": None if closes is None else at + timedelta(hours=closes),
    }
    phases = {"validation": fomo26.phases["validation"].model_copy(update=dates)}
    spec = fomo26.model_copy(update={"phases": phases})
    with pytest.raises(Conflict, match=part):
        service.require_open(spec, "validation", at=at)


def test_a_phase_is_open_at_the_moment_it_opens(fomo26: Challenge) -> None:
    opens = fomo26.phases["validation"].opens
    assert opens is not None
    assert service.require_open(fomo26, "validation", at=opens).title == "Validation"


def test_names_that_are_not_in_the_file_are_answered_with_those_that_are(fomo26: Challenge) -> None:
    with pytest.raises(Unprocessable, match="task7 is a board of task6: submit task6"):
        service.require_task(fomo26, "task7")
    with pytest.raises(Unprocessable, match="Tasks: task1, task2"):
        service.require_task(fomo26, "task99")
    with pytest.raises(Unprocessable, match="Tracks: method, open"):
        service.require_track(fomo26, "closed")
    with pytest.raises(NotFound, match="Phases: sanity, validation, test"):
        service.get_phase(fomo26, "final")
