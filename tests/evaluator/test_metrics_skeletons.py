import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from evaluator.metrics import CaseData
from evaluator.metrics.registry import lookup
from evaluator.metrics.skeletons import cldice, skeleton

EVERY_CORNER = np.ones((3, 3, 3))


def topology(mask):
    """Components, those of the background, and the Euler characteristic of the voxels as closed cubes.

    The last is corners − edges + faces − cubes, each counted once however many voxels share it; with the components it
    gives the number of tunnels.
    """
    padded = np.pad(mask, 1)
    parts = []
    for axes in np.ndindex(2, 2, 2):
        shared = padded
        for axis, joined in enumerate(axes):
            if joined:  # a corner of the axis belongs to the voxels on both of its sides
                shared = np.delete(shared, -1, axis) | np.delete(shared, 0, axis)
        parts.append((-1) ** (3 - sum(axes)) * int(shared.sum()))
    count = ndimage.label(mask, EVERY_CORNER)[1], ndimage.label(~padded)[1]
    return (*count, sum(parts))


@settings(max_examples=150, deadline=None)
@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=8)))
def test_thinning_keeps_every_component_tunnel_and_cavity_and_ends(mask):
    thin = skeleton(mask)
    assert not (thin & ~mask).any()
    assert topology(thin) == topology(mask)
    assert np.array_equal(skeleton(thin), thin)


def test_a_ring_keeps_its_hole_and_a_shell_its_cavity():
    x, y, z = np.ogrid[-12:13, -12:13, -5:6]
    ring = (np.sqrt(x**2 + y**2) - 8) ** 2 + z**2 <= 9
    thin = skeleton(ring)
    assert topology(thin) == topology(ring) == (1, 1, 0)
    assert thin.sum() < 2 * 2 * np.pi * 8, "a curve, and few spurs"
    shell = np.abs(np.sqrt(x[:, :, :1] ** 2 + y**2 + np.arange(-12, 13) ** 2) - 8) <= 2
    assert topology(skeleton(shell)) == topology(shell) == (1, 2, 2)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6])
def test_a_straight_tube_of_any_width_thins_down_to_its_length(width):
    tube = np.zeros((12, 12, 60), bool)
    tube[3 : 3 + width, 3 : 3 + width, 5:55] = True
    thin = skeleton(tube)
    assert 40 <= np.count_nonzero(thin.any(axis=(0, 1))) <= 50
    inside = slice(3 + (width - 1) // 2, 4 + width // 2)
    assert thin[inside, inside, 12:48].any(axis=(0, 1)).all(), "along the middle"


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (5, 6, 4)), st.tuples(*[st.integers(0, 3)] * 6), st.sampled_from("CF"))
def test_a_skeleton_does_not_depend_on_where_the_mask_lies_nor_on_memory(mask, margins, order):
    padded = np.pad(mask, list(zip(margins[:3], margins[3:], strict=True)))
    moved = skeleton(np.array(padded, order=order))
    inside = tuple(slice(low, low + length) for low, length in zip(margins[:3], mask.shape, strict=True))
    assert np.array_equal(moved[inside], skeleton(mask))
    assert moved.sum() == skeleton(mask).sum()


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (6, 5, 7)), arrays(bool, (6, 5, 7)))
def test_cldice_is_the_harmonic_mean_of_what_each_skeleton_shares(pred, ref):
    thin, true = skeleton(pred), skeleton(ref)
    shares = [(thin & ref).sum() / max(thin.sum(), 1), (true & pred).sum() / max(true.sum(), 1)]
    expected = 2 * np.prod(shares) / sum(shares) if sum(shares) else float(not (pred.any() or ref.any()))
    assert cldice(pred, ref) == pytest.approx(expected, abs=1e-12)
    assert cldice(pred, ref) == cldice(ref, pred)
    metric = lookup("cldice")
    for order in "CF":
        maps = (np.array(mask, np.uint8, order=order) for mask in (pred, ref))
        case = CaseData(*maps, (0.5, 1.0, 2.0))
        assert metric.score(case, metric.parse({"labels": [1]})) == cldice(pred, ref)


def test_a_broken_vessel_loses_more_of_its_topology_than_of_its_volume():
    vessel = np.zeros((9, 9, 60), bool)
    vessel[3:6, 3:6, 2:58] = True
    thick, broken = ndimage.binary_dilation(vessel), vessel.copy()
    broken[:, :, 20:40] = False
    assert cldice(vessel, vessel) == 1
    assert cldice(thick, vessel) == 1, "the same centreline"
    assert 0.7 < cldice(broken, vessel) < 0.85


def test_empty_masks_and_images_of_two_dimensions():
    some, none = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    assert (cldice(none, none), cldice(none, none, both_empty=0.0)) == (1, 0)
    assert cldice(some, none) == cldice(none, some) == 0
    assert 1 <= skeleton(some).sum() <= 2
    with pytest.raises(ValueError, match="three-dimensional"):
        cldice(some[0], some[0])
