"""An installation from a bundle: what does not fit is said in a sentence, and nothing half-done stays."""

import fcntl
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import bundle
from scripts.bundled import checks, installer
from scripts.bundled.checks import OURS

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "1f0c9a2b3c4d" * 3 + "5e6f"
WORKS = '#!/bin/sh\necho "proctor-admin 0.1.0"\n'
# Builds an editable installation of one program without any package.
BACKEND = f"""
import zipfile
from pathlib import Path

def build_editable(folder, settings=None, metadata=None):
    name = "proctor-0.1.0-py3-none-any.whl"
    about = "proctor-0.1.0.dist-info"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr(about + "/METADATA", "Metadata-Version: 2.1\\nName: proctor\\nVersion: 0.1.0\\n")
        wheel.writestr(about + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        program = zipfile.ZipInfo("proctor-0.1.0.data/scripts/proctor-admin")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, {WORKS!r})
        wheel.writestr(about + "/RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "proctor"
version = "0.1.0"
"""
Change = Callable[[Path], object]


def small_bundle(folder: Path, **about: object) -> Path:
    """A bundle of a project without packages or images, laid out and sealed as a real one."""
    folder.mkdir(parents=True)
    with tarfile.open(folder / "source.tar.gz", "w:gz") as source:
        for name, text in {
            "pyproject.toml": PROJECT,
            "backend.py": BACKEND,
            "README.md": "Proctor\n",
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            source.addfile(member, io.BytesIO(text.encode()))
    (folder / "wheels").mkdir()
    (folder / "wheels" / "requirements.txt").write_text("")
    bundle.lay_installer(folder)
    bundle.describe(folder, "0.1.0", COMMIT, [])
    told = {**json.loads((folder / "bundle.json").read_text()), **about}
    (folder / "bundle.json").write_text(json.dumps(told, indent=2))
    bundle.seal(folder)
    return folder


def installed(
    folder: Path, target: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [str(folder / "install"), "--offline", "--to", str(target), *(options or ("--engine", "none"))]
    env = {**os.environ, "PYTHON": sys.executable, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_it_installs_and_the_same_command_again_changes_nothing(tmp_path: Path) -> None:
    folder, target = small_bundle(tmp_path / "a bundle"), tmp_path / "new" / "proctor"
    done = installed(folder, target)
    assert done.returncode == 0, done.stderr
    assert f"cd {target}" in done.stdout
    assert (target / "README.md").is_file()
    assert (target / ".venv" / ".project").stat().st_mtime >= (target / "pyproject.toml").stat().st_mtime
    assert not (target / ".installing").exists()
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    again = installed(folder, target)
    assert again.returncode == 0, again.stderr
    assert "already" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "source.tar.gz").write_bytes(b"other"), "source.tar.gz is damaged"),
        (lambda folder: (folder / "wheels" / "requirements.txt").unlink(), "requirements.txt is missing"),
        (lambda folder: (folder / "wheels" / "evil-1.0-py3-none-any.whl").touch(), "is not of the bundle"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "Unpack the archive again"),
        (lambda folder: (folder / "bundle.json").unlink(), "Unpack the archive again"),
    ],
    ids=["damaged", "missing", "added", "no sums", "no description"],
)
def test_a_bundle_that_is_not_as_it_was_made_is_refused(tmp_path: Path, change: Change, said: str) -> None:
    folder = small_bundle(tmp_path / "bundle")
    change(folder)
    refused = installed(folder, tmp_path / "proctor")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "proctor").exists()


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"machine": "riscv64"}, f"for Linux on riscv64; this is linux on {platform.machine()}"),
        ({"python": "3.99"}, "for Python 3.99; found"),
        ({"glibc": "2.999"}, "needs glibc 2.999 or newer"),
        ({"installed_bytes": 10**18}, "GiB are needed"),
    ],
    ids=["machine", "python", "glibc", "disk"],
)
def test_a_machine_that_it_does_not_suit_is_told_why(
    tmp_path: Path, about: dict[str, object], said: str
) -> None:
    refused = installed(small_bundle(tmp_path / "bundle", **about), tmp_path / "proctor")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert not (tmp_path / "proctor").exists()


def test_a_folder_that_holds_something_else_stays_as_it_is(tmp_path: Path) -> None:
    folder, target = small_bundle(tmp_path / "bundle"), tmp_path / "theirs"
    target.mkdir()
    (target / "thesis.tex").write_text("Years of work")
    refused = installed(folder, target)
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert [path.name for path in target.iterdir()] == ["thesis.tex"]
    inside = installed(folder, folder / "proctor")
    assert "lies in the bundle" in inside.stderr
    (target / "thesis.tex").unlink()
    (target / ".offline").write_text("another commit\n")
    assert "another version of Proctor" in installed(folder, target).stderr


def test_what_fails_on_the_way_leaves_nothing_and_what_was_killed_is_begun_anew(tmp_path: Path) -> None:
    folder, target = small_bundle(tmp_path / "bundle"), tmp_path / "proctor"
    (folder / "wheels" / "requirements.txt").write_text("absent==1.0 --hash=sha256:" + "0" * 64 + "\n")
    bundle.seal(folder)
    failed = installed(folder, target)
    assert failed.returncode == 1
    assert "absent" in failed.stderr
    assert not target.exists()
    (folder / "wheels" / "requirements.txt").write_text("")
    bundle.seal(folder)
    (target / "half").mkdir(parents=True)
    (target / ".installing").write_text(f"{OURS}{COMMIT}\n")
    done = installed(folder, target)
    assert done.returncode == 0, done.stderr
    assert not (target / "half").exists()
    assert not (target / ".installing").exists()


@pytest.mark.parametrize("content", ["", "brew", f"# {OURS}"])
def test_a_file_of_another_program_is_not_taken_for_a_killed_installation(
    tmp_path: Path, content: str
) -> None:
    folder, target = small_bundle(tmp_path / "bundle"), tmp_path / "theirs"
    target.mkdir()
    (target / ".installing").write_text(content)
    (target / "thesis.tex").write_text("Years of work")
    refused = installed(folder, target)
    assert (refused.returncode, "what is in it is not ours" in refused.stderr) == (1, True), refused.stderr
    assert sorted(path.name for path in target.iterdir()) == [".installing", "thesis.tex"]
    assert (target / ".installing").read_text() == content


def test_what_another_installation_is_at_work_in_is_left_alone(tmp_path: Path) -> None:
    folder, target = small_bundle(tmp_path / "bundle"), tmp_path / "proctor"
    (target / "half").mkdir(parents=True)
    with (target / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{OURS}{COMMIT}\n")
        lock.flush()
        refused = installed(folder, target)
    assert (refused.returncode, "is under way" in refused.stderr) == (1, True), refused.stderr
    assert (target / "half").is_dir()
    assert (target / ".installing").read_text() == f"{OURS}{COMMIT}\n"


def test_an_installation_that_ended_since_somebody_looked_is_not_begun_anew(tmp_path: Path) -> None:
    told = checks.read(small_bundle(tmp_path / "bundle"))
    target = tmp_path / "proctor"
    checks.is_free(told, target)
    target.mkdir()
    for name in (".offline", "README.md"):
        (target / name).write_text(f"{COMMIT}\n")
    with (
        pytest.raises(checks.NotInstalled, match="changed meanwhile"),
        installer.whole_or_nothing(told, target),
    ):
        pytest.fail("it went on")
    assert sorted(path.name for path in target.iterdir()) == [".offline", "README.md"]


def test_an_engine_that_is_not_there_is_named_before_anything_is_laid(tmp_path: Path) -> None:
    folder, tools = small_bundle(tmp_path / "bundle"), tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "sed"):
        (tools / tool).symlink_to(shutil.which(tool) or "/bin/false")
    command = [str(folder / "install"), "--to", str(tmp_path / "proctor")]
    env = {"PATH": str(tools), "PYTHON": sys.executable}
    refused = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "No container engine answers here" in refused.stderr
    assert "--engine none" in refused.stderr
    assert not (tmp_path / "proctor").exists()


def test_the_oldest_c_library_is_that_of_the_most_demanding_wheel() -> None:
    wheels = [
        "a-1-py3-none-any.whl",
        "b-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
        "c-1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        "d-1-cp311-cp311-manylinux1_x86_64.manylinux_2_28_x86_64.manylinux_2_5_x86_64.whl",
    ]
    assert bundle.needed_glibc(wheels) == "2.27"
    assert bundle.needed_glibc(["e-1-cp311-cp311-linux_x86_64.whl"]) == platform.libc_ver()[1]
