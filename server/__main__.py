"""The server's command: `python -m server --host 0.0.0.0 --port 8426`. Everything else comes from the environment."""

import argparse
import gc
import resource
import sys

import uvicorn
from fastapi import FastAPI

from contract.release import named
from server.front.protocol import Protocol

_SWITCH_SECONDS = (
    0.001  # how long a thread computes before others have a turn: the one that all connections need, too
)

_GARBAGE_AFTER = 50_000
"""Objects that are made before garbage is looked for: a board of 500 teams has more, and none of it is garbage."""


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m server", description="Proctor's server.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8426, help="port to listen on; 0 takes a free one")
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    chosen = parser.parse_args()
    if chosen.version:
        sys.stdout.write(f"{named('proctor-server')}\n")
        return
    _open_as_many_as_allowed()
    sys.setswitchinterval(_SWITCH_SECONDS)
    uvicorn.run(
        _app,
        factory=True,
        host=chosen.host,
        port=chosen.port,
        http=Protocol,
        ws="none",
        # Run workers ask for cases all the time: an access log would hold little else.
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        # A client may send its next request at the moment in which a connection is closed for being idle: so not
        # before clients close it themselves, which most do after 5 to 60 seconds.
        timeout_keep_alive=75,
        backlog=4096,
    )


def _app() -> FastAPI:
    from server.app import create_app  # it reads its settings, and `--help` has to answer without any

    app = create_app()
    spare_what_stays()
    return app


def spare_what_stays() -> None:
    """What a process is made of by now is never garbage, and is not looked through for it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER, 20, 20)


def _open_as_many_as_allowed() -> None:
    """Every connection is an open file, and the usual limit of 1,024 is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
