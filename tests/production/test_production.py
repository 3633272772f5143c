"""compose.yaml as it is run: a submission is scored whatever dies meanwhile, and secrets are replaced as documented."""

import json
import secrets
import subprocess
import time
import tomllib
from pathlib import Path

import httpx
import pytest

from tests.e2e.people import Json, Person, register
from tests.production.conftest import CASES, Join
from tests.production.stack import OWN, SERVICES, Stack, docker
from worker.embedded.data import CHECKOUT

pytestmark = pytest.mark.long

TASK = "task5"


def sent(team: Person, program: Path, *, track: str = "open") -> Json:
    """A submission that is under way."""
    checked = team.upload(program)
    assert checked["status"] == "ready", checked
    return team.submitted({TASK: checked["image"]}, track=track)


def is_whole(team: Person, submission: Json, *, track: str) -> None:
    """Scored with every case, once, for one attempt."""
    (evaluation,) = team.wait(submission)["evaluations"]
    assert (evaluation["status"], evaluation["verdicts"]) == ("scored", {"valid": CASES}), evaluation
    assert evaluation["scores"][TASK]["auroc"]["value"] == 1.0, evaluation
    quota = team.quota(TASK, track=track)
    assert (quota["spent"], quota["reserved"]) == (1, 0), quota


def running_case(deadline: float = 60) -> None:
    """Waits until a case's container runs."""
    until = time.monotonic() + deadline
    while not docker("ps", "--quiet", "--filter", "name=proctor-.*-run-1-"):
        assert time.monotonic() < until, "nothing runs"
        time.sleep(0.1)


def test_a_submission_is_scored(production: Stack, join: Join, program: Path) -> None:
    team = join(production)
    is_whole(team, sent(team, program), track="open")


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_comes_back_and_costs_nothing(
    production: Stack, join: Join, program: Path, service: str
) -> None:
    team = join(production)
    submission = sent(team, program, track="slowly")
    running_case()
    before = production.container(service)
    production.crash(service)
    is_whole(team, submission, track="slowly")
    production.settled()
    assert production.container(service) == before, "the engine started the same container again"
    events = json.loads(production.admin("events", submission["evaluations"][0]["id"], "--json"))
    ends = [event for event in events["items"] if event["new"] == "scored"]
    assert len(ends) == 1, "nothing is scored twice"


def test_what_services_write_is_bounded_and_holds_no_secret(production: Stack) -> None:
    for service in SERVICES:
        told = json.loads(docker("inspect", production.container(service)))[0]["HostConfig"]["LogConfig"]
        assert told == {"Type": "json-file", "Config": {"max-size": "20m", "max-file": "5"}}, service
    written = production.logs()
    assert "score_worker_ready" in written
    hidden = [production.env[name] for name in (*OWN, "PROCTOR_WORKER_TOKEN")]
    assert not [secret for secret in hidden if secret in written]


def test_the_images_say_which_release_and_commit_they_are(production: Stack) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    programs = {"server": "server", "score-worker": "worker.admin", "run-worker": "worker.run"}
    for service, module in programs.items():
        said = production.compose("exec", "-T", service, "python3", "-m", module, "--version").strip()
        assert said.endswith(f" {project['version']} (commit {head.stdout[:12]})"), said


def works(production: Stack, team: Person, program: Path) -> None:
    """Every part still reaches those that it needs."""
    production.settled()
    is_whole(team, sent(team, program), track="open")


def test_the_databases_password_is_replaced(production: Stack, join: Join, program: Path) -> None:
    old, new = production.env["POSTGRES_PASSWORD"], secrets.token_hex(32)
    change = f"ALTER ROLE proctor PASSWORD '{new}'"
    words = ("exec", "-T", "postgres", "psql", "--username", "proctor", "--quiet", "--command")
    production.compose(*words, change)
    production.env["POSTGRES_PASSWORD"] = new
    production.again()
    works(production, join(production), program)
    ask = ("psql", f"postgresql://proctor:{old}@127.0.0.1/proctor", "--command", "SELECT 1")
    refused = production.compose("exec", "-T", "postgres", *ask, check=False)
    assert "1 row" not in refused


def test_the_brokers_password_is_replaced(production: Stack, join: Join, program: Path) -> None:
    production.env["REDIS_PASSWORD"] = secrets.token_hex(32)
    production.again()
    works(production, join(production), program)


def test_the_run_workers_token_is_replaced(production: Stack, join: Join, program: Path) -> None:
    old = production.env["PROCTOR_WORKER_TOKEN"]
    production.renew_worker_token()
    assert production.env["PROCTOR_WORKER_TOKEN"] != old
    production.again("run-worker")
    works(production, join(production), program)
    asked = httpx.post(f"{production.url}/api/v1/worker/leases", headers={"Authorization": f"Bearer {old}"})
    assert asked.status_code == 401


def test_the_setup_token_opens_nothing_once_there_is_an_admin(production: Stack, admin: Person) -> None:
    assert admin.get("/admin/errors")["errored"] == []
    with pytest.raises(AssertionError):
        register(production.url, "fomo26", None, setup_token=production.env["PROCTOR_SETUP_TOKEN"])
    production.env["PROCTOR_SETUP_TOKEN"] = secrets.token_hex(32)
    production.again("server")


def test_the_secret_key_is_replaced_and_signed_receipts_stay_good(
    production: Stack, join: Join, program: Path, admin: Person
) -> None:
    team = join(production)
    submission = sent(team, program)
    is_whole(team, submission, track="open")
    receipt = f"/admin/evaluations/{submission['evaluations'][0]['id']}/receipt"
    signed = admin.get(receipt)
    keys = httpx.get(f"{production.url}/api/v1/receipts/keys").json()
    production.compose("stop", "server", "score-worker")
    production.env["PROCTOR_SECRET_KEY"] = secrets.token_hex(32)
    assert "another" not in production.admin("adopt-secret-key", "--yes")
    production.again()
    assert admin.get(receipt) == signed
    assert len(httpx.get(f"{production.url}/api/v1/receipts/keys").json()) == len(keys) + 1
    works(production, join(production), program)
