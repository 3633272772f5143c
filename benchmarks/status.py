"""The screens of an admin with 100,000 case runs, half of them done, against a second; over HTTP, as admins ask."""

import time

import httpx
from sqlalchemy import select, text

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation, server
from benchmarks.support.waiting import fill
from contract.accounts import Scope
from server.accounts.models import Account, TokenKind
from server.accounts.tokens import create_worker_token, issue
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.tables import open_database

_EVALUATIONS, _CASES, _REPEAT = 25, 4000, 10
_BOUND = 1.0
_DONE = text("""
UPDATE case_runs SET status = 'done', verdict = 'valid', claim_no = 1, worker = 'run-' || position % 4,
    worker_id = (SELECT id FROM api_tokens WHERE kind = 'worker'), seconds = 2,
    output = 'sha256:' || encode(sha256(convert_to(id::text, 'UTF8')), 'hex'),
    started_at = now() - make_interval(secs => 3 * position),
    finished_at = now() - make_interval(secs => 3 * position - 3)
WHERE position % 2 = 0
""")


def run() -> list[Comparison]:
    """Each screen against the bound."""
    with installation() as settings:
        sessions = open_database(settings.database_url, pool_size=1)
        with unit_of_work(sessions) as session:
            create_worker_token(session, "bench")
            fill(session, _EVALUATIONS, _CASES)
            session.execute(_DONE)
            session.execute(text("UPDATE evaluations SET status = 'running', remaining = remaining / 2"))
            admin = session.scalars(select(Account).limit(1)).one()
            admin.is_admin = True
            token, _ = issue(
                session, TokenKind.API, name="bench", user_id=admin.id, scopes=[Scope.READ, Scope.ADMIN]
            )
            evaluation = session.scalars(select(Evaluation.id).limit(1)).one()
        sessions.kw["bind"].dispose()
        with server(settings) as url, httpx.Client(base_url=f"{url}/api/v1/admin", timeout=60) as http:
            http.headers["Authorization"] = f"Bearer {token}"
            asked = {
                "status": "/status",
                "find a name": "/find?q=team",
                "find an id": f"/find?q={evaluation}",
                "find a digest": "/find?q=sha256:0123ab",
                "show an evaluation of 4,000 cases": f"/show/{evaluation}",
            }
            return [_against_the_bound(http, name, path) for name, path in asked.items()]


def _against_the_bound(http: httpx.Client, name: str, path: str) -> Comparison:
    seconds = []
    for _ in range(_REPEAT + 1):
        began = time.perf_counter()
        http.get(path).raise_for_status()
        seconds.append(time.perf_counter() - began)
    promised = None if path.startswith("/show") else 1.0  # that reads every case of an evaluation
    return Comparison(name, Side("asked", tuple(seconds[1:])), Side("the bound", (_BOUND,)), least=promised)
