"""What tests of commands for organizers share: running them, correcting a label, looking at what came of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from click.testing import Result

from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.service import current_dataset
from server.settings import Settings
from tests.server.lab import Lab
from tests.server.phantoms import SIDE, Phantom
from worker.score.consignments import work_off

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


def ended(lab: Lab, http: httpx.Client, answer: httpx.Response) -> Any:
    """What came of a consignment that was taken, once a score worker has worked it off."""
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "waiting"
    work_off(lab.sessions, lab.settings)
    return http.get(f"/organize/{lab.slug}/consignments/{answer.json()['id']}").json()


def refused(lab: Lab, http: httpx.Client, answer: httpx.Response, code: str) -> str:
    """The sentence with which it was refused: at once, or by the score worker, who leaves nothing of it."""
    told = answer.json() if answer.is_error else ended(lab, http, answer)["refused"]
    assert told["code"] == code, told
    assert str(lab.settings.data) not in str(told)
    assert not list(lab.settings.uploads.glob("cases-*"))
    assert not lab.settings.scratch.exists() or not list(lab.settings.scratch.iterdir())
    return str(told["detail"])


@contextmanager
def working_off(lab: Lab) -> Iterator[None]:
    """A score worker that makes what is delivered."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            work_off(lab.sessions, lab.settings)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
