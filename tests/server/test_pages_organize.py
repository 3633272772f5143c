"""The control room: what organizers and observers see of a challenge, what their forms do, and who is let in."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, update

from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.reference_submissions.models import ReferenceSubmission
from server.teams.models import Team
from tests.abuse.boards import watched
from tests.server.browsing import require_sound
from tests.server.conftest import Person
from tests.server.deciding import kept
from tests.server.lab import Entrant, Lab
from tests.server.test_forms import form_token, sign_in
from tests.server.test_leaderboard import scored
from tests.server.test_overview import with_dates

MakePerson = Callable[..., Person]
PAGES = (
    *("", "/submissions", "/teams", "/teams/usage", "/teams/resemblances", "/questions", "/check"),
    *("/phases", "/phases/validation", "/phases/test", "/documents", "/people", "/exports"),
    "/exports/retention",
)
_ACTS = ("/api/v1/organize/", "/api/v1/admin/")
WHY = "It answered with labels of last year."


class Browser:
    """Somebody's browser in the control room of one challenge."""

    def __init__(self, http: httpx.Client, slug: str) -> None:
        self.http, self.slug, self.here = http, slug, f"/organize/{slug}"

    def see(self, path: str = "", status: int = 200, **params: Any) -> str:
        answer = self.http.get(self.here + path, params=params)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[-2000:]}"
        return unescape(answer.text)

    def send(self, page: str, action: str, **more: str) -> str:
        """Sends the form of a page that does `action`, with what somebody typed; the page that follows."""
        path, _, query = page.partition("?")
        shown = self.http.get(self.here + path, params=dict(httpx.QueryParams(query)))
        form = next(
            (
                form
                for form in forms(shown.text)
                if action in form["action"] and form["action"].startswith(_ACTS)
            ),
            None,
        )
        assert form is not None, f"{page} has no form that does {action}"
        unknown = set(more) - set(form["fields"])
        assert not unknown, f"the form has no {unknown}"
        sent = {name: value for name, value in form["fields"].items() if value is not None} | more
        answer = self.http.post(form["action"], data=sent)
        assert answer.status_code == 303, answer.text
        followed = self.http.get(answer.headers["Location"])
        assert followed.status_code == 200, followed.text
        return unescape(followed.text)


def forms(text: str) -> list[dict[str, Any]]:
    """The forms of a page: where each goes, and its fields with what they hold; None where nothing is ticked."""
    found = []
    for opening, inside in re.findall(r"<form([^>]*)>(.*?)</form>", text, re.S):
        fields: dict[str, str | None] = {}
        for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", inside):
            name = re.search(r'name="([^"]+)"', tag)
            value = re.search(r'value="([^"]*)"', tag)
            if name is not None:
                ticked = 'type="checkbox"' not in tag or " checked" in tag
                fields[name[1]] = unescape(value[1] if value else "") if ticked else None
        for name, content in re.findall(
            r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', inside, re.S
        ):
            fields[name] = unescape(content)
        action = re.search(r'action="([^"]+)"', opening)
        found.append({"action": unescape(action[1]) if action else "", "fields": fields})
    return found


@pytest.fixture
def browsing(served: tuple[str, SessionFactory]) -> Iterator[Callable[[Person, str], Browser]]:
    opened: list[httpx.Client] = []

    def browse(somebody: Person, slug: str) -> Browser:
        http = httpx.Client(base_url=served[0], headers={"Accept": "text/html"}, timeout=60)
        opened.append(http)
        assert sign_in(http, somebody.email).status_code == 303
        return Browser(http, slug)

    yield browse
    for http in opened:
        http.close()


@pytest.fixture
def named(lab: Lab, admin: Person, person: MakePerson) -> Callable[[str], Person]:
    """Somebody with a role in the challenge."""

    def name(role: str) -> Person:
        somebody = person(role.title())
        body = {"email": somebody.email, "role": role, "yes": True}
        answer = admin.http.put(f"/organize/{lab.slug}/organizers", json=body)
        assert answer.status_code == 200, answer.text
        return somebody

    return name


@pytest.fixture
def organizer(
    browsing: Callable[[Person, str], Browser], named: Callable[[str], Person], lab: Lab
) -> Browser:
    return browsing(named("organizer"), lab.slug)


@pytest.fixture
def observer(browsing: Callable[[Person, str], Browser], named: Callable[[str], Person], lab: Lab) -> Browser:
    return browsing(named("observer"), lab.slug)


def ended(lab: Lab, evaluation: str, status: str) -> None:
    with unit_of_work(lab.sessions) as session:
        values = {"status": status, "finished_at": datetime.now(UTC)}
        session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(values))
        own = CaseRun.evaluation_id == UUID(evaluation)
        session.execute(update(CaseRun).where(own).values(status="dropped"))


def api_forms(text: str) -> list[str]:
    """What a page's forms do, signing out aside."""
    return [
        form["action"]
        for form in forms(text)
        if "/api/" in form["action"] and "sessions" not in form["action"]
    ]


def test_nobody_is_sent_to_sign_in_and_others_hear_who_may(
    lab: Lab, team: Entrant, person: MakePerson, browsing: Callable[[Person, str], Browser]
) -> None:
    stranger = browsing(person(), lab.slug)
    for path in (*PAGES, "/webhooks", f"/teams/{team.team}"):
        refused = stranger.see(path, status=403)
        assert "Only organizers of" in refused or "Only an organizer of" in refused
        assert "The way in" in refused
    stranger.http.cookies.clear()
    answer = stranger.http.get(stranger.here)
    assert answer.headers["Location"] == f"/sign-in?then=%2Forganize%2F{lab.slug}"


def test_an_observer_sees_all_of_it_and_no_form_that_decides(
    lab: Lab, team: Entrant, observer: Browser, organizer: Browser
) -> None:
    lab.dataset("task5", cases=1)
    evaluation = scored(lab, team, 0.5)
    about = (f"/submissions/{evaluation}", f"/teams/{team.team}")
    for path in (*PAGES, *about):
        shown = observer.see(path)
        assert api_forms(shown) == [], path
        assert shown.count("<h1") == 1, path
        assert organizer.see(path).count("<h1") == 1
    assert api_forms(observer.see(f"/teams/{team.team}/decide", decision="disqualify")) == []
    assert "What it would change" in observer.see(f"/submissions/{evaluation}/void")
    assert "Only an organizer" in observer.see("/webhooks", status=403)
    assert "/webhooks" not in observer.see()
    assert "Add one" in organizer.see("/webhooks")


def test_the_list_of_control_rooms_has_one_s_own(
    lab: Lab,
    organizer: Browser,
    admin: Person,
    browsing: Callable[[Person, str], Browser],
    person: MakePerson,
) -> None:
    link = f'href="/organize/{lab.slug}"'
    assert link in organizer.http.get("/organize").text
    assert "You are its organizer" in organizer.http.get("/organize").text
    assert link in browsing(admin, lab.slug).http.get("/organize").text
    empty = browsing(person(), lab.slug).http.get("/organize").text
    assert link not in empty
    assert "You organize no challenge" in empty


def test_the_overview_leads_to_what_needs_somebody(lab: Lab, team: Entrant, organizer: Browser) -> None:
    lab.dataset("task5", cases=1)
    ended(lab, team.submit(), "errored")
    shown = organizer.see()
    assert "1 evaluation of 1 team ended by a fault of the platform." in shown
    assert f'href="{organizer.here}/submissions?status=errored"' in shown
    assert "Teams that tried and never scored" in shown
    assert "1 is scored" not in shown
    assert "<b>1</b><span>submission</span>" in shown, "one of a thing is one"


def test_submissions_are_found_by_the_filters_of_their_address(
    lab: Lab, entrant: Callable[[str], Entrant], organizer: Browser
) -> None:
    lab.dataset("task5", cases=1)
    ada, bob = entrant("Ada's"), entrant("Bob's")
    one, other = scored(lab, ada, 0.5), bob.submit()
    links = {id_: f'{organizer.here}/submissions/{id_}"' for id_ in (one, other)}

    def listed(**asked: str) -> set[str]:
        answer = organizer.http.get(f"{organizer.here}/submissions", params=asked)
        return {id_ for id_, link in links.items() if link in answer.text}

    assert listed() == {one, other}
    assert listed(status="scored", phase="", team="") == {one}
    assert listed(team="Bob's") == {other}
    assert listed(phase="test") == set()
    assert listed(since=f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}") == set()
    assert organizer.http.get(f"{organizer.here}/submissions", params={"team": "Nobody"}).status_code == 404
    refused = organizer.http.get(f"{organizer.here}/submissions", params={"since": "x", "status": "scored"})
    assert "&#39;x&#39; is no date, as 2026-11-29 is" in require_sound(refused, status=400)
    assert 'value="scored" selected' in refused.text, "what else was asked for stays"


def test_a_page_of_an_evaluation_names_no_case_and_is_in_the_log(
    lab: Lab, team: Entrant, organizer: Browser, admin: Person
) -> None:
    lab.dataset("task5", cases=2)
    evaluation, worker = team.submit(), lab.worker()
    worker.drain(fault="timeout")
    with unit_of_work(lab.sessions) as session:
        own = CaseRun.evaluation_id == UUID(evaluation)
        session.execute(update(CaseRun).where(own).values(log="<b>a traceback</b>"))
    shown = organizer.see(f"/submissions/{evaluation}")
    assert "timeout" in shown
    assert "sub-0" not in shown
    (path, *_) = re.findall(r'href="/organize/[^/]+(/submissions/[^"]+/cases/[^"]+)"', shown)
    log = organizer.http.get(organizer.here + path)
    assert "&lt;b&gt;a traceback" in log.text
    assert "sub-0" not in log.text
    seen = admin.http.get("/admin/events", params={"challenge": lab.slug, "id": evaluation, "what": "viewed"})
    assert {event["code"] for event in seen.json()["items"]} >= {"cases", "log"}


def test_what_is_another_challenge_s_is_not_shown_here(
    lab: Lab, team: Entrant, admin: Person, fomo26: Challenge, browsing: Callable[[Person, str], Browser]
) -> None:
    lab.dataset("task5", cases=1)
    evaluation, other = team.submit(), f"other-{lab.slug}"
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": other}), actor="tests")
    here, elsewhere = browsing(admin, lab.slug), browsing(admin, other)
    for path in (f"/submissions/{evaluation}", f"/submissions/{evaluation}/void", f"/teams/{team.team}"):
        shown = here.see(path, status=409 if path.endswith("/void") else 200)
        assert "Only a scored evaluation is voided" in shown or not path.endswith("/void")
        elsewhere.see(path, status=404)
    assert team.team not in elsewhere.see("/teams")
    assert evaluation not in elsewhere.see("/submissions")


def test_an_errored_one_is_retried_a_failed_one_excused_and_a_waiting_one_cancelled(
    lab: Lab, team: Entrant, organizer: Browser
) -> None:
    lab.dataset("task5", cases=1)
    evaluation = team.submit()
    page = f"/submissions/{evaluation}"
    ended(lab, evaluation, "errored")
    assert "It is in the queue again." in organizer.send(page, "/retry", why="The disk was full.")
    assert team.evaluation(evaluation)["status"] in ("queued", "running")
    assert "Its place in the queue is changed." in organizer.send(page, "/priority", **{"priority:int": "-5"})
    followed = organizer.send(page, "/cancel", why="It runs for days.")
    assert "The organizers cancelled it: It runs for days." in followed
    assert "failures of the week any more" in organizer.send(page, "/excuse", why="Ours")


def test_voiding_shows_places_before_and_after_and_comes_back(
    lab: Lab, entrant: Callable[[str], Entrant], organizer: Browser
) -> None:
    lab.dataset("task5", cases=1)
    first, second = entrant("First"), entrant("Second")
    evaluation = scored(lab, first, 0.9)
    scored(lab, second, 0.5)
    page = f"/submissions/{evaluation}/void"
    shown = organizer.see(page)
    assert "Place before" in shown
    assert re.search(r"Second.*?↑ 1 better", shown, re.S)
    assert "AUROC 0.900 → none" in shown, "metrics go by their titles"
    assert "First on Polymicrogyria classification, Validation, track open" in shown
    followed = organizer.send(page, "/void", why=WHY)
    assert "It is void" in followed
    assert kept(lab)["Second"] == 1
    assert "It is on the boards again." in organizer.send(page, "/unvoid", why="Ours")
    assert kept(lab)["Second"] == 2
    assert first.evaluation(evaluation)["voided"] is None


def test_a_decision_is_shown_before_it_is_made_and_refused_where_boards_have_moved(
    lab: Lab, entrant: Callable[[str], Entrant], organizer: Browser
) -> None:
    lab.dataset("task5", cases=1)
    first, second = entrant("First"), entrant("Second")
    scored(lab, first, 0.9)
    page = f"/teams/{first.team}/decide?decision=disqualify"
    stale = organizer.http.get(organizer.here + page)
    scored(lab, second, 0.5)
    form = next(form for form in forms(stale.text) if form["action"].endswith("/decisions"))
    refused = organizer.http.post(form["action"], data={**form["fields"], "why": WHY})
    assert refused.status_code == 409
    assert "have moved since" in refused.text
    assert "Decided. The team is told" in organizer.send(page, "/decisions", why=WHY)
    assert kept(lab)["Second"] == 1
    assert WHY in organizer.see(f"/teams/{first.team}")
    shown = organizer.http.get(organizer.here + page)
    form = next(form for form in forms(shown.text) if form["action"].endswith("/decisions"))
    again = organizer.http.post(form["action"], data={**form["fields"], "why": WHY})
    assert (again.status_code, "already" in again.text) == (409, True)


def test_no_reason_travels_in_an_address(
    lab: Lab, entrant: Callable[[str], Entrant], organizer: Browser
) -> None:
    """It would be kept in histories and access logs: it is typed where the act is sent."""
    lab.dataset("task5", cases=1)
    team = entrant("First")
    evaluation = scored(lab, team, 0.9)
    pages = [f"/submissions/{evaluation}/void", f"/teams/{team.team}/grant?phase=validation&valid=1"]
    pages += [f"/teams/{team.team}/decide?decision={one}" for one in ("disqualify", "rename", "ineligible")]
    for page in pages:
        text = organizer.http.get(organizer.here + page).text
        for opening, inside in re.findall(r"<form([^>]*)>(.*?)</form>", text, re.S):
            assert 'method="get"' not in opening or 'name="why"' not in inside, page


def test_a_team_that_waits_is_approved_and_gets_attempts(lab: Lab, team: Entrant, organizer: Browser) -> None:
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Team).where(Team.id == UUID(team.team)).values(waits=True))
    page = f"/teams/{team.team}"
    assert "waits for your approval" in organizer.see(page)
    organizer.send(f"{page}/decide?decision=approve", "/decisions", why="Known")
    assert "waits for your approval" not in organizer.see(page)
    assert "Show what it would change" in organizer.see(f"{page}/grant")
    before = team.quota()["valid"]
    grant = f"{page}/grant?phase=validation&track=open&task=task5&valid=2"
    assert f"{before + 2} valid attempts instead of {before}" in organizer.see(
        f"{page}/grant", phase="validation", track="open", task="task5", valid="2"
    )
    assert "Granted." in organizer.send(grant, "/grants", why="Our fault")
    assert team.quota()["valid"] == before + 2
    assert "has to be" in organizer.see(f"{page}/grant", status=422, valid="many", phase="validation")


def test_two_teams_are_merged_by_name(
    lab: Lab, entrant: Callable[[str], Entrant], organizer: Browser
) -> None:
    one, other = entrant("One"), entrant("Other")
    page = f"/teams/{one.team}/decide"
    assert f'<option value="{other.team}"' in organizer.see(page, decision="merge")
    followed = organizer.send(f"{page}?decision=merge&into={other.team}", "/decisions", why="One person")
    assert ">Other</h1>" in followed
    assert f'href="{organizer.here}/teams/{other.team}"' in organizer.see(f"/teams/{one.team}")


def test_questions_are_answered_closed_and_announced(
    lab: Lab, team: Entrant, organizer: Browser, nobody: httpx.Client
) -> None:
    for text in ("May we use <b>other</b> data?", "When is the dinner?"):
        team.http.post(f"/challenges/{lab.slug}/questions", json={"text": text})
    assert "&lt;b&gt;other" in organizer.http.get(f"{organizer.here}/questions").text
    page = "/questions?show=open"
    public = {"everybody:bool": "true", "question": "Is other data allowed?"}
    assert "Closed." in organizer.send(page, "/close", why="Not ours.")
    assert "Answered." in organizer.send(page, "/answer", answer="Yes.", **public)
    organizer.send(page, "/announcements", text="Dinner is at eight.")
    read = nobody.get(f"/challenges/{lab.slug}/questions").json()
    assert {one["answer"] for one in read} == {"Yes.", "Dinner is at eight."}
    assert "other</b>" not in str(read)
    assert "No question is open." in organizer.see("/questions", show="open")


def test_a_document_is_planned_published_and_its_acceptances_downloaded(
    lab: Lab, team: Entrant, organizer: Browser
) -> None:
    text = 'Play fair.\n\n"Quoted" & <b>bold</b>'
    fields = {
        "_csrf": form_token(organizer.http.get(f"{organizer.here}/documents")),
        "document": "rules",
        "title": "Rules",
        "text": text,
        "before": "submission",
        "again:bool": "true",
    }
    planned = organizer.http.post(f"{organizer.here}/documents/plan", data=fields)
    assert planned.status_code == 200
    assert "becomes version 1 of rules" in unescape(planned.text)
    form = next(form for form in forms(planned.text) if form["action"].endswith("/agreements"))
    assert organizer.http.post(form["action"], data=form["fields"]).status_code == 303
    (row,) = organizer.http.get(f"/api/v1{organizer.here}/agreements").json()
    assert (row["title"], row["before"], row["lacking"]) == ("Rules", "submission", 1)
    kept_text = organizer.http.get(f"/api/v1/challenges/{lab.slug}/agreements/{row['digest']}").text
    assert kept_text == text
    shown = organizer.see("/documents")
    (csv,) = re.findall(r'href="([^"]+acceptances\.csv)"', shown)
    assert organizer.http.get(csv).headers["Content-Type"].startswith("text/csv")
    refused = organizer.http.post(
        f"{organizer.here}/documents/plan", data={**fields, "document": "Not a name"}
    )
    assert refused.status_code == 422


def test_somebody_is_named_after_a_second_question_and_removed(
    organizer: Browser, person: MakePerson
) -> None:
    somebody = person("Watcher")
    shown = organizer.http.get(f"{organizer.here}/people")
    form = next(form for form in forms(shown.text) if "/organizers?_method=PUT" in form["action"])
    sent = {**form["fields"], "email": somebody.email, "role": "observer"}
    asked = organizer.http.post(form["action"], data=sent)
    assert "and change nothing" in asked.text
    confirm = next(
        form for form in forms(asked.text) if form["fields"].get("yes:bool") or form["fields"].get("yes")
    )
    done = organizer.http.post(confirm["action"], data=confirm["fields"])
    assert done.status_code == 303, done.text
    assert "Watcher" in organizer.see("/people")
    organizer.send("/people", f"/organizers/{somebody.id}?_method=DELETE")
    assert somebody.email not in organizer.see("/people")


def test_dates_are_planned_and_set_and_everybody_reads_the_reason(lab: Lab, organizer: Browser) -> None:
    closes = (datetime.now(UTC) + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M")
    page = f"/phases/validation/dates?closes={closes}"
    assert "What it would mean" in organizer.see("/phases/validation/dates", closes=closes)
    assert "The phase has its new dates." in organizer.send(page, "/dates", why="A clinic asked.")
    assert "A clinic asked." in organizer.see("/phases")
    assert closes.replace("T", " ") in organizer.see("/phases/validation")
    assert "It cannot be so." in organizer.see("/phases/validation/dates", status=422)
    assert organizer.http.get(f"{organizer.here}/phases/none").status_code == 404


def test_a_board_is_released_after_its_list_and_taken_back(lab: Lab, organizer: Browser) -> None:
    page = "/phases/test"
    shown = organizer.see(page)
    assert "has not been open yet" in shown or "is open" in shown
    forced = {"force:bool": "true", "why": "The conference is today."}
    assert "Released: everybody sees the board" in organizer.send(page, "/release", **forced)
    assert "The release is taken back." in organizer.send(page, "/unrelease")


def test_readiness_says_what_to_do_and_asks_for_reference_submissions(
    lab: Lab, organizer: Browser, admin: Person
) -> None:
    shown = organizer.see("/check")
    assert "no cases are in force" in shown
    assert "proctor-admin import-dataset" in shown
    seen = admin.http.get("/admin/events", params={"challenge": lab.slug, "what": "viewed"}).json()["items"]
    assert "labels" in {event["code"] for event in seen}
    assert "Scoring was not tried yet." in shown
    lab.dataset("task5", cases=1)
    followed = organizer.send("/check", "/reference-submissions", task="task5")
    assert "A score worker tries it." in followed
    assert "waiting" in followed


def test_what_is_deleted_is_shown_first_and_leaves_a_certificate(
    lab: Lab, team: Entrant, organizer: Browser, fomo26: Challenge
) -> None:
    assert "Nothing of it is there to delete." in organizer.see("/exports/retention")
    lab.dataset("task5", cases=2)
    evaluation = team.submit()
    lab.worker().drain(fault="timeout")
    with unit_of_work(lab.sessions) as session:
        own = CaseRun.evaluation_id == UUID(evaluation)
        session.execute(update(CaseRun).where(own).values(log="a traceback"))
    with_dates(lab, fomo26, "validation", -timedelta(days=9), -timedelta(days=1))
    page = "/exports/retention?kinds=logs&days=0"
    shown = organizer.see("/exports/retention", kinds="logs", days=0)
    assert "cannot be read any more" in shown
    assert "sub-0" not in shown
    assert "Deleted." in organizer.send(page, "/gc", why="The plan of the ethics board.")
    assert "The plan of the ethics board." in organizer.see("/exports")
    assert "2 logs" in organizer.see("/exports")


def test_a_bundle_of_a_phase_is_downloaded_from_its_link(organizer: Browser, observer: Browser) -> None:
    shown = organizer.see("/exports")
    links = re.findall(r'href="([^"]+/bundle)"', shown)
    assert len(links) == 2, "a phase without a board has none"
    answer = organizer.http.get(next(link for link in links if "/test/" in link))
    assert answer.headers["Content-Type"] == "application/zip", answer.text
    assert "leaderboards/validation.csv" in shown
    assert "case_names=true" in shown
    assert "case_names=true" not in observer.see("/exports")


def test_a_webhook_s_secret_is_shown_once(organizer: Browser) -> None:
    shown = organizer.http.get(f"{organizer.here}/webhooks")
    form = next(form for form in forms(shown.text) if form["action"].endswith("/webhooks"))
    sent = {name: value for name, value in form["fields"].items() if value is not None}
    made = organizer.http.post(form["action"], data={**sent, "url": "http://127.0.0.1:9/hook"})
    if made.status_code == 422:
        made = organizer.http.post(form["action"], data={**sent, "url": "https://hooks.example.org/x"})
    assert "shown this once" in made.text
    listed = organizer.see("/webhooks")
    assert "/hook" in listed or "hooks.example.org" in listed
    assert "It is removed." in organizer.send("/webhooks", "_method=DELETE")


@contextmanager
def counted(sessions: SessionFactory, found: dict[str, int], name: str) -> Iterator[None]:
    with watched(sessions) as asked:
        yield
    found[name] = len(asked.said)


def test_no_page_asks_the_database_much_or_more_for_more(
    lab: Lab, entrant: Callable[[str], Entrant], organizer: Browser
) -> None:
    lab.dataset("task5", cases=2)
    counts: list[dict[str, int]] = []
    for round_ in range(2):
        for number in range(1 + 3 * round_):
            team = entrant(f"Team {round_} {number}")
            evaluation = scored(lab, team, 0.5)
            team.submit()
            team.http.post(f"/challenges/{lab.slug}/questions", json={"text": f"Question {number}?"})
        pages = (*PAGES, f"/teams/{team.team}", f"/submissions/{evaluation}")
        asked: dict[str, int] = {}
        for number, path in enumerate(pages):
            with counted(lab.sessions, asked, path if number < len(PAGES) else str(number)):
                organizer.see(path)
        counts.append(asked)
    few, many = counts
    assert {path: (few[path], many[path]) for path in many if many[path] > few[path]} == {}
    # Readiness asks two dozen questions of their own, as its operation of the API does.
    assert {path: count for path, count in many.items() if count > (50 if path == "/check" else 40)} == {}


def test_a_reference_submission_that_failed_stands_first_and_turns_the_page(
    lab: Lab, organizer: Browser
) -> None:
    lab.dataset("task5", cases=3, phase="sanity")
    organizer.send("/check", "/reference-submissions", phase="sanity", task="task5")
    so = {"board": None, "metric": None, "found": "scored"}
    judgements = [
        {**so, "variant": "perfect", "expected": "scored", "as_expected": True},
        {**so, "variant": "every second missing", "expected": "REJECTED", "as_expected": False},
    ]
    with unit_of_work(lab.sessions) as session:
        tried = {"judgements": judgements, "finished_at": func.now()}
        session.execute(update(ReferenceSubmission).values(tried))
    shown = organizer.see("/check")
    assert "Nothing stands against opening." not in shown
    assert "Scoring did not come out as expected." in shown
    assert "1 not as expected" in shown
    assert shown.index("every second missing") < shown.index(">perfect<")


def test_a_phase_that_is_over_has_no_button_that_cannot_work(lab: Lab, organizer: Browser) -> None:
    assert "Close now…" in organizer.see("/phases/validation")
    organizer.send("/phases/validation/dates?closes=now", "/dates", why="Over.")
    shown = organizer.see("/phases/validation")
    assert "Open now…" not in shown
    assert "Open it again" in shown
    assert "there is nothing to release" in shown
    closes = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    organizer.send(f"/phases/validation/dates?closes={closes}", "/dates", why="A clinic asked.")
    assert "Close now…" in organizer.see("/phases/validation")
