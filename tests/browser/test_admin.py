"""An admin's night on a telephone, and what each role is not shown."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from contract.organizers import Role
from server.settings import Settings
from tests.browser.conftest import OpenWindow
from tests.browser.season import sign_in
from tests.browser.test_organizer import with_role
from tests.server.conftest import Clients, Person
from tests.server.lab import Entrant, FakeWorker, Lab
from tests.server.test_scoring_faults import in_scoring
from tests.server.test_scoring_worker import LABELS, score, write_references

OpenAs = Callable[[Person], Page]


@pytest.fixture
def telephone(window: OpenWindow, site: str, settings: Settings) -> OpenAs:
    """A narrow window of somebody who is signed in, and who says yes to what is asked."""

    def opened(person: Person) -> Page:
        page = window(width=360)
        sign_in(page.context, site, settings, person)
        page.on("dialog", lambda dialog: dialog.accept())
        return page

    return opened


def test_a_worker_is_made_drained_resumed_and_given_another_token(
    telephone: OpenAs, lab: Lab, team: Entrant, admin: Person, clients: Clients
) -> None:
    page = telephone(admin)
    page.goto("/admin/workers")
    page.get_by_label("Name").fill("gpu-night")
    page.get_by_role("button", name="Make a token").click()
    first = shown_once(page)
    worker = FakeWorker(clients(first), "gpu-night-1", sessions=lab.sessions)
    evaluation = team.submit()
    page.get_by_role("link", name="gpu-night", exact=True).click()
    page.get_by_label("Reason").first.fill("Its fan is loud.")
    page.get_by_role("button", name="Drain").click()
    expect(page.get_by_text("drains since")).to_be_visible()
    assert worker.lease() is None, "it gets nothing more"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Drain")).to_be_visible()
    assert worker.finish(worker.take()).status_code == 204
    page.get_by_label("Minutes that the old one still works").fill("0")
    page.get_by_role("button", name="Rotate").click()
    second = shown_once(page)
    assert second != first
    assert worker.http.post("/worker/heartbeat", json={"leases": []}).status_code == 401
    FakeWorker(clients(second), "gpu-night-1", sessions=lab.sessions).drain()
    assert team.evaluation(evaluation)["status"] != "queued"


def shown_once(page: Page) -> str:
    """A worker's token, which its page shows this once."""
    token = page.locator(".copyable code").inner_text()
    assert token.startswith("prw_")
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(re.compile("token"))
    assert token not in page.content()
    return token


def test_what_scoring_could_not_read_is_retried_once_it_is_mended(
    telephone: OpenAs, lab: Lab, team: Entrant, admin: Person
) -> None:
    evaluation = in_scoring(lab, team)
    write_references(lab, evaluation, [*LABELS[:2], "89+", *LABELS[3:]])
    for _ in range(2):
        score(lab, evaluation)
    page = telephone(admin)
    page.goto("/admin/errors")
    page.get_by_role("link", name="The Team").first.click()
    expect(page.get_by_text("is not a decimal number")).to_be_visible()
    write_references(lab, evaluation, LABELS)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("It is in the queue again.")).to_be_visible()
    assert score(lab, evaluation).status == "scored"
    page.reload()
    expect(page.get_by_role("heading", name="Scores")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_what_came_last_is_put_first(
    telephone: OpenAs, lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    evaluations = {name: entrant(name).submit() for name in ("Early", "Late")}
    page = telephone(admin)
    page.goto(f"/admin/queue?challenge={lab.slug}")
    late = page.get_by_role("row").filter(has_text="Late")
    late.get_by_role("button", name="First").click()
    expect(page.get_by_text("It goes before all others.")).to_be_visible()
    expect(page.get_by_role("rowheader").first).to_have_text("Late")
    assert lab.worker().take()["evaluation"] == evaluations["Late"]


@pytest.mark.parametrize("path", ["/admin", "/admin/workers", "/admin/audit"])
@pytest.mark.parametrize("role", [None, Role.OBSERVER, Role.ORGANIZER])
def test_the_administration_is_for_admins(
    telephone: OpenAs, lab: Lab, person: Callable[..., Person], role: Role | None, path: str
) -> None:
    somebody = person("Olga")
    if role is not None:
        with_role(lab, somebody, role)
    refused(telephone(somebody), path, "Only admins of this installation")


@pytest.mark.parametrize("path", ["", "/datasets", "/reevaluations", "/phases/validation"])
def test_a_control_room_is_for_its_organizers(
    telephone: OpenAs, lab: Lab, team: Entrant, person: Callable[..., Person], path: str
) -> None:
    refused(telephone(person("Eve")), f"/organize/{lab.slug}{path}", "organizers")


def refused(page: Page, path: str, why: str) -> None:
    """A page that says who may, and leads back."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("main")).to_contain_text(why)
    expect(page.locator("main").get_by_role("link")).not_to_have_count(0)
    assert page.locator("main form").count() == 0


def test_an_observer_sees_the_control_room_and_nothing_to_send(
    telephone: OpenAs, lab: Lab, team: Entrant, person: Callable[..., Person]
) -> None:
    evaluation, observer = team.submit(), with_role(lab, person("Olga"), Role.OBSERVER)
    page, here = telephone(observer), f"/organize/{lab.slug}"
    for path in (
        "",
        "/teams",
        f"/teams/{team.team}",
        f"/submissions/{evaluation}",
        "/phases/validation",
        "/check",
    ):
        answer = page.goto(here + path)
        assert answer is not None
        assert answer.status == 200
        assert page.locator("main form[method=post]").count() == 0, path
