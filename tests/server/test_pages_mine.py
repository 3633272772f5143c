"""Pages of what a team sent: what they say as it goes on, to whom, and what they never tell."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from evaluator.spec import Challenge
from evaluator.verdicts import HINTS, Fault
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.queue import places
from tests.server.browsing import browsing, require_sound, sent, statements
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import season_reports, settle

Team = tuple[Person, Entrant, httpx.Client]


@pytest.fixture
def one_look_at_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process looks at the queue from time to time, whoever asks; submitting has made it look."""
    monkeypatch.setattr(places, "LOOK_SECONDS", 1e12)
    monkeypatch.setattr(places, "AGAIN_SECONDS", 1e12)


@pytest.fixture
def mine(lab: Lab, person: Callable[..., Person], served: tuple[str, SessionFactory]) -> Iterator[Team]:
    """Somebody with a team and an image, and their browser."""
    ada = person("Ada")
    entrant = lab.entrant(ada.http, "The Team")
    with browsing(served[0], ada.email) as browser:
        yield ada, entrant, browser


@pytest.fixture
def other(
    lab: Lab, person: Callable[..., Person], served: tuple[str, SessionFactory]
) -> Iterator[httpx.Client]:
    """The browser of somebody of another team."""
    eve = person("Eve")
    lab.entrant(eve.http, "Others")
    with browsing(served[0], eve.email) as browser:
        yield browser


def submission_of(team: Entrant, evaluation: str) -> str:
    listed = team.http.get(f"/challenges/{team.slug}/submissions").json()
    return next(str(one["id"]) for one in listed if one["evaluations"][0]["id"] == evaluation)


def test_whoever_has_no_team_is_told_how_to_get_one(
    served: tuple[str, SessionFactory], person: Callable[..., Person], slug: str
) -> None:
    with browsing(served[0], person().email) as browser:
        for page in (f"/challenges/{slug}/mine", f"/challenges/{slug}/mine/attempts"):
            shown = require_sound(browser.get(page))
            assert "You have no team in this challenge." in shown
            assert f'href="/challenges/{slug}/team"' in shown


def test_pages_of_a_team_are_for_its_members_alone(
    mine: Team, other: httpx.Client, served: tuple[str, SessionFactory], lab: Lab
) -> None:
    _, team, browser = mine
    lab.dataset("task5", cases=2, phase="sanity")
    evaluation = team.submit(phase="sanity")
    submission = submission_of(team, evaluation)
    case = team.http.get(f"/evaluations/{evaluation}/cases").json()[0]["id"]
    pages = (
        f"/submissions/{submission}",
        f"/evaluations/{evaluation}",
        f"/evaluations/{evaluation}/cases/{case}",
        f"/challenges/{lab.slug}/mine?team={team.team}",
        f"/challenges/{lab.slug}/mine/attempts?team={team.team}",
    )
    with browsing(served[0]) as nobody:
        for page in pages:
            require_sound(browser.get(page))
            refused = other.get(page)
            assert refused.status_code == 404
            assert "The Team" not in refused.text
            assert nobody.get(page).headers["Location"].startswith("/sign-in?then=")


@pytest.mark.usefixtures("one_look_at_the_queue")
def test_a_submission_is_followed_by_the_state_that_its_page_shows(
    mine: Team, lab: Lab, sessions: SessionFactory
) -> None:
    _, team, browser = mine
    submission = submission_of(team, team.submit())
    shown = require_sound(browser.get(f"/submissions/{submission}"))
    state = re.search(r'data-state="([0-9a-f]{32})"', shown)
    assert state is not None
    headers = {"Last-Event-ID": state[1]}
    stream = browser.get(f"/api/v1/submissions/{submission}/events?seconds=0", headers=headers)
    assert stream.headers["Content-Type"].startswith("text/event-stream"), "the cookie opens it"
    assert "event: state" not in stream.text, "what the page shows is not sent again"
    for part in (
        "queued",
        "live.js",
        "Load again",
        "Waits",
        "The cases are hidden",
    ):
        assert part in shown, part
    listed = require_sound(browser.get(f"/challenges/{lab.slug}/mine"))
    assert f'data-events="/api/v1/submissions/{submission}/events"' in listed


def test_hidden_cases_are_counted_and_never_named(mine: Team, lab: Lab) -> None:
    _, team, browser = mine
    evaluation = team.submit()
    worker = lab.worker()
    assert worker.finish(worker.take(), fault="timeout").status_code == 204
    worker.drain()
    page = require_sound(browser.get(f"/evaluations/{evaluation}"))
    assert "The cases of this phase are hidden." in page
    for run in lab.runs(evaluation):
        assert run.pseudonym not in page
    assert "sub-0" not in page
    assert "timeout" not in page, "verdicts are counted once scoring spent an attempt"
    case = lab.runs(evaluation)[0].id
    refused = browser.get(f"/evaluations/{evaluation}/cases/{case}")
    assert refused.status_code == 403
    assert "hidden" in refused.text


def test_public_cases_stand_with_what_was_found_beside_their_logs(mine: Team, lab: Lab) -> None:
    _, team, browser = mine
    lab.dataset("task5", cases=2, phase="sanity")
    evaluation = team.submit(phase="sanity")
    worker = lab.worker()
    assert worker.finish(worker.take(), fault="timeout").status_code == 204
    worker.drain()
    page = require_sound(browser.get(f"/evaluations/{evaluation}"))
    for part in ("sub-00", "sub-01", "timeout", "As the test says.", "The container wrote nothing.", "valid"):
        assert part in page, part
    first = team.http.get(f"/evaluations/{evaluation}/cases").json()[0]
    assert first["case"] in require_sound(browser.get(f"/evaluations/{evaluation}/cases/{first['id']}"))


def test_a_rejected_evaluation_says_what_happened_and_what_to_do(mine: Team, lab: Lab) -> None:
    _, team, browser = mine
    lab.dataset("task5", cases=2, phase="sanity")
    evaluation = team.submit(phase="sanity")
    lab.worker().drain(fault="out_of_memory")
    page = require_sound(browser.get(f"/submissions/{submission_of(team, evaluation)}"))
    for part in ("rejected", "out_of_memory", "used more memory", "proctor try", "No attempt was spent"):
        assert part in page, part
    assert page.index("Read what was found and the log of each case") < page.index("proctor try")
    assert "live.js" not in page, "nothing is to come"


def test_a_failed_case_names_the_limit_that_it_ran_into_once(mine: Team, lab: Lab, fomo26: Challenge) -> None:
    _, team, browser = mine
    lab.dataset("task5", cases=2, phase="sanity")
    evaluation, fault = team.submit(phase="sanity"), Fault.OUT_OF_MEMORY
    lab.worker().drain(fault=fault, message=HINTS[fault])
    limit = f"(limit: {fomo26.limits.memory / 2**30:g} GiB)."
    told = f"{HINTS[fault].removesuffix('.')} {limit}"
    case = team.http.get(f"/evaluations/{evaluation}/cases").json()[0]
    assert case["message"] == told
    page = require_sound(browser.get(f"/evaluations/{evaluation}"))
    assert page.count(limit) == page.count(told) == 4, "the reason, the table of verdicts, and each case once"
    assert limit in require_sound(browser.get(f"/evaluations/{evaluation}/cases/{case['id']}"))


def test_the_list_says_what_failed_most_and_the_main_value(mine: Team, lab: Lab) -> None:
    _, team, browser = mine
    for phase in ("sanity", "validation"):
        lab.dataset("task5", cases=2, phase=phase)
    lab.dataset("task1", cases=3)
    for phase, fault in (("sanity", "exit_code"), ("validation", "timeout")):
        team.submit(phase=phase)
        lab.worker().drain(fault=fault)
    evaluation = settle(lab, team, {"task1": season_reports()["Ada"]["task1"]}, task="task1")
    listed = require_sound(browser.get(f"/challenges/{lab.slug}/mine"))
    assert "2 × exit_code" in listed
    assert '<span class="brief mono">timeout</span>' in listed, "of hidden cases that failed the class alone"
    assert "× timeout" in listed, "one of those that were scored, which are counted"
    value = team.evaluation(evaluation)["scores"]["task1"]["auroc"]["value"]
    assert f'<span class="brief">AUROC <b>{value:g}</b></span>' in listed


def test_the_list_says_that_there_is_no_value(mine: Team, lab: Lab) -> None:
    _, team, browser = mine
    lab.dataset("task1", cases=3)
    settle(lab, team, {"task1": season_reports()["Late"]["task1"]}, task="task1")
    assert 'AUROC <span class="none">no value</span>' in require_sound(
        browser.get(f"/challenges/{lab.slug}/mine")
    )


def test_scores_stand_with_unit_and_direction_and_a_receipt(mine: Team, lab: Lab) -> None:
    _, team, browser = mine
    lab.dataset("task1", cases=3)
    evaluation = settle(lab, team, {"task1": season_reports()["Ada"]["task1"]}, task="task1")
    page = require_sound(browser.get(f"/evaluations/{evaluation}"))
    for part in ("scored", "higher is better", " to ", "Download the receipt", "proctor verify FILE"):
        assert part in page, part
    address = re.search(r'href="(/api/v1/evaluations/[0-9a-f-]+/receipt)" download', page)
    assert address is not None
    assert browser.get(address[1]).json()["signature"]
    assert 'href="/api/v1/receipts/keys" download="receipt-keys.json"' in page
    assert browser.get("/api/v1/receipts/keys").status_code == 200


def test_why_there_is_no_value_stands_in_a_column_of_its_own(mine: Team, lab: Lab) -> None:
    """In the value's column it would push the values of the other rows out of a telephone's sight."""
    _, team, browser = mine
    lab.dataset("task1", cases=3)
    evaluation = settle(lab, team, {"task1": season_reports()["Late"]["task1"]}, task="task1")
    page = require_sound(browser.get(f"/evaluations/{evaluation}"))
    assert '<th scope="col" class="text">To be said</th>' in page
    assert '<td class="text"><small class="said-why">Every output is the same.</small></td>' in page


def test_what_is_sealed_shows_neither_score_nor_receipt(mine: Team, lab: Lab, fomo26: Challenge) -> None:
    _, team, browser = mine
    opened = fomo26.phases["test"].model_copy(
        update={"opens": datetime(2020, 1, 1, tzinfo=UTC), "closes": None}
    )
    spec = fomo26.model_copy(update={"challenge": lab.slug, "phases": {**fomo26.phases, "test": opened}})
    with unit_of_work(lab.sessions) as session:
        apply(session, spec, actor="tests")
    lab.dataset("task1", cases=3, phase="test")
    evaluation = settle(
        lab, team, {"task1": season_reports()["Ada"]["task1"]}, task="task1", phase="test", track="method"
    )
    assert "AUROC" not in require_sound(browser.get(f"/challenges/{lab.slug}/mine"))
    for page in (f"/evaluations/{evaluation}", f"/submissions/{submission_of(team, evaluation)}"):
        shown = require_sound(browser.get(page))
        assert "Its scores are sealed" in shown
        assert "AUROC" not in shown
        assert "/receipt" not in shown


def test_an_evaluation_is_withdrawn_and_its_attempt_given_back(mine: Team, lab: Lab) -> None:
    _, team, browser = mine
    evaluation = team.submit()
    page = f"/evaluations/{evaluation}"
    after = sent(browser, page, f"/api/v1/evaluations/{evaluation}/cancel", _done="Withdrawn.")
    assert "Withdrawn." in after.text
    assert "cancelled" in after.text
    ledger = require_sound(browser.get(f"/challenges/{lab.slug}/mine/attempts"))
    assert "given back" in ledger
    assert "cancelled, which spends none" in ledger


@pytest.mark.usefixtures("one_look_at_the_queue")
def test_many_submissions_come_page_by_page_at_the_same_cost(
    mine: Team, lab: Lab, sessions: SessionFactory
) -> None:
    _, team, browser = mine
    lab.dataset("task5", cases=1, phase="sanity")
    page = f"/challenges/{lab.slug}/mine"
    costs = []
    for wanted in (1, 21):
        for _ in range(wanted):
            team.submit(phase="sanity")
        costs.append(statements(browser, sessions, page))
    assert costs[0] == costs[1]
    shown = browser.get(page).text
    older = re.search(r'href="([^"]+before=[^"]+)" rel="next"', shown)
    assert older is not None
    rest = browser.get(older[1].replace("&amp;", "&")).text
    assert (shown.count('href="/submissions/'), rest.count('href="/submissions/')) == (20, 2)
    assert shown.count("data-events") == 2, "a browser holds few connections"
    for address in (f"{page}/attempts", re.findall(r'href="(/submissions/[^"]+)"', shown)[0]):
        statements(browser, sessions, address)


@pytest.mark.usefixtures("one_look_at_the_queue")
def test_many_cases_come_page_by_page_at_the_same_cost(
    mine: Team, lab: Lab, sessions: SessionFactory
) -> None:
    _, team, browser = mine
    costs = []
    for cases in (1, 53):
        lab.dataset("task5", cases=cases, phase="sanity")
        page = f"/evaluations/{team.submit(phase='sanity')}"
        costs.append(statements(browser, sessions, page))
    assert costs[0] == costs[1]
    shown = browser.get(page).text
    further = re.search(r'href="([^"]+after=[^"]+)#cases" rel="next"', shown)
    assert further is not None
    assert (shown.count('class="box case"'), browser.get(further[1]).text.count('class="box case"')) == (
        50,
        3,
    )
