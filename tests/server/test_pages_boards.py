"""Pages of leaderboards: what is chosen is state of the address, and nobody sees on them what is not theirs to see."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update

from contract.organizers import Role
from contract.reevaluations import ReevaluationMode, ReevaluationScope
from contract.statuses import ReevaluationState
from evaluator.spec import Challenge
from server.amendments.service import amend
from server.challenges.models import Challenge as Stored
from server.challenges.service import get_challenge, release
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.reevaluations.models import Reevaluation
from tests.abuse.boards import watched
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import play
from tests.server.test_forms import sign_in
from tests.server.test_leaderboard import change, page, scored
from tests.server.test_roles import give

MakeEntrant = Callable[[str], Entrant]


@pytest.fixture
def three(lab: Lab, entrant: MakeEntrant) -> dict[str, Entrant]:
    """Ada before Bob before Cyd on task5."""
    lab.dataset()
    teams = {name: entrant(name) for name in ("Ada", "Bob", "Cyd")}
    for value, team in zip((0.9, 0.8, 0.7), teams.values(), strict=True):
        scored(lab, team, value)
    return teams


def names(shown: str) -> list[str]:
    """The teams of a table, in order."""
    return re.findall(r'<a class="name"[^>]*>([^<]+)</a>', shown)


def test_the_address_says_how_a_board_is_sorted_filtered_and_cut(
    lab: Lab, three: dict[str, Entrant], nobody: httpx.Client
) -> None:
    def shown(rest: str) -> list[str]:
        answer = page(nobody, lab, rest=f"?track=open&{rest}")
        assert answer.status_code == 200
        return names(answer.text)

    assert shown("") == ["Ada", "Bob", "Cyd"]
    assert shown("sort=-place") == ["Cyd", "Bob", "Ada"]
    assert shown("sort=-team") == ["Cyd", "Bob", "Ada"]
    assert shown("sort=task5") == ["Ada", "Bob", "Cyd"]
    assert shown("sort=nothing+there") == ["Ada", "Bob", "Cyd"]
    assert shown("filter=B") == ["Bob"]
    assert shown("filter=Zoe") == []
    assert shown("compare=Cyd&compare=nobody") == ["Cyd", "Ada", "Bob"]
    assert shown("sort=-place&filter=a&compare=Bob") == ["Bob", "Ada"]
    at = "/boards/task5?track=open&sort="
    assert names(page(nobody, lab, rest=f"{at}auroc").text) == ["Cyd", "Bob", "Ada"]
    assert names(page(nobody, lab, rest=f"{at}-auroc").text) == ["Ada", "Bob", "Cyd"]
    one = page(nobody, lab, rest="?track=open&columns=task5").text
    assert "task4</a>" not in one
    assert "task5</a>" in one


def test_a_long_board_has_pages_and_leads_to_the_one_of_a_team(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    lab.dataset()
    for number in range(12):
        scored(lab, entrant(f"Team {number:02}"), 1 - number / 20)
    first = page(nobody, lab, rest="?track=open&per=10").text
    assert names(first) == [f"Team {number:02}" for number in range(10)]
    assert "12 teams, 1 to 10 here" in first
    assert 'rel="next"' in first
    last = page(nobody, lab, rest="?track=open&per=10&page=2").text
    assert names(last) == ["Team 10", "Team 11"]
    assert names(page(nobody, lab, rest="?track=open&per=10&page=99").text) == ["Team 10", "Team 11"]
    opened = page(nobody, lab, rest="?track=open&per=10&open=Team+11").text
    assert names(opened) == ["Team 10", "Team 11"]
    assert opened.index('id="open"') < opened.index('class="opened"')
    assert page(nobody, lab, rest="?per=9").status_code == 422
    assert page(nobody, lab, rest="?track=nowhere").status_code == 422
    assert page(nobody, lab, rest="/boards/nothing").status_code == 404


def test_a_season_is_said_in_words_and_a_team_s_row_opens(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    play(lab, entrant, admin)
    shown = page(nobody, lab, rest="?track=open&open=Ada&compare=Cyd&compare=Bob").text
    for words in (
        "tied for first",
        "no prize",
        "Members of an organizing institute",
        ">baseline<",
        ">disqualified<",
        "Prize: 200 USD",
        '<small class="interval">1 to 2</small>',
        "(5)",
        "Compare 2 teams",
    ):
        assert words in shown, words
    assert "comparison?track=open&amp;team=Cyd&amp;team=Bob" in shown
    opened = shown[shown.index('class="opened"') :]
    for words in ("AUROC", "0.959", "Acute infarct classification", "/tasks/task1?track=open", "Submitted"):
        assert words in opened
    assert "last year&#39;s labels" not in shown, "why somebody is disqualified is for the team"
    assert "/certainty?track=open" in shown
    task = page(nobody, lab, rest="/boards/task1?track=open").text
    assert names(task)[-2:] == ["Zero", "Cheats"], "whoever is not ranked comes last"
    assert "Every output is the same." in task


def test_the_csv_is_of_what_is_shown_with_all_its_pages(
    lab: Lab, three: dict[str, Entrant], nobody: httpx.Client
) -> None:
    shown = page(nobody, lab, rest="?track=open&sort=-place&columns=task5").text
    (link,) = re.findall(r'href="(/[^"]*shown\.csv[^"]*)"', shown)
    answer = nobody.get(f"http://{nobody.base_url.netloc.decode()}{link.replace('&amp;', '&')}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["team"], row["place"], row["task5"]) for row in rows] == [
        ("Cyd", "3", "3"),
        ("Bob", "2", "2"),
        ("Ada", "1", "1"),
    ]
    assert set(rows[0]) == {"place", "places", "team", "marks", "prize", "task5"}
    of_board = page(nobody, lab, rest="/shown.csv?track=open&board=task5&filter=Ada").text
    (row,) = csv.DictReader(io.StringIO(of_board))
    assert (row["team"], row["AUROC"], row["marks"]) == ("Ada", "0.900", "first")


def test_who_is_signed_in_sees_their_team_marked_and_nobody_else_sees_that_page(
    lab: Lab, three: dict[str, Entrant], nobody: httpx.Client, browser: httpx.Client
) -> None:
    before = page(nobody, lab, rest="?track=open")
    sign_in(browser, three["Bob"].http.get("/me").json()["email"])
    own = browser.get(f"/challenges/{lab.slug}/leaderboards/validation?track=open")
    assert own.text.count(">yours</span>") == 1
    assert own.text.index("Bob</a>") < own.text.index(">yours</span>") < own.text.index("Cyd</a>")
    assert "Sign out" in own.text
    assert own.headers["Cache-Control"] == "no-store"
    after = page(nobody, lab, rest="?track=open")
    assert (after.text, after.headers["ETag"]) == (before.text, before.headers["ETag"])
    assert "yours" not in after.text
    assert "_csrf" not in after.text
    assert "Sign in" in after.text


def test_not_modified_says_nothing_that_a_browser_would_take_over_into_the_page(
    lab: Lab, three: dict[str, Entrant], nobody: httpx.Client
) -> None:
    for rest in ("", "?track=open", "/boards/task5?track=open"):
        whole = page(nobody, lab, rest=rest)
        address = str(whole.request.url)
        same = nobody.get(address, headers={"Accept": "text/html", "If-None-Match": whole.headers["ETag"]})
        assert same.status_code == 304
        changed = {name for name in same.headers if same.headers[name] != whole.headers.get(name)}
        assert changed <= {"date", "x-request-id"}


def test_what_somebody_was_just_told_is_on_no_page_for_all(
    lab: Lab, three: dict[str, Entrant], browser: httpx.Client
) -> None:
    sign_in(browser, three["Ada"].http.get("/me").json()["email"])
    token = re.search(r'name="_csrf" value="([^"]+)"', browser.get("/").text)
    assert token is not None
    fields = {"_csrf": token[1], "_done": "Only Ada reads this.", "_then": "/"}
    assert browser.post("/api/v1/sessions/current?_method=DELETE", data=fields).status_code == 303
    told = browser.get(f"/challenges/{lab.slug}/leaderboards/validation?track=open")
    assert told.status_code == 200
    with httpx.Client(base_url=browser.base_url, headers={"Accept": "text/html"}) as other:
        assert "Only Ada" not in other.get(str(told.url)).text


@pytest.fixture
def sealed(lab: Lab, entrant: MakeEntrant, fomo26: Challenge) -> Entrant:
    """A team that was scored under seal."""
    phases = dict(fomo26.phases)
    phases["test"] = phases["test"].model_copy(update={"opens": phases["sanity"].opens})
    change(lab, fomo26, phases=phases)
    lab.dataset(phase="test")
    team = entrant("Hidden Team")
    scored(lab, team, 0.912, phase="test")
    return team


def test_a_sealed_board_is_a_page_for_organizers_and_a_refusal_with_the_way_on_for_others(
    lab: Lab, sealed: Entrant, admin: Person, browser: httpx.Client
) -> None:
    at = f"/challenges/{lab.slug}/leaderboards/test"
    addresses = (at, f"{at}?track=open&sort=team", f"{at}/boards/task5?track=open", f"{at}/shown.csv")
    for _ in range(2):
        for address in addresses:
            answer = browser.get(address)
            assert answer.status_code == 403
            assert "0.912" not in answer.text
            assert "Hidden Team" not in answer.text.replace('/account">Hidden Team<', "")
        refused = browser.get(at).text
        assert "sealed until the organizers release it" in refused
        assert "Who decides" in refused
        sign_in(browser, sealed.http.get("/me").json()["email"])
    sign_in(browser, admin.email)
    for address in addresses:
        live = browser.get(address)
        assert live.status_code == 200
        assert "Hidden Team" in live.text
    assert "0.912" in browser.get(addresses[2]).text
    browser.cookies.clear()
    assert browser.get(at).status_code == 403, "what an organizer looked at is kept for nobody"
    with unit_of_work(lab.sessions) as session:
        release(session, get_challenge(session, lab.slug), "test", actor="tests")
    answer = browser.get(f"{at}?track=open&sort=team")
    assert answer.status_code == 200
    assert "Hidden Team" in answer.text
    assert "Released by the organizers" in answer.text


def test_a_frozen_board_hides_what_came_later_from_every_view(
    lab: Lab, three: dict[str, Entrant], admin: Person, browser: httpx.Client, fomo26: Challenge
) -> None:
    phases = dict(fomo26.phases)
    freezes = {"freezes": datetime(2026, 6, 20, tzinfo=UTC)}
    phases["validation"] = phases["validation"].model_copy(update=freezes)
    change(lab, fomo26, phases=phases)
    at = f"/challenges/{lab.slug}/leaderboards/validation"
    for address in (
        f"{at}?track=open",
        f"{at}?track=open&sort=team",
        f"{at}/boards/task5?track=open&open=Ada",
    ):
        shown = browser.get(address).text
        assert "Frozen since" in shown
        assert "0.900" not in shown
        assert names(shown) == []
    sign_in(browser, three["Ada"].http.get("/me").json()["email"])
    assert names(browser.get(f"{at}?track=open").text) == []
    sign_in(browser, admin.email)
    assert names(browser.get(f"{at}?track=open").text) == ["Ada", "Bob", "Cyd"]


def test_each_viewer_reads_the_state_of_a_board_in_one_sentence(
    lab: Lab,
    three: dict[str, Entrant],
    admin: Person,
    person: Callable[..., Person],
    browser: httpx.Client,
    fomo26: Challenge,
) -> None:
    watcher = person("Watcher")
    give(lab.sessions, lab.slug, watcher, Role.OBSERVER)
    readers = {
        "": None,
        "team": three["Ada"].http.get("/me").json()["email"],
        "observer": watcher.email,
        "organizer": admin.email,
    }
    sentences = (
        "It freezes",
        "Frozen since",
        "Frozen for everybody else since",
        "Sealed: only organizers and observers see this board",
        "Released by the organizers",
        "and nothing of single cases.",
        "and observers what single cases gave, too.",
    )

    def said(**changes: object) -> list[list[str]]:
        """What each reader of the board is told of it, with the phase changed so."""
        phase = fomo26.phases["validation"].model_copy(update=changes)
        change(lab, fomo26, phases={**fomo26.phases, "validation": phase})
        found = []
        for mail in readers.values():
            browser.cookies.clear()
            if mail is not None:
                assert sign_in(browser, mail).status_code == 303
            shown = [
                " ".join(browser.get(f"{at}{rest}").text.split()) for rest in ("?sort=team", "/boards/task5")
            ]
            told = [[sentence for sentence in sentences if sentence in one] for one in shown]
            assert told[0] == told[1]
            found.append(told[0])
        return found

    at = f"/challenges/{lab.slug}/leaderboards/validation"
    past, future = datetime(2026, 6, 20, tzinfo=UTC), datetime(2126, 6, 20, tzinfo=UTC)
    (for_all, for_observers) = (sentences[5:6], sentences[6:7])
    assert said() == [[*for_all]] * 2 + [[*for_observers]] * 2
    assert said(hidden=False) == [[]] * 4
    assert said(freezes=future) == [["It freezes", *for_all]] * 2 + [["It freezes", *for_observers]] * 2
    assert said(freezes=past) == (
        [["Frozen since", *for_all]] * 2 + [["Frozen for everybody else since", *for_observers]] * 2
    )
    assert said(board="sealed") == [[]] * 2 + [[sentences[3], *for_observers]] * 2
    browser.cookies.clear()
    assert "sealed until the organizers release it" in browser.get(at).text
    with unit_of_work(lab.sessions) as session:
        release(session, get_challenge(session, lab.slug), "validation", actor="tests")
    assert said(board="sealed") == [["Released by the organizers"]] * 4
    assert said(board="none") == [[]] * 4
    assert "has no leaderboard" in browser.get(at).text


def test_all_pages_of_a_board_open_with_the_first_track_that_has_entries(
    lab: Lab, entrant: MakeEntrant, admin: Person, browser: httpx.Client
) -> None:
    at = f"/challenges/{lab.slug}/leaderboards/validation"
    pages = ("", "/boards/task1", "/certainty", "/comparison", "/tasks/task1", "/differences")

    def track(rest: str) -> str:
        shown = browser.get(f"{at}{rest}")
        assert shown.status_code == 200
        found = re.search(r'aria-current="page"[^>]*>(\w+) track</a>', shown.text)
        assert found is not None, rest
        return found[1]

    assert {rest: track(rest) for rest in pages} == dict.fromkeys(pages, "Method")
    play(lab, entrant, admin)
    assert {rest: track(rest) for rest in pages} == dict.fromkeys(pages, "Open")
    assert {rest: track(f"{rest}?track=method") for rest in pages} == dict.fromkeys(pages, "Method")
    for rest in ("/certainty", "/tasks/task1", "/comparison"):
        assert browser.get(f"/challenges/{lab.slug}/leaderboards/test{rest}").status_code == 403
        assert browser.get(f"/challenges/{lab.slug}/leaderboards/sanity{rest}").status_code == 404


def test_a_page_costs_the_same_statements_for_more_teams(
    lab: Lab, three: dict[str, Entrant], entrant: MakeEntrant, browser: httpx.Client
) -> None:
    def counted(client: httpx.Client, rest: str) -> int:
        with watched(lab.sessions) as asked:
            answer = client.get(f"{browser.base_url}/challenges/{lab.slug}/leaderboards/validation{rest}")
            assert answer.status_code == 200
            return len(asked.said)

    sign_in(browser, three["Ada"].http.get("/me").json()["email"])
    rests = ("?track=open&sort=team", "/boards/task5?track=open&sort=team")
    few = [counted(browser, rest) for rest in rests]
    for number in range(4):
        scored(lab, entrant(f"Other {number}"), 0.5)
    many = [counted(browser, rest) for rest in rests]
    assert 5 < max(many) <= max(few) <= 40


def test_amendments_of_a_task_are_said_beside_what_was_scored_before(
    lab: Lab, three: dict[str, Entrant], admin: Person, nobody: httpx.Client
) -> None:
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        earlier = datetime.now(UTC) - timedelta(hours=2)
        scored_before = {"created_at": earlier, "finished_at": earlier}
        session.execute(
            update(Evaluation).where(Evaluation.challenge_id == challenge.id).values(scored_before)
        )
        about = {"phase": "validation", "task": "task5", "by": "tests"}
        amend(session, challenge, what="One label of task5 corrected", why="It was turned", **about)
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Stored).where(Stored.slug == lab.slug).values(released=["none"]))
    for _ in range(200):
        shown = page(nobody, lab, rest="?track=open&open=Ada").text
        if "One label of task5 corrected" in shown:
            break
    assert "One label of task5 corrected, because: It was turned" in shown
    assert "amended since" in shown


def test_places_under_another_rule_and_on_another_track(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    play(lab, entrant, admin)
    dense = page(nobody, lab, rest="/differences?track=open&against=ties:+dense").text
    rows = re.findall(
        r'class="team">(\w+)</th><td>(\d+)</td><td>(\d+)</td><td class="text">(.*?)</td>', dense
    )
    assert [row[:3] for row in rows][:3] == [("Ada", "1", "1"), ("Bob", "1", "1"), ("Institute", "3", "2")]
    assert rows[2][3] == "<b>1 up</b>"
    assert "Cheats" not in dense
    assert "Zero" not in dense, "whoever is not ranked has no place under any rule"
    assert "equal values share a place and the next one follows without a gap" in dense
    assert page(nobody, lab, rest="/differences?track=open&against=anything").status_code == 200
    assert "Nothing to compare yet" in page(nobody, lab, rest="/differences?track=method").text


def test_differences_begin_with_what_moves_a_place_and_say_where_none_does(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    play(lab, entrant, admin)
    shown = page(nobody, lab, rest="/differences").text
    options = re.findall(r'<option value="([^"]*)"( selected)?>([^<]*)</option>', shown)
    moving = [key for key, _, words in options if words.endswith("elsewhere")]
    assert [key for key, selected, _ in options if selected] == moving[:1]
    assert "would stand elsewhere" in shown
    (still, *_) = [key for key, _, words in options if words.endswith("no place changes")]
    stays = page(nobody, lab, rest=f"/differences?against={quote(still)}").text
    assert "<b>No place changes</b>" in stays
    assert "under anything else" not in stays
    assert "would stand elsewhere" not in stays


def test_where_nothing_moves_a_place_that_is_said(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    lab.dataset()
    scored(lab, entrant("Ada"), 0.9)
    lab.work_out()
    shown = page(nobody, lab, rest="/differences").text
    assert "<option" in shown
    assert "elsewhere" not in shown
    assert "No place changes under anything else that can be chosen here, either." in shown


def test_another_rule_tells_nothing_of_a_sealed_board(
    lab: Lab, sealed: Entrant, admin: Person, browser: httpx.Client
) -> None:
    at = f"/challenges/{lab.slug}/leaderboards/test/differences?track=open"
    refused = browser.get(at)
    assert refused.status_code == 403
    assert "Hidden Team" not in refused.text
    sign_in(browser, admin.email)
    lab.work_out()
    assert "Hidden Team" in browser.get(at).text


def test_what_is_evaluated_again_is_said_to_organizers_alone(
    lab: Lab, three: dict[str, Entrant], admin: Person, browser: httpx.Client
) -> None:
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        session.add(
            Reevaluation(
                challenge_id=challenge.id,
                state=ReevaluationState.RUNNING,
                mode=ReevaluationMode.RESCORE,
                scope=ReevaluationScope(phases=("validation",)),
                why="A label was wrong",
                priority=-10,
                created_by="tests",
            )
        )
    at = f"/challenges/{lab.slug}/leaderboards/validation?track=open&sort=team"
    assert "re-evaluation" not in browser.get(at).text
    sign_in(browser, three["Ada"].http.get("/me").json()["email"])
    assert "re-evaluation" not in browser.get(at).text
    sign_in(browser, admin.email)
    shown = browser.get(at).text
    assert "Under re-evaluation" in shown
    assert "A label was wrong" not in shown
