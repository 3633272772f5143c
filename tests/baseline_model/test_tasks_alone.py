"""Heads of some tasks are trained alone; the others stay as committed, or where the trunk is new, answer nothing."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from baseline_model import train
from baseline_model.checkpoint import DEFAULT, load_model
from baseline_model.config import DEFAULT_CONFIG
from baseline_model.inference import predict
from baseline_model.network import Trunk
from baseline_model.scans import CannotAnswer, CaseFault
from benchmarks.support.baseline_quality import scans_of
from demo.brains import make_case, write_dataset


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled cases of tasks 4 and 5, unlabelled heads, and settings for a short training."""
    top = tmp_path_factory.mktemp("labelled")
    write_dataset(top, "task5", "finetune", 12, seed=1, spacing_mm=4.0)
    write_dataset(top, "task4", "finetune", 2, seed=1, spacing_mm=4.0)
    for session in sorted((top / "Task_5" / "preprocessed").iterdir())[:3]:
        shutil.copytree(session, top / "pretraining" / session.name)
    text = re.sub(r"repeats = \d+", "repeats = 1", DEFAULT_CONFIG.read_text())
    text = re.sub(r"steps = \d+", "steps = 1", text)
    (top / "mine.toml").write_text(re.sub(r"folds = \d+", "folds = 2", text))
    return top


def _trained(stage: str, data: Path, run: Path, *words: str) -> int:
    made = ["--data", str(data), "--run", str(run), "--output", str(run.parent / "made.pt")]
    return train.main([stage, *made, "--config", str(data / "mine.toml"), "--threads", "1", *words])


def _write_pretraining(run: Path, trunk: Trunk) -> None:
    state = {"module": trunk.state_dict(), "step": 3, "steps": 3, "about": "this"}
    torch.save(state, run / "pretrain.pt")


def test_the_other_tasks_keep_the_committed_heads_and_trunk(labelled: Path, tmp_path: Path) -> None:
    assert _trained("all", labelled, tmp_path / "run", "--tasks", "4", "5") == 0
    before = torch.load(DEFAULT, weights_only=True)
    after = torch.load(tmp_path / "made.pt", weights_only=True)
    for part in ("trunk", "norms", "meningioma", "infarct", "age"):
        assert all(torch.equal(after[part][name], tensor) for name, tensor in before[part].items()), part
    for part in ("nerve", "folding"):
        assert not all(torch.equal(after[part][name], tensor) for name, tensor in before[part].items()), part
    assert after["left_out"] == []
    assert after["notes"]["task3"] == before["notes"]["task3"]
    assert after["notes"]["task5"] != before["notes"]["task5"]


def test_on_a_trunk_of_ones_own_the_other_tasks_are_left_out(
    labelled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    _write_pretraining(run, Trunk())
    assert _trained("all", labelled, run, "--tasks", "5") == 0
    assert "not trained, and not answered: task1, task2, task3, task4" in caplog.text
    model = load_model(tmp_path / "made.pt")
    scans = {task: scans_of(make_case(task, "sanity", 0, seed=1)) for task in ("task3", "task5", "task6")}
    assert np.isfinite(predict(model, "task5", scans["task5"]))
    assert np.isfinite(predict(model, "task6", scans["task6"])).all()
    with pytest.raises(CannotAnswer, match="was trained for other tasks than task3") as refused:
        predict(model, "task3", scans["task3"])
    assert refused.value.fault is CaseFault.CHECKPOINT


def test_where_the_pretraining_made_the_committed_trunk_its_heads_stay(
    labelled: Path, tmp_path: Path
) -> None:
    """As after a training of all tasks in the same folder."""
    run = tmp_path / "run"
    run.mkdir()
    _write_pretraining(run, load_model().trunk)
    assert _trained("all", labelled, run, "--tasks", "5") == 0
    assert load_model(tmp_path / "made.pt").left_out == frozenset()


def test_without_tasks_a_pretraining_is_asked_for(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _trained("finetune", labelled, tmp_path / "run") == 1
    assert "the pretraining has not been begun" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "--tasks", "5"), "--tasks goes with finetune or all; export takes what finetune trained"),
        (("pretrain", "--tasks", "5"), "--tasks goes with finetune or all"),
        (("all", "--tasks", "6"), "argument --tasks: invalid choice: 6"),
        (("all", "--tasks", "task5"), "argument --tasks: invalid int value: 'task5'"),
        (("all", "--tasks"), "argument --tasks: expected at least one argument"),
    ],
)
def test_tasks_that_cannot_be_trained_are_said(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        train.main([*words])
    assert said in capsys.readouterr().err


def test_a_committed_checkpoint_that_is_damaged_keeps_no_heads(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("baseline_model.assembly.DEFAULT", tmp_path / "checkpoint.pt")
    assert _trained("finetune", labelled, tmp_path / "run", "--tasks", "5") == 1
    assert "checkpoint.pt: there is no checkpoint whose heads could stay\n" in capsys.readouterr().err
    (tmp_path / "checkpoint.pt").write_text("none of it")
    assert _trained("finetune", labelled, tmp_path / "run", "--tasks", "5") == 1
    assert "checkpoint.pt: its heads cannot stay: it is damaged" in capsys.readouterr().err
