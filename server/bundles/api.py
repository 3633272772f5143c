"""The endpoint of bundles, for whoever may see everything of a challenge."""

from collections.abc import Iterator
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from contract.texts import BINARY, Name
from server.accounts.deps import AskerDep
from server.bundles import service
from server.deps import SessionsDep, SettingsDep

router = APIRouter(prefix="/organize", tags=["organizers"])

_PIECE = 2**20
_ZIP = "application/zip"


@router.get(
    "/{slug}/phases/{phase}/bundle",
    response_class=StreamingResponse,
    responses={200: {"content": {_ZIP: {"schema": BINARY}}}},
)
def get_bundle(
    sessions: SessionsDep,
    settings: SettingsDep,
    user: AskerDep,
    slug: Name,
    phase: Name,
    case_names: Annotated[
        bool, Query(description="Cases by their own names instead of pseudonyms; for organizers")
    ] = False,
) -> StreamingResponse:
    """Everything that a paper and a reviewer need of a phase, as a ZIP archive; its README explains each file.

    That it was made is an event.
    """
    packed = service.make(sessions, service.Asked(user, slug, phase, case_names), settings=settings)
    headers = {
        "Content-Length": str(packed.size),
        "Content-Disposition": f'attachment; filename="{packed.name}"',
    }
    return StreamingResponse(_pieces(packed.file), media_type=_ZIP, headers=headers)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
