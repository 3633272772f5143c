"""Endpoints of what was sent for cases, newest first, and of the correction of one case by its id."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.cases import OneCorrectionIn
from contract.consignments import ConsignmentOut, ListedConsignmentOut
from contract.ids import CaseId, ConsignmentId, DatasetId
from contract.texts import Name
from server.accounts.deps import UserDep
from server.challenges.service import get_challenge
from server.clock import now
from server.consignments import service
from server.consignments.api import correctable, correction_sent
from server.consignments.views import listed_out
from server.datasets.corrections import Correction
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of
from server.versions import making

router = APIRouter(prefix="/organize", tags=["organizers"])

Before = Annotated[ConsignmentId | None, Query(description="The last consignment of the page before")]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("/{slug}/consignments")
def list_consignments(
    session: SessionDep, user: UserDep, slug: Name, before: Before = None, limit: Limit = 50
) -> list[ListedConsignmentOut]:
    """What was sent for the cases of a challenge, newest first, and where it stands; never what came of it."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    found = service.listed(session, challenge, before=before, limit=limit)
    return listed_out(session, found, now(session))


@router.post("/{slug}/datasets/{dataset_id}/cases/{case_id}/correction", status_code=202)
def correct_case(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    case_id: CaseId,
    wanted: OneCorrectionIn,
) -> ConsignmentOut:
    """Has a version made with one case withdrawn, or its label or groups corrected; nothing comes into force."""
    organizer, challenge, dataset = correctable(session, user, slug, dataset_id)
    name = making.case_of(session, dataset, case_id).name
    if wanted.withdraw:
        correction = Correction(wanted.why, frozenset({name}))
    else:
        labels = {} if wanted.label is None else {name: str(wanted.label).encode()}
        correction = Correction(wanted.why, labels=labels, groups={name: wanted.groups()})
    return correction_sent(
        session, organizer, challenge, dataset, correction, accept=wanted.accept, settings=settings
    )
