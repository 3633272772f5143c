"""A bundle of a phase's results: what is in it, what is not, and that its boards follow from it alone."""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from contract.organizers import Role
from evaluator.scoring import Report, score_board
from server.bundles import service
from server.bundles.private import published
from server.bundles.state import folders_of
from server.database import unit_of_work
from server.errors import StorageFull
from server.events import Event
from server.teams.models import Team
from tests.evaluator import datasets
from tests.evaluator.test_wheel import PYPROJECT, ROOT, _closure, _link
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words
from tests.server.seeded import settle

CASES = 20
NAMES = ("Ada/Bob", "Cyd", "Dee", "Zero")
Entrants = Callable[[str], Entrant]


def scored(folder: Path) -> dict[str, dict[str, Report]]:
    """What scoring makes of four teams on a board with labels of two classes, and on one of label maps."""
    stream = np.random.default_rng(5)
    labels, names = np.arange(CASES) % 2, [f"sub-{number:02}" for number in range(CASES)]
    truth = stream.integers(0, 2, (CASES, 4, 4, 4))
    found: dict[str, dict[str, Report]] = {}
    for number, team in enumerate(NAMES):
        for task in ("task1", "task2"):
            made = datasets.Dataset(folder / team.replace("/", "_") / task, datasets.fomo26(), task)
            for at, case in enumerate(names):
                if task == "task1":
                    made.reference(case, label=int(labels[at]), site="AB"[at % 4 // 2])
                    made.predict(case, float(1 / (1 + np.exp(-stream.normal(labels[at] * (2 - number / 2), 1)))))
                else:
                    made.reference_map(case, truth[at])
                    flip = stream.random((4, 4, 4)) < 0.05 * (number + 1)
                    made.predict(case, np.where(flip, 1 - truth[at], truth[at]))
            files = made.save(), made.references, made.predictions
            found.setdefault(team, {})[task] = score_board(made.challenge, task, *files)
    del found["Dee"]["task2"]
    return found


@dataclass(frozen=True)
class Bundled:
    """A season, and its bundle as it came."""

    lab: Lab
    teams: Mapping[str, Entrant]
    archive: bytes

    def unpack(self, folder: Path) -> Path:
        return unpack(self.archive, folder)


def unpack(content: bytes, folder: Path) -> Path:
    folder.mkdir()
    (folder / "bundle.zip").write_bytes(content)
    with zipfile.ZipFile(folder / "bundle.zip") as archive:
        archive.extractall(folder)
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture
def bundled(lab: Lab, entrant: Entrants, admin: Person, tmp_path: Path) -> Bundled:
    reports, teams = scored(tmp_path / "scored"), {name: entrant(name) for name in NAMES}
    for task in ("task1", "task2"):
        lab.dataset(task, cases=CASES)
        for name, team in teams.items():
            if task in reports[name]:
                settle(lab, team, {task: reports[name][task]}, task=task)
    assert admin.http.patch(f"/admin/teams/{teams['Zero'].team}", json={"baseline": True}).is_success
    teams["Cyd"].submit("task1")  # waits
    answer = admin.http.get(f"/organize/{lab.slug}/phases/validation/bundle", timeout=120)
    assert answer.status_code == 200, answer.text
    return Bundled(lab, teams, answer.content)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the evaluator and, by links, what it declares: nothing of the platform."""
    site = tmp_path_factory.mktemp("alone")
    for name in _closure(PYPROJECT["dependencies"]):
        from importlib.metadata import distribution

        _link(distribution(name), site)
    (site / "evaluator").symlink_to(ROOT / "evaluator")
    return site


def recompute(alone: Path, bundle: Path) -> tuple[int, str]:
    """Exit code and words of the command in a process that finds nothing but the evaluator."""
    program = (
        f"import sys, runpy; sys.path.append({str(alone)!r}); sys.argv = ['evaluator', 'recompute', {str(bundle)!r}]\n"
        "import importlib.util as u; assert not any(map(u.find_spec, ('server', 'contract', 'sqlalchemy')))\n"
        "runpy.run_module('evaluator', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def sums(folder: Path) -> None:
    """Whoever changes a file changes its checksum, too."""
    names = [line.partition("  ")[2] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_the_boards_of_a_bundle_follow_from_it_alone(bundled: Bundled, alone: Path, tmp_path: Path) -> None:
    folder = bundled.unpack(tmp_path / "one")
    code, said = recompute(alone, folder)
    print(said)
    assert code == 0, said
