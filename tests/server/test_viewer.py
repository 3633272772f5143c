"""Single cases as they are drawn: which way is right, what outlines are around, and looks that are recorded."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import nibabel as nib
import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from sqlalchemy import select

from contract.cases import Plane
from contract.events import VIEWED, Subject
from evaluator.outputs import LabelMap, encode
from server.database import unit_of_work
from server.datasets.models import Case, Dataset
from server.evaluations.models import CaseRun
from server.events import Event
from server.settings import Settings
from server.viewer import files
from server.viewer.drawing import Outline, colour_of, draw, frame, inside, place_at
from server.viewer.png import png
from server.viewer.volumes import CannotDraw, Memory, Volume, read_volume, volume_of
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.phantoms import FOMO26, SIDE, mask, nifti, phantom
from tests.server.test_corrections import organizer, versions

__all__ = ["organizer"]

WINDOW = (0.0, 100.0)


def pixels(content: bytes) -> NDArray[np.uint8]:
    """A PNG file as a decoder of its own reads it."""
    file = io.BytesIO(content)
    assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    width = height = 0
    while head := file.read(8):
        length, name = struct.unpack(">I4s", head)
        data = file.read(length)
        assert struct.unpack(">I", file.read(4))[0] == zlib.crc32(name + data)
        if name == b"IHDR":
            width, height, *rest = struct.unpack(">IIBBBBB", data)
            assert rest == [8, 2, 0, 0, 0]
        if name == b"IDAT":
            rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + 3 * width)
            assert not rows[:, 0].any()
            found = rows[:, 1:].reshape(height, width, 3)
    return found


def marked(
    affine: NDArray[np.float64], shape: tuple[int, int, int], world: tuple[float, float, float]
) -> Volume:
    """A volume in which the voxel nearest to a place in millimetres is bright."""
    voxels = np.zeros(shape, np.int16)
    place = np.linalg.solve(affine, [*world, 1])[:3].round().astype(int)
    voxels[tuple(place)] = 100
    return volume_of(voxels, affine)


def bright(volume: Volume, plane: Plane) -> tuple[float, float]:
    """Where the bright voxel is drawn, as parts of the picture's width and height, in the slice that cuts it."""
    x, y, z = (int(index[0]) for index in np.nonzero(volume.voxels))
    picture = draw(volume, plane, (x, y, z), side=120, window=WINDOW, cross=False)
    rows, columns = np.nonzero(picture[:, :, 0] == 255)
    return columns.mean() / picture.shape[1], rows.mean() / picture.shape[0]


LAS = np.array([[-1, 0, 0, 9], [0, 2, 0, -20], [0, 0, 3, -30], [0, 0, 0, 1]], float)
RSA = np.array([[1, 0, 0, -9], [0, 0, 2, -20], [0, 3, 0, -30], [0, 0, 0, 1]], float)
"""One whose third axis runs to the front, and whose second runs to the head."""


@pytest.mark.parametrize(
    ("affine", "shape", "stored"), [(LAS, (20, 20, 20), "LAS"), (RSA, (20, 20, 20), "RSA")]
)
def test_the_patient_s_right_is_on_the_left_the_front_and_the_head_at_the_top(
    affine: NDArray[np.float64], shape: tuple[int, int, int], stored: str
) -> None:
    right_front_head = marked(affine, shape, (7.0, 14.0, 21.0))
    assert right_front_head.stored == stored
    assert right_front_head.oblique == 0
    for plane in Plane:
        column, row = bright(right_front_head, plane)
        assert column < 0.4, plane  # right, or in the sagittal plane the front
        assert row < 0.4, plane
    left_back_foot = marked(affine, shape, (-7.0, -14.0, -24.0))
    for plane in Plane:
        column, row = bright(left_back_foot, plane)
        assert (column > 0.6, row > 0.6) == (True, True), plane


def test_voxels_are_as_large_as_they_are_in_millimetres() -> None:
    volume = marked(LAS, (20, 20, 20), (7.0, 14.0, 21.0))
    assert volume.spacing == (1.0, 2.0, 3.0)
    assert volume.millilitres == pytest.approx(0.006)
    axial, coronal, sagittal = (frame(volume, plane, 300) for plane in Plane)
    assert (axial.width, axial.height) == (150, 300)
    assert (coronal.width, coronal.height) == (100, 300)
    assert (sagittal.width, sagittal.height) == (200, 300)


def test_an_oblique_volume_keeps_its_voxels_and_says_how_far_it_leans() -> None:
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    found = volume_of(voxels, affine)
    assert np.array_equal(found.voxels, voxels)
    assert (found.stored, round(found.oblique)) == ("RAS", 20)


def test_a_press_leads_to_the_voxel_that_is_drawn_there() -> None:
    volume = marked(RSA, (20, 20, 20), (7.0, 14.0, 21.0))
    place = inside(volume, tuple(int(index[0]) for index in np.nonzero(volume.voxels)))  # type: ignore[arg-type]
    for plane in Plane:
        picture = draw(volume, plane, place, side=120, window=WINDOW, cross=False)
        row, column = (int(found[0]) for found in np.nonzero(picture[:, :, 0] == 255))
        elsewhere = place_at(volume, plane, (0, 0, 0), 120, column, row)
        through = {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}[plane]
        assert [one for axis, one in enumerate(elsewhere) if axis != through] == [
            one for axis, one in enumerate(place) if axis != through
        ]
        assert place_at(volume, plane, place, 120, 10_000, 10_000)[through] == place[through]


def test_an_outline_is_the_rim_of_its_label_and_of_an_output_dashed() -> None:
    labels = np.zeros((30, 30, 1), np.uint8)
    labels[10:20, 10:20] = 1
    labels[12:14, 12:14] = 2
    image = volume_of(np.full((30, 30, 1), 50, np.int16), np.eye(4))
    drawn = draw(
        image,
        Plane.AXIAL,
        (0, 0, 0),
        side=30,
        window=WINDOW,
        outlines=(Outline(volume_of(labels, np.eye(4))),),
        order=(1, 2),
        cross=False,
    )
    of_first, of_second = ((drawn == np.array(colour_of(place))).all(axis=2) for place in (0, 1))
    assert of_second.sum() == 4
    assert of_first.sum() == 36 + 8, "the outer rim, and the one around the second label"
    dashed = draw(
        image,
        Plane.AXIAL,
        (0, 0, 0),
        side=30,
        window=WINDOW,
        outlines=(Outline(volume_of(labels, np.eye(4)), dashed=True),),
        order=(1, 2),
        cross=False,
    )
    assert 0 < (dashed == np.array(colour_of(0))).all(axis=2).sum() < of_first.sum()
    for stored in (labels, labels.astype(np.int16), labels.astype(np.float32)):
        assert volume_of(stored, np.eye(4)).labels == {0: 800, 1: 96, 2: 4}


def test_what_is_no_number_is_black_and_a_picture_is_a_sound_file() -> None:
    voxels = np.array([[[np.nan], [np.inf]], [[0.0], [50.0]]])
    drawn = draw(volume_of(voxels, np.eye(4)), Plane.AXIAL, (0, 0, 0), side=2, window=WINDOW, cross=False)
    assert sorted(drawn[:, :, 0].ravel().tolist()) == [0, 0, 127, 255]
    assert np.array_equal(pixels(png(drawn)), drawn)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8bnot", b"text", nifti(np.zeros((4, 4, 4), np.int16))[:60]])
def test_what_is_no_volume_is_not_drawn(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t1w.nii.gz"
    path.write_bytes(content)
    with pytest.raises((CannotDraw, OSError)):
        read_volume(path)


def test_what_was_read_is_kept_up_to_a_bound() -> None:
    memory, reads = Memory(most=3_000), list[str]()

    def read(key: str) -> Callable[[], Volume]:
        def volume() -> Volume:
            reads.append(key)
            return volume_of(np.zeros((10, 10, 10), np.uint8), np.eye(4))

        return volume

    for key in ("a", "b", "a", "c", "d", "a", "b"):
        memory.get(key, read(key))
    assert "".join(reads) == "abcdb", "the one that was looked at longest ago goes"


@pytest.fixture
def drawn(
    imported: Callable[..., Result], lab: Lab, organizer: httpx.Client, tmp_path: Path
) -> tuple[str, list[Json]]:
    """A version with label maps: the path of its cases, and these."""
    imported(phantom(tmp_path, "task2"))
    version = versions(organizer, lab, "task2")["active"]["id"]
    path = f"/organize/{lab.slug}/datasets/{version}/cases"
    return path, organizer.get(path).json()


def looks(lab: Lab, subject: Subject, id_: str) -> list[tuple[str | None, str]]:
    with unit_of_work(lab.sessions) as session:
        query = select(Event.code, Event.actor).where(Event.subject == subject, Event.subject_id == UUID(id_))
        return [(row.code, row.actor) for row in session.execute(query.where(Event.what == VIEWED))]


def test_whoever_looks_at_a_case_is_in_the_log_once_and_others_do_not_see_it(
    drawn: tuple[str, list[Json]], lab: Lab, organizer: httpx.Client, captain: Person, nobody: httpx.Client
) -> None:
    path, cases = drawn
    assert [case["name"] for case in cases] == ["sub-01", "sub-02", "sub-03", "sub-04"]
    one = f"{path}/{cases[1]['id']}"
    for http, code in ((captain.http, 403), (nobody, 401)):
        for address in (path, one, f"{one}/slices/axial"):
            answer = http.get(address)
            assert answer.status_code == code, address
            assert "sub-02" not in answer.text
    assert looks(lab, Subject.CASE, cases[1]["id"]) == []
    shown = organizer.get(one).json()
    for plane in Plane:
        answer = organizer.get(f"{one}/slices/{plane}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
        assert answer.headers["Cache-Control"] == "no-store"
        assert pixels(answer.content).shape == (300, 300, 3)
    ((code, _),) = looks(lab, Subject.CASE, cases[1]["id"])
    assert code == "labels"
    assert (shown["name"], shown["before"], shown["after"]) == ("sub-02", cases[0]["id"], cases[2]["id"])
    assert shown["image"]["shape"] == [SIDE] * 3
    assert shown["reference"]["outlined"]
    assert all(label["voxels"] > 0 for label in shown["reference"]["labels"])
    assert shown["groups"]["site"] == "A"


def test_where_labels_lie_elsewhere_the_image_is_drawn_and_the_page_of_facts_says_so(
    drawn: tuple[str, list[Json]], lab: Lab, organizer: httpx.Client, settings: Settings
) -> None:
    path, cases = drawn
    one = f"{path}/{cases[0]['id']}"
    with unit_of_work(lab.sessions) as session:
        folder = settings.references / session.get_one(Dataset, UUID(path.split("/")[4])).folder
    away = folder.with_name("away")
    with_label = pixels(organizer.get(f"{one}/slices/axial?cross=false&z=3").content)
    folder.rename(away)
    try:
        shown = organizer.get(one).json()
        without = pixels(organizer.get(f"{one}/slices/axial?cross=false&z=3").content)
    finally:
        away.rename(folder)
    assert shown["reference"]["labels"] == []
    assert "no way to" in shown["reference"]["note"]
    assert shown["groups"] == {}
    assert shown["image"] is not None
    coloured = [(picture.max(axis=2) != picture.min(axis=2)).sum() for picture in (with_label, without)]
    assert coloured[0] > 0
    assert coloured[1] == 0


def test_a_value_is_shown_as_it_is_and_an_output_beside_it(
    imported: Callable[..., Result],
    lab: Lab,
    organizer: httpx.Client,
    team: Entrant,
    tmp_path: Path,
) -> None:
    imported(phantom(tmp_path, "task5"))
    evaluation = team.submit()
    lab.worker().drain()
    version = versions(organizer, lab, "task5")["active"]["id"]
    path = f"/organize/{lab.slug}/datasets/{version}/cases"
    one = f"{path}/{organizer.get(path).json()[0]['id']}"
    shown: dict[str, Any] = organizer.get(one, params={"evaluation": evaluation}).json()
    assert shown["reference"]["text"] == "1"
    assert (shown["output"]["verdict"], shown["output"]["shown"]["text"]) == ("valid", "0.5\n")
    assert ("cases", *looks(lab, Subject.EVALUATION, evaluation)[0][1:]) in looks(
        lab, Subject.EVALUATION, evaluation
    )
    assert organizer.get(one, params={"evaluation": version}).status_code == 404
    assert organizer.get(f"{one}/slices/axial", params={"image": "none"}).json()["code"] == "unknown_case"


def read_nifti(content: bytes) -> nib.Nifti1Image:
    """A gzipped file, as a reader of somebody else's has it."""
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def volume_out(volume: Volume, stored: str, *, label: bool = False) -> nib.Nifti1Image:
    return read_nifti(b"".join(files.Packed(volume, stored, label).pieces()))


@pytest.mark.parametrize("stored", ["<i2", ">i2", "|u1", "|i1", "<u2"])
def test_a_volume_that_is_handed_out_says_what_the_file_said_in_the_same_place(stored: str) -> None:
    voxels = np.arange(60).reshape(3, 4, 5).astype(stored)
    volume = volume_of(voxels, LAS, slope=0.5, intercept=-3)
    out = volume_out(volume, stored[1:])
    before = nib.as_closest_canonical(nib.Nifti1Image(voxels.astype("<i2"), LAS))
    assert np.array_equal(out.affine, before.affine)
    assert np.array_equal(out.get_fdata(), before.get_fdata() * 0.5 - 3)
    assert out.header.get_data_dtype() == np.dtype(stored[1:])
    assert np.allclose(out.header.get_zooms(), volume.spacing)


def test_other_numbers_leave_as_real_ones_and_labels_as_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PIECE", 5)  # so that it comes in several pieces
    voxels = np.array([[[np.nan, 1e300, -2.5, 7.0]], [[0.25, 1.0, 2.0, 3.0]]])
    out = volume_out(volume_of(voxels, np.eye(4)), "f4").get_fdata()
    assert np.isnan(out[0, 0, 0])
    assert out[1, 0].tolist() == [0.25, 1.0, 2.0, 3.0]
    labels = volume_out(volume_of(np.array([[[0.0, 0.9999], [2.0001, 3.0]]]), np.eye(4)), "u1", label=True)
    assert np.asanyarray(labels.dataobj).ravel().tolist() == [0, 1, 2, 3]


def test_a_volume_is_for_whoever_may_see_it_and_the_look_is_in_the_log(
    drawn: tuple[str, list[Json]], lab: Lab, organizer: httpx.Client, captain: Person, nobody: httpx.Client
) -> None:
    path, cases = drawn
    one = f"{path}/{cases[1]['id']}/volumes"
    key = cases[1]["inputs"][0]
    for http, code in ((captain.http, 403), (nobody, 401)):
        for what in (key, "reference", "output", "nothing"):
            answer = http.get(f"{one}/{what}")
            assert answer.status_code == code, what
            assert answer.headers["Content-Type"] == "application/problem+json"
    assert looks(lab, Subject.CASE, cases[1]["id"]) == []
    image, label = organizer.get(f"{one}/{key}"), organizer.get(f"{one}/reference")
    for answer in (image, label):
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/gzip")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "sub-02" not in str(answer.headers)
    ((code, _),) = looks(lab, Subject.CASE, cases[1]["id"])
    assert code == "labels"
    scan, map_ = read_nifti(image.content), read_nifti(label.content)
    assert np.array_equal(scan.affine, map_.affine)
    assert scan.get_fdata().std() > 100
    labels = FOMO26.tasks["task2"].output.labels  # type: ignore[union-attr]
    assert np.array_equal(map_.get_fdata(), mask(labels, 2))
    assert organizer.get(f"{one}/nothing").json()["code"] == "unknown_case"
    assert organizer.get(f"{one}/output").json()["code"] == "unknown_evaluation"


def test_no_text_of_a_header_leaves(
    drawn: tuple[str, list[Json]], organizer: httpx.Client, lab: Lab, settings: Settings
) -> None:
    path, cases = drawn
    with unit_of_work(lab.sessions) as session:
        dataset = session.get_one(Dataset, UUID(path.split("/")[4]))
        case = session.get_one(Case, UUID(cases[2]["id"]))
        key, file = next(iter(case.files.items()))
        stored = settings.inputs / file["path"], settings.references / dataset.folder / "sub-03.nii.gz"
    secret = b"StMary"
    for kept in stored:  # as an older version or somebody's hand may have left them
        plain = bytearray(gzip.decompress(kept.read_bytes()))
        for start, size in ((4, 10), (14, 18), (148, 80), (228, 24), (328, 16)):
            plain[start : start + size] = secret.ljust(size)[:size]
        kept.chmod(0o600)
        kept.write_bytes(gzip.compress(bytes(plain) + secret))
    for what in (key, "reference"):
        answer = organizer.get(f"{path}/{cases[2]['id']}/volumes/{what}")
        assert answer.status_code == 200
        plain = bytearray(gzip.decompress(answer.content))
        assert secret not in plain
        assert not any(plain[4:40] + plain[148:252] + plain[328:344])


def test_an_output_leaves_beside_the_case_that_it_is_of(
    drawn: tuple[str, list[Json]], lab: Lab, organizer: httpx.Client, team: Entrant, captain: Person
) -> None:
    path, cases = drawn
    task = FOMO26.tasks["task2"]
    evaluation = team.submit("task2")
    voxels = mask(task.output.labels, 1)[::-1].astype(np.uint8)  # type: ignore[union-attr]
    content = encode(task, LabelMap(voxels, np.diag([1.0, 1, 1, 1])))
    with unit_of_work(lab.sessions) as session:
        query = select(CaseRun).where(CaseRun.evaluation_id == UUID(evaluation))
        runs = {str(run.case_id): run for run in session.scalars(query)}
        runs[cases[0]["id"]].output = lab.settings.blobs.put(content)
    one = f"{path}/{cases[0]['id']}/volumes/output?evaluation="
    assert captain.http.get(f"{one}{evaluation}").status_code == 403
    assert looks(lab, Subject.EVALUATION, evaluation) == []
    answer = organizer.get(f"{one}{evaluation}")
    assert answer.status_code == 200, answer.text
    assert np.array_equal(read_nifti(answer.content).get_fdata(), voxels)
    assert [code for code, _ in looks(lab, Subject.EVALUATION, evaluation)] == ["cases"]
    assert organizer.get(f"{one}{cases[0]['id']}").status_code == 404
    none = organizer.get(f"{path}/{cases[1]['id']}/volumes/output?evaluation={evaluation}")
    assert (none.status_code, none.json()["code"]) == (422, "cannot_draw")


def test_what_is_no_volume_or_too_large_is_not_handed_out(
    imported: Callable[..., Result],
    lab: Lab,
    organizer: httpx.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported(phantom(tmp_path, "task5"))
    version = versions(organizer, lab, "task5")["active"]["id"]
    path = f"/organize/{lab.slug}/datasets/{version}/cases"
    case = organizer.get(path).json()[0]
    answer = organizer.get(f"{path}/{case['id']}/volumes/reference")
    assert (answer.status_code, answer.json()["code"]) == (422, "cannot_draw")
    assert "value" in answer.json()["detail"]
    assert not files.too_large((512, 512, 256))
    assert files.too_large((512, 512, 257))
    assert files.too_large((2049, 1, 1))
    monkeypatch.setattr(files, "LONGEST", SIDE - 1)
    answer = organizer.get(f"{path}/{case['id']}/volumes/{case['inputs'][0]}")
    assert (answer.status_code, answer.json()["code"]) == (422, "cannot_draw")


def test_one_case_is_corrected_by_its_id(
    drawn: tuple[str, list[Json]], lab: Lab, organizer: httpx.Client, captain: Person
) -> None:
    path, cases = drawn
    where = f"{path}/{cases[3]['id']}/correction"
    assert captain.http.post(where, json={"why": "x", "withdraw": True}).status_code == 403
    answer = organizer.post(where, json={"why": "moved", "withdraw": True, "accept": True})
    assert answer.status_code == 202, answer.text
    listed = organizer.get(f"/organize/{lab.slug}/consignments").json()
    assert [(one["kind"], one["state"], one["asked_by_name"]) for one in listed] == [
        ("correction", "waiting", "Olga")
    ]
    assert "sub-04" not in str(listed)
