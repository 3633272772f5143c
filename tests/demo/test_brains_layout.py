import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from demo.brains import contact_sheet, write_dataset, write_pretraining
from demo.brains.model import COHORTS

SEED = 7


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def participants(folder: Path) -> list[dict[str, str]]:
    with (folder / "participants.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_dataset(tmp_path / name, "task2", "sanity", 2, seed=SEED, spacing_mm=4)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_files_lie_as_the_challenge_releases_them(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "task1", "validation", 2, seed=SEED, spacing_mm=4)
    assert folder == tmp_path / "Task_1"
    for row in participants(folder):
        place = Path(row["participant_id"]) / "ses-01"
        scans = {path.name for path in (folder / "preprocessed" / place).iterdir()}
        assert scans in (
            {"flair.nii.gz", "dwi.nii.gz", "adc.nii.gz", "t2s.nii.gz"},
            {"flair.nii.gz", "dwi.nii.gz", "adc.nii.gz", "swi.nii.gz"},
        )
        assert (folder / "labels" / place / "label.txt").read_text().strip() in {"0", "1"}
        assert [path.name for path in (folder / "labels" / place).iterdir()] == ["label.txt"]


def test_a_mask_has_the_grid_of_its_scan(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "task4", "test", 1, seed=SEED, spacing_mm=4)
    scan = nib.load(folder / "preprocessed/sub-001/ses-01/t2w.nii.gz")
    seg = nib.load(folder / "labels/sub-001/ses-01/seg.nii.gz")
    assert scan.shape == seg.shape
    assert np.array_equal(scan.affine, seg.affine)
    assert seg.get_data_dtype() == np.uint8
    assert np.allclose(scan.header.get_zooms(), np.abs(np.diag(scan.affine)[:3]))


def test_participants_are_complete(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "task6", "validation", 8, seed=SEED, spacing_mm=4)
    rows = participants(folder)
    scans = {
        (path.parent.parent.name, path.parent.name) for path in folder.glob("preprocessed/*/*/t1w.nii.gz")
    }
    assert {(row["participant_id"], row["session_id"]) for row in rows} == scans
    assert all(value for row in rows for value in row.values())
    assert {row["sex"] for row in rows} == {"F", "M"}
    for cohort in COHORTS:
        mine = [row for row in rows if row["cohort"] == cohort]
        assert len(mine) == 8
        assert len({row["participant_id"] for row in mine}) == 7
    assert not (folder / "labels").exists()


def test_the_label_of_task3_is_the_age(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, "task3", "finetune", 2, seed=SEED, spacing_mm=4)
    for row in participants(folder):
        text = (folder / "labels" / row["participant_id"] / "ses-01" / "label.txt").read_text()
        assert float(text) == float(row["age"])


def test_pretraining_scans_have_no_labels(tmp_path: Path) -> None:
    write_pretraining(tmp_path, 3, seed=SEED, spacing_mm=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sub-0001", "sub-0002", "sub-0003"]
    assert not list(tmp_path.rglob("label.txt")) + list(tmp_path.rglob("seg.nii.gz"))


def test_the_command_line_writes_a_split(tmp_path: Path) -> None:
    options = ["--task", "task5", "--split", "sanity", "--cases", "2", "--spacing", "4"]
    subprocess.run(
        [sys.executable, "-m", "demo.brains", str(tmp_path), *options], check=True, capture_output=True
    )
    assert len(list(tmp_path.glob("Task_5/preprocessed/*/ses-01/t1w.nii.gz"))) == 2


def test_a_contact_sheet_is_a_png(tmp_path: Path) -> None:
    contact_sheet(tmp_path / "sheet.png", "task1", rows=1, spacing_mm=4)
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
