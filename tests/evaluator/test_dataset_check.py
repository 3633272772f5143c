"""What the check of a dataset finds: everything that would spoil its scores, by case, and nothing else."""

import gzip
import shutil

import nibabel
import numpy as np
import pytest

from evaluator.dataset_check import Severity
from evaluator.manifest import ManifestError
from evaluator.scoring import score_outputs
from evaluator.spec import parse_challenge
from tests.evaluator.datasets import fomo26
from tests.evaluator.whole_datasets import AFFINE, SHAPE, Whole, mask, nifti


@pytest.fixture
def maps(tmp_path) -> Whole:
    """Three cases of the nerve and vessel task."""
    found = Whole(tmp_path / "maps", fomo26(), "task4")
    for number, case in enumerate("abc"):
        found.add(case, mask((0, 1, 2), number))
    return found


def numbers(tmp_path, labels, task="task5") -> Whole:
    found = Whole(tmp_path / "numbers", fomo26(), task)
    for number, label in enumerate(labels):
        found.add(f"c{number}", label=label, sex="FM"[number % 2], age=30 + number)
    return found


def cohorts(tmp_path, *, cases=48, **changes) -> Whole:
    found = Whole(tmp_path / "cohorts", fomo26(), "task6")
    for number in range(cases):
        row = {"cohort": "abc"[number % 3], "sex": "FM"[number // 3 % 2], "age": 25 + 20 * (number // 6 % 4)}
        found.add(f"s{number:02}", **(row | changes))
    return found


def packed(content: bytes) -> bytes:
    return gzip.compress(content, 1)


def test_sound_datasets_have_no_finding_but_small_groups(maps, tmp_path):
    assert maps.findings() == ()
    assert numbers(tmp_path, [0, 1, 1, 0]).findings() == ()
    shutil.rmtree(tmp_path / "numbers")
    assert numbers(tmp_path, [30.5, 62, 41], "task3").findings() == ()
    assert cohorts(tmp_path).warnings() == [("group_small", None), ("group_small", None)]


def turned(axis):
    flip = np.eye(4)
    flip[axis, axis], flip[axis, 3] = -1, SHAPE[axis] - 1
    return AFFINE @ flip


GOOD = mask((0, 1, 2), 0)
NOISE = np.random.default_rng(1).integers(0, 999, SHAPE).astype(np.int16)
SWAPPED = AFFINE[:, [1, 0, 2, 3]]
WITH_4 = GOOD.copy()
WITH_4[11, 10, 9] = 4


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (nifti(GOOD[..., None]), "reference_map", "found 4: (12, 11, 10, 1)"),
        (nifti(GOOD * np.float32(0.9882)), "reference_labels", "found 0.988"),
        (nifti(WITH_4), "reference_labels", "found 4, 1 voxel in all, the first at (11, 10, 9)"),
        (nifti(GOOD * np.float32(np.nan)), "reference_labels", "not finite"),
        (nifti(GOOD, pixdim=[1, 0, 2, 3]), "reference_spacing", "not positive"),
        (nifti(GOOD, xyzt_units=3), "reference_spacing", "micrometres"),
        (nifti(GOOD, pixdim=[1, 1, 1, 1]), "reference_spacing", "1 × 1 × 1 mm in pixdim and 2 × 2 × 3 mm"),
        (nifti(GOOD, turned(0)), "reference_affine", "mirrored or swapped"),
        (nifti(GOOD, turned(2)), "reference_affine", "mirrored or swapped"),
        (nifti(GOOD, SWAPPED), "reference_affine", "mirrored or swapped"),
        (nifti(GOOD, AFFINE + np.eye(4, k=3)), "reference_affine", "another affine"),
        (nifti(GOOD[:-1]), "reference_shape", "(11, 11, 10)"),
        (nifti(GOOD, sform_code=0, qform_code=1, quatern_b=2), "reference_map", "affine is not finite"),
        (nifti(GOOD)[:-1], "reference_map", "fewer voxels"),
        (b"no image", "reference_map", "NIfTI-1"),
    ],
)
def test_a_reference_that_no_output_can_be_compared_with_is_an_error_of_its_case(maps, content, code, says):
    maps.reference_path("b").write_bytes(packed(content))
    (found,) = maps.findings()
    assert (found.severity, found.code, found.case) == (Severity.ERROR, code, "b")
    assert says in found.message
    assert str(maps.root) not in found.message


def test_a_reference_that_is_missing_is_an_error(maps):
    maps.reference_path("c").unlink()
    assert maps.errors() == [("reference_map", "c")]


def test_float_labels_under_an_integer_header_are_read_and_warned_of(maps):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti1Image(GOOD.astype(np.float64), AFFINE, header), maps.reference_path("a"))
    assert maps.errors() == []
    assert maps.warnings() == [("reference_map", "a")]


def test_a_label_that_no_reference_of_a_case_has_is_warned_of_where_nobody_can_earn_its_best_value(maps):
    maps.reference_path("b").write_bytes(packed(nifti(mask((0, 1), 1))))
    (found,) = maps.findings()
    assert (found.severity, found.code, found.case) == (Severity.WARNING, "not_perfect", "b")
    assert "0.5 instead of 1 for nsd of board task4 in 1 of 3 cases" in found.message


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (packed(nifti(np.zeros((*SHAPE, 2), np.int16))), "input_dimensions"),
        (packed(nifti(np.zeros(SHAPE[:2], np.int16))), "input_dimensions"),
        (packed(nifti(np.zeros(SHAPE[:1], np.int16))), "input_dimensions"),
        (packed(nifti(np.zeros(SHAPE, np.int16), bitpix=0)), "input_bitpix"),
        (packed(nifti(np.zeros(SHAPE, np.int16), bitpix=8)), "input_bitpix"),
        (packed(nifti(np.zeros(SHAPE, np.int16))[:352]), "input_cut"),
        (packed(nifti(np.zeros(SHAPE, np.int16)))[:-60], "input_unreadable"),
        (gzip.compress(nifti(NOISE))[:-60], "input_cut"),
        (nifti(np.zeros(SHAPE, np.int16))[:-1], "input_cut"),
        (packed(nifti(np.zeros(SHAPE, np.int16), srow_x=[np.nan] * 4)), "input_affine"),
        (packed(nifti(np.zeros(SHAPE, np.int16), srow_y=[0] * 4)), "input_affine"),
        (packed(b"no image"), "input_unreadable"),
        (b"", "input_unreadable"),
    ],
)
def test_an_input_that_nobody_can_answer_is_an_error(maps, content, code):
    maps.input_paths("b")["t2w"].write_bytes(content)
    assert (code, "b") in maps.errors()
    assert {case for _, case in maps.errors()} == {"b"}


@pytest.mark.parametrize(
    ("excess", "wrong"), [(1e-7, []), (6e-7, [("input_quaternion", "a")]), (1e-3, [("input_affine", "a")])]
)
def test_quaternions_of_inputs_are_held_to_what_all_programs_read(tmp_path, excess, wrong):
    found = numbers(tmp_path, [0, 1])
    quaternion = {"quatern_b": np.sqrt(0.5 + excess), "quatern_c": np.sqrt(0.5), "quatern_d": 0}
    image = nifti(np.zeros(SHAPE, np.int16), sform_code=0, qform_code=1, **quaternion)
    found.input_paths("c0")["t1w"].write_bytes(packed(image))
    assert found.errors() == [(code, "c0") for code, _ in wrong]


def test_an_input_with_two_places_is_warned_of(tmp_path):
    found = numbers(tmp_path, [0, 1])
    image = nibabel.Nifti1Image(NOISE, AFFINE)
    image.set_qform(turned(0), code=1)
    found.input_paths("c0")["t1w"].write_bytes(packed(image.to_bytes()))
    image.set_qform(AFFINE, code=1)
    found.input_paths("c1")["t1w"].write_bytes(packed(image.to_bytes()))
    assert [(one.severity, one.code, one.case) for one in found.findings()] == [
        (Severity.WARNING, "input_two_affines", "c0")
    ]


def test_an_input_that_the_case_lacks_is_an_error(tmp_path):
    found = Whole(tmp_path, fomo26(), "task2")
    for number, case in enumerate("ab"):
        found.add(case, mask((0, 1), number))
    whole = found.manifest
    found.input_paths("b")["dwi"].unlink()
    assert found.errors(whole) == [("input_missing", "b")], "in the manifest, not on disk"
    assert found.errors() == [("input_missing", "b")], "not in the manifest"
    other = whole.model_dump()
    other["cases"][0]["files"]["t1w"] = other["cases"][0]["files"]["flair"]
    assert ("input_unknown", "a") in found.errors(type(whole).model_validate(other))


def test_a_table_that_cannot_be_read_is_an_error_and_the_files_are_looked_at_all_the_same(maps):
    maps.save()
    maps.reference_path("b").unlink()
    maps.table.write_bytes(maps.table.read_text().encode("utf-16"))
    assert maps.errors() == [("reference_map", "b"), ("references", None)]
    assert (
        maps.findings()[1].message
        == "references.csv: is UTF-16, as Excel and PowerShell write it; save it as UTF-8"
    )


@pytest.mark.parametrize("label", ["0.5", "2", "yes", "١", "", "1,0", "nan"])
def test_a_label_that_the_metrics_cannot_use_is_an_error_with_its_line(tmp_path, label):
    found = numbers(tmp_path, [0, 1, label, 1])
    (one,) = found.findings()
    assert (one.severity, one.code, one.case) == (Severity.ERROR, "reference_labels", "c2")
    assert one.message.startswith("references.csv:4: ")


def test_one_class_alone_is_an_error_unless_no_board_is_shown(tmp_path):
    found = numbers(tmp_path, [1, 1, 1])
    assert found.errors() == [("never_defined", None)]
    assert (found.errors(ranked=False), found.warnings(ranked=False)) == ([], [("never_defined", None)])


def test_equal_ages_have_no_correlation(tmp_path):
    (one,) = numbers(tmp_path, [40, 40, 40], "task3").findings()
    assert (one.code, one.severity) == ("never_defined", Severity.ERROR)
    assert "correlation of board task3" in one.message


@pytest.mark.parametrize("age", ["89+", "18-38", "0", "-3", "old"])
def test_ages_that_are_none_are_warned_of_by_line_where_a_board_uses_ages(tmp_path, age):
    found = cohorts(tmp_path)
    found.rows[5]["age"] = age
    assert found.errors() == []
    (one,) = [one for one in found.findings() if one.code == "age_unreadable"]
    assert (one.case, one.message[:36]) == ("s05", f"references.csv:7: age {age!r} is no number"[:36])
    assert ("group_unknown", None) in found.warnings()
    plain = numbers(tmp_path, [0, 1])
    plain.rows[0]["age"] = age
    assert plain.findings() == ()


def test_a_variable_without_any_value_is_an_error_of_the_fairness_board(tmp_path):
    found = cohorts(tmp_path, sex="")
    assert found.errors() == [("group_empty", None)]
    assert ("group_empty", None) in found.warnings(ranked=False)


def test_a_variable_without_any_value_costs_no_other_board_and_no_crash(tmp_path):
    found = cohorts(tmp_path, sex="")
    manifest = found.save()
    truth = {row["case"]: np.eye(3, dtype=np.float32)["abc".index(str(row["cohort"]))] for row in found.rows}
    report = score_outputs(found.spec, "task7", manifest, found.references, truth.get)
    assert report.metrics["fairness_auroc"].value == 1
    assert report.extras.fairness["fairness_auroc"].variables["sex"].disparity is None
    bare = cohorts(tmp_path / "bare", sex="", age="")
    report = score_outputs(bare.spec, "task7", bare.save(), bare.references, truth.get)
    assert report.metrics["fairness_auroc"].value is None
    assert report.metrics["fairness_auroc"].reason == "the metric is undefined in every group"


def test_two_spellings_of_one_group_and_a_single_group_are_warned_of(tmp_path):
    found = cohorts(tmp_path)
    found.rows[0]["sex"], found.rows[1]["sex"] = "female", "Male"
    spelt = [one.message for one in found.findings() if one.code == "group_spelling"]
    assert len(spelt) == 2
    assert "f (22), female (1)" in spelt[0]
    assert ("group_single", None) in cohorts(tmp_path / "one", sex="F").warnings()


def test_classes_too_small_for_the_split_are_an_error_once(tmp_path):
    found = cohorts(tmp_path, cases=30)
    (one,) = [one for one in found.findings() if one.severity is Severity.ERROR]
    assert one.code == "few_classes"
    assert "class 'a' has 10 cases; 2 for validation and 8 for test leave none for training" in one.message
    assert found.errors(ranked=False) == []
    assert ("few_classes", None) in found.warnings(ranked=False)
    for board in ("task6", "task7"):
        report = score_outputs(found.spec, board, found.manifest, found.references, lambda case: None)
        assert (report.rejected, report.extras.missing) == (None, 30)
        assert {(one.value, one.reason[:29]) for one in report.metrics.values()} == {
            (None, "These cases are too few for t")
        }


def test_a_case_without_a_cohort_is_an_error(tmp_path):
    found = cohorts(tmp_path)
    found.rows[7]["cohort"] = "n/a"
    assert ("reference_labels", "s07") in found.errors()


def test_labels_of_class_scores_are_the_names_of_classes(tmp_path):
    spec = fomo26().model_dump(mode="json")
    spec["tasks"]["task5"]["output"] = {"kind": "scores", "classes": ["a", "b", "c"]}
    spec["boards"]["task5"]["metrics"] = {"brier": {"metric": "ovr_brier"}}
    found = Whole(tmp_path, parse_challenge(spec), "task5")
    for number in range(4):
        found.add(f"c{number}", label="ab"[number % 2])
    assert found.findings() == ()
    found.rows[2]["label"] = "d"
    found.table.unlink()
    assert found.errors() == [("reference_labels", "c2")]


def test_a_best_value_that_nobody_can_get_is_warned_of(tmp_path):
    high = {"metrics": {"auroc": {"metric": "balanced_accuracy", "threshold": 2}}}
    strict = Whole(tmp_path, fomo26(task5=high), "task5")
    for number in range(4):
        strict.add(f"c{number}", label=number % 2)
    (one,) = strict.findings()
    assert (one.severity, one.code) == (Severity.WARNING, "not_perfect")
    assert "gets 0.5 instead of 1 for auroc" in one.message


@pytest.mark.parametrize(
    ("task", "metric"), [("task5", "raises"), ("task5", "replaces_by_nan"), ("task4", "exits_for_missing")]
)
def test_a_metric_that_is_not_built_in_is_tried_on_a_perfect_and_an_empty_submission(tmp_path, task, metric):
    own = {"metrics": {"own": {"metric": f"tests.evaluator.broken_metrics:{metric}"}}}
    found = Whole(tmp_path, fomo26(**{task: own}), task)
    for number in range(3):
        row = {"label": number % 2} if task == "task5" else {"labels": mask((0, 1, 2), number)}
        found.add(f"c{number}", **row)
    (one,) = [one for one in found.findings() if one.severity is Severity.ERROR]
    assert (one.code, one.case) == ("metric", None)
    assert f"broken_metrics:{metric} failed" in one.message


def test_scoring_refuses_what_the_check_refuses_and_names_no_case(maps):
    maps.reference_path("b").write_bytes(packed(nifti(WITH_4)))
    with pytest.raises(
        ManifestError, match=r"^entry 2 of the manifest: its reference label map cannot be used"
    ):
        score_outputs(maps.spec, "task4", maps.save(), maps.references, lambda case: None)
