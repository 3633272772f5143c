"""Receipts: fetching the signed statement of what ran on what, and verifying one without a server."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from client.api import Client
from client.app import app, err, out, signed_in
from client.errors import Local, Problem, WrongUsage
from client.receipts import KeptReceipt, require_image, require_signed
from contract.images import CheckpointState
from contract.problems import ErrorCode
from evaluator.terminal import in_line, say_json


@app.command()
def receipt(
    which: Annotated[str, typer.Argument(metavar="EVALUATION|SUBMISSION", help="The id of either.")],
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="The task, of a submission to several.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="The file; printed if left out.")] = None,
) -> None:
    """Fetch the signed receipt of a scored evaluation: what ran on what, with what, and the scores.

    Of hidden cases it counts verdicts. Keep the file: `proctor verify` needs no server.
    """
    with signed_in() as client:
        evaluation = _evaluation(client, which, task)
        kept = KeptReceipt(server=client.url, keys=client.receipt_keys(), receipt=client.receipt(evaluation))
    if to is None:
        say_json(kept)
        return
    try:
        to.write_text(kept.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise Local(f"{to} cannot be written: {error.strerror}") from None
    err.print(f"Written to {to}. Verify it at any time: proctor verify {to}", soft_wrap=True)


def _evaluation(client: Client, which: str, task: str | None) -> str:
    """The evaluation that is meant: `which` itself, or the one of a submission."""
    try:
        submission = client.submission(which)
    except Problem as problem:
        if problem.code != ErrorCode.UNKNOWN_SUBMISSION:
            raise
        return which
    found = [evaluation for evaluation in submission.evaluations if task in (None, evaluation.task)]
    if len(found) != 1:
        tasks = ", ".join(in_line(evaluation.task) for evaluation in submission.evaluations)
        raise WrongUsage(
            "The submission has a receipt for each of its tasks.", f"Name one with --task: {tasks}."
        )
    return found[0].id


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A file of `proctor receipt`.")],
    key: Annotated[
        Path | None, typer.Option(help="The server's public keys: what GET /api/v1/receipts/keys answers.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="An image archive or SIF file, which has to be the one that ran.")
    ] = None,
) -> None:
    """Verify a receipt, without any server; leaves with 1 where it does not hold.

    Without --key the keys count that the server named when the receipt was fetched: keep them elsewhere, too.
    """
    kept = KeptReceipt.read(file)
    signer, vouches = require_signed(kept, key)
    out.print(in_line(f"Signed with key {signer}: {vouches}."), soft_wrap=True)
    for line in _says(kept.receipt.statement):
        out.print(in_line(line), soft_wrap=True)
    if image is not None:
        out.print(in_line(f"{image} is the image that ran: {require_image(kept.receipt.statement, image)}."))


def _says(statement: Mapping[str, Any]) -> Iterator[str]:
    """What a statement says, a line each."""
    said = {name: str(statement.get(name, "?")) for name in ("evaluation", "submission", "team", "image")}
    yield "Its signer says:"
    yield f"  evaluation {said['evaluation']} of submission {said['submission']}, team {said['team']}"
    yield f"  {', '.join(f'{name} {statement.get(name)}' for name in ('phase', 'track', 'task'))}"
    yield f"  the image {said['image']} ran"
    if isinstance(checkpoint := statement.get("checkpoint"), Mapping):
        yield f"  {_checkpoint(checkpoint)}"
    if isinstance(source := statement.get("source"), Mapping):
        clean = source.get("clean")
        tree = "" if clean is None else f", its tree was {'clean' if clean else 'not clean'}"
        yield f"  made, as the team says, of commit {source.get('commit')}{tree}"
    yield f"  on the cases {statement.get('dataset')}, under the challenge file {statement.get('spec')}"
    cases = statement.get("cases")
    if isinstance(cases, list):
        yield f"  {len(cases)} cases, each named with its verdict and output"
    elif isinstance(cases, Mapping):
        yield f"  hidden cases, by verdict: {_listed(cases.get('verdicts'), '{1} × {0}')}"
    yield f"  scored by evaluator {statement.get('evaluator')}:"
    scores = statement.get("scores")
    for board, metrics in scores.items() if isinstance(scores, Mapping) else ():
        yield f"    {board}: {_listed(metrics, '{0} {1}')}"


def _checkpoint(found: Mapping[str, Any]) -> str:
    """What the check of the image found of its pretrained checkpoint."""
    if found.get("state") == CheckpointState.NOT_DECLARED:
        return "it declares no pretrained checkpoint"
    if found.get("state") == CheckpointState.VERIFIED:
        return f"it holds the pretrained checkpoint {found.get('sha256')}, as it declares"
    digest = found.get("sha256") or "that cannot be compared"
    return f"it declares a pretrained checkpoint {digest}, which was not found in it ({found.get('state')})"


def _listed(named: object, form: str) -> str:
    """Each name with what belongs to it; a statement may hold anything."""
    if not isinstance(named, Mapping):
        return str(named)
    return ", ".join(form.format(*pair) for pair in named.items()) or "none"
