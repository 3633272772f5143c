"""The template answers each task validly with the committed checkpoint, and its parts do what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from baseline_model import call, inference
from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model, save
from baseline_model.network import fold, unfold
from baseline_model.volumes import HEAD, Scan, box_mean, from_grid, onto_grid
from demo.brains import make_case
from demo.brains.layout import write_scans
from evaluator.outputs import check_output
from evaluator.spec import load_challenge

CHALLENGE = load_challenge(Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml")


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return load_model()


@pytest.mark.parametrize("task", ["task1", "task2", "task3", "task4", "task5", "task6"])
def test_a_case_of_each_task_gets_a_valid_output(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_TASK", task)
    spec = CHALLENGE.tasks[task]
    case = make_case(task, "validation", 1, seed=3)
    write_scans(tmp_path, case)
    place = tmp_path / case.subject / case.session
    inputs = {key: place / f"{key}.nii.gz" for key in case.inputs}
    output = tmp_path / f"answer{spec.output.suffix}"
    flags = [text for one in spec.inputs_of(set(inputs)) for text in (one.flag, str(inputs[one.key]))]

    call.answer_case([*flags, "--output", str(output)])

    checked = check_output(spec, output, inputs)
    assert checked.valid, checked.message
    assert set(checked.warnings) <= {"Every voxel is background."}  # it may find nothing


def test_without_a_named_task_the_flags_decide() -> None:
    guesses = {
        "task1": ({"flair", "dwi", "adc", "swi"}, "a.txt"),
        "task2": ({"flair", "dwi", "t2s"}, "a.nii.gz"),
        "task3": ({"t1w"}, "a.txt"),
        "task4": ({"t2w"}, "a.nii.gz"),
        "task6": ({"t1w"}, "a.npy"),
    }
    for task, (sequences, output) in guesses.items():
        assert call.guess_task(sequences, Path(output)) == task


def test_an_empty_scan_still_gets_an_answer(model: TrainedModel) -> None:
    scan = Scan(np.zeros((40, 40, 20), dtype=np.float32), np.diag([2.0, 2.0, 5.0, 1.0]))

    assert np.isfinite(inference.predict(model, "task3", {"t1w": scan}))
    mask = inference.predict(model, "task2", {"flair": scan, "dwi": scan})
    assert isinstance(mask, np.ndarray)
    assert mask.shape == (40, 40, 20)


def test_an_unknown_task_is_refused(model: TrainedModel) -> None:
    with pytest.raises(ValueError, match="unknown task"):
        inference.predict(model, "task7", {})


def test_the_checkpoint_is_small_and_survives_a_round_trip(model: TrainedModel, tmp_path: Path) -> None:
    assert DEFAULT.stat().st_size < 20_000_000

    save(model, tmp_path / "again.pt")
    again = load_model(tmp_path / "again.pt")

    assert torch.equal(again.age.weight, model.age.weight)
    for name in ("trunk", "meningioma", "nerve"):
        one, other = getattr(again, name).parameters(), getattr(model, name).parameters()
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["meningioma", "nerve"])
def test_a_network_of_masks_began_with_the_pretrained_trunk_and_was_trained_on(
    model: TrainedModel, name: str
) -> None:
    """Its convolutions go with the pretrained ones; those of a trunk that began elsewhere would not at all."""
    own, pretrained = (
        torch.cat([one.detach().flatten() for one in trunk.down.parameters() if one.ndim > 1])
        for trunk in (getattr(model, name).trunk, model.trunk)
    )

    assert not torch.equal(own, pretrained)
    assert float(torch.corrcoef(torch.stack([own, pretrained]))[0, 1]) > 0.1


def test_a_flipped_scan_lands_on_the_same_grid() -> None:
    generator = np.random.default_rng(0)
    data = generator.random((30, 32, 28), dtype=np.float32)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    flipped = affine.copy()
    flipped[0] = [-4.0, 0.0, 0.0, 4.0 * 29]
    centre = np.array([58.0, 62.0, 54.0])

    straight = onto_grid(Scan(data, affine), HEAD, centre)
    mirrored = onto_grid(Scan(np.ascontiguousarray(data[::-1]), flipped), HEAD, centre)

    assert torch.allclose(straight, mirrored, atol=1e-4)


def test_a_ball_comes_back_where_it_was() -> None:
    axes = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (70, 80, 30)), indexing="ij")
    spacing, middle = (2.0, 2.0, 5.0), (60.0, 90.0, 80.0)
    away = sum((axis * step - m) ** 2 for axis, step, m in zip(axes, spacing, middle, strict=True))
    scan = Scan(np.asarray(away < 15**2, dtype=np.float32), np.diag([*spacing, 1.0]))
    centre = np.array([70.0, 80.0, 75.0])

    back = from_grid(onto_grid(scan, HEAD, centre)[None], HEAD, centre, scan)[0] > 0.5

    both = 2 * float((back & (scan.data > 0)).sum()) / float(back.sum() + scan.data.sum())
    assert both > 0.9


def test_unfolding_undoes_folding() -> None:
    volume = torch.randn(2, 1, 8, 4, 6)
    assert torch.equal(unfold(fold(volume)), volume)


def test_a_box_mean_of_ones_is_one_away_from_the_border() -> None:
    assert torch.allclose(box_mean(torch.ones(20, 20, 20), 5)[5:-5, 5:-5, 5:-5], torch.ones(10, 10, 10))
