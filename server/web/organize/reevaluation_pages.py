"""Pages of re-evaluations: what is made anew, what it costs and would change, and applying or reverting it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from contract.challenges import MOST_OF_A_FILE
from contract.datasets import DatasetOut
from contract.ids import ReevaluationId
from contract.reevaluations import MOST_REPETITIONS, USUAL_PRIORITY, ReevaluationMode, ReevaluationOut
from contract.statuses import ENDED, EvaluationStatus, ReevaluationState
from contract.texts import Name
from server.accounts.called import called
from server.accounts.principals import User
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.datasets.models import DatasetState
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of, organizer_of
from server.pages import looking_at, page
from server.reevaluations import api, service, views
from server.settings import Settings
from server.versions import api as versions
from server.web.frame import organizer_frame
from server.web.looking import ReaderDep
from server.web.organize.matrices import matrices
from server.web.titles import Titles

router = APIRouter(prefix="/organize/{slug}/reevaluations", include_in_schema=False)

_EACH = 25
_LOOKED_AT = (ReevaluationState.READY, ReevaluationState.APPLIED, ReevaluationState.REVERTED)
_Text = Annotated[str, Query(max_length=100)]
MODES = (
    (ReevaluationMode.RESCORE, "Score stored outputs again; no container runs"),
    (ReevaluationMode.COMPLETE, "Score stored outputs, and run what has none"),
    (ReevaluationMode.RERUN, "Run every case again"),
)
"""Each mode with what it means."""


@dataclass(frozen=True)
class Prefilled:
    """What a page that leads here has chosen: filters, and in `on` the version of the cases that is scored on."""

    phase: str = ""
    track: str = ""
    task: str = ""
    team: str = ""
    dataset: str = ""
    submission: str = ""
    evaluation: str = ""
    on: str = ""


@router.get("", response_class=HTMLResponse)
def reevaluations(
    request: Request,
    session: SessionDep,
    reader: ReaderDep,
    slug: Name,
    before: ReevaluationId | None = None,
) -> HTMLResponse:
    """The re-evaluations of a challenge, newest first."""
    challenge = get_challenge(session, slug)
    found = api.list_reevaluations(session, reader.user, slug, before, _EACH + 1)
    return page(
        request,
        "organize/reevaluations.html",
        frame=organizer_frame(challenge, decides=looking_at(request).decides(challenge.slug)),
        listed=found[:_EACH],
        more=len(found) > _EACH,
        before=before,
        names=called(session, (one.created_by for one in found)),
    )


@router.get("/new", response_class=HTMLResponse)
def new_reevaluation(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    phase: _Text = "",
    track: _Text = "",
    task: _Text = "",
    team: _Text = "",
    dataset: _Text = "",
    submission: _Text = "",
    evaluation: _Text = "",
    on: _Text = "",
) -> HTMLResponse:
    """A form for another one: what is meant, how it is made anew, and why."""
    challenge = get_challenge(session, slug)
    organizer_of(session, reader.user, challenge)
    return page(
        request,
        "organize/reevaluation_new.html",
        frame=organizer_frame(challenge, decides=looking_at(request).decides(challenge.slug)),
        titles=Titles(challenge.spec),
        modes=MODES,
        chosen=Prefilled(phase, track, task, team, dataset, submission, evaluation, on),
        targets=_targets(session, reader.user, challenge, settings),
        statuses=[status for status in EvaluationStatus if status in ENDED],
        priority=USUAL_PRIORITY,
        most_repetitions=MOST_REPETITIONS,
        most_of_a_file=MOST_OF_A_FILE,
    )


def _targets(session: Session, user: User, challenge: Challenge, settings: Settings) -> list[DatasetOut]:
    """Versions of the cases that could come into force with it."""
    states = (DatasetState.STAGED, DatasetState.SUPERSEDED)
    listed = versions.list_datasets(session, user, settings, challenge.slug)
    return [one for one in listed if one.state in states]


@router.get("/{reevaluation_id}", response_class=HTMLResponse)
def reevaluation(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    reevaluation_id: ReevaluationId,
) -> HTMLResponse:
    """One of them: what it would make, how far it is, and what applying it changes."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, reader.user, challenge)
    row = service.find(session, observer, reevaluation_id)
    shown = None
    if row.state in (ReevaluationState.DRAFT, ReevaluationState.RUNNING):
        found = views.reevaluation_out(session, challenge, row, settings)
    else:  # its preview says what has come late
        found = views.reevaluations_out(session, challenge, [row])[0]
    if row.state in _LOOKED_AT:
        shown = views.preview_out(session, challenge, row, settings)
    return page(
        request,
        "organize/reevaluation.html",
        frame=organizer_frame(challenge, decides=looking_at(request).decides(challenge.slug)),
        one=found,
        modes=dict(MODES),
        made=sum(found.statuses.values()),
        ended=sum(count for status, count in found.statuses.items() if status in ENDED),
        preview=shown,
        titles=Titles(challenge.spec),
        tables=[] if shown is None else matrices(shown.boards, challenge.spec),
        versions=_named(session, reader.user, challenge, found, settings),
        by=called(session, [found.created_by]).get(found.created_by),
    )


def _named(
    session: Session, user: User, challenge: Challenge, found: ReevaluationOut, settings: Settings
) -> list[DatasetOut]:
    """The versions of the cases that come into force with it."""
    if not found.datasets:
        return []
    listed = versions.list_datasets(session, user, settings, challenge.slug)
    return [one for one in listed if one.id in found.datasets]
