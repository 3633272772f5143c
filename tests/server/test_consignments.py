"""What organizers send where the server may not look: a score worker makes versions of it, all or nothing."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest
from click.testing import Result
from sqlalchemy import func, select, update

from contract.statuses import ConsignmentState
from server.app import create_app
from server.consignments import service
from server.consignments.models import CONSIGNMENT_MOVES, Consignment
from server.database import unit_of_work
from server.datasets.models import Dataset
from server.errors import Conflict
from server.events import Event
from server.settings import Settings
from server.storage.sweep import sweep
from tests.server.conftest import Person, serving
from tests.server.lab import Lab
from tests.server.organizer import Admin, ended, files_of, words, working_off
from tests.server.phantoms import SIDE, nifti, phantom
from tests.server.test_corrections import organizer, versions  # noqa: F401 - a fixture among them
from worker.score import consignments
from worker.score.consignments import work_off


@contextmanager
def without_labels(settings: Settings, place: Path) -> Iterator[str]:
    """The address of a server as compose.yaml starts it: with inputs, uploads and blobs, and no references."""
    place.mkdir()
    for name in ("inputs", "uploads", "blobs"):
        (settings.data / name).mkdir(exist_ok=True)
        (place / name).symlink_to(settings.data / name)
    with serving(create_app(settings.model_copy(update={"data": place}))) as url:
        yield url
    assert not (place / "references").exists()


def test_a_server_that_sees_no_labels_has_versions_made_as_one_that_does(
    lab: Lab,
    organizer: httpx.Client,  # noqa: F811
    command: Admin,
    imported: Callable[..., Result],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.references.mkdir(exist_ok=True)
    made = phantom(tmp_path, "task2", cases=5)
    monkeypatch.setenv("PROCTOR_TOKEN", organizer.headers["Authorization"].removeprefix("Bearer "))
    files = []
    for number in (1, 2):
        mask = np.zeros((SIDE,) * 3, np.int16)
        mask[2:5, 2:5, number] = 1
        (tmp_path / f"{number}.nii.gz").write_bytes(nifti(mask))
        files += ["--label-file", f"sub-0{number}={tmp_path / f'{number}.nii.gz'}"]
    with without_labels(settings, tmp_path / "blind") as there, working_off(lab):
        place = ("--challenge", lab.slug, "--task", "task2", "--phase", "validation", "--accept")
        sent = command("import-dataset", made.root, *place, "--server", there)
        assert f"{lab.slug} validation task2: imported, 5 cases, sha256:" in words(sent), sent.output
        old = versions(organizer, lab, "task2")["active"]
        wanted = ("--challenge", lab.slug, "--why", "drawn anew", "--withdraw", "sub-05", *files)
        corrected = command(
            "correct-dataset", old["digest"][7:15], *wanted, "--accept", "--yes", "--server", there
        )
    assert "Against" in words(corrected), corrected.output
    for said in ("1 case removed: sub-05", "2 cases with another label: sub-01, sub-02", "In force"):
        assert said in words(corrected)
    assert "in force again, 5 cases" in words(imported(made, "--accept", "--yes")), (
        "as it is read there itself"
    )
    for shown in ("datasets", "events --challenge"):
        told = words(command(*shown.split(), lab.slug))
        assert " Olga " in told, "people are called by name"
        assert "user:" not in told
    trees = settings.references / lab.slug / "validation" / "task2"
    sweep(lab.sessions, settings)
    assert len(list(trees.iterdir())) == 2, (
        "those in between were dropped by a server that cannot remove labels"
    )


def test_who_dies_over_a_consignment_leaves_nothing_and_another_takes_it(
    lab: Lab,
    organizer: httpx.Client,  # noqa: F811
    stranger: Person,
    imported: Callable[..., Result],
    settings: Settings,
    tmp_path: Path,
) -> None:
    imported(phantom(tmp_path, "task5"), "--yes")
    dataset = versions(organizer, lab, "task5")["active"]
    path = f"/organize/{lab.slug}/datasets/{dataset['id']}/corrections"

    def send() -> Consignment:
        answer = organizer.post(path, json={"why": "a reader erred", "withdraw": ["sub-01"], "accept": True})
        assert answer.status_code == 202, answer.text
        with unit_of_work(lab.sessions) as session:
            return session.get_one(Consignment, UUID(answer.json()["id"]))

    def let_die() -> None:
        """A score worker takes it, and is not heard of again."""
        with unit_of_work(lab.sessions) as session:
            claimed = service.claim(session)
            assert claimed is not None
        with unit_of_work(lab.sessions) as session:
            session.execute(update(Consignment).values(lease_until=func.now() - timedelta(seconds=1)))

    sent = send()
    let_die()
    where = f"/organize/{lab.slug}/consignments/{sent.id}"
    assert organizer.get(where).json()["state"] == "waiting", "for another one"
    before = files_of(settings)
    with unit_of_work(lab.sessions) as session:
        assert service.claim(session) is not None
    assert organizer.get(where).json()["state"] == "working"
    with pytest.raises(Conflict):  # the first one was slow, not dead, and comes to its end now
        consignments.made(lab.sessions, settings, sent.id, 1)
    consignments.work_one_off(lab.sessions, settings, sent.id, 2)
    with unit_of_work(lab.sessions) as session:
        query = select(Dataset).where(Dataset.imported_by == f"user:{organizer.get('/me').json()['id']}")
        (version,) = session.scalars(query)
        events = select(Event.new).where(Event.subject_id == sent.id).order_by(Event.id)
        assert list(session.scalars(events)) == ["waiting", "working", "working", "done"]
    left = {folder.parent for folder in files_of(settings) - before if folder.name == "references.csv"}
    (orphan,) = {folder for folder in left if folder.name != Path(version.folder).name}
    sweep(lab.sessions, settings)
    assert orphan.exists(), "it may be that it is just being made"
    os.utime(orphan, (0, 0))
    sweep(lab.sessions, settings)
    assert not orphan.exists()
    assert (settings.references / version.folder).is_dir()

    require_given_up(lab, settings, send(), let_die, organizer, stranger)


def require_given_up(
    lab: Lab,
    settings: Settings,
    sent: Consignment,
    let_die: Callable[[], None],
    organizer: httpx.Client,  # noqa: F811
    stranger: Person,
) -> None:
    """What two score workers died over is refused, and swept once nobody waits for it."""
    let_die()
    let_die()
    place = settings.uploads / f"cases-{sent.id}"
    os.utime(place, (0, 0))
    sweep(lab.sessions, settings)
    assert place.is_dir(), "it waits"
    assert work_off(lab.sessions, settings) == 0
    where = f"/organize/{lab.slug}/consignments/{sent.id}"
    assert organizer.get(where).json()["refused"]["code"] == "consignment_lost"
    assert stranger.http.get(where).json()["code"] == "organizers_only"
    sweep(lab.sessions, settings)
    assert not place.exists()


def test_what_came_of_one_is_told_for_a_week_and_few_wait_at_once(
    lab: Lab,
    organizer: httpx.Client,  # noqa: F811
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.references.mkdir(exist_ok=True)
    place = {"phase": "validation", "task": "task5"}
    monkeypatch.setattr(service, "_MOST_WAITING", 1)
    answer = organizer.post(f"/organize/{lab.slug}/datasets", params=place, content=b"no archive")
    full = organizer.post(f"/organize/{lab.slug}/datasets", params=place, content=b"no archive")
    assert (full.status_code, full.json()["code"]) == (429, "too_many_consignments")
    told = ended(lab, organizer, answer)
    assert (told["state"], told["made"], told["refused"]["code"]) == ("refused", None, "cases_archive")
    with unit_of_work(lab.sessions) as session:
        old = func.now() - timedelta(days=8)
        session.execute(update(Consignment).where(Consignment.id == UUID(told["id"])).values(ended_at=old))
        service.forget(session)
    told = organizer.get(f"/organize/{lab.slug}/consignments/{told['id']}").json()
    assert (told["state"], told["refused"]) == ("refused", None)
    assert set(CONSIGNMENT_MOVES) == set(ConsignmentState)
