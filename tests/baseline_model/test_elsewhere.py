"""Both templates' programs where there is no POSIX, as on Windows, where people write and test them."""

import json
import os
import subprocess
import sys
from pathlib import Path

from client.begun import begin
from demo.brains import make_case
from demo.brains.layout import write_scans

ROOT = Path(__file__).resolve().parents[2]


def elsewhere(program: Path, *words: object, asked: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(Path(__file__).with_name("elsewhere.py")), str(program), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PROCTOR_TASK": "task4"}
    return subprocess.run(command, env=environment, input=asked, capture_output=True, text=True, check=False)


def test_the_template_answers_there_and_says_its_times_without_its_memory(tmp_path: Path) -> None:
    case = make_case("task4", "validation", 1, seed=3, spacing_mm=2.0)
    write_scans(tmp_path, case)
    scan = tmp_path / case.subject / case.session / "t2w.nii.gz"
    done = elsewhere(
        ROOT / "baseline_model" / "predict.py", "--t2", scan, "--output", tmp_path / "a.nii.gz", "--times"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.nii.gz").stat().st_size > 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("times (of processors): start ")
    assert "memory" not in line


def test_the_skeleton_answers_case_after_case_there(tmp_path: Path) -> None:
    begin(tmp_path / "mine", None, "points", None, template="skeleton", invoke=True)
    asked = [
        {
            "case": str(number),
            "arguments": ["--image", str(image), "--output", str(tmp_path / f"{number}.json")],
        }
        for number, image in enumerate(sorted((tmp_path / "mine" / "cases").rglob("*.nii.gz")))
    ]
    assert len(asked) == 2
    lines = "".join(f"{json.dumps(one)}\n" for one in asked)
    done = elsewhere(tmp_path / "mine" / "predict.py", "--invoke", asked=lines)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"case": one["case"], "ok": True} for one in asked
    ]
