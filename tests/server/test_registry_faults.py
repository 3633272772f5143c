"""A registry that gives something else than was pushed: a sentence for the team, and never an image."""

import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update

from contract.ids import TeamId, UserId
from contract.statuses import UploadStatus
from server.database import SessionFactory, unit_of_work
from server.registry import layout
from server.registry.layout import PushedImage
from server.registry.remote import Remote
from server.registry.service import Pushed, Repository, note
from server.settings import Settings
from server.uploads.models import Upload
from server.uploads.service import expire_uploads
from tests.sandbox.archives import LAYER, config, digest
from tests.server.conftest import Person
from tests.server.registries import key_in
from worker.score.images import check_waiting
from worker.score.pushes import take_pushed

Answer = tuple[int, dict[str, str], bytes]
_CONFIG = config(LAYER)


class Trickle(bytes):
    """Bytes that come one by one, with pauses in between."""


PAUSE = 0.02


def _descriptor(data: bytes, **more: Any) -> dict[str, Any]:
    return {"digest": digest(data), "size": len(data), **more}


def _manifest(**changes: Any) -> bytes:
    content = {"schemaVersion": 2, "config": _descriptor(_CONFIG), "layers": [_descriptor(LAYER)]}
    return json.dumps(content | changes).encode()


class Registry:
    """A registry that gives what it is told to, and a score worker with little patience for it."""

    def __init__(self, settings: Settings, sessions: SessionFactory, captain: Person, team_id: str) -> None:
        self.served: dict[str, Answer] = {}
        self._settings, self._sessions = settings, sessions
        self._captain, self._team = captain, team_id

    def __call__(
        self, manifest: bytes, layer: Answer = (200, {}, LAYER), also: bytes = b"", *, checked: bool = False
    ) -> dict[str, Any]:
        """What a push shows of this manifest, where `layer` is the answer to who asks for the layer."""
        with unit_of_work(self._sessions) as session:
            repository = Repository(TeamId(UUID(self._team)), "model")
            assert note(session, Pushed(repository, "v1", digest(manifest))) is not None
        self.take(manifest, layer, also)
        if checked:
            check_waiting(self._sessions, self._settings)
        shown: dict[str, Any] = self._captain.http.get(f"/teams/{self._team}/uploads").json()[0]
        return shown

    def read(self, *manifests: bytes) -> PushedImage:
        """What the first of these manifests leads to."""
        self.served.update({digest(one): (200, {}, one) for one in manifests})
        with Remote(self._settings) as remote:
            return layout.read(remote, f"{self._team}/model", digest(manifests[0]))

    def take(self, manifest: bytes, layer: Answer = (200, {}, LAYER), also: bytes = b"") -> None:
        """Takes over what waits."""
        blobs = {one: (200, dict[str, str](), one) for one in (also, manifest, _CONFIG)}
        self.served.update({digest(one): answer for one, answer in blobs.items()} | {digest(LAYER): layer})
        take_pushed(self._sessions, self._settings, ask=partial(Remote, grace=0.2))

    def breaks(self, count: int) -> int:
        """How many of `count` waiting pushes have a turn where our own code fails on each."""
        for number in range(count):
            with unit_of_work(self._sessions) as session:
                repository = Repository(TeamId(UUID(self._team)), "model")
                assert note(
                    session, Pushed(repository, f"v{number}", digest(_manifest(annotations={"n": number})))
                )

        def broken(_settings: Settings) -> Remote:
            raise KeyError("ours")

        return take_pushed(self._sessions, self._settings, ask=broken)


@pytest.fixture
def gives(
    settings: Settings, tmp_path: Path, captain: Person, team_id: str, sessions: SessionFactory
) -> Iterator[Registry]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = registry.served.get(self.path.rpartition("/")[2], (404, {}, b""))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # whoever asked has gone
                if not isinstance(body, Trickle):
                    self.wfile.write(body)
                    return
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(PAUSE)

        def do_DELETE(self) -> None:
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    own = settings.model_copy(update={"registry_url": url, "registry_key": key_in(tmp_path)})
    with unit_of_work(sessions) as session:  # nothing that another test left waits to be fetched
        open_ = Upload.status.in_((UploadStatus.RECEIVING, UploadStatus.CHECKING))
        session.execute(update(Upload).where(open_).values(status=UploadStatus.REJECTED))
    registry = Registry(own, sessions, captain, team_id)
    yield registry
    server.shutdown()
    server.server_close()


def test_what_is_given_as_pushed_waits_for_its_check(gives: Registry) -> None:
    assert gives(_manifest())["status"] == "checking"


@pytest.mark.parametrize("layer", ["\0", "\ud800", "sha256:\0", 7, None])
def test_a_config_that_names_no_layers_is_left_to_the_check_and_holds_no_other_push_up(
    layer: object, gives: Registry
) -> None:
    """No database takes such a text."""
    odd = config(LAYER, rootfs={"type": "layers", "diff_ids": [layer]})
    shown = gives(_manifest(config=_descriptor(odd)), also=odd, checked=True)
    assert (shown["status"], shown["code"]) == ("rejected", "config_invalid")


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ((200, {}, LAYER[:-1] + b"x"), "has another digest"),
        ((200, {}, LAYER + b"x"), "has another digest"),
        ((200, {}, LAYER[:-1]), "has another digest"),
        ((302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""), "another address"),
        ((404, {}, b""), "no longer has"),
    ],
)
def test_a_registry_that_lies_is_not_asked_again(
    layer: Answer, said: str, gives: Registry, team_id: str, captain: Person
) -> None:
    shown = gives(_manifest(), layer)
    assert (shown["status"], shown["code"]) == ("rejected", "registry_failed")
    assert said in shown["message"]
    assert captain.http.get(f"/teams/{team_id}/images").json() == []


@pytest.mark.parametrize("size", [1, len(LAYER) - 1, len(LAYER) + 1, 2 * len(LAYER)])
@pytest.mark.parametrize("part", ["layers", "config"])
def test_a_manifest_with_a_wrong_size_is_refused_as_its_teams_own(
    part: str, size: int, gives: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = _descriptor(LAYER if part == "layers" else _CONFIG)
    true = wrong["size"]
    wrong["size"] = size
    shown = gives(_manifest(**{part: [wrong] if part == "layers" else wrong}))
    assert (shown["status"], shown["code"]) == ("rejected", "config_invalid")
    assert f"has {size:,} bytes, and it has {true:,}." in shown["message"]
    assert "registry" not in shown["message"]
    assert "registry_lies" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "layer", [(200, {"Content-Length": str(len(LAYER))}, LAYER[:100]), (503, {}, b"down")]
)
def test_a_registry_that_stops_is_asked_again(layer: Answer, gives: Registry) -> None:
    shown = gives(_manifest(), layer)
    assert (shown["status"], shown["code"]) == ("receiving", "registry_failed")
    assert "in a minute" in shown["message"]


def test_a_registry_that_is_far_too_slow_is_asked_again_and_gives_what_was_pushed_in_the_end(
    gives: Registry, captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    began = time.monotonic()
    shown = gives(_manifest(), (200, {"Content-Length": str(len(LAYER))}, Trickle(LAYER)))
    assert time.monotonic() - began < PAUSE * len(LAYER) / 2, (
        "each byte came in time; all would take twice this"
    )
    assert (shown["status"], shown["code"]) == ("receiving", "registry_failed")
    assert "it is too slow" in shown["message"]
    assert "not your image's fault. It is fetched again in a minute" in shown["message"]
    with unit_of_work(sessions) as session:
        mine = update(Upload).where(Upload.team_id == UUID(team_id))
        session.execute(mine.values(check_not_before=func.now()))
    other = _manifest(layers=[_descriptor(LAYER), _descriptor(LAYER)])
    assert gives(other)["filename"] == "model:v1", "another push, in whose turn the first one is fetched too"
    listed = captain.http.get(f"/teams/{team_id}/uploads").json()
    assert [(one["status"], one["message"]) for one in listed] == [("checking", None)] * 2


def test_what_the_registry_never_gave_within_a_day_is_to_be_pushed_again(
    settings: Settings, gives: Registry, captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    assert gives(_manifest(), (503, {}, b"down"))["status"] == "receiving"
    with unit_of_work(sessions) as session:
        mine = update(Upload).where(Upload.team_id == UUID(team_id))
        session.execute(mine.values(expires_at=func.now() - timedelta(seconds=1)))
        expire_uploads(session, uploads=settings.uploads)
    (shown,) = captain.http.get(f"/teams/{team_id}/uploads").json()
    assert (shown["status"], shown["code"]) == ("rejected", "upload_expired")
    assert "not your image's fault. Push it again" in shown["message"]
    assert gives(_manifest())["status"] == "checking"


def test_what_somebody_pushed_who_is_erased_by_then_is_fetched_for_their_team(
    gives: Registry,
    captain: Person,
    team_id: str,
    admin: Person,
    sessions: SessionFactory,
) -> None:
    by = UserId(UUID(captain.id))
    with unit_of_work(sessions) as session:
        waiting = Pushed(Repository(TeamId(UUID(team_id)), "model"), "v1", digest(_manifest()), by)
        upload = note(session, waiting)
        assert upload is not None
        assert upload.user_id == by
        id_ = upload.id
    body = {"email": captain.email, "team_names": "pseudonym", "why": "They asked for it"}
    assert admin.http.post(f"/admin/users/{captain.id}/erasure", json=body).status_code == 200
    again = digest(_manifest(layers=[_descriptor(LAYER), _descriptor(LAYER)]))
    with unit_of_work(sessions) as session:
        assert note(session, waiting, found=True) is None, "a look into the registry gives no name back"
        # A token of the registry's lasts for minutes: what was pushed with one that is left names nobody.
        late = note(session, Pushed(Repository(TeamId(UUID(team_id)), "model"), "v2", again, by))
        assert late is not None
        assert late.user_id is None
        session.rollback()
    gives.take(_manifest())
    with unit_of_work(sessions) as session:
        fetched = session.get_one(Upload, id_)
        assert (fetched.status, fetched.message) == (UploadStatus.CHECKING, None)
        assert (fetched.filename, fetched.pushed) == (None, f"@{digest(_manifest())}"), (
            "names that they chose"
        )


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(), "schema 1"),
        (_manifest(layers=[_descriptor(LAYER, urls=["http://127.0.0.1:9/"])]), "foreign layer"),
        (_manifest(layers=[{"digest": "sha256:1", "size": 1}]), "no image"),
        (b"[]", "no image"),
        (_manifest(layers=[_descriptor(LAYER) | {"size": 2**40}]), "more than"),
    ],
)
def test_what_cannot_be_an_image_is_refused_with_a_sentence(
    manifest: bytes, said: str, gives: Registry
) -> None:
    shown = gives(manifest)
    assert shown["status"] == "rejected"
    assert said in shown["message"]


def test_a_layer_that_is_compressed_with_zstd_is_refused_with_a_sentence(
    gives: Registry,
) -> None:
    layer = b"\x28\xb5\x2f\xfd" + bytes(100)
    shown = gives(_manifest(layers=[_descriptor(layer)]), also=layer, checked=True)
    assert shown["status"] == "rejected"
    assert "zstd" in shown["message"]


def test_of_notes_in_manifests_nothing_is_kept_but_their_text(gives: Registry) -> None:
    """An index may name many, and their notes as they are read take many times the room of their text."""
    notes = [{f"{number}-{one}": "" for one in range(20_000)} for number in range(8)]
    images = [_manifest(annotations=some) for some in notes]
    del notes
    index = json.dumps({"schemaVersion": 2, "manifests": [_descriptor(one) for one in images]}).encode()
    tracemalloc.start()
    found = gives.read(index, *images)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(found.images) == len(images)
    assert held < 2 * sum(map(len, images))


def test_of_an_index_the_image_for_amd64_is_fetched_alone(gives: Registry) -> None:
    missing = [
        _descriptor(b"arm", platform={"os": "linux", "architecture": "arm64"}),
        _descriptor(b"proof", annotations={"vnd.docker.reference.type": "attestation-manifest"}),
    ]
    shown = gives(json.dumps({"schemaVersion": 2, "manifests": missing}).encode())
    assert shown["status"] == "checking"  # nothing else was asked for, and the check says what is wrong


def test_a_fault_of_ours_on_one_push_takes_no_turn_from_the_others(
    gives: Registry, captain: Person, team_id: str
) -> None:
    assert gives.breaks(2) == 2
    shown = captain.http.get(f"/teams/{team_id}/uploads").json()
    assert [one["status"] for one in shown] == ["receiving", "receiving"]
    assert all("It is fetched again in a minute" in one["message"] for one in shown)
