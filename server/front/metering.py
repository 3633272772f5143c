"""Counts requests by the template of their route, so that no path makes a figure of its own."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.metrics import IN_FLIGHT, REQUEST, RESPONSES

ROUTE = "proctor.route"
"""Where the front notes a request's route in its scope."""
_MEMORY = "answered from memory"


class Metered:
    """Stands before everything else, where figures are shown."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
            await send(message)

        began = time.perf_counter()
        IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, noted)
        finally:
            IN_FLIGHT.dec()
            route = scope.get(ROUTE, _MEMORY)
            REQUEST.labels(route).observe(time.perf_counter() - began)
            RESPONSES.labels(route, status).inc()
