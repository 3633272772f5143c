"""When each token was used last and from which network, to the quarter of an hour: written after answers are out."""

import threading
import time
from collections import OrderedDict

import structlog
from sqlalchemy import func, update
from sqlalchemy.exc import SQLAlchemyError

from contract.ids import TokenId
from server.accounts.models import ApiToken
from server.database import SessionFactory, unit_of_work

_log = structlog.get_logger()
_EVERY = 900.0
_MOST_KNOWN = 8192


class Uses:
    """What was used of late. Whoever asks with a token locks no row for that, and waits for nobody."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._noted: OrderedDict[TokenId, tuple[float, str]] = OrderedDict()
        self._due: dict[TokenId, str] = {}
        self._lock = threading.Lock()

    @property
    def due(self) -> bool:
        """Whether something is to be written."""
        return bool(self._due)

    def note(self, token_id: TokenId, network: str) -> None:
        """A token was used; from any thread."""
        with self._lock:
            at, before = self._noted.get(token_id, (float("-inf"), ""))
            if network == before and time.monotonic() - at < _EVERY:
                return
            self._noted[token_id] = time.monotonic(), network
            self._noted.move_to_end(token_id)
            if len(self._noted) > _MOST_KNOWN:
                self._noted.popitem(last=False)
            self._due[token_id] = network

    def write(self) -> None:
        """Writes what is due, a row at a time: whoever ends tokens holds several."""
        with self._lock:
            due, self._due = self._due, {}
        for token_id, network in due.items():
            try:
                with unit_of_work(self._sessions) as session:
                    session.execute(
                        update(ApiToken)
                        .where(ApiToken.id == token_id)
                        .values(last_used_at=func.now(), network=network)
                    )
            except SQLAlchemyError as error:  # nobody is worse off: the next use is noted again
                _log.warning("use_of_token_not_noted", error=type(error).__name__)
