"""Each page of the application, visited once: its frame, its weight, who is asked, and what axe-core finds."""

from playwright.sync_api import Page

from server.settings import Settings
from tests.browser.conftest import OpenWindow
from tests.browser.season import Seeded, pages, sign_in
from tests.browser.windows import WIDTHS, Watch, axe, screenshot, sideways
from tests.server.conftest import Person

OWN_SCRIPT = 25 * 1024
HEAVY = ("/challenges/{slug}/submit", "/organize/{slug}/datasets/{dataset_id}/cases/{case_id}")
"""Pages of uploads and of voxels; what others have made is not counted anywhere."""
OTHERS = {"/docs": ("#swagger-ui",)}
NAMED = {
    "/": "home",
    "/challenges/{slug}": "challenge",
    "/challenges/{slug}/leaderboards/{phase}": "board",
    "/challenges/{slug}/leaderboards/{phase}/boards/{board}": "board-of-a-task",
    "/challenges/{slug}/leaderboards/{phase}/certainty": "how-sure",
    "/challenges/{slug}/leaderboards/{phase}/comparison": "comparison",
    "/challenges/{slug}/leaderboards/{phase}/tasks/{task}": "task",
    "/challenges/{slug}/submit": "submit",
    "/challenges/{slug}/mine": "mine",
    "/submissions/{submission_id}": "submission",
    "/organize/{slug}": "control-room",
    "/organize/{slug}/reevaluations/{reevaluation_id}": "re-evaluation",
    "/organize/{slug}/datasets/{dataset_id}/cases/{case_id}": "case",
    "/admin": "admin",
}
"""Pictures of pages in docs/images that go by another name than the words of the page's path."""
_WIDE = """[...document.querySelectorAll("main *")]
    .filter((one) => !one.closest(".scroll, .rail, svg") && getComputedStyle(one).overflowX === "visible")
    .filter((one) => one.getBoundingClientRect().right > innerWidth || one.scrollWidth > one.clientWidth + 1)
    .filter((one) => one.clientWidth > 0)
    .map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 60)}`).slice(-3)"""
_ASKED = (
    "performance.getEntriesByType('resource').map((one) => [new URL(one.name).pathname, one.encodedBodySize])"
)


def test_every_page_keeps_to_what_is_promised_of_all(
    window: OpenWindow, watch: Watch, season: Seeded, admin: Person, settings: Settings, site: str
) -> None:
    page = window()
    sign_in(page.context, site, settings, admin)
    found = []
    for path in pages():
        known = len(watch.faults)
        wrong = visited(page, path, season.address(path)) + watch.faults[known:]
        found += [f"{path}: {one}" for one in wrong]
        if path not in OTHERS:
            pictured(page, NAMED.get(path) or named(path))
    assert not found, "\n".join(found)


def visited(page: Page, path: str, address: str) -> list[str]:
    """What is wrong with a page, on a telephone in the dark and at a desk in the light."""
    page.set_viewport_size({"width": 360, "height": 900})
    page.emulate_media(color_scheme="dark")
    answer = page.goto(address)
    assert answer is not None
    if answer.status != 200:
        return [f"{address} is answered {answer.status}: {page.locator('main').inner_text()[:300]}"]
    wrong = framed(page, answer.text())
    if path not in HEAVY and (own := own_script(page)) > OWN_SCRIPT:
        wrong.append(f"{own} bytes of own script")
    if (pixels := sideways(page)) > 0:
        wrong.append(f"{pixels} pixels too wide at 360: {page.evaluate(_WIDE)}")
    without = OTHERS.get(path, ())
    wrong += [f"dark: {one}" for one in axe(page, without=without)]
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")
    return wrong + [f"light: {one}" for one in axe(page, without=without)]


def named(path: str) -> str:
    """The words of a path after its challenge's: organize-teams-one-decide."""
    rest = path.replace("/challenges/{slug}", "").replace("/{slug}", "").replace("leaderboards/{phase}/", "")
    return "-".join("one" if part.startswith("{") else part for part in rest.strip("/").split("/"))


def pictured(page: Page, name: str) -> None:
    """Its pictures, where they are asked for."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        screenshot(page, name)


def framed(page: Page, html: str) -> list[str]:
    """What a page lacks of what all have."""
    wrong = []
    if (heads := page.locator("h1").count()) != 1:
        wrong.append(f"{heads} first headings")
    if not page.title().strip() or page.title() == "Proctor":
        wrong.append(f"its title is {page.title()!r}")
    if " style=" in html or "<script>" in html:
        wrong.append("a style or script stands in it")
    return wrong


def own_script(page: Page) -> int:
    """Compressed bytes of the scripts of this application that the page has loaded, itself or through others."""
    loaded: dict[str, int] = dict(page.evaluate(_ASKED))
    return sum(size for path, size in loaded.items() if path.startswith("/assets/") and path.endswith(".js"))
