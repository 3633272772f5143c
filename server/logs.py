"""Logs: one line per event, and tracebacks without the values of variables.

Local variables hold tokens, database addresses and case names; none of them belongs into a log.
"""

import logging
import sys

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback


def configure() -> None:
    """Sets up the logs of this process, and quiets libraries that log every request."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            ConsoleRenderer(colors=False, exception_formatter=plain_traceback),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    for name in ("httpx", "httpcore", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
