"""Pages of re-evaluations: drafted, started, looked at, applied and reverted by forms alone."""

from collections.abc import Callable

import httpx

from contract.organizers import Role
from server.evaluations.models import Evaluation
from tests.abuse.boards import watched
from tests.server.lab import Entrant, Json, Lab
from tests.server.reevaluating import score_all, tick
from tests.server.test_forms import form_token
from tests.server.test_pages_cases import Browsing, browsing, follow, text, version_of
from tests.server.test_reevaluations import teams, upside_down

__all__ = ["browsing", "teams"]


def drafted(organizer: httpx.Client, lab: Lab, **more: str) -> httpx.Response:
    """The page of a draft that a form made."""
    here = f"/organize/{lab.slug}/reevaluations"
    page = organizer.get(f"{here}/new?phase=validation&task=task5")
    assert 'value="validation" checked' in page.text
    assert 'value="task5" checked' in page.text
    fields = {
        "_csrf": form_token(page),
        "_then": f"{here}/{{id}}",
        "mode": "rescore",
        "why": "a wrong label",
        "scope.phases[]": "validation",
        "scope.tasks[]": "task5",
        "scope.teams:lines": "",
        "scope.since:utc": "",
        "file": "",
        "repetitions:int": "1",
        "priority:int": "-10",
        **more,
    }
    return follow(organizer, organizer.post(f"/api/v1{here}", data=fields))


def act(organizer: httpx.Client, page: httpx.Response, what: str, **fields: str) -> httpx.Response:
    """The page after an act that is a form of this one."""
    path = page.url.path
    assert f'action="/api/v1{path}/{what}"' in page.text, what
    sent = {"_csrf": form_token(page), "_then": path, **fields}
    return follow(organizer, organizer.post(f"/api/v1{path}/{what}", data=sent))


def digest_of(page: httpx.Response) -> str:
    return page.text.partition('name="digest" value="')[2].partition('"')[0]


def ready(
    organizer: httpx.Client, lab: Lab, value: Callable[[Evaluation], float], **more: str
) -> httpx.Response:
    """The page of one that is ready."""
    page = act(organizer, drafted(organizer, lab, **more), "start")
    lab.worker().drain()
    score_all(lab, value)
    tick(lab)
    return organizer.get(page.url)


def test_a_re_evaluation_from_draft_to_reverted_by_forms(
    lab: Lab, teams: dict[str, Entrant], browsing: Browsing
) -> None:
    organizer, observer = browsing(), browsing(Role.OBSERVER)
    page = drafted(organizer, lab)
    assert "3 evaluations of 15 cases: no container runs; 1 of the scope is left out." in text(page)
    assert "a case has no stored output of the same inputs" in text(page)
    page = act(organizer, page, "start")
    assert "0 evaluations of 3 ended" in text(page)
    assert 'http-equiv="refresh"' in page.text
    score_all(lab, upside_down(teams))
    tick(lab)
    page = organizer.get(page.url)
    told = text(page)
    for said in ("Evaluations that change: 3, of 3 teams.", "Ada", "1 → becomes 3", "0.900 → becomes 0.100"):
        assert said in told, said
    assert "-0.800" in told
    assert "AUROC 0.900 → becomes 0.100" in told, "metrics go by their titles"
    assert "Validation, track open" in told
    assert "worse" in told
    seen = observer.get(page.url)
    assert "Evaluations that change: 3" in text(seen)
    assert "/apply" not in seen.text
    csv = organizer.get(f"/api/v1{page.url.path}/preview.csv")
    assert csv.text.startswith("phase,track,team")
    page = act(organizer, page, "apply", digest=digest_of(page), why="")
    assert "Take it back" in text(page)
    assert "it is final" in text(page)
    page = act(organizer, page, "revert", why="it was right")
    assert "/revert" not in page.text
    listed = organizer.get(f"/organize/{lab.slug}/reevaluations")
    assert "reverted" in text(listed)
    assert "a wrong label" in listed.text


def test_a_preview_that_has_moved_on_is_refused_with_the_reason(
    lab: Lab, teams: dict[str, Entrant], browsing: Browsing
) -> None:
    organizer = browsing()
    page = ready(organizer, lab, upside_down(teams))
    fields = {"_csrf": form_token(page), "digest": f"sha256:{'0' * 64}"}
    answer = organizer.post(f"/api/v1{page.url.path}/apply", data=fields)
    assert answer.status_code == 409
    assert "Not done" in answer.text or "moved" in answer.text or "changed" in answer.text
    page = act(organizer, page, "cancel", why="a mistake")
    assert "Give it up" not in page.text
    assert "cancelled" in text(page)


def test_entries_are_scored_on_another_version_of_the_cases_from_its_page(
    lab: Lab, teams: dict[str, Entrant], browsing: Browsing
) -> None:
    organizer = browsing()
    first = version_of(organizer, lab)["id"]
    other = lab.dataset("task5", cases=4)
    token = form_token(organizer.get(f"/organize/{lab.slug}/reevaluations/new"))
    activate = f"/api/v1/admin/datasets/{first}/activate"
    assert organizer.post(activate, data={"_csrf": token, "yes:bool": "true"}).status_code == 303
    page = organizer.get(f"/organize/{lab.slug}/datasets/{other}")
    link = f"/organize/{lab.slug}/reevaluations/new?on={other}&amp;phase=validation&amp;task=task5"
    assert link in page.text
    form = organizer.get(link.replace("&amp;", "&"))
    assert f'value="{other}" checked' in form.text
    page = ready(organizer, lab, upside_down(teams), **{"datasets[]": str(other)})
    assert "Versions of the cases that come into force: 1." in text(page)
    assert f"/organize/{lab.slug}/datasets/{other}" in page.text


def test_repetitions_that_differ_are_shown(lab: Lab, teams: dict[str, Entrant], browsing: Browsing) -> None:
    organizer = browsing()

    def value(evaluation: Evaluation) -> float:
        return 0.5 + evaluation.repetition / 10

    page = ready(organizer, lab, value, **{"mode": "rerun", "repetitions:int": "2"})
    assert "Repetitions" in text(page)
    assert "AUROC 0.6 – 0.7" in text(page)


def test_nothing_is_there_to_see_for_others(
    lab: Lab, teams: dict[str, Entrant], browsing: Browsing, browser: httpx.Client
) -> None:
    organizer, observer, stranger = browsing(), browsing(Role.OBSERVER), browsing(None)
    here = f"/organize/{lab.slug}/reevaluations"
    assert "Nothing was made anew" in text(organizer.get(here))
    page = drafted(organizer, lab)
    for path in (here, f"{here}/new", page.url.path):
        assert stranger.get(path).status_code == 403
        assert "wrong label" not in stranger.get(path).text
        assert browser.get(path).headers["Location"].startswith("/sign-in?")
        answer = observer.get(path)
        assert answer.status_code == (403 if path.endswith("/new") else 200)
        assert len(answer.text.split("<h1")) == 2
        assert "style=" not in answer.text
    assert f"{here}/new" not in observer.get(here).text


def test_pages_of_re_evaluations_ask_no_more_for_more(
    lab: Lab, teams: dict[str, Entrant], browsing: Browsing
) -> None:
    organizer, counts = browsing(), list[Json]()
    here = f"/organize/{lab.slug}/reevaluations"
    for more in (1, 6):
        for _ in range(more):
            page = drafted(organizer, lab)
        asked = {}
        for path in (here, f"{here}/new", page.url.path):
            with watched(lab.sessions) as statements:
                assert organizer.get(path).status_code == 200
            asked[path.rpartition("/")[2][:3]] = len(statements.said)
        assert max(asked.values()) <= 40, asked
        counts.append({"sum": sum(asked.values())})
    assert counts[1]["sum"] <= counts[0]["sum"]
    page = ready(organizer, lab, upside_down(teams))
    with watched(lab.sessions) as statements:
        assert organizer.get(page.url).status_code == 200
    assert len(statements.said) <= 40
