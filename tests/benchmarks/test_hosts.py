"""The hosts that are compared: what each state of them fetches, with the worker's own steps and the real engine."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import hosts
from benchmarks.support.hosts import bench_host, write_images
from contract.images import ImageFacts
from sandbox.archive import DirectorySink, check_archive
from tests.worker.lease_server import LeaseServer, serving
from tests.worker.slots import CHALLENGE, LIMITS

PROGRAM = b"import sys\nopen(sys.argv[sys.argv.index('--output') + 1], 'w').write('0.5')\n"


@pytest.fixture
def top() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as name:
        top = Path(name)
        top.chmod(0o711)
        yield top


def _served(top: Path) -> tuple[dict[str, bytes], list[ImageFacts]]:
    """The blobs of two images, and what a check finds of them."""
    sink = DirectorySink(top / "blobs")
    found = []
    for archive in write_images(top, PROGRAM, megabytes=1, count=2):
        with archive.open("rb") as file:
            found.append(check_archive(file, limit=2**32, sink=sink))
    blobs = {}
    for digest in {digest for facts in found for digest in facts.blobs}:
        with sink.open(digest) as blob:
            blobs[digest] = blob.read()
    return blobs, found


def _megabytes(label: str) -> float:
    match = re.search(r": ([\d,.]+) MB", label)
    assert match is not None, label
    return float(match[1].replace(",", ""))


@pytest.mark.long
def test_each_state_of_a_host_fetches_what_it_lacks(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "ROUNDS", 1)
    blobs, (first, second) = _served(top)
    assert first.layers[:-1] == second.layers[:-1]
    assert first.layers[-1] != second.layers[-1]
    scan = bytes(3_000_000)
    with serving(LeaseServer(CHALLENGE, LIMITS, first.digest)) as lab:
        lab.blobs = blobs
        with bench_host(top / "host", lab.url, "token") as host:
            handles = []
            for facts in (first, second):
                lab.facts = facts
                lab.add("method", data=scan)
                handles.append(host.lease())
            try:
                found = hosts.compared(host, handles[0], handles[1])
            finally:
                host.forget(*handles)
            shares = host.engine.knows_layers
    fetched = [(_megabytes(one.ours.label), _megabytes(one.other.label)) for one in found]
    whole = first.size / 1e6
    (inputs, cold), (warm, _), (shared, again) = fetched
    assert cold == pytest.approx(whole + 3, abs=0.2)
    assert (inputs, again) == pytest.approx((whole, whole), abs=0.2)
    assert (warm, shared) == pytest.approx((0, 0 if shares else whole), abs=0.2)
