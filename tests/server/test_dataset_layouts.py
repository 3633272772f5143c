"""Folders and tables as organizers have them: nothing is left aside, merged or mistaken without a word."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from server.datasets.findings import LayoutError
from server.datasets.names import plain
from tests.server.phantoms import FOMO26, Phantom, mask, nifti, phantom, refused, staged, write

Damage = Callable[[Phantom], object]


def rename(made: Phantom, name: str) -> None:
    (made.root / "preprocessed" / "sub-02").rename(made.root / "preprocessed" / name)


def copied_session(made: Phantom, name: str) -> None:
    """The first subject's folder a second time, with other voxels."""
    shutil.copytree(made.inputs().parent, made.root / "preprocessed" / name)
    voxels = np.random.default_rng(99).integers(1, 900, (8, 8, 8)).astype(np.int16)
    write(made.root / "preprocessed" / name / "ses-01" / made.scan().name, nifti(voxels))


def flat(made: Phantom) -> None:
    scan = made.scan(2)
    scan.rename(made.inputs(2).parent / scan.name)
    made.inputs(2).rmdir()


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


FOLDERS: dict[str, tuple[Damage, str, str]] = {
    "not ascii": (lambda made: rename(made, "sub-Ærø"), "sub-Ærø", "other characters"),
    "a blank": (lambda made: rename(made, "sub-0 2"), "sub-0 2", "other characters"),
    "a newline": (lambda made: rename(made, "sub-0\n2"), "sub-0\\n2", "other characters"),
    "bytes that are no text": (
        lambda made: rename(made, os.fsdecode(b"sub-\xff\xfe")),
        "sub-\\xff\\xfe",
        "other characters",
    ),
    "more words": (lambda made: rename(made, "sub-02_rescan"), "sub-02_rescan", "sub-01/ses-02"),
    "a hyphen": (lambda made: rename(made, "sub-02-b"), "sub-02-b", "more in its name"),
    "capitals": (lambda made: rename(made, "Sub-02"), "Sub-02", "rename it sub-02"),
    "no prefix": (lambda made: rename(made, "patient2"), "patient2", "not called sub-"),
    "much too long": (lambda made: rename(made, "sub-" + "2" * 150), "sub-222", "longer than"),
    "two spellings": (lambda made: copied_session(made, "sub_01"), "sub_01", "keep one of the two"),
    "no session": (flat, "sub-02/t1w.nii.gz", "session folder"),
    "an empty subject": (
        lambda made: (made.root / "preprocessed" / "sub-09").mkdir(),
        "sub-09",
        "no session",
    ),
    "another session name": (
        lambda made: made.inputs(2).rename(made.inputs(2).with_name("visit1")),
        "visit1",
        "not called ses-",
    ),
    "a text file": (
        lambda made: touch(made.root / "preprocessed" / "notes.txt"),
        "notes.txt",
        "move it away",
    ),
    "a text file beside sessions": (
        lambda made: touch(made.inputs().with_name("label.txt")),
        "sub-01/label.txt",
        "session folder",
    ),
    "a label without a scan": (
        lambda made: touch(made.root / "labels" / "sub-44" / "ses-01" / "label.txt"),
        "labels/sub-44/ses-01",
        "no scan",
    ),
    "a label of another session": (
        lambda made: touch(made.labels().with_name("ses-02") / "label.txt"),
        "labels/sub-01/ses-02",
        "no scan",
    ),
    "a scan without a label": (
        lambda made: (made.labels() / "label.txt").unlink(),
        "sub-01/ses-01",
        "no labels/…/label.txt",
    ),
    "two labels": (lambda made: touch(made.labels() / "labels.txt"), "sub-01/ses-01", "more than one label"),
    "two names of one input": (
        lambda made: shutil.copy(made.scan(), made.inputs() / "t1.nii.gz"),
        "sub-01/ses-01",
        "t1w more than once",
    ),
    "another case of the letters": (
        lambda made: made.scan().rename(made.inputs() / "T1w.nii.gz"),
        "sub-01/ses-01",
        "no file for t1w (there is T1w.nii.gz)",
    ),
    "a link to nothing": (
        lambda made: (made.scan().unlink(), (made.inputs() / "t1w.nii.gz").symlink_to("gone")),
        "t1w.nii.gz",
        "link to nothing",
    ),
    "a folder for a file": (
        lambda made: (made.scan().unlink(), (made.inputs() / "t1w.nii.gz").mkdir()),
        "t1w.nii.gz",
        "is no file",
    ),
    "a device for a file": (
        lambda made: (made.scan().unlink(), (made.inputs() / "t1w.nii.gz").symlink_to("/dev/zero")),
        "t1w.nii.gz",
        "is no file",
    ),
    "labels that are a file": (
        lambda made: (shutil.rmtree(made.root / "labels"), touch(made.root / "labels")),
        "labels",
        "is no folder",
    ),
    "one scan under two names": (
        lambda made: shutil.copy(made.scan(1), made.scan(3)),
        "sub-01, sub-03",
        "the very same scan",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_what_is_no_case_is_named_and_nothing_is_imported(tmp_path: Path, case: str) -> None:
    damage, place, says = FOLDERS[case]
    made = phantom(tmp_path, "task5")
    damage(made)
    problems = refused(made, tmp_path / "data")
    assert any(place in one and says in one for one in problems), problems


@pytest.mark.parametrize(
    "name", [".DS_Store", "._sub-01", "Thumbs.db", "desktop.ini", ".bidsignore", "derivatives"]
)
def test_what_systems_leave_beside_data_is_left_aside(tmp_path: Path, name: str) -> None:
    made = phantom(tmp_path, "task5")
    for folder in (made.root, made.root / "preprocessed", made.inputs(), made.labels(), made.root / "labels"):
        touch(folder / name)
    prepared = staged(made, tmp_path / "data")
    assert (len(prepared.cases), prepared.warnings) == (4, ())


def test_files_that_are_not_read_are_named_once_with_their_places(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task5")
    for number in (1, 2, 3):
        touch(made.inputs(number) / "mask.nii.gz")
    touch(made.inputs() / "t1w.json")
    touch(made.root / "notes.docx")
    other, masks = staged(made, tmp_path / "data").warnings
    assert "notes.docx: is not part of the layout" in other
    assert "mask.nii.gz is none of this task's files" in masks
    assert "sub-01/ses-01, sub-02/ses-01, sub-03/ses-01" in masks


def test_a_folder_of_another_task_is_warned_of(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task5")
    for number in (1, 2, 3, 4):
        (made.labels(number) / "label.txt").write_text(f"{40 + number}")
    (warning,) = staged(Phantom(made.root, "task3"), tmp_path / "data").warnings
    assert "the folder's name says task5, and it is imported as task3" in warning


def test_a_task_without_volumes_is_refused_with_what_to_do(tmp_path: Path) -> None:
    spec = FOMO26.model_dump(mode="json")
    spec["tasks"]["task5"]["inputs"] = [{"key": "image", "flag": "--image", "file": "image.png"}]
    (problem,) = refused(
        phantom(tmp_path, "task5"), tmp_path / "data", spec=type(FOMO26).model_validate(spec)
    )
    assert "image.png is no NIfTI volume" in problem
    assert "python -m evaluator score" in problem


def test_a_class_is_known_in_whatever_code_points_it_is_written(tmp_path: Path) -> None:
    content = FOMO26.model_dump(mode="json")
    content["tasks"]["task5"]["output"] = {"kind": "scores", "classes": ["n\u00e6vus", "m\u00e9lanome"]}
    content["boards"]["task5"]["metrics"] = {"f1": {"metric": "macro_f1"}}
    made = phantom(tmp_path, "task5")
    for number, name in enumerate(("n\u00e6vus", "me\u0301lanome") * 2, 1):
        (made.labels(number) / "label.txt").write_text(name)
    prepared = staged(made, tmp_path / "data", spec=type(FOMO26).model_validate(content))
    assert (len(prepared.cases), prepared.warnings) == (4, ())


def test_images_that_say_nothing_are_warned_of(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task2")
    write(made.inputs(1) / "dwi.nii.gz", nifti(np.full((8, 8, 8), np.nan, np.float32)))
    write(made.inputs(2) / "dwi.nii.gz", nifti(np.full((8, 8, 8), 7, np.int16)))
    write(made.inputs(3) / "dwi.nii.gz", nifti(np.full((8, 8, 8), 7, np.int16)))
    write(made.labels(4) / "seg.nii.gz", nifti(np.zeros((8, 8, 8), np.int16)))
    warnings = staged(made, tmp_path / "data").warnings
    assert sum("no voxel is a finite number" in one for one in warnings) == 1
    assert sum("every voxel has the same value" in one for one in warnings) == 2
    assert any("sub-04" in one and "is empty, or one label" in one for one in warnings), warnings


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("sub-01", "sub", "sub-01"),
        ("sub_01", "sub", "sub-01"),
        ("01", "sub", "sub-01"),
        ("ses-01", "sub", None),
        ("sub-", "sub", None),
        ("sub-01\n", "sub", None),
        ("sub-٣", "sub", None),
        ("sub-" + "1" * 91, "sub", None),
    ],
)
def test_names_are_ascii_letters_and_digits(name: str, kind: str, expected: str | None) -> None:
    assert plain(name, kind) == expected


def test_an_error_lists_the_warnings_beside_it(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task2")
    write(made.labels(1) / "seg.nii.gz", nifti(mask((0, 3), 1)))
    touch(made.inputs() / "mask.nii.gz")
    with pytest.raises(LayoutError) as caught:
        staged(made, tmp_path / "data")
    assert "labels other than those of the task" in caught.value.problems[0]
    assert "mask.nii.gz" in caught.value.warnings[0]
