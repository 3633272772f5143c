"""Checking uploaded images: read as a stream by a process of their own, never loaded, never run."""

import time
from functools import partial

import structlog
from sqlalchemy.orm import Session

from contract.images import ImageFacts
from sandbox.archive import ArchiveInvalid, Call, ToolMissing
from server.blobs import BlobsAway
from server.challenges.models import Challenge
from server.database import SessionFactory, unit_of_work
from server.disk import Share
from server.errors import Conflict, DataMissing, StorageFull
from server.metrics import CHECK
from server.settings import Settings
from server.storage.sweep import discard, require_stored
from server.teams.models import Team
from server.uploads import checks
from server.uploads.files import upload_path
from server.uploads.models import Upload
from server.uploads.stored import Allowed, stored, too_large_unpacked
from worker.score.check import CheckEnded, CheckLost, NoRoom, TooMuch, check
from worker.score.leases import kept

_RENEW_EVERY = 120.0
_SMALL = 2**20  # beside its layers an image stores its configuration, which counts for nothing
_NO_SIF = (
    "This server cannot read SIF files at present, which is not your image's fault. Tell the organizers, or "
    "upload what `docker save` writes."
)
_ENDED = (
    "The check of this archive had not ended after {:,} seconds of processor time, far more than its size gives reason "
    "for. Save the image again with `docker save IMAGE -o image.tar`, and tell the organizers if it stays."
)

_log = structlog.get_logger()


def check_waiting(sessions: SessionFactory, settings: Settings) -> int:
    """Checks every complete upload that nobody checks; returns how many."""
    checked = 0
    while True:
        with unit_of_work(sessions) as session:
            upload = checks.claim_upload_to_check(
                session,
                uploads=settings.uploads,
                most_per_team=most_per_team(settings),
                left=settings.room(Share.NEW_WORK).left(),
            )
        if upload is None:
            return checked
        try:
            with CHECK.time(), kept(sessions, partial(_renew, upload), every=_RENEW_EVERY):
                _check(sessions, settings, upload)
        except Conflict:
            _log.warning("check_taken", upload=str(upload.id))
        except BlobsAway as away:
            _log.error("blobs_away", upload=str(upload.id), why=away.why)
            _put_back(sessions, upload, counts=False)
            return checked  # none could be stored; the next wake-up tries again
        except (CheckLost, OSError) as error:
            _log.error("check_lost", upload=str(upload.id), error=str(error))
            _put_back(sessions, upload)
        checked += 1


def _put_back(sessions: SessionFactory, upload: Upload, *, counts: bool = True) -> None:
    try:
        with unit_of_work(sessions) as session:
            checks.put_back(session, upload, counts=counts)
    except Conflict:
        _log.warning("check_taken", upload=str(upload.id))


def most_per_team(settings: Settings) -> int:
    """Checks that one team may have at once: all places of the lane but one, which is for the others."""
    return max(1, settings.checks_at_once - 1)


def _check(sessions: SessionFactory, settings: Settings, upload: Upload) -> None:
    log = _log.bind(upload=str(upload.id))
    try:
        if not checks.has_promised_sha256(upload, uploads=settings.uploads):
            with unit_of_work(sessions) as session:
                checks.settle_wrong_sha256(session, upload, uploads=settings.uploads)
            return
        limit, calls, allowed = _demands(sessions, settings, upload)
        used = _stored(sessions, upload)
        path = upload_path(settings.uploads, upload.id)
        blobs = settings.blobs_within(settings.room(Share.NEW_WORK))
        facts = check(path, limit=limit, blobs=blobs, calls=calls, most=max(0, allowed.team - used) + _SMALL)
    except TooMuch:
        _reject(sessions, settings, upload, too_large_unpacked(used, allowed))
        return
    except NoRoom as error:
        _wait_for_room(sessions, settings, upload, error.needs)
        return
    except (ArchiveInvalid, ToolMissing, CheckEnded) as error:
        code, sentence = _refusal(error)
        with unit_of_work(sessions) as session:
            checks.settle_invalid(session, upload, code, sentence, uploads=settings.uploads)
        log.info("image_rejected", code=code)
        return
    _settle(sessions, settings, upload, facts, allowed)


def _settle(
    sessions: SessionFactory, settings: Settings, upload: Upload, facts: ImageFacts, allowed: Allowed
) -> None:
    """The image becomes its team's, unless the team may not store so much; what it unpacked goes then."""
    unpacked, at = (facts.digest, *facts.layers), time.time()
    try:
        with unit_of_work(sessions) as session:
            require_stored(session, settings.blobs, unpacked)
            checks.settle_valid(session, upload, facts, uploads=settings.uploads, allowed=allowed)
    except DataMissing:
        _wait_for_room(sessions, settings, upload, 0)
    except (StorageFull, Conflict) as problem:
        if problem.code == "check_lost":
            raise
        _reject(sessions, settings, upload, problem)
        discard(sessions, settings.blobs, unpacked, before=at)
    else:
        _log.info("image_ready", upload=str(upload.id), digest=facts.digest)


def _stored(sessions: SessionFactory, upload: Upload) -> int:
    """Bytes that the team stores beside this upload, whose archive goes once it is checked."""
    with unit_of_work(sessions) as session:
        return stored(session, upload.team_id).used - upload.length


def _reject(
    sessions: SessionFactory, settings: Settings, upload: Upload, problem: StorageFull | Conflict
) -> None:
    with unit_of_work(sessions) as session:
        checks.settle_invalid(session, upload, problem.code, problem.detail, uploads=settings.uploads)
    _log.info("image_rejected", upload=str(upload.id), code=problem.code)


def _wait_for_room(sessions: SessionFactory, settings: Settings, upload: Upload, needs: int) -> None:
    with unit_of_work(sessions) as session:
        checks.wait_for_room(session, upload, needs=needs, uploads=settings.uploads)
    _log.warning("check_waits_for_room", upload=str(upload.id), needs=needs)


def _refusal(error: ArchiveInvalid | ToolMissing | CheckEnded) -> tuple[str, str]:
    """The code and the sentence for the participant; what is for the operator goes to the log."""
    if isinstance(error, ArchiveInvalid):
        return str(error.code), error.message
    if isinstance(error, CheckEnded):
        _log.error("check_ended", seconds=error.seconds)
        return "check_failed", _ENDED.format(error.seconds)
    _log.error("sif_not_supported", what=error.what, remedy=error.remedy)
    return "sif_not_supported", _NO_SIF


def _demands(sessions: SessionFactory, settings: Settings, upload: Upload) -> tuple[int, set[Call], Allowed]:
    """The largest image, unpacked, that any task allows, in bytes; the calls of all tasks; what teams may store."""
    with unit_of_work(sessions) as session:
        spec = session.get_one(Challenge, session.get_one(Team, upload.team_id).challenge_id).spec
        most = max(spec.limits_of(task).image for task in spec.tasks)
        calls: set[Call] = {task.call for task in spec.tasks.values()}
        return most, calls, Allowed.by(settings, spec)


def _renew(upload: Upload, session: Session) -> None:
    checks.renew_check(session, upload)
