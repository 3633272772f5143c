"""A provider of OpenID Connect and OAuth 2.0: a real HTTP server with keys of its own, honest or not as a test says."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "proctor-here", "the-client's-secret"


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": uuid4().hex, "use": "sig", "alg": "RS256"})


@dataclass
class State:
    """What the provider says. `claims` goes over the true ones; `answers` by path replaces a whole answer."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=new_key)
    published: list[RSAKey] = field(default_factory=list)
    unsigned: bool = False
    answers: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def authorize(self, url: str) -> dict[str, str]:
        """What a browser brings back from the address that it was sent to, its person having agreed."""
        wanted = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert (wanted["client_id"], wanted["response_type"]) == (CLIENT, "code")
        assert wanted["code_challenge_method"] == "S256"
        code = uuid4().hex
        self.codes[code] = wanted
        return {"code": code, "state": wanted["state"]}

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        wanted = self.codes.pop(form["code"])
        assert create_s256_code_challenge(form["code_verifier"]) == wanted["code_challenge"]
        assert form["redirect_uri"] == wanted["redirect_uri"]
        assert authorization.startswith("Basic ") or form["client_secret"] == SECRET
        tokens: dict[str, Any] = {"access_token": "at-" + form["code"], "token_type": "Bearer"}
        if "openid" in wanted.get("scope", ""):
            tokens["id_token"] = self.id_token(wanted.get("nonce"))
        return tokens

    def id_token(self, nonce: str | None) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        claims = {**said, **self.person, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.unsigned:
            header, body = (_encoded(part) for part in ({"alg": "none"}, claims))
            return f"{header}.{body}."
        return str(jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key))

    def get(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            } | self.metadata
        if path == "/keys":
            return {"keys": [key.as_dict(private=False) for key in self.published or [self.key]]}
        return {"id": 4711, "name": self.person.get("name"), "email": self.person.get("email")}


def _encoded(part: dict[str, Any]) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@contextmanager
def provider() -> Iterator[State]:
    """The running provider."""
    state = State()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(lambda: state.get(urlsplit(self.path).path))

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {key: values[0] for key, values in parse_qs(sent).items()}
            self._answer(lambda: state.token(form, self.headers.get("Authorization", "")))

        def _answer(self, made: Any) -> None:
            path = urlsplit(self.path).path
            state.asked.append(path)
            if path in state.moved:
                self.send_response(302)
                self.send_header("Location", state.moved[path])
                content = b""
            else:
                content = state.answers.get(path) or json.dumps(made()).encode()
                self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if not state.slow:
                self.wfile.write(content)
                return
            for byte in content:  # never silent for long, and never done
                time.sleep(state.slow)
                self.wfile.write(bytes([byte]))

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients leave early here
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def query(values: dict[str, str]) -> str:
    return urlencode(values)
