"""What teams ask and organizers answer, whether a challenge is ready, and where webhooks go."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from contract.ids import QuestionId
from contract.notices import MATRIX
from contract.phases import CheckState
from contract.readiness import ReadinessCheck
from contract.webhooks import MOST
from server.deps import SettingsDep
from server.organizers.access import organizer_of
from server.questions.api import list_asked
from server.readiness.api import check_challenge
from server.reference_submissions.api import list_reference_submissions
from server.web.organize.room import RoomDep, Typed
from server.webhooks import service, views
from server.webhooks.service import Owner

router = APIRouter(prefix="/organize/{slug}", include_in_schema=False)

_PAGE = 30
_SHOWN = {"open": True, "settled": False}


@router.get("/questions", response_class=HTMLResponse)
def questions(
    room: RoomDep, show: Typed = "", before: Annotated[QuestionId | None, Query()] = None
) -> HTMLResponse:
    """Questions and announcements, newest first; all, those that are open, or those that are not."""
    found = list_asked(
        room.session, room.user, room.slug, is_open=_SHOWN.get(show), before=before, limit=_PAGE + 1
    )
    return room.page(
        "questions", found=found[:_PAGE], more=len(found) > _PAGE, show=show, first=before is None
    )


@router.get("/check", response_class=HTMLResponse)
def check(room: RoomDep, settings: SettingsDep, phase: Typed = "", labels: Typed = "") -> HTMLResponse:
    """Whether the challenge is ready to open; labels are read where that is asked for, which may take minutes."""
    wanted = phase if phase in room.challenge.spec.phases else None
    found = check_challenge(
        room.session, room.user, settings, room.slug, phase=wanted, labels=labels == "read"
    )
    by_state = {
        state: _alike(check for check in found.checks if check.state is state)
        for state in (CheckState.ERROR, CheckState.WARNING, CheckState.OK)
    }
    references = list_reference_submissions(room.session, room.user, room.slug)
    judged = [(one, sum(not so.as_expected for so in one.judgements)) for one in references if one.judgements]
    judged.sort(key=lambda counted: -counted[1])
    return room.page(
        "check",
        found=found,
        by_state=by_state,
        well=sum(check.state is CheckState.OK for check in found.checks),
        phase=wanted or "",
        labels=labels == "read",
        references=references,
        judged=judged,
        failed=[(one, off) for one, off in judged if off and one.in_force],
    )


def _alike(checks: Iterable[ReadinessCheck]) -> list[list[ReadinessCheck]]:
    """Checks that found the same of several phases and tasks, together."""
    groups: dict[tuple[str, str], list[ReadinessCheck]] = {}
    for check in checks:
        groups.setdefault((check.code, check.found), []).append(check)
    return list(groups.values())


@router.get("/webhooks", response_class=HTMLResponse)
def webhooks(room: RoomDep) -> HTMLResponse:
    """The addresses that are told what organizers are told.

    Raises:
        Forbidden: for whoever may look and not decide; an address may hold a secret.
    """
    organizer = organizer_of(room.session, room.user, room.challenge)
    owner = Owner.of(room.user, challenge_id=organizer.challenge_id)
    listed = views.webhooks_out(room.session, service.listed(room.session, owner))
    kinds = [(kind.value, row.tells) for kind, row in MATRIX.items() if "organizers" in row.whom]
    return room.page("webhooks", listed=listed, kinds=kinds, most=MOST)
