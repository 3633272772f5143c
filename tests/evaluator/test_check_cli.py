import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator.cli import app

FOMO26 = Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml"


@pytest.fixture
def check(tmp_path):
    def run(task="task2", output="case.nii.gz", inputs="inputs", challenge=FOMO26):
        arguments = ["check", "--challenge", challenge, "--task", task]
        arguments += ["--output", tmp_path / output, "--inputs", tmp_path / inputs]
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    (tmp_path / "inputs").mkdir()
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.uint8), np.eye(4))
    nib.save(image, tmp_path / "inputs" / "flair.nii.gz")
    nib.save(image, tmp_path / "case.nii.gz")
    return run


def test_a_valid_output_exits_0_with_one_json_object(check):
    result = check()
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "valid": True,
        "check": None,
        "message": "The output is valid.",
        "warnings": [],
    }


def test_an_affine_that_differs_is_listed_as_a_warning(check, tmp_path):
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6), np.uint8), np.diag([2, 2, 2, 1])), tmp_path / "case.nii.gz")
    result = check()
    assert result.exit_code == 0
    assert json.loads(result.stdout)["warnings"] == ["The affine differs from that of the inputs."]


def test_an_invalid_output_exits_1_and_names_the_check(check, tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 7), np.uint8), np.eye(4)), tmp_path / "case.nii.gz")
    result = check()
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["valid"], answer["check"]) == (1, False, "shape")
    assert "(4, 5, 7)" in answer["message"]


def test_a_doubled_suffix_is_named(check, tmp_path):
    (tmp_path / "case.nii.gz").rename(tmp_path / "case.nii.gz.nii.gz")
    result = check()
    assert (result.exit_code, json.loads(result.stdout)["check"]) == (1, "missing")
    assert "found case.nii.gz.nii.gz" in json.loads(result.stdout)["message"]


def test_outputs_that_need_no_inputs_are_checked_without_any(check, tmp_path):
    (tmp_path / "case.txt").write_text("0.5")
    np.save(tmp_path / "case.npy", np.ones(16))
    (tmp_path / "none").mkdir()
    assert check("task1", "case.txt", "none").exit_code == 0
    assert check("task6", "case.npy", "none").exit_code == 0
    assert check("task6", "case.txt", "none").exit_code == 1


def test_usage_errors_exit_2_and_print_no_verdict(check, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "broken.yaml").write_text("challenge: [")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "flair.nii.gz").write_bytes(b"broken")
    cases = {
        "task7 is a board of task6: check task6": {"task": "task7"},
        "there is no task 'task9'": {"task": "task9"},
        "there is no such file": {"challenge": tmp_path / "absent.yaml"},
        "broken.yaml": {"challenge": tmp_path / "broken.yaml"},
        "there is no such directory": {"inputs": "absent"},
        "holds none of flair.nii.gz": {"inputs": "none"},
        "an input is not a readable NIfTI image": {"inputs": "broken"},
    }
    for message, changes in cases.items():
        result = check(**changes)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr
    assert CliRunner().invoke(app, ["check"]).exit_code == 2


def test_the_command_runs_as_a_module(tmp_path):
    (tmp_path / "case.txt").write_text("nan")
    command = [sys.executable, "-m", "evaluator", "check", "--challenge", FOMO26, "--task", "task5"]
    command += ["--output", tmp_path / "case.txt", "--inputs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["check"]) == (1, "finite")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_the_terminal_cannot_print_is_no_fault(tmp_path, encoding):
    """In a process of its own: what it prints to is set up at its start."""
    output = tmp_path / "Zürich\udcff.txt"
    output.write_text("Zürich")
    words = ["check", "--challenge", FOMO26, "--task", "task5", "--output", output, "--inputs", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "evaluator", *words],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"decimal_float" in done.stdout
