"""The template's container three ways: a fresh one per case, two fresh ones at once, one for many cases.

The same cases through the whole queue on one slot with all cores of this machine; the scores have to be identical.
"""

import subprocess
import tempfile
import uuid
from pathlib import Path

from sqlalchemy import select

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.platform import RunningPlatform, join, platform, spent
from demo.brains.layout import write_dataset
from demo.images import build_baseline_image, ensure_base
from evaluator.spec import Challenge, load_challenge
from server.evaluations.result_models import Score
from worker.embedded.data import CHECKOUT

CASES, ROUNDS, LEAST = 60, 1, 5.0
_TASK, _TRACK = "task1", "method"
_WAYS: dict[str, dict[str, object]] = {
    "fresh": {"pack": 1},
    "packed": {"pack": 2},
    "invoke": {"invoke": True},
}


def run() -> list[Comparison]:
    """Seconds per case of each way; the alternative is one fresh container per case."""
    spec = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml", CHECKOUT / "demo/overlay.yaml")
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as folder, platform(1) as running:
        scans = write_dataset(Path(folder), _TASK, "validation", CASES, seed=7)
        running.prepare(spec, _TASK, scans)
        team = join(running, spec.challenge, build_baseline_image(ensure_base()))
        team.run(running, _TASK, _TRACK)  # uncounted: it loads the image
        seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
        scores = set()
        for _ in range(ROUNDS):
            for way, limits in _WAYS.items():
                running.amend(_with(spec, limits))
                evaluation = team.run(running, _TASK, _TRACK)
                seconds[way].append(spent(running, evaluation)[0] / CASES)
                scores.add(_scores(running, evaluation))
    subprocess.run(["docker", "image", "rm", "--force", team.image], check=True, capture_output=True)
    if len(scores) != 1:
        raise RuntimeError("the ways give different scores")
    name = f"a case of {_TASK}, PyTorch, {CASES} in a row"
    fresh = Side("fresh container each", tuple(seconds["fresh"]))
    return [
        Comparison(name, Side("two fresh at once", tuple(seconds["packed"])), fresh),
        Comparison(name, Side("one for many", tuple(seconds["invoke"])), fresh, least=LEAST),
    ]


def _with(spec: Challenge, limits: dict[str, object]) -> Challenge:
    return spec.model_copy(update={"limits": spec.limits.model_copy(update=limits)})


def _scores(running: RunningPlatform, evaluation: str) -> tuple[tuple[str, str, float | None, bytes], ...]:
    """Every value with its replicates, to the last bit."""
    query = (
        select(Score).where(Score.evaluation_id == uuid.UUID(evaluation)).order_by(Score.board, Score.metric)
    )
    with running.database() as session:
        standings = session.scalars(query).all()
        return tuple(
            (standing.board, standing.metric, standing.value, standing.replicates) for standing in standings
        )
