"""A case in 3D: NiiVue comes when it is asked for, shows what the slices show, and says why where it cannot."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest
from click.testing import Result
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from contract.organizers import Role
from evaluator.outputs import LabelMap, encode
from server.browser.cookies import Keys
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.evaluations.models import CaseRun
from server.organizers.models import ChallengeRole
from server.web.organize import case_pages
from tests.browser.conftest import OpenWindow
from tests.browser.windows import Watch, axe, sideways
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.phantoms import FOMO26, mask, phantom

_COLOURS = """async (picture) => {
    const bytes = Uint8Array.from(atob(picture), (one) => one.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    let [grey, teal] = [0, 0];
    for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue] = data.slice(at, at + 3);
        grey += red > 60 && red === green && green === blue;
        teal += green - red > 40 && blue - red > 40;
    }
    return [grey, teal].map((count) => (4 * count) / data.length);
}"""


def colours(canvas: Locator) -> tuple[float, float]:
    """Which parts of what is drawn are grey, as images are, and of the first label's colour."""
    picture = base64.b64encode(canvas.screenshot(animations="disabled")).decode()
    grey, teal = canvas.page.evaluate(_COLOURS, picture)
    return float(grey), float(teal)


@dataclass(frozen=True)
class Case3d:
    """A case that an evaluation has answered, and a page on it in a window of its organizer's."""

    page: Page
    path: str
    evaluation: str

    def open(self, evaluation: str = "") -> str:
        """Opens it; the policy that the page came under."""
        answer = self.page.goto(f"{self.path}?evaluation={evaluation}")
        assert answer is not None
        assert answer.status == 200
        return answer.headers["content-security-policy"]


@pytest.fixture
def case(
    imported: Callable[..., Result],
    window: OpenWindow,
    lab: Lab,
    team: Entrant,
    person: Callable[..., Person],
    site: str,
    tmp_path: Path,
) -> Case3d:
    imported(phantom(tmp_path, "task2"))
    olga = person("Olga")
    evaluation = team.submit("task2")
    task = FOMO26.tasks["task2"]
    output = LabelMap(mask(task.output.labels, 2).astype(np.uint8)[::-1], np.eye(4) + _moved())  # type: ignore[union-attr]
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        row = {"challenge_id": challenge.id, "user_id": UUID(olga.id), "role": Role.OBSERVER}
        session.add(ChallengeRole(**row, named_by="tests"))
        for run in session.scalars(select(CaseRun).where(CaseRun.evaluation_id == UUID(evaluation))):
            run.output = lab.settings.blobs.put(encode(task, output))
    page = window()
    signed = Keys(lab.settings.secret_key.get_secret_value()).signed("proctor_session", olga.token)
    page.context.add_cookies([{"name": "proctor_session", "value": signed, "url": site}])
    path = first_case(olga.http, lab)
    return Case3d(page, path, evaluation)


def _moved() -> np.ndarray:
    """By how much the phantoms' first voxel lies from the scanner's middle."""
    offset = np.zeros((4, 4))
    offset[:3, 3] = -4
    return offset


def first_case(http: httpx.Client, lab: Lab) -> str:
    version = http.get(f"/admin/challenges/{lab.slug}/datasets?task=task2").json()[0]["id"]
    path = f"/organize/{lab.slug}/datasets/{version}/cases"
    return f"{path}/{http.get(path).json()[0]['id']}"


def test_a_case_is_turned_by_keys_with_its_labels_over_it(case: Case3d) -> None:
    asked: list[str] = []
    page = case.page
    page.on("request", lambda request: asked.append(request.url))
    assert "img-src 'self' data:;" in case.open(case.evaluation)
    assert not any("niivue" in url or "/volumes/" in url for url in asked), "only when somebody asks for it"
    page.get_by_role("button", name="In 3D (NiiVue)").press("Enter")
    said, canvas = page.locator("[data-said]"), page.locator("[data-stage] canvas")
    expect(said).to_contain_text("At x 1, y 1, z 2.")
    grey, teal = colours(canvas)
    assert grey > 0.05, (grey, teal)
    assert teal > 0.005, (grey, teal)
    assert len([url for url in asked if "/volumes/" in url]) == 3
    for name in ("Reference", "Output of"):
        page.get_by_role("checkbox", name=name).press("Space")
    assert colours(canvas)[1] == 0
    before = canvas.screenshot()
    canvas.press("ArrowRight")
    assert canvas.screenshot() != before
    assert axe(page) == []
    page.set_viewport_size({"width": 360, "height": 800})
    assert sideways(page) == 0
    page.get_by_role("button", name="Close 3D").press("Enter")
    expect(canvas).to_have_count(0)
    expect(page.get_by_role("button", name="In 3D (NiiVue)")).to_be_focused()


def test_what_is_turned_follows_the_slices_and_these_follow_it(case: Case3d) -> None:
    page = case.page
    case.open()
    page.get_by_role("button", name="In 3D (NiiVue)").click()
    said, canvas = page.locator("[data-said]"), page.locator("[data-stage] canvas")
    expect(said).to_contain_text("At x 1, y 1, z 2.")
    expect(page.get_by_role("checkbox", name="Output of")).to_have_count(0)
    page.locator("#slice-axial").press("ArrowUp")
    expect(said).to_contain_text("At x 1, y 2, z 2.")
    page.get_by_label("Output beside").select_option(case.evaluation)
    expect(page.get_by_role("checkbox", name="Output of")).to_be_checked()
    assert colours(canvas)[0] > 0.05
    page.get_by_label("White at").fill("1e9")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("[data-volumes]")).to_have_attribute("data-volumes", re.compile("1000000000"))
    page.locator("#slice-axial").press("ArrowDown")
    expect(said).to_contain_text("At x 1, y 1, z 2.")  # it comes after the greys
    assert colours(canvas)[0] < 0.02
    page.locator("#slice-axial").press("ArrowUp")
    expect(said).to_contain_text("At x 1, y 2, z 2.")
    key = page.get_by_label("Image", exact=True).locator("option").nth(1).inner_text()
    with page.expect_response(f"**/volumes/{key}"):
        page.get_by_label("Image", exact=True).select_option(key)
    expect(said).to_contain_text("At x 1, y 2, z 2.")
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * 0.4, "y": box["height"] * 0.2})
    expect(said).not_to_contain_text("At x 1, y 2, z 2.")
    place = said.inner_text().removesuffix(".")
    page.get_by_role("link", name="Show this place in the slices above").click()
    expect(page.locator("#viewer [role=status]")).to_contain_text(place)


def test_where_it_cannot_be_turned_a_sentence_says_so_and_the_slices_stay(case: Case3d, watch: Watch) -> None:
    watch.allow("/volumes/reference")
    page = case.page
    case.open()
    page.route(
        "**/volumes/reference", lambda route: route.fulfill(status=422, json={"detail": "It is gone."})
    )
    button, said = page.get_by_role("button", name="In 3D (NiiVue)"), page.locator("[data-said]")
    button.click()
    expect(said).to_have_text("Reference: It is gone.")
    expect(button).to_be_visible()
    page.evaluate("HTMLCanvasElement.prototype.getContext = () => null")
    button.click()
    expect(said).to_contain_text("no WebGL 2")
    expect(page.locator("#slice-axial")).to_be_visible()


def test_where_niivue_is_not_installed_there_is_no_button(
    case: Case3d, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_pages, "third_party", lambda name: None)
    page = case.page
    assert "data:" not in case.open()
    expect(page.get_by_text("NiiVue is not on this installation")).to_be_visible()
    expect(page.get_by_role("button", name="In 3D (NiiVue)")).to_have_count(0)
    expect(page.locator("#slice-axial")).to_be_visible()
