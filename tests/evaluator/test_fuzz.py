"""Damaged files in, a sentence out: no command of the evaluator ends in a traceback or touches what it was given."""

import hashlib
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator import outputs
from evaluator.cli import app
from evaluator.scoring import score_outputs
from tests.evaluator import damage, reports
from tests.evaluator.datasets import CHALLENGES
from tests.evaluator.sound import KINDS, perfect, sound

KINDS_AND_SCORES = (*KINDS, "scores")

FILE = CHALLENGES / "fomo26" / "challenge.yaml"


def overlay(folder: Path) -> Path:
    """Small splits, few resamples and one seed, so that hundreds of runs take seconds."""
    probe = {"n_train": 3, "n_val": 1, "n_test": 4, "epochs": 2, "seeds": [42], "learning_rates": [0.1]}
    boards = {f"task{number}": {"bootstrap": {"resamples": 20}} for number in range(1, 8)}
    boards["task6"]["probe"] = boards["task7"]["probe"] = probe
    path = folder / "overlay.yaml"
    path.write_text(json.dumps({"boards": boards}))
    return path


def held(folder: Path) -> dict[str, str]:
    """Every file below a folder and its digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def ended(command: str, options: dict[str, Path | str], codes: set[int], seed: int) -> int:
    """Runs a command; it must end with one of the documented codes and, but for 0, with a sentence."""
    arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    found = CliRunner().invoke(app, [command, *arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), (seed, command, found.exc_info)
    assert found.exit_code in codes, (seed, found.exit_code, found.output)
    said = found.stderr + found.stdout
    assert "Traceback" not in said, seed
    if found.exit_code:
        assert len(said.split()) > 2, (seed, said)
    return found.exit_code


def score(folder: Path, task: str, seed: int) -> None:
    """One damaged dataset or run through `score`."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice, not a secret
    whole = sound(folder, task, chance)
    manifest = folder / "manifest.json"
    manifest.write_text(whole.save().model_dump_json())
    for case in whole.manifest.names:
        whole.answer(case, outputs.encode(whole.task, perfect(whole, case)))
    for _ in range(chance.choice((1, 1, 2, 3))):
        _damage(chance, whole, manifest)
    before = held(folder)
    options: dict[str, Path | str] = {
        "challenge": FILE,
        "overlay": overlay(folder),
        "board": "task7" if task == "task6" and chance.random() < 0.5 else task,
        "manifest": manifest,
        "references": whole.references,
        "predictions": whole.answers,
        "json": folder / "report.json",
    }
    code = ended("score", options, {0, 1, 2, 3}, seed)
    after = held(folder)
    after.pop("overlay.yaml")
    assert (after.pop("report.json", None) is None) == (code == 2), seed
    assert after == before, seed


def _damage(chance: random.Random, whole, manifest: Path) -> None:
    case = chance.choice([str(row["case"]) for row in whole.rows])
    answer = whole.answers / f"{case}{whole.task.output.suffix}"
    choices = [(whole.table, damage.table)] * 4 + [(manifest, damage.document)]
    choices += [(answer, lambda chance, content: damage.answer(chance, content, whole.task.output.kind))] * 3
    if whole.task.output.kind == "segmentation":
        choices += [(whole.reference_path(case), damage.image)] * 4
    path, way = chance.choice(choices)
    content = path.read_bytes()
    if content:  # not twice what has nothing left, nor what is no more what it was
        try:
            path.write_bytes(way(chance, content))
        except (ValueError, OSError, EOFError):
            path.write_bytes(content[: len(content) // 2])


def place(folder: Path, seed: int) -> None:
    """Damaged scores and reports through `rank` and `report`."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice, not a secret
    folder.mkdir(parents=True)
    given = folder / "reports"
    reports.write(given, **reports.season(teams=3, seed=seed % 5))
    (given / "teams.csv").write_text("team,is_baseline,eligible\nteam0,0,1\nteam1,1,0\n")
    scores = folder / "scores.csv"
    rows = [
        f"team{team},open,task{task},{key},0.{team}"
        for team in range(3)
        for task, key in ((1, "auroc"), (2, "dsc"))
    ]
    scores.write_text("team,track,task,metric,value\n" + "\n".join(rows) + "\n")
    files = [scores, given / "teams.csv", given / "team1/open/task1.json", given / "team2/open/task2.json"]
    for path in files:
        way = damage.document if path.suffix == ".json" else damage.table
        if path == scores or chance.random() < 0.5:
            path.write_bytes(way(chance, path.read_bytes()))
    before = held(folder)
    ended("rank", {"challenge": FILE, "scores": scores}, {0, 1, 2}, seed)
    ended("rank", {"challenge": FILE, "reports": given}, {0, 1, 2, 3}, seed)
    code = ended(
        "report", {"challenge": FILE, "reports": given, "out": folder / "page.html"}, {0, 1, 2, 3}, seed
    )
    after = held(folder)
    assert (after.pop("page.html", None) is None) == (code != 0), seed
    assert after == before, seed


def check(folder: Path, task: str, seed: int) -> None:
    """A damaged output, or a damaged input, through `check`."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice, not a secret
    whole = sound(folder, task, chance)
    whole.save()
    case = whole.manifest.names[0]
    content = outputs.encode(whole.task, perfect(whole, case))
    whole.answer(case, damage.answer(chance, content, whole.task.output.kind))
    if chance.random() < 0.3:
        path = chance.choice(list(whole.input_paths(case).values()))
        path.write_bytes(damage.image(chance, path.read_bytes()))
    before = held(folder)
    output = whole.answers / f"{case}{whole.task.output.suffix}"
    options: dict[str, Path | str] = {
        "challenge": FILE,
        "task": task,
        "output": output,
        "inputs": whole.inputs / case,
    }
    ended("check", options, {0, 1, 2}, seed)
    assert held(folder) == before, seed


def many(tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        folder = tmp_path / str(seed)
        task = KINDS[seed % len(KINDS)]
        score(folder / "score", task, seed)
        check(folder / "check", task, seed)
        if seed % 4 == 0:
            place(folder / "rank", seed)
        shutil.rmtree(folder)


def test_damaged_files_end_in_sentences(tmp_path):
    many(tmp_path, range(50))


@pytest.mark.long
@pytest.mark.parametrize("start", range(1000, 2000, 100))
def test_many_damaged_files_end_in_sentences(tmp_path, start):
    many(tmp_path, range(start, start + 100))


def faultless(folder: Path, task: str, seed: int) -> bool:
    """Whether the check lets a perhaps damaged dataset pass; if so, whatever is submitted to it must be scored."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice, not a secret
    whole = sound(folder, task, chance)
    whole.save()
    for _ in range(chance.choice((0, 1, 1, 2))):
        _damage_dataset(chance, whole)
    findings = whole.findings()
    if any(one.severity == "error" for one in findings):
        return False
    doubted = any(one.code == "not_perfect" for one in findings)
    truths = {case: perfect(whole, case) for case in whole.manifest.names}
    for kind in ("perfect", "empty", "random"):
        for case, value in truths.items():
            (whole.answers / f"{case}{whole.task.output.suffix}").unlink(missing_ok=True)
            if kind == "perfect" or (kind == "random" and chance.random() < 0.9):
                whole.answer(
                    case, outputs.encode(whole.task, value if kind == "perfect" else _noise(chance, value))
                )
        for board in whole.spec.boards_of(whole.name):
            report = score_outputs(whole.spec, board, whole.manifest, whole.references, whole.read)
            assert all(one.fault is None for one in report.metrics.values()), seed
            if kind == "perfect" and not doubted:
                for key, one in report.metrics.items():
                    lower = whole.spec.boards[board].metrics[key].metric in ("mae", "ovr_brier")
                    best = 0.0 if lower else 1.0
                    assert one.value == pytest.approx(best, abs=1e-6), (seed, board, key, one.reason)
    return True


def _noise(chance: random.Random, value: outputs.Value) -> outputs.Value:
    if isinstance(value, float):
        return chance.random()
    if isinstance(value, tuple):
        return tuple(chance.random() for _ in value)
    stream = np.random.default_rng(chance.randrange(1000))
    if isinstance(value, outputs.LabelMap):
        return outputs.LabelMap(stream.integers(0, 2, value.array.shape).astype(np.uint8), value.affine)
    return stream.normal(0, 1, len(value)).astype(np.float32)


def _damage_dataset(chance: random.Random, whole) -> None:
    case = chance.choice([str(row["case"]) for row in whole.rows])
    choices = [(whole.table, damage.table)] * 3
    choices.append((chance.choice(list(whole.input_paths(case).values())), damage.image))
    if whole.task.output.kind == "segmentation":
        choices += [(whole.reference_path(case), damage.image)] * 3
    path, way = chance.choice(choices)
    try:
        path.write_bytes(way(chance, path.read_bytes()))
    except (ValueError, OSError, EOFError):
        path.write_bytes(b"")


def passed(tmp_path: Path, seeds: range) -> int:
    found = 0
    for seed in seeds:
        found += faultless(tmp_path / str(seed), KINDS_AND_SCORES[seed % len(KINDS_AND_SCORES)], seed)
        shutil.rmtree(tmp_path / str(seed))
    return found


def test_what_the_check_lets_pass_can_be_scored_and_the_perfect_submission_is_perfect(tmp_path):
    assert 10 < passed(tmp_path, range(50)) < 50


@pytest.mark.long
@pytest.mark.parametrize("start", range(1000, 3000, 200))
def test_what_the_check_lets_pass_can_be_scored_whatever_was_damaged(tmp_path, start):
    assert passed(tmp_path, range(start, start + 200)) > 40
