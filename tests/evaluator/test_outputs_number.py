from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.outputs import NotCanonical, NumberOutput, check_output, decode, encode
from evaluator.spec import Task, load_challenge

CHALLENGE = load_challenge(Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml")
PROBABILITY = CHALLENGE.tasks["task1"]
AGE = CHALLENGE.tasks["task3"]


def check(tmp_path: Path, content: bytes, task: Task = PROBABILITY):
    path = tmp_path / "case.txt"
    path.write_bytes(content)
    return check_output(task, path, {})


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"0.25", 0.25), (b"4.87e-01", 0.487), (b"1", 1.0), (b".5", 0.5), (b"1.", 1.0), (b"+0.5", 0.5), (b"-0", 0.0),
        (b"0.5\r\n", 0.5), (b"  \t 0.5 \n\n", 0.5), (b"5E-1\n", 0.5), (b"0", 0.0), (b"\n" * 60_000 + b"0.5", 0.5),
    ],
)  # fmt: skip
def test_these_texts_are_valid(tmp_path, content, value):
    result = check(tmp_path, content)
    assert (result.valid, result.value, result.check) == (True, value, None)


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        (b"\xef\xbb\xbf0.5", "encoding"), ("0.5".encode("utf-16"), "encoding"), (b"0.5\xff", "encoding"),
        (b"0.5\0", "encoding"), (b"\0\0\0\0", "encoding"),
        (b"", "one_value"), (b" \n", "one_value"), (b"0.5 0.5", "one_value"), (b"0.5\n0.6\n", "one_value"),
        (b"0,5", "decimal_float"), (b"50%", "decimal_float"), (b"tensor(0.5)", "decimal_float"),
        (b"[0.5]", "decimal_float"), (b"0x1", "decimal_float"), (b"1_0", "decimal_float"), (b".", "decimal_float"),
        (b"1e", "decimal_float"), (b"--1", "decimal_float"), ("٠.٥".encode(), "decimal_float"),
        (b"nan", "finite"), (b"NaN", "finite"), (b"-inf", "finite"), (b"Infinity", "finite"), (b"1e999", "finite"),
        (b"1" * 5000, "finite"), (b"1" * 60_000 + b"x", "decimal_float"),
        (b"1.0001", "range"), (b"-1e-6", "range"), (b"2", "range"),
        (b" " * 70_000 + b"0.5", "too_large"),
    ],
)  # fmt: skip
def test_these_texts_are_invalid(tmp_path, content, failed):
    result = check(tmp_path, content)
    assert (result.valid, result.check, result.value) == (False, failed, None)


CLIPPED = ("The value lies outside its range by no more than rounding; the nearest bound is taken.",)


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"1.0000001192092896", 1.0), (b"-1e-17", 0.0), (b"1.0000004", 1.0), (b"-4e-7", 0.0)],
)
def test_what_rounding_to_float32_puts_outside_the_range_is_the_bound_with_a_warning(
    tmp_path, content, value
):
    result = check(tmp_path, content)
    assert (result.valid, result.value, result.warnings) == (True, value, CLIPPED)
    with pytest.raises(NotCanonical):
        decode(PROBABILITY, content)
    assert decode(PROBABILITY, encode(PROBABILITY, result.value)) == value


@pytest.mark.parametrize(
    ("low", "high", "text", "valid"),
    [
        (20, 100, "100.00001", True),
        (20, 100, "100.0001", False),
        (0, None, "-1e-17", True),
        (0, None, "-1e-6", False),
        (0, 1e-6, "1.001e-6", False),
        (-1, 1, "-1.0000001", True),
    ],
)
def test_the_bound_of_rounding_goes_with_the_range(tmp_path, low, high, text, valid):
    task = PROBABILITY.model_copy(update={"output": NumberOutput(kind="number", minimum=low, maximum=high)})
    assert check(tmp_path, text.encode(), task).valid == valid


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found 0 blank characters"),
        (b"0.5 0.6", "found 2 values: '0.5 0.6'"),
        (b"1 2 3 4", "found 4 values: '1 2 3 …'"),
        ("0.5".encode("utf-16"), "it is UTF-16, as PowerShell writes it"),
        (b"\xff0", r"found the bytes b'\xff0'"),
    ],
)
def test_how_many_values_were_found_is_said_to_whoever_owns_the_file(tmp_path, content, found):
    assert check(tmp_path, content).detail == found


def test_a_task_without_a_range_takes_any_finite_number(tmp_path):
    assert check(tmp_path, b"-1e300", AGE).value == -1e300


def test_messages_do_not_repeat_what_the_container_wrote(tmp_path):
    result = check(tmp_path, b"secret")
    assert "secret" not in result.message
    assert "secret" in result.detail


@settings(max_examples=50, deadline=None)
@given(st.floats(min_value=0, max_value=1))
def test_numbers_survive_the_canonical_form(value):
    data = encode(PROBABILITY, value)
    assert decode(PROBABILITY, data) == value
    assert data.isascii()


@pytest.mark.parametrize("data", [b"", b"0.50", b" 0.5", b"0.5\n", b"nan", b"2.0", b"1", b"\xff", b"5e-1"])
def test_nothing_but_the_canonical_form_is_decoded(data):
    with pytest.raises(NotCanonical):
        decode(PROBABILITY, data)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=30))
def test_any_bytes_are_judged_without_an_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(content)
    result = check_output(PROBABILITY, path, {})
    assert result.valid == (result.value is not None) == (result.check is None)


def test_the_range_is_inclusive(tmp_path):
    task = PROBABILITY.model_copy(update={"output": NumberOutput(kind="number", minimum=10, maximum=20)})
    assert check(tmp_path, b"10", task).valid
    assert check(tmp_path, b"20.0", task).valid
    assert not check(tmp_path, b"9.9999", task).valid
