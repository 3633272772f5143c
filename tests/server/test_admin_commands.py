"""`proctor-admin` on a database: what it refuses, and what it asks before it does it."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.evaluations.service import lock_evaluation
from server.settings import Settings
from server.words import moment
from tests.server.conftest import serving
from tests.server.lab import Entrant, Lab
from tests.server.test_leaderboard import change, scored
from tests.server.test_plans import NOW
from tests.server.test_plans_http import count
from worker.admin.main import collect

Admin = Callable[..., Any]


@pytest.fixture
def admin(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """Runs a command as somebody would who has no terminal."""
    environment = {
        "DATABASE_URL": settings.database_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    for key, value in environment.items():
        monkeypatch.setitem(os.environ, key, value)
    return lambda *words: CliRunner().invoke(collect(), [str(word) for word in words])


def file_of(spec: Challenge, tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "challenge.yaml"
    path.write_text(yaml.safe_dump({**spec.model_dump(mode="json"), **changes}, sort_keys=False))
    return path


def test_a_file_that_empties_a_board_is_applied_only_with_yes(
    admin: Admin, lab: Lab, team: Entrant, fomo26: Challenge, tmp_path: Path
) -> None:
    scored(lab, team, 0.9)
    same = file_of(fomo26, tmp_path, challenge=lab.slug, title="Amended")
    assert admin("apply", same).exit_code == 0
    limits = fomo26.limits.model_dump(mode="json") | {"cpus": 1.5}
    other = file_of(fomo26, tmp_path, challenge=lab.slug, limits=limits)
    refused = admin("apply", other)
    assert refused.exit_code == 1
    assert "validation: task5 1" in refused.output
    assert "--yes" in refused.output
    applied = admin("apply", other, "--yes")
    assert applied.exit_code == 0
    assert "applied, version sha256:" in applied.output


def test_the_command_shows_what_changes_and_a_plan_changes_nothing(
    admin: Admin, sessions: SessionFactory, lab: Lab, team: Entrant, fomo26: Challenge, tmp_path: Path
) -> None:
    scored(lab, team, 0.9)
    unchanged = admin("apply", file_of(fomo26, tmp_path, challenge=lab.slug))
    assert unchanged.output.startswith(f"{lab.slug}: unchanged, version sha256:")
    phases = fomo26.model_dump(mode="json")["phases"]
    phases["validaton"] = phases.pop("validation")
    file = file_of(fomo26, tmp_path, challenge=lab.slug, title="Amended", phases=phases)
    before = count(sessions)
    for flag in ("--plan", "--dry-run"):
        shown = admin("apply", file, flag)
        assert shown.exit_code == 0, shown.output
        assert "  title: FOMO26 → Amended" in shown.output
        assert "  phases.validation: removed" in shown.output
        assert "  phases.validaton: added  (is open, without an end)" in shown.output
        assert "did you mean validation by 'validaton', which is new?" in shown.output
        assert "nothing was changed" in shown.output
    refused = admin("apply", file)
    assert refused.exit_code == 1
    assert "1 scored evaluation and 1 dataset would disappear" in refused.output
    assert "This was not done. Give --yes to go on." in refused.output
    assert count(sessions) == before
    done = admin("apply", file, "--yes")
    assert done.exit_code == 0
    assert "  title: FOMO26 → Amended" in done.output
    assert "applied, version sha256:" in done.output


def test_an_older_overlay_that_opens_a_closed_phase_is_asked(
    admin: Admin, lab: Lab, fomo26: Challenge, tmp_path: Path
) -> None:
    file = file_of(fomo26, tmp_path, challenge=lab.slug)
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(f"phases: {{test: {{opens: {(NOW + timedelta(days=9)).isoformat()}}}}}\n")
    closed, opens = (NOW - timedelta(hours=1)).isoformat(), (NOW + timedelta(days=12)).isoformat()
    new.write_text(f"phases: {{validation: {{closes: {closed}}}, test: {{opens: {opens}}}}}\n")
    assert admin("apply", file, "--overlay", old).exit_code == 0
    assert admin("apply", file, "--overlay", new, "--yes").exit_code == 0
    refused = admin("apply", file, "--overlay", old)
    assert refused.exit_code == 1
    assert "phase validation has been closed since" in refused.output
    assert "It would open at once" in refused.output
    assert "3 days earlier" in refused.output


def test_a_new_challenge_is_shown_as_a_whole_with_a_hint_at_one_of_nearly_its_name(
    admin: Admin, lab: Lab, fomo26: Challenge, tmp_path: Path
) -> None:
    shown = admin("apply", file_of(fomo26, tmp_path, challenge=f"{lab.slug}x"), "--plan")
    assert "a new challenge" in shown.output
    assert "  tasks: task1, task2, task3, task4, task5, task6" in shown.output
    assert "  phases.test: added  (takes nothing: it has no opening date)" in shown.output
    assert f"is a new challenge; is {lab.slug} meant?" in shown.output


def test_only_a_sealed_board_is_released_and_only_with_yes(
    admin: Admin, lab: Lab, nobody: httpx.Client
) -> None:
    for phase, says in {"sanity": "has no leaderboard", "validation": "it is public"}.items():
        refused = admin("release", lab.slug, phase, "--yes")
        assert refused.exit_code == 1
        assert says in " ".join(refused.output.split())
    refused = admin("release", lab.slug, "test", "--yes")
    assert "has not been open yet" in refused.output, "before the end it takes a reason"
    forced = ("--force", "--why", "A rehearsal.")
    refused = admin("release", lab.slug, "test", *forced)
    assert refused.exit_code == 1
    assert "everybody will see this leaderboard" in refused.output
    board = f"/challenges/{lab.slug}/leaderboards/test"
    assert nobody.get(board).status_code == 403
    done = admin("release", lab.slug, "test", "--yes", *forced)
    assert (done.exit_code, "unrelease" in done.output) == (0, True)
    assert nobody.get(board).status_code == 200
    again = admin("release", lab.slug, "test", "--yes", *forced)
    assert again.exit_code == 1
    assert "already" in again.output
    assert admin("unrelease", lab.slug, "test", "--yes").exit_code == 0
    until = time.monotonic() + 10  # the server hears of a command's commit moments later
    while nobody.get(board).status_code != 403:
        assert time.monotonic() < until
        time.sleep(0.05)
    asked = admin("unrelease", lab.slug, "test")
    assert (asked.exit_code, "Give --yes" in asked.output) == (1, False), "there is nothing to ask"
    assert "is not released" in " ".join(asked.output.split())


def test_a_board_that_is_not_final_is_released_with_force_and_a_reason_only(
    admin: Admin, lab: Lab, entrant: Callable[[str], Entrant], nobody: httpx.Client, fomo26: Challenge
) -> None:
    phases = dict(fomo26.phases)
    closes = datetime.now(UTC) + timedelta(days=1)
    phases["test"] = phases["test"].model_copy(update={"opens": phases["sanity"].opens, "closes": closes})
    change(lab, fomo26, phases=phases)
    lab.dataset(phase="test")
    waits, failed, mended = entrant("Waits"), entrant("Failed"), entrant("Mended")
    waits.submit(phase="test")
    for one in (failed, mended):
        evaluation = one.submit(phase="test")
        with unit_of_work(lab.sessions) as session:
            row = lock_evaluation(session, UUID(evaluation))
            row.move_to(session, EvaluationStatus.ERRORED, actor="tests")
    scored(lab, mended, 0.9, phase="test")
    command = ("release", lab.slug, "test", "--yes")
    for options in ((), ("--force",), ("--why", "A talk."), ("--force", "--why", " ")):
        refused = admin(*command, *options)
        said = " ".join(refused.output.split())
        assert refused.exit_code == 1, said
        assert f"Phase 'test' is open until {moment(closes)}." in said
        assert "have not ended: task5 1 queued." in said
        assert "Failed, task5, track open: ended by the platform's fault and not run again" in said
        assert "Mended, task5" not in said, "it was run again, and may be on the board by now"
        assert "--why REASON" in said
    board = f"/challenges/{lab.slug}/leaderboards/test"
    assert nobody.get(board).status_code == 403
    assert admin(*command, "--force", "--why", "A talk.").exit_code == 0
    assert nobody.get(board).json()["released_early"] == "A talk."


def test_doctor_says_which_metrics_are_others_than_those_that_scored(
    admin: Admin, lab: Lab, team: Entrant
) -> None:
    evaluation = scored(lab, team, 0.9)
    shown = " ".join(admin("doctor").output.split())
    assert f"{lab.slug}: " not in shown
    with unit_of_work(lab.sessions) as session:
        row = lock_evaluation(session, UUID(evaluation))
        auroc = {**row.scored_with["task5"]["metrics"]["auroc"], "code": "sha256:of another version"}
        row.scored_with = {"task5": {**row.scored_with["task5"], "metrics": {"auroc": auroc}}}
    findings = json.loads(admin("doctor", "--json").output)
    told = [one["found"] for one in findings if one["subject"] == "metrics"]
    assert f"{lab.slug}: auroc differs from what 1 evaluation was scored with" in told


@pytest.mark.parametrize("name", ["", "two words", "a/b", "naïve", "x" * 101])
def test_a_worker_token_has_a_plain_name(admin: Admin, name: str) -> None:
    refused = admin("worker-token", name)
    assert refused.exit_code == 1
    assert "letters, digits" in refused.output


def test_a_plain_name_gets_a_token(admin: Admin) -> None:
    assert admin("worker-token", "gpu-host_1.site").output.startswith("prw_")


def test_jobs_of_a_cluster_are_told_a_file_and_nothing_of_redis(admin: Admin) -> None:
    told = admin("worker-token", "cluster", "--pilot").output
    assert told.startswith("prw_")
    assert "PROCTOR_WORKER_TOKEN_FILE" in told
    assert "--until-idle" in told
    assert "redis" not in told.lower()
    assert "--name cluster" not in told
    settings = json.loads(admin("worker-token", "cluster", "--pilot", "--json").output)["settings"]
    assert sorted(settings) == ["PROCTOR_SERVER_URL", "PROCTOR_WORKER_DIR", "PROCTOR_WORKER_TOKEN_FILE"]


@pytest.mark.parametrize("command", [[], ["apply"], ["release"]])
def test_h_is_help(admin: Admin, command: list[str]) -> None:
    assert "Usage:" in admin(*command, "-h").output


def test_what_a_command_may_do_as_operator_opens_no_server_of_the_same_process(
    admin: Admin, settings: Settings, nobody: httpx.Client
) -> None:
    """Both applications stand on the same routers."""
    assert nobody.get("/admin/events").status_code == 401
    assert admin("events").exit_code == 0
    assert nobody.get("/admin/events").status_code == 401
    made = create_app(settings)
    made.state.front.probe.close()
    with serving(made) as url:
        assert httpx.get(f"{url}/api/v1/admin/events").status_code == 401
