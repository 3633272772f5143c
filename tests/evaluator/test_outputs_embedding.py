import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluator.outputs import NotCanonical, check_output, decode, encode
from evaluator.spec import load_challenge

TASK = load_challenge(Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml").tasks["task6"]
MAX_WIDTH = 65536


def npy(array, **options) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), **options)
    return buffer.getvalue()


def with_header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    header = text.encode()
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + len(header).to_bytes(2 if version == 1 else 4, "little")
        + header
        + data
    )


def check(tmp_path: Path, content: bytes):
    path = tmp_path / "case.npy"
    path.write_bytes(content)
    return check_output(TASK, path, {})


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8", np.longdouble])
@pytest.mark.parametrize("shape", [(8,), (1, 8), (8, 1), (1, 1, 8)])
def test_vectors_of_floats_are_valid(tmp_path, dtype, shape):
    vector = np.arange(8, dtype=dtype)
    result = check(tmp_path, npy(vector.reshape(shape)))
    assert result.valid
    assert result.value.dtype == np.float32
    np.testing.assert_array_equal(result.value, np.arange(8, dtype=np.float32))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(tmp_path, version):
    assert check(tmp_path, npy(np.ones(3, np.float32), version=version)).valid


def test_lengths_as_python_2_wrote_them_are_read(tmp_path):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,), }\n"
    assert check(tmp_path, with_header(text, np.ones(3, "<f4").tobytes())).valid


def test_where_a_vector_is_not_finite_is_said_to_whoever_owns_the_file(tmp_path):
    result = check(tmp_path, npy(np.array([0, 1, np.nan, 1e300])))
    assert (result.check, result.detail) == ("finite", "found nan at position 2, 2 of 4 in all")


def test_bytes_after_the_array_are_a_warning(tmp_path):
    result = check(tmp_path, npy(np.ones(4)) + b"more")
    assert result.valid
    assert len(result.warnings) == 1


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        (b"", "npy"),
        (b"\x93NUMPY", "npy"),
        (pickle.dumps([1.0, 2.0]), "npy"),
        (npy(np.array([1.0, "x"], dtype=object)), "npy"),
        (b"PK\x03\x04 an npz archive", "npy"),
        (npy(np.ones(9))[:-1], "npy"),
        (npy(np.ones(9))[:50], "npy"),
        (with_header("{'descr': '<f4', 'fortran_order': False}"), "npy"),
        (with_header("__import__('os').system('true')"), "npy"),
        (with_header("(" * 3000), "npy"),
        (with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}"), "npy"),
        (with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}"), "npy"),
        (with_header("{[]: 1}"), "npy"),
        (with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': (0x{'f' * 4000},)}}"), "npy"),
        (
            with_header(f"{{'descr': 0x{'f' * 4000}, 'fortran_order': False, 'shape': (2,)}}"),
            "floating_dtype",
        ),
        (with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'1,' * 100}2)}}"), "npy"),
        (with_header("x" * 70_000, version=2), "npy"),
        (npy(np.arange(4)), "floating_dtype"),
        (npy(np.ones(4, bool)), "floating_dtype"),
        (npy(np.ones(4, complex)), "floating_dtype"),
        (npy(np.array(["0.5", "0.6"])), "floating_dtype"),
        (npy(np.zeros(4, [("a", "f4")])), "floating_dtype"),
        (npy(np.zeros(4, "M8[s]")), "floating_dtype"),
        (npy(np.float32(1)), "vector"),
        (npy(np.ones(1, np.float32)), "vector"),
        (npy(np.ones((1, 1), np.float32)), "vector"),
        (npy(np.ones(0, np.float32)), "vector"),
        (npy(np.ones((2, 3), np.float32)), "vector"),
        (with_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**15},)}}"), "too_large"),
        (npy(np.ones(MAX_WIDTH + 1, np.float16)), "too_large"),
        (bytes(4_000_000), "too_large"),
        (npy(np.array([1.0, np.nan])), "finite"),
        (npy(np.array([1.0, -np.inf], np.float16)), "finite"),
        (npy(np.array([1.0, 1e300])), "finite"),
    ],
)
def test_these_files_are_invalid(tmp_path, content, failed):
    result = check(tmp_path, content)
    assert (result.valid, result.check) == (False, failed)


@settings(max_examples=50, deadline=None)
@given(
    arrays(
        np.float32, st.integers(2, 50), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    )
)
def test_vectors_survive_the_canonical_form_which_numpy_reads(vector):
    data = encode(TASK, vector)
    np.testing.assert_array_equal(decode(TASK, data), vector)
    np.testing.assert_array_equal(np.load(io.BytesIO(data), allow_pickle=False), vector)


def test_nothing_but_the_canonical_form_is_decoded():
    good = encode(TASK, np.ones(5, np.float32))
    for data in (
        b"",
        good[:-1],
        good + b"\0",
        good[:20] + b" " + good[21:],
        npy(np.ones(5)),
        npy(np.ones(5, ">f4")),
    ):
        with pytest.raises(NotCanonical):
            decode(TASK, data)
    with pytest.raises(NotCanonical):
        decode(TASK, encode(TASK, np.array([1, np.nan], np.float32)))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_judged_without_an_error(tmp_path_factory, content, prefix):
    path = tmp_path_factory.getbasetemp() / "any.npy"
    path.write_bytes((b"\x93NUMPY\x01\x00" if prefix else b"") + content)
    assert not check_output(TASK, path, {}).valid
