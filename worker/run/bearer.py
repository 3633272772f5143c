"""The token that a run worker shows, and what becomes of a worker whose token is refused."""

from collections.abc import Callable, Generator
from pathlib import Path

import httpx

REFUSED = 3
"""Exit code of a worker that the server does not let in."""


class Bearer(httpx.Auth):
    """Adds the token to every request. Where it is refused, the token is read again from its file, if it has one.

    `when_refused` is called, once and from whichever thread asked, if the server does not take that one either.
    """

    def __init__(self, token: str | None, file: Path | None) -> None:
        self._token, self._file = token or "", file
        self.refused = False
        self.when_refused: Callable[[], None] = lambda: None
        self._read()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """One request, or two where the token was replaced meanwhile."""
        shown = self._show(request)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and self._read() != shown:
            self._show(request)
            response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and not self.refused:
            self.refused = True
            self.when_refused()

    def _show(self, request: httpx.Request) -> str:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return self._token

    def _read(self) -> str:
        """The token, as it stands in its file now."""
        if self._file is not None:
            try:
                self._token = self._file.read_text().strip()
            except OSError:
                return self._token
        return self._token
