"""What tests of commands for organizers share: running them, correcting a label, looking at what came of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from click.testing import Result

from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.service import current_dataset
from server.settings import Settings
from tests.server.lab import Lab
from tests.server.phantoms import SIDE, Phantom

Admin = Callable[..., Result]


def words(result: Result) -> str:
    """What a command said, on one line."""
    return " ".join(result.output.split())


def short(sessions: SessionFactory, slug: str, task: str = "task5") -> str:
    with unit_of_work(sessions) as session:
        return current_dataset(session, get_challenge(session, slug), "validation", task).digest[7:19]


def correct(made: Phantom, number: int = 1, label: str = "0") -> None:
    """The organizer corrects a label."""
    (made.labels(number) / "label.txt").write_text(label)


def files_of(settings: Settings) -> set[Path]:
    return {path for tree in (settings.inputs, settings.references) for path in tree.rglob("*")}


def scan(seed: int) -> npt.NDArray[np.int16]:
    return np.random.default_rng(seed).integers(1, 900, (SIDE,) * 3).astype(np.int16)


def board_of(lab: Lab, nobody: Any, phase: str = "validation") -> list[str]:
    """The boards that rank somebody."""
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/{phase}")
    assert answer.status_code == 200
    return [
        board["board"] for track in answer.json()["tracks"] for board in track["boards"] if board["entries"]
    ]
