"""What `build.py` asks of the engines, word for word, and what it says where nothing can be built.

The image itself is built by Docker, and by a stand-in for Apptainer, in `tests/e2e/test_init.py`.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from baseline_model import build
from tests.e2e.apptainer import filled, sections

HERE = build.HERE
ENGINE = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
    run|exec) echo 3 11 {machine} ;;
    image) echo 1012345678 ;;
    build) for word; do case "$word" in *.sif) echo {content} > "$word" ;; esac; done; exit {code} ;;
esac
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A copy of the template whose wheels are there already."""
    top = tmp_path / "baseline_model"
    shutil.copytree(HERE, top, ignore=shutil.ignore_patterns("__pycache__", "wheels", "run", "data"))
    (top / "wheels").mkdir()
    wanted = f"3.11 x86_64\n{(HERE / 'requirements.txt').read_text()}"
    (top / "wheels" / "filled-for.txt").write_text(wanted)
    return top


def engine(folder: Path, *, code: int = 0, content: str = "whole", machine: str = "x86_64") -> Path:
    """A command that writes down its words, and the file that it is to build."""
    path = folder / "engine"
    path.write_text(ENGINE.format(log=folder / "log", content=content, code=code, machine=machine))
    path.chmod(0o755)
    return path


def built(template: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(template / "build.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=template.parent)


def test_a_sif_file_is_built_where_the_definition_stands_and_put_in_place_whole(
    template: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.sif").write_text("before")
    done = built(template, "--sif", "mine.sif", "--base", "site/base:1", "--engine", engine(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine.sif").read_text() == "whole\n"
    assert done.stdout.splitlines() == [
        "Built mine.sif, 0.0 MB. Next: `proctor try`, with the words that the README says."
    ]
    asked, made = (tmp_path / "log").read_text().splitlines()
    assert asked.startswith("exec docker://site/base:1 python -c ")
    part = tmp_path / ".mine.sif.part.sif"
    assert made == f"build --force --build-arg BASE=site/base:1 {part} predict.def"
    assert not part.exists()


def test_a_sif_file_that_fails_leaves_the_one_before(template: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.sif").write_text("before")
    failing = engine(tmp_path, code=3, content="half")
    done = built(template, "--sif", "mine.sif", "--engine", failing)
    assert done.returncode == 1
    assert done.stderr == f"`{failing} build --force --build-arg …` failed with exit code 3\n"
    assert (tmp_path / "mine.sif").read_text() == "before"
    assert not list(tmp_path.glob(".mine*"))


def _fail_pip(template: Path) -> None:
    (template / "requirements.txt").write_text("no such package at all\n")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no checkpoint": (
        lambda top: (top / "checkpoint.pt").unlink(),
        "checkpoint.pt: No such file or directory",
    ),
    "a folder for a checkpoint": (
        lambda top: ((top / "checkpoint.pt").unlink(), (top / "checkpoint.pt").mkdir()),
        "checkpoint.pt: Is a directory",
    ),
    "no requirements": (lambda top: (top / "requirements.txt").unlink(), "requirements.txt: No such file or"),
    "requirements that are none": (_fail_pip, "-m pip download …` failed with exit code 1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_built_is_said_in_a_line(what: str, template: Path, tmp_path: Path) -> None:
    spoil, said = WRONG[what]
    spoil(template)
    done = built(template, "--engine", engine(tmp_path))
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert ("Fetching torch" in done.stdout) is (what == "requirements that are none")
    assert "build" not in (tmp_path / "log").read_text() if (tmp_path / "log").exists() else True


@pytest.mark.parametrize("words", [(), ("--sif", "mine.sif")])
def test_an_engine_that_is_not_there_is_named(words: tuple[str, ...], template: Path) -> None:
    done = built(template, *words, "--engine", "no-such-engine")
    assert (done.returncode, done.stderr) == (1, "no-such-engine: No such file or directory\n")


@pytest.mark.parametrize("words", [(), ("--sif", "mine.sif")])
def test_a_base_for_other_machines_is_refused_before_anything_is_built(
    words: tuple[str, ...], template: Path, tmp_path: Path
) -> None:
    done = built(template, *words, "--base", "mine", "--engine", engine(tmp_path, machine="aarch64"))
    assert (done.returncode, done.stderr) == (
        1,
        "mine: is for aarch64, and challenges run images for x86_64\n",
    )
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_docker_is_asked_for_the_machine_of_challenges_wherever_it_runs(
    template: Path, tmp_path: Path
) -> None:
    done = built(template, "--tag", "mine", "--engine", engine(tmp_path))
    assert done.returncode == 0
    looking, building, ended = done.stdout.splitlines()
    assert (looking.split()[0], building.split(":")[0]) == ("Looking", "Building mine")
    assert ended.startswith("Built mine, 1.0 GB. Next: `proctor try`")
    asked, made, _ = (tmp_path / "log").read_text().splitlines()
    assert asked.startswith("run --rm --network=none --platform=linux/amd64 python:3.11-slim python -c ")
    assert made.startswith("build --network=none --platform=linux/amd64 --build-arg BASE=python:3.11-slim ")
    digest = hashlib.sha256((template / "checkpoint.pt").read_bytes()).hexdigest()
    assert made.endswith(f"--build-arg CHECKPOINT_SHA256={digest} --tag mine {template}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "make train DATA=/path/to/data"),
        (["DATA=none"], "There is no folder {top}/none: DATA begins in {top}"),
    ],
)
def test_a_training_without_data_is_told_what_to_name(words: list[str], said: str, template: Path) -> None:
    command = ["make", "-C", str(template), "train", "PYTHON=false", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.format(top=template) in done.stderr
    assert "takes the place" not in done.stdout, "nothing is begun"


def test_the_definition_makes_the_same_image_as_the_dockerfile() -> None:
    docker = (HERE / "Dockerfile").read_text()
    definition = sections(filled((HERE / "predict.def").read_text(), {"BASE": build.BASE}))
    assert definition["header"] == ["Bootstrap: docker", f"From: {build.BASE}"]
    assert f"ARG BASE={build.BASE}\n" in docker
    copied = set(re.findall(r"^COPY (?!--)(.*)$", docker, re.M))
    assert copied == {
        "wheels /wheels",
        "requirements.txt /wheels/requirements.txt",
        "predict.py /app/predict.py",
        "*.py checkpoint.pt /app/baseline_model/",
    }
    assert definition["files"] == [
        "wheels /wheels",
        "requirements.txt /wheels/requirements.txt",
        "predict.py /app/predict.py",
        "*.py /app/baseline_model/",
        "checkpoint.pt /app/baseline_model/checkpoint.pt",
    ]
    (environment,) = re.findall(r"^ENV (.*)$", docker, re.M)
    assert definition["environment"] == [f"export {environment}"]
    for command in ('pip" install ', "rm -rf "):
        assert after(command, definition["post"]) <= after(command, docker.splitlines()) | {"/wheels"}
        assert after(command, definition["post"]) >= after(command, docker.splitlines())
    assert definition["runscript"] == ['exec python /app/predict.py "$@"']


def after(command: str, lines: Sequence[str]) -> set[str]:
    """The words of a command, to its end."""
    text = " ".join(lines).replace("\\ ", " ").partition(command)[2]
    return set(re.split(r"&& | find | python | rm ", text)[0].split())
