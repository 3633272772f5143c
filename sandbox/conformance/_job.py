"""The job of a container of the suite: its task, its limits, and the listeners that it must not reach."""

import contextlib
import secrets
import socket
from collections.abc import Iterator

from evaluator.spec import Limits, Task
from sandbox.conformance import _image

MIB = 2**20
PREFIX = "proctor-conformance-"
PARTS = ("acts", "next", "memory", "processes", "disk")
TASK = Task.model_validate(
    {
        "title": "Conformance",
        "inputs": [{"key": "facts", "flag": "--facts", "file": "facts.txt"}],
        "call": list(_image.CALL),
        "output": {"kind": "number"},
    }
)


def limits(profile: str, runtime: str) -> Limits:
    """Small, so that every bound is hit at once; a runtime that is a kernel of its own needs some for itself."""
    return Limits.model_validate(
        {
            "seconds_per_case": 60 if runtime == "runc" else 240,
            "cpus": 2,
            "memory": (256 if runtime == "runc" else 768) * MIB,
            "shm": 64 * MIB,
            "output": 4 * MIB,
            "output_files": 200,
            "disk": 32 * MIB,
            "processes": 64 if runtime == "runc" else 256,
            "image": 1,
            "log": 512 * 1024,
            "profile": profile,
            "runtime": runtime,
        }
    )


@contextlib.contextmanager
def listening() -> Iterator[dict[str, object]]:
    """Listeners on the host that a container must not reach, and where they are."""
    name = f"proctor-{secrets.token_hex(8)}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{name}")
        local.listen()
        yield {"port": tcp.getsockname()[1], "abstract": name}
