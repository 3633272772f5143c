"""Event streams: what they tell, to whom, for how long, and what they cost beside them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from contract.statuses import CaseStatus, EvaluationStatus
from server.app import create_app
from server.database import unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.ticks import TICK_SECONDS
from server.front import protocol
from server.hearing import Hearing
from server.live import hub
from server.live.reading import State
from server.settings import Settings
from tests.abuse.wire import Wire
from tests.server.conftest import Person, serving
from tests.server.lab import Entrant, Json, Lab


class Events:
    """An open stream, event by event; comments are counted."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()
        self.beats = 0

    def next(self) -> Json | None:
        """The next event's fields; None where the stream ends."""
        found: Json = {}
        for line in self._lines:
            if line.startswith(":"):
                self.beats += 1
            elif line:
                name, _, value = line.partition(": ")
                found[name] = value
            elif "event" in found:
                return found
            else:
                found = {}
        return None

    def statuses(self) -> list[str]:
        """Of the evaluations of the next state."""
        event = self.next()
        assert event is not None
        return [one["status"] for one in json.loads(event["data"])["evaluations"]]

    def reach(self, status: str) -> bool:
        """Whether its evaluation comes to stand so; of one that waits the place in the queue may change before."""
        return any(self.statuses() == [status] for _ in range(4))


@contextmanager
def stream(http: httpx.Client, submission: str, last: str | None = None, **params: int) -> Iterator[Events]:
    headers = {} if last is None else {"Last-Event-ID": last}
    with http.stream("GET", f"/submissions/{submission}/events", headers=headers, params=params) as answer:
        yield Events(answer)


@pytest.fixture
def submission(lab: Lab, team: Entrant) -> str:
    lab.dataset("task5", cases=2, phase="sanity")
    answer = team.post("task5", phase="sanity")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def begin(lab: Lab, submission: str) -> None:
    with unit_of_work(lab.sessions) as session:
        row = session.query(Evaluation).filter_by(submission_id=UUID(submission)).one()
        row.move_to(session, EvaluationStatus.RUNNING, actor="tests")


def end(lab: Lab, submission: str) -> None:
    with unit_of_work(lab.sessions) as session:
        row = session.query(Evaluation).filter_by(submission_id=UUID(submission)).one()
        for status in (EvaluationStatus.SCORING, EvaluationStatus.SCORED):
            row.move_to(session, status, actor="tests")


@pytest.fixture
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked at by the clock, so what comes was told by the database."""
    monkeypatch.setattr(hub, "TICK_SECONDS", 3600)
    monkeypatch.setattr(hub, "_PUBLIC_SECONDS", 3600.0)


@pytest.mark.usefixtures("no_clock")
def test_a_stream_tells_each_state_as_it_is_shown_and_ends_with_the_submission(
    lab: Lab, team: Entrant, submission: str
) -> None:
    with stream(team.http, submission) as events:
        assert events.response.headers["content-type"].startswith("text/event-stream")
        first = events.next()
        assert first is not None
        assert first["event"] == "state"
        assert json.loads(first["data"]) == team.http.get(f"/submissions/{submission}").json()
        begin(lab, submission)
        assert events.reach("running")
        end(lab, submission)
        last = events.next()
        assert last is not None
        assert json.loads(last["data"])["evaluations"][0]["status"] == "scored"
        over = events.next()
        assert over is not None
        assert over["event"] == "end"
        assert events.next() is None
    again = team.http.get(f"/submissions/{submission}/events", headers={"Last-Event-ID": last["id"]})
    assert again.status_code == 204, "there is nothing to come"


def test_what_changes_without_a_word_is_met_by_the_clock(
    lab: Lab, team: Entrant, submission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_PUBLIC_SECONDS", 0.1)
    begin(lab, submission)
    with stream(team.http, submission) as events:
        assert events.statuses() == ["running"]
        with unit_of_work(lab.sessions) as session:
            row = session.query(Evaluation).filter_by(submission_id=UUID(submission)).one()
            done = {"status": CaseStatus.DONE, "verdict": "valid"}
            session.execute(update(CaseRun).where(CaseRun.id == row.runs[0].id).values(done))
        event = events.next()
        assert event is not None
        assert json.loads(event["data"])["evaluations"][0]["progress"] == 5


def test_what_is_hidden_is_looked_at_when_the_grid_moves_and_not_before(settings: Settings, lab: Lab) -> None:
    hidden, public = (State("id", b"{}", ended=False, hidden=hidden) for hidden in (True, False))
    looking = hub.Hub(lab.sessions, Hearing(lab.sessions))
    try:
        moment = (time.time() + looking._pause(hidden)) % TICK_SECONDS
        assert 0 < moment < 1
        assert looking._pause(public) <= 5
    finally:
        looking.close()


def test_a_client_that_never_reads_is_cut_off_and_nobody_else_feels_it(
    lab: Lab, team: Entrant, submission: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.5)
    with unit_of_work(lab.sessions) as session:
        own = Evaluation.submission_id == UUID(submission)
        session.execute(update(Evaluation).where(own).values(voided="why " * 2_000_000))
    app = create_app(settings)
    with serving(app) as elsewhere, Wire(elsewhere, window=4096) as wire:
        wire.ask(
            f"GET /api/v1/submissions/{submission}/events",
            f"Authorization: {team.http.headers['Authorization']}",
        )
        deadline = time.monotonic() + 20
        while not app.state.hub.streams:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        reading = httpx.Client(base_url=f"{elsewhere}/api/v1", headers=team.http.headers, timeout=30)
        with reading, stream(reading, submission) as events:
            assert events.statuses() == ["queued"]
            while app.state.hub.streams > 1:
                assert time.monotonic() < deadline, "it is held for ever"
                time.sleep(0.05)
            begin(lab, submission)
            assert events.reach("running")


def test_whoever_comes_back_is_told_only_what_is_new(
    lab: Lab, team: Entrant, submission: str, settings: Settings
) -> None:
    with stream(team.http, submission) as events:
        first = events.next()
        assert first is not None
    with serving(create_app(settings)) as elsewhere:
        other = httpx.Client(base_url=f"{elsewhere}/api/v1", headers=team.http.headers, timeout=30)
        with other, stream(other, submission, first["id"]) as events:
            begin(lab, submission)
            assert events.reach("running"), "of another server, and not what was seen"
            with stream(other, submission, "of no state") as late:
                assert late.statuses() == ["running"]
        third = httpx.Client(base_url=f"{elsewhere}/api/v1", headers=team.http.headers, timeout=30)
        with third, stream(third, submission, seconds=0) as events:
            assert events.statuses() == ["running"]
            assert events.next() is None, "as long as was asked for"


def test_a_server_that_stops_does_not_wait_for_its_streams(
    team: Entrant, submission: str, settings: Settings
) -> None:
    with serving(create_app(settings)) as elsewhere:
        other = httpx.Client(base_url=f"{elsewhere}/api/v1", headers=team.http.headers, timeout=30)
        events = other.stream("GET", f"/submissions/{submission}/events").__enter__()
        assert events.status_code == 200
        began = time.monotonic()
    assert time.monotonic() - began < 8, "it would wait for ever"
    other.close()


def ends(stream: Events) -> bool:
    """Whether it ends soon; what the clock changed of a place in the queue may come before."""
    return any(stream.next() is None for _ in range(3))


def test_who_may_not_see_it_any_more_is_told_nothing(
    lab: Lab,
    team: Entrant,
    person: Callable[..., Person],
    submission: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "BEAT_SECONDS", 0.2)
    code = team.http.post(f"/teams/{team.team}/invitations").json()["code"]
    member = person("Grace")
    member.http.post(f"/invitations/{code}/accept")
    made = team.http.post("/tokens", json={"name": "watch", "scopes": ["read"]}).json()
    by_token = httpx.Client(
        base_url=team.http.base_url, headers={"Authorization": f"Bearer {made['token']}"}, timeout=30
    )
    with by_token, stream(by_token, submission) as first, stream(member.http, submission) as second:
        assert first.statuses() == second.statuses() == ["queued"]
        with stream(team.http, submission) as third:
            third.statuses()
            team.http.delete(f"/tokens/{made['id']}")
            assert ends(first), "its token was revoked"
            team.http.delete(f"/teams/{team.team}/members/{member.id}")
            assert ends(second), "they have left the team"
            assert first.beats + second.beats > 0
            begin(lab, submission)
            assert third.reach("running"), "whose stream goes on"
        assert by_token.get(f"/submissions/{submission}/events").status_code == 401
        assert member.http.get(f"/submissions/{submission}/events").status_code == 404


def test_one_person_has_so_many_streams_and_no_more(
    team: Entrant, submission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_EACH", 2)
    with stream(team.http, submission) as first, stream(team.http, submission) as second:
        first.statuses(), second.statuses()
        refused = team.http.get(f"/submissions/{submission}/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        assert "Retry-After" in refused.headers
    deadline = time.monotonic() + 10
    while team.http.get(f"/submissions/{submission}/events", params={"seconds": 0}).status_code == 429:
        assert time.monotonic() < deadline, "what was closed still counts"
    monkeypatch.setattr(hub, "MOST", 0)
    busy = team.http.get(f"/submissions/{submission}/events")
    assert (busy.status_code, busy.json()["code"]) == (503, "busy")
