"""How many threads and database connections the lanes need, and the threads that streams have to themselves.

A request that was admitted must never wait for a thread or a connection: whoever waits for one while it holds the
other stops everybody. So there are as many of both as permits, and what streams do in threads takes none of them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar, TypeVarTuple, Unpack

from anyio import to_thread

from server.front.table import IN_THREADS, LANES

STREAM_THREADS = 8
"""Threads that write uploads and outputs; each uses a database connection for moments."""

ENDPOINT_THREADS = sum(lane.permits for lane in LANES if lane.name in IN_THREADS)
_TO_SPARE = 8  # for reading files of pages, which takes a thread for moments without a permit
_SECOND = 2  # log-ins are counted in a transaction of their own, beside that of a change of passwords
CONNECTIONS = ENDPOINT_THREADS + STREAM_THREADS + _SECOND

_streams = ThreadPoolExecutor(STREAM_THREADS, "stream")
_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")


async def in_stream_thread(
    function: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments
) -> _Answer:
    """What `function` answers, called in one of the threads of streams."""
    inside = copy_context()  # so that what is logged there names the request
    return await asyncio.get_running_loop().run_in_executor(_streams, inside.run, function, *arguments)


def size_endpoint_threads() -> None:
    """Gives this event loop the threads that its endpoints need."""
    to_thread.current_default_thread_limiter().total_tokens = ENDPOINT_THREADS + _TO_SPARE
