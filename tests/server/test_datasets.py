"""Importing hidden cases: clean headers, two trees that never mix, and every problem at once."""

import csv
import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.datasets.findings import Findings, LayoutError
from server.datasets.fomo_layout import Found, read
from server.datasets.headers import NotNifti, clean
from server.datasets.models import Dataset
from server.datasets.service import current_dataset, inputs_manifest
from server.settings import Settings
from server.versions.service import import_fomo
from tests.e2e.datasets import CANARY, nifti, write_task
from tests.server.phantoms import FOMO26

Put = Callable[[Path, str], tuple[Dataset, bool]]


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """With a probe that fits four cases per cohort."""
    return FOMO26


@pytest.fixture
def put(session: Session, slug: str, settings: Settings) -> Put:
    """Imports a folder for a task of the validation phase."""

    def put(folder: Path, task: str) -> tuple[Dataset, bool]:
        challenge = get_challenge(session, slug)
        return import_fomo(
            session,
            challenge,
            phase="validation",
            task=task,
            source=folder,
            settings=settings,
            actor="tests",
        )

    return put


def found_in(folder: Path, spec: Challenge, task: str) -> list[Found]:
    """The sessions of a folder, nothing of which may be wrong."""
    findings = Findings()
    found = read(folder, spec.tasks[task], findings)
    assert findings.errors == []
    return found


def description(path: Path) -> bytes:
    with gzip.open(path) as file:
        return file.read(352)[148:228]


def test_an_import_is_repeatable_and_other_cases_become_the_phases_dataset(
    put: Put, session: Session, slug: str, fomo26: Challenge, tmp_path: Path
) -> None:
    folder = write_task(fomo26, "task5", tmp_path)
    first, new = put(folder, "task5")
    again, changed = put(folder, "task5")
    assert (new, changed, again.id) == (True, False, first.id)
    (folder / "labels" / f"sub-{CANARY}task5n00" / "ses-01" / "label.txt").write_text("1\n")
    other, changed = put(folder, "task5")
    assert changed
    assert other.digest != first.digest, "the digest covers the labels"
    challenge = get_challenge(session, slug)
    assert current_dataset(session, challenge, "validation", "task5").id == other.id


def test_inputs_carry_no_name_and_the_same_voxels(
    put: Put, settings: Settings, fomo26: Challenge, tmp_path: Path
) -> None:
    folder = write_task(fomo26, "task2", tmp_path)
    dataset, _ = put(folder, "task2")
    found = sorted((settings.inputs / dataset.folder).rglob("*.nii.gz"))
    assert len(found) == 4 * 3  # one of the two last modalities each
    for path in found:
        source = folder / "preprocessed" / path.parent.name / "ses-01" / path.name
        assert description(source).startswith(b"canarypatient")
        assert not any(description(path))
        with gzip.open(path) as new, gzip.open(source) as old:
            assert new.read()[352:] == old.read()[352:]
        assert path.read_bytes()[3] == 0, "no name in the gzip header"
        assert path.read_bytes()[4:8] == bytes(4), "no time either"


def test_labels_and_groups_are_in_the_references_tree_only(
    put: Put, settings: Settings, fomo26: Challenge, tmp_path: Path
) -> None:
    dataset, _ = put(write_task(fomo26, "task6", tmp_path), "task6")
    assert not list((settings.inputs / dataset.folder).rglob("*.csv"))
    references = settings.references / dataset.folder
    for folder in (references, settings.inputs / dataset.folder):
        assert folder.stat().st_mode & 0o777 == 0o700
    with (references / "references.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["cohort"] for row in rows} == {f"{CANARY}{number}" for number in range(3)}
    names = [case["case"] for case in inputs_manifest(dataset)["cases"]]
    assert names == [row["case"] for row in rows]


def test_an_import_lists_every_problem_and_leaves_nothing(
    put: Put, settings: Settings, slug: str, fomo26: Challenge, tmp_path: Path
) -> None:
    folder = write_task(fomo26, "task2", tmp_path)
    sessions = [folder / "labels" / f"sub-{CANARY}task2n{n:02}" / "ses-01" for n in range(3)]
    (sessions[0] / "seg.nii.gz").unlink()
    (sessions[1] / "seg.nii.gz").write_bytes(b"no nifti")
    (sessions[2] / "seg.nii.gz").write_bytes(nifti(np.zeros((4, 4, 4), np.int16)))
    with pytest.raises(LayoutError) as caught:
        put(folder, "task2")
    problems = caught.value.problems
    assert len(problems) == 3
    for problem, part in zip(
        problems, ["no labels/…/seg.nii.gz", "decompressed", "shape (4, 4, 4)"], strict=True
    ):
        assert part in problem
    assert not list((settings.inputs / slug).rglob("*.nii.gz"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"old\n", "'old' is not a decimal number"),
        (b"", "'' is not a decimal number"),
        ("\u0661".encode(), "is not a decimal number"),
        (b"nan", "not finite"),
        (b"-inf", "not finite"),
        (b"2", "must lie between 0 and 1"),
        (b"0.5", "neither 0 nor 1"),
        (b"\xff\xfe", "cannot be read as text"),
    ],
)
def test_a_label_that_is_no_number_of_the_task_is_named_with_its_file_and_case(
    put: Put, fomo26: Challenge, tmp_path: Path, text: bytes, says: str
) -> None:
    folder = write_task(fomo26, "task5", tmp_path)
    label = folder / "labels" / f"sub-{CANARY}task5n01" / "ses-01" / "label.txt"
    label.write_bytes(text)
    with pytest.raises(LayoutError) as caught:
        put(folder, "task5")
    [problem] = caught.value.problems
    assert problem.startswith(f"{label}: ")
    assert says in problem


def test_missing_cut_and_unlabelled_cases_are_listed_together(
    put: Put, fomo26: Challenge, tmp_path: Path
) -> None:
    folder = write_task(fomo26, "task1", tmp_path)
    visit = [Path(f"sub-{CANARY}task1n{number:02}") / "ses-01" for number in range(3)]
    (folder / "preprocessed" / visit[0] / "dwi.nii.gz").unlink()
    for name in ("flair.nii.gz", "dwi.nii.gz"):
        cut = folder / "preprocessed" / visit[1] / name
        cut.write_bytes(cut.read_bytes()[:-20])
    (folder / "labels" / visit[1] / "label.txt").write_text("often")
    (folder / "labels" / visit[2] / "label.txt").unlink()
    with pytest.raises(LayoutError) as caught:
        put(folder, "task1")
    parts = ["no file for dwi", "flair.nii.gz: ", "dwi.nii.gz: ", "'often' is not a decimal", "label.txt"]
    assert len(caught.value.problems) == len(parts)
    for part in parts:
        assert any(part in problem for problem in caught.value.problems), part


def test_sessions_that_lack_an_input_are_all_named(fomo26: Challenge, tmp_path: Path) -> None:
    folder = write_task(fomo26, "task1", tmp_path)
    for number in (0, 2):
        (folder / "preprocessed" / f"sub-{CANARY}task1n{number:02}" / "ses-01" / "dwi.nii.gz").unlink()
    findings = Findings()
    read(folder, fomo26.tasks["task1"], findings)
    for number, problem in zip((0, 2), findings.errors, strict=True):
        assert f"task1n0{number}" in problem
        assert "dwi" in problem


def test_a_folder_in_another_layout_is_refused(fomo26: Challenge, tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="no folder 'preprocessed'"):
        read(tmp_path, fomo26.tasks["task1"], Findings())
    (tmp_path / "preprocessed").mkdir()
    with pytest.raises(LayoutError, match="no sub-XX/ses-YY folder"):
        read(tmp_path, fomo26.tasks["task1"], Findings())


def test_earlier_editions_are_read_too(fomo26: Challenge, tmp_path: Path) -> None:
    session = tmp_path / "preprocessed" / "sub_01" / "ses_1"
    labels = tmp_path / "labels" / "sub_01" / "ses_1"
    session.mkdir(parents=True)
    labels.mkdir(parents=True)
    (session / "t1.nii.gz").write_bytes(nifti(np.zeros((4, 4, 4), np.int16)))
    (labels / "labels.txt").write_text("1\n")
    (found,) = found_in(tmp_path, fomo26, "task5")
    assert (found.case, found.subject, found.label) == ("sub-01", "sub-01", labels / "labels.txt")


def test_a_subject_with_several_visits_is_named_by_visit(fomo26: Challenge, tmp_path: Path) -> None:
    for visit in ("ses-01", "ses-02"):
        session = tmp_path / "preprocessed" / "sub-07" / visit
        session.mkdir(parents=True)
        (session / "t1w.nii.gz").write_bytes(nifti(np.zeros((4, 4, 4), np.int16)))
    found = found_in(tmp_path, fomo26, "task5")
    assert [one.case for one in found] == ["sub-07_ses-01", "sub-07_ses-02"]
    assert {one.subject for one in found} == {"sub-07"}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"not gzip", "decompressed"),
        (gzip.compress(b"short"), "single-file NIfTI-1"),
        (
            gzip.compress(gzip.decompress(nifti(np.zeros((4, 4, 4), np.int16)))[:400]),
            "shorter than its header",
        ),
    ],
)
def test_what_is_no_nifti_is_refused(content: bytes, part: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(content)
    with pytest.raises(NotNifti, match=part):
        clean(path, "x.nii.gz")


def test_a_fourth_dimension_of_one_is_dropped_from_the_geometry_and_more_is_refused(tmp_path: Path) -> None:
    plain = bytearray(gzip.decompress(nifti(np.zeros((4, 4, 4), np.int16))))
    path = tmp_path / "scan.nii.gz"
    struct.pack_into("<8h", plain, 40, 4, 4, 4, 4, 1, 1, 1, 1)
    path.write_bytes(gzip.compress(plain))
    assert clean(path, "x.nii.gz").geometry.shape == (4, 4, 4)
    struct.pack_into("<8h", plain, 40, 4, 4, 4, 2, 2, 1, 1, 1)
    path.write_bytes(gzip.compress(plain))
    with pytest.raises(NotNifti, match="not three dimensions"):
        clean(path, "x.nii.gz")
