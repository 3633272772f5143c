"""Documents and questions through the command: read, accepted, asked and answered."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.api import Client
from client.errors import Problem
from contract.agreements import Before
from server.accounts.principals import Organizer
from server.challenges.service import get_challenge
from server.consent.drafts import Draft
from server.consent.service import publish
from server.database import unit_of_work
from server.questions import service as questions
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Participant, Server

TEXT = "Keep the data to yourselves.\n\n    1. [red]All[/red] of it.\n"
DIGEST = "sha256:" + hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def organize(server: Server, slug: str) -> Callable[..., Any]:
    """Calls a service as an organizer of the challenge: `act(session, organizer, challenge)`."""

    def called(act: Callable[..., Any]) -> Any:
        with unit_of_work(server.sessions) as session:
            challenge = get_challenge(session, slug)
            return act(session, Organizer(challenge.id, "tests"), challenge)

    return called


def test_what_has_to_be_accepted_is_said_before_anything_is_sent_and_then_shown_and_accepted(
    mine: Cli,
    server: Server,
    slug: str,
    organize: Callable[..., Any],
    participant: Participant,
    tmp_path: Path,
) -> None:
    image_archive(tmp_path / "image.tar", noise=64)
    submit = ("submit", tmp_path / "image.tar", "-t", "task5", "--track", "method", "--phase", "validation")
    assert "no documents" in mine("agree").output
    draft = Draft("data-use", "Data use agreement", TEXT, Before.SUBMISSION, False)
    organize(lambda *by: publish(*by, draft))
    refused = mine(*submit)
    assert refused.exit_code == 5
    assert "“Data use agreement” (version 1): proctor agree. Nothing was uploaded." in refused.output
    assert "Uploading" not in refused.output
    with Client(server.url, participant.token) as client, pytest.raises(Problem, match="proctor agree"):
        client.submit(
            slug, team=participant.team, track="method", phase="validation", images={"task5": DIGEST}
        )

    shown = mine("agree")
    assert shown.exit_code == 2, "nobody is there to accept it"
    assert "    1. [red]All[/red] of it." in shown.output
    assert f"before you upload or submit: proctor agree --accept {DIGEST}" in shown.output
    assert mine("agree", "--accept", "sha256:0000").exit_code == 2
    (listed,) = json.loads(mine("agree", "--json").stdout)
    assert (listed["digest"], listed["accepted_at"]) == (DIGEST, None)
    assert "Accepted." in mine("agree", "--accept", DIGEST[:14]).output
    assert "You accepted it on" in mine("agree").output
    done = mine(*submit)
    assert done.exit_code == 0, done.output


def test_a_question_and_its_answer(mine: Cli, organize: Callable[..., Any]) -> None:
    assert "Nothing was asked" in mine("questions").output
    asked = mine("ask", "-", "--task", "task5", input="May we [b]train[/b] on it?\nWe would like to.")
    assert asked.exit_code == 0, asked.output
    assert "your team asks; not answered yet" in mine("questions").output
    with_answer = {
        "answer": "You may.",
        "everybody": True,
        "question": "Is training allowed?",
        "instead": False,
    }
    (row,) = organize(
        lambda session, _, challenge: questions.rows(session, challenge, is_open=True, before=None, limit=9)
    )
    organize(lambda session, organizer, _: questions.answer(session, organizer, row.id, **with_answer))
    organize(lambda *by: questions.announce(*by, text="Closed on Monday.", task=None))
    said = mine("questions").output
    for line in (
        "task5 · your team asked; answered to everybody",
        "    May we [b]train[/b] on it?\n    We would like to.",
        "    Everybody reads: Is training allowed?",
        "    → You may.",
        "UTC · to everybody\n    → Closed on Monday.",
    ):
        assert line in said, said
    assert [one["own"] for one in json.loads(mine("questions", "--json").stdout)] == [False, True]
    assert mine("ask", "x", "--task", "task9").exit_code == 5
