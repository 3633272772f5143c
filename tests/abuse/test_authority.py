"""Everybody tries everything: each operation of the API by each kind of asker, against the table of who may do what."""

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete, func, update

from contract.accounts import Scope
from contract.organizers import Role
from contract.statuses import UploadStatus
from evaluator.spec import Challenge
from server.accounts.models import Account, ApiToken, TokenKind
from server.accounts.tokens import issue
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.organizers.models import ChallengeRole
from server.teams.models import Membership
from server.uploads.models import Upload
from tests.abuse.authority import IDENTITIES, LET_IN, OPERATIONS, PAGE, PATHS, SENT, STATUS, Json, page
from tests.server.conftest import Clients, Person, Tus
from tests.server.lab import Entrant, Lab

_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_API = "/api/v1"
_ALL = [Scope.READ, Scope.SUBMIT, Scope.ORGANIZE]
Sent = Json | Callable[[Json], Json] | None


_NAMES = {
    "member": "Member",
    "spare": "Spare",
    "ex-member": "Former",
    "no team": "Nobody s",
    "other team": "Stranger",
    "observer": "Observer",
    "watcher": "Watcher",
    "organizer": "Decider",
    "organizer elsewhere": "Other Decider",
    "admin": "Root",
}
"""Who there is beside the captain, and the person's name."""


@dataclass(frozen=True)
class World:
    """Everybody who asks, what there is to ask for, and how it is put back after each request."""

    http: httpx.Client
    tokens: dict[str, str | None]
    accounts: dict[str, UUID]
    known: Json
    sessions: SessionFactory

    def ask(self, operation: str, identity: str, *, sent: Sent = None, **instead: Any) -> httpx.Response:
        """One operation by one identity; `instead`: other names in its path; `sent`: other than the table has."""
        method, path = operation.split()
        named = {name: self.known[value] for name, value in PATHS.get(operation, {}).items()}
        path = path.format(**self.known | named | instead)
        sent = SENT.get(operation, {}) if sent is None else sent
        arguments = dict(sent(self.known | instead) if callable(sent) else sent)
        headers = dict(arguments.pop("headers", {}))
        if (token := self.tokens[identity]) is not None:
            headers["Authorization"] = f"Bearer {token}"
        prefix = "" if path == "/healthz" else _API
        return self.http.request(method, f"{prefix}{path}", headers=headers, **arguments)

    def restore(self) -> None:
        """The team as it was, roles, tokens that were revoked by their owners, and the worker's lease."""
        team, challenge = UUID(self.known["team_id"]), self.known["challenge_id"]
        with unit_of_work(self.sessions) as session:
            session.execute(delete(Membership).where(Membership.team_id == team))
            for name in ("captain", "member", "spare"):
                session.add(
                    Membership(
                        team_id=team,
                        user_id=self.accounts[name],
                        challenge_id=challenge,
                        is_captain=name == "captain",
                    )
                )
            session.execute(delete(ChallengeRole).where(ChallengeRole.user_id.in_(self.accounts.values())))
            session.add_all(_roles(self.accounts, challenge, self.known["elsewhere"]))
            theirs = ApiToken.user_id.in_(self.accounts.values()), ApiToken.name != "revoked"
            session.execute(update(ApiToken).where(*theirs).values(revoked_at=None))
            session.execute(update(Account).values(closed_at=None, closed_why=None))
            session.execute(
                update(CaseRun)
                .where(CaseRun.id == self.known["case_run"])
                .values(
                    status="running",
                    claim_no=self.known["claim_no"],
                    worker_id=self.known["lease_of"],
                    verdict=None,
                    lease_until=func.now() + timedelta(hours=1),
                )
            )


_NOWHERE = (
    "session_id",
    "identity_id",
    "question_id",
    "endpoint_id",
    "invitation_id",
    "reevaluation_id",
    "consignment_id",
)
"""Ids in paths that nothing has."""


_NAMED = {
    "plane": "axial",
    "number": 1,
    "what": "reference",
    "code": "no-such-code",
    "kind": "announcement",
}
"""What parts of an address are called where any will do."""


@pytest.fixture
def world(
    lab: Lab, team: Entrant, person: Callable[..., Person], clients: Clients, fomo26: Challenge
) -> Iterator[World]:
    lab.dataset("task5", cases=2, phase="sanity")
    people = {name: person(name) for name in _NAMES.values()}
    with unit_of_work(lab.sessions) as session:
        other_spec = fomo26.model_copy(update={"challenge": f"{lab.slug}-2"})
        elsewhere, _ = apply(session, other_spec, actor="tests")
    lab.entrant(people["Stranger"].http, "The Others")
    captain = UUID(team.http.get("/me").json()["id"])
    accounts = {"captain": captain} | {who: UUID(people[name].id) for who, name in _NAMES.items()}
    submitted = team.post("task5", phase="sanity").json()
    worker, other = lab.worker(), lab.worker()
    lease = worker.take()
    ended = team.submit()
    upload = Tus(team.http).begin(lab.slug, b"content").rpartition("/")[2]
    tokens, ids = _tokens(lab, accounts)
    tokens |= {name: one.http.headers["Authorization"].split()[1] for name, one in
               (("worker", worker), ("another worker", other))}  # fmt: skip
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(ended)).values(status="cancelled"))
        session.execute(
            update(Upload).where(Upload.id == UUID(upload)).values(status=UploadStatus.READY, offset=7)
        )
        run = session.get_one(CaseRun, UUID(lease["case_run"]))
        known = {
            "slug": lab.slug,
            "phase": "validation",
            "board": "task5",
            "challenge_id": run.evaluation.challenge_id,
            "dataset_id": run.evaluation.dataset_id,
            "team_id": team.team,
            "elsewhere": elsewhere.id,
            "elsewhere_slug": elsewhere.slug,
            "user_id": accounts["spare"],
            "watcher_id": accounts["watcher"],
            "watcher_email": people["Watcher"].email,
            "submission_id": submitted["id"],
            "evaluation_id": submitted["evaluations"][0]["id"],
            "ended": ended,
            "upload_id": upload,
            "case_run": run.id,
            "claim_no": lease["claim_no"],
            "lease_of": run.worker_id,
            "key": "t1w",
            "digest": lease["image"]["digest"],
            "name": "matrix",
            "case": "sub-00",
            "case_id": run.case_id,
            **_NAMED,
            "spec": fomo26.model_copy(update={"challenge": lab.slug}).model_dump(mode="json"),
            "metadata": _metadata(sha256="0" * 64, team=team.team),
            **dict.fromkeys(_NOWHERE, uuid4()),
            **ids,
        }
    with httpx.Client(base_url=str(team.http.base_url).removesuffix(f"{_API}/"), timeout=60) as http:
        yield World(http, tokens, accounts, known, lab.sessions)


def _roles(accounts: dict[str, UUID], challenge: UUID, elsewhere: UUID) -> list[ChallengeRole]:
    """Who has which role where."""
    return [
        ChallengeRole(challenge_id=where, user_id=accounts[who], role=role, named_by="tests")
        for who, where, role in (
            ("organizer", challenge, Role.ORGANIZER),
            ("observer", challenge, Role.OBSERVER),
            ("watcher", challenge, Role.OBSERVER),
            ("organizer elsewhere", elsewhere, Role.ORGANIZER),
        )
    ]


def _tokens(lab: Lab, accounts: dict[str, UUID]) -> tuple[dict[str, str | None], Json]:
    """A token of each identity; and what operations on tokens and workers name."""
    found: dict[str, str | None] = {"nobody": None, "garbage": "prs_garbage"}
    captain = accounts["captain"]
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Account).where(Account.id == accounts["admin"]).values(is_admin=True))

        def made(identity: str, user: UUID, scopes: list[Scope], kind: TokenKind = TokenKind.SESSION) -> UUID:
            found[identity], row = issue(session, kind, name=identity, user_id=user, scopes=scopes)
            return row.id

        for identity in ("other team", "no team", "ex-member", "member", "captain"):
            made(identity, accounts[identity], _ALL)
        for identity in ("observer", "organizer", "organizer elsewhere"):
            made(identity, accounts[identity], _ALL)
        made("organizer's read-only token", accounts["organizer"], [Scope.READ], TokenKind.API)
        made("read-only token", captain, [Scope.READ], TokenKind.API)
        made("API token", captain, [Scope.READ, Scope.SUBMIT], TokenKind.API)
        made("admin", accounts["admin"], [*_ALL, Scope.ADMIN])
        made("admin without scope", accounts["admin"], _ALL)
        made("revoked", captain, _ALL)
        made("expired", captain, _ALL)
        session.execute(
            update(ApiToken)
            .where(ApiToken.user_id == captain, ApiToken.name == "expired")
            .values(expires_at=func.now() - timedelta(seconds=1))
        )
        session.execute(
            update(ApiToken)
            .where(ApiToken.user_id == captain, ApiToken.name == "revoked")
            .values(revoked_at=func.now())
        )
        token = made("spare", captain, _ALL, TokenKind.API)
        _, worker = issue(session, TokenKind.WORKER, name=f"spare-{uuid4().hex}")
    del found["spare"]
    return found, {"token_id": token, "worker_id": worker.id}


def _metadata(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def described(http: httpx.Client) -> set[str]:
    """Every operation of the API's description."""
    paths = http.get(f"{_API}/openapi.json", timeout=60).json()["paths"]
    return {
        f"{method.upper()} {path.removeprefix(_API)}"
        for path, methods in paths.items()
        for method in methods
        if method in _METHODS
    }


def test_every_operation_stands_in_the_table(served: tuple[str, SessionFactory]) -> None:
    with httpx.Client(base_url=served[0], timeout=60) as http:
        found = described(http)
    assert found - set(OPERATIONS) == set(), "add them to tests/abuse/authority.py: who may do this?"
    assert set(OPERATIONS) - found == set(), "they are gone: take them out of tests/abuse/authority.py"
    assert {*SENT, *PATHS} <= set(OPERATIONS)
    assert {identity for told in OPERATIONS.values() for identity in told} == set(IDENTITIES)


def test_the_documentation_has_the_table() -> None:
    assert PAGE.read_text() == page(), "python -m tests.abuse.authority writes it"


def test_everybody_may_do_what_the_table_says_and_nothing_else(world: World) -> None:
    surprises = {}
    world.restore()
    for operation, told in OPERATIONS.items():
        for identity in IDENTITIES:
            answer = world.ask(operation, identity)
            found = _told(answer)
            if found == LET_IN and not operation.startswith(("GET", "HEAD", "OPTIONS")):
                world.restore()
            if operation.startswith("HEAD"):
                as_told = answer.status_code == STATUS.get(told[identity], 200)
            else:
                as_told = found == told[identity] and answer.status_code < 500
                as_told &= answer.status_code == STATUS.get(found, answer.status_code)
            if not as_told:
                surprises[f"{operation} by {identity}"] = (told[identity], found, answer.status_code)
    assert surprises == {}


def _told(answer: httpx.Response) -> str:
    """The code of a refusal for want of authority, or that it was let in; a form that was wrong decides nothing."""
    problem = answer.headers.get("content-type") == "application/problem+json" and answer.content
    code = str(answer.json()["code"]) if problem else ""
    return code if code in (*STATUS, "invalid_request", "invalid_value") else LET_IN


def test_the_name_of_one_s_own_challenge_leads_to_nothing_of_another(world: World) -> None:
    things = ("team_id", "evaluation_id", "dataset_id", "submission_id", "user_id", "reevaluation_id")
    tried = [
        operation
        for operation, told in OPERATIONS.items()
        if told["organizer elsewhere"] == "organizers_only"
        and "{slug}" in operation
        and any(f"{{{thing}}}" in operation for thing in things)
    ]
    assert len(tried) > 10
    own = {"slug": world.known["elsewhere_slug"]}
    world.restore()
    different = {}
    for operation in tried:
        others = world.ask(operation, "organizer elsewhere", **own)
        absent = {thing: str(uuid4()) for thing in things}
        nothing = world.ask(operation, "organizer elsewhere", **own, **absent)
        said = [_without_ids(answer.text) for answer in (others, nothing)]
        if (others.status_code, nothing.status_code) != (404, 404) or said[0] != said[1]:
            different[operation] = (others.text, nothing.text)
    assert different == {}


def _without_request(answer: httpx.Response) -> tuple[int, str]:
    """Status and text of an answer, without the id of its request."""
    return answer.status_code, re.sub("urn:proctor:request:[0-9a-f]+", "a request", answer.text)


def _without_ids(text: str) -> str:
    """An answer without the ids that it repeats of what was asked for."""
    without = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "an id", text)
    return re.sub("urn:proctor:request:[0-9a-f]+", "a request", without)


def test_what_is_others_and_what_is_not_there_look_the_same(world: World) -> None:
    ids = ("team_id", "upload_id", "submission_id", "evaluation_id", "dataset_id")
    ours = [
        (name, who)
        for name, told in OPERATIONS.items()
        for who in ("other team", "organizer elsewhere")
        if told[who].startswith("unknown_") or told[who] == "organizers_only"
    ]
    assert len(ours) > 60
    different = {}
    for operation, who in ours:
        absent = dict.fromkeys(ids, str(uuid4())) | {"token_id": str(uuid4())}
        absent["metadata"] = _metadata(sha256="0" * 64, team=absent["team_id"])
        world.restore()
        others = world.ask(operation, who)
        nothing = world.ask(operation, who, **absent)
        said = [_without_request(answer) for answer in (others, nothing)]
        if said[0] != said[1]:
            different[operation, who] = (others.text, nothing.text)
    assert different == {}
