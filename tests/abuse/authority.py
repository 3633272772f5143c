"""Who may do what: each operation of the API with a class, and each class with what everybody is told.

A new operation gets a row here, with what has to be sent so that its authority, and not its form, is what decides:

- `OPERATIONS`: "METHOD /path": the class;
- `PATHS`: what stands for {names} in paths, by name, where it is not the same for every operation;
- `SENT`: what is sent along, as httpx takes it. A request has to be harmless or such as `World.restore` mends.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

Json = dict[str, Any]

LET_IN = "let in"
"""Whatever is answered, it is not for want of authority."""

PEOPLE = (
    "other team",
    "no team",
    "ex-member",
    "read-only token",
    "member",
    "captain",
    "API token",
    "admin",
    "admin without scope",
)
"""With valid tokens. The read-only and the API token are the captain's; the last admin's token has no such scope."""
WORKERS = ("worker", "another worker")
"""The first one holds the lease that operations name."""
NO_TOKEN = {
    "nobody": "not_signed_in",
    "garbage": "invalid_token",
    "revoked": "token_revoked",
    "expired": "token_expired",
}
IDENTITIES = (*NO_TOKEN, *PEOPLE, *WORKERS)

Told = Mapping[str, str]
"""By identity the code of the refusal, or LET_IN."""

PUBLIC: Told = dict.fromkeys(IDENTITIES, LET_IN)
ANY_TOKEN: Told = PUBLIC | NO_TOKEN
SIGNED_IN: Told = ANY_TOKEN | dict.fromkeys(WORKERS, "worker_token")
PUBLIC_OR_SIGNED_IN: Told = SIGNED_IN | {"nobody": LET_IN}
SUBMIT: Told = SIGNED_IN | {"read-only token": "scope_missing"}
ADMIN: Told = SIGNED_IN | dict.fromkeys(PEOPLE, "admins_only") | {"admin": LET_IN}
ORGANIZER: Told = SIGNED_IN | dict.fromkeys(PEOPLE, "organizers_only") | {"admin": LET_IN}
WORKER: Told = ANY_TOKEN | dict.fromkeys(PEOPLE, "not_a_worker")
LEASE: Told = WORKER | {"another worker": "lease_lost"}
OWN_TOKEN: Told = (SUBMIT | dict.fromkeys(PEOPLE, "unknown_token") | {"read-only token": "scope_missing"}) | {
    "captain": LET_IN,
    "API token": LET_IN,
}
"""A token of the captain's."""
OWN_TEAM: Told = SIGNED_IN | dict.fromkeys(
    ("no team", "ex-member", "admin", "admin without scope"), "no_team"
)
"""Whatever team the asker has in the challenge."""


def team(missing: str) -> Told:
    """What is the team's: for others it does not exist, and `missing` says so; admins may see it."""
    outside = ("other team", "no team", "ex-member", "admin without scope")
    return SIGNED_IN | dict.fromkeys(outside, missing)


def team_submit(missing: str) -> Told:
    """The same for what changes something."""
    return team(missing) | {"read-only token": "scope_missing"}


def captain(missing: str) -> Told:
    """The same for what is the captain's to decide, or an admin's."""
    return team_submit(missing) | {"member": "captain_only"}


OPERATIONS: dict[str, Told] = {
    "GET /healthz": PUBLIC,
    # Accounts
    "POST /accounts": PUBLIC,
    "POST /sessions": PUBLIC,
    "POST /password-resets": PUBLIC,
    "GET /me": SIGNED_IN,
    "POST /me/password": SUBMIT,
    "GET /tokens": SIGNED_IN,
    "POST /tokens": SUBMIT,
    "DELETE /tokens/{token_id}": OWN_TOKEN,
    "DELETE /sessions/current": ANY_TOKEN,
    "GET /sessions": SIGNED_IN,
    "DELETE /sessions": SUBMIT,
    "DELETE /sessions/{session_id}": SUBMIT,
    "POST /me/close": SUBMIT,
    # What everybody sees
    "GET /challenges": PUBLIC,
    "GET /challenges/{slug}": PUBLIC,
    "GET /challenges/{slug}/leaderboards/{phase}": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/leaderboards/{phase}.csv": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/amendments": PUBLIC,
    "GET /challenges/{slug}/phases/{phase}/commitments": PUBLIC,
    "GET /receipts/key": PUBLIC,
    "GET /receipts/keys": PUBLIC,
    "OPTIONS /uploads/{upload_id}": PUBLIC,
    "OPTIONS /challenges/{slug}/uploads": PUBLIC,
    # Teams
    "POST /challenges/{slug}/teams": SUBMIT,
    "GET /challenges/{slug}/teams/mine": OWN_TEAM,
    "POST /invitations/{code}/accept": SUBMIT,
    "GET /teams/{team_id}": team("unknown_team"),
    "GET /teams/{team_id}/invitations": team("unknown_team"),
    "POST /teams/{team_id}/invitations": captain("unknown_team"),
    "DELETE /teams/{team_id}/invitations/{invitation_id}": captain("unknown_team"),
    "DELETE /teams/{team_id}/members/me": team_submit("unknown_team"),
    "DELETE /teams/{team_id}/members/{user_id}": captain("unknown_team"),
    # What a team sends, and what comes of it
    "GET /teams/{team_id}/uploads": team("unknown_team"),
    "GET /teams/{team_id}/images": team("unknown_team"),
    "DELETE /teams/{team_id}/images/{digest}": team_submit("unknown_team"),
    "GET /teams/{team_id}/storage": team("unknown_team"),
    "POST /challenges/{slug}/uploads": team_submit("unknown_team"),
    "GET /uploads/{upload_id}": team("unknown_upload"),
    "HEAD /uploads/{upload_id}": team("unknown_upload"),
    "PATCH /uploads/{upload_id}": team_submit("unknown_upload"),
    "DELETE /uploads/{upload_id}": team_submit("unknown_upload"),
    "GET /challenges/{slug}/submissions": team("unknown_team"),
    "POST /challenges/{slug}/submissions": team_submit("unknown_team"),
    "GET /challenges/{slug}/quota": team("unknown_team"),
    "GET /submissions/{submission_id}": team("unknown_submission"),
    "GET /evaluations/{evaluation_id}": team("unknown_evaluation"),
    "GET /evaluations/{evaluation_id}/cases": team("unknown_evaluation"),
    "GET /evaluations/{evaluation_id}/cases/{case_id}": team("unknown_evaluation"),
    "POST /evaluations/{evaluation_id}/cancel": team_submit("unknown_evaluation"),
    # Admins
    "GET /admin/users": ADMIN,
    "PATCH /admin/users/{user_id}": ADMIN,
    "POST /admin/users/{user_id}/password-reset": ADMIN,
    "DELETE /admin/users/{user_id}/tokens": ADMIN,
    "POST /admin/users/{user_id}/close": ADMIN,
    "POST /admin/users/{user_id}/reopen": ADMIN,
    "GET /admin/teams": ADMIN,
    "PATCH /admin/teams/{team_id}": ADMIN,
    "GET /admin/workers": ADMIN,
    "POST /admin/workers": ADMIN,
    "DELETE /admin/workers/{worker_id}": ADMIN,
    "GET /admin/workers/{worker_id}/reads": ADMIN,
    "GET /admin/workers/{worker_id}/answered": ADMIN,
    "POST /admin/challenges": ADMIN,
    "POST /admin/challenges/plan": ADMIN,
    "GET /admin/challenges/{slug}/datasets": ADMIN,
    "GET /admin/datasets/{dataset_id}/effect": ADMIN,
    "POST /admin/datasets/{dataset_id}/activate": ADMIN,
    "DELETE /admin/datasets/{dataset_id}": ADMIN,
    "GET /admin/evaluations": ADMIN,
    "GET /admin/evaluations/{evaluation_id}": ADMIN,
    "GET /admin/evaluations/{evaluation_id}/cases": ADMIN,
    "GET /admin/evaluations/{evaluation_id}/receipt": ADMIN,
    "GET /admin/evaluations/{evaluation_id}/summary": ADMIN,
    "PUT /admin/evaluations/{evaluation_id}/priority": ADMIN,
    "POST /admin/evaluations/{evaluation_id}/retry": ADMIN,
    "POST /admin/evaluations/{evaluation_id}/excuse": ADMIN,
    "GET /admin/evaluations/{evaluation_id}/cases/{case_id}": ADMIN,
    "GET /admin/queue": ADMIN,
    "GET /admin/errors": ADMIN,
    "GET /admin/events": ADMIN,
    "GET /admin/slots": ADMIN,
    # Organizers
    "POST /organize/{slug}/phases/{phase}/dates/plan": ORGANIZER,
    "POST /organize/{slug}/phases/{phase}/dates": ORGANIZER,
    "GET /organize/{slug}/phases/{phase}/release": ORGANIZER,
    "POST /organize/{slug}/phases/{phase}/release": ORGANIZER,
    "POST /organize/{slug}/phases/{phase}/unrelease": ORGANIZER,
    "POST /organize/{slug}/phases/{phase}/label-commitments": ORGANIZER,
    # Run workers
    "GET /worker/me": WORKER,
    "POST /worker/leases": WORKER,
    "POST /worker/heartbeat": WORKER,
    "PUT /worker/slots/{name}": WORKER,
    "GET /worker/leases/{case_run}/inputs/{key}": LEASE,
    "GET /worker/leases/{case_run}/blobs/{digest}": LEASE,
    "PUT /worker/leases/{case_run}/output": LEASE,
    "POST /worker/leases/{case_run}/finish": LEASE,
    "POST /worker/leases/{case_run}/release": LEASE,
}

STATUS = (
    dict.fromkeys([*NO_TOKEN.values(), "worker_token", "not_a_worker"], 401)
    | dict.fromkeys(["scope_missing", "captain_only", "admins_only", "organizers_only"], 403)
    | dict.fromkeys(["unknown_team", "unknown_upload", "unknown_submission", "unknown_evaluation"], 404)
    | {"unknown_token": 404, "no_team": 404, "lease_lost": 409}
)
"""Every refusal for want of authority, and how it is sent."""

_ADDRESS = f"{uuid4().hex}@example.org"
_PASSWORD = "a password of these tests"
_FILE: Callable[[Json], Json] = lambda known: {"json": {"file": json.dumps(known["spec"])}}  # noqa: E731
_CLAIM: Callable[[Json], Json] = lambda known: {"params": {"claim_no": known["claim_no"]}}  # noqa: E731
_TEAM: Callable[[Json], Json] = lambda known: {"params": {"team": known["team_id"]}}  # noqa: E731
_SLOT = {"name": "matrix", "cpus": 1, "memory": 1}

SENT: dict[str, Json | Callable[[Json], Json]] = {
    "POST /accounts": {
        "json": {"email": _ADDRESS, "name": "Ada", "password": _PASSWORD, "setup_token": "no"}
    },
    "POST /sessions": lambda _: {"json": {"email": f"{uuid4().hex}@example.org", "password": _PASSWORD}},
    "POST /password-resets": {"json": {"code": "x" * 32, "email": _ADDRESS, "password": _PASSWORD}},
    "POST /me/password": {"json": {"old_password": "wrong", "new_password": _PASSWORD}},
    "POST /me/close": {"json": {"password": "wrong"}},
    "POST /tokens": {"json": {"name": "matrix", "scopes": ["read"]}},
    "POST /challenges/{slug}/teams": {"json": {"name": "!"}},
    "POST /challenges/{slug}/uploads": lambda known: {
        "headers": {"Upload-Length": "1", "Upload-Metadata": known["metadata"], "Tus-Resumable": "1.0.0"}
    },
    "PATCH /uploads/{upload_id}": {
        "headers": {"Upload-Offset": "7", "Content-Type": "application/offset+octet-stream"},
        "content": b"x",
    },
    "GET /challenges/{slug}/submissions": _TEAM,
    "GET /challenges/{slug}/quota": _TEAM,
    "POST /challenges/{slug}/submissions": lambda known: {
        "json": {
            "team": known["team_id"],
            "track": "open",
            "phase": "sanity",
            "images": {"no task": "sha256:" + "0" * 64},
        },
        "headers": {"Idempotency-Key": "matrix"},
    },
    "PATCH /admin/users/{user_id}": {"json": {"is_admin": False}},
    "PATCH /admin/teams/{team_id}": {"json": {}},
    "POST /admin/workers": lambda _: {"json": {"name": f"matrix-{uuid4().hex}"}},
    "POST /admin/challenges": _FILE,
    "POST /admin/challenges/plan": _FILE,
    "POST /organize/{slug}/phases/{phase}/dates/plan": {"json": {"extend": 1}},
    "POST /organize/{slug}/phases/{phase}/dates": {"json": {"extend": 1, "why": "matrix"}},
    "POST /organize/{slug}/phases/{phase}/release": {"json": {}},
    "POST /organize/{slug}/phases/{phase}/unrelease": {"json": {}},
    "POST /admin/datasets/{dataset_id}/activate": {"json": {"yes": False}},
    "PUT /admin/evaluations/{evaluation_id}/priority": {"json": {"priority": 0}},
    "POST /worker/leases": {"json": _SLOT},
    "POST /worker/heartbeat": lambda known: {
        "json": {"leases": [{"case_run": str(known["case_run"]), "claim_no": known["claim_no"]}]}
    },
    "PUT /worker/slots/{name}": {"json": {"unfit": None}},
    "GET /worker/leases/{case_run}/inputs/{key}": _CLAIM,
    "GET /worker/leases/{case_run}/blobs/{digest}": _CLAIM,
    "PUT /worker/leases/{case_run}/output": lambda known: _CLAIM(known) | {"content": b"0.5\n"},
    "POST /worker/leases/{case_run}/finish": lambda known: (
        _CLAIM(known) | {"json": {"message": "", "seconds": 1, "output": "sha256:" + "0" * 64}}
    ),
    "POST /worker/leases/{case_run}/release": lambda known: _CLAIM(known) | {"json": {}},
}

PATHS: dict[str, Json] = {
    "GET /admin/evaluations/{evaluation_id}/receipt": {"evaluation_id": "ended"},
    "POST /admin/evaluations/{evaluation_id}/retry": {"evaluation_id": "ended"},
    "POST /admin/evaluations/{evaluation_id}/excuse": {"evaluation_id": "ended"},
    "GET /evaluations/{evaluation_id}/cases/{case_id}": {"case_id": "case_run"},
    "GET /admin/evaluations/{evaluation_id}/cases/{case_id}": {"case_id": "case_run"},
    "PUT /admin/evaluations/{evaluation_id}/priority": {"evaluation_id": "ended"},
    "POST /evaluations/{evaluation_id}/cancel": {"evaluation_id": "ended"},
}
