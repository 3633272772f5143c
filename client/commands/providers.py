"""Log-ins through a provider of the server's, such as ORCID: in a browser anywhere, while the command waits."""

import socket
import time

from client.api import Client
from client.app import err, out
from client.errors import Interrupted, WrongUsage
from contract.sign_in import SignInOut, SignInOutcome, SignInState
from evaluator.terminal import ask, in_line

_PATIENCE = 600.0  # seconds: as long as a server waits


def machine() -> str:
    """How this machine is called towards the server and its person."""
    return f"proctor on {socket.gethostname()}"[:100]


def session_through(client: Client, provider: str) -> str:
    """The token of a session, once somebody came back from the provider; whom nobody knows is registered.

    Raises:
        WrongUsage: the server has no such provider.
        Interrupted: nobody came back.
    """
    offered = [way.name for way in client.ways().providers]
    if provider not in offered:
        there = f"There is: {', '.join(offered)}." if offered else "People log in with their passwords there."
        raise WrongUsage(f"Nobody logs in through {provider!r} on this server.", in_line(there))
    begun = client.begin_sign_in(provider, machine())
    found = awaited(client, begun)
    if found.session is not None:
        return found.session.token
    out.print("Nobody here has this identity yet, so an account is made for you.")
    email, name = ask("E-mail", default=found.email), ask("Name", default=found.name)
    return client.register_sign_in(begun.secret, email, name).token


def awaited(client: Client, begun: SignInOut) -> SignInOutcome:
    """What came of a log-in, once anything has.

    Raises:
        Interrupted: nobody came back.
    """
    err.print(f"Open {in_line(begun.url)}", soft_wrap=True)
    err.print(f"and type there: {in_line(begun.code)}")
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        found = client.sign_in_outcome(begun.secret)
        if found.state != SignInState.WAITING:
            return found
        time.sleep(min(max(begun.interval, 1), 30))
    raise Interrupted("Nobody came back within ten minutes.", "Begin the log-in again.")
