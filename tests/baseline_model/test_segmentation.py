"""Networks of masks start with the pretrained trunk, train all their weights and go on where they were interrupted."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from baseline_model.config import TrainConfig, read_config
from baseline_model.course import Batch
from baseline_model.faults import TrainingError
from baseline_model.network import MaskNetwork, Trunk, with_other_side
from baseline_model.pretrain import StepOrder
from baseline_model.segmentation import LabelledWindows, MaskTask, resized, trained_network
from baseline_model.volumes import Grid
from tests.baseline_model.interrupting import interrupted_at_the_second_state

TASK = MaskTask(4, ("t2w",), Grid((32, 32, 24), 1.0), 2)


def short(steps: int = 3) -> TrainConfig:
    config = read_config()
    return replace(config, device="cpu", segment=replace(config.segment, steps=steps, batch=1, keep_every=1))


def pairs(count: int = 2) -> list[Batch]:
    """Noise with a bright block of label 1 and a dark one of label 2."""
    made: list[Batch] = []
    for seed in range(count):
        volume = torch.randn(1, *TASK.grid.shape, generator=torch.Generator().manual_seed(seed))
        labels = torch.zeros(TASK.grid.shape, dtype=torch.int8)
        labels[3:7, 4:9, 5:9], labels[15:20, 10:14, 5:9] = 1, 2
        volume[0, labels == 1], volume[0, labels == 2] = 6.0, -3.0
        made.append((volume.half(), labels))
    return made


def trunk() -> Trunk:
    torch.manual_seed(7)
    return Trunk()


def same(one: torch.nn.Module, other: torch.nn.Module) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)]


def test_a_training_of_masks_goes_on_to_the_same_network(tmp_path: Path) -> None:
    whole = trained_network(TASK, pairs(), trunk(), short(), tmp_path / "whole.pt")

    with interrupted_at_the_second_state():
        trained_network(TASK, pairs(), trunk(), short(), tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 1
    resumed = trained_network(TASK, pairs(), trunk(), short(), tmp_path / "state.pt")

    assert all(same(resumed, whole))


def test_a_state_of_other_cases_or_another_trunk_is_refused(tmp_path: Path) -> None:
    trained_network(TASK, pairs(), trunk(), short(1), tmp_path / "state.pt")

    with pytest.raises(TrainingError, match="other settings or data"):
        trained_network(TASK, pairs(3), trunk(), short(1), tmp_path / "state.pt")
    with pytest.raises(TrainingError, match="other settings or data"):
        trained_network(TASK, pairs(), Trunk(), short(1), tmp_path / "state.pt")


def test_the_trunk_is_trained_on_and_the_pretrained_one_stays_as_it_was(tmp_path: Path) -> None:
    given = trunk()
    before = copy.deepcopy(given)
    made = trained_network(TASK, pairs(), given, short(), tmp_path / "state.pt")

    assert all(same(given, before))
    assert not any(same(made.trunk.down, before.down) + same(made.trunk.up, before.up))


def test_a_trunk_that_asks_for_no_gradient_stays_and_its_head_is_trained(tmp_path: Path) -> None:
    given = trunk().requires_grad_(requires_grad=False)
    first = trained_network(TASK, pairs(), given, short(1), tmp_path / "first.pt")
    later = trained_network(TASK, pairs(), given, short(3), tmp_path / "later.pt")

    assert all(same(later.trunk, given))
    assert not any(same(first.head.layers[0], later.head.layers[0]))


def test_windows_follow_from_their_seed_whoever_reads_them() -> None:
    windows = LabelledWindows(pairs(), (16, 16, 8))
    order = StepOrder(2, 2, range(3), seed=1)
    alone, beside = (list(DataLoader(windows, batch_sampler=order, num_workers=n)) for n in (0, 2))

    for one, other in zip(alone, beside, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        seen, labels = one
        assert seen.shape == (2, 2, 16, 16, 8)
        assert labels.shape == (2, 16, 16, 8)
    assert not torch.equal(alone[0][0], alone[1][0])


def test_labels_stay_on_what_they_mark() -> None:
    """Mirrored, resized and with noise, a bright block is still under label 1 and a dark one under label 2."""
    windows = LabelledWindows(pairs(1), (16, 16, 16))
    middles: dict[int, list[Tensor]] = {0: [], 1: [], 2: []}
    for seed in range(40):
        seen, labels = windows[0, seed]
        for label, found in middles.items():
            found.append(seen[0][labels == label])
    dark, bright = torch.cat(middles[2]).median(), torch.cat(middles[1]).median()

    assert float(bright) > 3
    assert float(dark) < -1.5
    assert abs(float(torch.cat(middles[0]).median())) < 0.3


def test_sizes_are_drawn_within_a_tenth() -> None:
    source = torch.Generator().manual_seed(0)
    volume, labels = pairs(1)[0]
    sizes = {tuple(resized(volume.float(), labels, source)[1].shape) for _ in range(30)}

    assert len(sizes) > 3
    assert all(29 <= x == y <= 35 and 22 <= z <= 26 for x, y, z in sizes)


def test_each_sequence_is_seen_beside_its_own_mirror_image() -> None:
    """Two sequences are not mixed: a network of two tells which of them was changed."""
    torch.manual_seed(0)
    network = MaskNetwork(Trunk(), 2, 2).eval()
    volumes = torch.randn(2, 16, 16, 16)
    seen = with_other_side(volumes)

    assert torch.equal(seen[:2], volumes)
    assert torch.equal(seen[3], volumes[1] - volumes[1].flip(0))
    with torch.inference_mode():
        one, exchanged = network(seen[None]), network(with_other_side(volumes.flip(0))[None])
        batch = network(torch.stack([seen, with_other_side(volumes.flip(0))]))
    assert not torch.allclose(one, exchanged, atol=1e-3)
    assert torch.allclose(batch, torch.cat([one, exchanged]), atol=1e-4)
