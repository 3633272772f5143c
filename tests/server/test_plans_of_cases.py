"""A changed challenge file is held against the cases that are in force: what no longer fits is asked about."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result

from contract.challenges import Plan
from evaluator.spec import Challenge, parse_challenge
from server.challenges.service import apply, get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.current import in_force
from server.datasets.models import Dataset
from server.errors import Conflict
from server.plans.service import apply_planned, plan
from server.settings import Settings
from server.versions.service import activate
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from tests.server.phantoms import FOMO26, phantom

Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """With a probe that fits four cases per cohort."""
    return FOMO26


@pytest.fixture
def after(sessions: SessionFactory, settings: Settings, slug: str) -> Callable[[Change], Plan]:
    """The plan of this test's challenge file after a change."""

    def planned(change: Change) -> Plan:
        with unit_of_work(sessions) as session:
            content = get_challenge(session, slug).spec.model_dump(mode="json")
            change(content)
            return plan(session, parse_challenge(content), settings=settings)

    return planned


def one_input_more(content: Any) -> None:
    more = {"key": "swi", "flag": "--swi", "file": "swi.nii.gz"}
    content["tasks"]["task5"]["inputs"].append(more)


def an_input_that_is_not_packed(content: Any) -> None:
    content["tasks"]["task5"]["inputs"][0]["file"] = "t1w.nii"


def a_narrower_range(content: Any) -> None:
    content["tasks"]["task3"]["output"].update(minimum=32, maximum=90)


def other_labels(content: Any) -> None:
    content["tasks"]["task4"]["output"]["labels"] = [0, 1]
    for metric in content["boards"]["task4"]["metrics"].values():
        metric["labels"] = [1]


def a_larger_probe(content: Any) -> None:
    for board in ("task6", "task7"):
        content["boards"][board]["probe"]["n_test"] = 50


def groups_of_sites(content: Any) -> None:
    content["boards"]["task7"]["groups"].append({"variable": "scanner"})


MISFITS: dict[str, tuple[str, Change, str]] = {
    "an input more": ("task5", one_input_more, "sub-01: no file for swi"),
    "another way to pack": (
        "task5",
        an_input_that_is_not_packed,
        "was imported as t1w.nii.gz, not as t1w.nii",
    ),
    "a narrower range": ("task3", a_narrower_range, "label '31' must lie between 32 and 90"),
    "a label less": ("task4", other_labels, "labels other than those of the task"),
    "a larger probe": ("task6", a_larger_probe, "leave none for training"),
    "groups that nobody is in": ("task6", groups_of_sites, "no case has a group of scanner"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_cases_in_force_that_a_changed_file_cannot_use_are_asked_about(
    imported: Callable[..., Result], after: Callable[[Change], Plan], tmp_path: Path, case: str
) -> None:
    task, change, says = MISFITS[case]
    assert imported(phantom(tmp_path, task)).exit_code == 0
    (question,) = after(change).questions
    assert f"the cases in force of validation {task} do not fit this file" in question
    assert says in question


def test_nobody_submits_to_cases_that_do_not_fit_and_what_fits_again_is_taken_again(
    imported: Callable[..., Result],
    lab: Lab,
    team: Entrant,
    sessions: SessionFactory,
    settings: Settings,
    tmp_path: Path,
) -> None:
    assert imported(phantom(tmp_path, "task3")).exit_code == 0
    first = in_force_of(sessions, lab.slug)
    with unit_of_work(sessions) as session:
        before = get_challenge(session, lab.slug).spec.model_dump(mode="json")
    narrow = copy.deepcopy(before)
    a_narrower_range(narrow)
    assert team.post("task3").status_code == 201

    confirmed(sessions, settings, narrow)
    refused = team.post("task3")
    assert (refused.status_code, refused.json()["code"]) == (409, "cases_unfit")
    assert "do not fit the challenge file as it is now" in refused.json()["detail"]
    narrow["title"] = "Another title"
    confirmed(sessions, settings, narrow)
    assert team.post("task3").json()["code"] == "cases_unfit", "a change elsewhere does not mend it"

    lab.dataset("task3")
    with unit_of_work(sessions) as session, pytest.raises(Conflict, match="must lie between 32 and 90"):
        activate(session, session.get_one(Dataset, first), settings=settings, actor="tests")

    confirmed(sessions, settings, before)
    with unit_of_work(sessions) as session:
        activate(session, session.get_one(Dataset, first), settings=settings, actor="tests")
    assert team.post("task3").status_code == 201


def in_force_of(sessions: SessionFactory, slug: str) -> UUID:
    with unit_of_work(sessions) as session:
        found = in_force(session, get_challenge(session, slug), "validation", "task3")
        assert found is not None
        return found.id


def confirmed(sessions: SessionFactory, settings: Settings, content: Any) -> None:
    """Applies the file, with every question answered by yes."""
    with unit_of_work(sessions) as session:
        spec = parse_challenge(content)
        apply_planned(session, spec, plan(session, spec, settings=settings), actor="tests", confirmed=True)


def test_cases_that_fit_and_cases_that_the_change_does_not_concern_are_not_asked_about(
    imported: Callable[..., Result], after: Callable[[Change], Plan], tmp_path: Path
) -> None:
    assert imported(phantom(tmp_path, "task5")).exit_code == 0
    assert after(lambda content: content["tasks"]["task5"].update(title="Another")).questions == []
    assert (
        after(lambda content: content["boards"]["task5"]["metrics"]["auroc"].update(title="A")).questions
        == []
    )
    assert after(a_narrower_range).questions == []


def test_a_phase_is_not_shown_with_scans_of_a_hidden_one_unasked(
    command: Admin,
    imported: Callable[..., Result],
    after: Callable[[Change], Plan],
    lab: Lab,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    assert imported(made).exit_code == 0
    place = ("--challenge", lab.slug, "--task", "task5", "--phase", "test")
    assert command("import-dataset", made.root, *place, "--accept").exit_code == 0

    def show(content: Any) -> None:
        content["phases"]["validation"]["hidden"] = False

    shown, both = after(show).questions
    assert "its cases, verdicts and logs would be shown" in shown
    assert "4 scans are in the public phase validation and in the hidden phase test, too" in both
    with unit_of_work(sessions) as session:
        content = get_challenge(session, lab.slug).spec.model_dump(mode="json")
        show(content)
        apply(session, parse_challenge(content), actor="tests")
    assert after(lambda content: content.update(title="Another")).questions == [], "it is so already"
