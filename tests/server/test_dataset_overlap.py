"""What a version changes against another, and scans that are in two phases."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select

from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.models import (
    Dataset,
)
from tests.server.lab import Lab
from tests.server.organizer import Admin, correct, scan, words
from tests.server.phantoms import FOMO26, Phantom, nifti, phantom, write


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """With a probe that fits four cases per cohort."""
    return FOMO26


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


def test_an_earlier_public_version_does_not_come_back_with_scans_that_are_hidden_now(
    command: Admin, imported: Callable[..., Result], lab: Lab, sessions: SessionFactory, tmp_path: Path
) -> None:
    public = ("--challenge", lab.slug, "--task", "task5", "--phase", "sanity")
    made = phantom(tmp_path, "task5")
    assert command("import-dataset", made.root, *public).exit_code == 0
    assert (
        command("import-dataset", phantom(tmp_path / "other", "task5", seed=1).root, *public).exit_code == 0
    )
    taken_over = imported(made)
    assert taken_over.exit_code == 1
    assert "4 scans were in an earlier version of the public phase sanity" in words(taken_over)
    assert imported(made, "--accept").exit_code == 0
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, lab.slug)
        place = Dataset.challenge_id == challenge.id, Dataset.phase == "sanity", Dataset.state == "superseded"
        digest = session.scalars(select(Dataset).where(*place)).one().digest
    back = command("activate-dataset", digest[7:19], "--challenge", lab.slug, "--phase", "sanity", "--yes")
    assert back.exit_code == 1
    assert "what is public is no hidden case" in words(back)


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


def differing(made: Phantom) -> None:
    """Other voxels for one case, another label for one, other groups for one, one more and one less."""
    write(made.scan(1), nifti(scan(77)))
    correct(made, 2, "1")
    made.edit("sub-03\tM\t51", "sub-03\tF\t51")
    for folder in (made.inputs(4).parent, made.labels(4).parent):
        folder.rename(folder.with_name("sub-05"))
    made.edit("sub-04", "sub-05")
    write(made.scan(5), nifti(scan(78)))


def test_the_difference_to_the_cases_in_force_names_them(
    imported: Callable[..., Result], lab: Lab, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    differing(made)
    said = words(imported(made))
    for part in (
        "1 case added: sub-05",
        "1 case removed: sub-04",
        "1 case with other images: sub-01",
        "1 case with another label: sub-02",
        "1 case with other groups: sub-03",
    ):
        assert part in said
