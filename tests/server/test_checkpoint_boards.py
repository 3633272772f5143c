"""What a board says of the pretrained checkpoints of its teams, in each of its forms, and to whom."""

import csv
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from contract.images import CheckpointState
from contract.leaderboard import CheckpointMark
from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.ticks import AT_ONCE
from server.leaderboard.checkpoints import Held, mark_of
from server.leaderboard.views import made_boards
from tests.abuse.boards import watched
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.reevaluating import score_all
from tests.server.test_checkpoints import MISSING, NOT_DECLARED, ONE, TWO, declares, second_image, verified
from tests.server.test_leaderboard import board, change

MakeEntrant = Callable[[str], Entrant]
AT = "leaderboards/validation"
VERIFIED_ONE, VERIFIED_TWO = Held(CheckpointState.VERIFIED, ONE), Held(CheckpointState.VERIFIED, TWO)
NONE, GONE, UNSEEN = (
    Held(CheckpointState.NOT_DECLARED, None),
    Held(CheckpointState.MISSING, ONE),
    Held(None, None),
)


@pytest.mark.parametrize(
    ("found", "mark"),
    [
        ([], None),
        ([VERIFIED_ONE], "one_for_all"),
        ([VERIFIED_ONE, VERIFIED_ONE], "one_for_all"),
        ([VERIFIED_ONE, VERIFIED_TWO], "differing"),
        ([VERIFIED_ONE, NONE], "differing"),
        ([GONE], "differing"),
        ([GONE, GONE], "differing"),
        ([VERIFIED_ONE, GONE], "differing"),
        ([NONE], "not_declared"),
        ([NONE, NONE], "not_declared"),
        ([UNSEEN], None),
        ([UNSEEN, NONE], None),
        ([UNSEEN, VERIFIED_ONE], None),
        ([UNSEEN, VERIFIED_ONE, VERIFIED_TWO], "differing"),
        ([UNSEEN, GONE], "differing"),
        ([UNSEEN, VERIFIED_ONE, NONE], "differing"),
    ],
)
def test_a_team_s_mark_follows_from_what_each_task_s_image_holds(found: list[Held], mark: str | None) -> None:
    assert mark_of(found) == mark


@pytest.fixture
def teams(lab: Lab, entrant: MakeEntrant, fomo26: Challenge) -> dict[str, Entrant]:
    """Ada has one checkpoint on two tasks, Bob two, and Cyd declares none on one; all are scored."""
    change(lab, fomo26, checkpoint="shown")
    for task in ("task1", "task5"):
        lab.dataset(task)
    found = {name: entrant(name) for name in ("Ada", "Bob", "Cyd")}
    for name, checkpoint in {"Ada": verified(ONE), "Bob": verified(ONE), "Cyd": NOT_DECLARED}.items():
        declares(lab, found[name], checkpoint)
    enter(found["Ada"], {"task1": found["Ada"].image, "task5": found["Ada"].image})
    enter(
        found["Bob"], {"task1": found["Bob"].image, "task5": second_image(lab, found["Bob"], verified(TWO))}
    )
    enter(found["Cyd"], {"task5": found["Cyd"].image})
    lab.worker().drain()
    score_all(lab, lambda _: 0.8)
    return found


def enter(team: Entrant, images: Mapping[str, str]) -> None:
    body = {"track": "open", "phase": "validation", "images": dict(images)}
    answer = team.http.post(
        f"/challenges/{team.slug}/submissions", json=body, headers={"Idempotency-Key": "a"}
    )
    assert answer.status_code == 201, answer.text


def marks(http: httpx.Client, lab: Lab) -> dict[str, str | None]:
    return {row["team"]: row["checkpoint"] for row in board(http, lab)["unified"]}


def test_each_team_has_its_mark_in_the_answer_and_in_both_tables(
    lab: Lab, teams: dict[str, Entrant], nobody: httpx.Client, browser: httpx.Client
) -> None:
    expected = {"Ada": "one_for_all", "Bob": "differing", "Cyd": "not_declared"}
    assert marks(nobody, lab) == expected
    rows = csv.DictReader(io.StringIO(nobody.get(f"/challenges/{lab.slug}/{AT}.csv").text))
    assert {row["team"]: row["checkpoint"] for row in rows} == expected
    words = {"Ada": "one for all", "Bob": "differing", "Cyd": "not declared"}
    shown = browser.get(f"/challenges/{lab.slug}/{AT}/shown.csv?track=open").text
    assert {row["team"]: row["Checkpoint"] for row in csv.DictReader(io.StringIO(shown))} == words
    page = browser.get(f"/challenges/{lab.slug}/{AT}?track=open&sort=-checkpoint").text
    for name, word in words.items():
        assert f">{word}</td>" in page.split(f">{name}</a>")[1].split("</tr>")[0]
    assert page.index(">Cyd</a>") < page.index(">Bob</a>") < page.index(">Ada</a>")
    assert ONE not in page


def test_what_the_row_says_when_it_is_opened_is_what_its_mark_says(
    lab: Lab, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    for name, mark in marks(nobody, lab).items():
        found = nobody.get(
            f"/challenges/{lab.slug}/{AT}/entry", params={"track": "open", "team": name}
        ).json()
        assert found["checkpoint"]["mark"] == mark


def test_without_the_field_nothing_is_said(
    lab: Lab, teams: dict[str, Entrant], nobody: httpx.Client, browser: httpx.Client, fomo26: Challenge
) -> None:
    change(lab, fomo26, checkpoint=None)
    assert set(marks(nobody, lab).values()) == {None}
    assert "Checkpoint" not in browser.get(f"/challenges/{lab.slug}/{AT}?track=open").text


def test_images_that_an_older_release_checked_are_not_said_to_declare_nothing(
    lab: Lab, teams: dict[str, Entrant], nobody: httpx.Client, browser: httpx.Client
) -> None:
    declares(lab, teams["Cyd"], None)
    assert marks(nobody, lab)["Cyd"] is None
    page = browser.get(f"/challenges/{lab.slug}/{AT}?track=open&open=Cyd").text
    assert "checkpoint not known" in page
    assert "Not known: an older release checked an image" in page


def test_it_takes_no_further_statement(lab: Lab, teams: dict[str, Entrant], fomo26: Challenge) -> None:
    def asked() -> int:
        with unit_of_work(lab.sessions) as session:
            challenge = get_challenge(session, lab.slug)
            with watched(lab.sessions) as found:
                made_boards(session, challenge, "validation")
        return len(found.said)

    asked()  # of a version of the file more is asked the first time
    shown = asked()
    change(lab, fomo26, checkpoint=None)
    assert asked() == shown


def test_a_mark_tells_nothing_of_an_entry_that_its_team_does_not_see_yet(
    lab: Lab, teams: dict[str, Entrant]
) -> None:
    """Bob's second image, with another checkpoint, is scored and not shown: cases of this phase are hidden."""
    at = datetime.now(UTC)
    bob = Evaluation.team_id == UUID(teams["Bob"].team)
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        times = {"created_at": at - timedelta(hours=2), "finished_at": at - timedelta(hours=1)}
        session.execute(update(Evaluation).where(Evaluation.challenge_id == challenge.id).values(times))
        later = {"finished_at": at + timedelta(hours=1)}
        session.execute(update(Evaluation).where(bob, Evaluation.task == "task5").values(later))

    def mark(*, at_once: bool) -> str | None:
        with unit_of_work(lab.sessions) as session:
            session.info[AT_ONCE] = at_once
            made = made_boards(session, get_challenge(session, lab.slug), "validation")
        (track,) = (one for one in made.tracks if one.track == "open")
        return next(row.checkpoint for row in track.unified if row.team == "Bob")

    marks = mark(at_once=False), mark(at_once=True)
    with unit_of_work(lab.sessions) as session:  # other tests ask what was scored since a moment of theirs
        session.execute(update(Evaluation).where(bob).values(times))
    assert marks == (CheckpointMark.ONE_FOR_ALL, CheckpointMark.DIFFERING)


def test_the_list_before_a_release_names_whose_tasks_differ_and_who_declares_nothing(
    lab: Lab, teams: dict[str, Entrant], admin: Person, browser: httpx.Client, entrant: MakeEntrant
) -> None:
    wrong = entrant("Dan")
    declares(lab, wrong, MISSING)
    enter(wrong, {"task5": wrong.image})
    reference = entrant("Reference")
    declares(lab, reference, NOT_DECLARED)
    enter(reference, {"task5": reference.image})
    assert admin.http.patch(f"/admin/teams/{reference.team}", json={"baseline": True}).status_code == 200
    lab.worker().drain()
    score_all(lab, lambda _: 0.7)
    answer = admin.http.get(f"/organize/{lab.slug}/phases/validation/release").json()
    told = [one for one in answer["checks"] if one["check"] == "checkpoints"]
    assert {one["state"] for one in told} == {"warning"}
    differing, none = (one["found"] for one in told)
    assert f"Bob (task1: {ONE}; task5: {TWO})" in differing
    assert "Dan (task5: none that is verified)" in differing
    assert none == "Track open: no pretrained checkpoint is declared by Cyd."
    assert "Ada" not in differing
