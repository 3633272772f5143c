"""A bundle of a phase's results: what is in it, what is not, and that its boards follow from it alone."""

import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import delete, select, update

from contract.accounts import Scope
from contract.ids import TokenId, UserId
from evaluator.bundle import BundleError, unpacked
from evaluator.bundle import recompute as recomputed
from evaluator.comparison import read_entrants
from evaluator.scoring import (
    Extras,
    FairnessReport,
    GroupReport,
    Report,
    VariableReport,
    score_board,
)
from evaluator.spec import load_challenge
from server.accounts.principals import Operator
from server.bundles import service
from server.bundles.private import published
from server.bundles.state import folders_of
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.errors import StorageFull
from server.evaluations.models import Evaluation
from server.evaluations.result_models import BoardReport, Score
from server.events import Event
from server.settings import Settings
from server.teams.models import Team
from tests.abuse.small_disk import fill, free, mounted
from tests.evaluator import datasets
from tests.evaluator.test_wheel import PYPROJECT, ROOT, closure, link
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words
from tests.server.seeded import settle

CASES, RUNS = 12, 3
NAMES = ("Ada/Bob", "Cyd", "Dee", "Zero")
Entrants = Callable[[str], Entrant]


def scored(folder: Path) -> dict[str, dict[str, Report]]:
    """What scoring makes of four teams on a board with labels of two classes, and on one of label maps."""
    stream = np.random.default_rng(5)
    labels, names = np.arange(CASES) % 2, [f"sub-{number:02}" for number in range(CASES)]
    truth = stream.integers(0, 2, (CASES, 4, 4, 4))
    found: dict[str, dict[str, Report]] = {}
    for number, team in enumerate(NAMES):
        for task in ("task1", "task2"):
            made = datasets.Dataset(folder / team.replace("/", "_") / task, datasets.fomo26(), task)
            for at, case in enumerate(names):
                if task == "task1":
                    made.reference(case, label=int(labels[at]), site="AB"[at % 4 // 2])
                    made.predict(
                        case, float(1 / (1 + np.exp(-stream.normal(labels[at] * (2 - number / 2), 1))))
                    )
                else:
                    made.reference_map(case, truth[at])
                    flip = stream.random((4, 4, 4)) < 0.05 * (number + 1)
                    made.predict(case, np.where(flip, 1 - truth[at], truth[at]))
            files = made.save(), made.references, made.predictions
            found.setdefault(team, {})[task] = score_board(made.challenge, task, *files)
    del found["Dee"]["task2"]
    return found


@dataclass(frozen=True)
class Bundled:
    """A season, and its bundle as it came."""

    lab: Lab
    teams: Mapping[str, Entrant]
    archive: bytes

    def unpack(self, folder: Path) -> Path:
        folder.mkdir()
        (folder / "bundle.zip").write_bytes(self.archive)
        unpack_into(folder / "bundle.zip", folder)
        return next(path for path in folder.iterdir() if path.is_dir())

    def bundle(self, admin: Person) -> BytesIO:
        return BytesIO(bundle_of(self.lab, admin))


def bundle_of(lab: Lab, admin: Person) -> bytes:
    answer = admin.http.get(f"/organize/{lab.slug}/phases/validation/bundle", timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/zip"
    return answer.content


def unpack_into(packed: Path, folder: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Report]]:
    return scored(tmp_path_factory.mktemp("scored"))


@pytest.fixture
def bundled(
    lab: Lab, entrant: Entrants, admin: Person, reports: Mapping[str, Mapping[str, Report]]
) -> Bundled:
    teams = {name: entrant(name) for name in NAMES}
    for task in ("task1", "task2"):
        lab.dataset(task, cases=RUNS)
        for name, team in teams.items():
            if task in reports[name]:
                settle(lab, team, {task: reports[name][task]}, task=task)
    assert admin.http.patch(f"/admin/teams/{teams['Zero'].team}", json={"baseline": True}).is_success
    teams["Cyd"].submit("task1")  # waits
    return Bundled(lab, teams, bundle_of(lab, admin))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the evaluator and, by links, what it declares: nothing of the platform."""
    site = tmp_path_factory.mktemp("alone")
    for name in closure(PYPROJECT["dependencies"]):
        link(distribution(name), site)
    (site / "evaluator").symlink_to(ROOT / "evaluator")
    return site


def run_alone(alone: Path, module: str, *arguments: object) -> tuple[int, str]:
    """Exit code and words of a module in a process that finds nothing but the evaluator."""
    program = (
        f"import sys, runpy; sys.path.append({str(alone)!r}); sys.argv = {[module, *map(str, arguments)]!r}\n"
        "from importlib.util import find_spec\n"
        "assert not any(map(find_spec, ('server', 'contract', 'sqlalchemy', 'pyarrow', 'cryptography')))\n"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def edit(path: Path, change: Callable[[Any], object]) -> None:
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def swap(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new, 1))


def is_found_out(folder: Path) -> bool:
    """Whether something is said of a bundle; nothing but its own error may be raised."""
    try:
        return bool(recomputed(folder).differences)
    except BundleError:
        return True


def check_torn(folder: Path) -> None:
    """Files that are cut short, or hold nothing."""
    looked_for = (
        "bundle.json",
        "boards/leaderboard.json",
        "made.json",
        "receipts/keys.json",
        "challenge.yaml",
    )
    for name in (*looked_for, "scores.csv", "reports/Cyd/open/task1.json"):
        whole = (folder / name).read_bytes()
        for content in (b"{}", whole[: len(whole) // 2] + b"\xff", b'{"tracks": ' + b"[" * 100_000):
            (folder / name).write_bytes(content)
            assert is_found_out(folder), (name, content[:9])
        (folder / name).write_bytes(whole)


def check_escape(folder: Path) -> None:
    """What is made again is written nowhere but where it is compared."""
    board, outside = folder / "boards" / "leaderboard.json", f"escaped-{uuid4().hex}"
    whole = board.read_text()
    edit(board, lambda told: told["tracks"][1].update(track=f"../../{outside}"))
    assert is_found_out(folder)
    assert list(Path(tempfile.gettempdir()).glob(f"{outside}*")) == []
    board.write_text(whole)


def changes(folder: Path) -> dict[str, Callable[[], None]]:
    """Ways to change a bundle, by what is said of each."""
    report = folder / "reports" / "Cyd" / "open" / "task1.json"
    return {
        "reports/Cyd/open/task1.json: auroc is 0.5": lambda: edit(
            report, lambda told: told["metrics"]["auroc"].update(value=0.5)
        ),
        "and 'Ada/Bob' follows": lambda: edit(
            folder / "boards" / "leaderboard.json",
            lambda told: told["tracks"][1]["certainty"]["winners"].__setitem__(0, "Dee"),
        ),
        "reports/Cyd/open/task2.json: value of dsc": lambda: edit(
            report.with_name("task2.json"), lambda told: told["per_case"]["dsc"].__setitem__(3, 0.25)
        ),
        "scores.csv: ": lambda: swap(folder / "scores.csv", ",dsc,0.", ",dsc,0.1"),
        "boards/leaderboard.csv: ": lambda: swap(
            folder / "boards" / "leaderboard.csv", ",dsc,0.", ",dsc,0.1"
        ),
        "cases.csv: is not what follows": lambda: swap(folder / "cases.csv", ",dsc,case-", ",dsc,case-0"),
        "its signature is by none": lambda: edit(
            next((folder / "receipts").glob("0*.json")),
            lambda told: told["statement"].update(image="sha256:0"),
        ),
    }


def sums(folder: Path) -> None:
    """Whoever changes a file changes its checksum, too."""
    names = [line.partition("  ")[2] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_the_boards_of_a_bundle_follow_from_it_alone_and_what_was_changed_is_found(
    bundled: Bundled, admin: Person, alone: Path, tmp_path: Path
) -> None:
    folder = bundled.unpack(tmp_path / "one")
    code, said = run_alone(alone, "evaluator", "recompute", tmp_path / "one" / "bundle.zip")
    assert code == 0, said
    assert "Everything agrees to the last digit" in said
    assert "Signatures were not checked" in said, "the evaluator alone has no cryptography"
    found = recomputed(folder)
    assert found.differences == ()
    assert found.rounded == 0
    assert found.receipts == len(NAMES) * 2 - 1
    counts = {
        board.board: (board.entries, board.values, board.signed, board.intervals) for board in found.boards
    }
    # One is exact: it counts pairs of cases, whose labels are not here.
    assert counts == {"task1": (4, [0, 4], 4, [3, 4]), "task2": (3, [6, 6], 6, [6, 6])}
    assert [note for note in found.notes if note.endswith("fault ended: 1.")]

    again = bundled.bundle(admin)
    with zipfile.ZipFile(tmp_path / "one" / "bundle.zip") as one, zipfile.ZipFile(again) as two:
        assert one.namelist() == two.namelist()
        other = [name for name in one.namelist() if one.read(name) != two.read(name)]
    assert [Path(name).name for name in other] == ["made.json"]

    for table in folder.glob("*.parquet"):
        table.unlink()
    assert run_alone(alone, "evaluator.bundle", folder) == (0, "")
    assert "None: pyarrow was not installed" in (folder / "README.md").read_text()
    assert not list(folder.glob("*.parquet"))
    assert recomputed(folder).differences == ("SHA256SUMS: is not the one that made.json is about",)

    shutil.rmtree(folder)
    unpack_into(tmp_path / "one" / "bundle.zip", folder.parent)
    swap(folder / "METHODS.md", "cases", "patients")
    assert recomputed(folder).differences == (
        "METHODS.md: its content is not the one in SHA256SUMS",
        "METHODS.md: is not what follows from the other files",
    )
    check_torn(folder)
    check_escape(folder)
    for said, change in changes(folder).items():
        shutil.rmtree(folder)
        unpack_into(tmp_path / "one" / "bundle.zip", folder.parent)
        change()
        sums(folder)
        told = recomputed(folder).differences
        assert any(said in difference for difference in told), (said, told)
        assert any("made.json is about" in difference for difference in told), "the sums were signed"
        assert not any("its content is not" in difference for difference in told)


def check_tables(folder: Path) -> None:
    """Cases can be followed from team to team, and every form of a table says the same."""
    with (folder / "cases.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (row["board"], row["metric"]) == ("task2", "dsc")]
    by_team: dict[str, list[str]] = {}
    for row in rows:
        by_team.setdefault(row["team"], []).append(row["case"])
    assert by_team["Ada/Bob"] == by_team["Cyd"], "a case can be followed from team to team"
    assert {row["verdict"] for row in rows[:CASES]} == {"valid", "timeout", ""}
    assert all(0 <= float(row["value"]) <= 1 for row in rows)
    table = pq.read_table(folder / "cases.parquet").to_pylist()
    mine = [row for row in table if (row["board"], row["metric"]) == ("task2", "dsc")]
    assert [(row["team"], row["case"], row["value"]) for row in mine] == [
        (row["team"], row["case"], float(row["value"])) for row in rows
    ]
    ranked = read_entrants(load_challenge(folder / "challenge.yaml"), folder / "reports")
    assert [entrant.team for entrant in ranked["open"]] == ["Ada_Bob", "Cyd", "Dee", "Zero"]


def test_an_archive_that_cannot_be_unpacked_has_its_sentence(tmp_path: Path) -> None:
    def packed(**changes: int) -> Path:
        with zipfile.ZipFile(tmp_path / "one.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bundle/bundle.json", " ".join(map(str, range(1000))))
            for name, value in changes.items():
                setattr(archive.filelist[0], name, value)
        return tmp_path / "one.zip"

    def said(path: Path) -> str:
        with pytest.raises(BundleError) as told, unpacked(path):
            pass
        return str(told.value)

    damaged = bytearray(packed().read_bytes())
    damaged[100:140] = bytes(40)
    (tmp_path / "damaged.zip").write_bytes(damaged)
    assert "while decompressing" in said(tmp_path / "damaged.zip")
    assert "compression method" in said(packed(compress_type=99))
    assert "encrypted" in said(packed(flag_bits=1))
    assert "it unpacks to 1,000,000,000,000,000,000 bytes" in said(packed(file_size=10**18))


def test_a_bundle_tells_what_a_paper_needs_and_names_neither_cases_nor_persons(
    bundled: Bundled,
    admin: Person,
    person: Callable[..., Person],
    command: Admin,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder, lab = bundled.unpack(tmp_path / "one"), bundled.lab
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    readme = (folder / "README.md").read_text()
    for name in names - {"README.md"}:
        listed = (
            name.split("/")[0] if name.startswith(("reports/", "receipts/", "figures/", "boards/")) else name
        )
        assert listed in readme or "challengeR" in name, f"the README does not explain {name}"
    assert "Not complete" in readme
    assert ", task1: queued" in readme
    assert {"report.html", "METHODS.md", "comparison.json", "challengeR/open_higher_is_better.csv"} <= names
    assert {"figures/open-places.svg", "amendments.json", "commitments.json", "replicates.parquet"} <= names
    every = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    assert b"sub-0" not in every
    assert b"@example.org" not in every
    made = json.loads((folder / "made.json").read_text())["statement"]
    assert re.fullmatch(r"\d+:[0-9a-f]{64}", made["audit_head"])

    check_tables(folder)

    monkeypatch.setenv("PROCTOR_HOLD_ENDS", "false")
    out = tmp_path / "named"
    asked = ("bundle", lab.slug, "validation", "--out", out)
    assert "Give --yes" in words(command(*asked, "--with-case-names"))
    done = command(*asked, "--with-case-names", "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["files"] == len(names)
    assert "sub-07" in (out / "cases.csv").read_text()
    assert "do not publish" in (out / "README.md").read_text()
    assert "nothing is overwritten" in words(command(*asked))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["named", "one"], "nothing half is left"

    watcher = person()
    role = {"email": watcher.email, "role": "observer", "yes": True}
    assert admin.http.put(f"/organize/{lab.slug}/organizers", json=role).is_success
    path = f"/organize/{lab.slug}/phases/validation/bundle"
    refused = watcher.http.get(path, params={"case_names": True})
    assert (refused.status_code, refused.json()["code"]) == (403, "organizers_only")
    assert admin.http.get(f"/organize/{lab.slug}/phases/nothing/bundle").json()["code"] == "unknown_phase"
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug).id
        told = session.scalars(
            select(Event.what).where(Event.subject_id == challenge).order_by(Event.created_at)
        ).all()
    assert [what for what in told if "bundle" in str(what)] == [
        "bundle made: validation",
        "bundle made: validation, with the names of cases",
    ]


def test_a_bundle_that_the_disk_has_no_room_for_leaves_nothing(
    lab: Lab, admin: Person, command: Admin, settings: Settings, tmp_path: Path
) -> None:
    full = settings.model_copy(update={"disk_reserve": 2**60})
    user = Operator(
        id=UserId(UUID(int=0)),
        name="tests",
        is_admin=True,
        scopes=frozenset(Scope),
        token_id=TokenId(UUID(int=0)),
    )
    with pytest.raises(StorageFull, match=r"needs .* MiB or more on the server's disk .* room for 0.0 MiB"):
        service.make(lab.sessions, service.Asked(user, lab.slug, "validation", False), settings=full)
    assert list(settings.uploads.glob("bundle-*")) == []
    whole = tmp_path / "whole.zip"
    asked = ("bundle", lab.slug, "validation", "--out")
    assert command(*asked, whole).exit_code == 0
    with zipfile.ZipFile(whole) as archive:
        files = sum(member.file_size for member in archive.infolist())
    for room in (
        3000,
        whole.stat().st_size + 1024 + files,
    ):  # none for the archive; all but for the ends of blocks
        with mounted(2**21) as disk:
            fill(disk / "ballast", free(disk) - room)
            said = words(command(*asked, disk / "bundle"))
            assert re.search(
                r"needs .* \([\d,]+ bytes\) in .*, and .* \([\d,]+ bytes\) are free there", said
            ), said
            assert sorted(path.name for path in disk.iterdir()) == ["ballast", "lost+found"]


def test_groups_of_few_persons_and_names_of_cases_do_not_leave() -> None:
    groups = {
        name: GroupReport(
            size=size, subjects=size, enough=True, values={"auroc": 0.5}, intervals={"auroc": None}
        )
        for name, size in (("F", 4), ("M", 5))
    }
    variable = VariableReport(disparity=0.1, worst="F", worst_value=0.4, enough=True)
    fairness = FairnessReport(
        of="auroc",
        value=0.5,
        low=None,
        high=None,
        chance=None,
        uninformative=False,
        variables={"sex": variable},
    )
    extras = Extras(
        dataset="sha256:0",
        other_affine=("sub-1",),
        spacing_mm=((1.0, 1.0, 1.0),),
        groups={"sex": groups},
        fairness={"fair": fairness},
    )
    report = Report(board="task7", cases=("sub-1",), per_case={}, metrics={}, extras=extras)
    told = published(report, {"sub-1": "case-a"}.__getitem__)
    assert told.cases == told.extras.other_affine == ("case-a",)
    assert told.extras.spacing_mm is None
    assert list((told.extras.groups or {})["sex"]) == ["M"]
    (found,) = (told.extras.fairness or {})["fair"].variables.values()
    assert (found.worst, found.worst_value, found.disparity) == (None, None, 0.1)


def test_teams_have_folders_of_their_own_whatever_they_are_called() -> None:
    called = ("A/B", "A_B", "a_b", "Trailing.", "é" * 100)
    teams = [Team(id=uuid4(), name=name) for name in called]
    folders = list(folders_of(teams).values())
    assert folders[:4] == ["A_B", "A_B 2", "a_b 3", "Trailing"]
    assert len(folders[4].encode()) <= 120


def test_boards_of_probes_follow_too_and_reports_of_other_settings_are_said_to_be_left_out(
    lab: Lab, entrant: Entrants, admin: Person, tmp_path: Path
) -> None:
    """Their probe is smaller than the challenge's: places follow all the same, and a page of them would mislead."""
    lab.dataset("task6", cases=RUNS)
    for name, distance in (("Near", 1.0), ("Far", 3.0)):
        made = datasets.embeddings(tmp_path / name, distance=distance, per_class=16)
        files = made.save(), made.references, made.predictions
        reports = {board: score_board(made.challenge, board, *files) for board in ("task6", "task7")}
        settle(lab, entrant(name), reports, task="task6")
    folder = Bundled(lab, {}, bundle_of(lab, admin)).unpack(tmp_path / "one")
    found = recomputed(folder)
    assert found.differences == ()
    counts = {board.board: (board.entries, board.values[0], board.intervals[0]) for board in found.boards}
    assert counts == {"task6": (2, 0, 0), "task7": (2, 0, 0)}
    board = json.loads((folder / "boards" / "leaderboard.json").read_text())["tracks"][1]
    assert board["certainty"]["warnings"], "fairness has something to be said of"
    assert "**Left out.**" in (folder / "README.md").read_text()
    assert not (folder / "report.html").exists()


def test_a_bundle_without_all_reports_says_which_are_missing_and_what_helps(
    bundled: Bundled, admin: Person
) -> None:
    asked = f"/organize/{bundled.lab.slug}/phases/validation/bundle"
    with unit_of_work(bundled.lab.sessions) as session:
        of_team = select(Evaluation.id).where(Evaluation.team_id == UUID(bundled.teams["Cyd"].team))
        score = session.scalars(
            select(Score).where(Score.board == "task2", Score.evaluation_id.in_(of_team))
        ).first()
        assert score is not None
        id_, evaluation, kept = score.id, score.evaluation_id, score.replicates

    def refused() -> dict[str, Any]:
        answer = admin.http.get(asked, timeout=120)
        assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
        return dict(answer.json())

    def put(numbers: bytes) -> None:
        with unit_of_work(bundled.lab.sessions) as session:
            session.execute(update(Score).where(Score.id == id_).values(replicates=numbers))

    put(kept[:-3])
    found = refused()
    assert found["code"] == "data_missing"
    assert f"Cyd on board task2 (evaluation {evaluation})" in found["detail"]
    assert "re-evaluation" in found["detail"]
    put(b"")
    assert bundle_of(bundled.lab, admin), "a value without replicates is one without an interval"
    put(kept)
    with unit_of_work(bundled.lab.sessions) as session:
        session.execute(delete(BoardReport).where(BoardReport.evaluation_id == evaluation))
    assert f"(evaluation {evaluation})" in refused()["detail"]
