"""An organizer's way by keyboard alone: a wrong label, its correction, what it would change, and all of it in force."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from click.testing import Result
from playwright.sync_api import Page, expect

from contract.leases import Finish
from contract.organizers import Role
from evaluator.spec import Challenge
from server.challenges.service import apply, get_challenge
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.organizers.models import ChallengeRole
from server.settings import Settings
from tests.browser.conftest import OpenWindow
from tests.browser.keyboard import Keyboard
from tests.browser.season import sign_in
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.phantoms import phantom
from tests.server.reevaluating import tick
from worker.score.consignments import work_off
from worker.score.evaluations import score_waiting

WRONG = "sub-02"
BEFORE, AFTER = ["Ada", "Bob"], ["Bob", "Ada"]


@pytest.fixture
def organizer(lab: Lab, person: Callable[..., Person]) -> Person:
    return with_role(lab, person("Olga"), Role.ORGANIZER)


def with_role(lab: Lab, somebody: Person, role: Role) -> Person:
    with unit_of_work(lab.sessions) as session:
        row = {
            "challenge_id": get_challenge(session, lab.slug).id,
            "user_id": UUID(somebody.id),
            "role": role,
        }
        session.add(ChallengeRole(**row, named_by="tests"))
    return somebody


@pytest.fixture
def mislabelled(
    lab: Lab,
    fomo26: Challenge,
    entrant: Callable[[str], Entrant],
    imported: Callable[..., Result],
    tmp_path: Path,
) -> Lab:
    """A sealed phase of eight cases, one with the wrong label: Ada answers as the labels are, Bob as they should be."""
    sealed = fomo26.phases["validation"].model_copy(update={"board": "sealed"})
    phases = {**fomo26.phases, "validation": sealed}
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "phases": phases}), actor="tests")
    made = imported(phantom(tmp_path, "task5", cases=8), "--yes")
    assert made.exit_code == 0, made.output
    for name in BEFORE:
        answered(lab, entrant(name), turned=() if name == "Ada" else (WRONG,))
    score_waiting(lab.sessions, lab.settings)
    return lab


def answered(lab: Lab, team: Entrant, *, turned: tuple[str, ...]) -> None:
    """A submission whose outputs are the labels of the cases, but for those that are turned."""
    evaluation, worker = team.submit(), lab.worker()
    with unit_of_work(lab.sessions) as session:
        runs = {str(run.id): run.case.name for run in session.get_one(Evaluation, UUID(evaluation)).runs}
    while (lease := worker.lease()) is not None:
        name = runs[lease["case_run"]]
        label = int(name[-2:]) % 2 if name not in turned else 1 - int(name[-2:]) % 2
        output = worker.output(lease, f"{0.1 + 0.8 * label}\n".encode())
        done = Finish.model_validate({"message": "It ran.", "seconds": 1.5, "output": output}).model_dump(
            mode="json"
        )
        assert worker.call("POST", lease, "finish", json=done).status_code == 204


def places(http: httpx.Client, lab: Lab) -> list[str]:
    tracks = http.get(f"/challenges/{lab.slug}/leaderboards/validation").json()["tracks"]
    boards = next(one for one in tracks if one["track"] == "open")["boards"]
    entries = next(one for one in boards if one["board"] == "task5")["entries"]
    return [one["team"] for one in sorted(entries, key=lambda one: one["rank"])]


def test_a_wrong_label_is_corrected_applied_reverted_and_the_board_released(
    window: OpenWindow,
    site: str,
    settings: Settings,
    mislabelled: Lab,
    organizer: Person,
    nobody: httpx.Client,
) -> None:
    page = window()
    sign_in(page.context, site, settings, organizer)
    page.on("dialog", lambda dialog: dialog.accept())
    keys, here = Keyboard(page), f"/organize/{mislabelled.slug}"
    page.goto(here)
    keys.link("Readiness")
    expect(page.get_by_role("heading", name="Readiness", level=1)).to_be_visible()
    expect(page.get_by_text("Whether the challenge can open")).to_be_visible()
    assert places(organizer.http, mislabelled) == BEFORE
    corrected(page, keys, mislabelled)
    drafted(page, keys, mislabelled)
    applied_and_reverted(page, keys, mislabelled, organizer)
    board = f"/challenges/{mislabelled.slug}/leaderboards/validation"
    assert nobody.get(board).status_code == 403
    released(page, keys, f"{here}/phases/validation")
    assert places(nobody, mislabelled) == BEFORE


def corrected(page: Page, keys: Keyboard, lab: Lab) -> None:
    """Another label for one case, which makes another version of the cases."""
    keys.link("Cases")
    expect(page.get_by_role("heading", name="Cases", level=1)).to_be_visible()
    keys.press(page.get_by_role("row").filter(has_text="in force").get_by_role("link").first)
    keys.link(WRONG)
    keys.unfold("Correct this case")
    form = page.locator("form", has=page.get_by_role("button", name="Make a version with the correction"))
    keys.type(form.get_by_label("Label"), "1")
    keys.type(form.get_by_label("Reason"), "Read again by two radiologists.")
    keys.tick(form.get_by_label("Warnings are known and right."))
    keys.button("Make a version with the correction")
    expect(page.get_by_text("It waits for a score worker, which may see labels.")).to_be_visible()
    assert work_off(lab.sessions, lab.settings) == 1
    expect(page.get_by_text(f"1 case: {WRONG}")).to_be_visible()  # the page looks again by itself
    keys.link("Score the entries on it")


def drafted(page: Page, keys: Keyboard, lab: Lab) -> None:
    """A re-evaluation from its draft to its preview."""
    expect(page.get_by_role("heading", name="New re-evaluation")).to_be_visible()
    keys.type(page.get_by_label("Reason", exact=True), "A label was wrong.")
    keys.button("Draft it and show what it costs")
    expect(page.get_by_text("2 evaluations of 16 cases")).to_be_visible()
    keys.button("Start it")
    expect(page.get_by_text("0 evaluations of 2 ended")).to_be_visible()
    score_waiting(lab.sessions, lab.settings)
    tick(lab)
    page.reload()
    expect(page.get_by_role("heading", name="What applying it does")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="Bob").first
    expect(row).to_contain_text("becomes")


def applied_and_reverted(page: Page, keys: Keyboard, lab: Lab, organizer: Person) -> None:
    keys.button("Apply: change places and tell the teams")
    expect(page.get_by_role("heading", name="Take it back")).to_be_visible()
    assert places(organizer.http, lab) == AFTER
    keys.type(page.get_by_label("Reason for everybody"), "The first reading was right.")
    keys.button("Revert it for good")
    expect(page.get_by_text("What stood before is in force again.")).to_be_visible()
    assert places(organizer.http, lab) == BEFORE


def released(page: Page, keys: Keyboard, phase: str) -> None:
    """A phase that has not ended is released with a reason, which everybody reads."""
    page.goto(phase)
    keys.tick(page.get_by_label("Release it all the same"))
    keys.type(page.get_by_label("Reason"), "For the conference.")
    keys.button("Release to everybody")
    expect(page.get_by_text("Released: everybody sees the board, and is told.")).to_be_visible()
