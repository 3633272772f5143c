import json
import shutil

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
    dataset.save_for_command()
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
    dataset.save_for_command()
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
    dataset.save_for_command()
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
    dataset.save_for_command()
    found = run(dataset, "task7", "--overlay", overlay)
    assert found.exit_code == 0, found.stderr
    assert report_of(dataset)["extras"]["groups"]["sex"]["f"]["size"] > 0


def test_a_rejected_run_has_a_report_and_exit_code_1(tmp_path, overlay):
    dataset = embeddings(tmp_path / "data")
    dataset.predict("sub-0", np.ones(4))
    dataset.save_for_command()
    found = run(dataset, "task6", "--overlay", overlay)
    assert found.exit_code == 1
    assert "rejected: The embeddings of a run must all have the same width" in found.stderr
    assert report_of(dataset)["rejected"]


def test_what_cannot_be_scored_ends_with_a_sentence_and_exit_code_2(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1], [0.1, 0.8])
    dataset.save_for_command()
    (dataset.predictions / "c0.nii.gz").write_bytes(b"")
    for changed, message in [
        ({"board": "task9"}, "there is no board 'task9'"),
        ({"manifest": tmp_path / "none.json"}, "there is no such file"),
        ({"references": tmp_path / "none"}, "there is no such directory"),
        ({"predictions": tmp_path / "none"}, "there is no such directory"),
        ({"challenge": tmp_path / "none.yaml"}, "there is no such file"),
        (
            {"json": tmp_path / "none" / "report.json"},
            f"--json {tmp_path / 'none' / 'report.json'}: there is no directory {tmp_path / 'none'}; make it first",
        ),
        ({"json": tmp_path}, f"--json {tmp_path}: is a directory; name a file in it"),
        ({"board": "task2"}, "reference"),
        ({"references": tmp_path}, f"there is no references.csv in {tmp_path}"),
    ]:
        found = run(dataset, **{"board": "task1"} | changed)
        assert found.exit_code == 2, changed
        assert message in found.stderr
        assert "Traceback" not in found.stderr


def test_a_directory_above_the_outputs_is_refused_with_those_that_hold_them(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1], [0.1, 0.8])
    dataset.save_for_command()
    for team in ("Axon", "Cortex"):
        shutil.copytree(dataset.predictions, tmp_path / "teams" / team)
    (tmp_path / "teams" / "Empty").mkdir()
    found = run(dataset, "task1", predictions=tmp_path / "teams")
    assert found.exit_code == 2
    assert (
        f"{tmp_path / 'teams'}: no output of the 2 cases of the manifest is here, the first would be c0.txt; "
        f"Axon, Cortex in it hold some: did you mean --predictions {tmp_path / 'teams' / 'Axon'}?"
    ) in found.stderr
    assert "counts as missing" not in found.stderr
    assert not (tmp_path / "report.json").exists()


def test_outputs_of_other_names_only_are_refused_with_what_is_there(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1], [None, None])
    (dataset.predictions / "c_0.txt").write_text("0.1")
    dataset.save_for_command()
    found = run(dataset, "task1")
    assert found.exit_code == 2
    assert (
        "the first would be c0.txt; it holds c_0.txt: give the directory of one team's outputs"
        in found.stderr
    )


def test_a_run_without_any_valid_output_is_scored_from_an_empty_directory(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1], [None, None])
    dataset.save_for_command()
    found = run(dataset, "task1")
    assert found.exit_code == 0, found.stderr
    assert report_of(dataset)["extras"]["missing"] == 2


def test_files_and_rows_that_belong_to_no_case_are_counted_and_named(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1, 0, 1], [0.1, 0.8, 0.3, 0.7])
    for name in ("c_0.txt", "c_1.txt", "c_2.txt", "notes.md", ".hidden"):
        (dataset.predictions / name).write_text("0.1")
    dataset.save_for_command()
    manifest = json.loads(dataset.manifest.read_text())
    manifest["cases"].pop(1)
    for case in manifest["cases"]:
        case["files"]["t1w"] = case["files"]["flair"]
    dataset.manifest.write_text(json.dumps(manifest))
    found = run(dataset, "task1")
    assert found.exit_code == 0, found.stderr
    assert (
        "5 files are of no case of the manifest and not read: c1.txt, c_0.txt, c_1.txt and 2 more"
        in found.stderr
    )
    assert "1 row is of no case of the manifest and not read, the first in line 3" in found.stderr
    assert "inputs that 'Acute infarct classification' is not called with: t1w." in found.stderr


def test_the_manifest_of_another_task_is_refused(tmp_path):
    dataset = numbers(tmp_path, "task3", [40, 50], [41, 52])
    dataset.save_for_command()
    found = run(dataset, "task1")
    assert found.exit_code == 2
    said = "manifest.json: entry 1: there is no file for flair, which 'Acute infarct classification' is called with"
    assert f"{said}, but t1w" in found.stderr
