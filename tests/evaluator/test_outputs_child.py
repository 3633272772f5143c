import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from evaluator.outputs import decode
from evaluator.spec import load_challenge

TASKS = load_challenge(Path(__file__).parents[2] / "challenges/fomo26/challenge.yaml").tasks


def ask(request) -> tuple[int, dict]:
    command = [sys.executable, "-m", "evaluator.outputs.child"]
    text = request if isinstance(request, str) else json.dumps(request)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def request_for(tmp_path):
    def build(task, output, inputs=()):
        return {
            "task": TASKS[task].model_dump(mode="json"),
            "output": str(tmp_path / output),
            "inputs": {key: str(tmp_path / name) for key, name in dict(inputs).items()},
            "destination": str(tmp_path / "canonical"),
        }

    return build


def test_a_valid_output_is_written_in_canonical_form(tmp_path, request_for):
    mask = np.zeros((4, 5, 6), np.int16)
    mask[1] = 1
    nib.save(nib.Nifti1Image(mask, np.eye(4)), tmp_path / "case.nii.gz")
    code, answer = ask(request_for("task2", "case.nii.gz", {"flair": "case.nii.gz"}))
    canonical = (tmp_path / "canonical").read_bytes()
    assert (code, answer["valid"], answer["check"], answer["size"]) == (0, True, None, len(canonical))
    np.testing.assert_array_equal(decode(TASKS["task2"], canonical), mask)


def test_an_invalid_output_writes_nothing(tmp_path, request_for):
    (tmp_path / "case.txt").write_text("1.5")
    code, answer = ask(request_for("task1", "case.txt"))
    assert code == 0
    assert answer == {
        "valid": False,
        "check": "range",
        "message": "The value must lie between 0 and 1.",
        "warnings": [],
        "detail": "found 1.5",
        "size": None,
    }
    assert not (tmp_path / "canonical").exists()


def test_what_the_platform_did_wrong_is_told_apart(tmp_path, request_for):
    (tmp_path / "case.txt").write_text("0.5")
    (tmp_path / "canonical").write_text("in the way")
    assert ask(request_for("task1", "case.txt"))[0] == 3
    code, answer = ask(request_for("task2", "case.nii.gz", {"flair": "absent.nii.gz"}))
    assert (code, list(answer)) == (3, ["error"])
    assert ask("no JSON")[0] == 3
    assert ask({"task": {}})[0] == 3


def test_the_child_starts_without_scientific_libraries_it_does_not_need():
    code = "import sys, evaluator.outputs.child; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"scipy", "nibabel", "sklearn", "typer"} & set(loaded)
