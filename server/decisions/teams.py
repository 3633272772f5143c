"""Decisions about one team: who takes part, who may win, who is shown, and under which name."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from contract.decisions import Decision
from contract.ids import TeamId
from contract.problems import ErrorCode
from server import events
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge
from server.datasets.current import lock
from server.decisions.acts import Act, team_of_challenge, unchanged
from server.errors import Unprocessable
from server.leaderboard.supposed import Supposed
from server.teams.membership import lock_team
from server.teams.models import Team
from server.teams.service import change, disqualification, require_own, team_name

_BOARDS = {
    Decision.DISQUALIFY: "{team} leaves the ranking: its values are shown without a place and marked as disqualified, "
    "others move up. It can neither upload nor submit; what is under way goes on.",
    Decision.REINSTATE: "{team} is ranked again, and may upload and submit.",
    Decision.INELIGIBLE: "{team} keeps its place and wins no prize: the next eligible team wins what its place would.",
    Decision.ELIGIBLE: "{team} may win a prize; its disclaimer goes.",
    Decision.BASELINE: "{team} is shown as a baseline, without a place; others move up.",
    Decision.ENTRANT: "{team} is ranked like every team.",
    Decision.HIDE: "{team} is on no board, which are ranked as without it; organizers see it in their lists.",
    Decision.SHOW: "{team} is on the boards again.",
    Decision.APPROVE: "{team} may upload and submit.",
    Decision.RENAME: "{team} is called {name} from now on, wherever it is shown.",
}
"""What follows for boards and for the team."""

_PUBLIC = {
    Decision.DISQUALIFY: "a team was disqualified; its values are shown without a place",
    Decision.REINSTATE: "a team that was disqualified is ranked again",
    Decision.INELIGIBLE: "a team keeps its place and can win no prize any more",
    Decision.ELIGIBLE: "a team that could win no prize can win one",
    Decision.BASELINE: "what a team has is shown as a baseline, without a place",
    Decision.ENTRANT: "what was shown as a baseline is ranked",
    Decision.HIDE: "what a team has is not shown any more",
    Decision.SHOW: "what a team has is shown again",
}
"""What everybody reads where boards change by it."""

_EVENTS = {
    Decision.DISQUALIFY: "disqualified",
    Decision.REINSTATE: "reinstated",
    Decision.INELIGIBLE: "marked ineligible",
    Decision.ELIGIBLE: "marked eligible",
    Decision.BASELINE: "made a baseline",
    Decision.ENTRANT: "no baseline any more",
    Decision.HIDE: "hidden",
    Decision.SHOW: "shown",
    Decision.APPROVE: "approved",
    Decision.RENAME: "renamed",
}


def planned(
    session: Session,
    observer: Observer,
    team_id: TeamId,
    decision: Decision,
    *,
    why: str,
    name: str | None = None,
    disclaimer: str | None = None,
) -> Act:
    """What `decision` changes.

    Raises:
        NotFound: no such team in this challenge.
        Unprocessable: it renames and has no name, or one that a team cannot have.
        Conflict: it is so already, or the team was merged into another.
    """
    team = team_of_challenge(session, observer, team_id)
    require_own(team)
    changes = _changes(team, decision, why=why, name=name, disclaimer=disclaimer)
    if all(getattr(team, field) == value for field, value in changes.items()):
        raise unchanged(f"{team.name} is {_so(decision)} already.")
    said = _BOARDS[decision].format(team=team.name, name=changes.get("name"))
    supposed = Supposed(teams={team.id: changes})
    return Act(supposed, [said], _told(team, decision, changes), _PUBLIC.get(decision))


def decide(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    team_id: TeamId,
    decision: Decision,
    *,
    why: str,
    name: str | None = None,
    disclaimer: str | None = None,
    seen: str | None = None,
) -> Team:
    """Does what `planned` says, unless the boards are not those that were `seen`.

    Raises:
        NotFound, Unprocessable: as `planned` does.
        Conflict: the same, the boards have moved, or the name is taken.
    """
    lock(session, challenge.id)  # no score lands between what is compared with what was seen, and the commit
    lock_team(session, team_id)
    act = planned(session, organizer, team_id, decision, why=why, name=name, disclaimer=disclaimer)
    act.require_seen(session, challenge, seen)
    act.amend(session, challenge, by=organizer.actor)
    team = team_of_challenge(session, organizer, team_id)
    change(session, team, act.supposed.teams[team.id])
    events.record(session, "team", team.id, actor=organizer.actor, what=_EVENTS[decision], why=why)
    act.tell_team(session, challenge, team.id, why=why)
    return team


def _changes(
    team: Team, decision: Decision, *, why: str, name: str | None, disclaimer: str | None
) -> Mapping[str, Any]:
    """The columns that change."""
    match decision:
        case Decision.DISQUALIFY:
            return {"disqualified": why}
        case Decision.REINSTATE:
            return {"disqualified": None}
        case Decision.INELIGIBLE:
            return {"eligible": False, "disclaimer": disclaimer or team.disclaimer}
        case Decision.ELIGIBLE:
            return {"eligible": True, "disclaimer": None}
        case Decision.BASELINE | Decision.ENTRANT:
            return {"is_baseline": decision is Decision.BASELINE}
        case Decision.HIDE | Decision.SHOW:
            return {"hidden": decision is Decision.HIDE}
        case Decision.APPROVE:
            return {"waits": False}
        case Decision.RENAME if name is not None:
            return {"name": team_name(name, by_organizer=True)}
    raise Unprocessable(ErrorCode.BAD_TEAM_NAME, "Say how the team is called from now on: `name` is missing.")


def _so(decision: Decision) -> str:
    return {
        Decision.DISQUALIFY: "disqualified for this reason",
        Decision.REINSTATE: "not disqualified, as it was",
        Decision.HIDE: "on no board",
        Decision.SHOW: "on the boards",
        Decision.RENAME: "called so",
        Decision.ENTRANT: "no baseline",
    }.get(decision, _EVENTS[decision].removeprefix("made ").removeprefix("marked "))


def _told(team: Team, decision: Decision, changes: Mapping[str, Any]) -> list[str]:
    """What its members read: where they ask for their team, and when they are refused."""
    match decision:
        case Decision.DISQUALIFY:
            return [disqualification(team.name, changes["disqualified"])]
        case Decision.INELIGIBLE if changes["disclaimer"]:
            return [f"On every board: {changes['disclaimer']}"]
        case _:
            return []
