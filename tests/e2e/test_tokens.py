"""The token of the workers that `up` starts is replaced while they run, and Redis keeps its address."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from tests.e2e.installation import Installation, installation


@pytest.fixture
def data() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="proctor-tokens-"))
    directory.chmod(0o711)
    yield directory / "data"
    shutil.rmtree(directory)


def state_of(platform: Installation, slot: str) -> str:
    return next((str(one["state"]) for one in slots(platform) if one["name"] == slot), "none")


def slots(platform: Installation) -> list[dict[str, object]]:
    return list(json.loads(platform.admin("slots", "--json")))


def until_present(platform: Installation, slot: str) -> None:
    deadline = time.monotonic() + 90
    while state_of(platform, slot) != "present":
        assert time.monotonic() < deadline, platform.logs()[-3000:]
        time.sleep(0.5)


def test_a_new_local_token_stops_no_worker_and_redis_keeps_its_address(data: Path) -> None:
    with installation(data, run_workers=1) as platform:
        until_present(platform, "run-1")
        worker = platform.worker("run-1")
        before = (data / "worker" / "token").read_text().strip()
        after = platform.admin("worker-token", "local").strip()
        assert after == (data / "worker" / "token").read_text().strip() != before
        me = f"{platform.url}/api/v1/worker/me"
        assert httpx.get(me, headers={"Authorization": f"Bearer {before}"}).status_code == 401
        until_present(platform, "run-1")
        assert platform.worker("run-1") == worker
        second = json.loads(platform.admin("worker-token", "gpu-2", "--json"))
        told = second["settings"]
        assert told["PROCTOR_SERVER_URL"] == platform.url
        assert told["PROCTOR_WORKER_TOKEN"] == second["token"]
        assert httpx.get(me, headers={"Authorization": f"Bearer {second['token']}"}).json() == {
            "name": "gpu-2"
        }
        with redis.Redis.from_url(told["REDIS_URL"]) as client:
            assert client.ping()
    with installation(data, run_workers=0) as platform:
        again = json.loads(platform.admin("worker-token", "gpu-2", "--json"))["settings"]
        assert again["REDIS_URL"] == told["REDIS_URL"]
        token = (data / "worker" / "token").read_text().strip()
        assert token == after
        me = f"{platform.url}/api/v1/worker/me"
        assert httpx.get(me, headers={"Authorization": f"Bearer {token}"}).json() == {"name": "local"}
