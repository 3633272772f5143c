"""One process answers several cases as fresh ones would, and one bad case does not end the others."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from baseline_model import call
from baseline_model.scans import CaseFault
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


def test_what_asks_for_no_case_is_said_and_passed_over_unless_it_names_one(tmp_path: Path) -> None:
    case = make_case("task3", "validation", 1, seed=3)
    write_scans(tmp_path, case)
    scan = tmp_path / case.subject / case.session / "t1w.nii.gz"
    good = {"case": "good", "arguments": ["--t1", str(scan), "--output", str(tmp_path / "good.txt")]}
    unheard = ["no JSON", "[1, 2]", "\udcff\udcfe", 100_000 * "[", "", '{"case": 1, "arguments": []}']
    named = ['{"case": "x"}', '{"case": "y", "arguments": [1]}']
    lines = [
        *unheard,
        *named,
        json.dumps({"case": "bad", "arguments": ["--t1", "/none", *good["arguments"][2:]]}),
    ]

    done = _run([*lines, json.dumps(good | {"priority": 3})])

    failed = [{"case": case, "ok": False} for case in ("x", "y", "bad")]
    assert _answers(done) == [*failed, {"case": "good", "ok": True}]
    assert (tmp_path / "good.txt").exists()
    said = done.stderr.splitlines()
    assert len(said) == len(lines), said
    told = [line.startswith("the line asks for no case: ") for line in said]
    assert told == [True] * len(unheard + named) + [False]


def test_without_a_checkpoint_it_ends_with_a_sentence(tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "baseline_model", tmp_path / "baseline_model")
    (tmp_path / "baseline_model" / "checkpoint.pt").write_bytes(b"no checkpoint")

    done = _run(['{"case": "x", "arguments": []}'], where=tmp_path, code=CaseFault.CHECKPOINT)

    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "checkpoint.pt: damaged, or no checkpoint of this network" in done.stderr


def _serve(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    """What the program answers to these lines on standard output, and nothing else is printed there."""
    return _answers(_run([json.dumps(line) for line in lines]))


def _answers(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def _run(lines: list[str], *, where: Path = CHECKOUT, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The program of the template in `where`, asked with these lines."""
    done = subprocess.run(
        [sys.executable, "baseline_model/predict.py", "--invoke"],
        input="".join(line + "\n" for line in lines),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        cwd=where,
        env={"PYTHONPATH": str(where), "PROCTOR_TASK": "task3", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == code, done.stderr
    return done
