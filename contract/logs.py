"""Logs: one line per event, and tracebacks without the values of variables.

Local variables hold tokens, database addresses and case names; none of them belongs into a log.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback

from evaluator.terminal import harmless, in_line


def configure() -> None:
    """Sets up the logs of this process, and quiets libraries that log every request."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _in_lines,
            ConsoleRenderer(colors=False, exception_formatter=plain_traceback),
            _harmless,
        ],
        # Whatever stderr is at that moment: a program that calls another one may have exchanged it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    for name in ("httpx", "httpcore", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _in_lines(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names and messages stay in their line: what an engine or a host says must not look like another event."""
    return {key: in_line(value) if isinstance(value, str) else value for key, value in event.items()}


def _harmless(logger: Any, method: str, line: Any) -> str:
    """The line, and a traceback below it, as a terminal may show it."""
    return harmless(str(line))
