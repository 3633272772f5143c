"""Logging in and out, and what the command says when it cannot go on."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from client.api import Client
from client.errors import Problem
from contract.phases import FIRST_CASES
from server.amendments.service import amend
from server.challenges.service import get_challenge
from server.database import unit_of_work
from tests.client.conftest import Cli, Participant, Server
from worker.embedded.data import CHECKOUT


def test_a_log_in_is_stored_for_its_user_alone_and_revoked_on_logout(
    cli: Cli, server: Server, participant: Participant, config: Path
) -> None:
    done = cli("login", server.url, "--email", participant.email, input=f"{participant.password}\n")
    assert done.exit_code == 0, done.output
    stored = config / "login.json"
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert participant.password not in stored.read_text()
    token = json.loads(stored.read_text())["token"]
    with Client(server.url, token) as client:
        assert client.me().email == participant.email
        assert cli("logout").exit_code == 0
        assert not stored.exists()
        with pytest.raises(Problem) as refused:
            client.me()
    assert refused.value.status == 401


def test_a_token_can_be_brought_along(cli: Cli, server: Server, participant: Participant) -> None:
    done = cli("login", server.url, "--token", participant.token)
    assert done.exit_code == 0
    assert participant.email in done.output
    assert cli("logout").exit_code == 0


def test_a_token_alone_goes_to_the_stored_address(
    cli: Cli, server: Server, participant: Participant, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_TOKEN", participant.token)
    done = cli("quota", "-c", slug)
    assert (done.exit_code, "no server is known" in done.output) == (5, True), done.output
    monkeypatch.delenv("PROCTOR_TOKEN")
    assert cli("login", server.url, "--token", participant.token).exit_code == 0
    assert cli("quota", "-c", slug).exit_code == 0
    monkeypatch.setenv("PROCTOR_TOKEN", "another")
    done = cli("quota", "-c", slug)
    assert (done.exit_code, "Not signed in" in done.output) == (5, True), done.output


def test_a_challenge_is_shown_with_what_was_amended(
    cli: Cli, server: Server, participant: Participant, slug: str
) -> None:
    assert cli("login", server.url, "--token", participant.token).exit_code == 0
    with unit_of_work(server.sessions) as session:
        challenge, what = get_challenge(session, slug), "Validation: closes 2 days later"
        amend(session, challenge, what=what, why="The server was away.", by="tests", phase="validation")
        first = f"Validation, Brain age: {FIRST_CASES} (200 cases)"
        amend(session, challenge, what=first, why=None, by="tests", phase="validation", told=False)
        amend(session, challenge, what=f"Validation: sha256:{'a' * 64}", why=None, by="tests")
    shown = " ".join(cli("challenge", "-c", slug).output.split())
    assert "tracks: method, open tasks: task1: Acute infarct classification" in shown
    assert "validation: open" in shown
    assert "sha256:aaaaaaaaaaaa…" in shown
    assert FIRST_CASES not in shown
    assert "by the organizers: Validation: closes 2 days later, because: The server was away." in shown
    assert cli("challenge", slug).output == cli("challenge", "-c", slug).output
    assert cli("challenge", "none-of-this-name").exit_code != 0


def test_a_new_participant_registers_founds_a_team_and_brings_another(
    cli: Cli, server: Server, slug: str, participant: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cli(
        "register", server.url, "--name", "Eve", "--email", f"{slug}@example.org", input="long password\n" * 2
    )
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("PROCTOR_TOKEN", participant.token)
    monkeypatch.setenv("PROCTOR_URL", server.url)
    invitation = cli("team", "invite", "-c", slug)
    assert invitation.output.startswith("proctor team join ")
    monkeypatch.delenv("PROCTOR_TOKEN")
    joined = cli(*invitation.output.split()[1:])
    assert joined.exit_code == 0, joined.output
    assert "The First" in joined.output
    refused = cli("team", "invite", "-c", slug)
    assert (refused.exit_code, "Ask your captain" in refused.output) == (5, True), refused.output
    assert "scope" not in refused.output
    shown = cli("team", "show", "-c", slug)
    assert "Ada (captain)" in shown.output
    assert "Eve" in shown.output
    assert cli("team", "leave", "-c", slug, input="n\n").exit_code == 2
    assert cli("team", "leave", "-c", slug, "--yes").exit_code == 0
    assert cli("team", "show", "-c", slug).exit_code == 5
    assert "Your team is Eve's" in cli("team", "create", "Eve's", slug).output


def test_invitations_are_listed_and_taken_back(
    cli: Cli, server: Server, slug: str, participant: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_TOKEN", participant.token)
    monkeypatch.setenv("PROCTOR_URL", server.url)
    assert cli("team", "invitations", "-c", slug).output == "No invitation is open.\n"
    code = cli("team", "invite", "-c", slug, "--days", "2").output.split()[-1]
    (line,) = cli("team", "invitations", "-c", slug).output.splitlines()
    id_ = line.split()[0]
    refused = cli("team", "invitations", "-c", slug, "--revoke", "nonsense")
    assert (refused.exit_code, "No open invitation has an id" in refused.output) == (2, True), refused.output
    taken = cli("team", "invitations", "-c", slug, "--revoke", id_[-6:])
    assert taken.exit_code == 0, taken.output
    assert "No invitation is open." in taken.output
    with Client(server.url, participant.token) as client, pytest.raises(Problem, match="taken back"):
        client.accept_invitation(code)


def test_tokens_are_made_listed_and_revoked(cli: Cli, server: Server, participant: Participant) -> None:
    given = f"{participant.password}\n"
    assert cli("login", server.url, "--email", participant.email, input=given).exit_code == 0
    made = cli("token", "create", "ci", "--days", "3", "--read-only", input=given)
    assert made.exit_code == 0, made.output
    token = made.stdout.splitlines()[-1].split()[-1]
    with Client(server.url, token) as client:
        assert client.me().email == participant.email
        listed = [line for line in cli("token", "list").output.splitlines() if "  ci  (read)" in line]
        assert "made with" not in listed[0]
        assert cli("logout").exit_code == 0
        assert client.me().email == participant.email, "a token made with the password stands alone"
        assert cli("login", server.url, "--email", participant.email, input=given).exit_code == 0
        assert cli("token", "revoke", listed[0].split()[0]).exit_code == 0
        with pytest.raises(Problem) as refused:
            client.me()
    assert refused.value.code == "token_revoked"
    assert "ci" not in cli("token", "list").output
    assert cli("token", "revoke", "nonsense").exit_code == 2
    assert cli("token", "create", "decides", "--scope", "organize", input=given).exit_code == 0
    assert "  decides  (organize, read)" in cli("token", "list").output
    assert "exclude each other" in cli("token", "create", "x", "--read-only", "--scope", "admin").output


def test_one_logs_out_everywhere_and_closes_the_account(cli: Cli, server: Server, config: Path) -> None:
    email = f"{uuid4().hex}@example.org"
    new = ["register", server.url, "--name", "Eve", "--email", email]
    assert cli(*new, input="long password\n" * 2).exit_code == 0
    device = json.loads((config / "devices.json").read_text())[f"{server.url} {email}"]
    assert device.startswith("prd_")
    with Client(server.url) as client:
        session = client.log_in(email, "long password")
    assert len(cli("sessions").output.splitlines()) == 1
    assert cli("logout", "--everywhere").exit_code == 0
    with Client(server.url, session) as client, pytest.raises(Problem, match="revoked"):
        client.me()
    assert cli("login", server.url, "--email", email, input="long password\n").exit_code == 0
    assert cli("close-account", input="n\n").exit_code == 2
    closed = cli("close-account", "--yes", input="long password\n")
    assert closed.exit_code == 0, closed.output
    refused = cli("login", server.url, "--email", email, input="long password\n")
    assert (refused.exit_code, "This account is closed" in refused.output) == (5, True), refused.output


def test_a_device_that_was_used_before_is_let_in_while_others_guess(cli: Cli, server: Server) -> None:
    email, given = f"{uuid4().hex}@example.org", "long password\n"
    assert cli("register", server.url, "--name", "Eve", "--email", email, input=given * 2).exit_code == 0
    with Client(server.url) as client:
        for _ in range(11):
            with pytest.raises(Problem):
                client.log_in(email, "a guess")
        with pytest.raises(Problem) as refused:
            client.log_in(email, "long password")
    assert refused.value.status == 429
    done = cli("login", server.url, "--email", email, input=given)
    assert done.exit_code == 0, done.output


def test_wrong_password_is_the_servers_sentence_and_exit_code_5(
    cli: Cli, server: Server, participant: Participant
) -> None:
    done = cli("login", server.url, "--email", participant.email, input="wrong password\n")
    assert done.exit_code == 5
    assert "Traceback" not in done.output
    assert done.output.strip() == "The e-mail address or the password is wrong."


def test_every_command_asks_for_a_log_in_first(cli: Cli) -> None:
    for command in (["quota"], ["results"], ["watch"], ["submit", "x.tar"]):
        done = cli(*command)
        assert (done.exit_code, "proctor login" in done.output) == (5, True), command


def test_a_question_that_nobody_answers_is_wrong_usage(cli: Cli, server: Server) -> None:
    said = "Give the answers as --name, --email, PROCTOR_PASSWORD, or as a line each on standard input."
    for given in ("", "Ada\n", "Ada\nada@example.org\n"):
        done = cli("register", server.url, input=given)
        assert (done.exit_code, said in done.output) == (2, True), done.output


def test_what_no_option_answers_is_read_from_standard_input(mine: Cli) -> None:
    done = mine("verify-address", input="")
    assert done.exit_code == 2, done.output
    assert "Give the answers as a line each on standard input." in done.output


def test_a_server_that_does_not_answer_is_exit_code_6(cli: Cli) -> None:
    done = cli("login", "http://127.0.0.1:9", "--token", "t")
    assert done.exit_code == 6
    assert "does not answer" in done.output


def test_what_is_not_a_proctor_server_is_said_so(cli: Cli, server: Server) -> None:
    done = cli("login", f"{server.url}/foo", "--email", "a@example.org", input="password\n")
    assert (done.exit_code, f"There is no Proctor at {server.url}/foo" in done.output) == (6, True)
    assert done.output.count("ot found") == 1


def test_the_help_names_commands_and_exit_codes(cli: Cli) -> None:
    done = cli("--help")
    assert done.exit_code == 0
    for word in ("login", "try", "submit", "watch", "results", "quota", "Exit codes", "ERRORED", "CANCELLED"):
        assert word in done.output
    for shown in (
        done,
        cli("team", "--help", env={"COLUMNS": "80"}),
        cli("token", "--help", env={"COLUMNS": "80"}),
    ):
        assert "..." not in shown.output.replace("[ARGS]...", "")
    assert "CASE/FILE" in cli("try", "--help").output
    assert cli("--version").output.startswith("proctor 0.")
    assert cli("submit", "--nonsense").exit_code == 2
    assert cli("login", "not-an-address").exit_code == 2


def test_in_a_pipe_nothing_is_drawn_no_line_is_broken_and_no_terminal_is_missed(
    server: Server, tmp_path: Path
) -> None:
    def piped(*words: str, given: str = "") -> tuple[int, str, str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "client.main", *words]
        ended = subprocess.run(
            command, input=given, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        return ended.returncode, ended.stdout, ended.stderr

    mail, password = f"{uuid4().hex}@example.org", "a password of mine"
    new = ["register", server.url, "--name", "Ada", "--email", mail]
    assert piped(*new, given=f"{password}\n")[0] == 2, "it is asked for twice"
    code, said, warned = piped(*new, given=f"{password}\n{password}\n")
    assert (code, warned) == (0, "")
    assert said.splitlines() == [
        f"Logged in at {server.url} as Ada ({mail}). Stored in {tmp_path / 'proctor' / 'login.json'}"
    ]
    for words in (["--help"], ["quota", "--help"], ["quota", "--nonsense"]):
        assert not set("".join(piped(*words)[1:])) & set("╭│─┏┃━"), words
