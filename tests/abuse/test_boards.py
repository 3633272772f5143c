"""Boards asked for by everybody at once, and by those who want to see what is not, or no longer, to be seen."""

import asyncio
import gzip
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import psycopg
import pytest
from sqlalchemy import update
from starlette.types import Receive, Scope, Send

from contract.images import CheckpointState, DeclaredCheckpoint
from evaluator.spec import Challenge
from server.challenges.service import apply, get_challenge, release
from server.database import SessionFactory, session_factory, unit_of_work
from server.datasets.models import Dataset
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.hearing import Hearing
from server.leaderboard.changes import Changes
from server.leaderboard.front import BoardsFirst
from server.leaderboard.memory import MOST_SECONDS, Memory
from server.leaderboard.negotiation import matches, takes_gzip
from server.settings import Settings
from server.teams.models import Team
from tests.abuse.boards import Site, living, watched
from tests.server.conftest import Clients, Person
from tests.server.lab import Entrant, Lab
from tests.server.test_leaderboard import scored

FORMS = ("json", "csv", "html")
_MADE = "scores.value"
"""What a board asks when it is made, and nothing else asks here; what is sure of places is asked for besides."""


@pytest.fixture(scope="module")
def site(settings: Settings, served: tuple[str, SessionFactory]) -> Iterator[Site]:
    """A server beside the one that the other fixtures talk to: what they change, it has to hear."""
    with living(settings) as found:
        yield found


@pytest.fixture
def one(site: Site, lab: Lab, team: Entrant) -> str:
    """The evaluation of the only team of a board, of which the server has heard."""
    evaluation = scored(lab, team, 0.9)
    site.catch_up()
    return evaluation


def get(site: Site, lab: Lab, form: str = "json", **headers: str) -> httpx.Response:
    return site.http.get(site.url(lab.slug, form), headers={"Accept-Encoding": "identity"} | headers)


@pytest.mark.parametrize("form", FORMS)
def test_a_board_that_everybody_asks_for_is_made_once(site: Site, lab: Lab, one: str, form: str) -> None:
    with watched(site.sessions) as asked:
        answers = site.all_at_once(site.url(lab.slug, form), 200)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert asked.about(_MADE) == 1
        asked.said.clear()
        assert {get(site, lab, form).status_code for _ in range(20)} == {200}
        assert asked.said == [], "from memory nobody is asked"


def test_its_three_forms_are_made_of_one(site: Site, lab: Lab, one: str) -> None:
    with watched(site.sessions) as asked:
        for form in FORMS:
            assert "The Team" in get(site, lab, form).text
        assert asked.about(_MADE) == 1


def test_a_participant_s_token_is_looked_at_and_the_board_is_not_made_again(
    site: Site, lab: Lab, team: Entrant, one: str
) -> None:
    public = get(site, lab)
    with watched(site.sessions) as asked:
        own = get(site, lab, Authorization=team.http.headers["Authorization"])
        assert (own.content, own.headers["ETag"]) == (public.content, public.headers["ETag"])
        assert asked.about(_MADE) == 0
        assert asked.about("FROM api_tokens") == 1
    assert get(site, lab, Authorization="Bearer rubbish").status_code == 401


def test_without_the_database_s_word_boards_are_made_anew_and_at_most_twice_for_a_crowd(
    settings: Settings, lab: Lab, one: str
) -> None:
    with living(settings, hears=False) as deaf, watched(deaf.sessions) as asked:
        answers = deaf.all_at_once(deaf.url(lab.slug), 100)
        assert {answer.status_code for answer in answers} == {200}
        assert asked.about(_MADE) <= 3, (
            "one that was under way, one for who came meanwhile; a late connection"
        )
        before = asked.about(_MADE)
        get(deaf, lab)
        assert asked.about(_MADE) == before + 1


# What a board shows, and who changes it: each is seen by whoever looks next.


def new_score(lab: Lab, evaluation: str) -> None:
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Score).where(Score.evaluation_id == UUID(evaluation)).values(value=0.123))


def new_name(lab: Lab, evaluation: str) -> None:
    with unit_of_work(lab.sessions) as session:
        team = session.get_one(Team, session.get_one(Evaluation, UUID(evaluation)).team_id)
        team.name = "Renamed"


def disqualified(lab: Lab, evaluation: str) -> None:
    with unit_of_work(lab.sessions) as session:
        team = session.get_one(Team, session.get_one(Evaluation, UUID(evaluation)).team_id)
        team.disqualified = "Copied."


def other_cases(lab: Lab, evaluation: str) -> None:
    lab.dataset(cases=2)


def no_cases(lab: Lab, evaluation: str) -> None:
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        session.execute(
            update(Dataset).where(Dataset.challenge_id == challenge.id).values(state="superseded")
        )


def no_longer_scored(lab: Lab, evaluation: str) -> None:
    with unit_of_work(lab.sessions) as session:
        session.execute(
            update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(status="cancelled")
        )


def scored_with_other_code(lab: Lab, evaluation: str) -> None:
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(evaluation)).scored_with = {}


def checked_again(lab: Lab, evaluation: str) -> None:
    with unit_of_work(lab.sessions) as session:
        image = session.get_one(Evaluation, UUID(evaluation)).image
        image.facts = image.facts.model_copy(
            update={"checkpoint": DeclaredCheckpoint(state=CheckpointState.NOT_DECLARED)}
        )


@pytest.mark.parametrize(
    "change",
    [
        new_score,
        new_name,
        disqualified,
        other_cases,
        no_cases,
        no_longer_scored,
        scored_with_other_code,
        checked_again,
    ],
)
def test_what_another_process_changes_is_seen(
    site: Site, lab: Lab, one: str, change: Callable[[Lab, str], None]
) -> None:
    before = get(site, lab)
    assert get(site, lab).headers["ETag"] == before.headers["ETag"]
    change(lab, one)
    assert seen_anew(site, lab, before.headers["ETag"])


def seen_anew(site: Site, lab: Lab, tag: str) -> bool:
    """What others commit is told in milliseconds, on a busy machine later, and long before what is kept is too old."""
    until = time.monotonic() + MOST_SECONDS / 2
    while time.monotonic() < until:
        if get(site, lab).headers["ETag"] != tag:
            return True
    return False


def test_a_new_file_and_a_new_entry_are_seen(site: Site, lab: Lab, team: Entrant, fomo26: Challenge) -> None:
    tag = get(site, lab).headers["ETag"]
    scored(lab, team, 0.9)
    assert seen_anew(site, lab, tag)
    tag = get(site, lab).headers["ETag"]
    with unit_of_work(lab.sessions) as session:
        apply(
            session,
            fomo26.model_copy(update={"challenge": lab.slug, "title": "Another title"}),
            actor="tests",
        )
    assert seen_anew(site, lab, tag)
    assert "Another title" in get(site, lab).text


def test_whoever_is_told_that_something_changed_sees_it(
    site: Site, lab: Lab, team: Entrant, one: str, admin: Person
) -> None:
    token = admin.http.headers["Authorization"]
    for number in range(30):
        get(site, lab)
        text = f"Number {number}"
        answer = site.http.patch(
            f"{site.address}/api/v1/admin/teams/{team.team}",
            json={"disclaimer": text},
            headers={"Authorization": token},
        )
        assert answer.status_code == 200
        assert text in get(site, lab).text, "at once, and not when the database has got round to it"


def test_a_change_of_the_same_moment_as_the_making_is_not_lost(
    site: Site, lab: Lab, team: Entrant, one: str
) -> None:
    """A writer and readers race; whatever was committed last is what is seen in the end."""
    url = site.url(lab.slug)
    for number in range(10):
        with unit_of_work(lab.sessions) as session:
            session.execute(
                update(Team).where(Team.id == UUID(team.team)).values(disclaimer=f"Step {number}")
            )
        site.all_at_once(url, 5)
    assert any("Step 9" in get(site, lab).text for _ in range(200))


def test_what_the_queue_does_makes_no_board_anew(site: Site, lab: Lab, team: Entrant, one: str) -> None:
    tag = get(site, lab).headers["ETag"]
    team.submit()
    worker = lab.worker()
    with watched(site.sessions) as asked:
        lease = worker.take()
        assert worker.heartbeat(lease) == 204
        worker.finish(lease)
        worker.drain()
        assert get(site, lab).headers["ETag"] == tag
        assert asked.about(_MADE) == 0


def test_what_is_scored_in_another_phase_makes_no_board_anew_and_shows_in_none(
    site: Site, lab: Lab, team: Entrant, one: str
) -> None:
    """Else a board that is open would tell when something is scored behind one that is sealed."""
    lab.dataset(phase="sanity", cases=1)
    before = get(site, lab)
    with watched(site.sessions) as asked:
        scored(lab, team, 0.1, phase="sanity")
        site.settle()
        for _ in range(20):
            again = get(site, lab)
            assert (again.content, again.headers["ETag"]) == (before.content, before.headers["ETag"])
        assert asked.about(_MADE) == 0


def test_a_board_says_when_its_phase_opens_and_closes(
    site: Site, lab: Lab, one: str, fomo26: Challenge
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    phases = dict(fomo26.phases)
    phases["validation"] = phases["validation"].model_copy(update={"closes": soon})
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "phases": phases}), actor="tests")
    while datetime.now(UTC) < soon + timedelta(seconds=0.5):
        get(site, lab)
    assert get(site, lab).json()["open"] is False


def test_a_board_that_says_the_same_after_a_while_keeps_its_tag(site: Site, lab: Lab, one: str) -> None:
    before = get(site, lab)
    with psycopg.connect(plain(lab.settings), autocommit=True) as connection:
        connection.execute("SELECT pg_notify('boards', id::text) FROM challenges WHERE slug = %s", [lab.slug])
    with watched(site.sessions) as asked:
        assert any(get(site, lab) and asked.about(_MADE) for _ in range(200)), "it was not made again"
    assert get(site, lab).headers["ETag"] == before.headers["ETag"]


def plain(settings: Settings) -> str:
    return settings.database_url.replace("postgresql+psycopg", "postgresql")


def test_a_server_that_no_longer_hears_the_database_shows_nothing_old(
    site: Site, lab: Lab, team: Entrant, one: str
) -> None:
    get(site, lab)
    with psycopg.connect(plain(lab.settings), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'proctor changes' AND datname = current_database()"
        )
        connection.execute("UPDATE teams SET disclaimer = 'Said meanwhile' WHERE id = %s", [team.team])
    assert any("Said meanwhile" in get(site, lab).text for _ in range(200))
    site.settle()
    assert "Said meanwhile" in get(site, lab).text


def test_what_this_process_commits_is_known_before_anything_is_believed_again(
    lab: Lab, team: Entrant
) -> None:
    sessions = session_factory(lab.sessions.kw["bind"])
    hearing = Hearing(sessions)
    changes = Changes(hearing)

    async def watch() -> None:
        listening = asyncio.create_task(hearing.listen())
        while not hearing.fresh:
            await asyncio.sleep(0.01)
        with unit_of_work(sessions) as session:
            challenge = str(get_challenge(session, lab.slug).id)
        assert hearing.fresh, "who only reads changes nothing"
        count = changes.count
        with unit_of_work(sessions) as session:
            session.execute(update(Team).where(Team.id == UUID(team.team)).values(disclaimer="New"))
        assert not hearing.fresh, "though nothing of it has been heard"
        with unit_of_work(sessions) as session:
            session.get_one(Team, UUID(team.team)).disclaimer = "Newer"
        assert await hearing.settled()
        assert changes.since(challenge, "validation", count)
        assert not changes.since(challenge, "validation", changes.count)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert not hearing.fresh, "nobody listens any more"

    asyncio.run(watch())


def test_a_connection_that_does_not_listen_is_not_believed(lab: Lab) -> None:
    hearing = Hearing(lab.sessions)
    Changes(hearing)

    async def ask() -> None:
        connection = await psycopg.AsyncConnection.connect(plain(lab.settings), autocommit=True)
        async with connection:
            await hearing._ask(connection)

    with pytest.raises(psycopg.OperationalError, match="pooler"):
        asyncio.run(ask())
    assert not hearing.fresh


# What is sealed.


def test_what_an_admin_sees_of_a_sealed_board_is_nobody_else_s(
    site: Site, lab: Lab, admin: Person, clients: Clients
) -> None:
    address = site.url(lab.slug, phase="test")
    shown = site.http.get(address, headers={"Authorization": admin.http.headers["Authorization"]})
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "private, no-cache"
    for known in ("*", shown.headers["ETag"]):
        refused = site.http.get(address, headers={"If-None-Match": known})
        assert refused.status_code == 403
        assert "ETag" not in refused.headers
    with unit_of_work(lab.sessions) as session:
        release(session, get_challenge(session, lab.slug), "test", actor="tests")
    assert any(site.http.get(address).status_code == 200 for _ in range(200))


def test_a_board_that_is_sealed_is_shut_though_everybody_has_just_seen_it(
    site: Site, lab: Lab, one: str, fomo26: Challenge
) -> None:
    assert get(site, lab).status_code == 200
    phases = dict(fomo26.phases)
    phases["validation"] = phases["validation"].model_copy(update={"board": "sealed"})
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "phases": phases}), actor="tests")
    assert any(get(site, lab).status_code == 403 for _ in range(200))
    assert {get(site, lab, form).status_code for form in FORMS} == {403}


def test_many_who_ask_for_what_is_not_there_do_not_wait_for_each_other(site: Site, lab: Lab) -> None:
    for phase, status in (("test", 403), ("nothing", 404)):
        answers = site.all_at_once(site.url(lab.slug, phase=phase), 20)
        assert {answer.status_code for answer in answers} == {status}


# What goes out.


@pytest.mark.parametrize("begun", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_whoever_asks_with_a_body_that_does_not_come_keeps_nobody_waiting(
    site: Site, lab: Lab, one: str, begun: str
) -> None:
    url = httpx.URL(site.url(lab.slug))
    with socket.create_connection((url.host, url.port or 80)) as slow:
        slow.sendall(f"GET {url.path} HTTP/1.1\r\nHost: x\r\n{begun}\r\n\r\n".encode())
        time.sleep(0.3)  # it is there first, and nobody has asked for this board before
        began = time.monotonic()
        assert get(site, lab).status_code == 200
        assert time.monotonic() - began < 5


def test_a_board_is_not_waited_for_as_long_as_whoever_asked_first_has_to(sessions: SessionFactory) -> None:
    asked = list[str]()

    async def slow_for_the_first(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        if len(asked) == 1:
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def both() -> httpx.Response:
        app = BoardsFirst(slow_for_the_first, Memory(Changes(Hearing(sessions))))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://proctor") as http:
            first = asyncio.create_task(http.get("/challenges/lab/leaderboards/validation"))
            while not asked:
                await asyncio.sleep(0.01)
            try:
                async with asyncio.timeout(10):
                    return await http.get("/challenges/lab/leaderboards/validation")
            finally:
                first.cancel()

    assert asyncio.run(both()).status_code == 200
    assert len(asked) == 2


@pytest.mark.parametrize("form", FORMS)
def test_who_knows_a_board_is_told_that_it_is_the_same(site: Site, lab: Lab, one: str, form: str) -> None:
    whole = get(site, lab, form)
    tag = whole.headers["ETag"]
    assert tag.startswith('"'), "a strong one"
    for known in (tag, f'"other", {tag}', "*", f"W/{tag}"):
        again = get(site, lab, form, **{"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
        assert again.headers["Cache-Control"] == whole.headers["Cache-Control"] == "no-cache"
        assert "Accept-Encoding" in again.headers["Vary"]
    for known in ('"other"', tag.strip('"'), ""):
        assert get(site, lab, form, **{"If-None-Match": known}).status_code == 200


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_board_goes_out_compressed_under_a_tag_of_its_own(
    site: Site, lab: Lab, one: str, form: str
) -> None:
    whole = get(site, lab, form)
    with site.http.stream("GET", site.url(lab.slug, form), headers={"Accept-Encoding": "br, gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(raw) == whole.content
    assert int(packed.headers["Content-Length"]) == len(raw) < len(whole.content)
    assert packed.headers["ETag"] != whole.headers["ETag"]
    assert get(site, lab, form, **{"If-None-Match": packed.headers["ETag"]}).status_code == 200
    head = site.http.head(site.url(lab.slug, form), headers={"Accept-Encoding": "identity"})
    assert head.content == b""
    assert [head.headers[name] for name in ("ETag", "Content-Length", "Content-Type")] == [
        whole.headers[name] for name in ("ETag", "Content-Length", "Content-Type")
    ]


def test_a_page_from_memory_keeps_its_policy(site: Site, lab: Lab, one: str) -> None:
    for _ in range(2):
        answer = get(site, lab, "html")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        (b"gzip", True),
        (b"br;q=1.0, GZIP;q=0.8, *;q=0.1", True),
        (b"*", True),
        (b"x-gzip", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000, *", False),
        (b"*;q=0", False),
        (b"identity", False),
        (b"identity;q=1, gzip;q=0.5", False),
        (b"identity;q=0.5, gzip;q=1", True),
        (b"", False),
        (b";;;,,=q", False),
        (b"gzip;q=much", False),
        (b"gzip;q=nan", False),
    ],
)
def test_encodings_are_taken_as_they_are_weighed(accepts: bytes, packed: bool) -> None:
    assert takes_gzip(accepts) is packed


def test_a_tag_is_found_in_a_list_however_long_or_broken_it_is() -> None:
    tag = b'"abc"'
    assert matches(b'W/"x", "y" ,"abc"', tag)
    assert matches(b", ".join([b'"%d"' % number for number in range(5_000)]) + b', "abc"', tag)
    assert not matches(b'"abc', tag)
    assert not matches(b"abc", tag)
    assert not matches(b'"' * 60_001, tag)
    assert not matches(b"W/" * 30_000, tag)
