"""A release: the same commit gives the same bytes, and what it holds installs and says what it was made of."""

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from contract.release import commit
from tests.evaluator.test_wheel import closure, link

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ("proctor", "proctor_client", "proctor_evaluator")
AT = {"GIT_AUTHOR_DATE": "2026-05-01T12:00:00Z", "GIT_COMMITTER_DATE": "2026-05-01T12:00:00Z"}


def run(*command: object, folder: Path, **environment: str) -> str:
    words = [str(one) for one in command]
    env = {**os.environ, **environment}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one commit, of the files that are here now."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=ROOT)
    served = [str(path.relative_to(ROOT)) for path in ROOT.glob("server/web/third_party/*.js")]
    for name in [*listed.strip("\0").split("\0"), *served]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    run("git", "init", "--quiet", folder=folder)
    run("git", "add", "--all", folder=folder)
    who = ("-c", "user.name=Tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false")
    run("git", *who, "commit", "--quiet", "--message", "All of it", folder=folder, **AT)
    return folder


@pytest.fixture(scope="module")
def release(checkout: Path) -> Path:
    run(sys.executable, "-m", "scripts.release", folder=checkout)
    return checkout / "dist" / "release"


def wheel(release: Path, name: str) -> Path:
    (found,) = release.glob(f"{name}-*.whl")
    return found


def sums(release: Path) -> dict[str, str]:
    lines = (release / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_the_same_commit_gives_the_same_bytes(checkout: Path, release: Path) -> None:
    """Made again elsewhere, by another umask and in another time zone."""
    again = checkout / "dist" / "again"
    old = os.umask(0o077)
    try:
        run(sys.executable, "-m", "scripts.release", "--to", again, folder=checkout, TZ="Asia/Tokyo")
    finally:
        os.umask(old)
    assert sums(release) == sums(again)
    assert {path.name for path in release.iterdir()} == {*sums(release), "SHA256SUMS"}
    for name, digest in sums(release).items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest
    assert {name.split("-")[0] for name in sums(release) if name.endswith(".whl")} == set(WHEELS)


def test_the_platform_brings_its_pages_and_what_they_use(release: Path) -> None:
    with zipfile.ZipFile(wheel(release, "proctor")) as packed:
        names = set(packed.namelist())
    served = {path.name for path in ROOT.glob("server/web/third_party/*.js")}
    assert served
    assert {f"server/web/third_party/{name}" for name in served} <= names
    for folder in ("server/web/static", "server/templates", "migrations/versions"):
        kept = {
            str(path.relative_to(ROOT))
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".css", ".js", ".html", ".py")
        }
        assert kept, folder
        assert kept <= names, sorted(kept - names)
    assert {"alembic.ini", "migrations/env.py", "contract/commit.txt"} <= names
    assert not [name for name in names if name.startswith(("tests/", "demo/")) or "__pycache__" in name]
    assert template() <= names
    assert {"client/templates/README.md", "client/packed/fomo26.yaml"} <= names


def template() -> set[str]:
    """What `proctor init --from baseline` writes, by its path in the repository."""
    return set(run("git", "ls-files", "baseline_model", folder=ROOT).split())


def test_the_clients_wheel_holds_no_server(release: Path) -> None:
    with zipfile.ZipFile(wheel(release, "proctor_client")) as packed:
        names = set(packed.namelist())
        tops = {name.split("/")[0].partition("-")[0] for name in names}
        about = packed.read(next(name for name in packed.namelist() if name.endswith("/METADATA"))).decode()
    assert tops == {"client", "contract", "evaluator", "sandbox", "proctor_client"}
    carried = {name for name in names if name.startswith("client/packed/")}
    assert carried == {f"client/packed/{path}" for path in template()} | {"client/packed/fomo26.yaml"}
    wanted = [line.partition(": ")[2] for line in about.splitlines() if line.startswith("Requires-Dist")]
    always = closure(one for one in wanted if "extra ==" not in one)
    assert not always & {"fastapi", "sqlalchemy", "celery", "numpy", "docker", "torch"}
    assert len(always) < 30


def test_the_client_alone_works_and_says_which_commit_made_it(
    checkout: Path, release: Path, tmp_path: Path
) -> None:
    """In an environment of only what it declares; `proctor try` names what it lacks there."""
    project = tomllib.loads((ROOT / "distributions" / "client" / "pyproject.toml").read_text())["project"]
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", folder=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(python, "-c", where, folder=tmp_path))
    for name in closure(project["dependencies"]):
        link(importlib.metadata.distribution(name), site)
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    run(sys.executable, *install, wheel(release, "proctor_client"), folder=tmp_path)
    proctor = tmp_path / "venv" / "bin" / "proctor"
    made_of = run("git", "rev-parse", "HEAD", folder=checkout)[:12]
    said = run(proctor, "--version", folder=tmp_path)
    assert said == f"proctor {project['version']} (commit {made_of})"
    assert "submit" in run(proctor, "--help", folder=tmp_path)
    words = (proctor, "try", "image", "--task", "task1", "--cases", tmp_path, "--challenge", "x.yaml")
    lacking = subprocess.run([str(one) for one in words], capture_output=True, text=True, check=False)
    assert lacking.returncode != 0
    assert "proctor-client[try]" in lacking.stderr
    words = (proctor, "init", tmp_path / "mine", "--from", "baseline")
    lacking = subprocess.run([str(one) for one in words], capture_output=True, text=True, check=False)
    assert (lacking.returncode, "proctor-client[try]" in lacking.stderr) == (6, True), lacking.stderr
    for name in closure(project["optional-dependencies"]["try"]):
        link(importlib.metadata.distribution(name), site)
    for number, words in enumerate((("--from", "baseline"), ("--task", "task3"), ("--kind", "points"))):
        run(proctor, "init", tmp_path / str(number), *words, folder=tmp_path)
    checkpoint = ROOT / "baseline_model" / "checkpoint.pt"
    assert (tmp_path / "0" / "baseline_model" / "checkpoint.pt").read_bytes() == checkpoint.read_bytes()
    assert (tmp_path / "1" / "challenge.yaml").read_text().startswith("# FOMO26")


def test_what_it_stands_on_is_listed_by_locked_versions(release: Path) -> None:
    (path,) = release.glob("*.cdx.json")
    document = json.loads(path.read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    found = {one["name"]: one for one in document["components"]}
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    for name in ("fastapi", "sqlalchemy", "celery", "docker", "numpy", "httptools"):
        assert f"{name}=={found[name]['version']}" in {line.partition(" ;")[0] for line in lock}
    assert found["tus-js-client"]["hashes"][0]["alg"] == "SHA-256"
    assert not {"pytest", "mypy", "axe-core", "torch"} & set(found)
    assert all(one.get("licenses") for one in found.values()), "a licence is unknown"
    assert len({one["bom-ref"] for one in found.values()}) == len(document["components"])


def test_files_that_differ_from_the_commit_are_named(checkout: Path, release: Path) -> None:
    before = sums(release)
    (checkout / "README.md").write_text("Another.\n")
    try:
        command = [sys.executable, "-m", "scripts.release"]
        refused = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    finally:
        run("git", "checkout", "--quiet", "README.md", folder=checkout)
    assert refused.returncode == 1
    assert "README.md" in refused.stderr
    assert sums(release) == before, "nothing was made or removed"


def test_every_distribution_has_one_version_and_citation_names_it() -> None:
    files = [ROOT / "pyproject.toml", *ROOT.glob("distributions/*/pyproject.toml")]
    versions = {tomllib.loads(path.read_text())["project"]["version"] for path in files}
    assert len(versions) == 1
    assert f"\nversion: {versions.pop()}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize(("module", "name"), [("client.main", "proctor"), ("worker.admin", "proctor-admin")])
def test_both_commands_say_their_version_and_commit(module: str, name: str) -> None:
    said = run(sys.executable, "-m", module, "--version", folder=ROOT)
    made_of = commit()
    assert said.startswith(f"{name} 0.")
    assert made_of is None or said.endswith(f"(commit {made_of})")
