"""What `proctor init` writes: a program that the platform's own checks take, and whole folders or nothing."""

import ast
import html
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from client import baseline, kinds, starting
from client.errors import WrongUsage
from client.folders import write_folder
from client.kinds import KINDS
from client.rules import ChallengeRules, names_file
from client.starting import Start, skeleton_files
from contract import skeleton
from evaluator.spec import Challenge, load_challenge
from tests.client.conftest import FOMO26, Cli, Server

ROOT = Path(__file__).resolve().parents[2]
CHALLENGES = ROOT / "challenges"


def own_test(folder: Path) -> str:
    """What the folder's own test says, where there is no engine."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    environment = {"PATH": str(folder), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_passes_the_platform_s_checks_as_it_is_written(cli: Cli, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "mine"
    done = cli("init", folder, "--kind", kind, "--invoke")
    assert done.exit_code == 0, done.output
    assert "2 passed, 1 skipped" in own_test(folder)
    images = {"requirements.txt"} if kind in ("segmentation", "embedding", "points") else set()
    made = {"predict.py", "Dockerfile", "predict.def", "test_predict.py", "README.md", "challenge.yaml"}
    cases = {f"cases/case-{number}/image.nii.gz" for number in (1, 2)}
    assert files(folder) == made | images | cases | {".dockerignore"}


@pytest.mark.parametrize(
    ("challenge", "task"), [("fomo26", "task1"), ("skin-lesions", "diagnosis"), ("detection", "landmarks")]
)
def test_a_task_of_a_challenge_file_does_so_with_its_own_flags_and_files(
    cli: Cli, tmp_path: Path, challenge: str, task: str
) -> None:
    """One of two inputs, pictures, and a program that is the image's own ENTRYPOINT among them."""
    folder = tmp_path / "mine"
    done = cli("init", folder, "--challenge", CHALLENGES / challenge / "challenge.yaml", "--task", task)
    assert done.exit_code == 0, done.output
    assert "1 passed, 1 skipped" in own_test(folder)
    assert (folder / "challenge.yaml").read_bytes() == (
        CHALLENGES / challenge / "challenge.yaml"
    ).read_bytes()
    if challenge == "skin-lesions":
        assert 'ENTRYPOINT ["python", "/app/predict.py"]' in (folder / "Dockerfile").read_text()
    if challenge == "fomo26":
        cases = sorted(path.name for path in (folder / "cases").rglob("t2s*"))
        assert cases == ["t2s.nii.gz"], "one case has the first of the two, the other the second"


@pytest.mark.parametrize("kind", KINDS)
def test_it_imports_no_more_than_it_needs_and_its_lines_fit(cli: Cli, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "mine"
    cli("init", folder, "--kind", kind)
    program = (folder / "predict.py").read_text()
    imported = {one.names[0].name for one in ast.walk(ast.parse(program)) if isinstance(one, ast.Import)}
    needed = {"segmentation": {"nibabel", "numpy"}, "embedding": {"nibabel", "numpy"}}
    needed |= {"points": {"json", "nibabel", "numpy"}, "table": {"json"}}
    assert imported == {"argparse"} | needed.get(kind, set())
    for name in imported - {"argparse"}:
        assert program.count(name) > 1, f"{name} is imported and used"
    assert max(len(line) for line in program.splitlines()) <= 110


def test_the_page_of_a_challenge_shows_the_same_files(
    mine: Cli, server: Server, slug: str, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    done = mine("init", folder, "--task", "task2", "--challenge", slug)
    assert done.exit_code == 0, done.output
    shown = html.unescape(httpx.get(f"{server.url}/challenges/{slug}/take-part").text)
    for name in ("predict.py", "Dockerfile", "requirements.txt"):
        assert (folder / name).read_text() in shown, name
    page = (folder / "README.md").read_text()
    assert "https://SERVER" not in page, "they are logged in there"
    assert f"proctor submit --challenge {slug} --task task2 --track method --phase sanity" in page
    written = load_challenge(folder / "challenge.yaml")
    assert written.challenge == slug
    assert written.tasks == load_challenge(FOMO26).tasks


def test_without_a_challenge_a_task_is_one_of_fomo26(cli: Cli, tmp_path: Path) -> None:
    done = cli("init", tmp_path / "mine", "--task", "task3")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "mine" / "challenge.yaml").read_bytes() == FOMO26.read_bytes()
    page = (tmp_path / "mine" / "README.md").read_text()
    assert "proctor register https://SERVER" in page
    assert "120 s, 64 GiB of memory, 32 cores and 1 GPU." in page


@pytest.mark.parametrize("template", ["skeleton", "baseline"])
def test_without_a_log_in_fomo26_needs_no_server(cli: Cli, tmp_path: Path, template: str) -> None:
    words = ("init", tmp_path / "mine", "--task", "task2", "--from", template)
    done = cli(*words, "--challenge", "fomo26")
    assert (done.exit_code, "Or leave --challenge out" in done.output) == (5, True), done.output
    assert cli(*words).exit_code == 0
    other = cli(
        "init", tmp_path / "other", "--task", "task2", "--from", template, "--challenge", "skin-lesions"
    )
    assert (other.exit_code, "leave --challenge out" in other.output) == (5, False), other.output


def test_a_made_challenge_is_sent_nowhere(cli: Cli, tmp_path: Path) -> None:
    cli("init", tmp_path / "mine", "--kind", "number")
    page = (tmp_path / "mine" / "README.md").read_text()
    assert "proctor submit" not in page
    assert "proctor init DIR --challenge" in page


@pytest.mark.parametrize("task", [(), ("--task", "task5")], ids=["any", "one"])
def test_the_baseline_is_the_template_of_the_repository_to_the_last_byte(
    cli: Cli, tmp_path: Path, task: tuple[str, ...]
) -> None:
    folder = tmp_path / "deep" / "mine"
    done = cli("init", folder, "--from", "baseline", *task)
    assert done.exit_code == 0, done.output
    listed = subprocess.run(
        ["git", "ls-files", "baseline_model"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for path in set(listed) - {"baseline_model/README.md"}:
        assert (folder / path).read_bytes() == (ROOT / path).read_bytes(), path
    named = task[-1] if task else "task1"
    page = (folder / "README.md").read_text()
    assert f"proctor submit --challenge fomo26 --task {named} " in page
    tops = {path.name for path in folder.iterdir()}
    assert tops == {"README.md", "challenge.yaml", "baseline_model", "cases"}


def test_the_page_of_the_baseline_s_copy_says_nothing_of_a_checkout(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", tmp_path / "mine", "--from", "baseline").exit_code == 0
    page, copy = ((top / "baseline_model" / "README.md").read_text() for top in (ROOT, tmp_path / "mine"))
    for words in ("demo.brains", "make train", "checkout", "challenges/", "distributions/", "<!--", "-->"):
        assert words not in copy, words
        assert words in page, "else there is nothing to leave out"
    assert [line for line in page.splitlines() if line.startswith("## ")][1:] == [
        line for line in copy.splitlines() if line.startswith("## ")
    ]
    assert "README.md beside this folder has the commands" in copy
    parts = set(re.findall(r"baseline_model/[\w.-]+\w", copy))
    assert parts, "it names files"
    assert not [path for path in parts if not (tmp_path / "mine" / path).exists()]


def test_the_baseline_is_whole_wherever_proctor_lies(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a training or a build left in the template is part of it, whatever folders above it are called."""
    place = tmp_path / "data" / "run" / "wheels"
    (place / "baseline_model" / "data").mkdir(parents=True)
    (place / "baseline_model" / "predict.py").write_bytes(b"")
    (place / "baseline_model" / "data" / "scan.nii").write_bytes(b"")
    for name in ("my-submission.tar", "my-submission.sif"):
        (place / "baseline_model" / name).write_bytes(b"")
    shutil.copyfile(FOMO26, place / "fomo26.yaml")
    monkeypatch.setattr(baseline, "_PACKED", place)
    done = cli("init", tmp_path / "mine", "--from", "baseline")
    assert done.exit_code == 0, done.output
    assert files(tmp_path / "mine" / "baseline_model") == {"predict.py"}


def test_no_wheel_takes_what_a_training_left_in_the_template(tmp_path: Path) -> None:
    """Scans of people, perhaps."""
    top, place = tmp_path / "baseline_model", tmp_path / "distributions" / "client"
    for name in ("predict.py", "data/scan.nii", "run/pretrain.pt", "wheels/torch.whl", "mine.sif"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    build = runpy.run_path(str(ROOT / "distributions" / "client" / "hatch_build.py"))
    build_data: dict[str, dict[str, str]] = {"force_include": {}}
    build["Template"](str(place), {}, None, None, "", "").initialize("standard", build_data)
    assert build_data["force_include"] == {str(top / "predict.py"): "client/packed/baseline_model/predict.py"}


WRONG = {
    ("--task", "task9"): (2, "Tasks: task1, task2, task3"),
    ("--task", "task7"): (2, "task7 is a board of task6: take task6"),
    ("--kind", "clases"): (2, "did you mean classes?"),
    ("--kind", "number", "--task", "task3"): (2, "--kind is for whoever has no challenge yet"),
    ("--from", "scratch", "--task", "task3"): (2, "Templates: skeleton, baseline"),
    ("--from", "baseline", "--kind", "number"): (2, "Leave --kind and --invoke out"),
    ("--from", "baseline", "--task", "task9"): (2, "Tasks: task1"),
    ("--challenge", "no/such/file.yaml"): (6, "There is no challenge file"),
    ("--challenge", str(FOMO26)): (2, "Name a task with --task"),
    (): (2, "number, classes, segmentation, embedding, points, table"),
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_cannot_be_written_is_said_and_nothing_is(
    cli: Cli, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = cli("init", tmp_path / "mine", *words)
    code, said = WRONG[words]
    assert done.exit_code == code, done.output
    assert said in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_a_task_without_a_skeleton_is_named(cli: Cli, tmp_path: Path) -> None:
    content = yaml.safe_load((CHALLENGES / "survival" / "challenge.yaml").read_text())
    content["tasks"]["outcome"]["call"] = ["/opt/run.sh"]
    (tmp_path / "challenge.yaml").write_text(yaml.safe_dump(content))
    words = ("--challenge", tmp_path / "challenge.yaml")
    done = cli("init", tmp_path / "mine", *words)
    assert (done.exit_code, "called as `/opt/run.sh`" in done.output) == (2, True), done.output
    done = cli("init", tmp_path / "mine", *words, "--task", "outcome", "--from", "baseline")
    assert (done.exit_code, "tasks of FOMO26 alone" in done.output) == (2, True), done.output
    assert not (tmp_path / "mine").exists()


def test_a_kind_of_output_of_a_package_s_own_has_none(spec: Challenge) -> None:
    task = spec.tasks["task3"]
    own = task.model_copy(update={"output": task.output.model_copy(update={"kind": "contours"})})
    rules = ChallengeRules(spec.model_copy(update={"tasks": {"task3": own}}), "")
    with pytest.raises(WrongUsage, match="kind 'contours', which task3 has"):
        skeleton_files(Start(rules, "task3", known=True))


def test_nothing_that_is_there_is_overwritten(cli: Cli, tmp_path: Path) -> None:
    full, file, link = tmp_path / "full", tmp_path / "file", tmp_path / "link"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for folder in (full, file, link):
        done = cli("init", folder, "--kind", "number")
        assert (done.exit_code, "nothing was written" in done.output) == (6, True), done.output
    assert {path.name for path in tmp_path.iterdir()} == {"full", "file", "link"}
    assert files(full) == {"notes.txt"}


def test_an_empty_folder_is_filled(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    assert cli("init", ".", "--kind", "number").exit_code == 0
    assert "predict.py" in files(tmp_path / "mine")


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="a"):
        write_folder(tmp_path / "mine", {"a": b"a file", "a/b": b"below it"})
    assert not list(tmp_path.iterdir())


def test_windows_is_told_where_it_runs(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    done = cli("init", tmp_path / "mine", "--kind", "number")
    assert (done.exit_code, "run it in WSL" in done.output) == (6, True), done.output


@pytest.mark.parametrize(
    "words", [("--kind", "table", "--invoke"), ("--task", "task2"), ("--from", "baseline")], ids=" ".join
)
def test_a_checkout_on_windows_writes_the_same_files(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Lines end in a line feed alone, whatever those of the sources end in."""
    assert cli("init", tmp_path / "meant", *words).exit_code == 0
    sources = tmp_path / "sources"
    shutil.copytree(
        ROOT / "baseline_model",
        sources / "baseline_model",
        ignore=shutil.ignore_patterns("__pycache__", "wheels"),
    )
    shutil.copytree(ROOT / "client" / "templates", sources / "templates")
    shutil.copyfile(FOMO26, sources / "fomo26.yaml")
    for path in sources.rglob("*"):
        if path.is_file() and b"\0" not in path.read_bytes():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(baseline, "_PACKED", sources)
    for module in (starting, kinds):
        monkeypatch.setattr(module, "TEMPLATES", sources / "templates")

    assert cli("init", tmp_path / "made", *words).exit_code == 0

    made, meant = (
        {name: (top / name).read_bytes() for name in files(top)}
        for top in (tmp_path / "made", tmp_path / "meant")
    )
    assert made == meant
    assert not [name for name, content in made.items() if b"\0" not in content and b"\r" in content]


@pytest.mark.parametrize("words", [("--kind", "embedding", "--invoke"), ("--from", "baseline")], ids=" ".join)
def test_nothing_that_is_written_has_to_be_executable(
    cli: Cli, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Windows has no such bit: each program is given to another one by name, in commands and in the image."""
    folder = tmp_path / "mine"
    assert cli("init", folder, *words).exit_code == 0
    assert not [name for name in files(folder) if (folder / name).stat().st_mode & 0o111]
    assert not list(folder.rglob("*.sh"))
    pages = "".join(path.read_text() for path in folder.rglob("README.md"))
    typed = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```$", pages, re.M | re.S)
        for line in block.splitlines()
        if line
    ]
    assert typed
    assert {line.split()[0] for line in typed} <= {"python", "proctor", "docker", "apptainer", "pip", "make"}
    for path in folder.rglob("Dockerfile"):
        assert "chmod" not in path.read_text()


def test_no_word_of_a_challenge_becomes_a_command_or_code(cli: Cli, tmp_path: Path) -> None:
    """Titles, classes and values of columns are whoever's who wrote the file."""
    evil = 'x"""\n```sh\nrm -rf ~\n```\n{{ 7 * 7 }}'
    content = yaml.safe_load((CHALLENGES / "skin-lesions" / "challenge.yaml").read_text())
    task = content["tasks"]["diagnosis"]
    task["title"] = 'Which """ {{ 7 * 7 }} ```'
    task["output"]["classes"][0] = evil
    (tmp_path / "challenge.yaml").write_text(yaml.safe_dump(content))
    plain, spoilt = tmp_path / "plain", tmp_path / "spoilt"
    words = ("--task", "diagnosis", "--challenge")
    assert cli("init", plain, *words, CHALLENGES / "skin-lesions" / "challenge.yaml").exit_code == 0
    done = cli("init", spoilt, *words, tmp_path / "challenge.yaml")
    assert done.exit_code == 0, done.output
    shown, meant = ((folder / "README.md").read_text().splitlines() for folder in (spoilt, plain))
    assert len(shown) == len(meant)
    assert [line for line in shown if line.startswith("```")] == [
        one for one in meant if one.startswith("```")
    ]
    one, other = (ast.dump(ast.parse((folder / "predict.py").read_text())) for folder in (spoilt, plain))
    assert one == other


def test_flags_that_are_no_names_of_python_are_taken(spec: Challenge, tmp_path: Path) -> None:
    task = spec.tasks["task4"]
    one = task.all_inputs[0].model_copy(update={"flag": "--in"})
    two = one.model_copy(update={"key": "other", "flag": "--3d-view"})
    program = skeleton.program(task.model_copy(update={"inputs": (one, two)}))
    assert program is not None
    ast.parse(program)
    assert "case.input_in" in program
    assert 'parser.add_argument("--3d-view", dest="input_3d_view", required=True)' in program


@pytest.mark.parametrize(
    ("word", "file"),
    [
        ("fomo26", False),
        ("challenge.yaml", True),
        ("challenge.yml", True),
        ("mine/challenge", True),
        (r"mine\challenge", True),
        (r"C:\mine\challenge", True),
        ("C:challenge", True),
        (r"\\host\share\challenge", True),
    ],
)
def test_a_challenge_s_file_is_told_from_its_name_as_every_system_writes_paths(word: str, file: bool) -> None:
    assert names_file(word) is file
