"""Endpoints of organizers who correct cases or bring them in, and of what came of it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from contract.challenges import Why
from contract.consignments import ConsignmentKind, ConsignmentOut
from contract.datasets import CorrectionIn
from contract.events import Subject
from contract.ids import ConsignmentId, DatasetId
from contract.problems import ErrorCode
from contract.texts import BINARY, Name
from server.accounts.deps import UserDep
from server.accounts.principals import Organizer, User
from server.audit.looks import Look, looked
from server.challenges.models import Challenge
from server.challenges.service import get_challenge, get_phase, require_task
from server.clock import now
from server.consignments import service
from server.consignments.incoming import Incoming
from server.consignments.service import Sent, case_name
from server.consignments.views import consignment_out
from server.consignments.work import CORRECTIONS
from server.database import SessionFactory, commit, unit_of_work
from server.datasets.corrections import Correction
from server.datasets.models import Dataset
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.front.body import Slow
from server.front.threads import in_stream_thread
from server.organizers.access import observer_of, organizer_of
from server.settings import Settings
from server.versions import making

router = APIRouter(prefix="/organize", tags=["organizers"])

_ONE = "/{slug}/datasets/{dataset_id}"
_BYTES = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}}
_MOST_LABEL = 64 * 2**20
_IDLE_SECONDS = 60.0
AcceptedDep = Annotated[bool, Query(description="The warnings are known, and right")]


@router.get("/{slug}/consignments/{consignment_id}")
def get_consignment(
    session: SessionDep, user: UserDep, slug: Name, consignment_id: ConsignmentId
) -> ConsignmentOut:
    """What became of files that were sent for a version of the cases; ask again until it is done or refused."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    consignment = service.found(session, challenge, observer, consignment_id)
    if consignment.outcome is not None:
        looked(session, Subject.CONSIGNMENT, consignment.id, Look.NAMES, actor=user.actor)
    return consignment_out(consignment, now(session))


@router.post(f"{_ONE}/corrections", status_code=202)
def correct_dataset(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    wanted: CorrectionIn,
) -> ConsignmentOut:
    """Has a version made with cases withdrawn, and labels and groups corrected; nothing comes into force."""
    organizer, challenge, dataset = correctable(session, user, slug, dataset_id)
    return correction_sent(
        session, organizer, challenge, dataset, _correction(wanted), accept=wanted.accept, settings=settings
    )


@router.put(f"{_ONE}/labels/{{case}}", status_code=202, openapi_extra=_BYTES)
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
    against: Annotated[
        DatasetId | None, Query(description="The version that the answer compares with, else this one")
    ] = None,
) -> ConsignmentOut:
    """Has a version made with this file as the label of a case, such as a label map; nothing comes into force.

    `case`: its name, or its id, which tells whoever reads logs of requests nothing.
    """
    wanted = partial(
        Sent,
        ConsignmentKind.LABEL,
        accept=accept,
        dataset_id=dataset_id,
        against_id=against,
        case_name=case,
        why=why,
    )
    most, sent = await in_stream_thread(_wanted_label, session, user, slug, dataset_id, wanted)
    return await _received(
        request, sessions, settings, user, slug, sent, most=most, what="A label of this task"
    )


@router.post("/{slug}/datasets", status_code=202, openapi_extra=_BYTES)
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
) -> ConsignmentOut:
    """Has a folder of cases, sent as a tar archive, imported as a version that is not in force."""
    await in_stream_thread(_may_import, session, user, slug, phase, task)
    sent = Sent(ConsignmentKind.CASES, phase, task, accept)
    return await _received(
        request, sessions, settings, user, slug, sent, most=settings.cases_limit, what="An archive of cases"
    )


def _correction(wanted: CorrectionIn) -> Correction:
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


def correction_sent(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    dataset: Dataset,
    correction: Correction,
    *,
    accept: bool,
    settings: Settings,
) -> ConsignmentOut:
    """A correction that is no file, handed over to a score worker.

    Raises:
        NotNow, TooLarge, StorageFull: there is no room for it now.
    """
    service.require_room(session, challenge)
    content = CORRECTIONS.dump_json(correction)
    incoming = Incoming(settings, most=len(content), what="A correction")
    try:
        incoming.write(content)
        incoming.close()
        kind, why = ConsignmentKind.CORRECTION, correction.why
        sent = Sent(kind, dataset.phase, dataset.task, accept, dataset_id=dataset.id, why=why)
        return _taken(session, organizer, challenge, sent, incoming, settings)
    except BaseException:
        incoming.remove()
        raise


def correctable(
    session: Session, user: User, slug: str, dataset_id: DatasetId
) -> tuple[Organizer, Challenge, Dataset]:
    """A version of the cases of a challenge in which the user decides.

    Raises:
        NotFound, Forbidden: there is none; they may not.
    """
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    return organizer, challenge, making.version_of(session, challenge, dataset_id)


def _wanted_label(
    session: Session, user: User, slug: str, dataset_id: DatasetId, wanted: Callable[..., Sent]
) -> tuple[int, Sent]:
    """How many bytes it may have, as many as an output, and what is wanted. No transaction stays open meanwhile."""
    _, challenge, dataset = correctable(session, user, slug, dataset_id)
    sent = wanted(phase=dataset.phase, task=dataset.task)
    sent = replace(sent, case_name=case_name(session, dataset, sent.case_name or ""))
    if sent.against_id is not None:
        making.version_of(session, challenge, sent.against_id)
    service.require_room(session, challenge)
    known = dataset.task in challenge.spec.tasks
    limit = challenge.spec.limits_of(dataset.task).output if known else _MOST_LABEL
    commit(session)
    return min(limit, _MOST_LABEL), sent


def _may_import(session: Session, user: User, slug: str, phase: str, task: str) -> None:
    """Refuses what can be refused before bytes are waited for."""
    challenge = get_challenge(session, slug)
    organizer_of(session, user, challenge)
    get_phase(challenge.spec, phase)
    require_task(challenge.spec, task)
    service.require_room(session, challenge)
    commit(session)


async def _received(
    request: Request,
    sessions: SessionFactory,
    settings: Settings,
    user: User,
    slug: str,
    sent: Sent,
    *,
    most: int,
    what: str,
) -> ConsignmentOut:
    """Keeps what comes, and hands it over."""
    incoming = await in_stream_thread(partial(Incoming, most=most, what=what), settings)
    try:
        await _receive(request, incoming)
        return await in_stream_thread(_handed_over, sessions, settings, user, slug, sent, incoming)
    except BaseException:
        await asyncio.shield(in_stream_thread(incoming.remove))
        raise


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


def _handed_over(
    sessions: SessionFactory, settings: Settings, user: User, slug: str, sent: Sent, incoming: Incoming
) -> ConsignmentOut:
    incoming.close()
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        return _taken(session, organizer_of(session, user, challenge), challenge, sent, incoming, settings)


def _taken(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    sent: Sent,
    incoming: Incoming,
    settings: Settings,
) -> ConsignmentOut:
    consignment = service.take(
        session, organizer, challenge, sent, consignment_id=incoming.id, settings=settings
    )
    session.refresh(consignment)
    return consignment_out(consignment, now(session))
