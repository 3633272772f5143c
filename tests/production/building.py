"""The images of a production on a machine that reaches mirrors of packages alone."""

import shutil
import subprocess
from pathlib import Path

from demo.images import ensure_base
from tests.production.stack import docker
from worker.embedded.data import CHECKOUT

PARTS = ("server", "worker")


def services(run: str) -> dict[str, str]:
    """PostgreSQL and Redis of Debian's packages, by the variables of compose.yaml that name them."""
    found = {}
    for name in ("postgres", "redis"):
        tag = f"proctor-test/{name}:{run}"
        _build(CHECKOUT, name, tag, DEBIAN_IMAGE=ensure_base())
        found[f"{name.upper()}_IMAGE"] = tag
    return found


def platform(tree: Path, tag: str) -> None:
    """`proctor/server:TAG` and `proctor/worker:TAG` of the sources in `tree`, with Debian's pg_dump."""
    client = f"postgresql-client-{_debians_postgres()}"
    for name in PARTS:
        options = {"PYTHON_IMAGE": ensure_base(), "PROCTOR_COMMIT": _git("rev-parse", "HEAD").strip()}
        recipe = (tree / "docker" / f"{name}.Dockerfile").read_text()
        known = {key: value for key, value in options.items() if f"ARG {key}" in recipe}
        if "ARG POSTGRES_CLIENT" in recipe:
            known["POSTGRES_CLIENT"] = client
        _build(tree, name, f"proctor/{name}:{tag}", **known)


def sources_before(target: Path) -> str:
    """The sources of the commit before the last one that brought a migration; its name.

    Raises:
        LookupError: there is no history here.
    """
    listed = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", "migrations/versions").strip()
    before = _git("rev-parse", "--verify", "--quiet", f"{listed}~1").strip() if listed else ""
    if not before:
        raise LookupError("no commit before the last migration")
    target.mkdir()
    archive = subprocess.run(["git", "archive", before], cwd=CHECKOUT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", target], input=archive, check=True)
    for part in ("docker/wheels", "server/web/third_party"):
        if (CHECKOUT / part).is_dir():
            shutil.copytree(CHECKOUT / part, target / part, dirs_exist_ok=True)
    return before


def _debians_postgres() -> str:
    """The major version of the packages, which the base image asks for."""
    command = ("run", "--rm", "--network", "host", ensure_base(), "sh", "-c")
    told = docker(*command, "apt-get update -q >&2 && apt-cache depends postgresql")
    return told.partition("postgresql-")[2].split()[0]


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout


def _build(tree: Path, name: str, tag: str, **options: str) -> None:
    words = [word for key, value in options.items() for word in ("--build-arg", f"{key}={value}")]
    recipe = str(tree / "docker" / f"{name}.Dockerfile")
    # What is fetched is asked for from here: the engine's own networks may lead nowhere.
    docker("build", "--quiet", "--network", "host", "--file", recipe, *words, "--tag", tag, str(tree))
