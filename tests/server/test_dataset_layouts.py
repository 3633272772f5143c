"""Folders and tables as organizers have them: nothing is left aside, merged or mistaken without a word."""

import csv
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


def table(made: Phantom, text: str | bytes) -> None:
    made.table.write_bytes(text if isinstance(text, bytes) else text.encode())


def row(made: Phantom, number: int, text: str) -> None:
    rows = made.rows()
    made.write_rows([*rows[:number], text, *rows[number + 1 :]])


TABLES: dict[str, tuple[Damage, str, str]] = {
    "UTF-16": (lambda made: table(made, made.table.read_text().encode("utf-16")), "tsv", "UTF-16"),
    "UTF-16 without its mark": (
        lambda made: table(made, made.table.read_text().encode("utf-16-le")),
        "tsv",
        "UTF-16",
    ),
    "Latin-1": (
        lambda made: table(made, made.table.read_text().replace("\tA\t", "\tZürich\t").encode("latin-1")),
        "tsv",
        "line 2 holds the byte 0xfc",
    ),
    "empty": (lambda made: table(made, ""), "tsv", "is empty"),
    "blank": (lambda made: table(made, "\n \t\n"), "tsv", "is empty"),
    "no column of ids": (lambda made: made.edit("participant_id", "ID"), "tsv:1", "it has ID, sex"),
    "commas": (
        lambda made: table(made, made.table.read_text().replace("\t", ",")),
        "tsv:1",
        "separated by commas",
    ),
    "semicolons": (
        lambda made: table(made, made.table.read_text().replace("\t", ";")),
        "tsv:1",
        "separated by semicolons",
    ),
    "blanks": (
        lambda made: table(made, made.table.read_text().replace("\t", "  ")),
        "tsv:1",
        "separated by spaces",
    ),
    "blanks for one tab": (lambda made: row(made, 2, "sub-02  F\t44\tA\tc"), "tsv:3", "spaces or commas"),
    "a short row": (lambda made: row(made, 2, "sub-02\tF"), "tsv:3", "has 2 cells"),
    "a short row, ids last": (
        lambda made: table(made, "sex\tage\tparticipant_id\nF\t50\tsub-01\nM\t60\n"),
        "tsv:3",
        "has 2 cells",
    ),
    "a long row": (lambda made: row(made, 2, "sub-02\tF\t44\tA\tc\tmore"), "tsv:3", "has 6 cells"),
    "a quote that never ends": (lambda made: row(made, 2, 'sub-02\t"F\t44\tA\tc'), "tsv:3", "no line of"),
    "a control character": (lambda made: row(made, 2, "sub-02\tF\t44\tA\x1b[31m\tc"), "tsv:3", "\\x1b"),
    "a column twice": (lambda made: made.edit("site", "SEX"), "tsv:1", "two columns are called 'sex'"),
    "a column without a name": (lambda made: made.edit("site", ""), "tsv:1", "column 4 has no name"),
    "a contradiction": (
        lambda made: made.write_rows([*made.rows(), "sub-02\tM\t44\tA\tc"]),
        "tsv:6",
        "contradicts line 3 on sub-02: ",
    ),
    "ids without zeros": (lambda made: made.edit("sub-0", "sub-"), "tsv:2", "sub-1 is no folder, but sub-01"),
    "ids with capitals": (
        lambda made: (rename(made, "sub-x2"), made.edit("sub-02", "sub-X2"), shutil.rmtree(made.labels(2))),
        "tsv:3",
        "sub-X2 is no folder, but sub-x2",
    ),
    "an id that is none": (lambda made: made.edit("sub-02", "sub-02_a"), "tsv:3", "'sub-02_a'"),
    "another name of the file": (
        lambda made: made.table.rename(made.table.with_suffix(".csv")),
        "participants.csv",
        "save it as participants.tsv",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_could_be_misread_is_refused_by_line(tmp_path: Path, case: str) -> None:
    damage, place, says = TABLES[case]
    made = phantom(tmp_path, "task3")
    damage(made)
    problems = refused(made, tmp_path / "data")
    assert any(place in one and says in one for one in problems), problems


def test_a_table_that_cannot_be_read_is_one_error_and_not_one_per_case(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task6")
    table(made, made.table.read_text().encode("utf-16"))
    problems = refused(made, tmp_path / "data")
    assert len(problems) == 2
    assert "UTF-16" in problems[0]
    assert "have no cohort" in problems[1]
    assert "and 7 more" in problems[1]


def groups(made: Phantom, root: Path) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """The references of a folder that is taken, and its warnings."""
    prepared = staged(made, root / "data")
    with (prepared.trees.references / "references.csv").open() as file:
        return list(csv.DictReader(file)), prepared.warnings


def test_sex_has_one_spelling_however_it_was_written(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3", cases=8)
    written = ["F", "f", "female", "FEMALE", "M", "m", "Male", "n/a"]
    made.write_rows(
        ["participant_id\tsex\tage"] + [f"sub-{n:02}\t{sex}\t50" for n, sex in enumerate(written, 1)]
    )
    rows, warnings = groups(made, tmp_path)
    assert [one["sex"] for one in rows] == ["F"] * 4 + ["M"] * 3 + [""]
    assert warnings == ()


def test_other_codes_of_sex_are_kept_and_named(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    row(made, 2, "sub-02\tbanana\t44\tA\tc")
    rows, (warning,) = groups(made, tmp_path)
    assert rows[1]["sex"] == "banana"
    assert "'banana' on line 3" in warning


@pytest.mark.parametrize("age", ["89+", "18-38", "67 y", "45,5", "١٢", "-3", "0", "1e3", "inf", "abc"])
def test_an_age_that_is_none_is_unknown_and_named(tmp_path: Path, age: str) -> None:
    made = phantom(tmp_path, "task5")
    row(made, 2, f"sub-02\tF\t{age}\tA\tc")
    rows, (warning,) = groups(made, tmp_path)
    assert [one["age"] for one in rows] == ["37", "", "51", "58"]
    assert "on line 3" in warning
    assert "taken as unknown" in warning


@pytest.mark.parametrize("age", ["", "n/a", "NA", "unknown", "?"])
def test_an_age_that_is_not_known_is_no_fault(tmp_path: Path, age: str) -> None:
    made = phantom(tmp_path, "task5")
    row(made, 2, f"sub-02\tF\t{age}\tA\tc")
    rows, warnings = groups(made, tmp_path)
    assert (rows[1]["age"], warnings) == ("", ())


def test_columns_go_by_name_whatever_their_case_and_order_and_line_ends(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    lines = ["Age \tSEX\tSite\tweight\tParticipant_ID"]
    lines += [f"5{number}\tF\tB\t70\tsub-0{number}" for number in (1, 2, 3, 4)]
    table(made, "\ufeff" + "\r\n".join(lines) + "\r\n\r\n")
    rows, warnings = groups(made, tmp_path)
    assert [(one["age"], one["sex"], one["site"]) for one in rows] == [
        (f"5{number}", "F", "B") for number in (1, 2, 3, 4)
    ]
    assert warnings == ()


def test_a_column_that_is_probably_meant_is_named(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    made.edit("sex", "gender")
    _, (warning,) = groups(made, tmp_path)
    assert "the column gender is not read; if it is meant, call it sex" in warning


def test_values_that_differ_in_capitals_or_blanks_are_named(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    row(made, 2, "sub-02\tF\t44\ta\tc")
    _, (warning,) = groups(made, tmp_path)
    assert "site is written in several ways that count apart: 'A', 'a'" in warning


def test_characters_in_two_code_points_are_one(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    row(made, 2, "sub-02\tF\t44\tZu\u0308rich\tc")
    row(made, 3, "sub-03\tF\t44\tZ\u00fcrich\tc")
    rows, warnings = groups(made, tmp_path)
    assert (rows[1]["site"], rows[2]["site"], warnings) == ("Z\u00fcrich", "Z\u00fcrich", ())


def test_a_second_table_is_named(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    touch(made.root / "participants.csv")
    _, (warning,) = groups(made, tmp_path)
    assert "participants.csv: is not part of the layout" in warning


def test_a_folder_without_the_table_is_noted(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    made.table.unlink()
    prepared = staged(made, tmp_path / "data")
    assert prepared.warnings == ()
    assert "is not there, so no case has sex" in prepared.notes[0]


def test_an_unknown_session_is_no_session(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    made.write_rows(
        ["participant_id\tsession_id\tage"] + [f"sub-{number:02}\tn/a\t5{number}" for number in (1, 2, 3, 4)]
    )
    rows, warnings = groups(made, tmp_path)
    assert ([one["age"] for one in rows], warnings) == (["51", "52", "53", "54"], ())


def test_rows_of_sessions_go_before_rows_of_subjects(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    for folder in (made.inputs(1), made.labels(1)):
        shutil.copytree(folder, folder.with_name("ses-02"))
    voxels = np.random.default_rng(99).integers(1, 900, (8, 8, 8)).astype(np.int16)
    write(made.inputs(1).with_name("ses-02") / "t1w.nii.gz", nifti(voxels))
    ages = ["sub-01\tn/a\t50", "sub-01\tses-02\t55"] + [f"sub-{n:02}\t\t6{n}" for n in (2, 3, 4)]
    made.write_rows(["participant_id\tsession_id\tage", *ages])
    rows, warnings = groups(made, tmp_path)
    assert [(one["case"], one["age"]) for one in rows[:2]] == [
        ("sub-01_ses-01", "50"),
        ("sub-01_ses-02", "55"),
    ]
    assert warnings == ()


def test_rows_without_a_case_and_cases_without_a_row_are_named(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    made.write_rows([*made.rows()[:-1], "sub-77\tF\t44\tA\tc"])
    _, (spare, bare) = groups(made, tmp_path)
    assert "1 rows are of no case in this folder: sub-77 on line 5" in spare
    assert "1 cases have no row, and so no groups: sub-04 ses-01" in bare


def test_a_row_that_stands_twice_alike_is_one(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    made.write_rows([*made.rows(), made.rows()[1]])
    rows, warnings = groups(made, tmp_path)
    assert (len(rows), warnings) == (4, ())


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
