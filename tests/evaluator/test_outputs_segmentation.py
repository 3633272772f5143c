import gzip
import io
import struct
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluator.outputs import InputUnreadable, LabelMap, NotCanonical, check_output, decode, encode
from evaluator.spec import load_challenge

TASKS = load_challenge(Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml").tasks
TWO, THREE = TASKS["task2"], TASKS["task4"]
SHAPE = (7, 6, 5)
AFFINE = np.array([[0.9, 0.1, 0, -10], [-0.1, 1.1, 0, 20], [0, 0, 3, 5], [0, 0, 0, 1.0]])
MASK = (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 3 == 0).astype(np.uint8)


def nifti(data, affine=AFFINE, kind=nib.Nifti1Image, **fields) -> bytes:
    """The uncompressed file; `fields` overwrite header fields after nibabel has written them."""
    image = kind(data, affine, dtype=data.dtype)
    content = bytearray(image.to_bytes())
    for name, value in fields.items():
        offset = image.header.template_dtype.fields[name][1]
        raw = np.asarray(value, image.header.template_dtype.fields[name][0].base).tobytes()
        content[offset : offset + len(raw)] = raw
    return bytes(content)


@pytest.fixture
def check(tmp_path):
    def check_content(content: bytes, task=TWO, packed=False, inputs=None):
        path = tmp_path / "secret-case.nii.gz"
        path.write_bytes(content if packed else gzip.compress(content))
        return check_output(task, path, inputs or {"flair": tmp_path / "flair.nii.gz"})

    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE), tmp_path / "flair.nii.gz")
    return check_content


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_number_type_order_and_version_is_read(check, kind, dtype, order):
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    image = kind(MASK.astype(np.dtype(dtype).newbyteorder(order)), AFFINE, header)
    assert image.header.endianness == order
    result = check(image.to_bytes())
    assert (result.valid, result.warnings) == (True, ())
    assert result.value.array.dtype == np.uint8
    np.testing.assert_array_equal(result.value, MASK)
    np.testing.assert_allclose(result.value.affine, AFFINE, rtol=1e-6)


def test_labels_are_judged_after_scaling(check):
    stored = MASK.astype(np.int16) * 4 - 8
    assert check(nifti(stored, scl_slope=0.25, scl_inter=2)).valid
    assert check(nifti(stored, scl_slope=0.125, scl_inter=1)).check == "integer_values"
    assert check(nifti(MASK, scl_slope=2)).check == "labels"
    assert check(nifti(MASK, scl_slope=1, scl_inter=1)).check == "labels"


@pytest.mark.parametrize("slope", [0, np.nan, np.inf, -np.inf])
def test_a_slope_that_means_no_scaling_is_none(check, slope):
    np.testing.assert_array_equal(check(nifti(MASK, scl_slope=slope, scl_inter=7)).value, MASK)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32])
def test_masks_that_nibabel_scaled_itself_are_valid(check, dtype):
    image = nib.Nifti1Image(MASK * 2.0, AFFINE)
    image.set_data_dtype(dtype)
    buffer = io.BytesIO()
    image.to_file_map({"image": nib.FileHolder(fileobj=buffer), "header": nib.FileHolder(fileobj=buffer)})
    result = check(buffer.getvalue(), THREE)
    assert result.valid
    np.testing.assert_array_equal(result.value, MASK * 2)


ROUNDED = ("Some voxels are not exactly whole numbers; the nearest labels are taken.",)


@pytest.mark.parametrize("apart", [1e-7, -1e-7, 9e-5, -9e-5])
def test_voxels_that_are_whole_but_for_rounding_are_labels_with_a_warning(check, apart):
    result = check(nifti(MASK + apart))
    assert (result.valid, result.warnings) == (True, ROUNDED)
    np.testing.assert_array_equal(result.value, MASK)


def scaled_by_nibabel(values, dtype) -> bytes:
    """What nibabel makes of floats under a header of integers: a scale over the whole range of the type."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    buffer = io.BytesIO()
    holder = nib.FileHolder(fileobj=buffer)
    nib.Nifti1Image(values, AFFINE, header).to_file_map({"image": holder, "header": holder})
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.int16, np.uint8])
def test_float_labels_under_an_integer_header_are_labels_with_a_warning(check, dtype):
    labels = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 3
    content = scaled_by_nibabel(labels.astype(np.float64), dtype)
    found = np.asanyarray(nib.Nifti1Image.from_bytes(content).dataobj)
    assert (found != labels).any(), "the scale does not hit the labels"
    result = check(content, THREE)
    assert (result.valid, result.warnings) == (True, ROUNDED)
    np.testing.assert_array_equal(result.value, labels)
    assert check(encode(THREE, result.value), THREE, packed=True).warnings == ()


@pytest.mark.parametrize("dtype", [np.int16, np.uint8])
def test_probabilities_under_an_integer_header_are_no_labels(check, dtype):
    shares = np.linspace(0, 1, np.prod(SHAPE)).reshape(SHAPE)
    assert check(scaled_by_nibabel(shares, dtype)).check == "integer_values"


def test_a_coarse_scale_does_not_make_labels_of_fractions(check):
    assert check(nifti(MASK, scl_slope=0.98)).check == "integer_values"
    assert check(nifti(MASK, scl_slope=0.9882)).check == "integer_values"
    assert check(nifti(MASK, scl_slope=0.991)).valid


@pytest.mark.parametrize(("excess", "valid"), [(6e-7, True), (9e-6, True), (2e-5, False)])
def test_a_quaternion_that_is_longer_than_one_by_rounding_is_of_length_one(check, excess, valid):
    b = np.sqrt(0.5 + excess)
    result = check(nifti(MASK, sform_code=0, qform_code=1, quatern_b=b, quatern_c=np.sqrt(0.5), quatern_d=0))
    assert (result.valid, result.check) == (valid, None if valid else "affine")
    if valid:
        steps = np.linalg.norm(result.value.affine[:3, :3], axis=0)
        np.testing.assert_allclose(steps, np.linalg.norm(AFFINE[:3, :3], axis=0), rtol=1e-6)


def mirrored(affine, axis, length):
    flip = np.eye(4)
    flip[axis, axis], flip[axis, 3] = -1, length - 1
    return affine @ flip


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_affine_is_warned_of_for_voxels_are_compared_as_stored(check, axis):
    content = nifti(np.flip(MASK, axis), mirrored(AFFINE, axis, SHAPE[axis]))
    result = check(content)
    assert result.valid
    (warning,) = result.warnings
    assert "mirrored or swapped" in warning
    assert "in the order in which they are stored" in warning


def test_a_map_of_background_alone_is_valid_with_a_warning(check):
    assert check(nifti(MASK * 0)).warnings == ("Every voxel is background.",)


def test_what_was_found_is_said_to_whoever_owns_the_file(check):
    wrong = MASK.astype(np.int16)
    wrong[1, 2, 3], wrong[6, 5, 4] = 9, 7
    result = check(nifti(wrong))
    assert result.detail == "found 9, 2 voxels in all, the first at (1, 2, 3)"
    assert "9" not in result.message
    holes = MASK.astype(np.float32)
    holes[0, 0, 1] = np.nan
    assert check(nifti(holes)).detail == "found nan, 1 voxel in all, the first at (0, 0, 1)"


@pytest.mark.parametrize(
    ("content", "packed", "said"),
    [
        (nib.MGHImage(MASK.astype(np.int32), AFFINE).to_bytes(), False, "FreeSurfer image (.mgz)"),
        (nib.MGHImage(MASK.astype(np.int32), AFFINE).to_bytes(), True, "FreeSurfer image (.mgh)"),
        (nifti(MASK), True, "a NIfTI image that is not packed"),
        (gzip.compress(nifti(MASK)), False, "gzip data inside gzip data"),
        (b"NRRD0004\n" + bytes(500), False, "NRRD"),
        (b"NRRD0004\n" + bytes(500), True, "NRRD"),
        (b"PK\3\4" + bytes(500), True, "zip archive"),
    ],
)
def test_files_of_another_kind_are_named(check, content, packed, said):
    assert said in check(content, packed=packed).detail


def test_an_affine_that_differs_is_a_warning(check):
    moved = AFFINE.copy()
    moved[0, 3] += 0.5
    result = check(nifti(MASK, moved))
    assert result.valid
    assert result.warnings == ("The affine differs from that of the inputs.",)
    np.testing.assert_allclose(result.value.affine, moved, rtol=1e-6)


def test_the_affine_is_the_one_nibabel_reads(check):
    image = nib.Nifti1Image(MASK, None)
    image.set_qform(AFFINE @ np.diag([1, 1, -1, 1]), code=1)
    image.set_sform(None, code=0)
    result = check(image.to_bytes())
    np.testing.assert_allclose(
        result.value.affine, nib.Nifti1Image.from_bytes(image.to_bytes()).affine, atol=1e-5
    )
    plain = nifti(MASK, None, qform_code=0, sform_code=0)
    np.testing.assert_allclose(check(plain).value.affine, nib.Nifti1Image.from_bytes(plain).affine)


@pytest.mark.parametrize(
    "fields",
    [
        {"sform_code": 99, "qform_code": 1},
        {"sform_code": 0, "qform_code": 99},
        {"sform_code": 0, "qform_code": 1, "pixdim": [0, 2, 3, 0]},
        {"sform_code": 0, "qform_code": 1, "pixdim": [-1, 2, -3, 4], "quatern_b": 0.5, "quatern_d": -0.5},
        {"sform_code": 0, "qform_code": 0, "pixdim": [1, 2, -3, 0]},
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_doubtful_orientations_are_read_as_nibabel_mends_them(check, caplog, fields):
    content = nifti(MASK, **fields)
    with caplog.at_level("CRITICAL"):
        expected = nib.Nifti1Image.from_bytes(content).affine
    np.testing.assert_allclose(check(content).value.affine, expected, atol=1e-5)


def test_several_gzip_members_are_one_file(check):
    content = nifti(MASK)
    assert check(
        b"".join(gzip.compress(content[i : i + 50]) for i in range(0, len(content), 50)), packed=True
    ).valid


def test_bytes_after_the_image_or_the_gzip_data_are_warnings(check):
    assert len(check(nifti(MASK) + b"more").warnings) == 1
    assert len(check(gzip.compress(nifti(MASK)) + b"\0\0\0", packed=True).warnings) == 1


def test_extensions_are_passed_over(check):
    image = nib.Nifti1Image(MASK, AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 5000))
    np.testing.assert_array_equal(check(image.to_bytes()).value, MASK)


GOOD = nifti(MASK)
NAN_AND_HALF = MASK.astype(np.float32)
NAN_AND_HALF[0, 0, :2] = np.nan, 0.5
INFINITE = MASK.astype(np.float64)
INFINITE[-1, -1, -1] = np.inf
FLIPPED = bytearray(gzip.compress(GOOD))
FLIPPED[-6] ^= 1


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        (GOOD, "gzip"),
        (b"", "gzip"),
        (b"not an image", "gzip"),
        (bytes(FLIPPED), "gzip"),
        (gzip.compress(GOOD)[:-1], "gzip"),
        (gzip.compress(GOOD)[:80], "gzip"),
        (gzip.compress(b""), "header"),
        (gzip.compress(bytes(1000)), "header"),
        (gzip.compress(GOOD[:300]), "header"),
        (gzip.compress(gzip.compress(GOOD)), "header"),
        (gzip.compress(GOOD[:-1]), "header"),
        (gzip.compress(GOOD + bytes(3 << 20)), "too_large"),
    ],
)
def test_these_files_are_invalid(check, content, failed):
    assert check(content, packed=True).check == failed


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        (nifti(MASK, magic=b"ni1"), "header"),
        (nifti(MASK, magic=b"xyz"), "header"),
        (nifti(MASK, vox_offset=0), "header"),
        (nifti(MASK, vox_offset=np.nan), "header"),
        (nifti(MASK, vox_offset=1e20), "header"),
        (nifti(MASK, datatype=999), "header"),
        (nifti(MASK, datatype=1), "header"),
        (nifti(MASK, dim=[9, *SHAPE, 1, 1, 1, 1]), "header"),
        (nifti(MASK, dim=[3, 7, -6, 5, 1, 1, 1, 1]), "header"),
        (nifti(MASK, dim=[3, 7, 0, 5, 1, 1, 1, 1]), "header"),
        (nifti(MASK, scl_slope=1, scl_inter=np.nan), "header"),
        (nifti(MASK, srow_y=[np.nan] * 4), "affine"),
        (nifti(MASK, srow_z=[1, np.inf, 0, 0]), "affine"),
        (nifti(MASK, srow_x=[0] * 4, srow_y=[0] * 4, srow_z=[0] * 4), "affine"),
        (nifti(MASK, kind=nib.Nifti2Image, srow_x=[1e300, 0, 0, 0]), "affine"),
        (nifti(MASK, sform_code=0, qform_code=1, quatern_b=3), "affine"),
        (nifti(MASK[..., None]), "dimensions"),
        (nifti(np.stack([MASK, MASK], 3)), "dimensions"),
        (nifti(MASK[0]), "dimensions"),
        (nifti(MASK.astype(np.complex64)), "integer_values"),
        (nifti(np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])), "integer_values"),
        (nifti(MASK * 0.5), "integer_values"),
        (nifti(MASK + 2e-4), "integer_values"),
        (nifti(NAN_AND_HALF), "integer_values"),
        (nifti(MASK * np.nan), "finite"),
        (nifti(INFINITE), "finite"),
        (nifti(MASK.astype(np.float32) * 3e38, scl_slope=3e38), "labels"),
        (nifti(MASK.astype(np.float64) * 1e300, scl_slope=3e38), "finite"),
        (nifti(MASK.transpose()), "shape"),
        (nifti(MASK[:-1]), "shape"),
        (nifti(MASK * 2), "labels"),
        (nifti(-MASK.astype(np.int16)), "labels"),
        (nifti(MASK.astype(np.uint64) * (2**64 - 1)), "labels"),
        (nifti(MASK * 256.0), "labels"),
    ],
)
def test_these_images_are_invalid(check, content, failed):
    result = check(content)
    assert (result.valid, result.check, result.value) == (False, failed, None)
    assert "secret-case" not in result.message + result.detail


def test_a_wrong_voxel_anywhere_is_found(check, tmp_path):
    shape = (80, 70, 60)
    big = np.zeros(shape, np.float32)
    inputs = {"t2w": tmp_path / "big.nii.gz"}
    nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), AFFINE), inputs["t2w"])
    assert check(nifti(big), THREE, inputs=inputs).valid
    for value, failed in ((3, "labels"), (0.5, "integer_values"), (np.nan, "finite")):
        big[-1, -1, -1] = value
        assert check(nifti(big), THREE, inputs=inputs).check == failed


def test_a_bomb_is_refused_by_its_header_before_it_is_unpacked(check):
    header = nifti(MASK, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])[:352]
    lying, honest = (gzip.compress(start + bytes(30_000_000), 1) for start in (header, GOOD[:352]))
    tracemalloc.start()
    assert check(lying, packed=True).check == "shape"
    assert check(honest, packed=True).check == "too_large"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_file_far_larger_than_its_shape_is_refused_unread(check, tmp_path):
    with (tmp_path / "sparse.nii.gz").open("wb") as file:
        file.truncate(1 << 40)
    result = check_output(TWO, tmp_path / "sparse.nii.gz", {"flair": tmp_path / "flair.nii.gz"})
    assert result.check == "too_large"


def test_a_doubled_suffix_is_named_without_the_case(tmp_path, check):
    (tmp_path / "other-case.nii.gz.nii.gz").write_bytes(gzip.compress(GOOD))
    result = check_output(TWO, tmp_path / "other-case.nii.gz", {"flair": tmp_path / "flair.nii.gz"})
    assert result.check == "missing"
    assert "found a file ending in .nii.gz.nii.gz" in result.message
    assert "other-case" not in result.message


def test_the_shape_of_any_input_will_do_and_plain_inputs_are_read(check, tmp_path):
    nib.save(nib.Nifti2Image(np.zeros((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "dwi.nii")
    inputs = {"dwi": tmp_path / "dwi.nii", "flair": tmp_path / "flair.nii.gz"}
    assert check(GOOD, inputs=inputs).valid


def test_an_input_that_cannot_be_read_is_not_the_participants_fault(check, tmp_path):
    (tmp_path / "dwi.nii.gz").write_bytes(b"broken")
    for inputs in ({"dwi": tmp_path / "dwi.nii.gz"}, {"dwi": tmp_path / "absent.nii.gz"}):
        with pytest.raises(InputUnreadable):
            check(GOOD, inputs=inputs)
    with pytest.raises(InputUnreadable):
        check_output(TWO, tmp_path / "flair.nii.gz", {})


def with_labels(*labels: int):
    return TWO.model_copy(update={"output": TWO.output.model_copy(update={"labels": labels})})


@pytest.mark.parametrize(
    ("labels", "dtype"), [((0, 1), np.uint8), ((0, 5, 300), np.uint16), ((0, 70_000), np.uint32)]
)
def test_the_canonical_form_survives_and_nibabel_reads_it(check, labels, dtype):
    task = with_labels(*labels)
    array = np.array(labels)[MASK.astype(int)].astype(np.int64)
    value = check(nifti(array), task).value
    data = encode(task, value)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(data))
    assert image.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), array)
    np.testing.assert_allclose(image.affine, AFFINE, rtol=1e-6)
    back = decode(task, data)
    np.testing.assert_array_equal(back.array, array)
    assert back.array.dtype == dtype
    assert encode(task, back) == data


def test_gaps_between_labels_are_not_labels(check):
    assert check(nifti(MASK.astype(np.int16) * 4), with_labels(0, 5, 300)).check == "labels"
    assert check(nifti(MASK.astype(np.float32) * 4), with_labels(0, 5, 300)).check == "labels"


def test_the_canonical_form_has_no_name_and_no_time(check):
    data = encode(TWO, check(GOOD).value)
    assert data[:4] == b"\x1f\x8b\x08\x00"
    assert struct.unpack("<I", data[4:8]) == (0,)
    assert check(data, packed=True).valid


SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=50, deadline=None)
@given(arrays(np.uint8, SHAPES, elements=st.integers(0, 2)), arrays(np.float64, (3, 4), elements=FLOAT32))
def test_label_maps_of_any_shape_survive(array, rows):
    affine = np.vstack([rows, [0, 0, 0, 1]])
    back = decode(THREE, encode(THREE, LabelMap(array, affine)))
    np.testing.assert_array_equal(back.array, array)
    np.testing.assert_array_equal(back.affine, affine)


def test_nothing_but_the_canonical_form_is_decoded(check):
    canonical = encode(THREE, check(GOOD, THREE).value)
    plain = gzip.decompress(canonical)
    others = [
        b"", canonical[:-1], canonical + b"\0", plain, gzip.compress(GOOD), gzip.compress(plain[:-1]),
        gzip.compress(plain + b"\0"), gzip.compress(plain[:-1] + b"\3"),
        gzip.compress(plain[:148] + b"!" + plain[149:]),
        gzip.compress(nifti(MASK, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])),
    ]  # fmt: skip
    for data in others:
        with pytest.raises(NotCanonical):
            decode(THREE, data)
    with pytest.raises(NotCanonical):
        decode(with_labels(0, 300), canonical)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 360))
def test_any_bytes_in_a_header_are_judged_without_an_error(tmp_path_factory, noise, start):
    folder = tmp_path_factory.getbasetemp()
    if not (folder / "input.nii.gz").exists():
        nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE), folder / "input.nii.gz")
    (folder / "any.nii.gz").write_bytes(gzip.compress(GOOD[:start] + noise + GOOD[start + len(noise) :], 1))
    result = check_output(TWO, folder / "any.nii.gz", {"flair": folder / "input.nii.gz"})
    assert result.valid == (result.check is None)
