"""Resumable uploads over HTTP: tus 1.0.0 with creation, termination and expiration (https://tus.io/protocols)."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.requests import ClientDisconnect

from contract.ids import TeamId, UploadId
from contract.problems import ErrorCode
from contract.texts import BINARY, REQUIRED, Name
from contract.uploads import UploadOut
from server.accounts.deps import BearerDep, UserDep
from server.accounts.service import authenticate_user
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.deps import SessionDep, SettingsDep
from server.disk import Share
from server.errors import BadRequest, Problem
from server.front.threads import in_stream_thread
from server.settings import Settings
from server.teams.service import choose_team
from server.uploads import service
from server.uploads.models import Upload
from server.uploads.problems import UnsupportedMedia, VersionMismatch
from server.uploads.receive import receive
from server.uploads.schemas import MOST_METADATA, Metadata
from server.uploads.stored import Allowed
from server.uploads.turns import require_turn
from server.uploads.views import uploads_out
from server.wakeups import wake_checkers

router = APIRouter(tags=["uploads"])

TUS = {"Tus-Resumable": "1.0.0"}
_ABOUT = {**TUS, "Tus-Version": "1.0.0", "Tus-Extension": "creation,termination,expiration"}
_BYTES = "application/offset+octet-stream"
_NumberHeader = Annotated[
    str | None, Header(json_schema_extra={"pattern": "^[0-9]{1,18}$", "maxLength": 18, **REQUIRED})
]


async def _version(
    tus_resumable: Annotated[str | None, Header(json_schema_extra={"enum": ["1.0.0"]})] = None,
) -> None:
    if tus_resumable not in (None, "1.0.0"):
        problem = VersionMismatch(
            ErrorCode.TUS_VERSION, "This server speaks tus 1.0.0. Send 'Tus-Resumable: 1.0.0'."
        )
        problem.headers.update(_ABOUT)
        raise problem


@contextmanager
def _tus_problems() -> Iterator[None]:
    """Adds to problems the header that every answer of the protocol has."""
    try:
        yield
    except Problem as problem:
        problem.headers.update(TUS)
        raise


def _progress(upload: Upload) -> dict[str, str]:
    expires = {"Upload-Expires": format_datetime(upload.expires_at, usegmt=True)}
    unfinished = upload.offset < upload.length
    return {**TUS, "Upload-Offset": str(upload.offset), **(expires if unfinished else {})}


@router.options("/challenges/{slug}/uploads", status_code=204)
async def about_uploads(slug: Name, settings: SettingsDep) -> Response:
    """What the server supports of tus."""
    return _about(settings)


@router.options("/uploads/{upload_id}", status_code=204)
async def about_upload(upload_id: UploadId, settings: SettingsDep) -> Response:
    """What the server supports of tus."""
    return _about(settings)


def _about(settings: Settings) -> Response:
    return Response(status_code=204, headers={**_ABOUT, "Tus-Max-Size": str(settings.upload_limit)})


@router.post("/challenges/{slug}/uploads", status_code=201, dependencies=[Depends(_version)])
def create_upload(
    slug: Name,
    request: Request,
    response: Response,
    session: SessionDep,
    user: UserDep,
    settings: SettingsDep,
    upload_length: _NumberHeader = None,
    upload_metadata: Annotated[
        str | None, Header(json_schema_extra={"maxLength": MOST_METADATA, **REQUIRED})
    ] = None,
) -> UploadOut:
    """Begins an upload. Upload-Metadata: `sha256` (required), `filename`, `team` (id or name)."""
    with _tus_problems():
        length = _number(upload_length, "Upload-Length")
        metadata = Metadata.parse(upload_metadata)
        challenge = get_challenge(session, slug)
        team = choose_team(session, user, challenge.id, named=metadata.team)
        upload = service.create_upload(
            session,
            user,
            team,
            length=length,
            sha256=metadata.sha256,
            filename=metadata.filename,
            limit=settings.upload_limit,
            room=settings.room(Share.UPLOADS),
            allowed=Allowed.by(settings, challenge.spec),
        )
    location = request.url_for("get_upload", upload_id=upload.id).path
    response.headers.update({"Location": location, **_progress(upload)})
    return uploads_out(session, team.id, [upload])[0]


@router.head("/uploads/{upload_id}", response_class=Response, dependencies=[Depends(_version)])
def head_upload(upload_id: UploadId, session: SessionDep, user: UserDep) -> Response:
    """Where to resume."""
    with _tus_problems():
        upload = service.resumable(session, user, upload_id)
    headers = {**_progress(upload), "Upload-Length": str(upload.length), "Cache-Control": "no-store"}
    return Response(headers=headers)


@router.get("/uploads/{upload_id}")
def get_upload(upload_id: UploadId, session: SessionDep, user: UserDep) -> UploadOut:
    """How far an upload is, and what came of it."""
    upload = service.get_upload(session, user, upload_id)
    return uploads_out(session, upload.team_id, [upload])[0]


@router.get("/teams/{team_id}/uploads")
def list_uploads(team_id: TeamId, session: SessionDep, user: UserDep) -> list[UploadOut]:
    """A team's latest uploads."""
    return uploads_out(session, team_id, service.list_uploads(session, user, team_id))


@router.delete("/uploads/{upload_id}", status_code=204, dependencies=[Depends(_version)])
def terminate(upload_id: UploadId, session: SessionDep, user: UserDep, settings: SettingsDep) -> Response:
    """Ends an unfinished upload."""
    with _tus_problems():
        service.terminate(session, user, upload_id, uploads=settings.uploads)
    return Response(status_code=204, headers=TUS)


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    dependencies=[Depends(_version)],
    openapi_extra={"requestBody": {"required": True, "content": {_BYTES: {"schema": BINARY}}}},
)
async def append(
    upload_id: UploadId,
    request: Request,
    settings: SettingsDep,
    credentials: BearerDep,
    upload_offset: _NumberHeader = None,
    content_type: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Appends the body at Upload-Offset."""
    token = credentials.credentials if credentials else None
    # No dependency on a session: an upload takes hours, and no transaction stays open for so long.
    transfer = _Transfer(request, settings, upload_id)
    with _tus_problems():
        incoming = await in_stream_thread(transfer.begin, token, content_type, upload_offset)
        try:
            await receive(request.stream(), incoming, save=lambda saved: transfer.save(saved, incoming.actor))
        except ClientDisconnect:
            return Response(status_code=204)  # nobody reads it; what came is saved
        upload = await in_stream_thread(transfer.state)
    return Response(status_code=204, headers=_progress(upload))


class _Transfer:
    """The units of work of one PATCH."""

    def __init__(self, request: Request, settings: Settings, upload_id: UploadId) -> None:
        self._sessions = request.app.state.sessions
        self._settings = settings
        self._id = upload_id

    def begin(
        self, token: str | None, content_type: str | None, upload_offset: str | None
    ) -> service.Incoming:
        with unit_of_work(self._sessions) as session:
            user = authenticate_user(session, token)
            if content_type != _BYTES:
                raise UnsupportedMedia(
                    ErrorCode.CONTENT_TYPE, f"Send the bytes with 'Content-Type: {_BYTES}'."
                )
            offset = _number(upload_offset, "Upload-Offset")
            room = self._settings.room(Share.UPLOADS)
            return service.begin(
                session, user, self._id, offset=offset, uploads=self._settings.uploads, room=room
            )

    def save(self, offset: int, actor: str) -> None:
        with unit_of_work(self._sessions) as session:
            service.save_offset(
                session,
                self._id,
                offset,
                actor=actor,
                on_complete=lambda: wake_checkers(self._settings.redis_url),
            )
        with unit_of_work(self._sessions) as session:  # only now, for what has come is to be kept
            require_turn(session, self._id, room=self._settings.room(Share.UPLOADS))

    def state(self) -> Upload:
        with unit_of_work(self._sessions) as session:
            return session.get_one(Upload, self._id)


def _number(value: str | None, header: str) -> int:
    if value is None or not (value.isascii() and value.isdigit() and len(value) < 19):
        raise BadRequest(ErrorCode.BAD_HEADER, f"{header} must be a whole number of bytes.")
    return int(value)
