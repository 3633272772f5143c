"""Whatever file is handed to a stage of training: one line and exit code 1, and nothing half-written."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from baseline_model import train
from baseline_model.checkpoint import DEFAULT, load_model, untrained_masks
from baseline_model.config import DEFAULT_CONFIG
from baseline_model.fitted import LABELLED, digest_of
from baseline_model.network import Trunk
from demo.brains import write_pretraining

STATES = ("pretrain.pt", "task2.pt", "task4.pt")
NOBODY = 65534
Edit = Callable[[dict[str, Any]], object]


def write_run(run: Path) -> Path:
    """A folder in which every stage has ended: the heads are those of the committed checkpoint."""
    run.mkdir()
    modules = dict(zip(STATES, (Trunk(), *untrained_masks()), strict=True))
    for name, module in modules.items():
        torch.save({"module": module.state_dict(), "step": 3, "steps": 3, "about": "this"}, run / name)
    stored = torch.load(DEFAULT, weights_only=True)
    kept = {name: stored[name] for name in ("norms", "notes", "infarct", "age", "folding")}
    of = {"tasks": [*LABELLED], "trunk": digest_of(train.pretrained(run)), "kept": False}
    torch.save(kept | of, run / "heads.pt")
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def exported(run: Path) -> int:
    words = ["--data", str(run), "--run", str(run), "--output", str(run.parent / "made.pt"), "--threads", "1"]
    return train.main(["export", *words])


def test_what_the_stages_left_is_exported(run: Path) -> None:
    assert exported(run) == 0
    assert load_model(run.parent / "made.pt").notes == load_model().notes


def write_damage(what: str, path: Path) -> None:
    whole = path.read_bytes()
    path.unlink()
    if what == "a folder":
        path.mkdir()
    elif what == "another dictionary":
        torch.save({"weights": torch.ones(2)}, path)
    elif what == "a list":
        torch.save([1, 2], path)
    else:
        path.write_bytes({"nothing": b"", "text": b"none of it\n", "cut": whole[: len(whole) // 2]}[what])


@pytest.mark.parametrize("name", [*STATES, "heads.pt"])
@pytest.mark.parametrize("what", ["nothing", "text", "cut", "a folder", "another dictionary", "a list"])
def test_what_no_stage_left_is_said_in_a_line_and_not_exported(
    name: str, what: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_damage(what, run / name)
    assert_refused(run, run / name, capsys)


def assert_refused(run: Path, about: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Export says one line about the file, and leaves the checkpoint of before; what it says."""
    made = run.parent / "made.pt"
    made.write_text("before")
    there = sorted(run.parent.rglob("*"))
    assert exported(run) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{about}: ")
    assert said.count("\n") == 1
    assert made.read_text() == "before"
    assert sorted(run.parent.rglob("*")) == there
    return said


def _cut_vector(heads: dict[str, Any]) -> None:
    for name in ("mean", "scale", "weight"):
        heads["age"][name] = heads["age"][name][:-1]


FOREIGN_HEADS: dict[str, Edit] = {
    "no head of task 3": lambda heads: heads.pop("age"),
    "a head without its bias": lambda heads: heads["age"].pop("bias"),
    "a head with more than there is": lambda heads: heads["age"].update(more=torch.ones(1)),
    "a head of words": lambda heads: heads["age"].update(bias="three"),
    "a head of whole numbers": lambda heads: heads["age"].update(bias=torch.tensor(3)),
    "a head of half precision": lambda heads: heads["age"].update(bias=heads["age"]["bias"].half()),
    "a head that divides by nothing": lambda heads: heads["age"]["scale"].zero_(),
    "vectors of two lengths": lambda heads: heads["age"].update(mean=torch.ones(2)),
    "a head for other features": _cut_vector,
    "a head that gives no number": lambda heads: heads["age"].update(bias=torch.tensor(torch.nan)),
    "norms of another kind": lambda heads: heads.update(norms={"mean": torch.ones(1)}),
    "norms of two shapes": lambda heads: heads["norms"].update(maps_mean=torch.ones(5, 2, 2, 2)),
    "norms for another descriptor": lambda heads: heads["norms"].update(
        middle=torch.ones(3), axes=torch.ones(3, 2)
    ),
    "norms of words": lambda heads: heads["norms"].update(middle="grey"),
    "notes of another kind": lambda heads: heads.update(notes=3),
    "heads of another trunk": lambda heads: heads.update(trunk="0" * 64),
    "tasks that there are not": lambda heads: heads.update(tasks=[3, 6]),
    "no task": lambda heads: heads.update(tasks=[]),
    "tasks of another kind": lambda heads: heads.update(tasks=3),
    "heads from before tasks were chosen": lambda heads: heads.pop("tasks"),
}


@pytest.mark.parametrize("what", FOREIGN_HEADS)
def test_heads_of_another_network_are_said_in_a_line_and_not_exported(
    what: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = torch.load(run / "heads.pt", weights_only=True)
    FOREIGN_HEADS[what](heads)
    torch.save(heads, run / "heads.pt")
    assert "run the stage finetune again" in assert_refused(run, run / "heads.pt", capsys)


def trained(top: Path, *words: str) -> int:
    return train.main(
        ["pretrain", "--data", str(top / "data"), "--run", str(top / "run"), "--threads", "1", *words]
    )


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder with unlabelled scans in `data`, settings for a pretraining of two steps, and that in `run`."""
    write_pretraining(tmp_path / "data" / "pretraining", 2, seed=1)
    text = DEFAULT_CONFIG.read_text().replace("steps = 420", "steps = 2")
    (tmp_path / "mine.toml").write_text(text.replace("batch = 2\nrate = 2e-3", "batch = 1\nrate = 2e-3"))
    assert trained(tmp_path, "--config", str(tmp_path / "mine.toml")) == 0
    return tmp_path


def test_a_training_goes_on_with_the_same_scans_elsewhere_and_makes_views_anew_that_are_damaged(
    begun: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    views = {path: path.stat().st_mtime_ns for path in (begun / "run" / "scans").iterdir()}
    (begun / "data").rename(begun / "moved")
    monkeypatch.chdir(begun)
    words = ["pretrain", "--run", "run", "--threads", "1", "--config", "mine.toml"]
    assert train.main([*words, "--data", "moved"]) == 0, "as it stands from here"
    assert {path: path.stat().st_mtime_ns for path in views} == views
    assert len(list((begun / "run" / "scans").iterdir())) == len(views), "none was prepared again"

    damaged = sorted(views)[:3]
    whole = [path.read_bytes() for path in damaged]
    for path, content in zip(damaged, (b"", b"no array", whole[2][:-10]), strict=True):
        path.write_bytes(content)
    (begun / "run" / "pretrain.pt").unlink()
    assert train.main([*words, "--data", str(begun / "moved")]) == 0, caplog.text
    assert [path.read_bytes() for path in damaged] == whole


def test_curves_that_cannot_be_written_stop_no_training(
    begun: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(begun / "run")
    (begun / "run").mkdir()
    (begun / "run" / "curves").write_text("a file")
    with caplog.at_level(logging.WARNING):
        assert trained(begun, "--config", str(begun / "mine.toml")) == 0
    assert f"no curves: {begun / 'run' / 'curves' / 'pretraining'} cannot be written" in caplog.text


def test_places_that_take_no_files_are_said_in_a_line(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pretrain", "--data", str(begun / "data"), "--threads", "1", "--config"]
    for place, config in (
        (begun / "mine.toml", "mine.toml"),
        (begun / "run", "data"),
        (begun / "run", "none"),
    ):
        capsys.readouterr()
        assert train.main([*words, str(begun / config), "--run", str(place)]) == 1
        said = capsys.readouterr().err
        assert (said.count("\n"), str(begun) in said) == (1, True), said


@pytest.fixture
def run_as_nobody() -> Iterator[Callable[[Path], Path]]:
    """Copies a run to where everybody may come, its files for root alone, and goes on as nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    place = Path(tempfile.mkdtemp(prefix="proctor-nobody-"))

    def become(run: Path) -> Path:
        place.chmod(0o755)
        shutil.copytree(run, place / "run")
        for path in (place / "run").iterdir():
            path.chmod(0o600)
        os.seteuid(NOBODY)
        return place / "run"

    yield become
    os.seteuid(0)
    shutil.rmtree(place)


@pytest.mark.parametrize("closed", ["files", "folder"])
def test_what_one_may_not_read_is_said_in_a_line(
    closed: str, run: Path, run_as_nobody: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    if closed == "folder":
        run_as_nobody(run)
        assert exported(run) == 1, "pytest's own folder, which only root may enter"
    else:
        assert exported(run_as_nobody(run)) == 1
    said = capsys.readouterr().err
    assert "heads.pt: " in said
    assert "ermission denied" in said
    assert said.count("\n") == 1
