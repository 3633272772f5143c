"""What would change on boards: every change with its cause, and nothing written."""

from collections.abc import Callable
from uuid import UUID

import httpx
from sqlalchemy.orm import Session

from contract.changes import Cause, PlaceShift, Shifts
from contract.ids import EvaluationId, TeamId
from contract.statuses import Standing
from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.evaluations.models import Evaluation
from server.leaderboard.supposed import AS_IT_IS, Supposed
from server.leaderboard.whatif import compare
from tests.server.lab import Entrant, Lab
from tests.server.test_leaderboard import board, scored

MakeEntrant = Callable[[str], Entrant]


def of_teams(shifts: Shifts) -> dict[str, PlaceShift]:
    (phase,) = (phase for phase in shifts.phases if phase.phase == "validation")
    (track,) = (track for track in phase.tracks if track.track == "open")
    return {team.team: team for team in track.teams}


def moved(shifts: Shifts) -> dict[str, tuple[int | None, int | None, str]]:
    """Place before and after and the cause, of the teams that move."""
    return {
        name: (team.place_before, team.place_after, team.cause)
        for name, team in of_teams(shifts).items()
        if team.cause is not None
    }


def test_each_change_has_its_cause_and_boards_stay(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, session: Session, fomo26: Challenge
) -> None:
    values = {"Ada": 0.9, "Bob": 0.8, "Cyd": 0.7, "Dan": 0.6}
    teams = {name: entrant(name) for name in values}
    ids = {name: TeamId(UUID(team.team)) for name, team in teams.items()}
    now = {name: EvaluationId(UUID(scored(lab, teams[name], value))) for name, value in values.items()}
    other = EvaluationId(UUID(scored(lab, teams["Ada"], 0.75)))
    session.get_one(Evaluation, other).standing = Standing.BESIDE
    session.commit()
    shown = board(nobody, lab)
    challenge = get_challenge(session, lab.slug)

    def supposed(**what: object) -> Shifts:
        return compare(session, challenge, Supposed(**what))  # type: ignore[arg-type]

    same = compare(session, challenge, AS_IT_IS)
    assert (moved(same), same.sentences) == ({}, [])
    assert [board.board for phase in same.phases for track in phase.tracks for board in track.boards] == []

    swap = supposed(swapped={now["Ada"]: other})
    assert moved(swap) == {"Bob": (2, 1, Cause.OTHERS), "Ada": (1, 2, Cause.OWN)}
    assert [sentence.removeprefix("validation: ") for sentence in swap.sentences] == [
        "Bob: 2 → 1 in track open; 300 USD → 500 USD, because the values of Ada change.",
        "Ada: 1 → 2 in track open; 500 USD → 300 USD, because its own values on task5 change.",
    ]
    (phase,) = (phase for phase in swap.phases if phase.phase == "validation")
    (changed,) = phase.tracks[0].boards if phase.tracks[0].track == "open" else phase.tracks[1].boards
    entries = {entry.team: entry for entry in changed.entries}
    (metric,) = entries["Ada"].metrics
    assert metric.before is not None
    assert metric.after is not None
    assert (metric.before.value, metric.after.value, metric.after.low) == (0.9, 0.75, 0.1)
    assert (entries["Bob"].metrics, entries["Bob"].rank_before, entries["Bob"].rank_after) == ([], 2, 1)

    gone = supposed(without=frozenset({now["Bob"]}), swapped={now["Ada"]: other})
    assert moved(gone) == {
        "Cyd": (3, 2, Cause.OTHERS),
        "Dan": (4, 3, Cause.OTHERS),
        "Bob": (2, None, Cause.OWN),
    }
    assert of_teams(gone)["Cyd"].others == ["Bob"], "Ada stays ahead of it, whatever its value"

    cheats = supposed(teams={ids["Ada"]: {"disqualified": "It copied."}})
    assert of_teams(cheats)["Ada"].own == ["standing"]
    assert moved(cheats)["Ada"] == (1, None, Cause.OWN)
    assert "standing of Ada changes" in " ".join(cheats.sentences)
    for change in ({"hidden": True}, {"is_baseline": True}):
        assert moved(supposed(teams={ids["Ada"]: change})) == moved(cheats)
    prizes = supposed(teams={ids["Ada"]: {"eligible": False}})
    assert {name: (team.prize_before, team.prize_after) for name, team in of_teams(prizes).items()} == {
        "Ada": ("500 USD", None),
        "Bob": ("300 USD", "500 USD"),
        "Cyd": ("200 USD", "300 USD"),
        "Dan": (None, "200 USD"),
    }
    assert {team.cause for team in of_teams(prizes).values()} == {Cause.OWN, Cause.OTHERS}

    merged = supposed(merged={ids["Ada"]: ids["Dan"]}, without=frozenset({now["Dan"]}))
    assert moved(merged)["Dan"] == (4, 1, Cause.BOTH)
    assert moved(merged)["Ada"] == (1, None, Cause.OWN)

    cases = lab.dataset(cases=2)
    session.expire_all()
    assert moved(compare(session, challenge, AS_IT_IS)) == {}, "all left with the cases"
    assert same.digest != compare(session, challenge, AS_IT_IS).digest
    back = {("validation", "task5"): session.get_one(Evaluation, now["Ada"]).dataset_id}
    assert cases not in back.values()
    assert moved(supposed(datasets=back))["Ada"] == (None, 1, Cause.OWN)

    upside = fomo26.ranking.model_copy(update={"prizes": ("a medal",)})
    spec = challenge.spec.model_copy(update={"ranking": upside})
    rule = supposed(datasets=back, spec=spec)
    assert {team.cause for team in of_teams(rule).values()} == {Cause.RULE}
    assert len(shown["unified"]) == 4
