"""The evaluator as participants install it: alone, in an environment that holds nothing else."""

import ast
import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "distributions" / "evaluator" / "pyproject.toml").read_text())["project"]
HEAVY = (
    "torch",
    "fastapi",
    "docker",
    "sqlalchemy",
    "celery",
    "redis",
    "server",
    "worker",
    "sandbox",
    "client",
)
IMPORTED_AS = {"pyyaml": "yaml"}


def run(*command, **more):
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    run(sys.executable, "-m", "pip", *build, ROOT / "distributions" / "evaluator")
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An empty environment with the wheel and, by links, just what it declares: needs no network."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name in closure(PYPROJECT["dependencies"]):
        link(importlib.metadata.distribution(name), site)
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    )
    return folder


def closure(requirements):
    """Every distribution that pip would install for these."""
    found, waiting = set(), [Requirement(text) for text in requirements]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += map(Requirement, importlib.metadata.requires(name) or ())
    return found


def link(distribution, site):
    for top in {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}:
        if not (site / top).exists():
            (site / top).symlink_to(distribution.locate_file(top))


def call(environment, *arguments, cwd):
    command = [environment / "bin" / "proctor-evaluator", *arguments]
    return run(*command, cwd=cwd, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})


def test_the_wheel_holds_the_evaluator_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"evaluator", "proctor_evaluator"}
    data = {
        "charts/pictures.css",
        "report/templates/style.css",
        "bundle/templates/README.md",
        "digests/equal.json",
        "py.typed",
        "LICENSE",
    }
    assert {f"evaluator/{name}" for name in data} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_it_declares_exactly_what_it_imports():
    imported = set()
    for path in (ROOT / "evaluator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"evaluator"}
    extras = PYPROJECT["optional-dependencies"].values()
    optional = [Requirement(text).name for extra in extras for text in extra]
    declared = [Requirement(text).name for text in PYPROJECT["dependencies"]] + optional
    assert foreign == {IMPORTED_AS.get(name, name) for name in declared}


def test_it_has_the_version_of_the_platform():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == PYPROJECT["version"]


def test_what_it_needs_is_light(environment):
    needed = closure(PYPROJECT["dependencies"])
    assert len(needed) < 25
    assert not needed & set(HEAVY)
    check = f"import importlib.util as u; print([n for n in {HEAVY!r} if u.find_spec(n)])"
    assert run(environment / "bin" / "python", "-P", "-c", check, cwd="/").strip() == "[]"


def test_the_installed_command_checks_scores_and_reports(environment, tmp_path):
    challenge = ROOT / "challenges" / "skin-lesions" / "challenge.yaml"
    cases = [f"c{number}" for number in range(20)]
    files = {"image": {"path": "x.png", "sha256": "0" * 64}}
    manifest = {"dataset": "d", "cases": [{"case": case, "files": files} for case in cases]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    lines = [f"{case},{number % 2}" for number, case in enumerate(cases)]
    (tmp_path / "references.csv").write_text("\n".join(["case,label", *lines]))
    for number, case in enumerate(cases):
        (tmp_path / f"{case}.txt").write_text(str((number * 7 % 20 + number % 2 * 5) / 30))
    one = ["--task", "malignancy", "--output", "c0.txt", "--inputs", "."]
    assert json.loads(call(environment, "check", "--challenge", challenge, *one, cwd=tmp_path))["valid"]
    out = tmp_path / "reports" / "ada" / "all" / "malignancy.json"
    out.parent.mkdir(parents=True)
    where = ["--manifest", "manifest.json", "--references", ".", "--predictions", "."]
    call(
        environment,
        "score",
        "--challenge",
        challenge,
        "--board",
        "malignancy",
        *where,
        "--json",
        out,
        cwd=tmp_path,
    )
    assert json.loads(out.read_text())["metrics"]["auroc"]["value"] > 0.5
    call(
        environment,
        "report",
        "--challenge",
        challenge,
        "--reports",
        "reports",
        "--out",
        "p.html",
        cwd=tmp_path,
    )
    assert "Skin lesions" in (tmp_path / "p.html").read_text()


@pytest.mark.long
def test_pip_installs_it_with_its_dependencies_alone(wheel, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"))
    names = {canonicalize_name(one["name"]) for one in listed} - {"pip", "setuptools"}
    assert names == closure(PYPROJECT["dependencies"]) | {"proctor-evaluator"}
    assert "Check outputs" in run(python, "-P", "-m", "evaluator", "--help", cwd=tmp_path)
