"""Pages of versions of the cases: which there are, what one changes, and what organizers sent for them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.consignments import ConsignmentOut
from contract.ids import ConsignmentId, DatasetId
from contract.texts import Name
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.consignments import api as consignments
from server.consignments import case_api
from server.consignments.service import outcome_of
from server.datasets.fit import fits, problems_of
from server.datasets.models import Dataset, DatasetState
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of
from server.pages import looking_at, page
from server.settings import Settings
from server.versions import api as versions
from server.versions.making import version_of
from server.viewer import api as viewer
from server.viewer.service import case_before
from server.web.frame import organizer_frame
from server.web.looking import ReaderDep

router = APIRouter(prefix="/organize/{slug}", include_in_schema=False)

_SENT = 10
"""Of what was sent lately, as many as the list of versions shows."""
_CASES = 50
"""As many as one page of a version lists."""
_Choice = Annotated[str | None, Query(max_length=100)]


@router.get("/datasets", response_class=HTMLResponse)
def datasets(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    phase: _Choice = None,
    task: _Choice = None,
) -> HTMLResponse:
    """Every version of the cases, importing another one, and what was sent lately."""
    challenge = get_challenge(session, slug)
    wanted = {"phase": phase or None, "task": task or None}
    listed = versions.list_datasets(session, reader.user, settings, slug, **wanted)
    return page(
        request,
        "organize/datasets.html",
        frame=organizer_frame(challenge, decides=looking_at(request).decides(challenge.slug)),
        spec=challenge.spec,
        versions=listed,
        sent=case_api.list_consignments(session, reader.user, slug, None, _SENT),
        wanted=wanted,
        most=settings.cases_limit,
    )


@router.get("/datasets/{dataset_id}", response_class=HTMLResponse)
def dataset(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    dataset_id: DatasetId,
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
    check: bool = False,
) -> HTMLResponse:
    """A version: what it changes and would do, its cases, and what of it can be corrected."""
    challenge = get_challenge(session, slug)
    observer_of(session, reader.user, challenge)
    found = version_of(session, challenge, dataset_id)
    listed = versions.list_datasets(
        session, reader.user, settings, slug, **_known(challenge, found.phase, found.task)
    )
    shown = next(one for one in listed if one.id == str(found.id))
    others = [one for one in listed if one.id != shown.id and one.state != DatasetState.DROPPED]
    after = None if number == 1 else case_before(session, found, (number - 1) * _CASES)
    return page(
        request,
        "organize/dataset.html",
        frame=organizer_frame(challenge, decides=looking_at(request).decides(challenge.slug)),
        version=shown,
        others=others,
        effect=None
        if shown.state == DatasetState.DROPPED
        else versions.get_effect(session, reader.user, settings, dataset_id),
        cases=viewer.list_cases(session, reader.user, slug, dataset_id, after, _CASES),
        number=number,
        each=_CASES,
        told=outcome_of(session, challenge, found),
        fits=fits(session, found, challenge),
        problems=_problems(challenge, found, settings) if check else None,
        checked=check,
    )


def _known(challenge: Challenge, phase: str, task: str) -> dict[str, str | None]:
    """Filters of what the challenge file still has."""
    spec = challenge.spec
    return {"phase": phase if phase in spec.phases else None, "task": task if task in spec.tasks else None}


def _problems(challenge: Challenge, found: Dataset, settings: Settings) -> list[str]:
    if found.phase not in challenge.spec.phases or found.task not in challenge.spec.tasks:
        return ["The challenge file has this phase or task no more."]
    return problems_of(found, challenge.spec, settings)


@router.get("/datasets/{dataset_id}/difference", response_class=HTMLResponse)
def difference(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    dataset_id: DatasetId,
    against: DatasetId,
) -> HTMLResponse:
    """What a version changes against another one that was chosen."""
    challenge = get_challenge(session, slug)
    found = versions.get_difference(session, settings, reader.user, slug, dataset_id, against)
    return page(
        request,
        "organize/difference.html",
        frame=organizer_frame(challenge, decides=looking_at(request).decides(challenge.slug)),
        difference=found,
        dataset=version_of(session, challenge, dataset_id),
        other=version_of(session, challenge, against),
    )


@router.get("/consignments/{consignment_id}", response_class=HTMLResponse)
def consignment(
    request: Request, session: SessionDep, reader: ReaderDep, slug: Name, consignment_id: ConsignmentId
) -> HTMLResponse:
    """What became of files that were sent for a version of the cases."""
    challenge = get_challenge(session, slug)
    found: ConsignmentOut = consignments.get_consignment(session, reader.user, slug, consignment_id)
    return page(
        request,
        "organize/consignment.html",
        frame=organizer_frame(challenge, decides=looking_at(request).decides(challenge.slug)),
        sent=found,
    )
