"""Teams of a challenge: who they are, what they used, and what organizers decide about them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from contract.decisions import Decision, DecisionIn, GrantIn
from contract.ids import EvaluationId, TeamId
from contract.problems import ErrorCode
from server.admin import people
from server.admin.pages import gathered
from server.decisions.acts import team_of_challenge
from server.decisions.api import get_attempts, plan_decision, plan_grant
from server.deps import SettingsDep
from server.errors import NotFound
from server.same_person.api import list_resemblances
from server.teams.models import Team
from server.usage.api import list_usage
from server.web.organize.room import REASON, Room, RoomDep, Typed
from server.web.tried import tried

router = APIRouter(prefix="/organize/{slug}/teams", include_in_schema=False)

_PAGE, _ENTRIES = 50, 50

WORDS = {
    Decision.DISQUALIFY: "Disqualify",
    Decision.REINSTATE: "Take the disqualification back",
    Decision.INELIGIBLE: "No prize (with a disclaimer)",
    Decision.ELIGIBLE: "May win a prize again",
    Decision.BASELINE: "Make it a baseline",
    Decision.ENTRANT: "Rank it like every team",
    Decision.HIDE: "Hide or withdraw it",
    Decision.SHOW: "Show it again",
    Decision.APPROVE: "Approve",
    Decision.RENAME: "Rename",
    Decision.MERGE: "Merge it into another team",
}


@router.get("", response_class=HTMLResponse)
def teams(room: RoomDep, find: Typed = "", after: Annotated[UUID | None, Query()] = None) -> HTMLResponse:
    """Teams in the order they were founded."""
    found = people.teams(
        room.session,
        challenge=room.slug,
        find=find or None,
        within={room.challenge.id},
        after=after,
        limit=_PAGE,
    )
    return room.page("teams", found=found, find=find, first=after is None)


@router.get("/usage", response_class=HTMLResponse)
def usage(
    room: RoomDep, settings: SettingsDep, after: Annotated[TeamId | None, Query()] = None
) -> HTMLResponse:
    """What each team stores, and how many of its evaluations failed this week."""
    found = list_usage(room.session, settings, room.user, room.slug, after=after, limit=_PAGE + 1)
    return room.page("usage", found=found[:_PAGE], more=len(found) > _PAGE, first=after is None)


@router.get("/resemblances", response_class=HTMLResponse)
def resemblances(room: RoomDep) -> HTMLResponse:
    """Accounts of different teams that may be one person's."""
    return room.page("resemblances", found=list_resemblances(room.slug, room.session, room.user))


@router.get("/{team_id}", response_class=HTMLResponse)
def team(
    room: RoomDep,
    settings: SettingsDep,
    team_id: TeamId,
    before: Annotated[EvaluationId | None, Query()] = None,
) -> HTMLResponse:
    """One team: members, standing, attempts entry by entry, storage, and what can be decided."""
    row = _team(room, team_id)
    just_before = TeamId(UUID(int=row.id.int - 1))
    used = list_usage(room.session, settings, room.user, room.slug, after=just_before, limit=1)
    into = row.merged_into and room.session.get_one(Team, row.merged_into)
    return room.page(
        "team",
        team=_shown(room, team_id),
        waits=row.waits,
        hidden=row.hidden,
        into=into,
        ledger=get_attempts(room.slug, team_id, room.session, room.user, before=before, limit=_ENTRIES),
        used=next(iter(used), None),
        decisions=[(one.value, WORDS[one]) for one in _possible(row)],
        phases=[name for name, phase in room.challenge.spec.phases.items() if phase.attempts.valid],
        first=before is None,
    )


@router.get("/{team_id}/decide", response_class=HTMLResponse)
def decide(
    room: RoomDep,
    team_id: TeamId,
    decision: Decision,
    name: Typed = "",
    disclaimer: Typed = "",
    into: Typed = "",
    counts: Typed = "",
) -> HTMLResponse:
    """What a decision would change, and the form that decides."""
    row = _team(room, team_id)
    given = {"name": name, "disclaimer": disclaimer, "into": into, "counts": counts}
    sent = {field: value for field, value in given.items() if value}
    made = tried(
        lambda: (
            plan_decision(
                room.slug,
                team_id,
                DecisionIn.model_validate({"decision": decision, "why": REASON, **sent}),
                room.session,
                room.user,
            )
            if _NEEDED.get(decision, "") in ("", *sent)
            else None
        )
    )
    return room.page(
        "decide",
        status=made.status,
        team=_shown(room, row.id),
        decision=decision.value,
        word=WORDS[decision],
        asked=given,
        sent=sent,
        others=_others(room, row) if decision is Decision.MERGE else [],
        plan=made.plan,
        refused=made.refused,
    )


@router.get("/{team_id}/grant", response_class=HTMLResponse)
def grant(
    room: RoomDep,
    team_id: TeamId,
    phase: Typed = "",
    track: Typed = "",
    task: Typed = "",
    valid: Typed = "",
) -> HTMLResponse:
    """What a grant of attempts would change, and the form that grants."""
    asked = {"phase": phase, "track": track, "task": task, "valid": valid}
    made = tried(
        lambda: (
            plan_grant(
                room.slug,
                team_id,
                GrantIn.model_validate({**asked, "why": REASON, "valid": _number(valid)}),
                room.session,
                room.user,
            )
            if any(asked.values())
            else None
        )
    )
    return room.page(
        "grant",
        status=made.status,
        team=_shown(room, _team(room, team_id).id),
        asked=asked,
        plan=made.plan,
        refused=made.refused,
    )


_NEEDED = {Decision.RENAME: "name", Decision.MERGE: "into"}
"""What has to be chosen before it is known what a decision would change."""


def _number(text: str) -> int | str:
    return int(text) if text.lstrip("+-").isdecimal() and len(text) < 7 else text


def _team(room: Room, team_id: TeamId) -> Team:
    return team_of_challenge(room.session, room.observer, team_id)


def _shown(room: Room, team_id: TeamId) -> object:
    found = people.teams(room.session, within={room.challenge.id}, only=team_id, limit=1).items
    if not found:
        raise NotFound(ErrorCode.UNKNOWN_TEAM, "This challenge has no such team.")
    return found[0]


def _others(room: Room, team: Team) -> list[tuple[str, str]]:
    """Teams that it can be merged into, by name."""
    within = {room.challenge.id}
    found = gathered(
        lambda after, most: people.teams(room.session, within=within, after=after, limit=most)
    ).items
    named = [(str(one.id), one.name) for one in found if one.id != str(team.id) and one.standing != "merged"]
    return sorted(named, key=lambda pair: pair[1].casefold())


def _possible(team: Team) -> list[Decision]:
    """What would change anything, the likeliest first."""
    if team.merged_into is not None:
        return []
    first = [Decision.APPROVE] if team.waits else []
    return [
        *first,
        Decision.REINSTATE if team.disqualified else Decision.DISQUALIFY,
        Decision.INELIGIBLE if team.eligible else Decision.ELIGIBLE,
        Decision.ENTRANT if team.is_baseline else Decision.BASELINE,
        Decision.SHOW if team.hidden else Decision.HIDE,
        Decision.RENAME,
        Decision.MERGE,
    ]
