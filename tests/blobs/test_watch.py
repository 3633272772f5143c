"""A store that is silent holds nobody up: neither who asks for it, nor the end of the process."""

import socket
import subprocess
import sys

from worker.embedded.data import CHECKOUT

_PROGRAM = """
import sys
from dataclasses import replace
from server.blobs import BucketPlace, why_away
place = BucketPlace.at("s3://bucket/blobs", sys.argv[1], "us-east-1", "key", "secret", path_style=True)
print(why_away(replace(place, patience=80_000)))
"""


def test_a_process_ends_while_a_silent_store_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM, endpoint],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=300,  # it would wait for hours
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"The blob store at {endpoint} has not answered for 3 s.\n"
