"""What a run host keeps of hidden inputs: how much, who may read it, and when it goes."""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from tests.worker.lease_server import LeaseServer
from tests.worker.slots import Start, until
from worker.run.__main__ import app
from worker.run.host import HostFolder
from worker.run.input_cache import InputCache, Wiped

HERE, THERE = "https://here.example", "https://there.example"


class Downloads:
    """What was fetched, as from a server."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def add(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        self.files[name] = content
        return name

    def bring(self, cache: InputCache, name: str, target: Path) -> bytes:
        def fetch(part: Path) -> None:
            self.fetched.append(name)
            part.write_bytes(self.files[name])

        cache.bring(name, target, fetch)
        return target.read_bytes()


def test_an_input_is_fetched_once_and_stays_within_the_bound(tmp_path: Path) -> None:
    cache, downloads = InputCache(tmp_path / "cache", 250), Downloads()
    names = [downloads.add(bytes([number]) * 100) for number in range(3)]
    for turn, name in enumerate([names[0], names[1], names[0], names[2]]):
        assert downloads.bring(cache, name, tmp_path / str(turn)) == downloads.files[name]
        time.sleep(0.02)
    assert downloads.fetched == names, "the second use of the first one needed no download"
    kept = {path.name for path in (tmp_path / "cache").iterdir() if not path.suffix}
    assert kept == {names[0], names[2]}, "what was used longest ago went"
    assert (tmp_path / "1").read_bytes() == downloads.files[names[1]], "a case keeps what it has"


def test_two_slots_that_want_one_input_fetch_it_once(tmp_path: Path) -> None:
    downloads = Downloads()
    name = downloads.add(b"scan" * 1000)
    caches = [InputCache(tmp_path / "cache", 10**6) for _ in range(4)]
    threads = [
        threading.Thread(target=downloads.bring, args=[cache, name, tmp_path / str(number)])
        for number, cache in enumerate(caches)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert downloads.fetched == [name]


def test_a_download_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = InputCache(tmp_path / "cache", 10**6)

    def fetch(part: Path) -> None:
        part.write_bytes(b"half")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        cache.bring("0" * 64, tmp_path / "target", fetch)
    assert not (tmp_path / "target").exists()
    assert [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == []


def kept(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if not path.suffix)


@pytest.fixture
def any_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("any_umask")
@pytest.mark.parametrize("limit", [0, 10**6])
def test_nobody_but_the_worker_can_read_an_input(tmp_path: Path, limit: int) -> None:
    root, downloads = tmp_path / "cache", Downloads()
    InputCache(root, limit).serve(HERE)
    root.chmod(0o755)
    of_an_older_release = root / ("0" * 64)
    of_an_older_release.write_bytes(b"scan")
    of_an_older_release.chmod(0o444)
    cache = InputCache(root, limit)
    cache.serve(HERE)
    downloads.bring(cache, downloads.add(b"another scan"), tmp_path / "target")
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    data = [tmp_path / "target", *(path for path in root.iterdir() if path.suffix != ".lock")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in data} == {0o600}
    assert of_an_older_release.exists() == (limit > 0)


def test_with_a_bound_of_0_a_host_keeps_no_input(tmp_path: Path) -> None:
    downloads, before = Downloads(), InputCache(tmp_path / "cache", 10**6)
    name = downloads.add(b"scan")
    downloads.bring(before, name, tmp_path / "before")
    cache = InputCache(tmp_path / "cache", 0)
    assert cache.serve(HERE) == Wiped(1, 4), "what was kept goes when the worker starts"
    for turn in range(2):
        assert downloads.bring(cache, name, tmp_path / str(turn)) == b"scan"
    assert downloads.fetched == [name] * 3

    def fetch(part: Path) -> None:
        assert part == tmp_path / "last", "it is nowhere else at any time"

    cache.bring(name, tmp_path / "last", fetch)
    assert kept(tmp_path / "cache") == []


def test_inputs_of_another_server_go_when_a_worker_starts(tmp_path: Path) -> None:
    cache, downloads = InputCache(tmp_path / "cache", 10**6), Downloads()
    name = downloads.add(b"scan")
    assert cache.serve(HERE) == Wiped(0, 0)
    downloads.bring(cache, name, tmp_path / "target")
    assert cache.serve(HERE) == Wiped(0, 0)
    assert kept(tmp_path / "cache") == [name]
    assert cache.serve(THERE) == Wiped(1, 4)
    assert [
        path.name for path in (tmp_path / "cache").iterdir() if path.suffix not in (".lock", ".url")
    ] == []


def test_what_a_killed_worker_was_fetching_goes_and_what_a_living_one_fetches_stays(tmp_path: Path) -> None:
    root, downloads = tmp_path / "cache", Downloads()
    cache, cut_off = InputCache(root, 10**6), tmp_path / "cache" / f"{'z' * 64}-1.part"
    cut_off.write_bytes(b"half a scan")
    name = downloads.add(b"scan")

    def fetch(part: Path) -> None:
        assert InputCache(root, 10**6).wipe() == Wiped(0, 0)
        part.write_bytes(b"scan")

    cache.bring(name, tmp_path / "target", fetch)
    assert not cut_off.exists()
    assert kept(root) == [name]


def test_a_command_empties_the_cache_and_what_killed_workers_left(tmp_path: Path) -> None:
    host, downloads = HostFolder(tmp_path), Downloads()
    downloads.bring(InputCache(tmp_path / "inputs", 10**6), downloads.add(b"scan"), tmp_path / "target")
    os.close(host.take_slot("killed"))
    left = host.scratch("killed") / "case-1" / "inputs" / "t1w.nii.gz"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"scan")
    alive = host.take_slot("alive")
    ended = CliRunner().invoke(app, ["wipe"], env={"PROCTOR_WORKER_DIR": str(tmp_path)})
    os.close(alive)
    assert ended.exit_code == 0, ended.output
    assert "Removed 1 input files" in ended.output
    assert "workers that were killed had left: killed." in ended.output
    assert "Running: alive." in ended.output
    assert kept(tmp_path / "inputs") == []
    assert not left.exists()


def test_the_command_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = CliRunner().invoke(app, ["wipe", "--worker-dir", str(tmp_path / "absent")])
    assert absent.exit_code == 2
    assert "is no folder" in absent.output
    downloads = Downloads()
    downloads.bring(InputCache(tmp_path / "inputs", 10**6), downloads.add(b"scan"), tmp_path / "target")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    away = CliRunner().invoke(app, ["wipe", "--images", "--worker-dir", str(tmp_path)])
    assert away.exit_code == 1
    assert "Removed 1 input files" in away.output, "these need no engine"
    assert "The container engine does not answer" in away.output
    assert "Traceback" not in away.output


def test_a_slot_that_keeps_no_inputs_fetches_each_cases_own(
    lab: LeaseServer, start: Start, folder: Path
) -> None:
    cases = [lab.add("answers", data=b"a hidden scan")[0] for _ in range(2)]
    start(input_cache=0)
    assert [said.fault for said in lab.wait(*cases)] == [None, None]
    assert sum(lab.fetched.values()) == 2
    until(lambda: not list((folder / "worker" / "scratch").glob("*/*")))
    assert kept(folder / "worker" / "inputs") == []


def test_a_worker_whose_token_is_revoked_keeps_no_input(lab: LeaseServer, start: Start, folder: Path) -> None:
    (case,) = lab.add("answers", data=b"a hidden scan")
    with capture_logs() as logged:
        runner = start()
        lab.wait(case)
        assert kept(folder / "worker" / "inputs") == [hashlib.sha256(b"a hidden scan").hexdigest()]
        lab.add("hangs", data=b"another one")
        lab.tokens = set()
        runner.wake()
        until(lambda: kept(folder / "worker" / "inputs") == [])
        assert runner.refused
        until(lambda: "inputs_wiped" in [entry["event"] for entry in logged])
    until(lambda: not list((folder / "worker" / "scratch").glob("*/*")))


def test_what_somebody_else_put_into_the_folder_is_left_alone_and_hinders_nothing(tmp_path: Path) -> None:
    other, root = tmp_path / "other", tmp_path / "cache"
    other.write_bytes(b"of somebody else")
    other.chmod(0o644)
    root.mkdir()
    (root / "link").symlink_to(other)
    (root / "dangling").symlink_to(tmp_path / "nothing")
    (root / "folder").mkdir()
    cache, downloads = InputCache(root, 100), Downloads()
    assert stat.S_IMODE(other.stat().st_mode) == 0o644, "a link is not followed"
    for number in range(3):
        downloads.bring(cache, downloads.add(bytes([number]) * 80), tmp_path / str(number))
    assert cache.wipe() == Wiped(1, 80)
    assert {path.name for path in root.iterdir() if not path.suffix} == {"link", "dangling", "folder"}
