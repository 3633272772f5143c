"""`python -m scripts.release`: everything of a version that is handed on, made of the commit that is checked out.

Three wheels (the platform with the scripts of others that its pages use, the participant's client, the evaluator), the
locked requirements, a list of all that it stands on (CycloneDX), and SHA256SUMS. The same commit gives the same bytes.
"""

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from scripts import components
from scripts.third_party import LOCK, SERVED, pinned

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = (Path(), Path("distributions/client"), Path("distributions/evaluator"))
_DIGITS = 12  # of a commit, as `--version` shows it


class NotReleased(Exception):
    """Why nothing was made."""


def main() -> None:
    """Makes the release in the folder --to, which it empties first."""
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description="Build a release.")
    parser.add_argument("--to", type=Path, default=Path("dist/release"), help="folder; it is made anew")
    chosen = parser.parse_args()
    try:
        made = build(chosen.to)
    except NotReleased as error:
        sys.exit(str(error))
    sys.stdout.write("".join(f"{one}\n" for one in made))


def build(target: Path) -> list[str]:
    """The files of the release, by name, now in `target`.

    Raises:
        NotReleased: files differ from the commit, versions from each other, or scripts of others are not there.
    """
    version, commit = the_version(), the_commit()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "proctor"
        lay_out(tree, commit)
        for part in DISTRIBUTIONS:
            _wheel(tree / part, target)
    shutil.copyfile(ROOT / "requirements.lock", target / f"proctor-{version}-requirements.txt")
    stands_on = components.bill(ROOT, version, commit)
    (target / f"proctor-{version}.cdx.json").write_text(stands_on, encoding="utf-8")
    files = sorted(path for path in target.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (target / "SHA256SUMS").write_text(sums)
    return [*(path.name for path in files), "SHA256SUMS"]


def the_version() -> str:
    """The version that all distributions agree on."""
    found = {
        part: tomllib.loads((ROOT / part / "pyproject.toml").read_text())["project"]["version"]
        for part in DISTRIBUTIONS
    }
    if len({*found.values()}) > 1:
        raise NotReleased(
            "Versions differ: " + ", ".join(f"{part} {version}" for part, version in found.items())
        )
    return str(found[Path()])


def the_commit() -> str:
    """The commit that is checked out."""
    if changed := _git("status", "--porcelain", "--untracked-files=no"):
        raise NotReleased(f"A release is made of a commit, and these files differ from it:\n{changed}")
    return _git("rev-parse", "HEAD")


def lay_out(tree: Path, commit: str) -> None:
    """The commit's files in `tree`, with the scripts of others, and the file that names the commit."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    tree.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        members.extractall(tree, filter="data")
    (tree / "contract" / "commit.txt").write_text(f"{commit[:_DIGITS]}\n")
    (tree / SERVED).mkdir(exist_ok=True)
    for script in pinned(ROOT / LOCK):
        if script.tests_only:
            continue
        if not script.is_at(ROOT / SERVED / script.served):
            raise NotReleased(
                f"{script.served} is not there as it was pinned: `make third-party` fetches it."
            )
        shutil.copyfile(ROOT / SERVED / script.served, tree / SERVED / script.served)


def _wheel(source: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(target.resolve()), "."]
    # What an archive holds of times is that of the commit, so that the same commit gives the same bytes.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct")}
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReleased(f"{source.name}: {done.stderr.strip()}")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReleased(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
