"""Participants as scripts: everything they do goes over HTTP."""

import base64
import hashlib
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PASSWORD = "the password of everybody in these tests"
ENDED = {"scored", "rejected", "errored", "cancelled"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in; `team` is the id of their team in `challenge`."""

    http: httpx.Client
    token: str
    challenge: str
    team: str

    def upload(self, archive: Path | bytes) -> Json:
        """Uploads an archive and waits for its check; what GET says of it then."""
        return self.checked(self.send(archive))

    def send(self, archive: Path | bytes) -> str:
        """Uploads an archive in one piece; the upload's id."""
        data = archive if isinstance(archive, bytes) else archive.read_bytes()
        sha256 = base64.b64encode(hashlib.sha256(data).hexdigest().encode()).decode()
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(data)),
            "Upload-Metadata": f"sha256 {sha256}",
        }
        created = self.http.post(f"/challenges/{self.challenge}/uploads", headers=headers)
        assert created.status_code == 201, created.text
        location = str(self.http.base_url.join(created.headers["Location"]))
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
        }
        sent = self.http.patch(location, headers=headers, content=data)
        assert sent.status_code == 204, sent.text
        return location.rsplit("/", 1)[-1]

    def checked(self, upload: str) -> Json:
        """What the check made of an upload."""
        deadline = time.monotonic() + 60
        seen: Json
        while (seen := self.get(f"/uploads/{upload}"))["status"] not in ("ready", "rejected"):
            assert time.monotonic() < deadline, seen
            time.sleep(0.1)
        return seen

    def submit(
        self,
        images: dict[str, str],
        *,
        track: str = "open",
        phase: str = "validation",
        key: str | None = None,
    ) -> httpx.Response:
        body = {"track": track, "phase": phase, "images": images}
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.http.post(f"/challenges/{self.challenge}/submissions", json=body, headers=headers)

    def submitted(self, images: dict[str, str], *, track: str = "open", phase: str = "validation") -> Json:
        """A submission that was taken."""
        answer = self.submit(images, track=track, phase=phase)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, submission: Json, *, seconds: float = 180) -> Json:
        """The submission once all its evaluations have ended."""
        return self.wait_all([submission], seconds=seconds)[0]

    def wait_all(self, submissions: Iterable[Json], *, seconds: float = 180) -> list[Json]:
        """The submissions, in their order, once all their evaluations have ended."""
        ended: dict[str, Json] = {}
        wanted = [submission["id"] for submission in submissions]
        deadline = time.monotonic() + seconds
        while waiting := [one for one in wanted if one not in ended]:
            seen = self.get(f"/submissions/{waiting[0]}")
            if all(one["status"] in ENDED for one in seen["evaluations"]):
                ended[waiting[0]] = seen
                continue
            assert time.monotonic() < deadline, seen
            time.sleep(0.2)
        return [ended[one] for one in wanted]

    def quota(self, task: str, *, track: str = "open", phase: str = "validation") -> Json:
        """What is left of the team's attempts."""
        rows = self.get(f"/challenges/{self.challenge}/quota")
        return next(one for one in rows if (one["task"], one["track"], one["phase"]) == (task, track, phase))


def register(url: str, challenge: str, team: str | None, *, setup_token: str | None = None) -> Person:
    """A new account, signed in, with a new team unless `team` is None."""
    http = httpx.Client(base_url=f"{url}/api/v1", timeout=60)
    credentials = {"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}
    body = {**credentials, "name": team or "Somebody", "setup_token": setup_token}
    assert http.post("/accounts", json=body).status_code == 201
    token = http.post("/sessions", json=credentials).json()["token"]
    http.headers["Authorization"] = f"Bearer {token}"
    if team is None:
        return Person(http, token, challenge, "")
    founded = http.post(f"/challenges/{challenge}/teams", json={"name": team})
    assert founded.status_code == 201, founded.text
    return Person(http, token, challenge, founded.json()["id"])
