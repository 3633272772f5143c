"""A leaderboard says where fairness tells little or one seed decides: JSON, page and command."""

import io
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console

from client.boards import leaderboard_tables
from contract.leaderboard import LeaderboardOut
from evaluator.scoring import score_board
from evaluator.spec import Challenge, merge
from tests.evaluator import datasets
from tests.server.lab import Entrant, Lab
from tests.server.seeded import settle
from tests.server.test_leaderboard import change, page


def test_every_surface_warns_of_fairness_without_learning_and_of_one_seed(
    lab: Lab, entrant: Callable[[str], Entrant], nobody: httpx.Client, fomo26: Challenge, tmp_path: Path
) -> None:
    few = {"probe": {"seeds": [42, 43], "learning_rates": [0.1]}, "bootstrap": {"resamples": 50}}
    recipe = merge(merge(datasets.ONE_SEED, datasets.RANKED), few)
    spec = datasets.fomo26(task6=few, task7=recipe)
    change(
        lab,
        fomo26,
        boards=dict(fomo26.boards) | {"task6": spec.boards["task6"], "task7": spec.boards["task7"]},
    )
    lab.dataset("task6", cases=2)
    found = datasets.embeddings(tmp_path)
    manifest = found.save()
    for name in ("Ada", "Constant"):
        if name == "Constant":
            for row in found.rows:
                found.predict(row["case"], np.ones(10))
        files = manifest, found.references, found.predictions
        made = {board: score_board(spec, board, *files) for board in ("task6", "task7")}
        settle(lab, entrant(name), made, task="task6")

    lab.work_out()
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation")
    track = next(one for one in answer.json()["tracks"] if one["track"] == "open")
    warnings = track["certainty"]["warnings"]
    fair = [
        one for one in warnings if one["kind"] == "uninformative" and one["metrics"][0] == "fairness_auroc"
    ]
    assert [(one["board"], one["teams"]) for one in fair] == [("task7", ["Constant"])]
    assert [one["board"] for one in warnings if one["kind"] == "one_seed"] == ["task7"]
    prizes = " ".join(track["certainty"]["decision"]["sentences"])
    assert f"Of those who win: {fair[0]['sentence']}" in prizes
    html = page(nobody, lab).text
    assert f'warn-note">{fair[0]["sentence"]}' in html
    printed = io.StringIO()
    Console(file=printed, width=400).print(*leaderboard_tables(LeaderboardOut.model_validate(answer.json())))
    assert f"Warning: {fair[0]['sentence']}" in printed.getvalue()
