"""Piling up what nobody needs: outputs sent again and again, images nobody removes, files of killed processes.

And the other way round: whatever happens at the same time, nothing that a row names is ever removed.
"""

import os
import random
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError

from server.backups import last_backup, note_backup
from server.blobs import FileStore
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.images.models import Image
from server.naming import naming
from server.settings import Settings
from server.storage.sweep import Swept, sweep
from tests.facts import image_facts
from tests.server.lab import Entrant, Json, Lab
from tests.server.organizer import Admin

DAYS = 3 * 86400


def _age(path: Path, seconds: float = DAYS) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def _old_blob(blobs: FileStore, content: bytes) -> str:
    digest = blobs.put(content)
    _age(blobs.path(digest))
    return digest


def _files(settings: Settings) -> list[Path]:
    return [one for one in settings.blobs.root.rglob("*") if one.is_file()]


def _sweep(lab: Lab) -> Swept:
    return sweep(lab.sessions, lab.settings)


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Lab:
    """The lab with a data folder in which nothing lies yet."""
    return Lab(lab.sessions, lab.settings.model_copy(update={"data": tmp_path}), lab.slug, lab.clients)


def test_a_sweep_removes_what_no_row_names_and_nothing_else(own: Lab, team: Entrant) -> None:
    chance, blobs = random.Random(7), own.settings.blobs  # noqa: S311 - which is which is no secret
    made = [_old_blob(blobs, chance.randbytes(40)) for _ in range(60)]
    chance.shuffle(made)
    layers, outputs, dropped, young, unnamed = (made[at : at + 12] for at in range(0, 60, 12))
    for digest in young:
        blobs.has(digest)
    with unit_of_work(own.sessions) as session:
        for config, layer in zip(layers[:6], layers[6:], strict=True):
            facts = image_facts(config, [layer, layers[-1]], sizes=40)
            session.add(Image(team_id=UUID(team.team), digest=config, facts=facts, size=80))
    for status, digests in (("scored", outputs[:6]), ("errored", outputs[6:]), ("rejected", dropped)):
        _finished(own, team, status, digests)
    assert _sweep(own).blobs == len(unnamed) + len(dropped)
    kept = {one for one in made if blobs.path(one).is_file()}
    assert kept == {*layers, *outputs, *young}
    assert _sweep(own) == Swept()


def _finished(lab: Lab, team: Entrant, status: str, outputs: list[str]) -> None:
    """An evaluation that ended two days ago, whose cases have these outputs."""
    evaluation = UUID(team.submit())
    with unit_of_work(lab.sessions) as session:
        ended = func.now() - timedelta(days=2)
        session.execute(
            update(Evaluation).where(Evaluation.id == evaluation).values(status=status, finished_at=ended)
        )
        runs = list(session.scalars(select(CaseRun).where(CaseRun.evaluation_id == evaluation)))
        for at, digest in enumerate(outputs):
            runs[at % len(runs)].status = "done"
            if at < len(runs):
                runs[at].output = digest
            else:
                session.add(
                    CaseRun(
                        evaluation_id=evaluation,
                        case_id=runs[0].case_id,
                        position=1000 + at,
                        pseudonym="case",
                        status="done",
                        output=digest,
                    )
                )


def test_outputs_of_an_evaluation_that_has_just_been_cancelled_stay_for_an_hour(
    own: Lab, team: Entrant
) -> None:
    digest = _old_blob(own.settings.blobs, b"an output of an evaluation that is cancelled just now")
    _finished(own, team, "cancelled", [digest])
    with unit_of_work(own.sessions) as session:
        session.execute(
            update(Evaluation).where(Evaluation.status == "cancelled").values(finished_at=func.now())
        )
    assert _sweep(own).blobs == 0
    assert own.settings.blobs.path(digest).is_file()


def test_whoever_finds_a_blob_before_it_goes_keeps_it(tmp_path: Path) -> None:
    blobs = FileStore(tmp_path)
    digest = _old_blob(blobs, b"a layer")
    before = time.time() - 3600
    assert blobs.has(digest)
    assert blobs.take_unused(digest, before=before) is None
    assert blobs.path(digest).read_bytes() == b"a layer"
    _age(blobs.path(digest))
    taken = blobs.take_unused(digest, before=before)
    assert taken is not None
    assert taken.read_bytes() == b"a layer"
    assert not blobs.has(digest)
    assert blobs.take_unused(digest, before=before) is None


def test_a_sweep_that_was_killed_half_way_has_removed_nothing(own: Lab, team: Entrant) -> None:
    blobs = own.settings.blobs
    digest = _old_blob(blobs, b"a layer")
    with unit_of_work(own.sessions) as session:
        facts = image_facts(digest, [digest], sizes=7)
        session.add(Image(team_id=UUID(team.team), digest=digest, facts=facts, size=7))
    blobs.path(digest).rename(blobs.root / "incoming" / f"removed-{digest[7:]}")
    assert _sweep(own).blobs == 0
    assert blobs.has(digest)


def test_a_row_that_is_about_to_name_a_blob_is_waited_for(
    own: Lab, team: Entrant, sessions: SessionFactory
) -> None:
    """The row is not committed yet when the sweep begins, and nobody has touched the blob for days."""
    import threading

    digest = _old_blob(own.settings.blobs, b"a layer")
    swept: list[Swept] = []
    thread = threading.Thread(target=lambda: swept.append(_sweep(own)))
    with unit_of_work(sessions) as session:
        naming(session)
        facts = image_facts(digest, [digest], sizes=7)
        session.add(Image(team_id=UUID(team.team), digest=digest, facts=facts, size=7))
        session.flush()
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "the sweep waits"
    thread.join()
    assert swept == [Swept()]
    assert own.settings.blobs.has(digest)


def test_no_verdict_waits_while_large_files_are_deleted(own: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [_old_blob(own.settings.blobs, os.urandom(9)) for _ in range(3)]
    waited = list[bool]()
    unlink = Path.unlink

    def slowly(path: Path, missing_ok: bool = False) -> None:
        with own.sessions() as session:
            session.execute(text("SET lock_timeout = 200"))
            try:
                naming(session)
            except OperationalError:
                waited.append(True)
            else:
                waited.append(False)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", slowly)
    assert _sweep(own) == Swept(blobs=3, bytes=27)
    assert waited == [False] * 3
    assert not any(own.settings.blobs.path(one).exists() for one in digests)


def test_nothing_is_removed_while_a_backup_is_made(own: Lab) -> None:
    digest = _old_blob(own.settings.blobs, b"what the rows of the backup name")
    with own.settings.blobs.still():
        assert _sweep(own).blobs == 0
        assert own.settings.blobs.path(digest).is_file()
    assert _sweep(own).blobs == 1


def test_an_output_that_is_sent_again_takes_the_place_of_the_last(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    before = len(_files(lab.settings))
    for number in range(6):
        worker.output(lease, f"0.{number}\n".encode())
    assert len(_files(lab.settings)) == before + 1
    digest = worker.output(lease, b"0.5\n")
    body = {"fault": None, "message": "valid", "seconds": 1.0, "output": digest}
    assert worker.call("POST", lease, "finish", json=body).status_code == 204
    assert lab.settings.blobs.path(digest).read_bytes() == b"0.5\n"
    assert len(_files(lab.settings)) <= before + 1


def test_leases_that_are_handed_back_pile_up_no_outputs(lab: Lab, team: Entrant) -> None:
    team.submit()
    before, cases = len(_files(lab.settings)), set[str]()
    for number in range(12):
        worker = lab.worker(
            f"slot-{number}"
        )  # another each time: one that hands back again and again gets a pause
        lease = worker.take()
        cases.add(lease["case_run"])
        worker.output(lease, f"{number}\n".encode())
        assert worker.release(lease) == 204
    assert len(_files(lab.settings)) <= before + len(cases)
    for case_run in cases:
        _age(lab.settings.blobs.root / "incoming" / f"output-{case_run}", 7200)
    assert sweep(lab.sessions, lab.settings).files >= len(cases)
    assert len(_files(lab.settings)) <= before


def test_files_of_killed_processes_go_and_those_in_use_stay(own: Lab, team: Entrant) -> None:
    settings, own_id = own.settings, uuid4()
    evaluation = team.submit()
    with unit_of_work(own.sessions) as session:
        row = session.get_one(Evaluation, UUID(evaluation))
        row.status, row.scoring_claim_no = "scoring", 2
        row.scoring_lease_until = func.now() + timedelta(minutes=1)
    (settings.blobs.root / "incoming").mkdir(parents=True)
    dead = [
        settings.blobs.root / "incoming" / "tmpabc",
        settings.uploads / str(own_id),
        settings.scratch / f"{evaluation}-1" / "manifest.json",
        settings.scratch / f"{uuid4()}-1" / "manifest.json",
    ]
    alive = [settings.blobs.root / "incoming" / "tmpdef", settings.scratch / f"{evaluation}-2" / "a.json"]
    for path in (*dead, *alive):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
    for path in dead:
        _age(path)
    assert _sweep(own) == Swept(files=4, bytes=400)
    assert not any(path.exists() for path in dead)
    assert all(path.exists() for path in alive)
    with unit_of_work(own.sessions) as session:
        session.get_one(Evaluation, UUID(evaluation)).status = "cancelled"


def test_when_the_last_backup_was_made_stays_known(own: Lab) -> None:
    made = datetime(2026, 11, 30, tzinfo=UTC)
    note_backup(own.settings.data, made)
    (noted,) = own.settings.uploads.iterdir()
    _age(noted)
    assert _sweep(own) == Swept()
    assert last_backup(own.settings.data) == made


def test_a_removed_image_frees_its_teams_storage_and_the_disk(
    lab: Lab, team: Entrant, entrant: Callable[[str], Entrant]
) -> None:
    layers = [_old_blob(lab.settings.blobs, os.urandom(50)) for _ in range(3)]
    images = [_old_blob(lab.settings.blobs, os.urandom(10)) for _ in range(2)]
    with unit_of_work(lab.sessions) as session:
        for digest, own in zip(images, (layers[:2], layers[1:]), strict=True):
            facts = image_facts(digest, own, sizes=50)
            session.add(Image(team_id=UUID(team.team), digest=digest, facts=facts, size=100))
    told = team.http.get(f"/teams/{team.team}/storage").json()
    assert (told["used"], told["images"], told["allowed"]) == (150, 150, lab.settings.team_storage)
    other = entrant("Others")
    assert other.http.get(f"/teams/{team.team}/storage").status_code == 404
    assert other.http.delete(f"/teams/{team.team}/images/{images[0]}").status_code == 404

    assert team.http.delete(f"/teams/{team.team}/images/{images[0]}").status_code == 204
    assert team.http.delete(f"/teams/{team.team}/images/{images[0]}").json()["code"] == "unknown_image"
    assert team.http.get(f"/teams/{team.team}/storage").json()["used"] == 100
    assert images[0] not in [one["digest"] for one in team.http.get(f"/teams/{team.team}/images").json()]
    refused = Entrant(team.http, team.slug, team.team, images[0]).post("task5")
    assert refused.json()["code"] == "unknown_image"
    assert [lab.settings.blobs.path(one).is_file() for one in layers] == [False, True, True], "at once"


def test_an_image_that_may_run_again_is_not_removed(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    path = f"/teams/{team.team}/images/{team.image}"
    told: Json = team.http.delete(path).json()
    assert (told["status"], told["code"]) == (409, "image_in_use")
    assert "queued" in told["detail"]
    assert team.http.post(f"/evaluations/{evaluation}/cancel").status_code == 200
    assert team.http.delete(path).status_code == 204


def test_data_is_closed_to_other_users(lab: Lab) -> None:
    lab.settings.blobs.put(b"something")
    for folder in (lab.settings.blobs.root, *lab.settings.blobs.folders()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_an_admin_sees_who_stores_what_and_sweeps(command: Admin, lab: Lab, team: Entrant) -> None:
    digest = _old_blob(lab.settings.blobs, b"of no use to anybody" * 1000)
    with unit_of_work(lab.sessions) as session:
        facts = image_facts(team.image, [team.image], sizes=3 * 2**30)
        session.execute(update(Image).where(Image.digest == team.image).values(facts=facts))
    shown = command("storage")
    assert shown.exit_code == 0, shown.output
    assert "free for uploads" in shown.output
    row = next(line for line in shown.output.splitlines() if team.slug in line)
    assert "The Team" in row
    assert "3.0 GiB" in row
    dry = command("sweep", "--dry-run")
    assert "would be removed" in dry.output
    assert lab.settings.blobs.path(digest).is_file()
    done = command("sweep")
    assert (done.exit_code, "blobs and" in done.output) == (0, True), done.output
    assert not lab.settings.blobs.path(digest).is_file()
