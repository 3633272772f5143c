"""Both routes, numpy and compiled, give the same values; the choice between them costs short runs nothing."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from evaluator.metrics import compiled, memory
from evaluator.metrics.lesions import components
from evaluator.metrics.masks import box_of
from evaluator.metrics.overlap import dice_of
from evaluator.metrics.pairs import LabelPair, mask_pair
from evaluator.metrics.resampled import auroc_replicates
from evaluator.metrics.surface import hausdorff_of, mean_of, median_of, surface_dice_of
from evaluator.resampling import draw_counts

numba = pytest.importorskip("numba")

SPACINGS = [(1.0, 1.0, 1.0), (0.5, 0.5, 0.6), (0.7, 1.3, 0.9), (3.0, 0.4, 1.1)]


def on_route(monkeypatch, switch, action):
    monkeypatch.setenv(compiled.SWITCH, switch)
    assert (compiled.kernels() is not None) == (switch == "1")
    return action()


def both(monkeypatch, action):
    return [on_route(monkeypatch, switch, action) for switch in "01"]


def noise(random, shape):
    return random.random((2, *shape)) < random.choice([0.01, 0.3, 0.5, 0.95])


def blobs(random, shape):
    smooth = ndimage.gaussian_filter(random.normal(size=(2, *shape)), (0, 2, 2, 2))
    return np.stack([smooth[0] > 0.05, smooth[0] + smooth[1] > 0.1])


def noise_against_a_voxel(random, shape):
    pair = random.random((2, *shape)) < 0.5
    pair[1] = False
    pair[1][tuple(random.integers(0, length) for length in shape)] = True
    return pair


def empty_or_full(random, shape):
    return np.stack([np.full(shape, random.random() < 0.5), np.ones(shape, bool)])


def far_apart(random, shape):
    pair = np.zeros((2, *(length + 30 for length in shape)), bool)
    pair[0][:2, :3, :2] = True
    pair[1][-3:, -1:, -2:] = True
    return pair


def values(a, b, spacing):
    pair = mask_pair(a, b, spacing)
    return [
        dice_of(pair, 1.0),
        *(surface_dice_of(pair, tolerance, 0.0) for tolerance in (0.0, 1.0, 2.5)),
        *(hausdorff_of(pair, percentile, 0.0, 9.0) for percentile in (50, 95, 100)),
        mean_of(pair, 0.0, 9.0),
        median_of(pair, 0.0, 9.0),
    ]


@pytest.mark.parametrize("kind", [noise, blobs, noise_against_a_voxel, empty_or_full, far_apart])
def test_segmentation_metrics_are_the_same_on_both_routes(kind, monkeypatch):
    random = np.random.default_rng(26)
    for number in range(40):
        a, b = kind(random, tuple(random.integers(1, 20, 3)))
        if number % 2:
            a, b = np.asfortranarray(a), np.asfortranarray(b)
        spacing = SPACINGS[number % len(SPACINGS)]
        by_numpy, compiled = both(monkeypatch, lambda a=a, b=b, spacing=spacing: values(a, b, spacing))
        np.testing.assert_array_equal(compiled, by_numpy)


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("kind", [noise, blobs, empty_or_full, far_apart])
def test_lesions_have_the_same_numbers_and_sizes_on_both_routes(kind, connectivity, monkeypatch):
    random = np.random.default_rng(31)
    for number in range(40):
        a, b = kind(random, tuple(random.integers(1, 20, 3)))
        for mask in (a, b, np.asfortranarray(a), a[:0], b[:, :0], a[..., :0]):
            by_scipy, compiled = both(monkeypatch, lambda mask=mask: components(mask, connectivity))
            assert (compiled[0].dtype, compiled[1].dtype) == (by_scipy[0].dtype, by_scipy[1].dtype)
            for one, other in zip(by_scipy, compiled, strict=True):
                np.testing.assert_array_equal(other, one, err_msg=f"pair {number}")


def test_surfaces_are_the_same_to_the_byte(monkeypatch):
    random = np.random.default_rng(27)
    for kind in (noise, blobs, far_apart):
        a, b = kind(random, (9, 17, 14))
        for one, other in zip(*both(monkeypatch, lambda a=a, b=b: mask_pair(a, b).surfaces), strict=True):
            assert np.array_equal(one.codes, other.codes)
            assert np.array_equal(one.histogram, other.histogram)
            assert np.array_equal(one.elements, other.elements)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int32, np.uint64, np.float32])
@pytest.mark.parametrize("shape", [(9, 7, 5), (1, 1, 1), (3, 4), (6,), (21, 1, 30), (2, 3, 4, 5)])
def test_boxes_are_the_same_on_both_routes(dtype, shape, monkeypatch):
    random = np.random.default_rng(30)
    for number in range(20):
        labels = (random.random(shape) < number / 100).astype(dtype)
        if number % 2 and np.dtype(dtype).itemsize > 1:
            labels *= np.dtype(dtype).type(256)  # whose lowest byte is 0
        set_voxels = np.argwhere(labels)
        ends = zip(set_voxels.min(axis=0), set_voxels.max(axis=0) + 1, strict=True) if len(set_voxels) else []
        expected = tuple(ends) if len(set_voxels) else None
        strided = np.zeros(tuple(2 * length for length in shape), dtype)
        strided[tuple(slice(None, None, 2) for _ in shape)] = labels
        for one in (labels, np.asfortranarray(labels), strided[tuple(slice(None, None, 2) for _ in shape)]):
            assert both(monkeypatch, lambda one=one: box_of(one)) == [expected, expected]


@pytest.mark.parametrize("shape", [(), (0,), (0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_what_has_no_voxel_has_no_box(shape, monkeypatch):
    assert both(monkeypatch, lambda: box_of(np.zeros(shape, np.uint8))) == [None, None]
    assert box_of(np.ones((), np.uint8)) == ()


def test_memory_is_lent_again_only_when_no_view_of_it_is_left(monkeypatch):
    monkeypatch.setattr(memory, "_free", {})
    first = memory.zeros(100_000)
    view = first[10:20].view(np.uint16).reshape(5, 1)
    where = first.ctypes.data
    del first
    others = [memory.empty(100_000) for _ in range(20)]
    for other in others:
        other[:] = 255
    assert not view.any()
    assert not any(np.shares_memory(view, other) for other in others)
    del view, others, other
    again = [memory.zeros(70_000) for _ in range(20)]
    assert where in [one.ctypes.data for one in again]
    assert not memory.zeros(131_072).any()  # what an earlier array left in it is gone


@pytest.mark.parametrize("length", [0, 1, 65_535, 65_536, 65_537, 1 << 22, (1 << 22) + 1])
def test_memory_has_the_length_and_type_that_is_asked_for(length):
    assert memory.zeros(length).shape == (length,)
    assert not memory.zeros(length).any()
    numbers = memory.empty(length // 8, np.int64)
    numbers[:] = range(length // 8)
    assert numbers.tolist() == list(range(length // 8))


def test_read_only_label_maps_take_the_compiled_route(monkeypatch):
    labels = np.random.default_rng(28).integers(0, 4, (2, 12, 11, 10), dtype=np.uint8)
    labels.flags.writeable = False

    def scored():
        pairs = LabelPair(labels[0], labels[1], (1, 1, 1))
        return [surface_dice_of(pairs.label(label), 1.0, 0.0) for label in range(4)]

    by_numpy, compiled = both(monkeypatch, scored)
    assert by_numpy == compiled


@pytest.mark.parametrize("decimals", [1, 3, 15])
@pytest.mark.parametrize("largest", [1, 5000])
def test_replicates_of_auroc_are_the_same_on_both_routes(decimals, largest, monkeypatch):
    random = np.random.default_rng(29)
    labels = random.integers(0, 2, 300)
    scores = np.round(random.random((3, 300)) + 0.2 * labels, decimals)
    counts = largest * draw_counts(range(300), [0] * 300, resamples=130, digest="sha256:d")
    counts[0] *= labels  # without negatives there is no AUROC
    by_numpy, compiled = both(monkeypatch, lambda: auroc_replicates(labels, scores, counts))
    assert np.isnan(by_numpy[:, 0]).all()
    np.testing.assert_allclose(compiled, by_numpy, rtol=0, atol=1e-12)


def test_numpy_works_until_compiling_pays(monkeypatch):
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    monkeypatch.setattr(compiled, "_spent", compiled._Spent())
    assert compiled.kernels(9.0) is None
    assert compiled.kernels(2.0) is None
    assert compiled.kernels(0.0) is not None


def test_without_numba_numpy_does_all_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setenv(compiled.SWITCH, "1")
    assert compiled._loaded.__wrapped__() is None


@pytest.mark.parametrize(
    "text",
    [
        "raise AttributeError('np.long')",  # of a numba that does not know this numpy
        "raise SystemError('initialization of _internal failed')",
        "raise OSError('libllvmlite.so: cannot open shared object file')",
        "",  # another module of that name
        "types = None\ndef njit(*_, **__): pass",
    ],
)
def test_a_numba_that_does_not_work_is_none(text, monkeypatch, tmp_path):
    (tmp_path / "numba.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "numba"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv(compiled.SWITCH, "1")
    assert compiled._loaded.__wrapped__() is None


def test_scoring_a_case_imports_no_numba():
    code = (
        "import sys, numpy as np; from evaluator.metrics.surface import surface_dice;"
        "m = np.zeros((9, 9, 9), bool); m[3:5] = True;"
        "print(surface_dice(m, m, spacing_mm=(1, 1, 1), tolerance_mm=1), 'numba' in sys.modules)"
    )
    free = {name: value for name, value in os.environ.items() if name != compiled.SWITCH}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=free)
    assert done.stdout.split() == ["1.0", "False"]
