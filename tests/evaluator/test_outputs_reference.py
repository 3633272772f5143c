import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from evaluator.outputs import LabelMapError, read_label_map

SHAPE = (7, 6, 5)
LABELS = (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 3).astype(np.uint8)


def nifti(data, order="<", kind=nib.Nifti1Image, **fields) -> bytes:
    """The uncompressed file; `fields` overwrite header fields after nibabel has written them."""
    header = kind.header_class(endianness=order)
    header.set_data_dtype(data.dtype.newbyteorder(order))
    image = kind(data, np.diag([0.5, 1, 6, 1]), header)
    content = bytearray(image.to_bytes())
    for name, value in fields.items():
        dtype, offset = image.header.template_dtype.fields[name][:2]
        raw = np.asarray(value, dtype.base.newbyteorder(order)).tobytes()
        content[offset : offset + len(raw)] = raw
    return bytes(content)


@pytest.fixture
def read(tmp_path):
    def read_content(packed: bytes):
        path = tmp_path / "reference.nii.gz"
        path.write_bytes(packed)
        return read_label_map(path)

    return read_content


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_labels_of_every_type_order_and_version_are_read_as_nibabel_reads_them(read, kind, dtype, order):
    content = nifti(LABELS.astype(dtype), order, kind)
    labels, spacing = read(gzip.compress(content))
    np.testing.assert_array_equal(labels, np.asanyarray(kind.from_bytes(content).dataobj))
    assert labels.dtype.kind in "iu"
    assert labels.dtype.isnative
    assert spacing == (0.5, 1.0, 6.0)


def test_labels_are_whole_after_scaling(read):
    stored = LABELS.astype(np.int16) * 4 - 8
    labels, _ = read(gzip.compress(nifti(stored, scl_slope=0.25, scl_inter=2)))
    np.testing.assert_array_equal(labels, LABELS)
    with pytest.raises(LabelMapError, match="whole numbers"):
        read(gzip.compress(nifti(stored, scl_slope=0.125, scl_inter=1)))


def test_several_gzip_members_are_one_file(read):
    content = nifti(LABELS)
    parts = [gzip.compress(content[start : start + 50]) for start in range(0, len(content), 50)]
    np.testing.assert_array_equal(read(b"".join(parts))[0], LABELS)


GOOD = nifti(LABELS)
WRONG_CRC = bytearray(gzip.compress(GOOD))
WRONG_CRC[-6] ^= 1


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (b"no image", "cannot be read: not a gzip file"),
        (GOOD, "cannot be read"),
        (bytes(WRONG_CRC), "cannot be read"),
        (gzip.compress(GOOD)[:-1], "cannot be read"),
        (gzip.compress(GOOD[:-1]), "fewer voxels"),
        (gzip.compress(GOOD + b"\0"), "bytes after its voxels"),
        (gzip.compress(GOOD) + gzip.compress(b"\0"), "bytes after its voxels"),
        (gzip.compress(GOOD) + b"junk", "bytes after its voxels"),
        (gzip.compress(nifti(LABELS[0])), "2-D, not 3-D"),
        (gzip.compress(nifti(LABELS.astype(np.complex64))), "complex"),
        (gzip.compress(nifti(LABELS * np.float32(np.nan))), "whole numbers"),
        (gzip.compress(nifti(LABELS * 1e30)), "whole numbers"),
        (gzip.compress(nifti(LABELS, pixdim=[1, 1, 0, 1])), "not positive"),
        (gzip.compress(nifti(LABELS, pixdim=[1, 1, np.nan, 1])), "not positive"),
        (gzip.compress(nifti(LABELS, dim=[3, 30000, 30000, 30000])), "more voxels"),
    ],
)
def test_what_is_no_sound_label_map_is_refused(read, packed, message):
    with pytest.raises(LabelMapError, match=message):
        read(packed)


def test_a_header_is_judged_before_anything_behind_it_is_unpacked(read):
    bomb = gzip.compress(nifti(LABELS, dim=[3, 30000, 30000, 30000])[:352] + bytes(30_000_000), 1)
    tracemalloc.start()
    with pytest.raises(LabelMapError, match="more voxels"):
        read(bomb)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
