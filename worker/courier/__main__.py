"""`python -m worker.courier`: hands mails and webhooks over until it is told to stop."""

import asyncio
import contextlib
import signal

import structlog
import typer
from pydantic import ValidationError

from contract.logs import configure
from evaluator.terminal import say
from server.settings import Outgoing
from server.tables import open_database
from worker.courier.courier import Courier

_log = structlog.get_logger()


def main() -> None:
    """Starts a courier. Set DATABASE_URL; PROCTOR_SMTP_URL and PROCTOR_MAIL_FROM for mail."""
    try:
        settings = Outgoing()  # type: ignore[call-arg]  # fields are filled from the environment
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"])
            say(f"{f'PROCTOR_{name.upper()}: ' if name else ''}{problem['msg']}", err=True)
        raise typer.Exit(2) from None
    configure()
    courier = Courier(open_database(settings.database_url, pool_size=4), settings)
    _log.info("courier_ready", mail=settings.smtp_url is not None)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_until_told(courier))


async def _until_told(courier: Courier) -> None:
    """What is under way when it is told to stop is tried again later, under the same id."""
    work = asyncio.create_task(courier.work())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    await work


if __name__ == "__main__":
    typer.run(main)
