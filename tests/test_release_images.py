"""Images of a release: the archive says nothing of the day and the engine that made it, and loses nothing of them."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import components, release_images
from worker.embedded.data import CHECKOUT

MOMENT = 1_777_636_800
CAPABLE = {"SCHILY.xattr.security.capability": "cap_net_bind_service=ep"}


def layer(content: bytes, *, at: float) -> bytes:
    """A layer with a file, another name of it, one that was removed, and one with a capability."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("opt/program", "opt/.wh.gone", "opt/capable"):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), at
            member.pax_headers = CAPABLE if name.endswith("capable") else {}
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("opt/again")
        link.type, link.linkname, link.mtime = tarfile.LNKTYPE, "opt/program", at
        archive.addfile(link)
    return made.getvalue()


def saved(at: float, host: str) -> tarfile.TarFile:
    """What `docker save` writes of two images on one base, built at a moment."""
    base, upper = layer(b"base", at=0.0), layer(b"program", at=at)
    files = {"b/layer.tar": base, "s/layer.tar": upper}
    listed = []
    for name, layers in {"server": ["b/layer.tar", "s/layer.tar"], "worker": ["b/layer.tar"]}.items():
        config = {
            "architecture": "amd64",
            "created": f"2026-05-01T12:00:{at % 60:09.6f}Z",
            "container": host,
            "history": [{"created_by": "COPY"}],
            "config": {"Hostname": host, "Image": f"sha256:{host}", "User": "proctor", "Cmd": ["run"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(base).hexdigest()]},
        }
        files[f"{name}.json"] = json.dumps(config).encode()
        listed.append({"Config": f"{name}.json", "RepoTags": [f"proctor/{name}:1.0"], "Layers": layers})
    files["manifest.json"] = json.dumps(listed).encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    made.seek(0)
    return tarfile.open(fileobj=made)


def settled(at: float, host: str) -> bytes:
    made = io.BytesIO()
    with saved(at, host) as old, tarfile.open(fileobj=made, mode="w") as new:
        release_images.settle(old, new, MOMENT)
    return made.getvalue()


def test_the_same_files_give_the_same_archive_whenever_and_wherever_they_were_built() -> None:
    assert settled(MOMENT + 5.25, "here") == settled(MOMENT + 99.5, "there")


def test_every_layer_is_there_once_under_its_digest_with_all_that_it_held() -> None:
    with tarfile.open(fileobj=io.BytesIO(settled(MOMENT + 5.25, "here"))) as archive:
        content = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    server, worker = json.loads(content["manifest.json"])
    assert (server["RepoTags"], worker["RepoTags"]) == (["proctor/server:1.0"], ["proctor/worker:1.0"])
    assert server["Layers"][:1] == worker["Layers"]
    assert len(content) == 1 + 2 + 2, "a list, two configurations, two layers"
    for image in (server, worker):
        config = json.loads(content[image["Config"]])
        digests = [f"sha256:{hashlib.sha256(content[name]).hexdigest()}" for name in image["Layers"]]
        assert config["rootfs"]["diff_ids"] == digests
        assert config["created"] == "2026-05-01T12:00:00Z"
        assert (config["config"]["User"], config["config"]["Cmd"]) == ("proctor", ["run"])
    with tarfile.open(fileobj=io.BytesIO(content[server["Layers"][1]])) as upper:
        assert upper.getnames() == ["opt/program", "opt/.wh.gone", "opt/capable", "opt/again"]
        assert {one.mtime for one in upper} == {MOMENT}
        assert upper.getmember("opt/capable").pax_headers == CAPABLE
        assert upper.getmember("opt/again").linkname == "opt/program"
        assert upper.extractfile("opt/again").read() == b"program"  # type: ignore[union-attr]


def test_where_no_engine_answers_nothing_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    target = tmp_path / "images.tar.gz"
    with pytest.raises(release_images.ImagesNotBuilt, match="docker"):
        release_images.make(CHECKOUT, "1.0", "0" * 40, MOMENT, {}, target)
    assert list(tmp_path.iterdir()) == []


def test_what_is_packed_says_nothing_of_its_moment(tmp_path: Path) -> None:
    for name in ("one", "another"):
        with saved(MOMENT, "here") as old, release_images.packed(tmp_path / name) as new:
            release_images.settle(old, new, MOMENT)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "another").read_bytes()
    assert gzip.decompress((tmp_path / "one").read_bytes()) == settled(MOMENT, "here")


@pytest.mark.parametrize("name", release_images.NAMES)
def test_the_list_of_what_it_stands_on_holds_every_package_of_the_images(name: str) -> None:
    """The recipes name the extras whose packages they install."""
    recipe = (CHECKOUT / "docker" / f"{name}.Dockerfile").read_text()
    (extras,) = (line.split()[4:] for line in recipe.splitlines() if line.startswith("RUN sh /build/install"))
    words = [sys.executable, CHECKOUT / "docker" / "requirements.py", *extras]
    told = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    asked = {canonicalize_name(Requirement(line).name) for line in told.splitlines()}
    listed = {one["name"] for one in json.loads(components.bill(CHECKOUT, "1.0", "0" * 40))["components"]}
    assert asked
    assert asked - listed == set()
