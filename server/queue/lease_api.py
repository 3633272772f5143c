"""The lease API: all that a run worker can reach. It holds no keys, so it gets nothing but its own case.

Every call after `lease` names the case run and its claim_no, and is refused with 409 once the lease is lost; only a
heartbeat, which is for several, answers which of them are.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.orm import Session

from contract.bounds import MOST_INT
from contract.ids import CaseRunId
from contract.leases import (
    BLOB_ADDRESS,
    CaseLease,
    Finish,
    HeldLease,
    HeldLeases,
    InputFile,
    Lease,
    LostLeases,
    Release,
    SlotName,
    SlotOffer,
    SlotState,
    StoredOutput,
    WakeUpMark,
)
from contract.problems import ErrorCode
from contract.statuses import Mode
from contract.texts import BINARY, Line, Name
from server.accounts.deps import RunWorkerDep, TokenDep
from server.accounts.principals import RunWorker
from server.accounts.service import authenticate_run_worker
from server.blobs import BlobWriter
from server.database import after_commit, unit_of_work
from server.deps import BlobsDep, SessionDep, SettingsDep
from server.disk import Share
from server.errors import NotFound, TooLarge, Unprocessable
from server.evaluations import faults, service
from server.evaluations.outputs import waiting_name
from server.evaluations.service import Claim
from server.front.protocol import ENDS_AT_ONCE
from server.front.threads import in_stream_thread
from server.images.models import Image
from server.queue import batches, fitness, leases, reads
from server.queue.bell import LONGEST_SECONDS, Bell
from server.queue.claim import Leased, claim
from server.queue.downloads import LINK_SECONDS, Download, blob_download, download, file_of, lent
from server.queue.unfitting import why_nothing
from server.settings import Settings

router = APIRouter(prefix="/worker", tags=["run workers"])
_log = structlog.get_logger()


_ELSEWHERE: dict[int | str, dict[str, Any]] = {
    204: {
        "description": f"With `direct`: `{BLOB_ADDRESS}` says where in the store it can be read for two minutes"
    }
}
ClaimNo = Annotated[int, Query(ge=1, le=MOST_INT)]


async def _claim(worker: RunWorkerDep, case_run: CaseRunId, claim_no: ClaimNo) -> Claim:
    """What the asking worker claims to hold; a lease that another token took does not count."""
    return Claim(case_run, claim_no, worker.id)


ClaimDep = Annotated[Claim, Depends(_claim)]


async def _sender(request: Request, token: TokenDep) -> RunWorker:
    """Who sends an output, or waits. No dependency on a session: no transaction is open while something is awaited."""
    return await in_stream_thread(_known, request, token)


def _known(request: Request, token: str | None) -> RunWorker:
    with unit_of_work(request.app.state.sessions) as session:
        return authenticate_run_worker(session, token)


SenderDep = Annotated[RunWorker, Depends(_sender)]


@router.post(
    "/leases",
    response_model=Lease,
    responses={204: {"description": "No case waits that this slot can run"}},
)
def lease(session: SessionDep, settings: SettingsDep, worker: RunWorkerDep, slot: SlotOffer) -> Any:
    """Leases the next case, or as many of one evaluation as the slot can run at once.

    None while the server's disk has no room for new work: what comes of it could not be stored.
    """
    if not settings.room(Share.NEW_WORK).left():
        return Response(status_code=204)
    leased = claim(session, worker, slot, settings=settings)
    if not isinstance(leased, Leased):
        return Response(status_code=204, headers=why_nothing(session, slot, leased))
    return _lease_out(session, leased, settings)


def _lease_out(session: Session, leased: Leased, settings: Settings) -> Lease:
    evaluation = leased.evaluation
    for run in leased.runs:
        after_commit(session, partial(_log.info, "case_leased", worker=run.worker, **run.named))
    spec = evaluation.spec_version.spec
    first, *more = _cases(session, leased, settings)
    return Lease(
        **dict(first),
        lease_seconds=settings.lease_seconds,
        evaluation=evaluation.id,
        submission=evaluation.submission_id,
        task_name=evaluation.task,
        track=evaluation.track,
        task=spec.tasks[evaluation.task],
        limits=spec.limits_of(evaluation.task),
        image=evaluation.image.facts,
        mode=leased.mode,
        more=tuple(more),
    )


def _cases(session: Session, leased: Leased, settings: Settings) -> list[CaseLease]:
    repeated = batches.repeated(session, leased.evaluation, settings) if leased.mode is Mode.INVOKE else set()
    return [
        CaseLease(
            case_run=run.id,
            claim_no=run.claim_no,
            pseudonym=run.pseudonym,
            inputs={key: InputFile.model_validate(file) for key, file in run.case.files.items()},
            repeat=run.position in repeated,
        )
        for run in leased.runs
    ]


@router.get("/wake-ups")
async def get_wake_up(
    request: Request,
    _: SenderDep,
    mark: Annotated[str | None, Line(100), Query()] = None,
    seconds: Annotated[float, Query(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)] = 25.0,
) -> WakeUpMark:
    """Answers when cases come to wait, or after `seconds`: for run workers that no message reaches.

    `mark` is that of the answer before; where something came since, the answer is there at once. Nothing is leased:
    a worker then asks with `POST /worker/leases`, and whoever is cut off has lost nothing.
    """
    bell: Bell = request.app.state.bell
    request.scope[ENDS_AT_ONCE] = True
    return WakeUpMark(mark=await bell.hold(request, mark, seconds))


@router.put("/slots/{name}", status_code=204)
def put_slot(
    session: SessionDep,
    worker: RunWorkerDep,
    name: SlotName,
    body: SlotState,
) -> Response:
    """Notes why a slot takes no work, or that it does again, or that its host is being examined."""
    if body.examining:
        fitness.note_examining(session, worker, name)
    else:
        fitness.note_unfit(session, worker, name, body.unfit)
    return Response(status_code=204)


@router.post("/heartbeat")
def heartbeat(
    session: SessionDep, settings: SettingsDep, worker: RunWorkerDep, body: HeldLeases
) -> LostLeases:
    """Renews leases, all that a slot has at once, and says which of them are lost."""
    claims = [Claim(held.case_run, held.claim_no, worker.id) for held in body.leases]
    lost = leases.heartbeat(session, claims, worker, settings=settings)
    return LostLeases(lost=[HeldLease(case_run=claim.case_run, claim_no=claim.claim_no) for claim in lost])


@router.get(
    "/leases/{case_run}/inputs/{key}",
    response_class=Download,
    responses=file_of("application/gzip") | _ELSEWHERE,
)
def get_input(
    session: SessionDep, settings: SettingsDep, claim: ClaimDep, key: Name, direct: bool = False
) -> Response:
    """One input file of the leased case.

    direct: who asks takes an address in the store of blobs in its place, where copies of inputs lie in one.
    """
    run = service.lock_run(session, claim)
    if key not in run.case.files:
        raise NotFound(ErrorCode.UNKNOWN_INPUT, f"This case has no input {key!r}.")
    file = run.case.files[key]
    reads.note(session, run, "case", run.case_id, file["size"])
    path = settings.inputs / file["path"]
    if direct and settings.blobs_inputs and path.is_file():
        whose = Path(run.evaluation.dataset.folder).name
        if (link := lent(settings.blobs, whose, path, file["sha256"])) is not None:
            return _elsewhere(link)
    return download(path, "application/gzip")


def _elsewhere(link: str) -> Response:
    return Response(status_code=204, headers={BLOB_ADDRESS: link, "Cache-Control": "no-store"})


@router.get(
    "/leases/{case_run}/blobs/{digest}",
    response_class=Download,
    responses=file_of("application/octet-stream") | _ELSEWHERE,
)
def get_blob(
    session: SessionDep, blobs: BlobsDep, claim: ClaimDep, digest: Name, direct: bool = False
) -> Response:
    """A verified layer, or the config, of the leased case's image.

    direct: who asks takes an address in the store's place, where blobs lie in one.
    """
    run = service.lock_run(session, claim)
    facts = session.get_one(Image, run.evaluation.image_id).facts
    if digest not in facts.blobs:
        raise NotFound(ErrorCode.UNKNOWN_BLOB, "This blob is not part of the leased case's image.")
    size = blobs.sizes([digest]).get(digest)
    reads.note(session, run, "image", run.evaluation.image_id, size or 0)
    if direct and size is not None and (link := blobs.link(digest, LINK_SECONDS)) is not None:
        return _elsewhere(link)
    return blob_download(blobs, digest, size)


@router.put(
    "/leases/{case_run}/output",
    status_code=201,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}
    },
)
async def put_output(
    request: Request, settings: SettingsDep, worker: SenderDep, case_run: CaseRunId, claim_no: ClaimNo
) -> StoredOutput:
    """Takes the canonical output of the leased case, in the place of an earlier one, and answers its digest."""
    settings.room(Share.RESULTS).require()
    claim = Claim(case_run, claim_no, worker.id)
    limit = await in_stream_thread(_may_put, request, claim)
    with settings.blobs.writer() as writer:
        async for chunk in request.stream():
            if writer.size + len(chunk) > limit:
                raise TooLarge(
                    ErrorCode.OUTPUT_TOO_LARGE, f"An output of this task has at most {limit} bytes."
                )
            await in_stream_thread(writer.write, chunk)
        await in_stream_thread(_keep_output, request, claim, writer)
        return StoredOutput(digest=writer.digest)


def _may_put(request: Request, claim: Claim) -> int:
    """How many bytes an output of the claimed case's task may have."""
    with unit_of_work(request.app.state.sessions) as session:
        evaluation, _ = service.lock_claimed(session, claim)
        return evaluation.spec_version.spec.limits_of(evaluation.task).output


def _keep_output(request: Request, claim: Claim, writer: BlobWriter) -> None:
    """The lease may have been lost while the bytes came: asked again, and only then are they this claim's output."""
    writer.seal()  # before anything is locked, for it may take long
    with unit_of_work(request.app.state.sessions) as session:
        _, run = service.lock_claimed(session, claim)
        run.output = writer.set_aside(waiting_name(run.id))


@router.post("/leases/{case_run}/finish", status_code=204)
def finish(
    session: SessionDep, settings: SettingsDep, worker: RunWorkerDep, claim: ClaimDep, body: Finish
) -> Response:
    """Settles the case with its verdict."""
    if (body.fault is None) != (body.output is not None):
        raise Unprocessable(
            ErrorCode.OUTPUT_AND_FAULT,
            "A valid case has an output and no fault, any other a fault and no output.",
        )
    service.finish(session, claim, body, actor=worker.actor, settings=settings)
    return Response(status_code=204)


@router.post("/leases/{case_run}/release", status_code=204)
def release(
    session: SessionDep, settings: SettingsDep, worker: RunWorkerDep, claim: ClaimDep, body: Release
) -> Response:
    """Puts the case back into the queue: at once, or after a pause where it met a fault of the platform."""
    if body.fault is None:
        service.hand_back(session, claim, actor=worker.actor, settings=settings)
    else:
        faults.release(session, claim, body.fault, actor=worker.actor, detail=body.detail)
    return Response(status_code=204)
