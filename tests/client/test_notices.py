"""Notices and webhooks through the command: mentioned, read, mailed or not, and sent to programs."""

import json
from collections.abc import Callable

import pytest

from server.accounts.principals import Organizer
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.questions import service as questions
from tests.client.conftest import Cli, Participant, Server


@pytest.fixture
def announce(server: Server, slug: str) -> Callable[[str], None]:
    def told(text: str) -> None:
        with unit_of_work(server.sessions) as session:
            challenge = get_challenge(session, slug)
            organizer = Organizer(challenge.id, "tests")
            questions.announce(session, organizer, challenge, text=text, task=None)

    return told


def test_what_is_new_is_mentioned_read_once_and_by_mail_as_one_likes(
    mine: Cli, announce: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine("notices")  # what other tests had this person told
    announce("The first.")
    announce("The second.")
    assert "notice" not in mine("questions").output, "nobody sits there"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "2 new notices: proctor notices" in mine("questions").stderr
    assert "notice" not in mine("questions").stderr, "once in a while"
    monkeypatch.delenv("FORCE_COLOR")

    shown = mine("notices").output
    assert shown.index("The first.") < shown.index("The second."), "the newest last"
    assert "Nothing new." in mine("notices").output
    everything = json.loads(mine("notices", "--all", "--json").stdout)
    assert [notice["text"] for notice in everything][:2] == ["The second.", "The first."]

    changed = mine("notices", "--mail", "announcement=off").output
    assert "no, as you said" in changed
    assert "phase.opened" not in changed, "what was changed alone"
    assert "phase.opened" in mine("notices", "--settings").output
    assert "This server sends no mail" in changed
    assert "everything" in mine("notices", "--mail", "everything").output
    refused = mine("notices", "--mail", "everything=off")
    assert refused.exit_code == 2
    assert "submission.ended" in refused.output


def test_a_captain_has_webhooks_and_reads_what_became_of_them(
    mine: Cli, server: Server, participant: Participant
) -> None:
    assert "no webhook" in mine("webhooks").output
    made = mine("webhooks", "add", "https://receiver.example/a", "--kind", "submission.ended")
    assert "Secret: whsec_" in made.stdout
    assert "(submission.ended)" in made.stdout
    unheard = mine("webhooks", "add", "https://receiver.example/b", "--kind", "disk.low")
    assert "never told of disk.low" in unheard.output
    assert (
        "There is no kind 'disk.full'"
        in mine("webhooks", "add", "https://b.example", "--kind", "disk.full").output
    )
    again = mine("webhooks", "add", "https://receiver.example/a")
    assert "already" in again.output
    (row,) = json.loads(mine("webhooks", "--json").stdout)
    ending = row["id"][-6:]
    assert "webhook.test is on its way" in mine("webhooks", "test", ending).output
    assert "last message queued" in mine("webhooks").output
    assert "It is tried at" in mine("webhooks").output
    assert "Secret: whsec_" in mine("webhooks", "rotate", ending).stdout
    assert mine("webhooks", "rotate").exit_code == 2
    assert "no webhook" in mine("webhooks", "remove", ending).output
    for number in range(5):
        assert mine("webhooks", "add", f"https://receiver.example/{number}").exit_code == 0
    assert "There are 5 webhooks already" in mine("webhooks", "add", "https://receiver.example/6").output
