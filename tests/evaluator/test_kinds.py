"""Kinds of output: every row is whole, a package may bring one of its own, and the example challenges are scored."""

import gzip
import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluator import foreign
from evaluator.bases import scoring_base, scoring_differences
from evaluator.dataset_check import check_dataset
from evaluator.digests import metric_digest
from evaluator.manifest import Manifest
from evaluator.outputs import check_and_encode, check_output, decode, encode
from evaluator.scoring import score_outputs
from evaluator.spec import Challenge, Metric, SpecError, Task, kind_of, kinds, load_challenge, read_challenge
from sandbox.conformance import canary_scan

CHALLENGES = Path(__file__).parents[2] / "challenges"
INPUT = {"key": "t1", "flag": "--t1", "file": "t1.nii.gz"}


def task_of(kind: str, **fields: Any) -> Task:
    return Task.model_validate({"title": "t", "inputs": [INPUT], "output": {"kind": kind, **fields}})


@pytest.mark.parametrize("name", kinds())
def test_a_row_is_that_of_its_name_and_its_canary_is_a_valid_output(name: str, tmp_path: Path) -> None:
    kind = kind_of(name)
    (tmp_path / "t1.nii.gz").write_bytes(canary_scan())
    scan, output = gzip.decompress(canary_scan()), tmp_path / "output"
    output.write_bytes(kind.canary.answer(scan[:352], scan[352:]))
    task = task_of(name, **kind.canary.parameters)
    result, canonical = check_and_encode(task, output, {"t1": tmp_path / "t1.nii.gz"})
    assert canonical is not None, result
    assert hashlib.sha256(kind.canary.unpacked(canonical)).hexdigest() == kind.canary.sha256
    assert encode(task, decode(task, canonical)) == canonical
    assert kind.same(decode(task, canonical), result.value)


THEIRS = """
from evaluator.metrics import DatasetData, dataset_metric
from evaluator.outputs import InvalidOutput
from evaluator.scoring._report import Extras, MetricReport, Report
from evaluator.spec import Canary, Cells, Kind, Output
from evaluator.verdicts import Check
from typing import ClassVar, Literal

class Colour(Output):
    suffix: ClassVar[str] = ".colour"
    kind: Literal["colour"]
    allowed: tuple[str, ...]

def check(output, path, inputs):
    text = path.read_text()
    if text not in output.allowed:
        raise InvalidOutput(Check.LABELS, "No such colour.")
    return text, ()

def score(job):
    right = [job.read(case) == job.references.label(case, job.task.output) for case in job.manifest.names]
    metrics = {key: MetricReport(value=sum(right) / len(right)) for key in job.metrics}
    extras = Extras(dataset=job.manifest.digest)
    return Report(board=job.name, cases=job.manifest.names, per_case={}, metrics=metrics, extras=extras)

share = dataset_metric(direction="higher", minimum=0, maximum=1, missing=0.0)(lambda data, _: 0.0)

KIND = Kind(
    "colour", Colour, check, lambda output, value: value.encode(), lambda output, data: data.decode(),
    lambda one, other: one == other, Check.LABELS, Canary({"allowed": ["red"]}, lambda *_: b"red", ""),
    Cells(lambda output, text: (text, ())), "colours:score", material=("whole datasets",), one_number=None,
)
"""


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a kind of its own, as an installation finds it."""
    (tmp_path / "colours.py").write_text(THEIRS)
    info = tmp_path / "colours-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: colours\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[proctor.outputs]\ncolour = colours:KIND\nbroken = no_such_module:KIND\nodd = colours:Colour\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    kind_of.cache_clear()
    return tmp_path


def with_output(output: str) -> str:
    text = (CHALLENGES / "skin-lesions/challenge.yaml").read_text()
    content = yaml.safe_load(text)
    content["tasks"]["malignancy"]["output"] = yaml.safe_load(output)
    content["boards"]["malignancy"]["metrics"] = {"share": {"metric": "mae"}}
    return yaml.safe_dump(content)


def test_a_challenge_may_name_the_kind_of_an_installed_package(colours: Path) -> None:
    spec = read_challenge(with_output("{kind: colour, allowed: [red, blue]}"))
    task = spec.tasks["malignancy"]
    assert Challenge.model_validate(spec.model_dump(mode="json")) == spec
    assert Task.model_validate(task.model_dump(mode="json")).output.model_dump()["allowed"] == ("red", "blue")
    (colours / "blue").write_text("blue")
    (colours / "green").write_text("green")
    assert check_output(task, colours / "blue", {}).value == "blue"
    assert check_output(task, colours / "green", {}).check == "labels"
    (colours / "references.csv").write_text("case,label\na,red\nb,blue\n")
    manifest = _manifest(["a", "b"])
    report = score_outputs(spec, "malignancy", manifest, colours, lambda case: "blue")
    assert report.metrics["share"].value == 0.5


def test_its_code_is_part_of_how_a_board_is_scored(colours: Path) -> None:
    spec = read_challenge(with_output("{kind: colour, allowed: [red, blue]}"))
    before = scoring_base(spec, "malignancy")
    (colours / "colours.py").write_text(THEIRS.replace("sum(right)", "1 - sum(right)"))
    assert scoring_differences(before, scoring_base(spec, "malignancy")) == ["the code of share"]
    assert metric_digest(Metric(metric="mae"), "number") != metric_digest(Metric(metric="mae"), "colour")


def test_reading_a_file_again_looks_for_no_installed_package(
    colours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [("number", {}), ("colour", {"allowed": ["red"]})]
    first = [task_of(kind, **fields) for kind, fields in wanted]

    def looked(**_: str) -> None:
        raise AssertionError(
            "that reads a file of each package, and a server reads a challenge for each request"
        )

    monkeypatch.setattr(foreign, "entry_points", looked)
    assert [task_of(kind, **fields) for kind, fields in wanted] == first


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (
            "{kind: colour, alowed: [red]}",
            "tasks.malignancy.output.alowed: unknown field alowed; did you mean allowed?",
        ),
        ("{kind: colur, allowed: [red]}", "there is no kind 'colur'; did you mean colour?"),
        ("{kind: film}", "there is no kind 'film'; the kinds are 'number', 'scores'"),
        ("{kind: broken}", "kind of output 'broken' cannot be imported: ModuleNotFoundError"),
        ("{kind: odd}", "what is installed as kind of output 'odd' is no Kind of that name"),
        ("{allowed: [red]}", "the field kind is missing"),
        ("[colour]", "a mapping of fields is wanted"),
    ],
)
def test_a_kind_that_cannot_be_used_is_said_with_its_place(colours: Path, output: str, words: str) -> None:
    with pytest.raises(SpecError) as error:
        read_challenge(with_output(output))
    assert words in str(error.value)


def _manifest(cases: list[str]) -> Manifest:
    digest = "0" * 64
    content = [
        {"case": case, "files": {"t1": {"path": f"{case}.nii.gz", "sha256": digest}}} for case in cases
    ]
    return Manifest.model_validate({"dataset": "d", "cases": content})


def dataset(challenge: str, folder: Path, *words: Any) -> tuple[Challenge, Manifest]:
    """Cases of an example challenge as the platform keeps them: scans and labels in one folder."""
    home = CHALLENGES / challenge
    runpy.run_path(str(home / "make_cases.py"))["write_cases"](folder / "made", *words)
    cases = []
    for scan in sorted((folder / "made/preprocessed").glob("*/*/t1.nii.gz")):
        case = scan.parts[-3]
        cases.append(case)
        scan.rename(folder / f"{case}.nii.gz")
    for label in sorted((folder / "made/labels").glob("*/*/*.json")):
        label.rename(folder / f"{label.parts[-3]}.json")
    return load_challenge(home / "challenge.yaml"), _manifest(cases)


@pytest.mark.parametrize(
    ("challenge", "task", "words"),
    [
        ("detection", "landmarks", ("landmarks", 3)),
        ("detection", "lesions", ("lesions", 4)),
        ("survival", "outcome", (9,)),
    ],
)
def test_the_datasets_of_the_examples_are_sound(
    challenge: str, task: str, words: Any, tmp_path: Path
) -> None:
    spec, manifest = dataset(challenge, tmp_path, *words)
    found = check_dataset(spec, task, manifest, root=tmp_path, references=tmp_path)
    assert found == ()


@pytest.mark.parametrize(
    ("challenge", "task", "words", "label", "says"),
    [
        ("detection", "lesions", ("lesions", 2), '[{"x": 1}]', "lacks the field y (point 1)"),
        (
            "detection",
            "lesions",
            ("lesions", 2),
            '[{"x": 99, "y": 0, "z": 0}]',
            "outside of the image (found (99, 0, 0) mm",
        ),
        ("detection", "lesions", ("lesions", 2), '[{"x": 99,\n]', "not valid JSON (line 2"),
        ("survival", "outcome", (2,), '{"months": "long"}', "the field months is no number"),
        ("survival", "outcome", (9,), '{"months": 3, "volume": 1, "grade": "low"}', "does not say died"),
        ("survival", "outcome", (2,), None, "is missing"),
    ],
)
def test_a_wrong_label_is_named_with_its_case_and_field(
    challenge: str, task: str, words: Any, label: str | None, says: str, tmp_path: Path
) -> None:
    spec, manifest = dataset(challenge, tmp_path, *words)
    wrong = tmp_path / "sub-01.json"
    if label is None:
        wrong.unlink()
    else:
        wrong.write_text(label)
    found = check_dataset(spec, task, manifest, root=tmp_path, references=tmp_path)
    errors = [one for one in found if one.severity == "error"]
    assert any(says in one.message for one in errors), found


@pytest.mark.parametrize(("spacing", "sound"), [([1, 1, 2], True), ([1, 1, 1], False), ([2, 1, 1], False)])
def test_a_label_in_voxels_of_another_size_than_the_image_s_is_refused(
    spacing: list[float], sound: bool, tmp_path: Path
) -> None:
    spec, manifest = dataset("detection", tmp_path, "lesions", 2)
    lesions = spec.tasks["lesions"]
    output = lesions.output.model_copy(update={"unit": "voxel", "margin": None})
    spec = spec.model_copy(
        update={"tasks": {**spec.tasks, "lesions": lesions.model_copy(update={"output": output})}}
    )
    for label in tmp_path.glob("*.json"):
        label.write_text(json.dumps({"points": json.loads(label.read_text()), "spacing_mm": spacing}))
    found = check_dataset(spec, "lesions", manifest, root=tmp_path, references=tmp_path)
    errors = [finding.message for finding in found if finding.severity == "error"]
    assert [f"its spacing_mm is {spacing[0]}" in error for error in errors] == ([] if sound else [True, True])


def test_tables_are_scored_by_column_and_a_missing_output_as_declared(tmp_path: Path) -> None:
    spec, manifest = dataset("survival", tmp_path, 9)
    labels = [json.loads((tmp_path / f"{case}.json").read_text()) for case in manifest.names]
    values: dict[str, Any] = {
        case: (label["volume"], label["volume"] + 1, float(label["grade"] == "high"))
        for case, label in zip(manifest.names, labels, strict=True)
    }
    values["sub-00"] = None
    report = score_outputs(spec, "biomarkers", manifest, tmp_path, values.get)
    wanted = (8 * 1 + abs(50 - labels[0]["volume"])) / 9
    assert report.metrics["volume_mae"].value == pytest.approx(wanted)
    assert report.metrics["volume_mae"].low is not None
    assert report.extras.missing == 1
    report = score_outputs(spec, "survival", manifest, tmp_path, values.get)
    assert len(report.metrics["c_index"].replicates) == 1000
    assert report.metrics["c_index"].influence is not None
    (tmp_path / "sub-03.json").write_text(json.dumps(labels[3] | {"volume": None}))
    with pytest.raises(ValueError, match="metric mae: a label does not say volume"):
        score_outputs(spec, "biomarkers", manifest, tmp_path, values.get)


@pytest.mark.parametrize(
    ("metric", "path", "words"),
    [
        ("{metric: mae, column: volum}", "column", "there is no column 'volum'; did you mean volume?"),
        ("{metric: mae}", "column", "is missing"),
        ("{metric: mae, column: grade}", "column", "the metric reads numbers, and grade is a category"),
        ("{metric: mae, colum: volume}", "colum", "unknown field colum; did you mean column?"),
        (
            "{metric: macro_recall, column: volume}",
            "column",
            "the metric reads categories, and volume is a number",
        ),
        (
            "{metric: macro_recall, column: grade, truth: died}",
            "truth",
            "not categories with the same values",
        ),
        ("{metric: concordance, column: risk, truth: months}", "event", "name the column that says"),
        (
            "{metric: concordance, column: risk, truth: months, event: volume}",
            "event",
            "volume is no boolean",
        ),
        ("{metric: mae, column: volume, event: died}", "event", "no others do"),
        (
            "{metric: dice, labels: [1]}",
            "metric",
            "a metric of single segmentations, and the task's output is table",
        ),
        ("{metric: froc, radius_mm: 2}", "metric", "a metric of points, and the task's output is table"),
    ],
)
def test_a_metric_of_a_table_says_which_column_it_cannot_be_of(metric: str, path: str, words: str) -> None:
    content = yaml.safe_load((CHALLENGES / "survival/challenge.yaml").read_text())
    content["boards"]["survival"]["metrics"] = {"m": yaml.safe_load(metric)}
    with pytest.raises(SpecError) as error:
        read_challenge(yaml.safe_dump(content))
    assert [one.field for one in error.value.problems if words in one.message] == [
        f"boards.survival.metrics.m.{path}"
    ]


def test_a_board_of_points_refuses_what_is_of_other_outputs() -> None:
    content = yaml.safe_load((CHALLENGES / "detection/challenge.yaml").read_text())
    content["boards"]["lesions"]["metrics"] = {"m": {"metric": "auroc"}}
    with pytest.raises(
        SpecError, match="auroc is a metric of whole datasets, and the task's output is points"
    ):
        read_challenge(yaml.safe_dump(content))
