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
    options = {"PYTHON_IMAGE": ensure_base(), "PROCTOR_COMMIT": _git("rev-parse", "HEAD").strip()}
    options["POSTGRES_CLIENT"] = f"postgresql-client-{_debians_postgres()}"
    for name in PARTS:
        recipe = (tree / "docker" / f"{name}.Dockerfile").read_text()
        known = {key: value for key, value in options.items() if f"ARG {key}" in recipe}
        _build(tree, name, f"proctor/{name}:{tag}", **known)


def sources_before(migration: str, target: Path) -> None:
    """The sources of the commit before one that brought a migration, in `target`.

    Raises:
        LookupError: there is no history here.
    """
    brought = _git("log", "--diff-filter=A", "--format=%H", "--", f"migrations/versions/{migration}").split()
    before = _git("rev-parse", "--verify", "--quiet", f"{brought[-1]}~1").strip() if brought else ""
    if not before:
        raise LookupError(f"no commit before {migration}")
    target.mkdir()
    archive = subprocess.run(["git", "archive", before], cwd=CHECKOUT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", target], input=archive, check=True)
    for fetched in ("docker/wheels", "server/web/third_party"):
        if (CHECKOUT / fetched).is_dir():
            shutil.copytree(CHECKOUT / fetched, target / fetched)


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
