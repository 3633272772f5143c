"""What can go wrong for a participant, with the exit code that a script sees.

    ClientError
    ├── Problem        the server refused, with the reason it gave           5
    ├── NotSignedIn    no token is stored                                    5
    ├── Unreachable    no server answered                                    6
    ├── Local          something on this machine: a file, the engine         6
    ├── ArchiveRefused the image check refused the archive                   1
    ├── Unfinished     it did not end in time                                7
    ├── Interrupted    somebody pressed Ctrl-C                             130
    └── WrongUsage     the command cannot mean anything                      2
        └── Unanswered a question that nobody is there to answer             2

Every one of them is printed as its sentence and a hint, never as a traceback.
"""

from collections.abc import Sequence
from enum import IntEnum

from contract.problems import ErrorCode


class Exit(IntEnum):
    """Exit codes of the `proctor` command."""

    OK = 0
    REJECTED = 1
    USAGE = 2
    ERRORED = 3
    CANCELLED = 4
    REFUSED = 5
    UNREACHABLE = 6
    UNFINISHED = 7
    INTERRUPTED = 130


EXIT_CODES = """Exit codes:

0  done; every evaluation was SCORED; every case was valid

1  rejected: the image check, an evaluation or a case failed by the image's own doing

2  wrong usage

3  an evaluation ERRORED: the platform's fault, no attempt was spent

4  an evaluation was CANCELLED

5  the server refused the request, or you are not logged in; the reason is printed

6  no server, no container engine or an unreadable file

7  not finished within --timeout

130  interrupted with Ctrl-C
"""


class ClientError(Exception):
    """A sentence for the participant; `hint` says what to do where that is known."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Problem(ClientError):
    """What the server said no to (RFC 9457): status, code, title and detail as it gave them."""

    exit_code = Exit.REFUSED

    def __init__(self, status: int, code: str, title: str, detail: str) -> None:
        headed = f"{title}: {detail}" if detail else title
        super().__init__(detail if detail and code in _OF_WHAT_WAS_TYPED else headed, _hint(status, code))
        self.status, self.code, self.title, self.detail = status, code, title, detail


class NotSignedIn(ClientError):
    """There is no token to act with."""

    exit_code = Exit.REFUSED


class Unreachable(ClientError):
    """No server answered."""


class Local(ClientError):
    """Something on this machine is missing or does not work."""


class ArchiveRefused(ClientError):
    """The image check refused an archive; `code` is from its closed list."""

    exit_code = Exit.REJECTED

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"The image was refused ({code}): {message}")
        self.code = code


class Unfinished(ClientError):
    """Something on the server did not end in the time that was given."""

    exit_code = Exit.UNFINISHED


class Interrupted(ClientError):
    """Somebody pressed Ctrl-C; the sentence says what goes on all the same."""

    exit_code = Exit.INTERRUPTED


class WrongUsage(ClientError):
    """The command cannot mean anything."""

    exit_code = Exit.USAGE


class Unanswered(WrongUsage):
    """Something is asked for, and standard input has no answer; `named` are the options and variables that are one."""

    def __init__(self, named: Sequence[str] = ()) -> None:
        given = f"as {', '.join(named)}, or " if named else ""
        super().__init__(
            "Nobody is there to answer.", f"Give the answers {given}as a line each on standard input."
        )


_OF_WHAT_WAS_TYPED = (ErrorCode.WRONG_CODE, ErrorCode.WRONG_CREDENTIALS)
"""401 as well, but of what somebody typed, who may be logged in."""


def _hint(status: int, code: str) -> str:
    if status == 401 and code not in _OF_WHAT_WAS_TYPED:
        return "Run `proctor login` again."
    if code == ErrorCode.SCOPE_MISSING:
        return "Log in with a token that has the scope, or ask the organizers."
    return ""  # every other refusal says itself what to do
