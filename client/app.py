"""The `proctor` application: its name space, its consoles, and what every command begins with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

import typer
from rich.text import Text

from client.api import Client
from client.errors import EXIT_CODES, ClientError, Exit, Interrupted, Unanswered, WrongUsage
from client.state import is_time_to_mention, load_log_in
from client.terminal import is_plain
from contract.challenges import ChallengeOut
from contract.release import named
from evaluator.terminal import CommandGroup, Console, in_line

out = Console()
err = Console(stderr=True)


def warn(sentence: str) -> None:
    """Says in one line what somebody should know before they go on; names in it are text."""
    err.print(Text(in_line(sentence), style="yellow"))


class _Group(CommandGroup):
    """Prints what went wrong as a sentence and what to do, and leaves with its exit code."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for (
            command
        ) in self.commands.values():  # lists of commands show it whole, and do not cut it after 45 letters
            command.short_help = command.short_help or " ".join(
                (command.help or "").partition("\n\n")[0].split()
            )

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Unanswered:
            raise _told(self._unanswered(ctx)) from None
        except ClientError as error:
            raise _told(error) from None
        except OSError as error:
            err.print(str(error), style="red")
            raise typer.Exit(Exit.UNREACHABLE) from None
        except typer.Abort as abort:  # a question without an answer: click hides why, but keeps it
            if isinstance(abort.__context__, EOFError):
                raise _told(self._unanswered(ctx)) from None
            raise _told(Interrupted("Interrupted.")) from None
        except KeyboardInterrupt:
            raise _told(Interrupted("Interrupted.")) from None

    def _unanswered(self, ctx: Any) -> Unanswered:
        """Names the options of the command whose help says that they are asked for."""
        command = self.commands.get(ctx.invoked_subcommand or "")
        params: list[Any] = [] if command is None else command.params
        asked = [one for one in params if "asked for" in (getattr(one, "help", "") or "")]
        named = [str(one.envvar or one.opts[0]) for one in asked]  # a password shows in lists of processes
        return Unanswered(named)


def _told(error: ClientError) -> typer.Exit:
    """Prints the error; what it returns leaves with its exit code."""
    whole = not err.is_terminal  # a command that is to be copied out of a log stays on its line
    err.print(error.message, style="red", soft_wrap=whole)
    if error.hint:
        err.print(error.hint, soft_wrap=whole)
    return typer.Exit(error.exit_code)


@contextmanager
def interruptible(message: str, hint: str = "") -> Iterator[None]:
    """Says with `message` and `hint` what becomes of this part of a command when Ctrl-C ends it."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(message, hint) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None if is_plain() else "markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Take part in container challenges: try an image, submit it, watch it, see the results.",
    epilog=EXIT_CODES,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(named("proctor"), soft_wrap=True)
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Options that stand before a command."""


ChallengeOption = Annotated[
    str | None,
    typer.Option(
        "--challenge", "-c", envvar="PROCTOR_CHALLENGE", help="The challenge, if the server has several."
    ),
]
ChallengeArgument = Annotated[
    str | None, typer.Argument(metavar="[CHALLENGE]", help="The challenge, as with --challenge.")
]
TeamOption = Annotated[str | None, typer.Option("--team", help="The team's id, if you are in several.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def connect(url: str, token: str | None = None) -> Client:
    """The server at `url`; whoever sits before a command reads why it waits."""
    return Client(url, token, waiting=_say_waiting, ending=_say_ending)


def _say_waiting(seconds: float) -> None:
    err.print(f"The server is busy; asking again in {seconds:.0f} s.")


def _say_ending(at: datetime) -> None:
    err.print(
        f"Your token ends on {at:%Y-%m-%d %H:%M} UTC. Make another one before that: `proctor login`, or "
        "`proctor token create` for a script.",
        style="yellow",
        soft_wrap=True,
    )


@contextmanager
def signed_in(*, mention: bool = True) -> Iterator[Client]:
    """The server of the log-in, for the length of a command.

    mention: whoever sits before it reads, every few hours, how many notices they have not read.
    """
    log_in = load_log_in()
    with connect(log_in.url, log_in.token) as client:
        yield client
        if mention and err.is_terminal and is_time_to_mention(log_in.url):
            _mention_notices(client)


def _mention_notices(client: Client) -> None:
    with suppress(ClientError):  # such as of a server that knows no notices yet
        if count := client.unread_notices():
            err.print(f"{count} new notice{'s' if count > 1 else ''}: proctor notices")


def choose_challenge(client: Client, slug: str | None) -> ChallengeOut:
    """The challenge that is meant: the one named, or the only one on the server.

    Raises:
        WrongUsage: it has to be named.
    """
    challenges = {challenge.slug: challenge for challenge in client.challenges()}
    if slug is None and len(challenges) == 1:
        return next(iter(challenges.values()))
    if slug not in challenges:
        what = "Name a challenge with --challenge" if slug is None else f"There is no challenge {slug!r}"
        raise WrongUsage(f"{what}.", "On this server: " + (", ".join(challenges) or "none yet") + ".")
    return challenges[slug]


class _WithId(Protocol):
    @property
    def id(self) -> str: ...


_Listed = TypeVar("_Listed", bound=_WithId)


def chosen(listed: Sequence[_Listed], ending: str, what: str) -> _Listed:
    """The one of a list whose id is or ends with `ending`: ids of one moment begin alike.

    Raises:
        WrongUsage: there is none, or several.
    """
    meant = [item for item in listed if ending and item.id.endswith(ending)]
    if len(meant) != 1:
        count = f"No {what} has" if not meant else f"{len(meant)} of them have"
        raise WrongUsage(
            f"{count} an id that ends with {ending!r}.", "The list without options shows all of them."
        )
    return meant[0]


def choose_team(client: Client, slug: str, team: str | None) -> str:
    """The id of the team that is meant: the one named, or one's own."""
    return team or client.my_team(slug).id
