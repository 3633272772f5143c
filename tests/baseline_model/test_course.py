"""A training that was killed goes on to the same result; a state that does not fit is refused in one sentence."""

import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from baseline_model.course import Batch, Course, duration, follow, load_finished
from baseline_model.faults import TrainingError, written_whole

STEPS = 12
KILLED = """
import os, signal, sys
from pathlib import Path
from baseline_model import course, faults
from tests.baseline_model.test_course import train

kept, keep = [], course.written_whole

def keep_or_die(path, write):
    kept.append(path)
    if len(kept) == 3 and sys.argv[2] == "writing":
        keep(path, lambda part: (part.write_bytes(b"half"), os.kill(os.getpid(), signal.SIGKILL)))
    keep(path, write)
    if len(kept) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

course.written_whole = keep_or_die
train(Path(sys.argv[1]))
"""


def train(state: Path, *, about: str = "this", rate: float = 0.05) -> nn.Module:
    """A small network trained for STEPS on batches that follow from the step."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    course = Course("a test", STEPS, rate, 0.01, 2, torch.device("cpu"), False, about)
    follow(course, module, _batches, _loss, state)
    return module


def _batches(first: int) -> Iterable[Batch]:
    for step in range(first, STEPS):
        yield (torch.randn(5, 4, generator=torch.Generator().manual_seed(step)),)


def _loss(module: nn.Module, batch: Batch) -> Tensor:
    wrong: Tensor = (module(batch[0])[:, 0] - batch[0].sum(dim=1)).abs().mean()
    return wrong


@pytest.mark.parametrize("moment", ["between", "writing"])
def test_a_killed_training_ends_in_the_same_weights(moment: str, tmp_path: Path) -> None:
    state = tmp_path / "run" / "state.pt"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(state), moment], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert torch.load(state, weights_only=True)["step"] == (6 if moment == "between" else 4)

    resumed, whole = train(state), train(tmp_path / "whole.pt")

    for one, other in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)
    kept, reference = (
        torch.load(path, weights_only=True)["optimiser"]["state"] for path in (state, tmp_path / "whole.pt")
    )
    assert all(torch.equal(kept[n]["exp_avg_sq"], reference[n]["exp_avg_sq"]) for n in reference)


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    train(tmp_path / "state.pt")
    before = (tmp_path / "state.pt").stat().st_mtime_ns
    module = train(tmp_path / "state.pt")

    assert (tmp_path / "state.pt").stat().st_mtime_ns == before
    again = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    load_finished(again, tmp_path / "state.pt", "test")
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), module.parameters(), strict=True))


def test_a_state_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    with pytest.raises(TrainingError, match="the pretraining has not been begun"):
        load_finished(nn.Linear(4, 1), state, "pretraining")
    train(state)
    with pytest.raises(TrainingError, match="was begun with other settings or data"):
        train(state, about="that")
    with pytest.raises(TrainingError, match="holds another network"):
        load_finished(nn.Linear(4, 1), state, "pretraining")
    kept = torch.load(state, weights_only=True)
    torch.save(kept | {"step": 4}, state)
    with pytest.raises(TrainingError, match="is at step 4 of 12; let it finish first"):
        load_finished(nn.Linear(4, 1), state, "pretraining")
    state.write_bytes(b"")
    with pytest.raises(TrainingError, match=r"state\.pt: cannot be read as the state of a training"):
        train(state)


ODD: dict[str, tuple[dict[str, object], str]] = {
    "no optimiser": ({"optimiser": None}, "is damaged, or of another network"),
    "an empty optimiser": ({"optimiser": {}}, "is damaged, or of another network"),
    "another network": (
        {"module": {"weight": torch.ones(1)}},
        "is damaged, or of another network",
    ),
    "a network of words": (
        {"module": {"0.weight": "many"}},
        "is damaged, or of another network",
    ),
    "a schedule of numbers": ({"schedule": 3}, "is damaged, or of another network"),
    "steps in words": ({"step": "six"}, "is no state of a training"),
    "more steps than there are": ({"step": STEPS + 1}, "is no state of a training"),
    "no module": ({"module": None}, "is no state of a training"),
    "settings of another kind": ({"about": 3}, "is no state of a training"),
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_state_is_refused_in_one_sentence_and_stays_as_it_is(what: str, tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    train(state)
    changed, said = ODD[what]
    torch.save(torch.load(state, weights_only=True) | changed, state)
    before = state.read_bytes()
    with pytest.raises(TrainingError, match=said) as refused:
        train(state)
    assert str(refused.value).startswith(f"{state}: ")
    assert state.read_bytes() == before


def test_what_is_no_state_at_all_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    train(state)
    state.write_bytes(state.read_bytes()[:900])
    with pytest.raises(TrainingError, match=r"state\.pt: cannot be read as the state of a training"):
        train(state)
    torch.save({"weights": torch.ones(2)}, state)
    with pytest.raises(TrainingError, match=r"state\.pt: is no state of a training"):
        train(state)


def test_a_loss_that_is_no_number_ends_the_training_with_its_last_good_state(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    with pytest.raises(TrainingError, match="the loss is no number at step"):
        train(state, rate=float("inf"))
    assert not state.exists()


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    written_whole(target, lambda path: path.write_text("first"))

    def fail(path: Path) -> None:
        path.write_text("sec")
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match="No space left on device"):
        written_whole(target, fail)
    assert target.read_text() == "first"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_curves_go_on_where_a_training_did(tmp_path: Path) -> None:
    train(tmp_path / "state.pt")

    read = EventAccumulator(str(tmp_path / "curves" / "a test"))
    read.Reload()

    assert read.Tags()["scalars"] == ["loss", "rate"]
    assert [one.step for one in read.Scalars("loss")] == [STEPS - 1]


def test_times_read_as_people_say_them() -> None:
    assert [duration(one) for one in (7.4, 130, 3600 * 3 + 1200)] == ["7 s", "2 min", "3 h 20 min"]
