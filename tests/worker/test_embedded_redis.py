"""The embedded Redis: password only, no dangerous commands, fit for Celery."""

import socket
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

from worker.embedded.account import SetupError
from worker.embedded.ports import port_to_keep, reachable_as
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


def test_the_port_is_kept_in_the_directory_over_starts(services_directory: Path) -> None:
    data = services_directory / "kept"
    first = Redis(data)
    first.start()
    first.stop()
    again = Redis(data)
    assert (again.url, again.port) == (first.url, int((data / "redis.port").read_text()))
    again.start()
    again.stop()


def test_a_port_that_another_program_has_is_named_with_what_to_do(services_directory: Path) -> None:
    data = services_directory / "taken"
    server = Redis(data)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        with pytest.raises(SetupError, match=f"Port {server.port} .*--redis-port"):
            server.start()
    assert not (data / "redis.port").exists()
    server.start()
    server.stop()


def test_kept_ports_are_not_those_of_outgoing_connections() -> None:
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert all(port_to_keep("127.0.0.1") < max(first, 32_000) for _ in range(20))


@pytest.mark.parametrize(
    ("host", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.7", "10.0.0.7"), ("fd00::7", "[fd00::7]")],
)
def test_where_it_listens_everywhere_this_machine_reaches_it_at_home(host: str, reached: str) -> None:
    assert reachable_as(host) == reached


def test_another_address_lets_other_hosts_in_with_the_password_only(services_directory: Path) -> None:
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    address = next((one for one in own if ":" not in one and not one.startswith("127.")), None)
    if address is None:
        pytest.skip("this machine has no address but its own")
    server = Redis(services_directory / "open", "0.0.0.0")
    server.start()
    try:
        with redis.Redis.from_url(server.url_at(address)) as client:
            assert client.ping()
        with redis.Redis(host=address, port=server.port) as client, pytest.raises(redis.RedisError):
            client.ping()
    finally:
        server.stop()
