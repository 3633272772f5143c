"""Hands out the scripts of others, from memory and for good: their address changes with their content."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from server.leaderboard.negotiation import asked_for, matches, takes_gzip
from server.web.scripts import ADDRESS, shelf

router = APIRouter(include_in_schema=False)

_PIECE = 64 * 2**10  # bytes that wait for a slow reader; the whole would be held for each of them


@router.head(ADDRESS + "{file}")
@router.get(ADDRESS + "{file}")
async def third_party_script(request: Request, file: str) -> Response:
    """A script of others; only those that were pinned are here, whatever else lies in their folder."""
    script = (await run_in_threadpool(shelf)).file(file)
    if script is None:
        raise HTTPException(404)
    accepts, known = asked_for(request.scope["headers"])
    packed = accepts is not None and takes_gzip(accepts)
    tag = f'"{script.sha256[:32]}{"-gzip" if packed else ""}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
    if known is not None and matches(known, tag.encode()):
        return Response(status_code=304, headers=headers)
    body = script.packed if packed else script.body
    headers["Content-Length"] = str(len(body))
    if packed:
        headers["Content-Encoding"] = "gzip"
    return StreamingResponse(_pieces(body), media_type="text/javascript", headers=headers)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), _PIECE):
        yield bytes(view[start : start + _PIECE])
