"""The embedded Redis: password only, no dangerous commands, fit for Celery."""

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from kombu import Connection
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.retry import Retry

from worker.embedded.redis import Redis


def test_it_answers_with_the_password(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.set("x", "1")
        assert client.get("x") == b"1"


def test_it_does_not_answer_without_the_password(redis_url: str) -> None:
    port = urlsplit(redis_url).port or 0
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=port, retry=once) as client, pytest.raises(AuthenticationError):
        client.ping()


@pytest.mark.parametrize("command", [["CONFIG", "GET", "*"], ["FLUSHALL"], ["SHUTDOWN"], ["ACL", "LIST"]])
def test_its_user_may_not_administer_it(redis_url: str, command: list[str]) -> None:
    with redis.Redis.from_url(redis_url) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command)


def test_celery_sends_a_message_that_arrives(redis_url: str) -> None:
    app = Celery("test", broker=redis_url)
    app.send_task("nobody.knows", queue="embedded-redis-test")
    with Connection(redis_url) as connection, connection.SimpleQueue("embedded-redis-test") as queue:
        message = queue.get(timeout=5)
        message.ack()
    assert message.headers["task"] == "nobody.knows"
    app.close()


def test_the_password_is_in_no_command_line_and_the_port_stays(services_directory: Path) -> None:
    server = Redis(services_directory / "redis-restarts")
    server.start()
    first = server.url
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert urlsplit(first).password not in listed
    server.stop()
    assert not server.alive()
    server.start()
    assert server.url == first
    server.stop()
