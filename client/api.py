"""The server's API as a Python client."""

import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from client.errors import Problem, Unreachable
from client.models import (
    Account,
    CaseRun,
    Challenge,
    Evaluation,
    Invitation,
    NewToken,
    OpenedSession,
    OpenSession,
    Quota,
    Storage,
    StoredImage,
    Submission,
    Team,
    Token,
    Upload,
)
from client.patience import PatientClient, Waiting, wait_quietly
from contract.leaderboard import LeaderboardOut
from contract.problems import ErrorCode

_BASE = "/api/v1"
_PAGE = 100
_CASES = 200  # that one page has: the most that the server gives
_Answer = TypeVar("_Answer", bound=BaseModel)
_Listed = TypeVar("_Listed", StoredImage, CaseRun, Submission)


class Client:
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

    def register(self, email: str, name: str, password: str, *, setup_token: str | None = None) -> Account:
        """A new account."""
        body = {"email": email, "name": name, "password": password, "setup_token": setup_token}
        return _read(Account, self.request("POST", "/accounts", json=body))

    def log_in(self, email: str, password: str) -> str:
        """The token of a new session."""
        return self.open_session(email, password).token

    def open_session(self, email: str, password: str, *, device: str | None = None) -> OpenedSession:
        """A new session; `device` is what the last one answered, so that others' wrong log-ins do not count here."""
        body = {"email": email, "password": password} | ({"device": device} if device else {})
        return _read(OpenedSession, self.request("POST", "/sessions", json=body))

    def sessions(self) -> list[OpenSession]:
        """One's sessions that have not ended."""
        return _read_list(OpenSession, self.request("GET", "/sessions"))

    def log_out_everywhere(self, *, and_tokens: bool = False) -> None:
        """Ends one's sessions, and API tokens too if that is asked for."""
        self.request("DELETE", "/sessions", params={"tokens": and_tokens})

    def close_account(self, password: str) -> None:
        """Closes one's account."""
        self.request("POST", "/me/close", json={"password": password})

    def me(self) -> Account:
        """Whose token this is."""
        return _read(Account, self.request("GET", "/me"))

    def change_password(self, old: str, new: str, *, revoke_tokens: bool = False) -> None:
        """Another password for oneself; one's other sessions end, and API tokens too if that is asked for."""
        body = {"old_password": old, "new_password": new, "revoke_tokens": revoke_tokens}
        self.request("POST", "/me/password", json=body)

    def reset_password(self, email: str, code: str, password: str) -> None:
        """Sets a new password with a code from the organizers."""
        body = {"email": email, "code": code, "password": password}
        self.request("POST", "/password-resets", json=body)

    def create_token(
        self, name: str, scopes: tuple[str, ...] = ("read", "submit"), *, days: int | None = None
    ) -> NewToken:
        """A new API token; one that is made with an API token ends with it."""
        body = {"name": name, "scopes": list(scopes), "expires_in_days": days}
        return _read(NewToken, self.request("POST", "/tokens", json=body))

    def tokens(self) -> list[Token]:
        """One's API tokens that have not ended."""
        return _read_list(Token, self.request("GET", "/tokens"))

    def revoke_token(self, token_id: str) -> None:
        """Ends an API token."""
        self.request("DELETE", f"/tokens/{token_id}")

    def challenges(self) -> list[Challenge]:
        """Every challenge on the server."""
        return _read_list(Challenge, self.request("GET", "/challenges"))

    def challenge(self, slug: str) -> dict[str, Any]:
        """One challenge; its whole file is under `spec`."""
        response = self.request("GET", f"/challenges/{slug}")
        content = _json(response)
        spec = content.get("spec")
        if not isinstance(spec, dict) or not all(
            isinstance(spec.get(one), dict) for one in ("tasks", "boards", "phases")
        ):
            raise _not_proctor(response)
        return content

    def create_team(self, slug: str, name: str) -> Team:
        """Founds a team."""
        return _read(Team, self.request("POST", f"/challenges/{slug}/teams", json={"name": name}))

    def team(self, team_id: str) -> Team:
        """A team of one's own, by its id."""
        return _read(Team, self.request("GET", f"/teams/{team_id}"))

    def leave_team(self, team_id: str) -> None:
        """Takes oneself out of a team."""
        self.request("DELETE", f"/teams/{team_id}/members/me")

    def my_team(self, slug: str) -> Team:
        """One's own team in a challenge."""
        return _read(Team, self.request("GET", f"/challenges/{slug}/teams/mine"))

    def invite(self, team_id: str, *, days: int | None = None) -> str:
        """An invitation's code."""
        body = {"expires_in_days": days} if days is not None else None
        return str(_json(self.request("POST", f"/teams/{team_id}/invitations", json=body))["code"])

    def invitations(self, team_id: str) -> list[Invitation]:
        """A team's open invitations."""
        return _read_list(Invitation, self.request("GET", f"/teams/{team_id}/invitations"))

    def revoke_invitation(self, team_id: str, invitation_id: str) -> None:
        """Takes an invitation back."""
        self.request("DELETE", f"/teams/{team_id}/invitations/{invitation_id}")

    def accept_invitation(self, code: str) -> Team:
        """Joins a team."""
        return _read(Team, self.request("POST", f"/invitations/{code}/accept"))

    def images(self, team_id: str) -> list[str]:
        """Digests of the images a team has on the server."""
        return [one.digest for one in self.stored_images(team_id)]

    def remove_image(self, team_id: str, digest: str) -> None:
        """Takes an image from a team."""
        self.request("DELETE", f"/teams/{team_id}/images/{digest}")

    def storage(self, team_id: str) -> Storage:
        """What a team stores and may store."""
        return _read(Storage, self.request("GET", f"/teams/{team_id}/storage"))

    def stored_images(self, team_id: str) -> list[StoredImage]:
        """The images a team has on the server, newest first."""
        return self._pages(StoredImage, f"/teams/{team_id}/images", "after", _PAGE)

    def upload(self, upload_id: str) -> Upload:
        """The state of an upload."""
        return _read(Upload, self.request("GET", f"/uploads/{upload_id}"))

    def submit(
        self,
        slug: str,
        *,
        team: str,
        track: str,
        phase: str,
        images: Mapping[str, str],
        key: str | None = None,
    ) -> Submission:
        """Submits an image digest per task. The same `key` twice is one submission."""
        body = {"team": team, "track": track, "phase": phase, "images": dict(images)}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return _read(
            Submission, self.request("POST", f"/challenges/{slug}/submissions", json=body, headers=headers)
        )

    def submission(self, submission_id: str) -> Submission:
        """A submission and its evaluations."""
        return _read(Submission, self.request("GET", f"/submissions/{submission_id}"))

    def cases(self, evaluation_id: str) -> list[CaseRun]:
        """Every case of an evaluation with its verdict and the end of its log; of a phase with public cases only."""
        return self._pages(CaseRun, f"/evaluations/{evaluation_id}/cases", "after", _CASES)

    def case(self, evaluation_id: str, case_id: str) -> CaseRun:
        """One case of an evaluation with all of its log; of a phase with public cases only."""
        return _read(CaseRun, self.request("GET", f"/evaluations/{evaluation_id}/cases/{case_id}"))

    def cancel(self, evaluation_id: str) -> Evaluation:
        """Withdraws an evaluation that has not ended; its attempt is given back."""
        return _read(Evaluation, self.request("POST", f"/evaluations/{evaluation_id}/cancel"))

    def submissions(self, slug: str, team: str) -> list[Submission]:
        """A team's submissions, newest first: all of them, page by page."""
        return self._pages(Submission, f"/challenges/{slug}/submissions", "before", _PAGE, team=team)

    def newest_submission(self, slug: str, team: str) -> Submission | None:
        """A team's latest submission, if it has any."""
        wanted: dict[str, str | int] = {"team": team, "limit": 1}
        answer = self.request("GET", f"/challenges/{slug}/submissions", params=wanted)
        return next(iter(_read_list(Submission, answer)), None)

    def quota(self, slug: str, team: str) -> list[Quota]:
        """What is left of a team's attempts."""
        return _read_list(Quota, self.request("GET", f"/challenges/{slug}/quota", params={"team": team}))

    def leaderboard(self, slug: str, phase: str) -> LeaderboardOut:
        """The leaderboards of a phase."""
        return _read(LeaderboardOut, self.request("GET", f"/challenges/{slug}/leaderboards/{phase}"))

    def _pages(
        self, model: type[_Listed], path: str, cursor: str, size: int, **where: str | int
    ) -> list[_Listed]:
        """All of a list; each page of at most `size` is asked for by the id of the last one before it."""
        found: list[_Listed] = []
        while True:
            page = _read_list(model, self.request("GET", path, params={"limit": size, **where}))
            if page and page[-1].id == where.get(cursor):  # a server that knows no pages sends the same again
                return found
            found += page
            if len(page) < size:
                return found
            where[cursor] = page[-1].id


def problem_of(response: httpx.Response) -> Problem:
    """The server's refusal, also where something in between answered without problem+json."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict) or "title" not in body:
        title = f"{response.status_code} {response.reason_phrase}"
        return Problem(
            response.status_code, "", title, f"{response.request.method} {response.request.url.path}"
        )
    detail = str(body.get("detail") or "")
    return Problem(response.status_code, str(body.get("code", "")), str(body["title"]), detail)


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _not_proctor(response)
    return content


def _read(model: type[_Answer], response: httpx.Response) -> _Answer:
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        raise _not_proctor(response) from None


def _read_list(model: type[_Answer], response: httpx.Response) -> list[_Answer]:
    try:
        return TypeAdapter(list[model]).validate_json(response.content)  # type: ignore[valid-type]
    except ValidationError:
        raise _not_proctor(response) from None


def _not_proctor(response: httpx.Response) -> Unreachable:
    return Unreachable(
        f"{response.request.url} answered, but not as a Proctor server of this version does.",
        "Check the address, and update the client with pip.",
    )
