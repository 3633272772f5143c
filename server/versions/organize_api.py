"""Endpoints of organizers who correct cases or bring them in."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from contract.challenges import Why
from contract.datasets import CorrectionIn, DifferenceOut, StagedOut
from contract.events import Subject
from contract.ids import DatasetId
from contract.problems import ErrorCode
from contract.texts import BINARY, Name
from server.accounts.deps import UserDep
from server.accounts.principals import User
from server.audit.looks import Look, looked
from server.challenges.service import get_challenge, get_phase, require_task
from server.database import SessionFactory, commit, unit_of_work
from server.datasets.corrections import Correction, require_trees
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.errors import TooLarge
from server.front.body import Slow
from server.front.threads import in_stream_thread
from server.organizers.access import observer_of, organizer_of
from server.settings import Settings
from server.versions import making
from server.versions.incoming import Incoming

router = APIRouter(prefix="/organize", tags=["organizers"])

_ONE = "/{slug}/datasets/{dataset_id}"
_BYTES = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}}
_MOST_LABEL = 64 * 2**20
_IDLE_SECONDS = 60.0
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
    looked(session, Subject.DATASET, dataset.id, Look.NAMES, actor=user.actor)
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
    correction = _wanted_of(wanted)
    return making.correct(
        session, organizer, challenge, dataset, correction, accept=wanted.accept, settings=settings
    )


def _wanted_of(wanted: CorrectionIn) -> Correction:
    """What was sent, with labels as their files would hold them."""
    return Correction(
        wanted.why,
        frozenset(wanted.withdraw),
        {
            corrected.case: str(corrected.label).encode()
            for corrected in wanted.cases
            if corrected.label is not None
        },
        {corrected.case: corrected.groups() for corrected in wanted.cases},
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


@router.post("/{slug}/datasets", status_code=201, openapi_extra=_BYTES)
async def import_dataset(
    request: Request,
    session: SessionDep,
    sessions: SessionsDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    phase: Name,
    task: Name,
    accept: AcceptedDep = False,
) -> StagedOut:
    """Imports a folder of cases, sent as a tar archive, as a version that is not in force."""
    await in_stream_thread(_may_import, session, user, slug, phase, task, settings)
    incoming = await in_stream_thread(Incoming, settings)
    try:
        await _receive(request, incoming)
        return await in_stream_thread(
            _imported, sessions, settings, user, slug, phase, task, incoming, accept
        )
    finally:
        await asyncio.shield(in_stream_thread(incoming.remove))


async def _receive(request: Request, incoming: Incoming) -> None:
    clock = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_IDLE_SECONDS) as patience:
            async for chunk in request.stream():
                await in_stream_thread(incoming.write, chunk)
                patience.reschedule(clock.time() + _IDLE_SECONDS)
    except TimeoutError:
        raise Slow(
            ErrorCode.BODY_TOO_SLOW, f"No bytes came for {_IDLE_SECONDS:.0f} s; send it again."
        ) from None


def _may_import(session: Session, user: User, slug: str, phase: str, task: str, settings: Settings) -> None:
    """Refuses what can be refused before bytes are waited for."""
    challenge = get_challenge(session, slug)
    organizer_of(session, user, challenge)
    get_phase(challenge.spec, phase)
    require_task(challenge.spec, task)
    require_trees(settings)
    commit(session)


def _imported(
    sessions: SessionFactory,
    settings: Settings,
    user: User,
    slug: str,
    phase: str,
    task: str,
    incoming: Incoming,
    accept: bool,
) -> StagedOut:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        organizer = organizer_of(session, user, challenge)
        return making.import_incoming(
            session, organizer, challenge, phase, task, incoming, accept=accept, settings=settings
        )
