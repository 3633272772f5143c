"""The platform on a bucket: images, leases, outputs, scores and sweeps; and that a store's fault is nobody's."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from contract.statuses import UploadStatus
from server.admin.installation import status
from server.blobs import BlobStore
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation, Trouble
from server.images.models import Image
from server.monitoring.gauges import Gauges
from server.settings import Settings
from server.storage.sweep import discard, sweep
from server.uploads.models import Upload
from tests.blobs.proxy import Proxy, Weather
from tests.blobs.servers import S3Server
from tests.sandbox.archives import LAYER, legacy, pack
from tests.sandbox.test_archive_programs import AMD, layer
from tests.server.conftest import Tus
from tests.server.lab import Entrant, Lab
from tests.server.test_scoring_faults import in_scoring
from tests.server.test_scoring_worker import LABELS, score, write_references
from worker.score.images import check_waiting
from worker.score.staging import without_keys

CLOSED = Weather(least=0, closed=True)


@pytest.fixture(autouse=True)
def _fair_weather(network: Proxy, sessions: SessionFactory) -> None:
    """The store answers, and nothing that another test left waits for a check."""
    network.weather = Weather()
    with unit_of_work(sessions) as session:
        waiting = update(Upload).where(Upload.status == UploadStatus.CHECKING)
        session.execute(waiting.values(status=UploadStatus.REJECTED))


def _troubles(lab: Lab, evaluation: str) -> list[str]:
    with unit_of_work(lab.sessions) as session:
        return [*session.scalars(select(Trouble.detail).where(Trouble.evaluation_id == UUID(evaluation)))]


def _files(settings: Settings) -> list[Path]:
    return [path for path in settings.blobs.root.rglob("*") if path.is_file() and path.name != "lock"]


def test_a_submission_goes_its_whole_way_through_the_bucket(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    worker = lab.worker()
    lease = worker.take()
    answer = worker.call("GET", lease, f"blobs/{team.image}")
    assert answer.content == f"configuration of The Team in {lab.slug}".encode()
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert worker.finish(lease).status_code == 204
    worker.drain()
    write_references(lab, evaluation, LABELS)
    assert score(lab, evaluation).status == "scored"
    assert team.quota()["spent"] == 1
    assert _files(lab.settings) == [], "nothing lies about on this machine"


def test_run_workers_ask_again_while_the_store_is_away_and_no_case_is_lost(
    lab: Lab, team: Entrant, network: Proxy
) -> None:
    evaluation = team.submit()
    worker = lab.worker()
    lease = worker.take()
    digest = worker.output(lease)
    network.weather = CLOSED
    body = {"fault": None, "message": "", "seconds": 1.0, "output": digest}
    for method, what, more in (
        ("GET", f"blobs/{team.image}", {}),
        ("PUT", "output", {"content": b"0.25\n"}),
        ("POST", "finish", {"json": body}),
    ):
        answer = worker.call(method, lease, what, **more)
        assert (answer.status_code, answer.json()["code"]) == (503, "blobs_away"), answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert network.endpoint not in answer.text
    assert worker.heartbeat(lease) == 204, "the case is its worker's still"
    network.weather = Weather()
    assert worker.call("POST", lease, "finish", json=body).status_code == 204
    worker.drain()
    assert team.evaluation(evaluation)["status"] == "scoring"
    assert _troubles(lab, evaluation) == []


def test_status_begins_with_a_store_that_is_away_and_a_figure_says_it(
    lab: Lab, settings: Settings, network: Proxy
) -> None:
    gauges = Gauges(settings, lab.sessions.kw["bind"], {})

    def seen() -> tuple[str, float]:
        shown = [metric for metric in gauges.collect() if metric.name == "proctor_blobs_answer"]
        with unit_of_work(lab.sessions) as session:
            return status(session, settings).to_do[0], shown[0].samples[0].value

    said, figure = seen()
    assert ("blob store" in said, figure) == (False, 1)
    network.weather = CLOSED
    said, figure = seen()
    assert ("blob store" in said, "nothing is uploaded, run or scored" in said, figure) == (True, True, 0)
    network.weather = Weather()
    said, figure = seen()
    assert ("blob store" in said, figure) == (False, 1)
    gauges.close()


def test_scoring_waits_for_the_store_and_counts_no_fault(lab: Lab, team: Entrant, network: Proxy) -> None:
    evaluation = in_scoring(lab, team)
    write_references(lab, evaluation, LABELS)
    network.weather = CLOSED
    for _ in range(5):
        found = score(lab, evaluation)
        assert (found.status, found.scoring_faults) == ("scoring", 0)
    network.weather = Weather()
    assert score(lab, evaluation).status == "scored"
    assert _troubles(lab, evaluation) == []
    assert team.quota()["spent"] == 1


def test_an_output_that_the_store_damaged_is_named_and_never_scored(
    lab: Lab, team: Entrant, on_swift: S3Server
) -> None:
    evaluation = in_scoring(lab, team)
    write_references(lab, evaluation, LABELS)
    digest = str(lab.runs(evaluation)[0].output)
    place, name = lab.settings.blobs_place, digest.removeprefix("sha256:")
    assert place is not None
    key = place.key(f"{name[:2]}/{name}")
    on_swift.client.put_object(Bucket=place.bucket, Key=key, Body=b"0.9\n")
    assert score(lab, evaluation).status == "scoring"
    assert [digest in said for said in _troubles(lab, evaluation)] == [True]
    on_swift.client.put_object(Bucket=place.bucket, Key=key, Body=b"0.5\n")
    assert score(lab, evaluation).status == "scored"
    assert team.quota()["spent"] == 1


def test_a_layer_that_the_store_damages_never_reaches_a_run_worker_whole(
    lab: Lab, team: Entrant, network: Proxy
) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    network.weather = Weather(least=30, flip=5)
    with pytest.raises(Exception, match="peer closed connection"):
        worker.call("GET", lease, f"blobs/{team.image}")
    network.weather = Weather()
    assert worker.call("GET", lease, f"blobs/{team.image}").status_code == 200


def _waits_again(sessions: SessionFactory, upload: str) -> Upload:
    """The upload, whose pause is over."""
    with unit_of_work(sessions) as session:
        row = session.get_one(Upload, UUID(upload))
        row.check_not_before = None
        return row


def test_an_archive_is_unpacked_beside_the_bucket_and_its_layers_lie_in_it(
    tus: Tus, slug: str, sessions: SessionFactory, settings: Settings, team_id: str
) -> None:
    data = pack(legacy(layer(("bin/sh", AMD))))
    for content in (data, data + bytes(10240)):
        upload = tus.upload(slug, content)
        assert check_waiting(sessions, settings) == 1
        assert tus.http.get(f"/uploads/{upload['id']}").json()["status"] == "ready"
    image = tus.http.get(f"/teams/{team_id}/images").json()[0]
    blobs: BlobStore = settings.blobs
    assert blobs.sizes(image["facts"]["layers"]) == dict(
        zip(image["facts"]["layers"], image["facts"]["layer_sizes"], strict=True)
    )
    assert blobs.has(image["digest"])
    assert _files(settings) == []


def test_who_reads_an_archive_is_not_told_how_the_store_is_asked() -> None:
    told = {
        "PATH": "/bin",
        "BLOBS_URL": "s3://b",
        "PROCTOR_BLOBS_SECRET_KEY": "hush",
        "PROCTOR_DATA": "/data",
    }
    assert without_keys(told.items()) == {"PATH": "/bin", "PROCTOR_DATA": "/data"}


def test_a_check_waits_for_the_store_however_often_it_is_away(
    tus: Tus, slug: str, sessions: SessionFactory, settings: Settings, network: Proxy
) -> None:
    upload = tus.upload(slug, pack(legacy(layer(("bin/sh", AMD)))) + bytes(20480))
    network.weather = CLOSED
    for _ in range(5):
        check_waiting(sessions, settings)
        row = _waits_again(sessions, upload["id"])
        assert (row.status, row.check_faults) == (UploadStatus.CHECKING, 0)
    assert _files(settings) == []
    network.weather = Weather()
    assert check_waiting(sessions, settings) == 1
    assert tus.http.get(f"/uploads/{upload['id']}").json()["status"] == "ready"


def test_an_archive_that_is_wrong_is_refused_as_without_a_bucket(
    tus: Tus, slug: str, sessions: SessionFactory, settings: Settings
) -> None:
    upload = tus.upload(slug, pack(legacy(LAYER) | {"manifest.json": b"[]"}))
    assert check_waiting(sessions, settings) == 1
    assert tus.http.get(f"/uploads/{upload['id']}").json()["status"] == "rejected"
    assert _files(settings) == []


def test_the_sweep_takes_from_the_bucket_what_no_row_names(lab: Lab, team: Entrant) -> None:
    blobs = lab.settings.blobs
    unnamed, young = blobs.put(b"nobody names it"), blobs.put(b"somebody is about to name it")
    assert sweep(lab.sessions, lab.settings, dry=True).blobs == 0, "all of it is young"
    with unit_of_work(lab.sessions) as session:
        facts = session.scalars(select(Image).where(Image.digest == team.image)).one().facts
    later = time.time() + 3600
    gone = discard(lab.sessions, blobs, [unnamed, *facts.blobs], before=later)
    assert (gone.blobs, gone.bytes) == (1, len(b"nobody names it"))
    assert [blobs.has(one) for one in (unnamed, young, *facts.blobs)] == [False, True, True, True]


def test_nothing_is_removed_from_the_bucket_while_a_backup_is_made(lab: Lab) -> None:
    blobs = lab.settings.blobs
    digest = blobs.put(b"an output that a backup is about to list")
    with blobs.still():
        assert discard(lab.sessions, blobs, [digest], before=time.time() + 3600).blobs == 0
    assert blobs.has(digest)


def test_settings_without_keys_or_bucket_are_refused(settings: Settings) -> None:
    base: dict[str, Any] = settings.model_dump() | {"DATABASE_URL": settings.database_url}
    base = {name: value for name, value in base.items() if name not in ("database_url", "blobs_url")}
    with pytest.raises(ValueError, match="BLOBS_URL needs PROCTOR_BLOBS_ACCESS_KEY"):
        Settings.model_validate(base | {"BLOBS_URL": "s3://bucket", "blobs_secret_key": None})
    with pytest.raises(ValueError, match="BLOBS_URL has to be s3://BUCKET"):
        Settings.model_validate(base | {"BLOBS_URL": "https://bucket"})
    assert Settings.model_validate(base | {"BLOBS_URL": ""}).blobs_place is None


def test_what_was_sent_under_a_lost_lease_is_named_by_no_verdict(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    worker = lab.worker()
    lease = worker.take()
    lab.expire(lease)
    assert worker.call("PUT", lease, "output", content=b"0.125\n").status_code == 409
    with unit_of_work(lab.sessions) as session:
        row = session.get_one(Evaluation, UUID(evaluation))
        assert not [run for run in row.runs if isinstance(run, CaseRun) and run.output]


def test_patience_and_place_come_from_the_settings(settings: Settings) -> None:
    place = settings.model_copy(update={"blobs_patience": 7.0}).blobs_place
    assert place is not None
    assert place == replace(place, patience=7.0)
    assert settings.blobs_secret_key is not None
    assert settings.blobs_secret_key.get_secret_value() not in repr(settings)
