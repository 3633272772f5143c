"""Windows cover a volume, and their answers are joined where they came from."""

import pytest
import torch
from torch import Tensor

from baseline_model.windows import Shape, drawn_place, part, places, slid, window_of


@pytest.mark.parametrize("shape", [(28, 36, 28), (14, 18, 14), (9, 40, 17), (15, 19, 15)])
def test_windows_cover_every_voxel_and_stay_inside(shape: Shape) -> None:
    window = (14, 18, 14)
    seen = torch.zeros(shape)
    for place in places(shape, window):
        one = part(seen, place, window)
        assert one.shape == tuple(min(a, b) for a, b in zip(shape, window, strict=True))
        one += 1
    assert seen.min() >= 1


def test_one_window_is_enough_for_a_volume_of_its_size() -> None:
    assert list(places((14, 18, 14), (14, 18, 14))) == [(0, 0, 0)]


@pytest.mark.parametrize("grid", [(56, 72, 56), (96, 96, 48), (8, 20, 200)])
def test_two_windows_along_each_axis_cover_a_grid(grid: Shape) -> None:
    window = window_of(grid)
    assert all(side % 8 == 0 for side in window)
    assert len(list(places(grid, window))) <= 8


def test_a_network_that_looks_at_each_voxel_alone_answers_in_windows_as_it_does_at_once() -> None:
    def network(seen: Tensor) -> Tensor:
        return seen**2

    seen = torch.randn(3, 11, 20, 9, generator=torch.Generator().manual_seed(0))
    at_once = network(seen[None]).softmax(dim=1)[0]

    assert torch.allclose(slid(seen, (5, 8, 4), network), at_once, atol=1e-6)


def test_training_windows_mostly_hold_a_label() -> None:
    labels = torch.zeros(56, 72, 56, dtype=torch.int64)
    labels[50, 70, 3] = 1
    window = (28, 36, 28)
    held = 0
    for seed in range(60):
        inside = part(labels, drawn_place(labels, window, torch.Generator().manual_seed(seed)), window)
        assert inside.shape == window
        held += int(inside.any())
    assert 30 <= held < 60
