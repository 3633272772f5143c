"""Volumes as they are handed on: one way to read them, no names in them, and what nobody can answer is refused."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from evaluator.spec import Challenge
from server.datasets.headers import NotNifti, clean
from tests.server.phantoms import FOMO26, SIDE, mask, nifti, patched, phantom, refused, staged, write

Change = Callable[[bytes], bytes]
VOXELS = np.random.default_rng(4).integers(0, 900, (SIDE,) * 3).astype(np.int16)


def kept(path: Path) -> np.ndarray:
    """What nibabel, which reads as containers do, makes of a file."""
    return np.asanyarray(nibabel.load(path).dataobj)


def longer_quaternion(content: bytes, excess: float) -> bytes:
    """The qform alone says the place, by a quaternion whose three numbers have the square 1 + excess."""
    length = np.sqrt(1 + excess)
    changed = patched(patched(content, "hh", 252, 1, 0), "3f", 256, 0.6 * length, 0.0, 0.8 * length)
    return patched(changed, "3f", 268, -4, -4, -4)


MENDED: dict[str, Change] = {
    "a fourth dimension of 1": lambda one: patched(one, "8h", 40, 4, SIDE, SIDE, SIDE, 1, 1, 1, 1),
    "seven dimensions": lambda one: patched(one, "8h", 40, 7, SIDE, SIDE, SIDE, 1, 1, 1, 1),
    "bitpix 0": lambda one: patched(one, "h", 72, 0),
    "bitpix of another type": lambda one: patched(one, "h", 72, 8),
    "a quaternion rounded up": lambda one: longer_quaternion(one, 6e-7),
    "a quaternion rounded up further": lambda one: longer_quaternion(one, 8e-6),
    "a name": lambda one: patched(one, "80s", 148, b"Jane Doe"),
    "not packed": gzip.decompress,
    "packed in two members": lambda one: (
        gzip.compress(gzip.decompress(one)[:600]) + gzip.compress(gzip.decompress(one)[600:])
    ),
}


@pytest.mark.parametrize("name", ["t2w.nii.gz", "t2w.nii"])
@pytest.mark.parametrize("case", MENDED)
def test_what_readers_could_take_in_two_ways_is_settled(tmp_path: Path, case: str, name: str) -> None:
    source = tmp_path / "source.nii.gz"
    write(source, MENDED[case](nifti(VOXELS)))
    volume = clean(source, name)
    target = tmp_path / name
    write(target, volume.data)
    assert (volume.data[:2] == b"\x1f\x8b") == name.endswith(".gz"), "bytes are what the name says"
    assert volume.geometry.shape == (SIDE,) * 3
    assert np.array_equal(kept(target), VOXELS)
    raw = gzip.decompress(volume.data) if name.endswith(".gz") else volume.data
    assert struct.unpack_from("<4h", raw, 40) == (3, SIDE, SIDE, SIDE)
    assert struct.unpack_from("<hh", raw, 70) == (4, 16)
    assert not any(raw[148:228])
    assert len(raw) == 352 + VOXELS.nbytes
    again = tmp_path / "again"
    write(again, volume.data)
    assert clean(again, name).data == volume.data, "a clean file stays as it is"


REFUSED: dict[str, tuple[Change, str]] = {
    "four dimensions": (
        lambda one: patched(one, "8h", 40, 4, SIDE, SIDE, SIDE // 2, 2, 1, 1, 1),
        "not three dimensions",
    ),
    "two dimensions": (lambda one: patched(one, "8h", 40, 2, SIDE, SIDE, 1, 1, 1, 1, 1), "not three dim"),
    "no dimension": (lambda one: patched(one, "8h", 40, 0, SIDE, SIDE, SIDE, 1, 1, 1, 1), "dimensions"),
    "a negative dimension": (lambda one: patched(one, "8h", 40, 3, SIDE, -1, SIDE, 1, 1, 1, 1), "dimension"),
    "a dimension of nothing": (lambda one: patched(one, "8h", 40, 3, SIDE, 0, SIDE, 1, 1, 1, 1), "dimension"),
    "more voxels than there are": (
        lambda one: patched(one, "8h", 40, 3, 32000, 32000, 32000, 1, 1, 1, 1),
        "more voxels than any image",
    ),
    "colours": (lambda one: patched(one, "h", 70, 128), "colours or complex"),
    "complex numbers": (lambda one: patched(one, "h", 70, 32), "colours or complex"),
    "an unknown type": (lambda one: patched(one, "h", 70, 99), "unknown data type"),
    "a pair": (lambda one: patched(one, "4s", 344, b"ni1\0"), ".hdr and .img"),
    "NIfTI-2": (
        lambda one: gzip.compress(nibabel.Nifti2Image(VOXELS, np.eye(4)).to_bytes()),
        "NIfTI-2",
    ),
    "a long quaternion": (lambda one: longer_quaternion(one, 0.5), "no place of its voxels"),
    "an affine that is not finite": (
        lambda one: patched(one, "f", 280, float("nan")),
        "no place of its voxels",
    ),
    "an affine of zeros": (lambda one: patched(one, "12f", 280, *[0.0] * 12), "no place of its voxels"),
    "voxels in the header": (lambda one: patched(one, "f", 108, 100.0), "position of the image data"),
    "no position": (lambda one: patched(one, "f", 108, float("nan")), "position of the image data"),
    "an intercept that is not finite": (
        lambda one: patched(one, "2f", 112, 1.0, float("inf")),
        "intercept",
    ),
    "cut off": (lambda one: gzip.compress(gzip.decompress(one)[:700]), "shorter than its header"),
    "gzip cut off": (lambda one: one[:-30], "cannot be decompressed"),
    "a wrong checksum": (lambda one: one[:-8] + b"\0\0\0\0" + one[-4:], "cannot be decompressed"),
    "nothing": (lambda one: b"", "is empty"),
    "gzip of nothing": (lambda one: gzip.compress(b""), "no single-file NIfTI-1"),
    "xz": (lambda one: b"\xfd7zXZ\0" + one, "an xz file"),
    "zip": (lambda one: b"PK\x03\x04" + one, "a zip file"),
    "a PNG picture": (lambda one: b"\x89PNG\r\n" + one, "a PNG picture"),
    "a pointer": (lambda one: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    "text": (lambda one: b"no nifti", "neither NIfTI nor gzip"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_nobody_can_answer_is_refused_with_its_reason(tmp_path: Path, case: str) -> None:
    change, says = REFUSED[case]
    source = tmp_path / "source.nii.gz"
    write(source, change(nifti(VOXELS)))
    with pytest.raises(NotNifti, match=says):
        clean(source, "t2w.nii.gz")


def test_one_scan_has_one_digest_however_it_is_stored(tmp_path: Path) -> None:
    real = nifti(VOXELS.astype(np.float32))
    swapped = bytearray(352)
    little = gzip.decompress(nifti(VOXELS))
    for kind, offset, count in (
        ("i", 0, 1),
        ("h", 40, 8),
        ("h", 70, 2),
        ("f", 76, 11),
        ("h", 252, 2),
        ("f", 280, 12),
    ):
        struct.pack_into(
            f">{count}{kind}", swapped, offset, *struct.unpack_from(f"<{count}{kind}", little, offset)
        )
    swapped[344:348] = b"n+1\0"
    halved = patched(nifti(VOXELS * 2), "2f", 112, 0.5, 0.0)
    contents = [nifti(VOXELS), real, bytes(swapped) + VOXELS.astype(">i2").tobytes(order="F"), halved]
    digests = set()
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}.nii"
        write(path, content)
        digests.add(clean(path, "x.nii").voxels)
    assert len(digests) == 1
    write(tmp_path / "other", nifti(VOXELS + 1))
    assert clean(tmp_path / "other", "x.nii").voxels not in digests


def test_a_challenge_that_names_plain_volumes_gets_them_from_either_kind(tmp_path: Path) -> None:
    content = FOMO26.model_dump(mode="json")
    content["tasks"]["task5"]["inputs"] = [{"key": "t1w", "flag": "--t1", "file": "t1w.nii"}]
    spec = Challenge.model_validate(content)
    made = phantom(tmp_path, "task5", spec=spec)
    for number in (1, 2):  # released gzipped
        (made.inputs(number) / "t1w.nii").rename(made.inputs(number) / "t1w.nii.gz")
    for number in (3, 4):
        write(
            made.inputs(number) / "t1w.nii", gzip.decompress((made.inputs(number) / "t1w.nii").read_bytes())
        )
    prepared = staged(made, tmp_path / "data", spec=spec)
    for case in prepared.cases:
        path = prepared.trees.inputs.parents[3] / case.files["t1w"]["path"]
        assert path.name == "t1w.nii"
        assert path.read_bytes()[344:348] == b"n+1\0"


def test_bytes_behind_the_voxels_are_named_and_left_out(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task5")
    write(made.scan(), gzip.compress(gzip.decompress(made.scan().read_bytes()) + b"something"))
    (warning,) = staged(made, tmp_path / "data").warnings
    assert "has 9 bytes behind its voxels" in warning


REFERENCES: dict[str, tuple[Change, str]] = {
    "mirrored": (lambda one: patched(one, "f", 280, -1.0), "mirrored or swapped"),
    "a label of no task": (lambda one: nifti(mask((0, 4), 1)), "labels other than those of the task"),
    "fractions": (
        lambda one: nifti((mask((0, 1), 1) * 0.9882).astype(np.float32)),
        "values that are not integers",
    ),
    "voxels without a size": (lambda one: patched(one, "f", 80, 0.0), "not positive"),
    "micrometres": (
        lambda one: patched(patched(one, "B", 123, 3), "3f", 80, 1000, 1000, 1000),
        "micrometres",
    ),
    "two sizes": (lambda one: patched(one, "3f", 80, 2, 2, 2), "two voxel sizes"),
    "another shape": (lambda one: nifti(np.ones((4, 4, 4), np.int16)), "shape (4, 4, 4)"),
}


@pytest.mark.parametrize("case", REFERENCES)
def test_references_that_no_output_can_be_compared_with_are_refused_by_file(
    tmp_path: Path, case: str
) -> None:
    change, says = REFERENCES[case]
    made = phantom(tmp_path, "task2")
    label = made.labels(2) / "seg.nii.gz"
    write(label, change(label.read_bytes()))
    problems = refused(made, tmp_path / "data")
    assert any(str(label) in one and says in one for one in problems), problems


def test_float_labels_under_an_integer_header_are_warned_of(tmp_path: Path) -> None:
    made = phantom(tmp_path, "task2")
    label = made.labels(2) / "seg.nii.gz"
    scaled = mask((0, 1), 2) * np.int16(16384)
    write(label, patched(nifti(scaled), "2f", 112, 1.0000153 / 16384, 0.0))
    (warning,) = staged(made, tmp_path / "data").warnings
    assert str(label) in warning
    assert "not exactly whole numbers" in warning
