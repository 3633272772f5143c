"""compose.yaml as it is run: a submission is scored whatever dies meanwhile, and what services write is bounded."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.e2e.people import Json, Person
from tests.production.conftest import CASES, Join
from tests.production.stack import OWN, SERVICES, Stack, docker
from worker.embedded.data import CHECKOUT

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

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


def test_a_submission_is_scored(production: Stack, join: Join, program: Path) -> None:
    team = join(production)
    is_whole(team, sent(team, program), track="open")


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_comes_back_and_costs_nothing(
    production: Stack, join: Join, program: Path, service: str
) -> None:
    team = join(production)
    submission = sent(team, program, track="slowly")
    production.running_case()
    before = production.container(service)
    production.crash(service)
    production.settled()  # until then requests may find no server, or one that has no database
    is_whole(team, submission, track="slowly")
    assert production.container(service) == before, "the engine started the same container again"
    events = json.loads(production.admin("events", submission["evaluations"][0]["id"], "--json"))
    ends = [event for event in events if event["new"] == "scored"]
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
