"""Tables: one typed record per case, its one canonical form, and when two are one answer."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from evaluator.outputs import InvalidOutput, NotCanonical, TruthError, agree, check_output, decode, encode
from evaluator.outputs._json import parse_json
from evaluator.spec import Files, Task

INPUT = {"key": "t1", "flag": "--t1", "file": "t1.nii.gz"}
COLUMNS = [
    {"name": "risk"},
    {"name": "age", "unit": "years", "minimum": 0, "maximum": 120},
    {"name": "lesions", "type": "integer", "minimum": 0, "required": False},
    {"name": "grade", "type": "category", "values": ["low", "high"]},
    {"name": "recurs", "type": "boolean"},
]
KNOWN = [{"name": "months", "minimum": 0}, {"name": "died", "type": "boolean"}]
WHOLE = {"risk": 0.5, "age": 63, "lesions": 2, "grade": "high", "recurs": False}


def task(columns: list[dict[str, Any]] = COLUMNS, known: list[dict[str, Any]] = KNOWN) -> Task:
    output = {"kind": "table", "columns": columns, "known": known}
    return Task.model_validate({"title": "t", "inputs": [INPUT], "output": output})


TASK = task()


def checked(content: object, folder: Path) -> Any:
    path = folder / "output.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return check_output(TASK, path, {})


def test_a_record_has_a_value_per_column_in_any_order(tmp_path: Path) -> None:
    found = checked(dict(reversed(WHOLE.items())), tmp_path)
    assert found.value == (0.5, 63, 2, 1, 0)


def test_what_is_not_required_may_be_left_out_or_null(tmp_path: Path) -> None:
    without = {key: value for key, value in WHOLE.items() if key != "lesions"}
    for content in (without, without | {"lesions": None}):
        found = checked(content, tmp_path)
        assert np.isnan(found.value[2])
        assert json.loads(encode(TASK, found.value)) == without


@pytest.mark.parametrize(
    ("content", "check", "words"),
    [
        (b"risk,age\n0.5,63\n", "json", "not valid JSON"),
        (b'{"risk": 0.5, "risk": 0.6}', "json", "stands twice"),
        (b"\xef\xbb\xbf{}", "encoding", "byte order mark"),
        (b"[" * 5000, "json", "nested too deeply"),
        ([WHOLE], "fields", "no object"),
        ({key: value for key, value in WHOLE.items() if key != "risk"}, "fields", "lacks the field risk"),
        (WHOLE | {"risk": None}, "fields", "lacks the field risk"),
        (WHOLE | {"months": 3}, "fields", "none of the task's"),
        (WHOLE | {"risk": "0.5"}, "decimal_float", "risk is no number"),
        (WHOLE | {"risk": [0.5]}, "decimal_float", "risk is no number"),
        (WHOLE | {"age": 121}, "range", "age must lie between 0 and 120"),
        (WHOLE | {"lesions": 2.5}, "integer_values", "lesions is no whole number"),
        (WHOLE | {"lesions": 2**60}, "range", "lesions must lie between 0 and"),
        (WHOLE | {"grade": "High"}, "labels", "grade holds none"),
        (WHOLE | {"grade": 1}, "labels", "grade holds none"),
        (WHOLE | {"recurs": 1}, "fields", "recurs is neither true nor false"),
    ],
)
def test_what_is_no_such_record_fails_its_check(
    content: object, check: str, words: str, tmp_path: Path
) -> None:
    found = checked(content, tmp_path)
    assert (found.valid, found.check) == (False, check)
    assert words in found.message


records = st.fixed_dictionaries(
    {
        "risk": st.floats(allow_nan=False, allow_infinity=False),
        "age": st.floats(0, 120),
        "lesions": st.integers(0, 2**53),
        "grade": st.sampled_from(["low", "high"]),
        "recurs": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None)
@given(records)
def test_the_canonical_form_is_read_back_as_the_same_record(record: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        value = checked(record, Path(folder)).value
    data = encode(TASK, value)
    assert decode(TASK, data) == value
    assert json.loads(data) == record
    with pytest.raises(NotCanonical):
        decode(TASK, data + b"\n")


def test_answers_agree_up_to_rounding_in_numbers_alone(tmp_path: Path) -> None:
    def encoded(**changes: Any) -> bytes:
        return encode(TASK, checked(WHOLE | changes, tmp_path).value)

    assert agree(TASK, encoded(), encoded(age=63.0001))
    assert not agree(TASK, encoded(), encoded(age=63.01))
    assert not agree(TASK, encoded(), encoded(grade="low"))
    assert not agree(TASK, encoded(), encoded(lesions=None))
    assert agree(TASK, encoded(lesions=None), encoded(lesions=None))


def test_a_large_number_in_one_column_excuses_no_other_one(tmp_path: Path) -> None:
    def encoded(**changes: Any) -> bytes:
        return encode(TASK, checked(WHOLE | {"lesions": 10**6} | changes, tmp_path).value)

    assert agree(TASK, encoded(), encoded(risk=0.500001, lesions=10**6 + 1))
    for changes in ({"risk": 0.9}, {"age": 64}, {"grade": "low"}, {"recurs": True}):
        assert not agree(TASK, encoded(), encoded(**changes)), changes


def test_lists_in_lists_get_a_verdict_at_any_depth(tmp_path: Path) -> None:
    """Also where reading them just does not run out of depth, and showing what was found would."""
    for depth in range(800, 1100):
        content = b'{"age": ' + b"[" * depth + b"]" * depth + b"}"
        assert checked(content, tmp_path).check in ("json", "fields", "decimal_float")
        content = content.replace(b"age", b"risk").replace(
            b"}", b', "age": 1, "grade": "low", "recurs": true}'
        )
        assert checked(content, tmp_path).check in ("json", "decimal_float")


def test_a_key_that_stands_twice_among_many_is_found_at_once() -> None:
    keys = [f"{number:x}" for number in range(200_000)]
    began = process_time()
    with pytest.raises(InvalidOutput, match="stands twice"):
        parse_json("{" + ",".join(f'"{key}":1' for key in (*keys, keys[-1])) + "}")
    assert process_time() - began < 20, "comparing each with each takes a quarter of an hour"


def labelled(content: object, folder: Path) -> Any:
    path = folder / "label.json"
    path.write_text(json.dumps(content))
    assert isinstance(TASK.kind.labels, Files)
    return TASK.kind.labels.read(TASK.output, path)


def test_a_label_may_know_more_and_less_than_an_output_says(tmp_path: Path) -> None:
    found = labelled({"age": 63, "months": 18, "died": True}, tmp_path)
    assert np.array_equal(found, (np.nan, 63, np.nan, np.nan, np.nan, 18, 1), equal_nan=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"months": -1}, "the field months must lie between 0 and inf (the label: found -1.0)"),
        ({"alive": True}, "none of the task's (the label: 'alive')"),
        ([], "no object"),
    ],
)
def test_a_label_that_is_none_says_which_field_and_why(content: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(TruthError) as error:
        labelled(content, tmp_path)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("columns", "known", "words"),
    [
        ([{"name": "a"}, {"name": "a"}], [], "two columns are called 'a'"),
        ([{"name": "a"}], [{"name": "a"}], "two columns are called 'a'"),
        ([{"name": "a", "type": "category"}], [], "two or more"),
        ([{"name": "a", "values": ["x", "y"]}], [], "a number has none"),
        ([{"name": "a", "type": "boolean", "minimum": 0}], [], "minimum and maximum are of numbers"),
        ([{"name": "a", "minimum": 2, "maximum": 1}], [], "above maximum"),
        ([{"name": "a", "type": "integer", "minimum": 0.4, "maximum": 0.6}], [], "are whole numbers"),
        ([{"name": "a", "type": "integer", "minimum": 1e300}], [], "are whole numbers"),
    ],
)
def test_columns_that_make_no_sense_are_refused(columns: list[Any], known: list[Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        task(columns, known)
