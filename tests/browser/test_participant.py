"""A participant's whole way in a browser: from registering to a place on the board."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Request, expect
from sqlalchemy import update

from contract.statuses import UploadStatus
from server.database import unit_of_work
from server.uploads.models import Upload
from tests.browser.conftest import OpenWindow
from tests.browser.keyboard import Keyboard
from tests.browser.windows import PATIENCE, Watch
from tests.browser.wire import Wire
from tests.client.archives import image_archive
from tests.server.conftest import PASSWORD, Clients
from tests.server.lab import FakeWorker, Lab
from tests.server.test_scoring_worker import LABELS, write_references
from worker.score.evaluations import score_waiting
from worker.score.images import check_waiting

MIB = 2**20
MOST_SHIFTED = 0.02
_WATCH_SHIFTS = """() => {
    window.shifts = [];
    const said = ({ node, previousRect, currentRect }) =>
        `${node?.nodeName} ${node?.id} ${node?.className} from ${previousRect.y} to ${currentRect.y}`;
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) window.shifts.push([one.value, one.sources.map(said).join("; ")]);
    }).observe({ type: "layout-shift", buffered: true });
}"""


@pytest.fixture
def wire(site: str) -> Iterator[Wire]:
    wire = Wire(site)
    yield wire
    wire.close()


@pytest.fixture
def public(lab: Lab) -> Lab:
    """The lab with public cases too, and no archive that another test left to be checked."""
    lab.dataset("task5", cases=len(LABELS), phase="sanity")
    with unit_of_work(lab.sessions) as session:
        left = Upload.status == UploadStatus.CHECKING
        session.execute(update(Upload).where(left).values(status=UploadStatus.REJECTED))
    return lab


def test_from_registering_to_a_place_on_the_board(
    window: OpenWindow, watch: Watch, wire: Wire, public: Lab, clients: Clients, tmp_path: Path
) -> None:
    watch.allow("net::ERR_")  # what the cut does
    page = window(at=wire.url)
    here = f"/challenges/{public.slug}"
    registered(page, f"{here}/team")
    founded(page, "The Newcomers")
    api = clients(token(page))
    image = image_archive(tmp_path / "model.tar", noise=3 * MIB)
    sent_in_two_parts(page, wire, api, f"{here}/submit", tmp_path / "model.tar")
    assert check_waiting(public.sessions, public.settings) == 1
    expect(page.get_by_text("It passed its check. Choose its tasks below.")).to_be_visible()
    submitted(page, "model.tar", phase="Sanity", cost="no limit")
    followed_to_its_end(page, public, api)
    page.goto(f"{here}/submit")
    submitted(page, "model.tar", phase="Validation", cost="2")
    followed_to_its_end(page, public, api)
    page.goto(f"{here}/leaderboards/validation")
    own = page.get_by_role("row").filter(has_text="The Newcomers").first
    expect(own).to_have_class(re.compile(r"\bown\b"))
    asked_about_twice(page, f"{here}/submit", image)


def registered(page: Page, then: str) -> None:
    page.goto(then)
    page.get_by_role("link", name="Register").click()
    page.get_by_label("Name").fill("Ada Newcomer")
    page.get_by_label("E-mail address").fill("newcomer@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("Welcome. You are registered and signed in.")).to_be_visible()
    assert page.url.endswith(then), "on goes what was begun"


def founded(page: Page, name: str) -> None:
    page.get_by_label("Name of the team").fill(name)
    page.get_by_role("button", name="Found the team").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def token(page: Page) -> str:
    """An API token, which the page shows once."""
    there = page.url
    page.goto("/account/tokens")
    page.get_by_label("Name").fill("my laptop")
    page.get_by_role("button", name="Make the token").click()
    shown = page.get_by_text(re.compile("^prt_|^prp_|^pr[a-z]_")).first.inner_text()
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("rowheader", name="my laptop")).to_be_visible()
    assert shown not in page.content(), "it is shown once"
    page.goto(there)
    return shown


def sent_in_two_parts(page: Page, wire: Wire, api: httpx.Client, here: str, archive: Path) -> None:
    """Sends an archive whose connection is cut in the middle, and sends on after the page was loaded again."""
    page.on("dialog", lambda dialog: dialog.accept())
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/uploads" in request.url else None)
    page.goto(here)
    wire.cut_after(MIB)
    page.get_by_label("Choose archives").set_input_files(archive)
    expect(page.get_by_text("The connection is lost. It is tried again.")).to_be_visible()
    page.goto(
        "about:blank"
    )  # a reload without a connection leaves the browser's own page, which loads by itself
    wire.mend()
    page.goto(here)
    waiting = page.get_by_role("row").filter(has_text="model.tar")
    expect(waiting).to_contain_text("Choose the same file again to go on.")
    (begun,) = {one.url for one in asked if one.method == "PATCH"}
    stopped = where_it_stopped(api, begun.rpartition("/")[2])
    assert 0 < stopped < archive.stat().st_size
    before = len(asked)
    page.get_by_label("Choose archives").set_input_files(archive)
    expect(page.get_by_text("It has arrived, and is checked.")).to_be_visible()
    first = next(one for one in asked[before:] if one.method == "PATCH")
    assert (first.url, first.headers["upload-offset"]) == (begun, str(stopped))
    assert len([one for one in asked if one.method == "POST"]) == 1, "nothing was begun anew"


def where_it_stopped(api: httpx.Client, upload: str) -> int:
    """The offset of an upload whose connection has ended, once the server has noticed."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        answer = api.head(f"/uploads/{upload}", headers={"Tus-Resumable": "1.0.0"})
        if offset := int(answer.headers["Upload-Offset"]):
            return offset
        time.sleep(0.05)
    return 0


def submitted(page: Page, image: str, *, phase: str, cost: str) -> None:
    """Submits an image to one task by keyboard alone, once its cost was said."""
    keys = Keyboard(page)
    keys.choose(page.get_by_label("Phase"), phase)
    keys.choose(page.get_by_label("Track"), "open")
    keys.choose(page.get_by_label("Polymicrogyria classification"), image)
    keys.button("See what it costs")
    row = page.get_by_role("row").filter(has_text="Polymicrogyria")
    expect(row.get_by_role("cell").nth(1)).to_have_text(cost)
    expect(page.get_by_text("Nothing is submitted yet.")).to_be_visible()
    keys.button("Submit 1 task")
    page.wait_for_url(re.compile("/submissions/"))


def followed_to_its_end(page: Page, lab: Lab, api: httpx.Client) -> None:
    """The page of a submission shows what happens to it, loads nothing again, and nothing on it jumps."""
    expect(page.get_by_text("Live: what changes is shown at once.")).to_be_visible()
    page.evaluate(_WATCH_SHIFTS)
    page.evaluate("window.same = true")
    expect(page.locator(".state-line")).to_contain_text("queued")
    worker = lab.worker()
    first = worker.take()
    expect(page.locator(".state-line")).to_contain_text("running")
    ended(worker, first)
    while (lease := worker.lease()) is not None:
        ended(worker, lease)
    expect(page.locator(".state-line")).to_contain_text("scoring")
    scored(lab, api, page.url.rpartition("/")[2])
    expect(page.locator(".state-line")).to_contain_text("scored")
    expect(page.get_by_text("It has ended.")).to_be_visible()
    assert page.evaluate("window.same") is True, "it was loaded again"
    shifts = page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) <= MOST_SHIFTED, shifts


def ended(worker: FakeWorker, lease: dict[str, Any]) -> None:
    assert worker.finish(lease).status_code == 204


def scored(lab: Lab, api: httpx.Client, submission: str) -> None:
    evaluation = str(api.get(f"/submissions/{submission}").json()["evaluations"][0]["id"])
    write_references(lab, evaluation, LABELS)
    score_waiting(lab.sessions, lab.settings)


def asked_about_twice(page: Page, here: str, image: str) -> None:
    """An image that a task has already is submitted again only by somebody who says so."""
    page.goto(here)
    page.get_by_label("Phase").select_option("validation")
    page.get_by_label("Track").select_option("open")
    page.get_by_label("Polymicrogyria classification").select_option(image)
    page.get_by_role("button", name="See what it costs").click()
    expect(page.get_by_text("The very same image once more.")).to_be_visible()
    there = page.url
    page.get_by_role("button", name="Submit 1 task").click()
    again = page.get_by_label("Submit it again all the same")
    expect(again).to_be_focused()
    assert page.url == there
    again.check()
    page.get_by_role("button", name="Submit 1 task").click()
    page.wait_for_url(re.compile("/submissions/"))
