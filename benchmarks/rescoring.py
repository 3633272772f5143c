"""Fifty teams scored anew on every task of FOMO26, against a process per board that reads everything itself."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.outputs import fill
from benchmarks.support.services import installation
from contract.statuses import EvaluationStatus
from server.database import unit_of_work
from server.datasets.service import inputs_manifest
from server.evaluations.models import Evaluation
from server.settings import Settings
from server.tables import open_database
from worker.score.evaluations import score_waiting

_TEAMS, _CASES, _LANES, _SAMPLE = 50, 100, 2, 2
_LEAST = 3.0


def run() -> list[Comparison]:
    """The score worker's whole way, from claim to receipt, and the bare command on a sample of the same outputs."""
    with installation() as settings:
        sessions = open_database(settings.database_url)
        with unit_of_work(sessions) as session:
            fill(session, settings, teams=_TEAMS, cases=_CASES)
        with unit_of_work(sessions) as session:
            commands = _commands(session, settings)
        with ThreadPoolExecutor(_LANES) as lanes:
            alone = _spent(lambda: list(lanes.map(_alone, commands)))
            ours = _spent(lambda: list(lanes.map(lambda _: score_waiting(sessions, settings), range(_LANES))))
        with unit_of_work(sessions) as session:
            left = session.scalar(select(func.count()).where(Evaluation.status != EvaluationStatus.SCORED))
        if left:
            raise RuntimeError(f"{left} evaluations were not scored")
    boards, times = sum(map(len, commands)) * _TEAMS // _SAMPLE, _TEAMS / _SAMPLE
    name = f"{boards} boards of {_TEAMS} teams × {_CASES} cases"
    labels = "score worker", f"a process each, extrapolated from {_SAMPLE} teams"
    return [
        Comparison(f"{name}, {what}", Side(labels[0], (own,)), Side(labels[1], (other * times,)), least=least)
        for what, own, other, least in (
            ("processor time", ours[1], alone[1], _LEAST),
            (f"{_LANES} at once, by the clock", ours[0], alone[0], None),
        )
    ]


def _spent(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of processors: of this process and of all that ended meanwhile."""
    began, before = time.perf_counter(), sum(os.times()[:4])
    action()
    return time.perf_counter() - began, sum(os.times()[:4]) - before


def _commands(session: Session, settings: Settings) -> list[list[list[str]]]:
    """What scores the boards of some teams' evaluations, of outputs laid out as the score worker does."""
    query = select(Evaluation).order_by(Evaluation.task, Evaluation.id)
    by_task: dict[str, list[Evaluation]] = {}
    for evaluation in session.scalars(query):
        by_task.setdefault(evaluation.task, []).append(evaluation)
    found = []
    for evaluation in [one for evaluations in by_task.values() for one in evaluations[:_SAMPLE]]:
        folder = settings.data / "alone" / str(evaluation.id)
        _lay_out(folder, evaluation, settings)
        references = settings.references / evaluation.dataset.folder
        boards = evaluation.spec_version.spec.boards_of(evaluation.task)
        found.append([_command(folder, board, references) for board in boards])
    return found


def _lay_out(folder: Path, evaluation: Evaluation, settings: Settings) -> None:
    predictions, suffix = (
        folder / "predictions",
        evaluation.spec_version.spec.tasks[evaluation.task].output.suffix,
    )
    predictions.mkdir(parents=True)
    (folder / "challenge.json").write_text(json.dumps(evaluation.spec_version.content), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(inputs_manifest(evaluation.dataset)), encoding="utf-8")
    settings.blobs.bring(
        {predictions / f"{case.case.name}{suffix}": str(case.output) for case in evaluation.runs}
    )


def _command(folder: Path, board: str, references: Path) -> list[str]:
    command = [sys.executable, "-m", "evaluator", "score", "--board", board]
    command += ["--json", str(folder / f"{board}.json"), "--cache", str(folder / "probes")]
    command += ["--challenge", str(folder / "challenge.json"), "--manifest", str(folder / "manifest.json")]
    return [*command, "--references", str(references), "--predictions", str(folder / "predictions")]


def _alone(commands: list[list[str]]) -> None:
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, env=os.environ | one_thread)
