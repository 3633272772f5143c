"""The stages of a training as they are typed, and what is said where one cannot run."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from baseline_model import train
from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model, save
from baseline_model.config import DEFAULT_CONFIG, read_config
from baseline_model.faults import TrainingError
from baseline_model.inference import predict
from baseline_model.pretrain import HiddenCubes, StepOrder, cut, pretrain
from baseline_model.volumes import HEAD
from benchmarks.support.baseline_quality import scans_of
from demo.brains import make_case, write_dataset, write_pretraining
from tests.baseline_model.interrupting import interrupted_at_the_second_state


def _views(folder: Path) -> list[Path]:
    """One view of a head and a larger one from near."""
    stream, paths = np.random.default_rng(2), [folder / "a.head.npy", folder / "b.near.npy"]
    for path, shape in zip(paths, (HEAD.shape, (96, 96, 48)), strict=True):
        np.save(path, stream.normal(size=shape).clip(-4, 8).astype(np.float16))
    return paths


def test_every_scan_comes_once_before_any_comes_again() -> None:
    whole = list(StepOrder(5, 2, range(10), seed=4))
    numbers = [number for step in whole for number, _ in step]
    assert all(sorted(numbers[start : start + 5]) == [0, 1, 2, 3, 4] for start in (0, 5, 10, 15))
    assert numbers[:5] != numbers[5:10]
    assert len({seed for step in whole for _, seed in step}) == 20
    assert list(StepOrder(5, 2, range(7, 10), seed=4)) == whole[7:]


def test_processes_that_read_scans_change_nothing(tmp_path: Path) -> None:
    data = HiddenCubes(_views(tmp_path), cube=8, hidden=(0.4, 0.75))
    order = StepOrder(2, 2, range(2), seed=1)
    alone, beside = (list(DataLoader(data, batch_sampler=order, num_workers=n)) for n in (0, 2))

    for one, other in zip(alone, beside, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        scans, hidden = one
        assert scans.shape == hidden.shape == (2, 1, *HEAD.shape)
        assert 0.2 < float(hidden.mean()) < 0.9
    assert not torch.equal(alone[0][0], alone[1][0])


def test_a_part_has_the_head_grids_shape_and_air_where_the_scan_ends() -> None:
    volume = torch.ones(96, 60, 48)
    made = cut(volume, torch.Generator().manual_seed(0))
    assert made.shape == HEAD.shape
    assert bool((made[:, :60, :48] == 1).all())
    assert bool((made[:, 60:] == -4).all())
    assert bool((made[:, :, 48:] == -4).all())


def test_pretraining_goes_on_to_the_same_trunk(tmp_path: Path) -> None:
    config = read_config()
    short = replace(config, device="cpu", pretrain=replace(config.pretrain, steps=3, batch=1, keep_every=1))
    views = _views(tmp_path)
    whole = pretrain(views, short, tmp_path / "whole.pt")

    with interrupted_at_the_second_state():
        pretrain(views, short, tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 1
    resumed = pretrain(views, short, tmp_path / "state.pt")

    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), whole.parameters(), strict=True))
    with pytest.raises(TrainingError, match="other settings or data"):
        pretrain(views[:1], short, tmp_path / "state.pt")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("pretrain", "pretraining: has no scans"),
        ("finetune", "pretrain.pt: the pretraining has not been begun"),
        ("export", "heads.pt: the heads have not been fitted"),
    ],
)
def test_a_stage_that_cannot_run_says_so_in_a_line(
    stage: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(tmp_path), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made.pt")]
    assert train.main([stage, *words, "--threads", "1"]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made.pt").exists()


def test_an_interrupted_stage_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(train.STAGES, "pretrain", interrupted)
    assert train.main(["pretrain", "--run", str(tmp_path), "--threads", "1"]) == 130
    said = capsys.readouterr().err
    assert said == "interrupted; the same command goes on from the last state that was kept\n"


@pytest.mark.parametrize("threads", ["0", "-1", "many", ""])
def test_an_impossible_number_of_threads_is_said(threads: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(["pretrain", f"--threads={threads}"])
    assert capsys.readouterr().err.endswith("argument --threads: a whole number from 1\n")


def test_a_foreign_or_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(FileNotFoundError):
        load_model(path)
    path.write_bytes(DEFAULT.read_bytes()[:100_000])
    with pytest.raises(RuntimeError, match="it is damaged, or not of tensors alone"):
        load_model(path)
    torch.save({"state_dict": {"weight": torch.ones(3)}}, path)
    with pytest.raises(RuntimeError, match="it belongs to another model"):
        load_model(path)
    stored = torch.load(DEFAULT, weights_only=True)
    stored["trunk"].popitem()
    torch.save(stored, path)
    with pytest.raises(RuntimeError, match="or to another version of this one"):
        load_model(path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    model: TrainedModel = load_model()
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        save(model, tmp_path / "file" / "checkpoint.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert model.notes["task3"].startswith(("ridge with penalty", "logistic regression"))


@pytest.mark.long
def test_all_stages_make_a_checkpoint_that_answers(tmp_path: Path) -> None:
    write_pretraining(tmp_path / "pretraining", 12, seed=1)
    for task in ("task1", "task2", "task3", "task4", "task5"):
        write_dataset(tmp_path, task, "finetune", 8 if task not in ("task2", "task4") else 2, seed=1)
    config = tmp_path / "mine.toml"
    text = re.sub(r"steps = \d+", "steps = 2", DEFAULT_CONFIG.read_text())
    config.write_text(text.replace("repeats = 3", "repeats = 1"))
    words = ["--data", str(tmp_path), "--run", str(tmp_path / "run"), "--config", str(config)]

    assert train.main(["all", *words, "--output", str(tmp_path / "made.pt"), "--threads", "1"]) == 0

    model = load_model(tmp_path / "made.pt")
    for task in ("task1", "task2", "task3", "task4", "task5", "task6"):
        assert np.isfinite(predict(model, task, scans_of(make_case(task, "sanity", 0, seed=1)))).all()
