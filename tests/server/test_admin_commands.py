"""`proctor-admin` on a database: what it refuses, and what it asks before it does it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from evaluator.spec import Challenge
from server.settings import Settings
from tests.server.lab import Entrant, Lab
from tests.server.test_leaderboard import scored
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
    assert "validation: 1" in refused.output
    assert "--yes" in refused.output
    applied = admin("apply", other, "--yes")
    assert applied.exit_code == 0
    assert "applied, version sha256:" in applied.output


def test_only_a_sealed_board_is_released_and_only_with_yes(
    admin: Admin, lab: Lab, nobody: httpx.Client
) -> None:
    for phase, says in {"sanity": "has no leaderboard", "validation": "it is public"}.items():
        refused = admin("release", lab.slug, phase, "--yes")
        assert refused.exit_code == 1
        assert says in " ".join(refused.output.split())
    refused = admin("release", lab.slug, "test")
    assert refused.exit_code == 1
    assert "no way back" in refused.output
    board = f"/challenges/{lab.slug}/leaderboards/test"
    assert nobody.get(board).status_code == 403
    assert admin("release", lab.slug, "test", "--yes").exit_code == 0
    assert nobody.get(board).status_code == 200
    again = admin("release", lab.slug, "test", "--yes")
    assert again.exit_code == 1
    assert "already" in again.output


@pytest.mark.parametrize("name", ["", "two words", "a/b", "naïve", "x" * 101])
def test_a_worker_token_has_a_plain_name(admin: Admin, name: str) -> None:
    refused = admin("worker-token", name)
    assert refused.exit_code == 1
    assert "letters, digits" in refused.output


def test_a_plain_name_gets_a_token(admin: Admin) -> None:
    assert admin("worker-token", "gpu-host_1.site").output.startswith("prw_")


@pytest.mark.parametrize("command", [[], ["apply"], ["release"]])
def test_h_is_help(admin: Admin, command: list[str]) -> None:
    assert "Usage:" in admin(*command, "-h").output
