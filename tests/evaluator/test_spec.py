"""Challenge files: what they may say, and how clearly what they may not say is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from evaluator.spec import SpecError, load_challenge, parse_challenge

ROOT = Path(__file__).parents[2]
FOMO26 = ROOT / "challenges" / "fomo26" / "challenge.yaml"
OVERLAY = ROOT / "demo" / "overlay.yaml"


def _refused(tmp_path: Path, old: str, new: str) -> list[tuple[int | None, str, str]]:
    text = FOMO26.read_text()
    assert old in text
    path = tmp_path / "challenge.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SpecError) as error:
        load_challenge(path)
    return [(one.line, one.field, one.message) for one in error.value.problems]


@pytest.mark.parametrize("name", ["fomo25", "fomo26"])
def test_the_shipped_files_load_and_survive_being_stored(name: str) -> None:
    spec = load_challenge(ROOT / "challenges" / name / "challenge.yaml")
    again = parse_challenge(spec.model_dump(mode="json"))
    assert again == spec
    assert again.digest == spec.digest


def test_fomo26_has_seven_boards_over_six_runs() -> None:
    spec = load_challenge(FOMO26)
    assert list(spec.tasks) == [f"task{number}" for number in range(1, 7)]
    assert list(spec.boards) == [f"task{number}" for number in range(1, 8)]
    assert list(spec.boards_of("task6")) == ["task6", "task7"]
    assert spec.ranking.weights == dict(zip(spec.boards, [10, 25, 10, 25, 10, 10, 10], strict=True))
    assert spec.phases["validation"].attempts.valid == 3


def test_the_call_names_the_flags_in_order_and_the_first_modality_of_a_group() -> None:
    task = load_challenge(FOMO26).tasks["task2"]
    arguments = task.arguments({"swi", "flair", "dwi"}, "case_1")
    assert arguments == [
        *("--flair", "/input/flair.nii.gz", "--dwi", "/input/dwi.nii.gz", "--swi", "/input/swi.nii.gz"),
        *("--output", "/output/case_1.nii.gz"),
    ]
    assert "--swi" not in task.arguments({"swi", "t2s", "flair", "dwi"}, "case_1")
    with pytest.raises(ValueError, match="no file for t2s or swi"):
        task.inputs_of({"flair", "dwi"})


def test_another_content_is_another_version_and_comments_are_not_content(tmp_path: Path) -> None:
    spec, path = load_challenge(FOMO26), tmp_path / "challenge.yaml"
    path.write_text("# a remark\n" + FOMO26.read_text())
    assert load_challenge(path).digest == spec.digest
    path.write_text(FOMO26.read_text().replace("seconds_per_case: 120", "seconds_per_case: 121"))
    assert load_challenge(path).digest != spec.digest


def test_the_overlay_is_merged_field_by_field() -> None:
    plain, merged = load_challenge(FOMO26), load_challenge(FOMO26, OVERLAY)
    assert merged.limits.gpu is None
    assert plain.limits.gpu is not None
    assert merged.boards["task6"].probe is not None
    assert merged.boards["task6"].probe.n_test == 8
    assert merged.boards["task6"].probe.seed == plain.boards["task6"].probe.seed == 42  # type: ignore[union-attr]
    assert merged.tasks == plain.tasks


def test_every_problem_is_named_with_its_line_and_field(tmp_path: Path) -> None:
    text = FOMO26.read_text().splitlines()
    [(line, field, message)] = _refused(tmp_path, "seconds_per_case: 120", "seconds_per_case: -1")
    assert line == 1 + next(number for number, one in enumerate(text) if "seconds_per_case" in one)
    assert field == "limits.seconds_per_case"
    assert "greater than 0" in message


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("output: 2g", "output: 2x", "limits.output", "512m or 16g"),
        ("ties: min", "tis: min", "ranking.tis", "did you mean ties?"),
        ("task: task5", "task: task9", "boards.task5.task", "no task 'task9'"),
        ("kind: embedding", "kind: emb", "tasks.task6.output", "embedding"),
        ("flag: --adc", "flag: adc", "tasks.task1.inputs.2.flag", "such as --flair"),
        (
            "opens: 2026-06-15T00:00:00+02:00",
            "opens: 2026-06-15T00:00:00",
            "phases.sanity.opens",
            "such as 2026",
        ),
        ("weights: {task1: 10,", "weights: {", "ranking.weights", "task1"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, field: str, says: str) -> None:
    problems = _refused(tmp_path, old, new)
    assert any(found == field and says in message for _, found, message in problems), problems


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("metric: dice", "metric: dyce", "boards.task2.metrics.dsc.metric", "did you mean dice?"),
        ("of: macro_f1", "of: macrof1", "boards.task7.metrics.fairness_f1.of", "did you mean macro_f1?"),
        ("of: macro_f1", "of: mae", "boards.task7.metrics.fairness_f1.of", "from 0 to 1"),
        ("of: macro_f1", "of: dice", "boards.task7.metrics.fairness_f1.of", "per-dataset"),
        (
            "labels: [1]",
            "labels: [7]",
            "boards.task2.metrics.dsc.labels.0",
            "no label 7; its labels are 0, 1",
        ),
        ("labels: [1]", "labels: []", "boards.task2.metrics.dsc.labels", "at least 1"),
        ("tolerance_mm: 1.0", "tolerence_mm: 1.0", "boards.task2.metrics.nsd.tolerence_mm", "tolerance_mm?"),
        ("tolerance_mm: 1.0, ", "", "boards.task2.metrics.nsd.tolerance_mm", "is missing"),
        ("both_empty: 1}", "both_emty: 1}", "boards.task2.metrics.dsc.both_emty", "did you mean both_empty?"),
        ("both_empty: 1}", "both_empty: 2}", "boards.task2.metrics.dsc.both_empty", "less than or equal"),
        ("metric: auroc", "metric: dice", "boards.task1.metrics.auroc.metric", "task's output is number"),
        ("metric: auroc", "metric: ovr_auroc", "boards.task1.metrics.auroc.metric", "one score per class"),
        (
            "metric: ovr_auroc",
            "metric: auroc",
            "boards.task6.metrics.ovr_auroc.metric",
            "one number per case",
        ),
        ("metric: dice", "metric: mae", "boards.task2.metrics.dsc.metric", "whole datasets"),
        ("metric: dice", "metric: 'no_such:thing'", "boards.task2.metrics.dsc.metric", "cannot be imported"),
        ("    probe: *probe\n", "", "boards.task7", "needs a probe"),
    ],
)
def test_a_metric_that_scoring_would_refuse_is_refused_once_with_its_line(
    tmp_path: Path, old: str, new: str, field: str, says: str
) -> None:
    text = FOMO26.read_text()
    [(line, found, message)] = _refused(tmp_path, old, new)
    assert found == field
    assert says in message
    assert line is not None
    assert "probe" in old or line == 1 + text[: text.index(old)].count("\n")


def test_every_mistake_is_listed_at_once_and_none_twice(tmp_path: Path) -> None:
    text = FOMO26.read_text()
    for old, new in {
        "seconds_per_case": "second_per_case",
        "task: task5": "task: task9",
        "metric: dice": "metric: dyce",
        "task7: 10}": "task77: 10}",
        "opens: 2026-06-15T00:00:00+02:00": "opens: 2026-06-15T00:00:00",
    }.items():
        text = text.replace(old, new, 1)
    path = tmp_path / "challenge.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as error:
        load_challenge(path)
    assert [one.field for one in error.value.problems] == [
        "limits.second_per_case",
        "boards.task2.metrics.dsc.metric",
        "boards.task5.task",
        "phases.sanity.opens",
        "ranking.weights.task77",
        "ranking.weights",
    ]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("tasks:\n", "tasks:\n  1: {title: One}\n", "tasks.1"),
        ("    task: task5", "    task: [task5]", "boards.task5.task"),
        ("weights: {task1: 10", "weights: {1: 10", "ranking.weights.1"),
        ("      auroc: {metric: auroc", "      auroc: {metric: {a: 1}", "boards.task1.metrics.auroc.metric"),
    ],
)
def test_what_has_another_shape_is_refused_like_the_rest(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    assert any(found.startswith(field) for _, found, _ in _refused(tmp_path, old, new))


def test_a_stored_challenge_is_read_even_where_its_metric_is_no_longer_installed() -> None:
    content = load_challenge(FOMO26).model_dump(mode="json")
    content["boards"]["task5"]["metrics"]["auroc"]["metric"] = "gone"
    assert parse_challenge(content).boards["task5"].metrics["auroc"].metric == "gone"


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "not valid YAML"), ("- a", "a mapping"), ("a: 1\na: 2", "stands twice"), ("", "a mapping")],
)
def test_what_is_no_challenge_file_is_said(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "challenge.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=says):
        load_challenge(path)


def test_a_problem_of_the_overlay_names_the_overlay(tmp_path: Path) -> None:
    overlay = tmp_path / "site.yaml"
    overlay.write_text("limits:\n  cpus: none\n")
    with pytest.raises(SpecError) as error:
        load_challenge(FOMO26, overlay)
    assert str(error.value).startswith("site.yaml:2: limits.cpus:")


def test_a_phase_is_open_from_its_first_moment_until_before_its_last() -> None:
    phase = load_challenge(FOMO26).phases["validation"]
    opens = phase.opens
    assert opens is not None
    closing = phase.model_copy(update={"closes": datetime(2026, 7, 1, tzinfo=UTC)})
    assert closing.is_open(opens)
    assert not closing.is_open(datetime(2026, 7, 1, tzinfo=UTC))
    assert not closing.is_open(datetime(2026, 6, 14, tzinfo=UTC))
    assert not phase.model_copy(update={"opens": None}).is_open(opens)
