"""Who may do what: each operation of the API with a class, and each class with what everybody is told.

A new operation gets a row here, with what has to be sent so that its authority, and not its form, is what decides:

- `OPERATIONS`: "METHOD /path": the class; docs/authority.md shows it, and `python -m tests.abuse.authority` writes it;
- `PATHS`: what stands for {names} in paths, by name, where it is not the same for every operation;
- `SENT`: what is sent along, as httpx takes it. A request has to be harmless or such as `World.restore` mends.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

Json = dict[str, Any]

LET_IN = "let in"
"""Whatever is answered, it is not for want of authority."""

ROLES = ("observer", "organizer", "organizer's read-only token", "organizer elsewhere")
"""People with a role in the challenge that operations name; the last one's is in another."""
PEOPLE = (
    "other team",
    "no team",
    "ex-member",
    "read-only token",
    "member",
    "captain",
    "API token",
    *ROLES,
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
READ_ONLY: Told = dict.fromkeys(("read-only token", "organizer's read-only token"), "scope_missing")
SUBMIT: Told = SIGNED_IN | READ_ONLY
OBSERVER: Told = (
    SIGNED_IN
    | dict.fromkeys(PEOPLE, "organizers_only")
    | dict.fromkeys(("observer", "organizer", "organizer's read-only token", "admin"), LET_IN)
)
"""To look at what is hidden of a challenge."""
SOME_OBSERVER: Told = OBSERVER | {"organizer elsewhere": LET_IN}
"""Lists of everything that the asker may see: everybody with a role sees those of their own challenges."""
ORGANIZER: Told = OBSERVER | {
    "observer": "organizers_only",
    "organizer's read-only token": "scope_missing",
}
"""To decide in a challenge."""
ADMIN: Told = SIGNED_IN | dict.fromkeys(PEOPLE, "admins_only") | {"admin": LET_IN}
REGISTRY: Told = dict.fromkeys(IDENTITIES, "not_the_registry")
"""The registry alone, which has a secret and no token."""
WORKER: Told = ANY_TOKEN | dict.fromkeys(PEOPLE, "not_a_worker")
LEASE: Told = WORKER | {"another worker": "lease_lost"}
OWN_TOKEN: Told = (SUBMIT | dict.fromkeys(PEOPLE, "unknown_token") | READ_ONLY) | {
    "captain": LET_IN,
    "API token": LET_IN,
}
"""A token of the captain's."""
OWN_TEAM: Told = SIGNED_IN | dict.fromkeys(
    ("no team", "ex-member", *ROLES, "admin", "admin without scope"), "no_team"
)
"""Whatever team the asker has in the challenge."""


def team(missing: str) -> Told:
    """What is the team's: for others it does not exist, and `missing` says so; admins may see it."""
    outside = ("other team", "no team", "ex-member", *ROLES, "admin without scope")
    return SIGNED_IN | dict.fromkeys(outside, missing)


def team_submit(missing: str) -> Told:
    """The same for what changes something."""
    return team(missing) | READ_ONLY


def captain(missing: str) -> Told:
    """The same for what is the captain's to decide, or an admin's."""
    return team_submit(missing) | {"member": "captain_only"}


OPERATIONS: dict[str, Told] = {
    "GET /healthz": PUBLIC,
    # Accounts
    "POST /accounts": PUBLIC,
    "POST /sessions": PUBLIC,
    "GET /registry/token": PUBLIC,
    "POST /registry/events": REGISTRY,
    "POST /password-resets": PUBLIC,
    "POST /password-resets/requests": PUBLIC,
    "POST /address-verifications": PUBLIC,
    "POST /me/address-verification": SIGNED_IN,
    "POST /me/address": SUBMIT,
    "PUT /me/address": SUBMIT,
    "GET /me": SIGNED_IN,
    "POST /me/password": SUBMIT,
    "GET /sign-ins/ways": PUBLIC,
    "POST /sign-ins": PUBLIC,
    "POST /sign-ins/outcome": PUBLIC,
    "POST /sign-ins/accounts": PUBLIC,
    "GET /me/identities": SIGNED_IN,
    "POST /me/identities": SUBMIT,
    "DELETE /me/identities/{identity_id}": SUBMIT,
    "GET /tokens": SIGNED_IN,
    "POST /tokens": SUBMIT,
    "DELETE /tokens/{token_id}": OWN_TOKEN,
    "DELETE /sessions/current": ANY_TOKEN,
    "GET /sessions": SIGNED_IN,
    "DELETE /sessions": SUBMIT,
    "DELETE /sessions/{session_id}": SUBMIT,
    "POST /me/close": SUBMIT,
    "GET /me/export": SIGNED_IN,
    # What everybody sees
    "GET /challenges": PUBLIC,
    "GET /challenges/{slug}": PUBLIC,
    "GET /challenges/{slug}/leaderboards/{phase}": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/leaderboards/{phase}.csv": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/leaderboards/{phase}/certainty": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/leaderboards/{phase}/comparison": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/leaderboards/{phase}/entry": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/leaderboards/{phase}/boards/{board}/distribution": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/agreements": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/agreements/{digest}": PUBLIC,
    "GET /challenges/{slug}/questions": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/amendments": PUBLIC,
    "GET /challenges/{slug}/phases/{phase}/editions": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/phases/{phase}/editions/{number}/differences": PUBLIC_OR_SIGNED_IN,
    "GET /challenges/{slug}/phases/{phase}/commitments": PUBLIC,
    "GET /receipts/key": PUBLIC,
    "GET /receipts/keys": PUBLIC,
    "OPTIONS /uploads/{upload_id}": PUBLIC,
    "OPTIONS /challenges/{slug}/uploads": PUBLIC,
    # Notices
    "GET /notices": SIGNED_IN,
    "GET /notices/unread": SIGNED_IN,
    "POST /notices/read": SUBMIT,
    "GET /notices/settings": SIGNED_IN,
    "PUT /notices/settings/{kind}": SUBMIT,
    # Teams
    "POST /challenges/{slug}/teams": SUBMIT,
    "GET /challenges/{slug}/teams/mine": OWN_TEAM,
    "POST /invitations/{code}/accept": SUBMIT,
    "POST /challenges/{slug}/agreements/{digest}/accept": SUBMIT,
    "POST /challenges/{slug}/questions": team_submit("unknown_team"),
    "GET /teams/{team_id}": team("unknown_team"),
    "GET /teams/{team_id}/invitations": team("unknown_team"),
    "POST /teams/{team_id}/invitations": captain("unknown_team"),
    "DELETE /teams/{team_id}/invitations/{invitation_id}": captain("unknown_team"),
    "DELETE /teams/{team_id}/members/me": team_submit("unknown_team"),
    "DELETE /teams/{team_id}/members/{user_id}": captain("unknown_team"),
    "GET /teams/{team_id}/webhooks": captain("unknown_team"),
    "POST /teams/{team_id}/webhooks": captain("unknown_team"),
    "POST /teams/{team_id}/webhooks/{endpoint_id}": captain("unknown_team"),
    "DELETE /teams/{team_id}/webhooks/{endpoint_id}": captain("unknown_team"),
    # What a team sends, and what comes of it
    "GET /teams/{team_id}/uploads": team("unknown_team"),
    "GET /teams/{team_id}/images": team("unknown_team"),
    "DELETE /teams/{team_id}/images/{digest}": team_submit("unknown_team"),
    "GET /teams/{team_id}/storage": team("unknown_team"),
    # Here the team is looked for first.
    "POST /challenges/{slug}/uploads": team_submit("unknown_team")
    | {"organizer's read-only token": "unknown_team"},
    "GET /uploads/{upload_id}": team("unknown_upload"),
    "HEAD /uploads/{upload_id}": team("unknown_upload"),
    "PATCH /uploads/{upload_id}": team_submit("unknown_upload"),
    "DELETE /uploads/{upload_id}": team_submit("unknown_upload"),
    "GET /challenges/{slug}/submissions": team("unknown_team"),
    "POST /challenges/{slug}/submissions": team_submit("unknown_team"),
    "GET /challenges/{slug}/quota": team("unknown_team"),
    "GET /teams/{team_id}/attempts": team("unknown_team"),
    "GET /submissions/{submission_id}": team("unknown_submission"),
    "GET /submissions/{submission_id}/events": team("unknown_submission"),
    "GET /evaluations/{evaluation_id}": team("unknown_evaluation"),
    "GET /evaluations/{evaluation_id}/receipt": team("unknown_evaluation"),
    "GET /evaluations/{evaluation_id}/cases": team("unknown_evaluation"),
    "GET /evaluations/{evaluation_id}/cases/{case_id}": team("unknown_evaluation"),
    "POST /evaluations/{evaluation_id}/cancel": team_submit("unknown_evaluation"),
    # Organizers and observers of a challenge, and admins
    "GET /organize/{slug}/organizers": OBSERVER,
    "PUT /organize/{slug}/organizers": ORGANIZER,
    "DELETE /organize/{slug}/organizers/{user_id}": ORGANIZER,
    "GET /organize/{slug}/overview": OBSERVER,
    "GET /organize/{slug}/check": OBSERVER,
    "GET /organize/{slug}/reference-submissions": OBSERVER,
    "POST /organize/{slug}/reference-submissions": ORGANIZER,
    "GET /organize/{slug}/reevaluations": OBSERVER,
    "POST /organize/{slug}/reevaluations": ORGANIZER,
    "GET /organize/{slug}/reevaluations/{reevaluation_id}": OBSERVER,
    "GET /organize/{slug}/reevaluations/{reevaluation_id}/preview": OBSERVER,
    "GET /organize/{slug}/reevaluations/{reevaluation_id}/preview.csv": OBSERVER,
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/start": ORGANIZER,
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/catch-up": ORGANIZER,
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/cancel": ORGANIZER,
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/apply": ORGANIZER,
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/revert": ORGANIZER,
    "GET /admin/teams": SOME_OBSERVER,
    "PATCH /admin/teams/{team_id}": ORGANIZER,
    "POST /admin/challenges": ORGANIZER,
    "POST /admin/challenges/plan": ORGANIZER,
    "POST /admin/challenges/{slug}/results": ADMIN,
    "GET /admin/challenges/{slug}/datasets": OBSERVER,
    "GET /admin/datasets/{dataset_id}/effect": OBSERVER,
    "POST /admin/datasets/{dataset_id}/activate": ORGANIZER,
    "DELETE /admin/datasets/{dataset_id}": ORGANIZER,
    "GET /organize/{slug}/datasets/{dataset_id}/difference": OBSERVER,
    "POST /organize/{slug}/datasets": ORGANIZER,
    "GET /organize/{slug}/consignments": OBSERVER,
    "GET /organize/{slug}/consignments/{consignment_id}": OBSERVER,
    "GET /organize/{slug}/datasets/{dataset_id}/cases": OBSERVER,
    "GET /organize/{slug}/datasets/{dataset_id}/cases/{case_id}": OBSERVER,
    "GET /organize/{slug}/datasets/{dataset_id}/cases/{case_id}/slices/{plane}": OBSERVER,
    "GET /organize/{slug}/datasets/{dataset_id}/cases/{case_id}/volumes/{what}": OBSERVER,
    "POST /organize/{slug}/datasets/{dataset_id}/cases/{case_id}/correction": ORGANIZER,
    "POST /organize/{slug}/datasets/{dataset_id}/corrections": ORGANIZER,
    "PUT /organize/{slug}/datasets/{dataset_id}/labels/{case}": ORGANIZER,
    "GET /admin/evaluations": SOME_OBSERVER,
    "GET /admin/evaluations/{evaluation_id}": OBSERVER,
    "GET /admin/evaluations/{evaluation_id}/cases": OBSERVER,
    "GET /admin/evaluations/{evaluation_id}/cases/{case_id}": OBSERVER,
    "GET /admin/evaluations/{evaluation_id}/receipt": OBSERVER,
    "GET /admin/evaluations/{evaluation_id}/summary": OBSERVER,
    "PUT /admin/evaluations/{evaluation_id}/priority": ORGANIZER,
    "POST /admin/evaluations/{evaluation_id}/retry": ORGANIZER,
    "POST /admin/evaluations/{evaluation_id}/excuse": ORGANIZER,
    "POST /admin/evaluations/{evaluation_id}/cancel": ORGANIZER,
    "GET /admin/queue": SOME_OBSERVER,
    "GET /admin/errors": SOME_OBSERVER,
    "GET /admin/events": SOME_OBSERVER,
    "GET /organize/{slug}/agreements": OBSERVER,
    "POST /organize/{slug}/agreements": ORGANIZER,
    "POST /organize/{slug}/agreements/plan": ORGANIZER,
    "GET /organize/{slug}/agreements/{digest}/acceptances": OBSERVER,
    "GET /organize/{slug}/agreements/{digest}/acceptances.csv": OBSERVER,
    "GET /organize/{slug}/questions": OBSERVER,
    "POST /organize/{slug}/questions/{question_id}/answer": ORGANIZER,
    "POST /organize/{slug}/questions/{question_id}/close": ORGANIZER,
    "POST /organize/{slug}/announcements": ORGANIZER,
    "GET /organize/{slug}/usage": OBSERVER,
    "GET /organize/{slug}/accounts": OBSERVER,
    "GET /organize/{slug}/webhooks": ORGANIZER,
    "POST /organize/{slug}/webhooks": ORGANIZER,
    "POST /organize/{slug}/webhooks/{endpoint_id}": ORGANIZER,
    "DELETE /organize/{slug}/webhooks/{endpoint_id}": ORGANIZER,
    # Admins
    "GET /admin/users": ADMIN,
    "PATCH /admin/users/{user_id}": ADMIN,
    "POST /admin/users/{user_id}/password-reset": ADMIN,
    "POST /admin/users/{user_id}/address-verification": ADMIN,
    "POST /admin/users/{user_id}/address-code": ADMIN,
    "DELETE /admin/users/{user_id}/tokens": ADMIN,
    "POST /admin/users/{user_id}/close": ADMIN,
    "POST /admin/users/{user_id}/reopen": ADMIN,
    "GET /admin/users/{user_id}/export": ADMIN,
    "GET /admin/users/{user_id}/erasure": ADMIN,
    "POST /admin/users/{user_id}/erasure": ADMIN,
    "GET /admin/gc": ADMIN,
    "POST /admin/gc": ADMIN,
    "GET /admin/workers": ADMIN,
    "POST /admin/workers": ADMIN,
    "DELETE /admin/workers/{worker_id}": ADMIN,
    "GET /admin/workers/{worker_id}/reads": ADMIN,
    "GET /admin/workers/{worker_id}/answered": ADMIN,
    **{f"POST /admin/workers/{{worker_id}}/{act}": ADMIN for act in ("drain", "resume", "rotate")},
    **{f"POST /admin/workers/{{worker_id}}/{act}": ADMIN for act in ("retire", "suspect")},
    "GET /admin/slots": ADMIN,
    "GET /admin/queue/demand": ADMIN,
    "GET /admin/audit": ADMIN,
    "GET /admin/audit/head": ADMIN,
    "GET /admin/webhooks": ADMIN,
    "POST /admin/webhooks": ADMIN,
    "POST /admin/webhooks/{endpoint_id}": ADMIN,
    "DELETE /admin/webhooks/{endpoint_id}": ADMIN,
    "GET /admin/find": SOME_OBSERVER,
    "GET /admin/show/{id_}": SOME_OBSERVER,
    "GET /admin/status": ADMIN,
    # Organizers
    "GET /organize/{slug}/gc": OBSERVER,
    "POST /organize/{slug}/gc": ORGANIZER,
    "GET /organize/{slug}/gc/certificates": OBSERVER,
    "POST /organize/{slug}/teams/{team_id}/decisions/plan": OBSERVER,
    "POST /organize/{slug}/teams/{team_id}/decisions": ORGANIZER,
    "GET /organize/{slug}/teams/{team_id}/attempts": OBSERVER,
    "POST /organize/{slug}/teams/{team_id}/grants/plan": OBSERVER,
    "POST /organize/{slug}/teams/{team_id}/grants": ORGANIZER,
    "POST /organize/{slug}/evaluations/{evaluation_id}/void/plan": OBSERVER,
    "POST /organize/{slug}/evaluations/{evaluation_id}/void": ORGANIZER,
    "POST /organize/{slug}/evaluations/{evaluation_id}/unvoid/plan": OBSERVER,
    "POST /organize/{slug}/evaluations/{evaluation_id}/unvoid": ORGANIZER,
    "POST /organize/{slug}/phases/{phase}/dates/plan": OBSERVER,
    "POST /organize/{slug}/phases/{phase}/dates": ORGANIZER,
    "GET /organize/{slug}/phases/{phase}/release": OBSERVER,
    "GET /organize/{slug}/phases/{phase}/bundle": OBSERVER,
    "POST /organize/{slug}/phases/{phase}/release": ORGANIZER,
    "POST /organize/{slug}/phases/{phase}/unrelease": ORGANIZER,
    "POST /organize/{slug}/phases/{phase}/label-commitments": ORGANIZER,
    # Run workers
    "GET /worker/me": WORKER,
    "POST /worker/leases": WORKER,
    "GET /worker/wake-ups": WORKER,
    "POST /worker/heartbeat": WORKER,
    "PUT /worker/slots/{name}": WORKER,
    "GET /worker/leases/{case_run}/inputs/{key}": LEASE,
    "GET /worker/leases/{case_run}/blobs/{digest}": LEASE,
    "PUT /worker/leases/{case_run}/output": LEASE,
    "POST /worker/leases/{case_run}/finish": LEASE,
    "POST /worker/leases/{case_run}/release": LEASE,
}

STATUS = (
    dict.fromkeys([*NO_TOKEN.values(), "worker_token", "not_a_worker", "not_the_registry"], 401)
    | dict.fromkeys(["scope_missing", "captain_only", "organizers_only", "admins_only"], 403)
    | dict.fromkeys(["unknown_team", "unknown_upload", "unknown_submission", "unknown_evaluation"], 404)
    | {"unknown_token": 404, "no_team": 404, "lease_lost": 409}
)
"""Every refusal for want of authority, and how it is sent."""

_ADDRESS = f"{uuid4().hex}@example.org"
_PASSWORD = "a password of these tests"
_FILE: Callable[[Json], Json] = lambda known: {"json": {"file": json.dumps(known["spec"])}}  # noqa: E731
_CLAIM: Callable[[Json], Json] = lambda known: {"params": {"claim_no": known["claim_no"]}}  # noqa: E731
_TEAM: Callable[[Json], Json] = lambda known: {"params": {"team": known["team_id"]}}  # noqa: E731
_GRANT: Json = {
    "json": {"why": "matrix", "valid": 0, "phase": "validation", "task": "task5", "track": "open"}
}
_ACTS = ("void/plan", "void", "unvoid/plan", "unvoid")
_WHY: Json = {"json": {"why": "matrix"}}
_SLOT = {"name": "matrix", "cpus": 1, "memory": 1}

_WEBHOOKS = ("/teams/{team_id}", "/organize/{slug}", "/admin")

_AGREEMENT = {"json": {"title": "Rules", "text": "Play fair."}}

SENT: dict[str, Json | Callable[[Json], Json]] = {
    "POST /accounts": {
        "json": {"email": _ADDRESS, "name": "Ada", "password": _PASSWORD, "setup_token": "no"}
    },
    "GET /challenges/{slug}/leaderboards/{phase}/comparison": {
        "params": {"board": "task5", "team": ["Ada", "Bob"]}
    },
    "GET /challenges/{slug}/leaderboards/{phase}/entry": {"params": {"team": "Ada"}},
    "POST /sessions": lambda _: {"json": {"email": f"{uuid4().hex}@example.org", "password": _PASSWORD}},
    "POST /password-resets": {"json": {"code": "x" * 32, "email": _ADDRESS, "password": _PASSWORD}},
    "POST /registry/events": {"json": {"events": []}},
    "POST /sign-ins": {"json": {"provider": "none"}},
    "POST /me/identities": {"json": {"provider": "none"}},
    "POST /sign-ins/outcome": {"json": {"secret": "none"}},
    "POST /sign-ins/accounts": {"json": {"secret": "none", "email": _ADDRESS, "name": "Ada"}},
    "POST /password-resets/requests": {"json": {"email": _ADDRESS}},
    "POST /address-verifications": {"json": {"email": _ADDRESS, "code": "none"}},
    "POST /me/address": {"json": {"email": _ADDRESS, "password": "wrong"}},
    "PUT /me/address": {"json": {"email": _ADDRESS, "code": "none"}},
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
    "GET /submissions/{submission_id}/events": {"params": {"seconds": 0}},
    "POST /challenges/{slug}/submissions": lambda known: {
        "json": {
            "team": known["team_id"],
            "track": "open",
            "phase": "sanity",
            "images": {"no task": "sha256:" + "0" * 64},
        },
        "headers": {"Idempotency-Key": "matrix"},
    },
    "POST /challenges/{slug}/questions": lambda known: {
        "json": {"team": known["team_id"], "text": "Is this a question?"}
    },
    "POST /organize/{slug}/agreements": _AGREEMENT,
    "POST /organize/{slug}/agreements/plan": _AGREEMENT,
    "POST /organize/{slug}/questions/{question_id}/answer": {"json": {"answer": "Yes."}},
    "POST /organize/{slug}/questions/{question_id}/close": {"json": {"why": "Twice."}},
    "POST /organize/{slug}/announcements": {"json": {"text": "Something."}},
    "PUT /organize/{slug}/organizers": lambda known: {
        "json": {"email": known["watcher_email"], "role": "observer", "yes": True}
    },
    "GET /admin/find": {"params": {"q": "matrix"}},
    "PATCH /admin/users/{user_id}": {"json": {"is_admin": False}},
    "POST /admin/users/{user_id}/erasure": {"json": {"email": "nobody@example.org", "why": "matrix"}},
    "POST /organize/{slug}/gc": {"json": {"seen": "sha256:" + "0" * 64, "why": "matrix"}},
    "PATCH /admin/teams/{team_id}": {"json": {}},
    "POST /admin/workers": lambda _: {"json": {"name": f"matrix-{uuid4().hex}"}},
    **{f"POST /admin/workers/{{worker_id}}/{act}": {"json": {}} for act in ("retire", "rotate")},
    **{f"POST /admin/workers/{{worker_id}}/{act}": {"json": {"slot": "!"}} for act in ("drain", "resume")},
    "POST /admin/workers/{worker_id}/suspect": {"json": {"why": "matrix"}},
    "POST /admin/challenges": _FILE,
    "POST /admin/challenges/plan": _FILE,
    "POST /admin/challenges/{slug}/results": lambda known: {
        "json": {
            "file": json.dumps(known["spec"]),
            "results": "team,track,task,metric,value",
            "phase": "validation",
        }
    },
    "POST /organize/{slug}/phases/{phase}/dates/plan": {"json": {"extend": 1}},
    "POST /organize/{slug}/phases/{phase}/dates": {"json": {"extend": 1, "why": "matrix"}},
    "POST /organize/{slug}/phases/{phase}/release": {"json": {}},
    "POST /organize/{slug}/phases/{phase}/unrelease": {"json": {}},
    "POST /admin/datasets/{dataset_id}/activate": {"json": {"yes": False}},
    "POST /organize/{slug}/datasets/{dataset_id}/corrections": {"json": {"why": "matrix"}},
    "POST /organize/{slug}/datasets/{dataset_id}/cases/{case_id}/correction": {"json": {"why": "matrix"}},
    "POST /organize/{slug}/datasets": {
        "params": {"phase": "validation", "task": "task5"},
        "content": b"0",
    },
    "PUT /organize/{slug}/datasets/{dataset_id}/labels/{case}": {
        "params": {"why": "matrix"},
        "content": b"0",
    },
    "PUT /admin/evaluations/{evaluation_id}/priority": {"json": {"priority": 0}},
    "POST /admin/evaluations/{evaluation_id}/cancel": _WHY,
    "POST /organize/{slug}/reference-submissions": {"json": {}},
    "POST /organize/{slug}/reevaluations": {"json": {"mode": "rescore", "why": "matrix"}},
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/cancel": {"json": {"why": "matrix"}},
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/apply": {"json": {"digest": "sha256:" + "0" * 64}},
    "POST /organize/{slug}/reevaluations/{reevaluation_id}/revert": {"json": {"why": "matrix"}},
    "POST /organize/{slug}/teams/{team_id}/decisions/plan": {"json": {"why": "matrix", "decision": "show"}},
    "POST /organize/{slug}/teams/{team_id}/decisions": {"json": {"why": "matrix", "decision": "show"}},
    "POST /organize/{slug}/teams/{team_id}/grants/plan": _GRANT,
    "POST /organize/{slug}/teams/{team_id}/grants": _GRANT,
    **{f"POST /organize/{{slug}}/evaluations/{{evaluation_id}}/{act}": _WHY for act in _ACTS},
    "POST /notices/read": lambda known: {"json": {"ids": [str(known["endpoint_id"])]}},
    "PUT /notices/settings/{kind}": {"json": {"mail": True}},
    **{f"POST {owner}/webhooks": {"json": {"url": "no address"}} for owner in _WEBHOOKS},
    **{f"POST {owner}/webhooks/{{endpoint_id}}": {"json": {"act": "test"}} for owner in _WEBHOOKS},
    "GET /admin/queue/demand": {"params": {"cpus": 1, "memory": 1}},
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
    "GET /admin/show/{id_}": {"id_": "ended"},
    "DELETE /organize/{slug}/organizers/{user_id}": {"user_id": "watcher_id"},
    "GET /admin/evaluations/{evaluation_id}/receipt": {"evaluation_id": "ended"},
    "POST /admin/evaluations/{evaluation_id}/retry": {"evaluation_id": "ended"},
    "POST /admin/evaluations/{evaluation_id}/excuse": {"evaluation_id": "ended"},
    "POST /admin/evaluations/{evaluation_id}/cancel": {"evaluation_id": "ended"},
    "GET /evaluations/{evaluation_id}/cases/{case_id}": {"case_id": "case_run"},
    "GET /admin/evaluations/{evaluation_id}/cases/{case_id}": {"case_id": "case_run"},
    "PUT /admin/evaluations/{evaluation_id}/priority": {"evaluation_id": "ended"},
    "POST /evaluations/{evaluation_id}/cancel": {"evaluation_id": "ended"},
}


DOCUMENTED = {
    "nobody": "nobody",
    "other team": "another team",
    "member": "member",
    "captain": "captain",
    "observer": "observer",
    "organizer": "organizer",
    "organizer elsewhere": "organizer elsewhere",
    "admin": "admin",
    "worker": "run worker",
}
"""The columns of docs/authority.md; the other identities differ by their token or their past."""


def documented() -> str:
    """The table of docs/authority.md: what each operation answers to whom."""
    lines = [f"| | {' | '.join(DOCUMENTED.values())} |", "|---" * (len(DOCUMENTED) + 1) + "|"]
    for operation, told in OPERATIONS.items():
        cells = ("yes" if told[who] == LET_IN else str(STATUS[told[who]]) for who in DOCUMENTED)
        lines.append(f"| `{operation}` | {' | '.join(cells)} |")
    return "\n".join(lines)


PAGE = Path(__file__).parents[2] / "docs/authority.md"
BEGINS, ENDS = (
    "<!-- authority: from tests/abuse/authority.py, kept true by tests/abuse/test_authority.py -->",
    "<!-- end of authority -->",
)


def page() -> str:
    """The page with the table as it has to be."""
    before, _, rest = PAGE.read_text().partition(BEGINS)
    return f"{before}{BEGINS}\n\n{documented()}\n\n{ENDS}{rest.partition(ENDS)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page())
