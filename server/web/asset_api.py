"""Files of pages over HTTP. They are kept by browsers for good: another content has another address."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from server import assets
from server.leaderboard.negotiation import takes_gzip

router = APIRouter(include_in_schema=False)

_FOR_GOOD = "public, max-age=31536000, immutable"
_BRIEFLY = "public, max-age=60"


@router.get("/assets/{digest}/{name}")
async def asset(request: Request, digest: str, name: str) -> Response:
    """A style sheet, a script or an icon; for an address of an earlier version what there is now, for a minute."""
    found = assets.assets().get(name)
    if found is None:
        raise HTTPException(404)
    packs = takes_gzip(request.headers.get("accept-encoding", "").encode("latin-1"))
    headers = {
        "Cache-Control": _FOR_GOOD if digest == assets.digest() else _BRIEFLY,
        "ETag": f'"{assets.digest()}{"-gzip" if packs else ""}"',
        "Vary": "Accept-Encoding",
    }
    if packs:
        headers["Content-Encoding"] = "gzip"
    return Response(found.packed if packs else found.plain, media_type=found.kind, headers=headers)
