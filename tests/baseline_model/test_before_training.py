"""A training looks for all that its stages need of the data before the first one begins, without reading a scan."""

from pathlib import Path

import pytest

from baseline_model import train
from baseline_model.config import read_config
from baseline_model.fitted import LABELLED

FILES = {
    1: ("flair", "dwi", "adc"),
    2: ("flair", "dwi"),
    3: ("t1w",),
    4: ("t2w",),
    5: ("t1w",),
}


def _data(folder: Path, *, scans: int = 2, subjects: int = 8) -> Path:
    """The released layout, half of the `subjects` with label 1. The scans are empty: nobody reads them."""
    for number in range(scans):
        _file(folder / "pretraining" / f"sub-{number}" / "ses-01" / "t1w.nii.gz")
    for task in LABELLED:
        for number in range(subjects):
            session = Path(f"sub-{number}", "ses-01")
            for name in FILES[task]:
                _file(folder / f"Task_{task}" / "preprocessed" / session / f"{name}.nii.gz")
            _file(_label(folder, task, number), f"{number % 2}\n")
    return folder


def _label(data: Path, task: int, number: int) -> Path:
    return data / f"Task_{task}" / "labels" / f"sub-{number}" / "ses-01" / "label.txt"


def _file(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _refused(data: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said on standard error, in one line, where nothing was begun."""
    run = data.parent / "run"
    assert train.main(["all", "--data", str(data), "--run", str(run), *words]) == 1
    assert not run.exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("task", LABELLED)
def test_a_task_without_labels_is_named_before_pretraining(
    task: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data")
    for number in range(8):
        _label(data, task, number).unlink()
    assert f"Task_{task}: has no labelled sessions" in _refused(data, capsys)


def test_too_few_scans_for_the_norms_are_told_before_pretraining(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data", scans=1)
    assert "fewer than two T1-weighted scans" in _refused(data, capsys)


@pytest.mark.parametrize("task", [1, 5])
def test_too_few_subjects_of_a_class_are_told_before_pretraining(
    task: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data")
    _label(data, task, 1).write_text("0\n")
    said = f"task {task}: 3 subjects of the rarest class are too few for a cross-validation; it takes 4\n"
    assert _refused(data, capsys) == said


def test_two_sessions_of_a_subject_are_one_subject(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data")
    top = data / "Task_5"
    for folder in ("preprocessed", "labels"):
        (top / folder / "sub-1" / "ses-01").rename(top / folder / "sub-3" / "ses-02")
    assert "task 5: 3 subjects of the rarest class" in _refused(data, capsys)


def test_labels_of_one_class_are_told_before_pretraining(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data")
    for number in range(8):
        _label(data, 1, number).write_text("1\n")
    assert _refused(data, capsys) == "task 1: the labels are 1; a head needs both 0 and 1\n"


def test_too_few_people_with_an_age_are_told_before_pretraining(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data")
    for number in range(3, 8):
        _label(data, 3, number).unlink()
    assert _refused(data, capsys).startswith("task 3: 3 subjects are too few")


@pytest.mark.parametrize("task", LABELLED)
def test_cases_without_a_sequence_of_their_task_are_told_before_pretraining(
    task: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, name = _data(tmp_path / "data"), FILES[task][-1]
    (data / f"Task_{task}" / "preprocessed" / "sub-7" / "ses-01" / f"{name}.nii.gz").unlink()
    said = f"task {task}: 1 of 8 scans cannot be used, more than the setting `faulty` allows; the last one: "
    assert _refused(data, capsys) == f"{said}sub-7/ses-01: has no {name}\n"


def test_a_label_that_is_no_number_is_told_before_pretraining(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data")
    _label(data, 3, 2).write_text("unknown\n")
    assert f"{_label(data, 3, 2)}: holds no number" in _refused(data, capsys)


def test_data_with_something_for_every_stage_is_taken(tmp_path: Path) -> None:
    train.require_data(_data(tmp_path / "data"), read_config())


def test_of_some_tasks_alone_nothing_else_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _data(tmp_path / "data", scans=0)
    for number in range(1, 8):
        _label(data, 1, number).unlink()
    train.require_data(data, read_config(), frozenset({3, 5}))
    assert _refused(data, capsys, "--tasks", "5", "1").startswith("task 1: the labels are 0")
