"""Taking over what was pushed to the registry: its manifest and layers become an archive, which is then checked."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import BinaryIO

import structlog
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from server.blobs import BlobsAway
from server.challenges.models import Challenge
from server.database import SessionFactory, unit_of_work
from server.disk import Share, no_room
from server.errors import Conflict, StorageFull
from server.registry import layout, sharing, takes
from server.registry.left import is_left, pushes_in, remove_left
from server.registry.remote import RegistryAway, RegistryLies, Remote, WrongSize
from server.registry.service import note
from server.settings import Settings
from server.teams.models import Team
from server.uploads.files import open_locked, upload_path
from server.uploads.models import Upload
from server.uploads.problems import Locked
from server.uploads.stored import Allowed
from server.uploads.turns import WINDOW
from server.wakeups import wake_checkers
from worker.score.leases import kept

_RENEW_EVERY = 120.0
_AWAY = (
    "The registry could not give this image at present: {}. That is not your image's fault. It is fetched again in a "
    "minute, without you, for a day."
)
_LIES = (
    "The registry did not give what was pushed: {}. That is not your image's fault. Push the image again, and tell the "
    "organizers if it stays."
)
_WRONG_SIZE = (
    "The manifest that was pushed says that {}. What builds images writes no such thing: push the image with Docker, "
    "Podman or skopeo."
)

Ask = Callable[[Settings], Remote]

_log = structlog.get_logger()


def take_pushed(sessions: SessionFactory, settings: Settings, *, ask: Ask = Remote) -> int:
    """Takes over every push whose turn it is; returns how many. The registry is asked by what `ask` makes."""
    if settings.registry_url is None:
        return 0
    count = 0
    while True:
        with unit_of_work(sessions) as session:
            upload = takes.claim(session)
        if upload is None:
            return count
        try:
            with kept(sessions, partial(_renew, upload), every=_RENEW_EVERY):
                _take(sessions, settings, upload, ask)
        except (Conflict, Locked):
            _log.warning("push_taken", upload=str(upload.id))
        except Exception:  # noqa: BLE001 - a fault of ours on one push takes no turn from the others
            _log.exception("push_failed", upload=str(upload.id))
            _wait(sessions, upload, "registry_failed", _AWAY.format("the server failed on it"))
        count += 1


def find_pushed(sessions: SessionFactory, settings: Settings) -> int:
    """Looks through the registry for pushes of which no notification came; returns how many of them are taken up.

    What is not needed there any more, such as what ran out, is taken out of it.
    """
    if settings.registry_url is None:
        return 0
    found, gone, left = 0, 0, set()
    try:
        with Remote(settings) as remote:
            for pushed in pushes_in(remote):
                with unit_of_work(sessions) as session:
                    found += note(session, pushed, found=True) is not None
                    left |= {pushed} if is_left(session, pushed) else set()
            gone = remove_left(sessions, remote, left)
    except (RegistryAway, OSError, ValueError) as error:
        _log.error("registry_not_searched", why=str(error))
    if left:
        _log.info("pushes_removed", count=gone, left=len(left))
    if found:
        _log.warning("pushes_found", count=found)
        wake_checkers(settings.redis_url)
    return found


def _take(sessions: SessionFactory, settings: Settings, upload: Upload, ask: Ask) -> None:
    """Makes the archive, and says what came of it; what was taken or refused goes from the registry."""
    log = _log.bind(upload=str(upload.id))
    digest = takes.source(upload)[1]
    path = upload_path(settings.uploads, upload.id)
    try:
        with ask(settings) as remote:
            with unit_of_work(sessions) as session:
                known = takes.known(session, upload)
            if known is None:
                _fetch(sessions, settings, upload, remote)
        _forget(sessions, settings, upload)
        log.info("push_taken_over", digest=digest)
        wake_checkers(settings.redis_url)
    except layout.NotTaken as error:
        _refuse(sessions, settings, upload, error.code, error.sentence)
        _forget(sessions, settings, upload)
    except WrongSize as error:
        _refuse(sessions, settings, upload, "config_invalid", _WRONG_SIZE.format(error))
        _forget(sessions, settings, upload)
    except RegistryLies as error:
        log.error("registry_lies", why=str(error))
        _refuse(sessions, settings, upload, "registry_failed", _LIES.format(error))
        _forget(sessions, settings, upload)
    except (RegistryAway, OSError, ValueError) as error:
        log.error("registry_away", why=str(error))
        path.unlink(missing_ok=True)
        why = str(error) if isinstance(error, RegistryAway) else "the server could not ask it"
        _wait(sessions, upload, "registry_failed", _AWAY.format(why))
    except StorageFull as problem:
        path.unlink(missing_ok=True)
        if problem.code == ErrorCode.STORAGE_FULL:
            _wait(sessions, upload, problem.code, problem.detail)
        else:
            _refuse(sessions, settings, upload, problem.code, problem.detail)
            _forget(sessions, settings, upload)


def _forget(sessions: SessionFactory, settings: Settings, upload: Upload) -> None:
    """What was taken or refused goes from the registry, unless a push under another tag still waits to be fetched."""
    with unit_of_work(sessions) as session:
        if takes.is_awaited(session, upload):
            return
    repository, digest = takes.source(upload)
    try:
        with Remote(settings) as remote:
            remote.delete(repository.path, digest)
    except (RegistryAway, RegistryLies, OSError, ValueError) as error:
        _log.warning("push_stays_in_registry", upload=str(upload.id), why=str(error))


def _fetch(sessions: SessionFactory, settings: Settings, upload: Upload, remote: Remote) -> None:
    repository, digest = takes.source(upload)
    image = layout.read(remote, repository.path, digest)
    whole, limit = image.archive, settings.upload_limit
    if whole.length > limit:
        sentence = f"The image has {whole.length:,} bytes, more than the {limit:,} allowed. Make it smaller."
        raise layout.NotTaken("upload_too_large", sentence)
    shared = _shared(sessions, settings, upload, remote, image)
    if shared is not None and shared.length <= limit:  # unpacked, layers are larger
        try:
            _write(sessions, settings, upload, remote, shared)
            return
        except (StorageFull, layout.NotStored) as error:
            _log.info("layers_not_shared", upload=str(upload.id), why=str(error))
    _write(sessions, settings, upload, remote, whole)


def _shared(
    sessions: SessionFactory, settings: Settings, upload: Upload, remote: Remote, image: layout.PushedImage
) -> layout.PushedArchive | None:
    blobs = settings.blobs

    def sizes(layers: Collection[str]) -> Mapping[str, int]:
        with unit_of_work(sessions) as session:
            own = sharing.own_layers(session, upload.team_id, layers)
        try:
            return blobs.sizes([digest for digest in own if blobs.has(digest)])
        except BlobsAway:
            return {}

    return sharing.shared(remote, image, sizes)


def _write(
    sessions: SessionFactory,
    settings: Settings,
    upload: Upload,
    remote: Remote,
    archive: layout.PushedArchive,
) -> None:
    """Writes the archive as the upload's, whose check is due then."""
    _require(sessions, settings, upload, archive.length)
    with open_locked(settings.uploads, upload.id) as file:
        file.truncate(0)
        sha256 = layout.write(remote, archive, _Roomy(file, settings), blobs=settings.blobs)
        length = file.tell()
    with unit_of_work(sessions) as session:
        takes.came(session, upload, length=length, sha256=sha256)
    fetched, stored = sum(archive.fetched.values()), sum(archive.stored.values())
    _log.info("push_fetched", upload=str(upload.id), bytes=fetched, not_fetched=stored)


def _require(sessions: SessionFactory, settings: Settings, upload: Upload, length: int) -> None:
    with unit_of_work(sessions) as session:
        spec = session.get_one(Challenge, session.get_one(Team, upload.team_id).challenge_id).spec
        allowed = Allowed.by(settings, spec)
        try:
            takes.require(session, upload, length, allowed, settings.room(Share.UPLOADS))
        except Conflict as problem:
            if problem.code == ErrorCode.CHECK_LOST:
                raise
            raise layout.NotTaken(problem.code, problem.detail) from None


class _Roomy:
    """The upload's file, before whose bytes the disk is looked at now and then."""

    def __init__(self, file: BinaryIO, settings: Settings) -> None:
        self._file, self._room, self._looked = file, settings.room(Share.UPLOADS), 0

    def write(self, data: memoryview) -> int:
        """Writes it, or as much as goes at once.

        Raises:
            StorageFull: the disk has no room for what comes next.
        """
        position = self._file.tell()
        if position >= self._looked:
            self._looked = position + WINDOW
            left = self._room.left()
            if left < WINDOW:
                raise no_room(WINDOW, left)
        return self._file.write(data)


def _refuse(sessions: SessionFactory, settings: Settings, upload: Upload, code: str, why: str) -> None:
    with unit_of_work(sessions) as session:
        takes.refuse(session, upload, code, why, uploads=settings.uploads)
    _log.info("push_refused", upload=str(upload.id), code=code)


def _wait(sessions: SessionFactory, upload: Upload, code: str, why: str) -> None:
    with unit_of_work(sessions) as session:
        takes.wait(session, upload, code, why)


def _renew(upload: Upload, session: Session) -> None:
    takes.renew(session, upload)
