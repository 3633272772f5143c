"""A submission's states one after the other: sent by the server, or asked for where nothing can be sent."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from pydantic import ValidationError

from client.api import Client
from client.connection import not_proctor, problem_of
from client.errors import Problem, Unreachable
from client.pace import PollPace
from contract.submissions import SubmissionOut

_SILENCE = 40.0
"""Seconds without a byte after which something in between keeps events back: the server says something each 15."""
_PATIENCE = 20  # answers in a row that may fail before following is given up
_LEAST = 0.05
_ELSE = frozenset({404, 405, 429, 503})
"""An older server, too many streams of one's own, or of everybody: then states are asked for."""


class NotSent(Exception):
    """The server sends no events, or they do not arrive."""


def states(
    client: Client, submission_id: str, *, interval: float | None, until: float | None
) -> Iterator[SubmissionOut]:
    """What the submission is now, then each new state; the same one again as a sign that time passes.

    It ends with the submission. interval: seconds between two looks for whoever wants to look instead of being told.
    until: on the monotonic clock, by when a sign has to come.
    """
    submission, last, sent, pace = (
        client.submission(submission_id),
        None,
        interval is None,
        PollPace(interval),
    )
    yield submission
    while not submission.ended:
        try:
            for event in _events(client, submission_id, last, until) if sent else ():
                if event is not None:
                    last, submission = event
                yield submission
        except NotSent:
            sent = False
        except Unreachable:
            pass  # it restarts, or the connection was cut: what follows waits for it
        if not submission.ended:
            pause = pace.after(submission)
            time.sleep(pause)
            submission = next_state(client, submission_id, pause)
            yield submission


def next_state(client: Client, submission_id: str, interval: float) -> SubmissionOut:
    """The submission's next state; a server that restarts is waited for."""
    for _ in range(_PATIENCE):
        try:
            return client.submission(submission_id)
        except Unreachable:
            time.sleep(interval)
        except Problem as problem:
            if problem.status < 500:
                raise
            time.sleep(interval)
    return client.submission(submission_id)


def _events(
    client: Client, submission_id: str, last: str | None, until: float | None
) -> Iterator[tuple[str, SubmissionOut] | None]:
    """The id and content of each state after that with the id `last`; None for a sign of life.

    Raises:
        NotSent: nothing comes, or nothing that is an event.
        Unreachable: the connection broke.
    """
    patience = _SILENCE if until is None else min(_SILENCE, max(until - time.monotonic(), _LEAST))
    headers = {} if last is None else {"Last-Event-ID": last}
    with _opened(client, f"/submissions/{submission_id}/events", headers, patience) as response:
        fields: dict[str, str] = {}
        try:
            for line in response.iter_lines():
                if line.startswith(":"):
                    yield None
                elif line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                elif fields.pop("event", "") == "state":
                    yield fields.get("id", ""), SubmissionOut.model_validate_json(fields["data"])
        except (KeyError, ValidationError):
            raise not_proctor(response) from None
        except httpx.ReadTimeout:
            if until is None or time.monotonic() < until:
                raise NotSent from None
            yield None
        except httpx.HTTPError as error:
            raise Unreachable(f"{client.url} broke off: {error or type(error).__name__}") from None


@contextmanager
def _opened(client: Client, path: str, headers: dict[str, str], patience: float) -> Iterator[httpx.Response]:
    try:
        response = client.open("GET", path, headers=headers, timeout=httpx.Timeout(30.0, read=patience))
    except httpx.ReadTimeout:
        raise NotSent from None
    except httpx.HTTPError as error:
        raise Unreachable(f"{client.url} does not answer: {error or type(error).__name__}") from None
    try:
        if response.is_error and response.status_code not in _ELSE:
            response.read()
            raise problem_of(response)
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise NotSent
        yield response
    finally:
        response.close()
