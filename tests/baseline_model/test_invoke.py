"""One process answers several cases as fresh ones would, and one bad case does not end the others."""

import json
import subprocess
import sys
from pathlib import Path

from baseline_model import call
from demo.brains import make_case
from demo.brains.layout import write_scans

CHECKOUT = Path(__file__).parents[2]


def test_one_process_answers_as_fresh_ones_do(tmp_path: Path) -> None:
    arguments = {}
    for number in (1, 2):
        case = make_case("task3", "validation", number, seed=3)
        write_scans(tmp_path, case)
        scan = tmp_path / case.subject / case.session / "t1w.nii.gz"
        arguments[f"case_{number}"] = ["--t1", str(scan), "--output", str(tmp_path / f"case_{number}.txt")]
    asked = {
        "unreadable": ["--t1", str(tmp_path / "none.nii.gz"), "--output", str(tmp_path / "none.txt")],
        "misspelt": ["--t7", "x"],
        **arguments,
    }

    said = _serve([{"case": case, "arguments": given} for case, given in asked.items()])

    assert said == [{"case": case, "ok": case in arguments} for case in asked]
    for name, given in arguments.items():
        served = (tmp_path / f"{name}.txt").read_text()
        call.answer_case([*given[:-1], str(tmp_path / "fresh.txt")])
        assert served == (tmp_path / "fresh.txt").read_text()


def _serve(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    """What the program answers to these lines on standard output, and nothing else is printed there."""
    done = subprocess.run(
        [sys.executable, "baseline_model/predict.py", "--invoke"],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(CHECKOUT), "PROCTOR_TASK": "task3", "PATH": "/usr/bin:/bin"},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
