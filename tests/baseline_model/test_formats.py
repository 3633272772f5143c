"""Scans as scanners and tools write them: read for what they are, and answered on their own grid to the last bit."""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from baseline_model import call
from baseline_model.scans import CannotAnswer, CaseFault, read_scan
from evaluator.outputs import check_output
from evaluator.spec import load_challenge

TASK = load_challenge(Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml").tasks["task4"]
VOXELS = np.random.default_rng(0).integers(-300, 3000, (24, 20, 12)).astype(np.int16)
TURNED = np.array([[-0.9, 0.1, 0.3, 17.3], [0.2, 0.8, -0.5, -3.1], [0.1, 0.4, 5.7, 2.9], [0, 0, 0, 1]])
FLIPPED = np.array([[-0.5, 0, 0, 90.1], [0, 0, 1.25, -77], [0, -0.75, 0, 40.9], [0, 0, 0, 1]])
THICK = np.diag([0.5, 0.5, 6.0, 1.0])


def _scan(affine: NDArray[np.float64], kind: Any = nib.Nifti1Image, order: str = "<") -> Any:
    image: Any = kind(VOXELS, None, kind.header_class(endianness=order))
    image.header.set_sform(affine, code=1)
    return image


def _by_quaternion() -> Any:
    image: Any = nib.Nifti1Image(VOXELS, None)
    image.header.set_qform(FLIPPED, code=2)
    image.header.set_sform(None, code=0)
    return image


def _scaled() -> Any:
    image = _scan(TURNED)
    image.header.set_slope_inter(0.37, -12.5)
    return image


WRITTEN: Mapping[str, Callable[[], Any]] = {
    "oblique": lambda: _scan(TURNED),
    "flipped": lambda: _scan(FLIPPED),
    "thick slices": lambda: _scan(THICK),
    "by its quaternion": _by_quaternion,
    "16 bits, scaled": _scaled,
    "NIfTI-2": lambda: _scan(TURNED, nib.Nifti2Image),
    "big-endian": lambda: _scan(FLIPPED, order=">"),
    "NIfTI-2, big-endian": lambda: _scan(THICK, nib.Nifti2Image, ">"),
}


@pytest.mark.parametrize("what", WRITTEN)
def test_an_answer_lies_where_its_scan_does(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_TASK", "task4")
    path, output = tmp_path / "t2w.nii.gz", tmp_path / "answer.nii.gz"
    nib.save(WRITTEN[what](), path)

    assert call.main(["--t2", str(path), "--output", str(output)]) == 0

    scan, answer = nib.load(path), nib.load(output)
    assert isinstance(scan, nib.Nifti1Image)
    assert isinstance(answer, nib.Nifti1Image)
    assert np.array_equal(answer.affine, scan.affine)
    for form in ("qform", "sform"):
        theirs, ours = (getattr(one.header, f"get_{form}")(coded=True) for one in (scan, answer))
        assert theirs[1] == ours[1], form
        assert np.array_equal(theirs[0], ours[0]), form
    assert np.array_equal(answer.header.get_zooms(), scan.header.get_zooms())
    assert (type(answer), answer.shape) == (type(scan), scan.shape)
    assert answer.get_data_dtype() == np.uint8
    assert answer.header.get_slope_inter() == (None, None)
    checked = check_output(TASK, output, {"t2w": path})
    assert checked.valid, checked.message
    assert "affine" not in " ".join(checked.warnings)


@pytest.mark.parametrize("what", WRITTEN)
def test_values_are_those_that_nibabel_reads(what: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    nib.save(WRITTEN[what](), path)

    scan, _ = read_scan(path)

    theirs: Any = nib.load(path)
    assert np.allclose(scan.data, theirs.get_fdata(), rtol=1e-6, atol=1e-3)
    assert np.array_equal(scan.affine, theirs.affine)
    assert scan.data.dtype == np.float32


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "scan.nii.gz", tmp_path / "cut.nii.gz"
    nib.save(_scan(TURNED), whole)
    content = whole.read_bytes()
    faults = {}
    for kept in [*range(24), 200, 352, len(content) // 2, *range(len(content) - 12, len(content))]:
        cut.write_bytes(content[:kept])
        with pytest.raises(CannotAnswer) as refused:
            read_scan(cut)
        assert str(cut) in str(refused.value)
        faults[kept] = refused.value.fault
    assert {fault for kept, fault in faults.items() if kept < 2} == {CaseFault.FOREIGN}
    assert {fault for kept, fault in faults.items() if kept >= 2} == {CaseFault.DAMAGED}


def test_no_byte_of_a_header_ends_in_anything_but_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    nib.save(_scan(TURNED), path)
    content = path.read_bytes()
    chance = np.random.default_rng(26)
    offset = content[:108] + np.float32(np.inf).tobytes() + content[112:]
    far = content[:108] + np.float32(1e30).tobytes() + content[112:]
    damaged = []
    for _ in range(150):
        damaged.append(bytearray(content))
        for place in chance.integers(0, 352, 3):
            damaged[-1][place] = chance.integers(0, 256)
    refused = 0
    for one in (offset, far, *damaged):
        path.write_bytes(one)
        try:
            read_scan(path)
        except CannotAnswer:
            refused += 1
    assert 2 < refused < len(damaged)


def test_a_plain_file_cut_in_its_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    nib.save(_scan(TURNED), path)
    content = path.read_bytes()
    for kept in (3, 4, 100, 347, 351):
        path.write_bytes(content[:kept])
        with pytest.raises(CannotAnswer) as refused:
            read_scan(path)
        assert refused.value.fault is (CaseFault.FOREIGN if kept < 4 else CaseFault.DAMAGED)
    path.write_bytes(gzip.compress(content))
    assert read_scan(path)[0].data.shape == VOXELS.shape, "gzipped under a plain file's name"
