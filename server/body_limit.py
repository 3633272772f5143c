"""A bound on request bodies that are read into memory whole; streamed ones have bounds of their own."""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 8 * 2**20  # bytes: a case's log of a million characters, each escaped, still fits


class BodyLimit:
    """Refuses with 413 what has more than `most` bytes, before it is held in memory."""

    def __init__(self, app: ASGIApp, most: int = MOST) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on, with its body counted as it comes."""
        if scope["type"] != "http" or _is_streamed(scope):
            await self._app(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)


def _is_streamed(scope: Scope) -> bool:
    """Whether this is an upload's bytes or a case's output, which are written to disk as they come."""
    uploads = scope["method"] == "PATCH" and "/uploads/" in scope["path"]
    return uploads or (scope["method"] == "PUT" and scope["path"].endswith("/output"))
