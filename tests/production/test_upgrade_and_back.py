"""A production is upgraded with data in it and a case under way and goes back, and another is made of its backup."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluator.spec import Challenge
from tests.e2e.people import Person
from tests.production import building
from tests.production.conftest import Join, furnish, written_out
from tests.production.stack import Stack, docker, stack
from tests.production.test_production import is_whole, sent
from worker.embedded.data import CHECKOUT

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

FIRST_UNKNOWN = "20261130_slurm.py"
"""The first migration that the earlier version does not know."""
BACKUP = "/given/backup"
OWNER = 10001  # of the images


@pytest.fixture(scope="module")
def before(place: Path) -> Path:
    """Sources of the earlier version."""
    try:
        building.sources_before(FIRST_UNKNOWN, place / "before")
    except LookupError as lacking:
        pytest.skip(f"an upgrade was not tried: {lacking}")
    return place / "before"


@pytest.fixture(scope="module")
def earlier(before: Path, images: dict[str, str]) -> Iterator[dict[str, str]]:
    """What .env says of images for the earlier version."""
    tag = f"{images['PROCTOR_TAG']}-before"
    building.platform(before, tag)
    yield images | {"PROCTOR_TAG": tag}
    docker("image", "rm", "--force", *(f"proctor/{name}:{tag}" for name in building.PARTS))


def own(folder: Path) -> Path:
    """A folder that the images' user may write."""
    folder.mkdir(mode=0o700)
    os.chown(folder, OWNER, OWNER)
    return folder


def schema(running: Stack) -> str:
    ask = ("psql", "--username", "proctor", "--tuples-only", "--no-align", "--command")
    query = "SELECT version_num FROM alembic_version"
    return running.compose("exec", "-T", "postgres", *ask, query).strip()


def holds(now: Any, then: Any) -> bool:
    """Whether an answer says all that one of an earlier version said."""
    if isinstance(then, dict):
        return all(name in now and holds(now[name], told) for name, told in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return bool(now == then)


def test_an_upgrade_loses_nothing_and_the_copy_made_before_is_the_way_back(
    place: Path,
    images: dict[str, str],
    fomo26: Challenge,
    program: Path,
    before: Path,
    earlier: dict[str, str],
    join: Join,
) -> None:
    kept = own(place / "kept")
    given = written_out(place / "given-before", fomo26, before)
    with stack(place / "upgraded", earlier, before) as running:
        running.begin()
        furnish(running, given)
        first, then = join(running), schema(running)
        submission = sent(first, program)
        is_whole(first, submission, track="open")
        shown = first.get(f"/submissions/{submission['id']}")
        upgrade(running, images["PROCTOR_TAG"], join(running), program, kept)
        assert schema(running) != then
        assert holds(first.get(f"/submissions/{submission['id']}"), shown)
        is_whole(first, submission, track="open")
        is_whole(first, sent(first, program, track="method"), track="method")
        newer = way_back(running, before, earlier["PROCTOR_TAG"], kept)
        try:
            assert schema(running) == then
            assert first.get(f"/submissions/{submission['id']}") == shown
            team = join(running)
            is_whole(team, sent(team, program), track="open")
        finally:
            docker("volume", "rm", *newer)


def upgrade(running: Stack, tag: str, team: Person, program: Path, kept: Path) -> None:
    """While a case runs; its evaluation ends as if nothing had been."""
    submission = sent(team, program, track="slowly")
    running.running_case()
    running.compose("stop", "server", "score-worker", "beat", "courier")
    copy(running, kept)
    running.use(CHECKOUT, tag)
    running.again()
    is_whole(team, submission, track="slowly")
    told = json.loads(running.admin("status", "--json"))
    assert told["versions"]["schema_is"] == told["versions"]["schema_needed"] == schema(running)


def copy(running: Stack, kept: Path) -> None:
    """As docs/upgrading.md has it for versions of before 0.1.0, whose images have no pg_dump."""
    dump = running.within_database("pg_dump", "--username", "proctor", "--format=custom", "proctor")
    (kept / "database.dump").write_bytes(dump)
    running.within("cp", "-a", "/data/blobs", "/data/inputs", "/data/references", "/given", mounted=kept)


def way_back(running: Stack, tree: Path, tag: str, kept: Path) -> list[str]:
    """In volumes of another project; the newer version's, which are there still."""
    running.compose("down")
    newer, running.project = running.project, f"{running.project}-before"
    running.use(tree, tag)
    running.compose("up", "--detach", "--no-build", "postgres")
    running.ready("postgres")
    words = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
    load = ("pg_restore", "--username", "proctor", "--dbname", "proctor", *words)
    running.within_database(*load, given=(kept / "database.dump").read_bytes())
    running.within("sh", "-c", "cd /given && cp -a blobs inputs references /data", mounted=kept)
    running.again()
    return docker("volume", "ls", "--quiet", "--filter", f"name={newer}_").split()


def test_a_backup_becomes_another_production(
    production: Stack, place: Path, images: dict[str, str], program: Path, join: Join
) -> None:
    team = join(production)
    submission = sent(team, program)
    is_whole(team, submission, track="open")
    shown = team.get(f"/submissions/{submission['id']}")
    backups = own(place / "nightly")
    production.admin("backup", BACKUP, "--keep", "14", mounted=backups)
    with stack(place / "again", images) as again:
        for name in ("PROCTOR_SECRET_KEY", "PROCTOR_WORKER_TOKEN"):
            again.env[name] = production.env[name]
        again.compose("up", "--detach", "--no-build", "postgres")
        again.ready("postgres")
        told = again.admin("restore", BACKUP, mounted=backups)
        assert "Identical with the backup" in told
        again.again()
        address = httpx.URL(f"{again.url}/api/v1")
        with httpx.Client(base_url=address, headers=team.http.headers, timeout=60) as http:
            there = replace(team, http=http)
            assert there.get(f"/submissions/{submission['id']}") == shown
            is_whole(there, sent(there, program, track="method"), track="method")
