"""Who is ahead, by how much and whether that is luck: one sentence, of what everybody may see, in three places."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from contract.certainty import CertaintyOut
from contract.leaderboard import UnifiedOut
from evaluator.spec import Challenge
from server.leaderboard.made import MadeTrack
from server.web.public.leaders import said_of
from tests.server.browsing import require_sound
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import play
from tests.server.test_forms import sign_in
from tests.server.test_leaderboard import change


def entry(team: str, place: int | None, overall: float | None, **more: object) -> UnifiedOut:
    fields = {"baseline": False, "eligible": True, "disclaimer": None, "board_ranks": {}, "prize": None}
    return UnifiedOut.model_validate(
        {**fields, "team": team, "placement": place, "eligible_placement": place, "overall": overall, **more}
    )


def track(*entries: UnifiedOut, winners: list[str] | None = None, pending: bool = False) -> MadeTrack:
    certainty = None
    if winners is not None:
        certainty = CertaintyOut(
            level=0.95, winners=winners, weight_space={}, decision=None, warnings=[], notes=[]
        )
    return MadeTrack("open", list(entries), [], certainty, pending, [])


CORTEX, GYRUS = entry("Cortex", 1, 1.25), entry("Gyrus", 2, 1.55)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (track(), None),
        (track(entry("Base", None, None, baseline=True)), None),
        (track(CORTEX), "Cortex is the only team ranked so far."),
        (
            track(CORTEX, GYRUS, winners=["Cortex", "Gyrus"]),
            "Cortex leads Gyrus, mean rank 1.25 against 1.55 (lower is better). The data do not tell which of 2 teams "
            "is the best: Cortex and Gyrus are not told apart, with 95 % confidence.",
        ),
        (
            track(CORTEX, GYRUS, winners=["Cortex"]),
            "Cortex leads Gyrus, mean rank 1.25 against 1.55 (lower is better). The data single Cortex out as the "
            "best, with 95 % confidence.",
        ),
        (
            track(CORTEX, GYRUS, pending=True),
            "Cortex leads Gyrus, mean rank 1.25 against 1.55 (lower is better). Whether the data tell them apart is "
            "being worked out.",
        ),
        (
            track(CORTEX, entry("Gyrus", 1, 1.25), entry("Sulcus", 3, 2.0)),
            "Cortex and Gyrus share the first place ahead of Sulcus, mean rank 1.25 against 2.00 (lower is better).",
        ),
        (
            track(entry("Institute", 1, 1.0, eligible=False), GYRUS),
            "Institute leads Gyrus, mean rank 1.00 against 1.55 (lower is better). Institute may win no prize.",
        ),
    ],
)
def test_the_sentence_says_who_by_how_much_and_whether_the_data_tell_them_apart(
    made: MadeTrack, said: str | None
) -> None:
    assert said_of(made) == said


def test_the_same_sentence_stands_on_the_board_the_challenge_s_page_and_the_first_page(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, browser: httpx.Client
) -> None:
    play(lab, entrant, admin)
    board = require_sound(browser.get(f"/challenges/{lab.slug}/leaderboards/validation?track=open"))
    words = board.split('<p class="lead">')[1].split("</p>")[0]
    assert "share the first place ahead of" in words or " leads " in words
    assert "the best" in words
    overview = require_sound(browser.get(f"/challenges/{lab.slug}"))
    assert words in overview
    assert f'href="/challenges/{lab.slug}/leaderboards/validation?track=open"' in overview
    home = require_sound(browser.get("/"))
    assert f'href="/challenges/{lab.slug}"' in home
    assert "Cheats" not in words
    assert "Zero" not in words


def test_teams_without_ranks_have_their_values_on_the_board_and_sentences_stand_there_once(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, browser: httpx.Client
) -> None:
    play(lab, entrant, admin)
    board = browser.get(f"/challenges/{lab.slug}/leaderboards/validation?track=open").text
    for team in ("Zero", "Cheats"):
        row = next(part for part in board.split("<tr") if f">{team}</a>" in part)
        assert '<small class="interval">AUROC</small>' in row
    assert "have no ranks: in their rows stands the value of each board's first metric" in board
    told = board.split('<div class="note certainty">')[1]
    sentences = [part.split("</p>")[0] for part in told.split("<p")[1:]]
    assert len(sentences) == len(set(sentences)), "each is said once"
    compared = browser.get(
        f"/challenges/{lab.slug}/leaderboards/validation/comparison?track=open&board=task1&team=Ada&team=Zero"
    ).text
    assert "Fewer than two teams have a value" not in compared
    assert "Tests are between teams that are ranked" in compared


def test_what_is_frozen_or_sealed_gives_away_no_leader(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, browser: httpx.Client, fomo26: Challenge
) -> None:
    play(lab, entrant, admin)
    changed = {"freezes": datetime(2026, 6, 20, tzinfo=UTC)}
    for update in (changed, {"board": "sealed"}):
        phases = dict(fomo26.phases)
        phases["validation"] = phases["validation"].model_copy(update=update)
        change(lab, fomo26, phases=phases)
        for who in (None, admin.email):
            if who is not None:
                sign_in(browser, who)
            for address in ("/", f"/challenges/{lab.slug}"):
                shown = browser.get(address).text
                assert (
                    "the first place ahead of" not in shown.replace("\n", " ").split("<h2>Phases")[0]
                    or address == "/"
                )
                assert f"/challenges/{lab.slug}/leaderboards/validation?track=" not in shown
        browser.cookies.clear()
