"""Points: what a list may hold, where it may lie, its one canonical form, and when two are one answer."""

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel import Nifti1Image

from evaluator.outputs import InputUnreadable, NotCanonical, TruthError, agree, check_output, decode, encode
from evaluator.spec import Files, Task

INPUT = {"key": "t1", "flag": "--t1", "file": "t1.nii.gz"}


def task(**output: Any) -> Task:
    return Task.model_validate({"title": "t", "inputs": [INPUT], "output": {"kind": "points", **output}})


LANDMARKS = task(names=["apex", "base"])
LESIONS = task(confidence=True, most=3)


def point(x: float = 1, y: float = 2, z: float = 3, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "z": z, **more}


def checked(task: Task, content: object, folder: Path, inputs: dict[str, Path] | None = None) -> Any:
    path = folder / "output.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return check_output(task, path, inputs or {})


def test_points_are_read_with_their_names_and_confidences(tmp_path: Path) -> None:
    found = checked(LANDMARKS, [point(-1.5, 2, 3e1, name="base"), point(name="apex")], tmp_path)
    assert found.valid
    assert found.value[["x", "y", "z", "name"]].tolist() == [(-1.5, 2, 30, 1), (1, 2, 3, 0)]
    found = checked(LESIONS, [point(confidence=0.25)], tmp_path)
    assert found.value["confidence"].tolist() == [0.25]
    assert checked(LESIONS, [], tmp_path).value.shape == (0,)


@pytest.mark.parametrize(
    ("content", "check", "words"),
    [
        (b"", "json", "not valid JSON"),
        (b'[{"x": 1, "y": 2, "z": 3, "confidence": 1},]', "json", "not valid JSON"),
        (b'[{"x": 1, "x": 1, "y": 2, "z": 3, "confidence": 1}]', "json", "stands twice"),
        (b'[{"x": 1_0, "y": 2, "z": 3, "confidence": 1}]', "json", "not valid JSON"),
        (b'[{"x": NaN, "y": 2, "z": 3, "confidence": 1}]', "finite", "not finite"),
        (b'[{"x": -Infinity, "y": 2, "z": 3, "confidence": 1}]', "finite", "not finite"),
        (b'[{"x": 1e999, "y": 2, "z": 3, "confidence": 1}]', "finite", "too large"),
        ({"points": []}, "fields", "a list of points"),
        ([[1, 2, 3]], "fields", "no object"),
        ([point()], "fields", "lacks the field confidence"),
        ([point(confidence=None)], "fields", "lacks the field confidence"),
        ([point(confidence=1, name="apex")], "fields", "none of the task's"),
        ([point(confidence=1, radius_mm=3)], "fields", "none of the task's"),
        ([point(confidence=1.5)], "range", "between 0 and 1"),
        ([point(x="1", confidence=1)], "decimal_float", "no number"),
        ([point(x=True, confidence=1)], "decimal_float", "no number"),
        ([point(confidence=1)] * 4, "count", "more than 3 points"),
    ],
)
def test_what_is_no_list_of_such_points_fails_its_check(
    content: object, check: str, words: str, tmp_path: Path
) -> None:
    found = checked(LESIONS, content, tmp_path)
    assert (found.valid, found.check) == (False, check)
    assert words in found.message


@pytest.mark.parametrize(
    ("content", "words"),
    [([point(name="tip")], "none of the names"), ([point(name=["apex"])], "none of the names")],
)
def test_landmarks_have_names_that_the_task_lists(content: object, words: str, tmp_path: Path) -> None:
    found = checked(LANDMARKS, content, tmp_path)
    assert (found.check, words in found.message) == ("labels", True)


def test_a_landmark_stands_once(tmp_path: Path) -> None:
    found = checked(LANDMARKS, [point(name="apex"), point(9, name="apex")], tmp_path)
    assert (found.check, found.message) == (
        "labels",
        "A name stands at more than one point of the output file.",
    )


@pytest.fixture
def volume(tmp_path: Path) -> dict[str, Path]:
    """10 × 10 × 5 voxels of 1 × 1 × 2 mm that begin at (−5, −5, 0) mm."""
    affine = np.array([[1.0, 0, 0, -5], [0, 1, 0, -5], [0, 0, 2, 0], [0, 0, 0, 1]])
    Nifti1Image(np.zeros((10, 10, 5), np.int16), affine).to_filename(tmp_path / "t1.nii.gz")
    return {"t1": tmp_path / "t1.nii.gz"}


@pytest.mark.parametrize(
    ("unit", "margin", "inside", "outside"),
    [
        ("mm", 0, [(-5.4, -5, 0), (4.4, 4, 8.9)], [(-5.6, 0, 0), (0, 4.6, 0), (0, 0, 9.1)]),
        ("mm", 2, [(-7.4, 0, 0), (0, 0, 12.9)], [(-7.6, 0, 0), (0, 0, 13.1)]),
        ("voxel", 0, [(-0.4, 0, 0), (9.4, 9, 4)], [(-0.6, 0, 0), (0, 0, 4.6)]),
    ],
)
def test_points_lie_in_the_image_where_the_task_says_so(
    unit: str, margin: int, inside: list[Any], outside: list[Any], volume: dict[str, Path], tmp_path: Path
) -> None:
    spec = task(unit=unit, margin=margin)
    assert checked(spec, [point(*place) for place in inside], tmp_path, volume).valid
    for place in outside:
        found = checked(spec, [point(*place)], tmp_path, volume)
        assert (found.check, found.message) == ("range", "A point lies outside of the image.")
    assert checked(task(unit=unit), [point(*place) for place in outside], tmp_path).valid


def test_a_point_whose_voxel_overflows_lies_outside_of_an_oblique_image(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.inv(np.array([[2, 2, -2], [2, -2, 2], [-2, 2, 2]]))
    path = tmp_path / "t1.nii.gz"
    Nifti1Image(np.zeros((4, 4, 4), np.uint8), affine).to_filename(path)
    found = checked(task(margin=0), [point(1.7e308, 1.7e308, 1.7e308)], tmp_path, {"t1": path})
    assert (found.valid, found.check) == (False, "range")


def test_an_image_that_cannot_be_read_is_nobodys_wrong_output(tmp_path: Path) -> None:
    (tmp_path / "t1.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputUnreadable):
        checked(task(margin=0), [point()], tmp_path, {"t1": tmp_path / "t1.nii.gz"})


def test_where_the_image_is_not_at_hand_the_place_of_a_point_is_not_looked_at(tmp_path: Path) -> None:
    assert checked(task(margin=0), [point(9e9)], tmp_path).valid


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers, st.floats(0, 1)), max_size=3))
def test_the_canonical_form_is_one_and_is_read_back(rows: list[tuple[float, float, float, float]]) -> None:
    content = [point(*row[:3], confidence=row[3]) for row in rows]
    with TemporaryDirectory() as folder:
        value = checked(LESIONS, content, Path(folder)).value
        turned = checked(LESIONS, content[::-1], Path(folder)).value
    data = encode(LESIONS, value)
    assert encode(LESIONS, decode(LESIONS, data)) == data
    assert agree(LESIONS, data, encode(LESIONS, turned))
    assert sorted(value["x"].tolist()) == sorted(row[0] for row in rows)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=60) | st.text(alphabet='[]{}"xyz:,.0123456789eE+-_ \n', max_size=60).map(str.encode)
)
def test_whatever_the_bytes_are_there_is_a_verdict(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        found = checked(LESIONS, content, Path(folder))
    assert found.valid == (found.check is None)
    with pytest.raises(NotCanonical):
        decode(LESIONS, content + b" ")


def test_answers_agree_up_to_rounding_in_any_order(tmp_path: Path) -> None:
    def encoded(*points: dict[str, Any]) -> bytes:
        return encode(LESIONS, checked(LESIONS, list(points), tmp_path).value)

    one = encoded(point(1, confidence=0.5), point(9, confidence=0.50001))
    assert agree(LESIONS, one, encoded(point(9.0005, confidence=0.5), point(1, confidence=0.50005)))
    assert not agree(LESIONS, one, encoded(point(9.01, confidence=0.5), point(1, confidence=0.5)))
    assert not agree(LESIONS, one, encoded(point(9, confidence=0.51), point(1, confidence=0.5)))
    assert not agree(LESIONS, one, encoded(point(9, confidence=0.5)))
    assert not agree(LESIONS, one, encoded(point(9, confidence=0.5), point(9, confidence=0.5)))


def labelled(task: Task, content: object, folder: Path) -> Any:
    path = folder / "label.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert isinstance(task.kind.labels, Files)
    return task.kind.labels.read(task.output, path)


def test_a_label_is_a_list_without_confidences_or_has_the_size_of_a_voxel_too(tmp_path: Path) -> None:
    points, spacing = labelled(LESIONS, [point(), point(radius_mm=4)], tmp_path)
    assert (len(points), spacing) == (2, (1, 1, 1))
    assert (math.isnan(points["radius"][0]), points["radius"][1]) == (True, 4)
    _, spacing = labelled(task(unit="voxel"), {"points": [point()], "spacing_mm": [1, 1, 2.5]}, tmp_path)
    assert spacing == (1, 1, 2.5)


@pytest.mark.parametrize(
    ("spec", "content", "words"),
    [
        (LESIONS, [point(confidence=1)], "a field that is none of the task's (point 1: 'confidence')"),
        (LESIONS, [point(radius_mm=-1)], "radius_mm must lie between 0 and inf"),
        (LESIONS, '[{"x": 1,\n]', "not valid JSON (line 2, column 1"),
        (LESIONS, [point()] * 4, "more than 3 points"),
        (task(unit="voxel"), [point()], "lacks spacing_mm"),
        (task(unit="voxel"), {"points": [], "spacing_mm": [1, 0, 1]}, "not above 0"),
        (task(unit="voxel"), {"points": [], "spacing_mm": 1}, "no list of 3 numbers"),
        (LANDMARKS, [point(name="tip")], '(point 1: found "tip")'),
        (task(), {"points": [], "spacing_mm": [1, 1, 1]}, "none of the task's (the label: 'spacing_mm')"),
    ],
)
def test_a_label_that_is_none_says_where_and_why(
    spec: Task, content: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(TruthError) as error:
        labelled(spec, content, tmp_path)
    assert words in str(error.value)
