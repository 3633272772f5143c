"""Endpoints of re-evaluations, for those who organize the challenge."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from contract.ids import ReevaluationId
from contract.reevaluations import (
    AppliedOut,
    ApplyIn,
    ReevaluationIn,
    ReevaluationOut,
    ReevaluationPreview,
    WhyIn,
)
from contract.texts import Name
from server.accounts.deps import UserDep
from server.accounts.principals import Organizer, User
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.deps import CsvResponse, SessionDep, SettingsDep
from server.organizers.access import observer_of, organizer_of
from server.plans.access import code_of
from server.queue.waiting import require_place
from server.reevaluations import preview, service, swap, views
from server.reevaluations.models import Reevaluation
from server.reevaluations.pairs import pairs
from server.reevaluations.spreadsheet import as_csv

router = APIRouter(prefix="/organize", tags=["organizers"])

_ALL = "/{slug}/reevaluations"
_ONE = "/{slug}/reevaluations/{reevaluation_id}"


Before = Annotated[ReevaluationId | None, Query(description="The last re-evaluation of the page before")]


@router.get(_ALL)
def list_reevaluations(
    session: SessionDep,
    user: UserDep,
    slug: Name,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[ReevaluationOut]:
    """The re-evaluations of a challenge, newest first, without what they would make."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    found = service.listed(session, observer, limit=limit, before=before)
    return views.reevaluations_out(session, challenge, found)


@router.post(_ALL, status_code=201)
def draft_reevaluation(
    session: SessionDep, settings: SettingsDep, user: UserDep, slug: Name, wanted: ReevaluationIn
) -> ReevaluationOut:
    """Drafts a re-evaluation and says what it would make, what it costs, and what is left out; nothing runs yet."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    require_place(user, wanted.priority)
    code = code_of(session, user)
    reevaluation, coverage = service.draft(
        session, organizer, challenge, wanted, settings=settings, code=code
    )
    return views.drafted_out(session, challenge, reevaluation, coverage, settings)


@router.get(_ONE)
def get_reevaluation(
    session: SessionDep, settings: SettingsDep, user: UserDep, slug: Name, reevaluation_id: ReevaluationId
) -> ReevaluationOut:
    """One with what it would make as things stand now; while it runs, with what has come late."""
    challenge, reevaluation = _seen(session, user, slug, reevaluation_id)
    return views.reevaluation_out(session, challenge, reevaluation, settings)


@router.get(_ONE + "/preview")
def preview_reevaluation(
    session: SessionDep, settings: SettingsDep, user: UserDep, slug: Name, reevaluation_id: ReevaluationId
) -> ReevaluationPreview:
    """What applying it would do: verdicts then and now, attempts, repetitions that differ, and the digest to apply."""
    challenge, reevaluation = _seen(session, user, slug, reevaluation_id)
    return views.preview_out(session, challenge, reevaluation, settings)


@router.get(_ONE + "/preview.csv", response_class=CsvResponse)
def get_reevaluation_csv(
    session: SessionDep, settings: SettingsDep, user: UserDep, slug: Name, reevaluation_id: ReevaluationId
) -> Response:
    """The values, ranks, places and prizes that applying it would change, as CSV with full precision."""
    challenge, reevaluation = _seen(session, user, slug, reevaluation_id)
    shown = views.preview_out(session, challenge, reevaluation, settings)
    return Response(as_csv(shown.boards), media_type="text/csv; charset=utf-8")


@router.post(_ONE + "/start")
def start_reevaluation(
    session: SessionDep, settings: SettingsDep, user: UserDep, slug: Name, reevaluation_id: ReevaluationId
) -> ReevaluationOut:
    """Makes its evaluations, beside those that count; nobody but organizers sees anything of it."""
    challenge, organizer, reevaluation = _decided(session, user, slug, reevaluation_id)
    service.start(session, organizer, reevaluation, settings=settings)
    return _answered(session, challenge, reevaluation)


@router.post(_ONE + "/catch-up")
def catch_up_reevaluation(
    session: SessionDep, settings: SettingsDep, user: UserDep, slug: Name, reevaluation_id: ReevaluationId
) -> ReevaluationOut:
    """Brings in what came late to one that is ready; where there is something, it runs again."""
    challenge, organizer, reevaluation = _decided(session, user, slug, reevaluation_id)
    service.catch_up(session, organizer, reevaluation, settings=settings)
    return _answered(session, challenge, reevaluation)


@router.post(_ONE + "/cancel")
def cancel_reevaluation(
    session: SessionDep, user: UserDep, slug: Name, reevaluation_id: ReevaluationId, wanted: WhyIn
) -> ReevaluationOut:
    """Gives it up before it is applied; what of it has not ended is cancelled."""
    challenge, organizer, reevaluation = _decided(session, user, slug, reevaluation_id)
    service.cancel(session, organizer, reevaluation, why=wanted.why)
    return _answered(session, challenge, reevaluation)


@router.post(_ONE + "/apply")
def apply_reevaluation(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    reevaluation_id: ReevaluationId,
    wanted: ApplyIn,
) -> AppliedOut:
    """Brings what it found into force, all at once; refused where what counts is not what the preview showed."""
    challenge, organizer, reevaluation = _decided(session, user, slug, reevaluation_id)
    found = pairs(session, reevaluation)
    planned = preview.file_plan(session, reevaluation, settings)
    ledger = preview.attempts(session, challenge, reevaluation, found)
    applied = swap.apply(
        session, organizer, reevaluation, seen=wanted.digest, why=wanted.why, settings=settings
    )
    return AppliedOut(changed=len(applied), sentences=preview.sentences(reevaluation, found, ledger, planned))


@router.post(_ONE + "/revert")
def revert_reevaluation(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    reevaluation_id: ReevaluationId,
    wanted: WhyIn,
) -> AppliedOut:
    """Brings what stood before back into force, all at once and for good."""
    _, organizer, reevaluation = _decided(session, user, slug, reevaluation_id)
    back = swap.revert(session, organizer, reevaluation, why=wanted.why, settings=settings)
    return AppliedOut(
        changed=len(back),
        sentences=[
            f"{len(back)} evaluations are in force again that were so before. This is final: to have back what was "
            "applied, make another re-evaluation."
        ],
    )


def _seen(
    session: Session, user: User, slug: str, reevaluation_id: ReevaluationId
) -> tuple[Challenge, Reevaluation]:
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    return challenge, service.find(session, observer, reevaluation_id)


def _decided(
    session: Session, user: User, slug: str, reevaluation_id: ReevaluationId
) -> tuple[Challenge, Organizer, Reevaluation]:
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    return challenge, organizer, service.find(session, organizer, reevaluation_id)


def _answered(session: Session, challenge: Challenge, reevaluation: Reevaluation) -> ReevaluationOut:
    """As it is by now."""
    session.flush()
    session.refresh(reevaluation)
    return views.reevaluations_out(session, challenge, [reevaluation])[0]
