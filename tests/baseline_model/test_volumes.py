"""Scans on the common grid and masks back on the scan's own, against scipy, also where only a part is looked at."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from baseline_model.volumes import HEAD, Grid, Scan, from_grid, onto_grid

OBLIQUE = np.array([[-0.9, 0.1, 0.3, 17.3], [0.2, 0.8, -0.5, -3.1], [0.1, 0.4, 5.7, 2.9], [0, 0, 0, 1]])
FINE = np.diag([3.0, 3.0, 0.4, 1.0])
SMALL = Grid((16, 24, 16), 1.0)


def _middle(shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3])


def _scipy(
    data: NDArray[np.float32], matrix: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """`data` at `matrix` @ index, between voxels in proportion, and fading to 0 within one voxel outside."""
    found = affine_transform(data, matrix[:3, :3], matrix[:3, 3], shape, order=1, mode="grid-constant")
    return np.asarray(found, dtype=np.float32)


@pytest.mark.parametrize("away", [0.0, 6.0, 11.0, 500.0], ids="{:g} mm away".format)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("affine", [OBLIQUE, FINE], ids=["oblique", "fine"])
def test_a_part_of_a_scan_gives_what_all_of_it_would(
    affine: NDArray[np.float64], order: str, away: float
) -> None:
    data = np.random.default_rng(0).random((40, 50, 100), dtype=np.float32)
    centre, values = _middle(data.shape, affine) + away, torch.rand(2, *SMALL.shape)
    onto = np.asarray(np.linalg.inv(affine) @ SMALL.affine(centre), dtype=np.float64)
    scan = Scan(np.asarray(data, order=order), affine)  # type: ignore[call-overload]

    back = from_grid(values, SMALL, centre, scan)

    inverse = np.asarray(np.linalg.inv(onto), dtype=np.float64)
    wanted = [_scipy(one.numpy(), inverse, data.shape) for one in values]
    assert np.abs(back - wanted).max() < 1e-4
    if affine is OBLIQUE:  # the fine one is averaged before
        assert np.abs(onto_grid(scan, SMALL, centre).numpy() - _scipy(data, onto, SMALL.shape)).max() < 1e-4


def test_averages_are_of_the_same_blocks_wherever_the_part_begins() -> None:
    data = np.random.default_rng(0).random((61, 47, 300), dtype=np.float32)
    affine = np.diag([3.0, 3.0, 0.5, 1.0])
    blocks = data[:, :, : 300 // 6 * 6].reshape(61, 47, 50, 6).mean(axis=3)
    coarse = np.diag([3.0, 3.0, 3.0, 1.0])
    coarse[2, 3] = 0.5 * 2.5
    centre = _middle(data.shape, affine) + np.array([70, -20, 30])

    found = onto_grid(Scan(data, affine), HEAD, centre)

    assert torch.allclose(found, onto_grid(Scan(blocks, coarse), HEAD, centre), atol=1e-4)
    assert float(found.max()) > 0.3
