"""A registry that gives something else than was pushed: a sentence for the team, and never an image."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contract.ids import TeamId
from server.database import SessionFactory, unit_of_work
from server.registry.service import Pushed, Repository, note
from server.settings import Settings
from tests.sandbox.archives import LAYER, config, digest
from tests.server.conftest import Person
from tests.server.registries import key_in
from worker.score.images import check_waiting
from worker.score.pushes import take_pushed

Answer = tuple[int, dict[str, str], bytes]
_CONFIG = config(LAYER)


def _descriptor(data: bytes, **more: Any) -> dict[str, Any]:
    return {"digest": digest(data), "size": len(data), **more}


def _manifest(**changes: Any) -> bytes:
    content = {"schemaVersion": 2, "config": _descriptor(_CONFIG), "layers": [_descriptor(LAYER)]}
    return json.dumps(content | changes).encode()


@pytest.fixture
def gives(
    settings: Settings, tmp_path: Path, captain: Person, team_id: str, sessions: SessionFactory
) -> Iterator[Callable[..., dict[str, Any]]]:
    """What a push shows whose registry gives this manifest, and `layer` as the answer to who asks for the layer."""
    served: dict[str, Answer] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = served.get(self.path.rpartition("/")[2], (404, {}, b""))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_DELETE(self) -> None:
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    own = settings.model_copy(update={"registry_url": url, "registry_key": key_in(tmp_path)})

    def push(
        manifest: bytes, layer: Answer = (200, {}, LAYER), also: bytes = b"", *, checked: bool = False
    ) -> dict[str, Any]:
        name = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        served[digest(also)] = (200, {}, also)
        served.update({name: (200, {}, manifest), digest(_CONFIG): (200, {}, _CONFIG), digest(LAYER): layer})
        with unit_of_work(sessions) as session:
            assert note(session, Pushed(Repository(TeamId(UUID(team_id)), "model"), "v1", name)) is not None
        take_pushed(sessions, own)
        if checked:
            check_waiting(sessions, own)
        shown: dict[str, Any] = captain.http.get(f"/teams/{team_id}/uploads").json()[0]
        return shown

    yield push
    server.shutdown()
    server.server_close()


def test_what_is_given_as_pushed_waits_for_its_check(gives: Callable[..., dict[str, Any]]) -> None:
    assert gives(_manifest())["status"] == "checking"


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ((200, {}, LAYER[:-1] + b"x"), "has another digest"),
        ((200, {}, LAYER + b"x"), "bytes, and the manifest"),
        ((302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""), "another address"),
        ((404, {}, b""), "no longer has"),
    ],
)
def test_a_registry_that_lies_is_not_asked_again(
    layer: Answer, said: str, gives: Callable[..., dict[str, Any]], team_id: str, captain: Person
) -> None:
    shown = gives(_manifest(), layer)
    assert (shown["status"], shown["code"]) == ("rejected", "registry_failed")
    assert said in shown["message"]
    assert captain.http.get(f"/teams/{team_id}/images").json() == []


@pytest.mark.parametrize(
    "layer", [(200, {"Content-Length": str(len(LAYER))}, LAYER[:100]), (503, {}, b"down")]
)
def test_a_registry_that_stops_is_asked_again(layer: Answer, gives: Callable[..., dict[str, Any]]) -> None:
    shown = gives(_manifest(), layer)
    assert (shown["status"], shown["code"]) == ("receiving", "registry_failed")
    assert "in a minute" in shown["message"]


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
    manifest: bytes, said: str, gives: Callable[..., dict[str, Any]]
) -> None:
    shown = gives(manifest)
    assert shown["status"] == "rejected"
    assert said in shown["message"]


def test_a_layer_that_is_compressed_with_zstd_is_refused_with_a_sentence(
    gives: Callable[..., dict[str, Any]],
) -> None:
    layer = b"\x28\xb5\x2f\xfd" + bytes(100)
    shown = gives(_manifest(layers=[_descriptor(layer)]), also=layer, checked=True)
    assert shown["status"] == "rejected"
    assert "zstd" in shown["message"]


def test_of_an_index_the_image_for_amd64_is_fetched_alone(gives: Callable[..., dict[str, Any]]) -> None:
    missing = [
        _descriptor(b"arm", platform={"os": "linux", "architecture": "arm64"}),
        _descriptor(b"proof", annotations={"vnd.docker.reference.type": "attestation-manifest"}),
    ]
    shown = gives(json.dumps({"schemaVersion": 2, "manifests": missing}).encode())
    assert shown["status"] == "checking"  # nothing else was asked for, and the check says what is wrong
