"""Endpoints of organizers who correct cases or bring them in."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from contract.challenges import Why
from contract.datasets import CorrectionIn, DifferenceOut, StagedOut
from contract.ids import DatasetId
from contract.problems import ErrorCode
from contract.texts import BINARY, Name
from server.accounts.deps import UserDep
from server.accounts.principals import User
from server.challenges.service import get_challenge
from server.database import SessionFactory, commit, unit_of_work
from server.datasets.corrections import Correction
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.errors import TooLarge
from server.front.threads import in_stream_thread
from server.organizers.access import observer_of, organizer_of
from server.settings import Settings
from server.versions import making

router = APIRouter(prefix="/organize", tags=["organizers"])

_ONE = "/{slug}/datasets/{dataset_id}"
_BYTES = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}}
_MOST_LABEL = 64 * 2**20
AcceptedDep = Annotated[bool, Query(description="The warnings are known, and right")]


@router.get(f"{_ONE}/difference")
def get_difference(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    against: DatasetId | None = None,
) -> DifferenceOut:
    """What a version of the cases changes against another one of its phase and task, else the one in force."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    dataset = making.version_of(session, challenge, dataset_id)
    other = None if against is None else making.version_of(session, challenge, against)
    return DifferenceOut.of(making.compared(session, challenge, dataset, other, settings))


@router.post(f"{_ONE}/corrections", status_code=201)
def correct_dataset(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    wanted: CorrectionIn,
) -> StagedOut:
    """Makes a version with cases withdrawn, and labels and groups corrected; nothing comes into force."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    dataset = making.version_of(session, challenge, dataset_id)
    correction = making.wanted_of(wanted)
    return making.correct(
        session, organizer, challenge, dataset, correction, accept=wanted.accept, settings=settings
    )


@router.put(f"{_ONE}/labels/{{case}}", status_code=201, openapi_extra=_BYTES)
async def correct_label(
    request: Request,
    session: SessionDep,
    sessions: SessionsDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    case: Name,
    why: Why,
    accept: AcceptedDep = False,
) -> StagedOut:
    """Makes a version with this file as the label of a case, such as a label map; nothing comes into force."""
    most = await in_stream_thread(_most_of_a_label, session, user, slug, dataset_id)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise TooLarge(ErrorCode.BODY_TOO_LARGE, f"A label of this task has at most {most} bytes.")
    correction = Correction(why, labels={case: bytes(content)})
    return await in_stream_thread(_corrected, sessions, settings, user, slug, dataset_id, correction, accept)


def _most_of_a_label(session: Session, user: User, slug: str, dataset_id: DatasetId) -> int:
    """How many bytes it may have: as many as an output. No transaction stays open while bytes are waited for."""
    challenge = get_challenge(session, slug)
    organizer_of(session, user, challenge)
    task = making.version_of(session, challenge, dataset_id).task
    limits = challenge.spec.limits_of(task).output if task in challenge.spec.tasks else _MOST_LABEL
    commit(session)
    return min(limits, _MOST_LABEL)


def _corrected(
    sessions: SessionFactory,
    settings: Settings,
    user: User,
    slug: str,
    dataset_id: DatasetId,
    correction: Correction,
    accept: bool,
) -> StagedOut:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        organizer = organizer_of(session, user, challenge)
        dataset = making.version_of(session, challenge, dataset_id)
        return making.correct(
            session, organizer, challenge, dataset, correction, accept=accept, settings=settings
        )
