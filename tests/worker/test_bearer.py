"""A run worker's token: shown, read again from its file, and said plainly when it is refused."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from tests.facts import NO_IMAGE
from tests.worker.lease_server import LeaseServer, serving
from tests.worker.slots import CHALLENGE, LIMITS
from worker.embedded.data import CHECKOUT
from worker.run.bearer import REFUSED, Bearer
from worker.run.config import RunConfig
from worker.run.lease_client import LeaseClient


def lab_without_image() -> LeaseServer:
    return LeaseServer(CHALLENGE, LIMITS, NO_IMAGE)


def test_a_token_that_was_replaced_is_read_again_and_no_call_fails(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    with serving(lab_without_image()) as lab:
        lab.tokens = {"old"}
        config = RunConfig(server_url=lab.url, worker_token_file=file, worker_dir=tmp_path)
        client = LeaseClient(config, "run-1")
        assert client.lease() is None
        lab.tokens = {"new"}
        file.write_text("new\n")
        assert client.lease() is None
        assert client.lease() is None
        assert lab.shown == ["old", "old", "new", "new"]
        assert not client.bearer.refused
        client.close()


@pytest.mark.parametrize("again", ["old", "neither", None])
def test_a_token_that_stays_refused_is_told_once(tmp_path: Path, again: str | None) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    told: list[bool] = []
    bearer = Bearer(None, file)
    bearer.when_refused = lambda: told.append(True)
    if again is None:
        file.unlink()
    else:
        file.write_text(again)
    with serving(lab_without_image()) as lab, httpx.Client(base_url=lab.url, auth=bearer) as client:
        lab.tokens = {"another"}
        for _ in range(2):
            assert client.get("/api/v1/worker/me").status_code == 401
    assert (bearer.refused, told) == (True, [True])


def test_a_worker_has_one_token(tmp_path: Path) -> None:
    settings = {"server_url": "http://127.0.0.1:1", "worker_dir": tmp_path}
    with pytest.raises(ValidationError, match="PROCTOR_WORKER_TOKEN or PROCTOR_WORKER_TOKEN_FILE"):
        RunConfig(**settings)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="one of them"):
        RunConfig(**settings, worker_token=SecretStr("a"), worker_token_file=tmp_path / "b")  # type: ignore[arg-type]


@pytest.mark.parametrize("in_file", [False, True])
def test_a_worker_that_is_not_let_in_says_so_at_once_and_leaves(
    tmp_path: Path, redis_url: str, in_file: bool
) -> None:
    tmp_path.chmod(0o711)
    (tmp_path / "token").write_text("prw_of-somebody-else")
    name = f"run-{uuid.uuid4().hex[:6]}"
    with serving(lab_without_image()) as lab:
        lab.tokens = set()
        environment = {
            "PATH": os.environ["PATH"],
            "PROCTOR_SERVER_URL": lab.url,
            "PROCTOR_WORKER_DIR": str(tmp_path / "worker"),
            "REDIS_URL": redis_url,
            **({"PROCTOR_WORKER_TOKEN_FILE": str(tmp_path / "token")} if in_file else {}),
            **({} if in_file else {"PROCTOR_WORKER_TOKEN": "prw_of-somebody-else"}),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "worker.run", "--name", name],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    said = ended.stdout + ended.stderr
    assert ended.returncode == REFUSED, said
    assert f"The token of {name} is not known to the server at {lab.url}" in said
    assert f"proctor-admin worker-token {name}" in said
    assert ("worker-token local" in said) == in_file, "what those of 'up' need"
    assert "server_unreachable" not in said
    assert "prw_of-somebody-else" not in said
    assert "Traceback" not in said
    assert lab.slots == []
