"""Scoring in child processes: alone and beside others, with what may happen to the process that they share."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import numpy as np
import pytest
import typer

from contract.ids import DatasetId, SpecVersionId
from evaluator.cli.score import load_ground, score_on
from evaluator.manifest import load_references
from evaluator.scoring import KeptReferences, Report
from evaluator.spec import merge, parse_challenge
from server.disk import Room, no_room
from server.errors import StorageFull
from server.evaluations.scoring import Alike
from tests.evaluator.datasets import Dataset, embeddings, fomo26, numbers
from tests.evaluator.test_metrics_kept import points
from worker.score import child
from worker.score.child import Scorer, ScoringFailed, ScoringLate
from worker.score.evaluations import _Pass

T = TypeVar("T")


@dataclass(frozen=True)
class Outputs:
    """The outputs of one team, laid out as a score worker does."""

    folder: Path
    references: Path

    def scored(self, scorer: Scorer, board: str, *, shared: bool = True, room: Room | None = None) -> Report:
        room = room or Room(self.folder, 0)
        return scorer.score(self.folder, board=board, references=self.references, room=room, shared=shared)

    def alone(self, board: str) -> Report:
        """What somebody reports who reads everything for these outputs."""
        challenge, manifest, file = (
            self.folder / f"{name}.json" for name in ("challenge", "manifest", "alone")
        )
        with suppress(typer.Exit):
            score_on(
                lambda: load_ground(challenge, None, manifest, self.references),
                board=board,
                predictions=self.folder / "predictions",
                report_file=file,
                cache=None,
            )
        return Report.model_validate_json(file.read_bytes())


def laid_out(dataset: Dataset, name: str, *, missing: int = 0) -> Outputs:
    """What is predicted so far as the outputs of a team, of which the first so many are missing."""
    if not dataset.manifest.exists():
        dataset.save_for_command()
    folder = dataset.root / name
    folder.mkdir()
    (folder / "challenge.json").write_text(json.dumps(dataset.challenge.model_dump(mode="json")))
    shutil.copy(dataset.manifest, folder)
    shutil.copytree(dataset.predictions, folder / "predictions")
    for file in sorted((folder / "predictions").iterdir())[:missing]:
        file.unlink()
    return Outputs(folder, dataset.references)


def cube(size: int, place: int) -> np.ndarray:
    labels = np.zeros((14, 13, 12), np.uint8)
    labels[place : place + size, 2 : 2 + size, 3 : 3 + size] = 1
    return labels


def segmentations(root: Path) -> Dataset:
    found = Dataset(root, fomo26(), "task2")
    for number in range(6):
        found.reference_map(f"c{number}", cube(4, number), spacing=(1, 0.5 + number / 4, 2))
        found.predict(f"c{number}", cube(3 + number % 3, number + 1))
    return found


def of_numbers(root: Path) -> Dataset:
    labels = [0, 1, 0, 1, 1, 0, 1, 0]
    return numbers(root, "task1", labels, [0.1, 0.8, 0.3, 0.7, 0.2, 0.6, 0.9, 0.4])


def of_points(root: Path) -> Dataset:
    return points(root, 26)


def of_embeddings(root: Path) -> Dataset:
    found, seeds = embeddings(root), {"probe": {"seeds": [42, 43, 44]}}
    content = merge(found.challenge.model_dump(mode="json"), {"boards": {"task6": seeds, "task7": seeds}})
    found.challenge = parse_challenge(content)
    return found


@pytest.mark.parametrize(
    ("make", "boards"),
    [
        (of_numbers, ["task1"]),
        (of_points, ["task1"]),
        (segmentations, ["task2"]),
        (of_embeddings, ["task6", "task7"]),
    ],
)
def test_a_report_is_the_same_alone_and_beside_others_in_any_order(
    tmp_path: Path, make: Callable[[Path], Dataset], boards: list[str]
) -> None:
    dataset = make(tmp_path)
    # Of embeddings one that the probe is trained on is missing, so that the run is rejected.
    teams = [laid_out(dataset, "whole"), laid_out(dataset, "gaps", missing=2)]
    work = [(team, board) for team in teams for board in boards]
    expected = [team.alone(board) for team, board in work]
    assert any(report.rejected for report in expected) is (make is of_embeddings)
    with Scorer() as scorer:
        assert teams[0].scored(scorer, boards[0], shared=False) == expected[0]
        for turn in (*work, *work[::-1]):
            assert turn[0].scored(scorer, turn[1]) == expected[work.index(turn)]


def test_references_are_read_once_until_they_are_exchanged(tmp_path: Path) -> None:
    team = laid_out(segmentations(tmp_path), "team")
    with Scorer() as scorer:
        before = team.scored(scorer, "task2")
        file = team.references / "c0.nii.gz"
        times, content = file.stat(), file.read_bytes()
        file.write_bytes(bytes(len(content)))
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert team.scored(scorer, "task2") == before
        file.write_bytes((team.references / "c1.nii.gz").read_bytes())
        kept = scorer.pid
        after = team.scored(scorer, "task2")
        assert scorer.pid == kept, "it had not failed before"
    assert after == team.alone("task2") != before


def test_label_maps_are_kept_as_far_as_there_is_room(tmp_path: Path) -> None:
    dataset = segmentations(tmp_path)
    manifest = dataset.save_for_command()
    given = load_references(dataset.references, manifest)
    kept = KeptReferences(given.directory, given.rows, given.others, room=3 * cube(1, 0).nbytes)
    output = dataset.task.output
    for case in (*manifest.names, *manifest.names):
        assert (kept.label_map(case, output).labels == given.label_map(case, output).labels).all()
    assert [*kept.kept] == ["c0", "c1", "c2"]


def test_whatever_becomes_of_the_process_that_is_shared_the_next_report_is_the_same(tmp_path: Path) -> None:
    team = laid_out(of_numbers(tmp_path), "team")
    with Scorer() as scorer:
        first = team.scored(scorer, "task1")
        os.kill(pid_of(scorer), signal.SIGKILL)
        assert team.scored(scorer, "task1") == first
        assert team.scored(scorer, "task1") == first
        pages = int(Path(f"/proc/{pid_of(scorer)}/statm").read_text().split()[0])
        no_more = pages * os.sysconf("SC_PAGE_SIZE")
        resource.prlimit(pid_of(scorer), resource.RLIMIT_AS, (no_more, no_more))
        assert team.scored(scorer, "task1") == first, "its children have no memory"


def test_what_takes_too_long_or_too_much_of_the_disk_ends_and_leaves_the_next_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(Room):
        def require(self, size: int = 1) -> None:
            raise no_room(size, 0)

    team = laid_out(segmentations(tmp_path), "team")
    file = team.references / "c3.nii.gz"
    content, before = file.read_bytes(), children(os.getpid())
    monkeypatch.setattr(child, "_LOOK_EVERY", 100)
    with Scorer() as scorer:
        first = team.scored(scorer, "task2")
        for shared in (True, False):  # the process hangs itself, or its child
            file.unlink()
            os.mkfifo(file)
            if shared:
                with pytest.raises(StorageFull):
                    team.scored(scorer, "task2", room=Full(tmp_path, 0))
            else:
                monkeypatch.setattr(child, "SECONDS", 1)
                with pytest.raises(ScoringLate, match="task2: still running after 1 s"):
                    team.scored(scorer, "task2", shared=False)
                monkeypatch.setattr(child, "SECONDS", 60)
            assert scorer.pid is None
            assert children(os.getpid()) == before
            file.unlink()
            file.write_bytes(content)
            assert team.scored(scorer, "task2") == first


def test_nothing_goes_on_where_the_worker_was_killed(tmp_path: Path) -> None:
    team = laid_out(segmentations(tmp_path), "team")
    (team.references / "c0.nii.gz").unlink()
    os.mkfifo(team.references / "c0.nii.gz")
    script = (
        "import sys; from pathlib import Path; from server.disk import Room; from worker.score.child import Scorer; "
        "folder = Path(sys.argv[1]); Scorer().score(folder, board='task2', references=Path(sys.argv[2]), "
        "room=Room(folder, 0), shared=False)"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, str(team.folder), str(team.references)])
    nursery = wait_for(lambda: children(worker.pid))[0]
    born = wait_for(lambda: children(nursery))[0]
    worker.kill()
    worker.wait()
    wait_for(lambda: not any(map(alive, (nursery, born))))


def test_a_process_that_has_loaded_other_code_or_references_scores_nothing_more(tmp_path: Path) -> None:
    alike, others = (Alike(SpecVersionId(uuid4()), DatasetId(uuid4()), "task5") for _ in range(2))
    with Scorer() as scorer:
        turn = _Pass(scorer)
        assert turn.preferred() is None
        for group, code, goes_on in (
            (alike, 1, False),
            (alike, 1, True),
            (alike, 2, False),
            (alike, 2, True),
            (others, 2, False),
        ):
            turn.begin(group, {"task5": code})
            assert (scorer.pid is not None) is goes_on
            assert turn.preferred() == group
            scorer._alive(tmp_path / "said")


def test_a_metric_of_ours_that_fails_is_a_fault_of_ours_and_names_itself(tmp_path: Path) -> None:
    dataset = of_numbers(tmp_path)
    broken = {"odd": {"metric": "tests.evaluator.broken_metrics:raises"}}
    team = laid_out(dataset, "team")
    content = merge(dataset.challenge.model_dump(mode="json"), {"boards": {"task1": {"metrics": broken}}})
    (team.folder / "challenge.json").write_text(json.dumps(content))
    with (
        Scorer() as scorer,
        pytest.raises(ScoringFailed, match=r"broken_metrics:raises failed: it raised KeyError"),
    ):
        team.scored(scorer, "task1")


@pytest.mark.parametrize(
    ("written", "said"),
    [('{"board": "task1"', "Invalid JSON"), ('{"board": "task1", "cases": [], "per_case": {}}', "extras")],
)
def test_a_report_that_cannot_be_read_is_a_fault_of_ours_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, said: str
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nprintf '%s' '{written}' > {tmp_path}/task1.json\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    with Scorer() as scorer, pytest.raises(ScoringFailed) as failed:
        Outputs(tmp_path, tmp_path).scored(scorer, "task1")
    assert re.match(rf"task1: its report cannot be read: .*{said}", str(failed.value))
    assert "https://" not in str(failed.value)


def pid_of(scorer: Scorer) -> int:
    assert scorer.pid is not None
    return scorer.pid


def children(parent: int) -> list[int]:
    """The processes that this one has started and that are still there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, its_parent = entry.read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state != "Z":
                found.append(int(entry.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(found: Callable[[], T]) -> T:
    until = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return value
