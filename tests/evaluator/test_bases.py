"""The base of a board: what of a challenge file its values depend on, and what differs in words."""

from pathlib import Path

import pytest

from evaluator.bases import run_base, run_differences, scoring_base, scoring_differences, stale_metrics
from evaluator.spec import Challenge, load_challenge

FOMO26 = Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml"
ALL = {f"task{number}" for number in range(1, 8)}


def differences(old: Challenge, new: Challenge) -> dict[str, list[str]]:
    """What differs, for each board of which something does."""
    found = {
        board: [
            *run_differences(run_base(old, spec.task), run_base(new, spec.task)),
            *scoring_differences(scoring_base(old, board), scoring_base(new, board)),
        ]
        for board, spec in new.boards.items()
    }
    return {board: words for board, words in found.items() if words}


def edited(tmp_path: Path, old: str, new: str) -> Challenge:
    text, path = FOMO26.read_text(encoding="utf-8"), tmp_path / "challenge.yaml"
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return load_challenge(path)


@pytest.mark.parametrize(
    ("old", "new", "boards", "words"),
    [
        ("title: FOMO26", "title: Other", set(), ""),
        ("title: Brain age regression", "title: Other", set(), ""),
        ("title: DSC", "title: Other", set(), ""),
        ("board: sealed", "board: public", set(), ""),
        ("opens: null", "opens: 2027-01-01T00:00:00Z", set(), ""),
        ("prizes: [500 USD", "prizes: [1 USD", set(), ""),
        ("weights: {task1: 10", "weights: {task1: 11", set(), ""),
        ("rerank_boards: true", "rerank_boards: false", set(), ""),
        ("image: 40g", "image: 41g", set(), ""),
        ("first_cases: 3", "first_cases: 4", set(), ""),
        ("{metric: dice, title: DSC, labels: [1], both_empty: 1}", "{metric: dice, labels: [1]}", set(), ""),
        ("tolerance_mm: 1.0", "tolerance_mm: 1", set(), ""),
        ("seconds_per_case: 120", "seconds_per_case: 121", ALL, "limits.seconds_per_case 120.0 → 121.0"),
        ("labels: [1]", "labels: [0, 1]", {"task2"}, "dsc.labels [1] → [0, 1]"),
        ("tolerance_mm: 1.0", "tolerance_mm: 2.0", {"task2"}, "nsd.tolerance_mm 1.0 → 2.0"),
        ("auroc: {metric: auroc", "auroc: {metric: auprc", {"task1"}, "auroc was auroc, now auprc"),
        ("seed: 42", "seed: 43", {"task6", "task7"}, "probe.seed 42 → 43"),
        ("bins: [40, 60, 80, 200]", "bins: [50, 200]", {"task7"}, "groups"),
        ("flag: --flair", "flag: --flare", {"task1"}, "inputs"),
        ("minimum: 0, maximum: 1", "minimum: 0, maximum: 2", {"task1"}, "output"),
    ],
)
def test_a_board_depends_on_what_its_values_depend_on(
    tmp_path: Path, old: str, new: str, boards: set[str], words: str
) -> None:
    spec = load_challenge(FOMO26)
    found = differences(spec, edited(tmp_path, old, new))
    assert set(found) == boards
    assert all(words in one for one in found.values())


def test_a_metric_more_is_missing_in_what_was_scored_and_one_less_is_not(tmp_path: Path) -> None:
    spec = load_challenge(FOMO26)
    more = edited(
        tmp_path, "auroc: {metric: auroc, title: AUROC}", "auroc: {metric: auroc}\n      ap: {metric: auprc}"
    )
    assert differences(spec, more) == {"task1": ["ap was not scored"]}
    assert differences(more, spec) == {}


def test_other_code_is_told_by_the_metrics_key_and_unknown_code_is_no_difference() -> None:
    now = scoring_base(load_challenge(FOMO26), "task2")
    then = {**now, "metrics": {key: {**one, "code": "sha256:0"} for key, one in now["metrics"].items()}}
    assert scoring_differences(then, now) == ["the code of dsc", "the code of nsd"]
    assert stale_metrics(then, now) == ["dsc", "nsd"]
    gone = {**now, "metrics": {key: {**one, "code": None} for key, one in now["metrics"].items()}}
    assert scoring_differences(now, gone) == []
    assert scoring_differences(None, now) == ["how it was scored is not known"]
    assert stale_metrics(None, now) == []


def test_a_number_that_a_database_gives_back_without_its_exponent_is_the_same(tmp_path: Path) -> None:
    now = scoring_base(edited(tmp_path, "missing: 100}", "missing: 1.0e+30}"), "task3")
    (key,) = (key for key, one in now["metrics"].items() if one["metric"] == "mae")
    kept = now["metrics"][key]["parameters"] | {"missing": 10**30}
    then = {**now, "metrics": now["metrics"] | {key: now["metrics"][key] | {"parameters": kept}}}
    assert scoring_differences(then, now) == []
    other = now["metrics"][key] | {"parameters": kept, "code": "sha256:0"}
    assert stale_metrics({**now, "metrics": now["metrics"] | {key: other}}, now) == [key]
