"""Whether the database answers, and which tokens are run workers': asked at most once a second, for all who ask."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from server.accounts.models import ApiToken, TokenKind
from server.database import connect

_FRESH = 1.0
_PATIENCE = 2.0  # seconds after which a database that says nothing does not answer


class Probe:
    """One connection and one thread, which no request can take; for one event loop."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url, pool_size=1, overflow=0)
        self._thread = ThreadPoolExecutor(1, "probe")
        self._look: asyncio.Future[frozenset[str] | None] | None = None
        self._looked_at = float("-inf")
        self._answers = False
        self._workers: frozenset[str] | None = None

    async def answers(self) -> bool:
        """Whether the database answered within the last second, or does now."""
        return await self._fresh() and self._answers

    async def is_worker(self, hashed: str) -> bool:
        """Whether this is the hash of a run worker's token that is not revoked.

        One that was made within the last second may not count yet, and any counts while the database never answered.
        """
        if self._workers is None or hashed not in self._workers:
            await self._fresh()
        return self._workers is None or hashed in self._workers

    def close(self) -> None:
        """Closes the connection."""
        self._thread.shutdown(wait=True)
        self._engine.dispose()

    async def _fresh(self) -> bool:
        """Looks, unless that was done just now; False where the database keeps silent."""
        if self._look is None:
            if time.monotonic() - self._looked_at < _FRESH:
                return True
            self._look = asyncio.ensure_future(
                asyncio.get_running_loop().run_in_executor(self._thread, self._ask)
            )
            self._look.add_done_callback(self._note)
        done, _ = await asyncio.wait({self._look}, timeout=_PATIENCE)
        return bool(done)

    def _ask(self) -> frozenset[str] | None:
        valid = select(ApiToken.hash, ApiToken.old_hash).where(
            ApiToken.kind == TokenKind.WORKER, ApiToken.revoked_at.is_(None)
        )
        try:
            with Session(self._engine) as session:
                return frozenset(hashed for row in session.execute(valid) for hashed in row if hashed)
        except SQLAlchemyError:
            return None

    def _note(self, look: "asyncio.Future[frozenset[str] | None]") -> None:
        self._look, self._looked_at = None, time.monotonic()
        found = None if look.cancelled() or look.exception() else look.result()
        self._answers = found is not None
        self._workers = self._workers if found is None else found
