"""What stands where in an image, looked at from outside: links stay inside, and nothing is opened."""

import os
from pathlib import Path

import pytest

from sandbox.engines import EngineRefused, EngineSlow
from sandbox.engines._image_files import LinksInACircle, copy_folder, path_stat, resolved


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "real").mkdir()
    (root / "etc/passwd").write_text("root:x:0:0\n")
    (tmp_path / "secret").write_text("of the host")
    os.mkfifo(root / "real/group")
    for link, target in {
        "etc/group": "/proc/self/fd/1",
        "etc/out": "../../../../secret",
        "etc/absolute": "/etc/passwd",
        "etc/far": "near",
        "etc/near": "/real/group",
        "folder": "real",
        "round": "about",
        "about": "round",
    }.items():
        (root / link).symlink_to(target)
    return root


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("/etc/group", "/proc/self/fd/1"),
        ("/etc/out", "/secret"),
        ("/etc/absolute", "/etc/passwd"),
        ("/etc/far", "/real/group"),
        ("/folder/group", "/real/group"),
        ("/../../etc//./passwd", "/etc/passwd"),
        ("/nowhere/../etc/passwd", "/etc/passwd"),
    ],
)
def test_a_path_ends_inside(root: Path, path: str, ends: str) -> None:
    assert resolved(root, path, last=True) == ends


def test_the_last_link_is_told_and_those_before_it_are_followed(root: Path) -> None:
    file, link = path_stat(root, "/etc/passwd"), path_stat(root, "/etc/group")
    pipe, folder = path_stat(root, "/folder/group"), path_stat(root, "/folder")
    assert (file and file.size, file and file.link, file and file.special) == (11, None, False)
    assert (link and link.link, link and link.special) == ("/proc/self/fd/1", False)
    assert pipe is not None
    assert pipe.special
    assert folder is not None
    assert folder.link == "/real"
    assert path_stat(root, "/etc/nothing") is None
    assert path_stat(root, "/etc/passwd/below") is None
    assert path_stat(root, "/secret") is None, "it is outside"


def test_links_in_a_circle_are_refused(root: Path) -> None:
    with pytest.raises(LinksInACircle):
        path_stat(root, "/round/x")
    with pytest.raises(OSError, match="name too long"):
        path_stat(root, "/" + "x" * 300)


def test_a_folder_is_copied_as_it_is(root: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir(0o777)
    (root / "etc").chmod(0o750)
    os.mkfifo(root / "etc/pipe")
    copy_folder(root / "etc", disk, 30)
    assert (disk / "out").readlink() == Path("../../../../secret"), "no link is followed"
    assert (disk / "passwd").read_text() == "root:x:0:0\n"
    assert (disk / "pipe").is_fifo(), "no pipe is opened"
    assert disk.stat().st_mode & 0o777 == 0o750
    copy_folder(root / "nowhere", disk, 30)
    copy_folder(root / "etc/passwd", disk, 30)


def test_what_does_not_fit_is_refused_and_what_takes_too_long_is_slow(root: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineRefused, match="No such file"):
        copy_folder(root / "etc", tmp_path / "nowhere" / "disk", 30)
    with pytest.raises(EngineSlow):
        copy_folder(root / "etc", tmp_path, 0)
