"""One courier: puts notices into the outbox, and hands over what waits there, each channel in a lane of its own."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from contract.ids import EndpointId
from contract.notices import Channel
from server.database import SessionFactory, unit_of_work
from server.mail_server import mail_server
from server.outbox.models import Delivery
from server.outbox.tries import Tried, forget_old, take
from server.outgoing.dispatch import dispatch
from server.outgoing.outcomes import settle
from server.settings import Outgoing
from server.webhooks.models import Endpoint
from worker.courier.mail import send
from worker.courier.web import Answered, post

_LOOK_EVERY = 2.0
_FORGET_EVERY = 3600.0
_AT_ONCE = 20
"""Webhooks that are tried at the same time; mails go by one connection, so many one after the other."""

_log = structlog.get_logger()


@dataclass
class Courier:
    """Works until it is cancelled. first_pause: after the first try that failed; each further pause is twice as long.

    context: what a mail server's certificate is looked at with, by default this host's authorities.
    """

    sessions: SessionFactory
    settings: Outgoing
    first_pause: timedelta | None = None
    look_every: float = _LOOK_EVERY
    context: ssl.SSLContext | None = None
    _busy: dict[asyncio.Task[None], EndpointId | None] = field(default_factory=dict)

    async def work(self) -> None:
        """Every lane by itself: a receiver that hangs keeps none of the others waiting."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._again_and_again(self._dispatch, self.look_every))
            lanes.create_task(self._again_and_again(self._send_mails, self.look_every))
            lanes.create_task(self._again_and_again(self._forget, _FORGET_EVERY))
            lanes.create_task(self._post_messages())

    async def _again_and_again(self, step: Callable[[], bool], pause: float) -> None:
        """Calls `step` in a thread; at once again where it says that more waits."""
        while True:
            if not await asyncio.to_thread(self._careful, step):
                await asyncio.sleep(pause)

    def _careful(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except SQLAlchemyError as error:  # a database that is away comes back
            _log.warning("courier_waits_for_the_database", error=type(error).__name__)
            return False

    def _dispatch(self) -> bool:
        with unit_of_work(self.sessions) as session:
            return dispatch(session, self.settings) > 0

    def _forget(self) -> bool:
        with unit_of_work(self.sessions) as session:
            forget_old(session)
        return False

    def _send_mails(self) -> bool:
        if self.settings.smtp_url is None or self.settings.mail_from is None:
            return False
        with unit_of_work(self.sessions) as session:
            taken = take(session, Channel.MAIL, limit=_AT_ONCE)
        if not taken:
            return False
        server = mail_server(self.settings.smtp_url.get_secret_value())
        for delivery, tried in send(server, self.settings.mail_from, taken, context=self.context):
            with unit_of_work(self.sessions) as session:
                settle(session, delivery, tried, first_pause=self.first_pause)
        return True

    async def _post_messages(self) -> None:
        async with asyncio.TaskGroup() as tries:
            while True:
                for delivery, endpoint in await asyncio.to_thread(self._take_messages):
                    task = tries.create_task(self._post(delivery, endpoint))
                    self._busy[task] = delivery.endpoint_id
                    task.add_done_callback(self._busy.pop)
                await asyncio.sleep(self.look_every)

    def _take_messages(self) -> list[tuple[Delivery, Endpoint]]:
        found: list[tuple[Delivery, Endpoint]] = []

        def look() -> bool:
            busy = [endpoint for endpoint in list(self._busy.values()) if endpoint is not None]
            if len(busy) >= _AT_ONCE:
                return False
            with unit_of_work(self.sessions) as session:
                taken = take(session, Channel.WEBHOOK, limit=_AT_ONCE - len(busy), busy=busy)
                found.extend((row, session.get_one(Endpoint, row.endpoint_id)) for row in taken)
            return False

        self._careful(look)
        return found

    async def _post(self, delivery: Delivery, endpoint: Endpoint) -> None:
        private = self.settings.webhooks_private == "allow"
        log = _log.bind(delivery=str(delivery.id))
        try:
            answered = await post(delivery, endpoint, at=datetime.now(UTC), private=private)
        except Exception as error:
            log.exception("webhook_not_tried")
            answered = Answered(Tried(f"It was not tried: {type(error).__name__}."))
        await asyncio.to_thread(self._careful, lambda: self._settle(delivery, answered))

    def _settle(self, delivery: Delivery, answered: Answered) -> bool:
        with unit_of_work(self.sessions) as session:
            settle(session, delivery, answered.tried, gone=answered.gone, first_pause=self.first_pause)
        return False
