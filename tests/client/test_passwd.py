"""`proctor passwd`: a password is changed by who knows it, or set with a code; neither is ever shown."""

from uuid import UUID, uuid4

from client.api import Client
from server.accounts.passwords import begin_reset
from server.database import unit_of_work
from tests.client.conftest import Cli, Server

NEW = "another password of mine"


def registered(server: Server) -> tuple[str, str, str]:
    """E-mail, password and id of a new account."""
    email, password = f"{uuid4().hex}@example.org", f"pass-{uuid4().hex}"
    with Client(server.url) as client:
        client.register(email, "Ada", password)
        session = client.log_in(email, password)
    with Client(server.url, session) as client:
        return email, password, str(client.request("GET", "/me").json()["id"])


def test_a_password_is_changed_by_who_knows_it(cli: Cli, server: Server) -> None:
    email, password, _ = registered(server)
    assert cli("login", server.url, "--email", email, input=f"{password}\n").exit_code == 0
    wrong = cli("passwd", input=f"wrong\n{NEW}\n{NEW}\n")
    assert (wrong.exit_code, "old password is wrong" in " ".join(wrong.output.split())) == (5, True)
    done = cli("passwd", input=f"{password}\n{NEW}\n{NEW}\n")
    assert done.exit_code == 0, done.output
    assert NEW not in done.output
    assert password not in done.output
    assert cli("logout").exit_code == 0
    assert cli("login", server.url, "--email", email, input=f"{password}\n").exit_code == 5
    assert cli("login", server.url, "--email", email, input=f"{NEW}\n").exit_code == 0


def test_a_forgotten_password_is_set_with_a_code(cli: Cli, server: Server) -> None:
    email, _, account = registered(server)
    with unit_of_work(server.sessions) as session:
        code, _ = begin_reset(session, UUID(account), actor="tests")
    words = ["passwd", server.url, "--forgotten", "--email", email]
    wrong = cli(*words, input=f"prp_wrong\n{NEW}\n{NEW}\n")
    assert (wrong.exit_code, "ask the organizers" in " ".join(wrong.output.split())) == (5, True)
    done = cli(*words, input=f"{code}\n{NEW}\n{NEW}\n")
    assert done.exit_code == 0, done.output
    assert code not in done.output
    assert f"proctor login {server.url} --email {email}" in done.output
    assert cli("login", server.url, "--email", email, input=f"{NEW}\n").exit_code == 0


def test_who_is_not_logged_in_is_told_how(cli: Cli, server: Server) -> None:
    done = cli("passwd")
    assert (done.exit_code, "proctor login" in done.output) == (5, True)
