"""A server that answers every call of the client as Proctor would, with something for the terminal in every text."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVIL = (
    "x\x1b[2J\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1b]8;;http://e.example\x1b\\l\x1b[8mhid\x9b31m\x85\x90\rover\b\b"
    "\u202eback\u2066\u200b\ufeff[red]r[/red][link=http://e.example]k[/link]\nnext\u2028line\v\f\x7f\u061c\U000e0041"
)
"""Escape sequences of seven and of eight bits, titles, clipboards, links, hidden text, overprinting, turned order."""
WHEN = "2026-01-01T00:00:00Z"
ID = "an-id"
"""What the client puts into addresses; anything else it refuses to ask for."""
_SCORE = {"value": 1.0, "low": 0.5, "high": 1.5, "reason": EVIL, "note": EVIL, "rank": 1.0}
_MARKED = {
    "team": EVIL,
    "disclaimer": EVIL,
    "first": True,
    "eligible": False,
    "disqualified": True,
    "baseline": True,
}
_DRAWN = {"level": 0.9, "resamples": 200, "unit": EVIL, "strata": [EVIL], "sources": EVIL}
_ENTRY = _MARKED | {"metrics": {EVIL: _SCORE}, "scored_at": WHEN, "submitted_at": WHEN, "rank": 1.0}
_TEAM = {
    "id": ID,
    "name": EVIL,
    "eligible": False,
    "disclaimer": EVIL,
    "is_baseline": False,
    "created_at": WHEN,
    "members": [{"user_id": ID, "name": EVIL, "is_captain": True}],
}
_UPLOAD = {
    "id": ID,
    "team_id": ID,
    "status": "ready",
    "offset": 1,
    "length": 1,
    "filename": EVIL,
    "pushed": EVIL,
    "image": EVIL,
    "code": EVIL,
    "message": EVIL,
    "created_at": WHEN,
    "expires_at": WHEN,
}
_EVALUATION = {
    "id": ID,
    "task": EVIL,
    "image": EVIL,
    "status": "rejected",
    "cases": 3,
    "progress": 10,
    "created_at": WHEN,
    "finished_at": WHEN,
    "reason_code": EVIL,
    "reason": EVIL,
    "note": EVIL,
    "verdicts": {EVIL: 3},
    "scores": {EVIL: {EVIL: _SCORE}},
    "bootstraps": {EVIL: _DRAWN},
}
_SUBMISSION = {
    "id": ID,
    "challenge": EVIL,
    "team": ID,
    "track": EVIL,
    "phase": EVIL,
    "created_at": WHEN,
    "evaluations": [_EVALUATION],
}
_PHASE = {
    "name": ID,
    "title": EVIL,
    "open": True,
    "hidden": False,
    "opens": WHEN,
    "closes": WHEN,
    "attempts": 3,
    "tasks": [EVIL],
}
_BOARD = {
    "board": EVIL,
    "title": EVIL,
    "weight": 1.0,
    "cases": 3,
    "last_scored": WHEN,
    "metrics": [{"name": EVIL, "title": EVIL, "better": None, "reason": EVIL}],
    "entries": [_ENTRY, _ENTRY],
    "bootstrap": _DRAWN,
    "otherwise": [_ENTRY | {"differs": [EVIL], "bootstrap": _DRAWN}],
}
_STANDING = _MARKED | {
    "placement": 1,
    "overall": 1.0,
    "eligible_placement": 1,
    "prize": EVIL,
    "board_ranks": {EVIL: 1.0},
    "missing": [EVIL],
}
_ACCOUNT = {"id": ID, "email": EVIL, "name": EVIL, "is_admin": False, "created_at": WHEN}
_TOKEN = {
    "id": EVIL,
    "name": EVIL,
    "scopes": [EVIL],
    "created_at": WHEN,
    "expires_at": WHEN,
    "revoked_at": None,
    "parent_id": EVIL,
    "last_used_at": WHEN,
    "network": EVIL,
}
_CHALLENGE = {"slug": ID, "title": EVIL, "description": EVIL, "tracks": [EVIL], "phases": [_PHASE]}
_SPEC = {"tasks": {EVIL: {}}, "boards": {}, "title": EVIL, "phases": {}}
_FACTS = {
    "digest": "sha256:" + "0" * 64,
    "layers": [],
    "layer_sizes": [],
    "size": 0,
    "architecture": EVIL,
    "os": EVIL,
    "user": EVIL,
    "environment": [EVIL],
    "entrypoint": [EVIL],
}
_INVITATION = {"id": EVIL, "created_at": WHEN, "expires_at": WHEN}
_CASE = {
    "case": EVIL,
    "status": "done",
    "verdict": EVIL,
    "message": EVIL,
    "warnings": [EVIL],
    "seconds": 1,
    "peak_memory_bytes": 1,
    "faults": 0,
    "log": EVIL,
}
_CERTAINTY = {
    "level": 0.95,
    "winners": [EVIL],
    "weight_space": {EVIL: 0.6, f"{EVIL} again": 0.4},
    "decision": {
        "shared_within": None,
        "awards": [],
        "candidates": [EVIL],
        "first": [EVIL],
        "weights": None,
        "cases": None,
        "sentences": [EVIL],
    },
    "warnings": [{"kind": EVIL, "board": EVIL, "metrics": [EVIL], "teams": [EVIL], "sentence": EVIL}],
    "notes": [EVIL],
}
_AGREEMENT = {
    "document": EVIL,
    "number": 1,
    "digest": "sha256:" + "0" * 64,
    "title": EVIL,
    "before": EVIL,
    "again": True,
    "created_at": WHEN,
    "accepted_at": None,
}
_QUESTION = {
    "id": ID,
    "status": EVIL,
    "own": True,
    "task": EVIL,
    "submission": ID,
    "text": EVIL,
    "published": f"{EVIL} too",
    "answer": EVIL,
    "asked_at": WHEN,
    "answered_at": WHEN,
}
_SIGN_IN = {"secret": "t", "url": EVIL, "code": EVIL, "expires_at": WHEN, "interval": 1}
_SESSION = {"token": "t", "expires_at": WHEN}
_NOTICE = {
    "id": ID,
    "kind": EVIL,
    "challenge": EVIL,
    "title": EVIL,
    "text": EVIL,
    "about": {EVIL: EVIL},
    "created_at": WHEN,
    "read_at": None,
}
_LAST = {"id": ID, "at": WHEN, "status": EVIL, "attempts": 1, "next_at": WHEN, "error": EVIL}
_WEBHOOK = {
    "id": ID,
    "url": EVIL,
    "kinds": [EVIL],
    "created_at": WHEN,
    "failing_since": WHEN,
    "disabled_why": EVIL,
    "last": _LAST,
}
_MOVE = {
    "at": WHEN,
    "change": -1,
    "balance": 2,
    "evaluation": ID,
    "submission": ID,
} | dict.fromkeys(("kind", "why", "phase", "track", "task"), EVIL)
_ANSWERS: dict[str, Any] = {
    "GET /sign-ins/ways": {"providers": [{"name": EVIL, "title": EVIL}], "mail": True},
    "POST /(sign-ins|me/identities)": _SIGN_IN,
    "POST /sign-ins/outcome": {"state": EVIL, "session": _SESSION, "email": EVIL, "name": EVIL},
    "GET /me/identities": [
        {"id": EVIL, "provider": EVIL, "subject": EVIL, "email": EVIL, "created_at": WHEN}
    ],
    "GET /me": _ACCOUNT | {"scopes": [EVIL]},
    "POST /accounts": _ACCOUNT,
    "POST /sessions": _SESSION,
    "POST /tokens": _TOKEN | {"id": "i", "token": "t"},
    "GET /tokens": [_TOKEN],
    "GET /sessions": [
        {"id": EVIL, "created_at": WHEN, "expires_at": None, "last_used_at": WHEN, "network": EVIL}
    ],
    "GET /teams/[^/]+/images": [{"id": EVIL, "digest": EVIL, "size": 1, "facts": _FACTS, "created_at": WHEN}],
    "GET /teams/[^/]+/uploads": [_UPLOAD],
    "GET /teams/[^/]+/attempts": {"moves": [_MOVE], "more": True},
    "GET /teams/[^/]+/storage": {"used": 1, "allowed": 2, "images": 1, "uploads": 0},
    "GET /teams/[^/]+/invitations": [_INVITATION],
    "GET /challenges": [_CHALLENGE],
    "GET /challenges/[^/]+": _CHALLENGE | {"version": EVIL, "spec": _SPEC},
    "(GET|POST) /challenges/[^/]+/teams(/mine)?": _TEAM,
    "GET /teams/[^/]+": _TEAM,
    "POST /teams/.*/invitations": _INVITATION | {"code": EVIL},
    "POST /invitations/.*": _TEAM,
    "GET /challenges/[^/]+/amendments": [
        {"id": ID, "at": WHEN, "phase": EVIL, "task": EVIL, "what": EVIL, "why": EVIL, "by": EVIL}
    ],
    "GET /challenges/[^/]+/submissions": [_SUBMISSION],
    "GET /submissions/.*": _SUBMISSION,
    "POST /evaluations/.*": _EVALUATION,
    "GET /evaluations/[^/]+/receipt": {"statement": {EVIL: EVIL}, "signature": EVIL, "key": EVIL},
    "GET /receipts/keys": [{"algorithm": "Ed25519", "key": EVIL, "created_at": WHEN, "retired_at": None}],
    "GET /evaluations/.*": [_CASE],
    "GET /challenges/[^/]+/agreements": [_AGREEMENT],
    "POST /challenges/[^/]+/agreements/.*": _AGREEMENT,
    "POST /challenges/[^/]+/questions": _QUESTION | {"id": EVIL},
    "GET /notices": [_NOTICE],
    "GET /notices/unread": {"unread": 1},
    "POST /notices/read": {"unread": 1},
    "GET /notices/settings": {
        "mail_is_set_up": False,
        "address_verified": False,
        "kinds": [{"kind": EVIL, "tells": EVIL, "mail": True, "usual": False}],
    },
    "GET /teams/[^/]+/webhooks": [_WEBHOOK],
    "POST /teams/[^/]+/webhooks": _WEBHOOK | {"secret": EVIL},
    "GET /challenges/[^/]+/questions": [_QUESTION],
    "GET /challenges/[^/]+/quota": [
        {"task": EVIL, "track": EVIL, "phase": ID, "valid": 2, "spent": 1, "reserved": 0, "left": 1}
    ],
    "GET /challenges/[^/]+/leaderboards/.*": {
        "challenge": EVIL,
        "title": EVIL,
        "phase": EVIL,
        "phase_title": EVIL,
        "at": WHEN,
        "open": True,
        "version": EVIL,
        "decimals": 3,
        "closes": WHEN,
        "released_early": EVIL,
        "freezes": WHEN,
        "frozen": True,
        "tracks": [
            {"track": EVIL, "unified": [_STANDING], "boards": [_BOARD], "certainty": _CERTAINTY},
        ],
    },
}


class _Hostile(BaseHTTPRequestHandler):
    refuses = False

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {self.path.removeprefix('/api/v1').partition('?')[0]}"
        found = next((one for form, one in _ANSWERS.items() if re.fullmatch(form, asked)), {})
        status = 400 if self.refuses else 200
        content = {"title": EVIL, "detail": EVIL, "code": EVIL, "status": 400} if self.refuses else found
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _answer  # noqa: N815 - the library's names

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Says nothing."""


class _Refusing(_Hostile):
    refuses = True


@contextmanager
def hostile_server(*, refuses: bool = False) -> Iterator[str]:
    """The address of a server whose every text is `EVIL`; `refuses`: its every answer is a problem that says so."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing if refuses else _Hostile)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
