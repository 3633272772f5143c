"""Device nodes in an image are taken, as Docker takes them, but for those that a container could open."""

import io
import os
import tarfile
import uuid
from pathlib import Path

import pytest

from evaluator.spec import Challenge, Limits
from sandbox.archive import ArchiveInvalid, Bounds, DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.jobs import CaseJob, Slot
from sandbox.loading import load_image
from sandbox.run import run_case
from tests.hostile.tiny import Entry, entry, file, layer
from tests.sandbox.archives import config, legacy, pack
from tests.sandbox.sifs import partition, shell, sif, squashfs

ENGINES = ("docker",)

FOLDER = tarfile.DIRTYPE
NODES = {
    "memory": (tarfile.CHRTYPE, 1, 1),
    "kernel-log": (tarfile.CHRTYPE, 1, 11),
    "fuse": (tarfile.CHRTYPE, 10, 229),
    "kvm": (tarfile.CHRTYPE, 10, 232),
    "loop-control": (tarfile.CHRTYPE, 10, 237),
    "disk": (tarfile.BLKTYPE, 8, 0),
    "loop": (tarfile.BLKTYPE, 7, 0),
    "virtio-disk": (tarfile.BLKTYPE, 254, 0),
    "tty": (tarfile.CHRTYPE, 5, 0),
    "ptmx": (tarfile.CHRTYPE, 5, 2),
    "pts": (tarfile.CHRTYPE, 136, 0),
    "first-terminal": (tarfile.CHRTYPE, 4, 1),
    "serial": (tarfile.CHRTYPE, 4, 64),
    "nvidia": (tarfile.CHRTYPE, 195, 0),
}
OPENS = b"""#!/bin/sh
for word; do :; done
cd /nodes || exit 9
for node in *; do
    [ -b "$node" ] || [ -c "$node" ] || { echo "no node $node"; continue; }
    (: < "$node") 2>/dev/null && echo "read $node"
    (: > "$node") 2>/dev/null && echo "wrote $node"
done
[ -e /old.txt ] && echo "a whiteout hides nothing"
echo 0.25 > "$word"
"""


@pytest.mark.parametrize("profile", ["compatible", "strict"])
def test_no_node_of_an_image_can_be_opened(
    profile: str, engine: Engine, challenge: Challenge, limits: Limits, volume: Path, tmp_path: Path
) -> None:
    programs = [file(name, data) for name, data in shell().items() if isinstance(data, bytes)]
    nodes = [
        entry(f"nodes/{name}", kind, mode=0o666, devmajor=major, devminor=minor)
        for name, (kind, major, minor) in NODES.items()
    ]
    below = layer(*programs, file("usr/bin/python", OPENS), file("old.txt", os.urandom(8)))
    above = layer(*nodes, entry("old.txt", tarfile.CHRTYPE))
    archive = tmp_path / "image.tar"
    archive.write_bytes(
        pack(legacy(below, above, image=config(below, above, config={"Env": ["PATH=/usr/bin:/bin"]})))
    )
    sink = DirectorySink(tmp_path / "blobs")
    facts = check_archive(archive, limit=2**30, sink=sink, calls=(("python", "/app/predict.py"),))
    with (tmp_path / "canonical.tar").open("w+b") as canonical:
        write_canonical(facts, sink.open, canonical)
        canonical.seek(0)
        load_image(engine, canonical, facts.digest)
    task = challenge.tasks["task5"]
    job = CaseJob(
        name=f"proctor-{uuid.uuid4()}-1",
        image=facts.digest,
        task=task,
        task_name="task5",
        track="method",
        inputs={one.key: volume for one in task.all_inputs},
        pseudonym=uuid.uuid4().hex,
        limits=limits.model_copy(update={"profile": profile}),
        slot=Slot(),
        scratch=tmp_path / "scratch",
    )
    try:
        done = run_case(engine, job)
    finally:
        engine.remove_image(facts.digest)
    assert done.verdict.valid, (done.verdict, done.log)
    assert done.log.strip() in ("", "(empty)")


def console(name: str, major: int = 5, minor: int = 1) -> Entry:
    return entry(name, tarfile.CHRTYPE, devmajor=major, devminor=minor)


OPENING = {
    "the console": layer(console("lib/udev/devices/console")),
    "tunnels": layer(console("net/tun", 10, 200)),
    "numbers that are cut": layer(console("x", 4096 + 5, 2**20 + 1)),
    "another name of a node in dev": layer(
        console("dev/console"), entry("x", tarfile.LNKTYPE, "dev/console")
    ),
    "dev that is a link": layer(
        entry("x", tarfile.DIRTYPE), entry("dev", tarfile.SYMTYPE, "x"), console("dev/console")
    ),
    "a folder called like dev": layer(console("devices/console")),
}


@pytest.mark.parametrize("top", OPENING.values(), ids=OPENING)
def test_a_node_that_engines_let_containers_open_is_refused(top: bytes, tmp_path: Path) -> None:
    with pytest.raises(ArchiveInvalid, match=r"would open the host's .* \(`RUN rm …`\)") as caught:
        checked(tmp_path / "a", top)
    assert caught.value.code == "unsafe_device"
    with pytest.raises(ArchiveInvalid, match="would open a device of the host"):
        checked(tmp_path / "b", top, layer(*(file(f"f{number}") for number in range(60))), names=50)


def checked(folder: Path, *layers: bytes, names: int = 500_000) -> None:
    """Checks an image of these layers, of which so many names may be kept."""
    data = pack(legacy(*layers, image=config(*layers)))
    check_archive(io.BytesIO(data), limit=2**24, sink=DirectorySink(folder), bounds=Bounds(names=names))


def test_a_node_that_is_removed_or_covered_is_no_harm(tmp_path: Path) -> None:
    checked(tmp_path, layer(console("dev/console"), console("./dev/net/tun", 10, 200)))
    checked(tmp_path, layer(console("lib/console")), layer(file("lib/.wh.console")))
    checked(tmp_path, layer(console("lib/console")), layer(file("lib/.wh..wh..opq"), file("lib/x")))
    checked(tmp_path, layer(console("lib/console")), layer(file("lib/console", b"mine")))
    checked(tmp_path, layer(console("a/console")), layer(entry("a", tarfile.SYMTYPE, "b")))


def test_a_sif_file_keeps_its_devices_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "image.sif"
    for more, code in (("x/null c 666 0 0 1 3", None), ("x/console c 600 0 0 5 1", "unsafe_device")):
        path.write_bytes(sif(partition(squashfs({"x/y": b""}, more=[more]))))
        sink = DirectorySink(tmp_path / "blobs")
        if code is None:
            facts = check_archive(path, limit=2**24, sink=sink)
            with sink.open(facts.layers[0]) as data, tarfile.open(fileobj=data) as archive:
                found = archive.getmember("x/null")
            assert (found.type, found.devmajor, found.devminor, found.mode) == (tarfile.CHRTYPE, 1, 3, 0o666)
            continue
        with pytest.raises(ArchiveInvalid) as caught:
            check_archive(path, limit=2**24, sink=sink)
        assert caught.value.code == code
