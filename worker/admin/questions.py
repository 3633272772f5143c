"""`proctor-admin questions`, `answer` and `announce`: what teams ask, and what they and everybody are told."""

import sys
from typing import Annotated, Any

import typer

from contract.questions import QuestionRow
from evaluator.terminal import say
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
Challenge = Annotated[str, typer.Argument(help="The challenge's name.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_PAGE = 100


@app.command("questions")
def show_questions(
    challenge: Challenge,
    is_open: Annotated[bool, typer.Option("--open", help="Only those that nobody has answered.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="As GET /organize/{slug}/questions answers, all pages.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """What teams asked, with what was answered, and what was announced; the newest first."""
    with api(server=server, data=data) as here:
        found = _every(here, challenge, is_open)
    if as_json:
        show_json(found)
    else:
        rows = [QuestionRow.model_validate(question) for question in found]
        show(
            _table(rows),
            otherwise="No question is open." if is_open else "Nothing was asked or announced yet.",
        )


def _every(here: Api, challenge: str, is_open: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more: dict[str, Any] = {"open": True} if is_open else {}
    while page := here.get(
        f"/organize/{challenge}/questions", limit=_PAGE, before=found[-1]["id"] if found else None, **more
    ):
        found += page
    return found


def _table(rows: list[QuestionRow]) -> Listing:
    prose = ("question", "everybody reads", "answer")
    heads = ("id", "status", "team", "task", "submission", "asked (UTC)", "answered (UTC)", *prose)
    table = Listing(heads, prose=frozenset(prose))
    for row in rows:
        table.add(
            row.id,
            row.status if row.team_id else "announced",
            row.team or "",
            row.task or "",
            row.submission or "",
            moment(row.asked_at) if row.team_id else "",
            moment(row.answered_at),
            row.text or "",
            row.published or "",
            row.answer or "",
        )
    return table


@app.command("answer")
def answer_question(
    challenge: Challenge,
    question: Annotated[str, typer.Argument(help="Its id, or how it begins or ends.")],
    text: Annotated[
        str, typer.Argument(help="The answer, or with --close the reason; - reads standard input.")
    ],
    to_all: Annotated[
        str | None,
        typer.Option(help="Answer to everybody; what they read of the question, in your words."),
    ] = None,
    close: Annotated[
        bool, typer.Option("--close", help="Close it without an answer, or take back what was published.")
    ] = False,
    instead: Annotated[
        bool, typer.Option("--instead", help="Replace what was answered, published or closed.")
    ] = False,
    yes: Yes = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Answer a question to its team, or with --to-all to everybody; or close it. It shows who reads what, and asks."""
    if close and to_all is not None:
        fail("Say either --close or --to-all.")
    said = _said(text)
    with api(server=server, data=data) as here:
        asked = QuestionRow.model_validate(_named(_every(here, challenge, False), challenge, question))
        where = f"/organize/{challenge}/questions/{asked.id}"
        make_sure(_consequence(asked, said, to_all, close), yes=yes)
        if close:
            here.post(f"{where}/close", {"why": said, "instead": instead})
        else:
            body = {"answer": said, "everybody": to_all is not None, "question": to_all, "instead": instead}
            here.post(f"{where}/answer", body)
    say("Done.")


def _named(rows: list[dict[str, Any]], challenge: str, question: str) -> dict[str, Any]:
    """The one whose id begins or ends so; ids of one minute begin alike."""
    given = question.strip().lower()
    found = [row for row in rows if given and (row["id"].startswith(given) or row["id"].endswith(given))]
    if len(found) != 1:
        several = "Several questions have" if found else "No question has"
        fail(
            f"{several} an id that begins or ends with {question!r}; 'proctor-admin questions {challenge}' lists them."
        )
    return found[0]


def _consequence(asked: QuestionRow, said: str, to_all: str | None, close: bool) -> str:
    team = f"team {asked.team}" if asked.team_id else "nobody in particular"
    shown = f"{team[0].upper()}{team[1:]} asked:\n{asked.text}\n\n" if asked.text else ""
    if close:
        taken = " What everybody could read is taken back." if asked.status == "published" else ""
        return f"{shown}It is closed, and {team} reads why:{taken}\n{said}"
    if to_all is not None or not asked.team_id:
        return f"{shown}Everybody will read:\n{to_all or ''}\n→ {said}"
    return f"{shown}{team[0].upper()}{team[1:]} alone will read:\n→ {said}"


@app.command("announce")
def announce(
    challenge: Challenge,
    text: Annotated[str, typer.Argument(help="What everybody is told; - reads standard input.")],
    task: Annotated[str | None, typer.Option(help="The task that it is about.")] = None,
    yes: Yes = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Tell everybody something, on the challenge's page and in `proctor questions`; it asks first."""
    said = _said(text)
    with api(server=server, data=data) as here:
        make_sure(f"Everybody will read:\n{said}", yes=yes)
        made = here.post(f"/organize/{challenge}/announcements", {"text": said, "task": task})
    say(f"Announced: {made['id']}")


def _said(text: str) -> str:
    return sys.stdin.read() if text == "-" else text
