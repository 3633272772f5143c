"""Asking again where the server is busy: a 503 with Retry-After says that it took nothing."""

import time
from typing import Any

import httpx

_TIMES = 3
_LONGEST = 3.0  # seconds: shorter than the server asks for, for a heartbeat must not wait for long


class PatientClient(httpx.Client):
    """An HTTP client that asks up to three more times; then the answer stands. Bodies have to be bytes."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The answer to the request."""
        for _ in range(_TIMES):
            response = super().send(request, **options)
            seconds = _asked_to_wait(response)
            if seconds is None:
                return response
            response.close()
            time.sleep(min(seconds, _LONGEST))
        return super().send(request, **options)


def _asked_to_wait(response: httpx.Response) -> float | None:
    after = response.headers.get("Retry-After", "")
    busy = response.status_code == httpx.codes.SERVICE_UNAVAILABLE and after.isascii() and after.isdigit()
    return float(after) if busy else None
