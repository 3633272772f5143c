"""Questions to the organizers: read by their team, answered to it or to everybody in the organizers' own words."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import func, select, text

from contract.statuses import QuestionStatus
from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import unit_of_work
from server.events import Event
from server.questions.models import QUESTION_MOVES, Question
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words

Json = dict[str, Any]
SECRET = "our case 17, of patient Miller, fails with OSError"


def _ask(team: Entrant, text: str = SECRET, **more: Any) -> Json:
    answer = team.http.post(f"/challenges/{team.slug}/questions", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _read(http: httpx.Client, slug: str, **more: Any) -> list[Json]:
    answer = http.get(f"/challenges/{slug}/questions", params=more)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def test_what_a_team_wrote_is_read_by_its_members_and_organizers_alone(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, nobody: httpx.Client
) -> None:
    ours, theirs = entrant("Ours"), entrant("Theirs")
    submission = ours.post("task5").json()["id"]
    asked = _ask(ours, task="task5", submission=submission)
    assert (asked["status"], asked["own"], asked["text"]) == ("open", True, SECRET)
    assert (asked["task"], asked["submission"]) == ("task5", submission)
    for other in (theirs.http, nobody):
        assert _read(other, lab.slug) == []
    where = f"/organize/{lab.slug}/questions"
    (row,) = admin.http.get(where, params={"open": True}).json()
    assert (row["team"], row["asked_by"], row["text"], row["submission"]) == (
        "Ours",
        "Ours",
        SECRET,
        submission,
    )

    body = {"answer": "Yes, it is a known one.", "everybody": True}
    lacks = admin.http.post(f"{where}/{asked['id']}/answer", json=body)
    assert (lacks.status_code, lacks.json()["code"]) == (422, "needs_public_text")
    told = admin.http.post(f"{where}/{asked['id']}/answer", json={"answer": "Look at your log."}).json()
    assert (told["status"], told["answered_by"]) == ("answered", f"user:{admin.id}")
    assert _read(ours.http, lab.slug)[0]["answer"] == "Look at your log."
    assert _read(theirs.http, lab.slug) == []
    again = admin.http.post(f"{where}/{asked['id']}/answer", json=body | {"question": "Does a case fail?"})
    assert (again.status_code, again.json()["code"]) == (409, "question_settled")
    body |= {"question": "Does a case fail?", "instead": True}
    assert admin.http.post(f"{where}/{asked['id']}/answer", json=body).status_code == 200
    for other in (theirs.http, nobody):
        (public,) = _read(other, lab.slug)
        assert (public["text"], public["answer"]) == ("Does a case fail?", "Yes, it is a known one.")
        assert (public["own"], public["submission"], public["asked_at"]) == (False, None, None)
    (own,) = _read(ours.http, lab.slug)
    assert (own["text"], own["published"]) == (SECRET, "Does a case fail?")
    site = str(nobody.base_url).removesuffix("/api/v1/")
    assert "Does a case fail?" in nobody.get(f"{site}/challenges/{lab.slug}").text

    closed = admin.http.post(f"{where}/{asked['id']}/close", json={"why": "Told too much.", "instead": True})
    assert closed.json()["status"] == "closed"
    assert _read(nobody, lab.slug) == []
    assert _read(ours.http, lab.slug)[0]["answer"] == "Told too much."
    assert SECRET not in nobody.get(f"{site}/challenges/{lab.slug}").text
    assert admin.http.get(where, params={"open": True}).json() == []
    with lab.sessions() as session:
        log = session.scalars(
            select(Event).where(Event.subject_id == UUID(asked["id"])).order_by(Event.id)
        ).all()
    assert [event.new for event in log] == ["open", "answered", "published", "closed"]
    assert all(SECRET not in str(event.why) + str(event.what) for event in log)


def test_what_is_asked_about_is_of_this_challenge_and_of_one_s_own_team(
    lab: Lab,
    entrant: Callable[[str], Entrant],
    person: Callable[..., Person],
    fomo26: Challenge,
    admin: Person,
) -> None:
    ours, theirs = entrant("Ours"), entrant("Theirs")
    foreign = theirs.post("task5").json()["id"]
    for body, status, code in (
        ({"text": "?", "submission": foreign}, 404, "unknown_submission"),
        ({"text": "?", "team": theirs.team}, 404, "unknown_team"),
        ({"text": "?", "task": "task9"}, 422, "unknown_task"),
        ({"text": " \n"}, 422, "invalid_request"),
        ({"text": "x" * 4001}, 422, "invalid_request"),
        ({"text": "\u202egnp.exe"}, 422, "invalid_request"),
    ):
        answer = ours.http.post(f"/challenges/{lab.slug}/questions", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    alone = person().http.post(f"/challenges/{lab.slug}/questions", json={"text": "?"})
    assert alone.json()["code"] == "no_team"
    asked = _ask(ours)["id"]
    other = f"other-{uuid4().hex[:10]}"
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": other}), actor="tests")
    for slug, question in ((other, asked), (lab.slug, uuid4())):
        answer = admin.http.post(f"/organize/{slug}/questions/{question}/answer", json={"answer": "Yes."})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_question")


def test_a_team_asks_so_often_a_day_and_pages_have_all_of_it(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    ours, theirs = entrant("Ours"), entrant("Theirs")
    for number in range(20):
        _ask(ours, f"Question {number}?")
    refused = ours.http.post(f"/challenges/{lab.slug}/questions", json={"text": "One more?"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_questions")
    assert 80_000 < int(refused.headers["Retry-After"]) <= 86_400
    _ask(theirs)
    first = _read(ours.http, lab.slug, limit=12)
    rest = _read(ours.http, lab.slug, limit=12, before=first[-1]["id"])
    assert [one["text"] for one in (*first, *rest)] == [f"Question {number}?" for number in range(19, -1, -1)]
    assert len(admin.http.get(f"/organize/{lab.slug}/questions", params={"limit": 100}).json()) == 21


def test_of_two_organizers_one_answers(lab: Lab, team: Entrant, admin: Person) -> None:
    question = _ask(team)["id"]
    where = f"/organize/{lab.slug}/questions/{question}/answer"

    def answered(number: int) -> int:
        return admin.http.post(where, json={"answer": f"Answer {number}."}).status_code

    waiting = (
        select(func.count())
        .select_from(text("pg_stat_activity"))
        .where(text("wait_event_type = 'Lock' AND datname = current_database()"))
    )
    with ThreadPoolExecutor(2) as pool, lab.sessions() as holding, lab.sessions() as watching:
        holding.execute(select(Question.id).where(Question.id == UUID(question)).with_for_update())
        both = [pool.submit(answered, number) for number in range(2)]
        while (watching.scalar(waiting) or 0) < 2:
            watching.rollback()
        holding.rollback()
        assert sorted(answer.result() for answer in both) == [200, 409]
    assert set(QUESTION_MOVES) == set(QuestionStatus)


def test_questions_of_a_team_go_along_where_it_is_merged(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    ours, theirs = entrant("Ours"), entrant("Theirs")
    _ask(ours)
    merge = {"decision": "merge", "into": theirs.team, "why": "They work together."}
    answer = admin.http.post(f"/organize/{lab.slug}/teams/{ours.team}/decisions", json=merge)
    assert answer.status_code < 300, answer.text
    assert [question["text"] for question in _read(theirs.http, lab.slug)] == [SECRET]


def test_an_announcement_stays_one_and_html_of_anybody_is_text(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client
) -> None:
    text = "Closed on <b>Monday</b> <img src=x onerror=alert(1)>\nاستمتعوا"
    made = admin.http.post(f"/organize/{lab.slug}/announcements", json={"text": text, "task": "task5"}).json()
    (shown,) = _read(nobody, lab.slug)
    assert (shown["status"], shown["text"], shown["answer"], shown["task"]) == (
        "published",
        None,
        text,
        "task5",
    )
    page = nobody.get(f"{str(nobody.base_url).removesuffix('/api/v1/')}/challenges/{lab.slug}").text
    assert "&lt;b&gt;Monday&lt;/b&gt; &lt;img" in page
    assert "<img" not in page
    assert 'dir="auto"' in page
    better = {"answer": "On Tuesday.", "instead": True}
    answer = admin.http.post(f"/organize/{lab.slug}/questions/{made['id']}/answer", json=better)
    assert answer.json()["status"] == "published"
    assert _read(team.http, lab.slug)[0]["answer"] == "On Tuesday."


def test_commands_say_who_will_read_what_and_ask(
    lab: Lab, team: Entrant, command: Admin, nobody: httpx.Client
) -> None:
    asked = _ask(team)["id"]
    assert SECRET in words(command("questions", lab.slug, "--open"))
    said = command("answer", lab.slug, asked[-8:], "Look at your log.")
    assert said.exit_code == 1
    assert "Team The Team alone will read: → Look at your log." in words(said)
    answer = ("answer", lab.slug, asked[-8:], "It does.", "--to-all", "Does a case fail?")
    assert "Everybody will read: Does a case fail? → It does." in words(command(*answer))
    assert _read(nobody, lab.slug) == []
    assert command(*answer, "--yes").exit_code == 0
    assert "instead: true" in words(command(*answer, "--yes"))
    assert [one["text"] for one in _read(nobody, lab.slug)] == ["Does a case fail?"]
    taken = command("answer", lab.slug, asked[-8:], "Not for all.", "--close", "--instead", "--yes")
    assert taken.exit_code == 0
    assert command("announce", lab.slug, "Closed on Monday.", "--yes").exit_code == 0
    assert [one["answer"] for one in _read(nobody, lab.slug)] == ["Closed on Monday."]
    assert "No question is open." in words(command("questions", lab.slug, "--open"))
