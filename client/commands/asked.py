"""Documents to accept, and questions to the organizers."""

import sys
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from client.api import Client
from client.app import (
    ChallengeOption,
    JsonOption,
    TeamOption,
    app,
    choose_challenge,
    choose_team,
    err,
    out,
    signed_in,
)
from client.errors import WrongUsage
from contract.agreements import AgreementOut
from contract.questions import QuestionOut
from contract.statuses import QuestionStatus
from evaluator.terminal import agreed, in_line, say_json

_FOR = {"team": "before you found or join a team", "submission": "before you upload or submit"}


@app.command()
def agree(
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help="Accept without being asked the document whose digest begins so."),
    ] = None,
    challenge: ChallengeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read what has to be accepted to take part, and accept it, for yourself. Without a terminal: --accept DIGEST."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        documents = client.agreements(slug)
        if as_json:
            say_json([document.model_dump(mode="json") for document in documents])
            return
        _require_known(documents, accept or [])
        for document in documents:
            _read(client, slug, document, accept or [])
    if not documents:
        out.print("This challenge has no documents to accept.")


def _require_known(documents: list[AgreementOut], beginnings: list[str]) -> None:
    """Raises WrongUsage where a digest begins like no present version."""
    for beginning in beginnings:
        if not any(_meant(document, [beginning]) for document in documents):
            raise WrongUsage(
                f"No document has a digest that begins with {beginning!r}.", "`proctor agree` shows them."
            )


def _meant(document: AgreementOut, beginnings: list[str]) -> bool:
    digest = document.digest.removeprefix("sha256:")
    return any(
        len(begins := beginning.removeprefix("sha256:")) >= 4 and digest.startswith(begins)
        for beginning in beginnings
    )


def _read(client: Client, slug: str, document: AgreementOut, accept: list[str]) -> None:
    """Shows a document; its text where it is to be accepted, which is asked then."""
    title = f"{in_line(document.title)}, version {document.number} of {in_line(document.document)}"
    out.print(Text(f"{title}, {document.created_at:%Y-%m-%d %H:%M} UTC", style="bold"))
    out.print(in_line(document.digest), soft_wrap=True)
    if document.accepted_at is not None:
        out.print(f"You accepted it on {document.accepted_at:%Y-%m-%d %H:%M} UTC.")
        return
    if document.before is None and not _meant(document, accept):
        out.print(f"Nobody has to accept it. Read it at {client.url}/challenges/{slug}/agreements/", end="")
        out.print(in_line(document.digest), soft_wrap=True)
        return
    out.print(Padding(Text(client.agreement_text(slug, document.digest)), (1, 0, 1, 2), expand=False))
    if not _meant(document, accept):
        needed = _FOR.get(str(document.before), "")
        if not sys.stdin.isatty():
            hint = f"It has to be accepted {needed}: proctor agree --accept {document.digest}"
            raise WrongUsage("Nobody is there to accept it.", hint)
        if not agreed(f"Accept it, {needed}?", err=True):
            raise WrongUsage("You have not accepted it.")
    client.accept(slug, document.digest)
    out.print("Accepted.")


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    task: Annotated[str | None, typer.Option("--task", "-t", help="The task that it is about.")] = None,
    submission: Annotated[str | None, typer.Option(help="The id of the submission that it is about.")] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
) -> None:
    """Ask the organizers. Your team and they read it; what others read they write themselves."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        question = client.ask(
            slug,
            sys.stdin.read() if text == "-" else text,
            team=choose_team(client, slug, team),
            task=task,
            submission=submission,
        )
    out.print(f"Asked: {in_line(question.id)}", soft_wrap=True)
    err.print("`proctor questions` shows the answer once there is one.")


@app.command()
def questions(challenge: ChallengeOption = None, as_json: JsonOption = False) -> None:
    """What the organizers announced or answered to everybody, and what your team asked; the newest last."""
    with signed_in() as client:
        listed = client.questions(choose_challenge(client, challenge).slug)
    if as_json:
        say_json([question.model_dump(mode="json") for question in listed])
        return
    for question in reversed(listed):
        _show(question)
    if not listed:
        out.print("Nothing was asked or announced yet.")


def _show(question: QuestionOut) -> None:
    """A line about it, and below it, further in, what was asked and said: no text looks like such a line."""
    at = question.answered_at or question.asked_at
    parts = [f"{at:%Y-%m-%d %H:%M} UTC" if at else "", in_line(question.task or ""), _state(question)]
    parts += [in_line(question.id)] if question.own else []
    out.print(Text(" · ".join(part for part in parts if part), style="bold"))
    everybody = question.published if question.published != question.text else None
    said = (("", question.text), ("Everybody reads: ", everybody), ("→ ", question.answer))
    for before, text in said:
        if text:
            out.print(Padding(Text(before + text), (0, 0, 0, 4), expand=False))
    out.print()


def _state(question: QuestionOut) -> str:
    if not question.own:
        return "to everybody"
    states = {
        QuestionStatus.OPEN: "your team asks; not answered yet",
        QuestionStatus.ANSWERED: "answered to your team",
        QuestionStatus.PUBLISHED: "your team asked; answered to everybody",
        QuestionStatus.CLOSED: "closed by the organizers",
    }
    return next(
        (said for status, said in states.items() if status == question.status), in_line(question.status)
    )
