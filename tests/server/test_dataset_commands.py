"""What organizers see and do with versions of the cases, by command and over the API."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import func, select

from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.models import (
    Dataset,
)
from server.datasets.service import current_dataset
from server.settings import Settings
from server.versions import service as versions
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, correct, files_of, short, words
from tests.server.phantoms import FOMO26, phantom
from tests.server.test_leaderboard import scored


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """With a probe that fits four cases per cohort."""
    return FOMO26


def test_warnings_are_accepted_or_nothing_is_imported(
    imported: Callable[..., Result], lab: Lab, settings: Settings, sessions: SessionFactory, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task3")
    (made.root / "notes.txt").write_text("x")
    before = files_of(settings)
    refused = imported(made)
    assert refused.exit_code == 1
    assert "notes.txt: is not part of the layout" in words(refused)
    assert "--accept" in refused.output
    assert files_of(settings) == before
    with unit_of_work(sessions) as session:
        place = Dataset.challenge_id == get_challenge(session, lab.slug).id, Dataset.task == "task3"
        assert session.scalar(select(func.count(Dataset.id)).where(*place)) == 0
    accepted = imported(made, "--accept")
    assert accepted.exit_code == 0
    assert "notes.txt" in words(accepted), "what was accepted is said"
    assert "unchanged" in imported(made).output, "and is asked once"


def test_groups_that_vanish_altogether_have_to_be_accepted(
    imported: Callable[..., Result], tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task3")
    assert imported(made).exit_code == 0
    (made.root / "participants.tsv").unlink()
    refused = imported(made)
    assert refused.exit_code == 1
    assert "validation task3: no case has cohort or sex or age or site" in words(refused)
    assert "is participants.tsv whole?" in words(refused)
    assert "4 cases with other groups" in words(imported(made, "--accept"))


def test_a_check_says_the_same_and_imports_nothing(
    imported: Callable[..., Result], command: Admin, lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task3")
    place = ("--challenge", lab.slug, "--task", "task3", "--phase", "validation")
    before = files_of(settings)
    checked = command("check-dataset", made.root, *place)
    assert (checked.exit_code, "4 cases, nothing wrong" in words(checked)) == (0, True)
    assert files_of(settings) == before
    imported(made)
    assert "in force already" in words(command("check-dataset", made.root, *place))
    correct(made, label="many")
    wrong = command("check-dataset", made.root, *place)
    assert wrong.exit_code == 1
    assert "'many' is not a decimal number" in words(wrong)


def test_versions_are_listed_with_what_an_organizer_wants_to_know(
    imported: Callable[..., Result], command: Admin, admin: Person, lab: Lab, team: Entrant, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    scored(lab, team, 0.9)
    correct(made)
    imported(made, "--yes")
    listed = command("datasets", lab.slug, "--phase", "validation", "--task", "task5")
    assert listed.exit_code == 0
    assert "0: 3, 1: 1" in listed.output
    rows = admin.http.get(f"/admin/challenges/{lab.slug}/datasets", params={"task": "task5"}).json()
    now, before, bare = rows
    assert [one["state"] for one in rows] == ["active", "superseded", "superseded"]
    assert (before["labels"], before["evaluations"], before["cases"]) == ("0: 2, 1: 2", 1, 4)
    assert (now["labels"], now["evaluations"], now["imported_by"]) == ("0: 3, 1: 1", 0, "proctor-admin")
    assert now["size"] > 4 * 500
    assert now["digest"][7:19] in listed.output
    assert "superseded" in listed.output
    assert bare["phase"] == "validation"
    assert command("datasets", lab.slug, "--phase", "nothing").exit_code == 1
    shown = command("datasets", lab.slug, "--task", "task5", "--json")
    assert now["digest"] in shown.output


def test_admins_see_the_effect_and_confirm_it_over_the_api(
    imported: Callable[..., Result],
    admin: Person,
    stranger: Person,
    lab: Lab,
    team: Entrant,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    first = short(sessions, lab.slug)
    correct(made)
    imported(made)
    second = short(sessions, lab.slug)
    scored(lab, team, 0.9)
    rows = admin.http.get(f"/admin/challenges/{lab.slug}/datasets").json()
    old = next(one for one in rows if one["digest"][7:19] == first)
    effect = admin.http.get(f"/admin/datasets/{old['id']}/effect").json()
    assert (effect["leave"], effect["difference"]["labels"]) == (1, ["sub-01"])
    activate = f"/admin/datasets/{old['id']}/activate"
    refused = admin.http.post(activate, json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "needs_confirmation")
    assert "1 scored evaluation no longer counts" in refused.json()["detail"]
    assert refused.headers["content-type"] == "application/problem+json"
    assert short(sessions, lab.slug) == second
    assert admin.http.post(activate, json={"yes": True}).status_code == 204
    assert short(sessions, lab.slug) == first
    again = admin.http.post(activate, json={"yes": True})
    assert (again.status_code, again.json()["code"]) == (409, "dataset_in_force")
    for method, path in (
        ("GET", f"/admin/challenges/{lab.slug}/datasets"),
        ("GET", f"/admin/datasets/{old['id']}/effect"),
        ("POST", activate),
        ("DELETE", f"/admin/datasets/{old['id']}"),
    ):
        answer = stranger.http.request(method, path, json={"yes": True} if method == "POST" else None)
        assert answer.status_code == 403, "versions are for organizers"
    missing = admin.http.delete("/admin/datasets/00000000-0000-0000-0000-000000000000")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_dataset")


def test_only_versions_that_nothing_ran_on_are_dropped_and_come_back_by_import(
    imported: Callable[..., Result],
    command: Admin,
    admin: Person,
    lab: Lab,
    team: Entrant,
    settings: Settings,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    first = short(sessions, lab.slug)
    place = ("--challenge", lab.slug)
    in_force = command("drop-dataset", first, *place, "--yes")
    assert (in_force.exit_code, "in force" in in_force.output) == (1, True)
    scored(lab, team, 0.9)
    correct(made)
    imported(made, "--yes")
    used = command("drop-dataset", first, *place, "--yes")
    assert (used.exit_code, "1 evaluation ran on" in words(used)) == (1, True)
    second = short(sessions, lab.slug)
    correct(made, 2, "1")
    imported(made)
    folder = folder_of(sessions, lab.slug, second)
    asked = command("drop-dataset", "--unused", "--challenge", lab.slug)
    assert asked.exit_code == 1
    assert second in asked.output
    assert re.search(r"[0-9.]+ MB", asked.output)
    assert (settings.inputs / folder).is_dir()
    dropped = command("drop-dataset", "--unused", "--challenge", lab.slug, "--yes")
    assert "2 versions dropped, " in words(dropped)
    assert dropped.exit_code == 0, dropped.output
    assert not (settings.inputs / folder).exists()
    assert not (settings.references / folder).exists()
    gone = command("activate-dataset", second, *place, "--yes")
    assert (gone.exit_code, "import its folder again" in words(gone)) == (1, True)
    correct(made, 2, "0")
    assert imported(made, "--yes").exit_code == 0
    assert short(sessions, lab.slug) == second
    again = folder_of(sessions, lab.slug, second)
    assert len(list((settings.inputs / again).rglob("*.nii.gz"))) == 4
    assert command("drop-dataset").exit_code == 1
    assert "Say which" in words(command("drop-dataset", second, "--unused"))


def test_a_folder_can_be_imported_again_whatever_is_left_of_its_dropped_files(
    imported: Callable[..., Result],
    command: Admin,
    lab: Lab,
    team: Entrant,
    settings: Settings,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    first = short(sessions, lab.slug)
    correct(made)
    imported(made)
    with unit_of_work(sessions) as session:
        versions.drop(
            session,
            versions.find_version(session, first, challenge=lab.slug),
            settings=settings,
            actor="tests",
        )
        (remove,) = session.info.pop("after_commit")  # the files go only after the commit, and perhaps later
    correct(made, label="1")
    brought = imported(made)
    assert (brought.exit_code, short(sessions, lab.slug)) == (0, first), brought.output
    remove()
    lease = (team.submit(), lab.worker().take())[1]
    paths = [settings.inputs / one["path"] for one in files_in_force(sessions, lab.slug)]
    assert [path.is_file() for path in paths] == [True] * 4
    assert lease["inputs"]["t1w"]["size"] in {path.stat().st_size for path in paths}
    assert (settings.references / folder_of(sessions, lab.slug, first) / "references.csv").is_file()


def files_in_force(sessions: SessionFactory, slug: str) -> list[dict[str, Any]]:
    with unit_of_work(sessions) as session:
        dataset = current_dataset(session, get_challenge(session, slug), "validation", "task5")
        return [one for case in dataset.cases for one in case.files.values()]


def folder_of(sessions: SessionFactory, slug: str, digest: str) -> str:
    with unit_of_work(sessions) as session:
        return versions.find_version(session, digest, challenge=slug).folder


@pytest.mark.parametrize("digest", ["", "abc", "zzzz", "sha256:", "%%%%", "0000000000000000"])
def test_a_digest_that_names_no_version_is_said(command: Admin, lab: Lab, digest: str) -> None:
    refused = command("activate-dataset", digest)
    assert refused.exit_code == 1
    assert "digest" in refused.output


def test_a_digest_that_names_several_versions_lists_them(
    command: Admin, lab: Lab, sessions: SessionFactory
) -> None:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, lab.slug)
        for number in (1, 2):
            session.add(
                Dataset(
                    challenge_id=challenge.id,
                    phase="validation",
                    task=f"task{number}",
                    digest=f"sha256:beef0000{number}",
                    folder="x",
                )
            )
    refused = command("activate-dataset", "beef0000", "--challenge", lab.slug)
    assert (refused.exit_code, "--phase" in refused.output) == (1, True)
    assert "in force already" in command("activate-dataset", "beef00001", "--challenge", lab.slug).output
    with unit_of_work(sessions) as session:
        for one in session.scalars(select(Dataset).where(Dataset.digest.like("sha256:beef%"))):
            session.delete(one)
