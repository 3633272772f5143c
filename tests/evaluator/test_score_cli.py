import json

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator.cli import app
from tests.evaluator.datasets import CHALLENGES, SMALL_PROBE, Dataset, embeddings, fomo26, numbers


def run(dataset, board, *more, **changed):
    options = {
        "challenge": CHALLENGES / "fomo26" / "challenge.yaml",
        "board": board,
        "manifest": dataset.manifest,
        "references": dataset.references,
        "predictions": dataset.predictions,
        "json": dataset.root / "report.json",
    } | changed
    arguments = [text for key, value in options.items() for text in (f"--{key}", value)]
    return CliRunner().invoke(app, ["score", *map(str, arguments), *map(str, more)])


def report_of(dataset):
    return json.loads((dataset.root / "report.json").read_text())


def test_a_board_of_numbers_is_scored_from_files_as_a_container_writes_them(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1, 0, 1], [0.1, 0.8, 0.3, None])
    (dataset.predictions / "c0.txt").write_text(" 1.0e-1\r\n")
    dataset.save()
    found = run(dataset, "task1")
    assert found.exit_code == 0, found.stderr
    assert "task1 auroc: 0.5" in found.stdout
    assert "entry 4 counts as missing" in found.stderr
    assert report_of(dataset)["metrics"]["auroc"]["value"] == 0.5


def test_label_maps_as_nibabel_writes_them_are_scored(tmp_path):
    dataset = Dataset(tmp_path, fomo26(), "task2")
    mask = np.zeros((5, 5, 5))
    mask[1:4, 1:4, 1:4] = 1
    for case, found in {"a": mask, "b": mask * 0, "c": mask + 1}.items():
        dataset.reference_map(case, mask)
        nibabel.save(nibabel.Nifti1Image(found, np.eye(4)), dataset.predictions / f"{case}.nii.gz")
    dataset.save()
    found = run(dataset, "task2")
    assert found.exit_code == 0, found.stderr
    assert report_of(dataset)["per_case"]["dsc"] == [1, 0, 0]
    assert "entry 3 counts as missing" in found.stderr  # its labels go up to 2
    assert "affine" not in found.stderr
    assert report_of(dataset)["extras"]["other_affine"] == []


@pytest.mark.parametrize(("cases", "named"), [(3, "entry 2"), (50, "entries 2, 4, 6"), (50, "and 5 more")])
def test_masks_of_another_affine_are_counted_and_named(cases, named, tmp_path):
    dataset = Dataset(tmp_path, fomo26(), "task2")
    mask = np.zeros((5, 5, 5))
    mask[1:4, 1:4, 1:4] = 1
    mirrored = np.diag([-1, 1, 1, 1])
    for number in range(cases):
        dataset.reference_map(f"c{number}", mask)
        image = nibabel.Nifti1Image(mask, mirrored if number % 2 else np.eye(4))
        nibabel.save(image, dataset.predictions / f"c{number}.nii.gz")
    dataset.save()
    found = run(dataset, "task2")
    assert found.exit_code == 0, found.stderr
    assert f"task2: {cases // 2} of {cases} masks have another affine than the reference" in found.stderr
    assert named in found.stderr
    assert report_of(dataset)["extras"]["other_affine"] == [f"c{number}" for number in range(1, cases, 2)]


@pytest.fixture
def overlay(tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text(json.dumps({"boards": {name: {"probe": SMALL_PROBE} for name in ("task6", "task7")}}))
    return path


def test_a_probe_board_is_scored_with_an_overlay(tmp_path, overlay):
    dataset = embeddings(tmp_path / "data")
    dataset.save()
    found = run(dataset, "task7", "--overlay", overlay)
    assert found.exit_code == 0, found.stderr
    assert report_of(dataset)["extras"]["groups"]["sex"]["f"]["size"] > 0


def test_a_rejected_run_has_a_report_and_exit_code_1(tmp_path, overlay):
    dataset = embeddings(tmp_path / "data")
    dataset.predict("sub-0", np.ones(4))
    dataset.save()
    found = run(dataset, "task6", "--overlay", overlay)
    assert found.exit_code == 1
    assert "rejected: The embeddings of a run must all have the same width" in found.stderr
    assert report_of(dataset)["rejected"]


def test_what_cannot_be_scored_ends_with_a_sentence_and_exit_code_2(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1], [0.1, 0.8])
    dataset.save()
    for changed, message in [
        ({"board": "task9"}, "there is no board 'task9'"),
        ({"manifest": tmp_path / "none.json"}, "there is no such file"),
        ({"references": tmp_path / "none"}, "there is no such directory"),
        ({"predictions": tmp_path / "none"}, "there is no such directory"),
        ({"challenge": tmp_path / "none.yaml"}, "there is no such file"),
        ({"json": tmp_path / "none" / "report.json"}, "No such file"),
        ({"board": "task2"}, "reference"),
    ]:
        found = run(dataset, **{"board": "task1"} | changed)
        assert found.exit_code == 2, changed
        assert message in found.stderr
        assert "Traceback" not in found.stderr
