"""A challenge's rules: from its file, or from the server under its name."""

from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import yaml

from client.app import signed_in
from client.errors import Local, Unreachable, WrongUsage
from evaluator.spec import Challenge, SpecError, load_challenge, parse_challenge


@dataclass(frozen=True)
class ChallengeRules:
    """A challenge, the text of its file, and the server that it came from, if one was asked."""

    spec: Challenge
    text: str
    url: str | None = None


def read_rules(challenge: str, overlay: Path | None = None) -> ChallengeRules:
    """Those in the file `challenge`, with a site's `overlay` over them, or those that the server has under that name.

    Raises:
        Local: it looks like a file and is none.
        WrongUsage: the file cannot be used.
        ClientError: nobody is logged in, or the server does not say them.
    """
    path = Path(challenge)
    if not path.is_file():
        if names_file(challenge):
            raise Local(f"There is no challenge file {challenge}.")
        return _from_server(challenge)
    try:
        spec = load_challenge(path, overlay)
    except SpecError as error:
        raise WrongUsage(f"The challenge file cannot be used:\n{error}") from None
    return ChallengeRules(spec, path.read_text(encoding="utf-8"))


def names_file(challenge: str) -> bool:
    """Whether this is meant as a file of any system, and not as a challenge's name."""
    path = PureWindowsPath(challenge)  # whose separators are those of both
    return path.name != challenge or path.suffix in (".yaml", ".yml")


def _from_server(slug: str) -> ChallengeRules:
    with signed_in() as client:
        content = client.challenge(slug).spec
        try:
            spec = parse_challenge(content)
        except (SpecError, ValueError):
            raise Unreachable(
                f"{client.url} describes {slug!r} in a way that this version cannot read.",
                "Update the client with pip, or name a challenge file with --challenge.",
            ) from None
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=False)
        return ChallengeRules(spec, text, client.url)


def require_task(spec: Challenge, name: str) -> None:
    """Raises WrongUsage, with the list, where the challenge has no such task."""
    if name not in spec.tasks:
        board = spec.boards.get(name)
        hint = f" {name} is a board of {board.task}: take {board.task}." if board else ""
        raise WrongUsage(f"There is no task {name!r}.", f"Tasks: {', '.join(spec.tasks)}.{hint}")
