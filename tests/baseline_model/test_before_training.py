"""A training of all stages looks for all of its data before the first one begins."""

from pathlib import Path

import pytest

from baseline_model import train


def _data(folder: Path, *, scans: int) -> Path:
    """The released layout with a labelled session of each task. The files are empty: nobody reads them yet."""
    for number in range(scans):
        _file(folder / "pretraining" / f"sub-{number}" / "ses-01" / "t1w.nii.gz")
    for task in train.LABELLED:
        _file(folder / f"Task_{task}" / "preprocessed" / "sub-01" / "ses-01" / "t1w.nii.gz")
        _file(folder / f"Task_{task}" / "labels" / "sub-01" / "ses-01" / "label.txt")
    return folder


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()


def _refused(data: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said on standard error, where nothing was begun."""
    assert train.main(["all", "--data", str(data), "--run", str(run)]) == 1
    assert not run.exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("task", train.LABELLED)
def test_a_task_without_labels_is_named_before_pretraining(
    task: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data", scans=2)
    (data / f"Task_{task}" / "labels" / "sub-01" / "ses-01" / "label.txt").unlink()
    assert f"Task_{task}: has no labelled sessions" in _refused(data, tmp_path / "run", capsys)


def test_too_few_scans_for_the_norms_are_told_before_pretraining(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data", scans=1)
    assert "fewer than two T1-weighted scans" in _refused(data, tmp_path / "run", capsys)


def test_data_with_something_for_every_stage_is_taken(tmp_path: Path) -> None:
    train.require_data(_data(tmp_path / "data", scans=2))
