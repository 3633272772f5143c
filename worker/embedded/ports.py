"""TCP ports: one that is free, and whether one can be listened on."""

import random
import socket

from worker.embedded.account import SetupError

_KEPT = range(20_000, 32_000)  # below the ports that the kernel deals to outgoing connections
_TRIES = 200


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def port_to_keep(host: str) -> int:
    """A TCP port that is free now and that no outgoing connection takes while its owner is down."""
    for _ in range(_TRIES):
        port = random.choice(_KEPT)  # noqa: S311 - nothing depends on its being hard to guess
        if is_free(host, port):
            return port
    return free_port(host)


_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared only


def listens_everywhere(host: str) -> bool:
    """Whether what listens on `host` is reached at every address of this machine, so that none is the address."""
    return host in _EVERYWHERE


def reachable_as(host: str) -> str:
    """The address under which this machine itself reaches what listens on `host`, as it stands in a URL."""
    own = _EVERYWHERE.get(host, host)
    return f"[{own}]" if ":" in own else own


def is_free(host: str, port: int) -> bool:
    """Whether somebody could listen there; port 0 always is free."""
    return _refusal(host, port) is None


def require_free(host: str, port: int, *, option: str = "--port") -> None:
    """Raise `SetupError`, which names the option that chooses another, unless somebody could listen there."""
    refusal = _refusal(host, port)
    if refusal is not None:
        raise SetupError(f"Port {port} on {host} cannot be used ({refusal}); choose another with {option}.")


def _refusal(host: str, port: int) -> str | None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
