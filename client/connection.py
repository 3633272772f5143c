"""One server over HTTP: requests, refusals as errors, and answers read as the contract declares them."""

from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from client.errors import Problem, Unreachable
from client.patience import PatientClient, Waiting, wait_quietly
from contract.evaluations import CaseOut
from contract.images import ImageOut
from contract.notices import NoticeOut
from contract.problems import ErrorCode
from contract.questions import QuestionOut
from contract.submissions import SubmissionOut

_BASE = "/api/v1"


_Read = TypeVar("_Read", bound=BaseModel)
_Listed = TypeVar("_Listed", ImageOut, CaseOut, SubmissionOut, QuestionOut, NoticeOut)


def body(model: type[BaseModel], **fields: Any) -> dict[str, Any]:
    """What is sent, by the names that `model` gives it; whether the values will do is for the server to say.

    Raises:
        TypeError: `model` has no field of that name.
    """
    if unknown := fields.keys() - model.model_fields.keys():
        raise TypeError(f"{model.__name__} has no field {min(unknown)}")
    return fields


class Connection:
    """One server, with or without a token. Every method raises `Problem` or `Unreachable`.

    Args:
        url: the server's address, such as https://challenge.example.
        token: an API token or the token of a log-in.
        timeout: seconds to wait for an answer.
        transport: another way to reach the server, for tests of programs that use this client.
        waiting: is told of each pause, in seconds, that a busy server asked for.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        waiting: Waiting = wait_quietly,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = PatientClient(
            base_url=self.url, headers=headers, timeout=timeout, transport=transport, waiting=waiting
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request to `path`, below /api/v1 unless it begins with that; the options are httpx's."""
        where = path if path.startswith(_BASE) else _BASE + path
        try:
            response = self._http.request(method, where, **options)
        except httpx.InvalidURL as error:
            raise Unreachable(f"{self.url} is not an address: {error}") from None
        except httpx.HTTPError as error:
            raise Unreachable(
                f"{self.url} does not answer: {error or type(error).__name__}",
                "Check the address and your connection; nothing was lost.",
            ) from error
        if response.is_error:
            problem = problem_of(response)
            strange = problem.code in ("", ErrorCode.NOT_FOUND) and problem.status in (404, 405)
            if strange and method != "HEAD":
                raise Unreachable(  # a Proctor that misses something says what; an answer to HEAD says nothing
                    f"There is no Proctor at {self.url}: {method} {response.request.url.path} was not found.",
                    "Check the address: it is the server's root, such as https://challenge.example.",
                )
            raise problem
        return response

    def get(self, model: type[_Read], path: str) -> _Read:
        """What `path` answers."""
        return read(model, self.request("GET", path))

    def post(self, model: type[_Read], path: str, content: object = None, **options: Any) -> _Read:
        """What `path` answers to `content`, which is sent as JSON; without content nothing is."""
        return read(model, self.request("POST", path, json=content, **options))

    def get_list(self, model: type[_Read], path: str, **where: str | int) -> list[_Read]:
        """The list that `path` answers."""
        response = self.request("GET", path, params=where)
        try:
            return TypeAdapter(list[model]).validate_json(response.content)  # type: ignore[valid-type]
        except ValidationError:
            raise not_proctor(response) from None

    def get_pages(
        self, model: type[_Listed], path: str, *, cursor: str, size: int, **where: str | int
    ) -> list[_Listed]:
        """All of a list; each page of at most `size` is asked for by the id of the last one before it."""
        rows: list[_Listed] = []
        while True:
            page = self.get_list(model, path, limit=size, **where)
            if page and page[-1].id == where.get(cursor):  # a server that knows no pages sends the same again
                return rows
            rows += page
            if len(page) < size:
                return rows
            where[cursor] = page[-1].id


def read(model: type[_Read], response: httpx.Response) -> _Read:
    """What a server answered.

    Raises:
        Unreachable: it is not what this version reads.
    """
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        raise not_proctor(response) from None


def problem_of(response: httpx.Response) -> Problem:
    """The server's refusal, also where something in between answered without problem+json."""
    try:
        content = response.json()
    except ValueError:
        content = {}
    if not isinstance(content, dict) or "title" not in content:
        title = f"{response.status_code} {response.reason_phrase}"
        return Problem(
            response.status_code, "", title, f"{response.request.method} {response.request.url.path}"
        )
    detail = str(content.get("detail") or "")
    return Problem(response.status_code, str(content.get("code", "")), str(content["title"]), detail)


def not_proctor(response: httpx.Response) -> Unreachable:
    """An answer that no Proctor gives, or none of a version that this one understands."""
    return Unreachable(
        f"{response.request.url} answered, but not as a Proctor server of this version does.",
        "Check the address, and update the client with pip.",
    )
