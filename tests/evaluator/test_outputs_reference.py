import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from evaluator.outputs import LabelMapError, SegmentationOutput, read_label_map

SHAPE = (7, 6, 5)
OUTPUT = SegmentationOutput(kind="segmentation", labels=(0, 1, 2))
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
        found = read_label_map(OUTPUT, path)
        return found.labels, found.header.spacing, found.warnings

    return read_content


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_labels_of_every_type_order_and_version_are_read_as_nibabel_reads_them(read, kind, dtype, order):
    content = nifti(LABELS.astype(dtype), order, kind)
    labels, spacing, warnings = read(gzip.compress(content))
    np.testing.assert_array_equal(labels, np.asanyarray(kind.from_bytes(content).dataobj))
    assert labels.dtype.kind in "iu"
    assert labels.dtype.isnative
    assert spacing == (0.5, 1.0, 6.0)
    assert warnings == ()


def test_labels_are_whole_after_scaling(read):
    stored = LABELS.astype(np.int16) * 4 - 8
    labels = read(gzip.compress(nifti(stored, scl_slope=0.25, scl_inter=2)))[0]
    np.testing.assert_array_equal(labels, LABELS)
    with pytest.raises(LabelMapError, match="not integers"):
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
        (b"no image", "cannot be used: .*not a gzip file"),
        (GOOD, "not a sound gzip file"),
        (bytes(WRONG_CRC), "not a sound gzip file"),
        (gzip.compress(GOOD)[:-1], "not a sound gzip file"),
        (gzip.compress(GOOD[:-1]), "fewer voxels"),
        (gzip.compress(nifti(LABELS[0])), "exactly three dimensions .found 2"),
        (gzip.compress(nifti(LABELS.astype(np.complex64))), "complex numbers"),
        (gzip.compress(nifti(LABELS * np.float32(np.nan))), "not finite"),
        (gzip.compress(nifti(LABELS * 1e30)), "labels other than those"),
        (gzip.compress(nifti(LABELS, pixdim=[1, 1, 0, 1])), "not positive"),
        (gzip.compress(nifti(LABELS, pixdim=[1, 1, np.nan, 1])), "not positive"),
        (gzip.compress(nifti(LABELS, dim=[3, 30000, 30000, 30000])), "more voxels"),
    ],
)
def test_what_is_no_sound_label_map_is_refused(read, packed, message):
    with pytest.raises(LabelMapError, match=message):
        read(packed)


@pytest.mark.parametrize(
    ("packed", "doubt"),
    [
        (gzip.compress(GOOD + b"\0"), "bytes after its voxels"),
        (gzip.compress(GOOD) + gzip.compress(b"\0"), "bytes after its voxels"),
        (gzip.compress(GOOD) + b"junk", "bytes after its gzip data"),
        (gzip.compress(nifti(LABELS + np.float32(1e-5))), "not exactly whole numbers"),
    ],
)
def test_what_is_harmless_in_an_output_is_a_doubt_in_a_reference(read, packed, doubt):
    labels, _, warnings = read(packed)
    np.testing.assert_array_equal(labels, LABELS)
    assert len(warnings) == 1
    assert doubt in warnings[0]


def with_sform(spacing) -> bytes:
    content = nifti(LABELS, sform_code=1)
    image = nib.Nifti1Image.from_bytes(content)
    offset = image.header.template_dtype.fields["srow_x"][1]
    rows = np.diag([*spacing, 1])[:3].astype("<f4").tobytes()
    return content[:offset] + rows + content[offset + len(rows) :]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_sform((1, 1, 6)), "two voxel sizes, 0.5 × 1 × 6 mm in pixdim and 1 × 1 × 6 mm in its affine"),
        (nifti(LABELS, pixdim=[1, 2, 2, 2]), "two voxel sizes"),
        (nifti(LABELS, xyzt_units=3), "micrometres .xyzt_units.; write it in millimetres"),
        (nifti(LABELS, xyzt_units=1 + 8), "in metres"),
        (nifti(LABELS, pixdim=[1, -0.5, 1, 6]), "not positive"),
    ],
)
def test_a_voxel_size_that_can_be_read_in_two_ways_is_refused(read, content, message):
    with pytest.raises(LabelMapError, match=message) as caught:
        read(gzip.compress(content))
    assert caught.value.code == "reference_spacing"


def test_voxel_sizes_that_differ_by_rounding_are_one(read):
    assert read(gzip.compress(with_sform((0.5002, 1, 5.998))))[1] == (0.5, 1, 6)


def test_labels_that_are_none_of_the_task_are_refused_with_their_number_and_place(read):
    wrong = LABELS.copy()
    wrong[2, 3, 4], wrong[6, 5, 4] = 7, 4
    with pytest.raises(LabelMapError, match=r"found 7, 2 voxels in all, the first at \(2, 3, 4\)") as caught:
        read(gzip.compress(nifti(wrong)))
    assert caught.value.code == "reference_labels"


def test_a_header_is_judged_before_anything_behind_it_is_unpacked(read):
    bomb = gzip.compress(nifti(LABELS, dim=[3, 30000, 30000, 30000])[:352] + bytes(30_000_000), 1)
    tracemalloc.start()
    with pytest.raises(LabelMapError, match="more voxels"):
        read(bomb)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
