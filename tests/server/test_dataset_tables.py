"""Tables of participants as organizers have them: nothing is left aside, merged or mistaken without a word."""

import csv
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.server.phantoms import Phantom, nifti, phantom, refused, staged, write
from tests.server.test_dataset_layouts import Damage, rename, touch


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


def test_a_wide_table_is_read_in_a_moment(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    names, cells = "\t".join(f"c{number}" for number in range(100_000)), "\tx" * 100_000
    table(made, f"participant_id\t{names}\n" + "".join(f"sub-0{n}{cells}\n" for n in (1, 2, 3, 4)))
    started = time.process_time()
    assert refused(made, tmp_path / "data") == []
    assert time.process_time() - started < 20, "the time grows by the square of the columns"


NO_TABLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link to nothing": (lambda path: path.symlink_to("gone"), "is a link to nothing"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "is a link to nothing"),
    "a FIFO": (os.mkfifo, "is no file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is no file"),
    "a folder": (Path.mkdir, "is no file"),
}


@pytest.mark.parametrize("case", NO_TABLES)
def test_what_is_called_as_the_table_and_is_no_file_is_named_so(tmp_path: Path, case: str) -> None:
    put, says = NO_TABLES[case]
    made = phantom(tmp_path, "task3")
    made.table.unlink()
    put(made.table)
    (problem,) = refused(made, tmp_path / "data")
    assert f"participants.tsv: {says}" in problem


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


def test_a_class_whose_number_is_written_in_several_ways_is_named(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    for number, cohort in enumerate(("1", "1.0", "01", "2"), 1):
        row(made, number, f"sub-0{number}\tF\t44\tA\t{cohort}")
    _, (warning,) = groups(made, tmp_path)
    assert "cohort is written in several ways that count apart: '1', '1.0', '01'" in warning


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
    assert "1 row is of no case in this folder: sub-77 on line 5" in spare
    assert "1 case is without a row, and so without groups: sub-04 ses-01" in bare


def test_a_row_that_stands_twice_alike_is_one(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task3")
    made.write_rows([*made.rows(), made.rows()[1]])
    rows, warnings = groups(made, tmp_path)
    assert (len(rows), warnings) == (4, ())
