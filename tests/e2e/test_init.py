"""A stranger does what the README of `proctor init` says, types nothing else, and is on the board."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from client.kinds import made_rules
from demo.images import ensure_base
from evaluator.spec import Challenge, load_challenge
from tests.e2e.conftest import FOMO26
from tests.e2e.datasets import nifti
from tests.e2e.installation import Installation, installation
from worker.embedded.data import CHECKOUT

PASSWORD = "a long password of a stranger"
OPENED = datetime(2026, 1, 1, tzinfo=UTC)
APPTAINER = Path(__file__).with_name("apptainer.py")


@dataclass
class Stranger:
    """Somebody at a shell of their own, who has the `proctor` command and what the page of their folder says."""

    home: Path
    url: str
    base: str

    def __post_init__(self) -> None:
        self.tag = f"init-{uuid.uuid4().hex[:12]}"
        self.folder = self.home / "mine"
        self.team = f"Team {self.tag}"

    def types(self, command: str, *, where: Path | None = None) -> str:
        """What a command prints; whoever it asks for name, address and password is answered."""
        answers = f"A Stranger\n{self.tag}@example.org\n{PASSWORD}\n{PASSWORD}\n"
        environment = {
            "PATH": f"{self.home / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "PYTHONPATH": str(CHECKOUT),
            "PROCTOR_CONFIG_DIR": str(self.home / "config"),
            "COLUMNS": "200",
            "IMAGE": self.tag,
        }
        done = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=where or self.home,
            env=environment | {key: value for key, value in os.environ.items() if key.startswith("PIP_")},
            input=answers,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def follows(self, *, sif: bool = False, docker: bool = True, phase: str | None = None) -> str:
        """What all commands of the folder's page print; those for a SIF file only if asked for.

        Without Docker the SIF file is what is submitted, as the page says.
        """
        page = (self.folder / "README.md").read_text()
        if phase is not None:  # another one of those that the page names
            page = re.sub("--phase [a-z]+", f"--phase {phase}", page)
        typed = [line for line in commands(page) if sif or ".sif" not in line]
        if not docker:
            kept = [line for line in typed if not re.search(r"(--tag|proctor try.*) my-submission$", line)]
            typed = [re.sub(r"(proctor submit .*my-submission)$", r"\1.sif", line) for line in kept]
        return "".join(self.types(self.here(line), where=self.folder) for line in typed)

    def here(self, command: str) -> str:
        """The command with this machine's base image, and names that no other test has."""
        base = f"--build-arg BASE={self.base}"
        for typed, meant in {
            "https://SERVER": self.url,
            "My team": self.team,
            "my-submission": self.tag,
            "docker build ": f"docker build --network=none {base} ",
            "apptainer build ": f"apptainer build {base} ",
            "build.py ": f"build.py --base {self.base} ",
        }.items():
            command = command.replace(typed, meant)
        return command


def commands(page: str) -> list[str]:
    """The lines of the page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@contextmanager
def somebody(home: Path, url: str) -> Iterator[Stranger]:
    """A stranger, whose image the engine forgets afterwards."""
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "apptainer").write_text(f'#!/bin/sh\nexec {sys.executable} {APPTAINER} "$@"\n')
    (home / "bin" / "apptainer").chmod(0o755)
    stranger = Stranger(home, url, ensure_base())
    yield stranger
    asked = ["docker", "image", "inspect", "--format", "{{.Id}}", stranger.tag]
    named = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    for name in [stranger.tag, f"proctor/{named.removeprefix('sha256:')}:run"] if named else []:
        subprocess.run(["docker", "image", "rm", "--force", name], check=False, capture_output=True)
    shutil.rmtree(home)


@pytest.fixture
def stranger(running: Installation, place: Path) -> Iterator[Stranger]:
    with somebody(place / uuid.uuid4().hex, running.url) as stranger:
        yield stranger


def write_cases(folder: Path, file: str, labels: Sequence[str]) -> Path:
    """A scan for each label, in the layout that is imported."""
    for number, label in enumerate(labels):
        place = Path(f"sub-{number:02}") / "ses-01"
        voxels = np.random.default_rng([26, number]).integers(0, 900, (16, 16, 16)).astype(np.int16)
        for kind, name, content in (
            ("preprocessed", file, nifti(voxels)),
            ("labels", "label.txt", f"{label}\n".encode()),
        ):
            (folder / kind / place).mkdir(parents=True)
            (folder / kind / place / name).write_bytes(content)
    return folder


def test_the_page_of_a_skeleton_leads_to_the_board(
    running: Installation, stranger: Stranger, fomo26: Challenge
) -> None:
    """The shortest: a number, which needs no package, in a challenge that no other test looks at."""
    slug = f"first-{stranger.tag[5:]}"
    running.apply(fomo26.model_copy(update={"challenge": slug}))
    made = write_cases(stranger.home / "made", "t1w.nii.gz", ["38.5", "61"])
    running.import_task(slug, "sanity", "task3", made)
    stranger.types(f"proctor register {stranger.url}")
    stranger.types(f"proctor init mine --task task3 --challenge {slug} --invoke")
    said = stranger.follows()
    assert "1 skipped" in said, "there was no image to try yet"
    assert "2 of 2 cases valid." in said
    assert stranger.team in said


@pytest.mark.long  # a team of its own on boards that test_whole_path counts
def test_a_map_of_labels_and_then_hidden_cases(platform: Installation, stranger: Stranger) -> None:
    """A map of labels, which needs most: packages, a base of one's own, and public cases first."""
    stranger.types("proctor init mine --task task2 --invoke")
    assert "1 skipped" in stranger.types("python -m pytest -q -p no:cacheprovider", where=stranger.folder)
    said = stranger.follows()
    assert "2 of 2 cases valid." in said
    assert stranger.team in said
    tried = stranger.types("python -m pytest -q -p no:cacheprovider", where=stranger.folder)
    assert "3 passed" in tried, "now there is an image to try"
    hidden = (
        "proctor submit --challenge fomo26 --task task2 --track open --phase validation --watch my-submission"
    )
    assert "scored" in stranger.types(stranger.here(hidden)).lower()


@pytest.mark.long
@pytest.mark.parametrize(
    ("challenge", "task"), [("detection", "landmarks"), ("detection", "lesions"), ("survival", "outcome")]
)
def test_other_kinds_are_built_tried_and_scored(
    running: Installation, stranger: Stranger, challenge: str, task: str
) -> None:
    home = CHECKOUT / "challenges" / challenge
    slug = f"{challenge}-{stranger.tag[5:]}"
    running.apply(load_challenge(home / "challenge.yaml").model_copy(update={"challenge": slug}))
    words = ["--task", task] if challenge == "detection" else []
    made = [sys.executable, str(home / "make_cases.py"), str(stranger.home / "made"), *words, "--cases", "6"]
    subprocess.run(made, check=True)
    running.import_task(slug, "test", task, stranger.home / "made")
    stranger.types(f"proctor register {stranger.url}")
    stranger.types(f"proctor init mine --task {task} --challenge {slug}")
    said = stranger.follows()
    assert "2 of 2 cases valid." in said
    assert stranger.team in said


@pytest.mark.long
def test_scores_of_classes_are_built_tried_and_scored(running: Installation, stranger: Stranger) -> None:
    slug = f"classes-{stranger.tag[5:]}"
    spec = made_rules("classes").spec
    opened = {name: phase.model_copy(update={"opens": OPENED}) for name, phase in spec.phases.items()}
    running.apply(spec.model_copy(update={"challenge": slug, "phases": opened}))
    made = write_cases(stranger.home / "made", "image.nii.gz", 2 * ["first", "second", "third"])
    running.import_task(slug, "test", "task", made)
    stranger.types(f"proctor register {stranger.url}")
    stranger.types(f"proctor init mine --task task --challenge {slug}")
    said = stranger.follows()
    assert "2 of 2 cases valid." in said
    assert "scored" in said.lower()
    assert stranger.team in said


@pytest.mark.long
def test_scores_of_classes_are_built_and_tried_without_a_server(stranger: Stranger) -> None:
    stranger.types("proctor init mine --kind classes")
    assert stranger.follows(sif=True).count("2 of 2 cases valid.") == 2


@pytest.mark.long
@pytest.mark.parametrize("task", ["task3", "task4", "task6"])
def test_a_sif_file_of_the_definition_is_tried_and_scored_as_the_image_is(
    platform: Installation, stranger: Stranger, task: str
) -> None:
    stranger.types(f"proctor init mine --task {task}")
    said = stranger.follows(sif=True, phase="validation")
    assert said.count("2 of 2 cases valid.") == 2, "as an image and as a SIF file"
    sent = f"proctor submit --challenge fomo26 --task {task} --track open --phase validation --watch my-submission.sif"
    assert "scored" in stranger.types(stranger.here(sent), where=stranger.folder).lower()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("task", "sif"), [("task2", False), ("task6", True)])
def test_the_page_of_the_baseline_leads_to_the_board(place: Path, task: str, sif: bool) -> None:
    """On an installation with room for PyTorch, and synthetic brains: as an image of Docker, and as a SIF file."""
    folder = place / uuid.uuid4().hex
    folder.mkdir()
    folder.chmod(0o711)
    with installation(folder / "data") as running, somebody(folder / "home", running.url) as stranger:
        running.apply(load_challenge(FOMO26, CHECKOUT / "demo" / "overlay.yaml"))
        for phase, cases in {"sanity": 1, "validation": 16 if task == "task6" else 3}.items():
            source = folder / phase
            words = ["--task", task, "--split", phase, "--spacing", "4", "--cases", str(cases)]
            subprocess.run([sys.executable, "-m", "demo.brains", source, *words], cwd=CHECKOUT, check=True)
            running.import_task("fomo26", phase, task, source / f"Task_{task[4:]}")
        stranger.types(f"proctor init mine --from baseline --task {task}")
        said = stranger.follows(sif=sif, docker=not sif)
        assert said.count("2 of 2 cases valid.") == 1
        assert stranger.team in said
        file = str(stranger.folder / "my-submission.sif") if sif else "my-submission"
        hidden = f"proctor submit --task {task} --track method --phase validation --watch {file}"
        assert "scored" in stranger.types(stranger.here(hidden)).lower()
        board = httpx.get(f"{running.url}/api/v1/challenges/fomo26/leaderboards/validation").json()
        (row,) = (row for track in board["tracks"] for row in track["unified"])
        assert (row["team"], row["checkpoint"]) == (stranger.team, "one_for_all"), "its build declares it"
        for digest in re.findall("sha256:([0-9a-f]{64})", stranger.types("proctor images")):
            kept = ["docker", "image", "rm", "--force", f"proctor/{digest}:run"]
            subprocess.run(kept, check=False, capture_output=True)
