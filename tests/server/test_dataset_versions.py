"""Versions of the cases: which is in force is said and asked, can be undone, and costs nobody an attempt."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import Result
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets import versions
from server.datasets.models import (
    DATASET_MOVES,
    Dataset,
    DatasetState,
    IllegalDatasetMove,
)
from server.datasets.service import current_dataset
from server.evaluations import scoring
from server.evaluations.models import Evaluation
from server.evaluations.status import EvaluationStatus
from server.settings import Settings
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.phantoms import FOMO26, SIDE, Phantom, nifti, phantom, write
from tests.server.test_leaderboard import scored
from worker.admin.main import collect

Admin = Callable[..., Result]


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """With a probe that fits four cases per cohort."""
    return FOMO26


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """Runs a command as somebody would who has no terminal; a traceback is a failure."""
    environment = {
        "DATABASE_URL": settings.database_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    for key, value in environment.items():
        monkeypatch.setitem(os.environ, key, value)

    def run(*words: object) -> Result:
        result = CliRunner().invoke(collect(), [str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def imported(command: Admin, slug: str) -> Callable[..., Result]:
    """Imports a folder into the validation phase."""
    return lambda made, *words: command(
        "import-dataset", made.root, "--challenge", slug, "--task", made.task, "--phase", "validation", *words
    )


def words(result: Result) -> str:
    """What a command said, on one line."""
    return " ".join(result.output.split())


def board_of(lab: Lab, nobody: Any, phase: str = "validation") -> str:
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/{phase}.csv")
    assert answer.status_code == 200
    return str(answer.text)


def short(sessions: SessionFactory, slug: str, task: str = "task5") -> str:
    with unit_of_work(sessions) as session:
        return current_dataset(session, get_challenge(session, slug), "validation", task).digest[7:19]


def correct(made: Phantom, number: int = 1, label: str = "0") -> None:
    """The organizer corrects a label."""
    (made.labels(number) / "label.txt").write_text(label)


def test_every_state_has_its_moves_and_no_other(session: Session, lab: Lab) -> None:
    assert set(DATASET_MOVES) == set(DatasetState)
    dataset = session.scalars(select(Dataset)).first()
    assert dataset is not None
    for old in DatasetState:
        for new in set(DatasetState) - DATASET_MOVES[old]:
            dataset.state = old.value
            with pytest.raises(IllegalDatasetMove):
                dataset.move_to(session, new, actor="tests")
    session.rollback()


def test_two_versions_are_never_in_force(sessions: SessionFactory, lab: Lab) -> None:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, lab.slug)
        place = {"challenge_id": challenge.id, "phase": "validation", "task": "task5"}
        session.add(Dataset(**place, digest="sha256:other", folder="x"))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()


def test_what_corrects_a_label_asks_says_what_happens_and_can_be_undone(
    imported: Callable[..., Result],
    command: Admin,
    lab: Lab,
    team: Entrant,
    nobody: Any,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    assert imported(made).exit_code == 0
    first = short(sessions, lab.slug)
    scored(lab, team, 0.9)
    assert "task5" in board_of(lab, nobody)
    correct(made)

    refused = imported(made)
    assert refused.exit_code == 1
    assert "1 cases with another label: sub-01" in words(refused)
    assert "1 scored evaluations no longer count, and 1 attempts are given back" in words(refused)
    assert "--yes" in refused.output
    assert short(sessions, lab.slug) == first
    assert "task5" in board_of(lab, nobody)
    assert team.quota()["spent"] == 1

    taken = imported(made, "--yes")
    assert taken.exit_code == 0, taken.output
    second = short(sessions, lab.slug)
    assert second != first
    assert "task5" not in board_of(lab, nobody)
    assert team.quota()["spent"] == 0, "the organizers' change costs nobody an attempt"

    correct(made, label="1")
    again = imported(made)
    assert again.exit_code == 1
    assert f"{first} is an earlier version of the cases" in words(again)
    assert "1 scored evaluations count again" in words(again)
    assert short(sessions, lab.slug) == second
    back = imported(made, "--yes")
    assert (back.exit_code, "in force again" in back.output) == (0, True)
    assert short(sessions, lab.slug) == first
    assert "task5" in board_of(lab, nobody)
    assert team.quota()["spent"] == 1
    assert "unchanged" in imported(made).output

    assert command("activate-dataset", second, "--challenge", lab.slug, "--yes").exit_code == 0
    assert short(sessions, lab.slug) == second


def test_what_waits_keeps_its_cases_and_costs_no_attempt_once_they_are_changed(
    imported: Callable[..., Result], lab: Lab, team: Entrant, nobody: Any, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    evaluation = team.submit()
    worker = lab.worker()
    running = worker.take()
    correct(made)
    refused = imported(made)
    assert "1 evaluations that wait or run keep the cases they have" in words(refused)
    assert imported(made, "--yes").exit_code == 0
    seen = team.evaluation(evaluation)
    assert "earlier version of the cases" in seen["note"]
    assert team.quota()["reserved"] == 1
    worker.finish(running)
    worker.drain()
    end(lab, evaluation)
    seen = team.evaluation(evaluation)
    assert seen["status"] == "scored"
    assert "Scored on an earlier version of the cases" in seen["note"]
    assert "spends no attempt" in seen["note"]
    assert (team.quota()["spent"], team.quota()["reserved"]) == (0, 0)
    assert "task5" not in board_of(lab, nobody)


def end(lab: Lab, evaluation: str) -> None:
    """The evaluation is scored."""
    with unit_of_work(lab.sessions) as session:
        claimed = scoring.claim(session)
        assert claimed is not None
        assert str(claimed.id) == evaluation
        claimed.move_to(session, EvaluationStatus.SCORED, actor="tests")


def test_an_import_that_touches_nobody_asks_nothing(
    imported: Callable[..., Result], lab: Lab, sessions: SessionFactory, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task3")
    assert "imported, 4 cases" in imported(made).output
    correct(made, label="55")
    changed = imported(made)
    assert (changed.exit_code, "imported, 4 cases" in changed.output) == (0, True)
    assert "1 cases with another label: sub-01" in words(changed)


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


def files_of(settings: Settings) -> set[Path]:
    return {path for tree in (settings.inputs, settings.references) for path in tree.rglob("*")}


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
    assert (refused.status_code, refused.json()["code"]) == (409, "not_confirmed")
    assert "1 scored evaluations no longer count" in refused.json()["detail"]
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
    assert (used.exit_code, "1 evaluations ran on" in words(used)) == (1, True)
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
    assert dropped.exit_code == 0, dropped.output
    assert not (settings.inputs / folder).exists()
    assert not (settings.references / folder).exists()
    gone = command("activate-dataset", second, *place, "--yes")
    assert (gone.exit_code, "import its folder again" in words(gone)) == (1, True)
    correct(made, 2, "0")
    assert imported(made, "--yes").exit_code == 0
    assert short(sessions, lab.slug) == second
    assert len(list((settings.inputs / folder).rglob("*.nii.gz"))) == 4
    assert command("drop-dataset").exit_code == 1
    assert "Say which" in words(command("drop-dataset", second, "--unused"))


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


def test_activations_at_once_leave_one_version_in_force(lab: Lab, sessions: SessionFactory) -> None:
    ids = [lab.dataset("task3") for _ in range(4)]

    def activate(dataset: UUID) -> None:
        with unit_of_work(sessions) as session:
            one = versions.get_version(session, dataset)
            if one.state != DatasetState.ACTIVE.value:
                versions.activate(session, one, actor="tests")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(activate, ids[:3]))
    with unit_of_work(sessions) as session:
        states = [session.get_one(Dataset, one).state for one in ids]
    assert sorted(states) == ["active", "superseded", "superseded", "superseded"]


def test_a_version_is_not_dropped_under_a_submission(
    lab: Lab, team: Entrant, sessions: SessionFactory, settings: Settings
) -> None:
    old = lab.dataset()
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, lab.slug)
        kept = current_dataset(session, challenge, "validation", "task5", keep=True)
        assert kept.id == old
        lab.dataset()
        with unit_of_work(sessions) as other:
            other.connection().exec_driver_sql("SET LOCAL lock_timeout = '200ms'")
            dataset = versions.get_version(other, old)
            with pytest.raises(OperationalError, match="lock timeout"):
                versions.drop(other, dataset, settings=settings, actor="tests")
            other.rollback()
        session.rollback()


def test_the_boards_of_other_tasks_and_phases_stay(
    imported: Callable[..., Result], lab: Lab, team: Entrant, nobody: Any, tmp_path: Path
) -> None:
    scored(lab, team, 0.9)
    lab.dataset(phase="test")
    lab.dataset("task3")
    assert "task5" in board_of(lab, nobody)
    assert team.quota()["spent"] == 1


def differing(made: Phantom) -> None:
    """Other voxels for one case, another label for one, other groups for one, one more and one less."""
    write(made.scan(1), nifti(scan(77)))
    correct(made, 2, "1")
    made.edit("sub-03\tM\t51", "sub-03\tF\t51")
    for folder in (made.inputs(4).parent, made.labels(4).parent):
        folder.rename(folder.with_name("sub-05"))
    made.edit("sub-04", "sub-05")
    write(made.scan(5), nifti(scan(78)))


def scan(seed: int) -> npt.NDArray[np.int16]:
    return np.random.default_rng(seed).integers(1, 900, (SIDE,) * 3).astype(np.int16)


def test_the_difference_to_the_cases_in_force_names_them(
    imported: Callable[..., Result], lab: Lab, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    differing(made)
    said = words(imported(made))
    for part in (
        "1 cases added: sub-05",
        "1 cases removed: sub-04",
        "1 cases with other images: sub-01",
        "1 cases with another label: sub-02",
        "1 cases with other groups: sub-03",
    ):
        assert part in said


def test_a_hidden_scan_is_in_no_public_phase(
    command: Admin, imported: Callable[..., Result], lab: Lab, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task5")
    assert imported(made).exit_code == 0
    other = phantom(tmp_path / "other", "task3")  # the same scans, as another task's
    public = ("--challenge", lab.slug, "--task", "task3", "--phase", "sanity")
    refused = command("import-dataset", other.root, *public, "--accept")
    assert refused.exit_code == 1
    assert "4 scans are in the hidden phase validation, task5, too: sub-01 (sub-01 there)" in words(refused)
    write(other.scan(1), nifti(scan(5).astype("float32")))
    for number in (2, 3, 4):
        write(other.scan(number), nifti(scan(10 + number)))
    assert command("import-dataset", other.root, *public).exit_code == 0
    write(made.scan(2), nifti(scan(5)))  # stored otherwise, and the same scan
    back = imported(made, "--accept", "--yes")
    assert back.exit_code == 1
    assert "1 scans are in the public phase sanity, task3, too: sub-02 (sub-01 there)" in words(back)


def test_a_scan_of_two_hidden_phases_is_warned_of(
    command: Admin, imported: Callable[..., Result], lab: Lab, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    place = ("--challenge", lab.slug, "--task", "task5", "--phase", "test")
    refused = command("import-dataset", made.root, *place)
    assert (refused.exit_code, "--accept" in refused.output) == (1, True)
    assert "4 scans are in the hidden phase validation" in words(refused)
    assert command("import-dataset", made.root, *place, "--accept").exit_code == 0


def test_a_submission_runs_on_the_version_in_force_however_it_came_there(
    imported: Callable[..., Result],
    lab: Lab,
    team: Entrant,
    command: Admin,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    first = short(sessions, lab.slug)
    correct(made)
    imported(made)
    command("activate-dataset", first, "--challenge", lab.slug)
    evaluation = team.submit()
    with unit_of_work(sessions) as session:
        used = session.get_one(Evaluation, UUID(evaluation)).dataset
        assert used.digest[7:19] == first
