"""What would change on boards: every change with its cause, and nothing written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import httpx
from sqlalchemy.orm import Session

from contract.changes import Cause, PlaceShift, Shifts
from contract.ids import EvaluationId, TeamId
from contract.statuses import Standing
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.evaluations.models import Evaluation
from server.leaderboard.supposed import Supposed
from server.leaderboard.whatif import compare
from server.plans.service import plan
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


@dataclass(frozen=True)
class Four:
    """Four teams that are ranked, with their evaluations; `other` stands beside Ada's and is worth 0.75."""

    lab: Lab
    session: Session
    teams: Mapping[str, Entrant]
    now: Mapping[str, EvaluationId]
    other: EvaluationId

    @property
    def challenge(self) -> Challenge:
        return get_challenge(self.session, self.lab.slug)

    def team(self, name: str) -> TeamId:
        return TeamId(UUID(self.teams[name].team))

    def supposed(self, **what: object) -> Shifts:
        return compare(self.session, self.challenge, Supposed(**what))  # type: ignore[arg-type]


def test_each_change_has_its_cause_and_nothing_is_written(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, session: Session
) -> None:
    values = {"Ada": 0.9, "Bob": 0.8, "Cyd": 0.7, "Dan": 0.6}
    teams = {name: entrant(name) for name in values}
    now = {name: EvaluationId(UUID(scored(lab, teams[name], value))) for name, value in values.items()}
    other = EvaluationId(UUID(scored(lab, teams["Ada"], 0.75)))
    session.get_one(Evaluation, other).standing = Standing.BESIDE
    session.commit()
    before = board(nobody, lab)
    four = Four(lab, session, teams, now, other)
    same = four.supposed()
    assert (moved(same), same.sentences) == ({}, [])
    assert [board.board for phase in same.phases for track in phase.tracks for board in track.boards] == []
    evaluations_that_change_places(four)
    teams_that_stand_otherwise(four)
    assert board(nobody, lab) == before
    other_cases_and_another_rule(four)


def evaluations_that_change_places(four: Four) -> None:
    swap = four.supposed(swapped={four.now["Ada"]: four.other})
    assert moved(swap) == {"Bob": (2, 1, Cause.OTHERS), "Ada": (1, 2, Cause.OWN)}
    assert [sentence.removeprefix("validation: ") for sentence in swap.sentences] == [
        "Bob: 2 → 1 in track open; 300 USD → 500 USD, because the values of Ada change.",
        "Ada: 1 → 2 in track open; 500 USD → 300 USD, because its own values on task5 change.",
    ]
    (changed,) = (board for phase in swap.phases for track in phase.tracks for board in track.boards)
    entries = {entry.team: entry for entry in changed.entries}
    (metric,) = entries["Ada"].metrics
    assert metric.before is not None
    assert metric.after is not None
    assert (metric.before.value, metric.after.value, metric.after.low) == (0.9, 0.75, 0.1)
    assert (entries["Bob"].metrics, entries["Bob"].rank_before, entries["Bob"].rank_after) == ([], 2, 1)
    gone = four.supposed(without=frozenset({four.now["Bob"]}), swapped={four.now["Ada"]: four.other})
    assert moved(gone) == {
        "Cyd": (3, 2, Cause.OTHERS),
        "Dan": (4, 3, Cause.OTHERS),
        "Bob": (2, None, Cause.OWN),
    }
    assert of_teams(gone)["Cyd"].others == ["Bob"], "Ada stays ahead of it, whatever its value"


def teams_that_stand_otherwise(four: Four) -> None:
    ada, dan = four.team("Ada"), four.team("Dan")
    cheats = four.supposed(teams={ada: {"disqualified": "It copied."}})
    assert of_teams(cheats)["Ada"].own == ["standing"]
    assert moved(cheats)["Ada"] == (1, None, Cause.OWN)
    assert "standing of Ada changes" in " ".join(cheats.sentences)
    for change in ({"hidden": True}, {"is_baseline": True}):
        assert moved(four.supposed(teams={ada: change})) == moved(cheats)
    prizes = of_teams(four.supposed(teams={ada: {"eligible": False}}))
    assert {name: (team.prize_before, team.prize_after) for name, team in prizes.items()} == {
        "Ada": ("500 USD", None),
        "Bob": ("300 USD", "500 USD"),
        "Cyd": ("200 USD", "300 USD"),
        "Dan": (None, "200 USD"),
    }
    assert {team.cause for team in prizes.values()} == {Cause.OWN, Cause.OTHERS}
    merged = four.supposed(merged={ada: dan}, without=frozenset({four.now["Dan"]}))
    assert (moved(merged)["Dan"], moved(merged)["Ada"]) == ((4, 1, Cause.BOTH), (1, None, Cause.OWN))


def other_cases_and_another_rule(four: Four) -> None:
    before = four.supposed()
    back = {("validation", "task5"): four.session.get_one(Evaluation, four.now["Ada"]).dataset_id}
    four.lab.dataset(cases=2)
    four.session.expire_all()
    assert of_teams(four.supposed()) == {}, "all left with the cases"
    assert before.digest != four.supposed().digest
    assert moved(four.supposed(datasets=back))["Ada"] == (None, 1, Cause.OWN)
    present = four.challenge.spec
    ranking = present.ranking.model_copy(update={"prizes": ("a medal",)})
    spec = present.model_copy(update={"ranking": ranking})
    rule = four.supposed(datasets=back, spec=spec)
    assert {team.cause for team in of_teams(rule).values()} == {Cause.RULE}
    asked = plan(four.session, spec, settings=four.lab.settings)
    assert asked.questions == [], "no place and no prize of the cases in force changes"
    for name, value in (("Ada", 0.9), ("Bob", 0.8)):
        scored(four.lab, four.teams[name], value)
    four.session.expire_all()
    (question,) = plan(four.session, spec, settings=four.lab.settings).questions
    assert "500 USD → a medal in track open, because the ranking rule changes." in question
