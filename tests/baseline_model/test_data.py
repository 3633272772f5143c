"""The released layouts are read as they are, and what cannot be used is named and left out, up to a limit."""

import gzip
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from baseline_model.data import (
    Example,
    LeftOutScans,
    UnusableSession,
    examples,
    read_mask,
    sequence_of,
    unlabelled,
)
from baseline_model.faults import TrainingError
from baseline_model.prepare import prepare
from baseline_model.volumes import HEAD

VOXELS = np.random.default_rng(0).integers(0, 900, (30, 36, 28)).astype(np.int16)
TURNED = np.array([[0, 0, -6.0, 80.0], [-5.0, 0, 0, 70.0], [0, 5.0, 0, -90.0], [0, 0, 0, 1]])


def _scan(path: Path, voxels: np.ndarray = VOXELS, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.diag([5.0, 5.0, 6.0, 1.0]) if affine is None else affine), path)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Unlabelled scans as different institutions left them; the fourth session's only scan is damaged."""
    top = tmp_path / "pretraining"
    _scan(top / "sub-0001" / "ses-01" / "t1w.nii.gz")
    _scan(top / "sub_2" / "ses_1" / "T1.nii.gz", VOXELS[..., None])
    _scan(top / "sub_2" / "ses_1" / "dwi_b1000.nii.gz", affine=TURNED)
    _scan(top / "ds1" / "sub-3" / "ses-2" / "anat" / "sub-3_ses-2_acq-ax_T2star.nii")
    whole = _scan(top / "sub-4" / "ses-1" / "flair.nii.gz").read_bytes()
    (top / "sub-4" / "ses-1" / "flair.nii.gz").write_bytes(whole[: len(whole) // 2])
    _scan(top / "sub-5" / "ses-1" / "t1w.nii.gz", np.stack([VOXELS] * 3, axis=3))
    return tmp_path


def test_sequences_are_found_under_any_name(archive: Path) -> None:
    assert [sorted(session) for session in unlabelled(archive)] == [
        ["t2s"],
        ["t1w"],
        ["flair"],
        ["t1w"],
        ["dwi", "t1w"],
    ]
    assert sequence_of("sub-01_ses-01_FLAIR.nii.gz") == "flair"
    assert sequence_of("something_else.nii.gz") == "something_else"


def test_damaged_scans_are_named_and_left_out_up_to_a_limit(
    archive: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [path for session in unlabelled(archive) for path in session.values()]
    with caplog.at_level(logging.WARNING):
        found = prepare(paths, tmp_path / "run", workers=0, faulty=0.4)

    assert len(found) == 4
    left_out = [record.getMessage() for record in caplog.records]
    assert len(left_out) == 2
    assert any("sub-4/ses-1/flair.nii.gz: the file is damaged or was cut off" in one for one in left_out)
    assert any("sub-5/ses-1/t1w.nii.gz: holds more than one volume" in one for one in left_out)
    for scan in found:
        assert np.load(scan.views[0]).shape == HEAD.shape
    assert not list((tmp_path / "run").glob("*.part"))
    with pytest.raises(
        TrainingError, match="2 of 6 scans cannot be used, more than the setting `faulty` allows"
    ):
        prepare(paths, tmp_path / "run", workers=0, faulty=0.2)


def test_a_link_whose_file_was_not_fetched_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As `git annex` and DataLad leave the files of a data set that were not asked for."""
    there = _scan(tmp_path / "pretraining" / "sub-1" / "ses-1" / "t1w.nii.gz")
    link = tmp_path / "pretraining" / "sub-1" / "ses-1" / "flair.nii.gz"
    link.symlink_to(tmp_path / "objects" / "flair.nii.gz")
    paths = [path for session in unlabelled(tmp_path) for path in session.values()]
    assert set(paths) == {there, link}
    found = prepare(paths, tmp_path / "run", workers=0, faulty=0.5)
    assert [scan.source for scan in found] == [there]
    assert f"left out: {link}: cannot be read (No such file or directory)" in caplog.text


def test_scans_are_prepared_once_and_workers_change_nothing(archive: Path, tmp_path: Path) -> None:
    paths = [path for session in unlabelled(archive) for path in session.values()]
    first = prepare(paths, tmp_path / "run", workers=0, faulty=0.4)
    times = {path: path.stat().st_mtime_ns for scan in first for path in scan.views}

    assert prepare(paths, tmp_path / "run", workers=0, faulty=0.4) == first
    assert {path: path.stat().st_mtime_ns for path in times} == times
    other = prepare(paths, tmp_path / "other", workers=2, faulty=0.4)
    for one, two in zip(first, other, strict=True):
        assert one.views[0].read_bytes() == two.views[0].read_bytes()


def test_an_odd_orientation_lands_on_the_same_view(tmp_path: Path) -> None:
    straight = _scan(tmp_path / "a.nii.gz", affine=np.diag([5.0, 5.0, 6.0, 1.0]))
    affine = np.array([[0, 0, -5.0, 145.0], [5.0, 0, 0, 0], [0, 6.0, 0, 0], [0, 0, 0, 1]])
    turned = _scan(tmp_path / "b.nii.gz", VOXELS.transpose(1, 2, 0)[:, :, ::-1], affine)

    one, two = prepare([straight, turned], tmp_path / "run", workers=0, faulty=0)

    apart = np.abs(np.load(one.views[0]).astype(float) - np.load(two.views[0]).astype(float))
    assert np.quantile(apart, 0.99) < 0.05


@pytest.mark.parametrize("content", [b"", b"old", b"nan", b"inf", b"1 2", b"\xff\xfe4"])
def test_a_label_that_is_no_number_is_left_out_by_its_name(content: bytes, tmp_path: Path) -> None:
    label = tmp_path / "label.txt"
    label.write_bytes(content)
    with pytest.raises(UnusableSession, match=r"label\.txt: holds no number"):
        Example({}, label, "sub-01").number()


def test_labelled_sessions_of_both_editions_are_read(tmp_path: Path) -> None:
    for subject, session, name in (("sub-01", "ses-01", "label.txt"), ("sub_02", "ses_1", "labels.txt")):
        _scan(tmp_path / "Task_3" / "preprocessed" / subject / session / "t1.nii.gz")
        label = tmp_path / "Task_3" / "labels" / subject / session / name
        label.parent.mkdir(parents=True)
        label.write_text("41.5\n")
    _scan(tmp_path / "Task_3" / "preprocessed" / "sub-03" / "ses-01" / "t1w.nii.gz")

    found = examples(tmp_path, 3)

    assert [(one.subject, one.number(), list(one.scans(["t1w"]))) for one in found] == [
        ("sub-01", 41.5, ["t1w"]),
        ("sub_02", 41.5, ["t1w"]),
    ]
    with pytest.raises(UnusableSession, match="sub-01/ses-01: has no adc"):
        found[0].scans(["t1w", "adc"])
    found[0].label.write_text("n/a")
    with pytest.raises(UnusableSession, match=r"label\.txt: holds no number"):
        found[0].number()


def test_a_folder_without_labels_or_scans_is_said(tmp_path: Path) -> None:
    _scan(tmp_path / "Task_1" / "preprocessed" / "sub-01" / "ses-01" / "dwi.nii.gz")
    with pytest.raises(TrainingError, match="Task_1: has no labelled sessions"):
        examples(tmp_path, 1)
    with pytest.raises(TrainingError, match="pretraining: has no scans"):
        unlabelled(tmp_path)


def test_a_mask_may_be_empty_but_not_damaged(tmp_path: Path) -> None:
    empty = _scan(tmp_path / "seg.nii.gz", np.zeros((4, 4, 4), dtype=np.uint8))
    assert not read_mask(empty).data.any()
    empty.write_bytes(gzip.compress(b"nothing"))
    with pytest.raises(UnusableSession, match=r"seg\.nii\.gz: cannot be read as a mask"):
        read_mask(empty)


def test_no_scan_may_be_left_out_where_the_setting_is_0() -> None:
    with pytest.raises(TrainingError, match="the last one: this one"):
        LeftOutScans(1000, 0.0).add("this one")
