"""`python -m scripts.release`: everything of a version that is handed on, made of the commit that is checked out.

Three wheels (the platform with the scripts of others that its pages use, the participant's client, the evaluator), the
locked requirements, a list of all that it stands on (CycloneDX), and SHA256SUMS. The same commit gives the same bytes.
With --images the container images too, which are the same where their base image and its packages are.
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

from scripts import components, release_images
from scripts.third_party import LOCK, SERVED, pinned

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = (Path(), Path("distributions/client"), Path("distributions/evaluator"))
WHEELS = Path("docker/wheels")
_DIGITS = 12  # of a commit, as `--version` shows it


class NotReleased(Exception):
    """Why nothing was made."""


def main() -> None:
    """Makes the release in the folder --to, which it empties first."""
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description="Build a release.")
    parser.add_argument("--to", type=Path, default=Path("dist/release"), help="folder; it is made anew")
    parser.add_argument("--images", action="store_true", help="container images too; needs Docker")
    chosen = parser.parse_args()
    try:
        made = build(chosen.to, images=chosen.images)
    except (NotReleased, release_images.ImagesNotBuilt) as error:
        sys.exit(str(error))
    sys.stdout.write("".join(f"{one}\n" for one in made))


def build(target: Path, *, images: bool = False) -> list[str]:
    """The files of the release, by name, now in `target`.

    Raises:
        NotReleased: files differ from the commit, versions from each other, or scripts of others are not there.
        ImagesNotBuilt: the engine does not answer, or a build failed.
    """
    version, commit = the_version(), the_commit()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "proctor"
        lay_out(tree, commit)
        for part in DISTRIBUTIONS:
            _wheel(tree / part, target)
        if images:
            _images(tree, version, commit, target)
    shutil.copyfile(ROOT / "requirements.lock", target / f"proctor-{version}-requirements.txt")
    stands_on = components.bill(ROOT, version, commit)
    (target / f"proctor-{version}.cdx.json").write_text(stands_on, encoding="utf-8")
    files = sorted(path for path in target.iterdir())
    sums = "".join(f"{_sha256(path)}  {path.name}\n" for path in files)
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


def _images(tree: Path, version: str, commit: str, target: Path) -> None:
    """On the base image that PYTHON_IMAGE names; packages that `scripts/wheels` laid out are taken from there."""
    if (ROOT / WHEELS).is_dir():
        shutil.copytree(ROOT / WHEELS, tree / WHEELS)
    options = {name: os.environ[name] for name in ("PYTHON_IMAGE", "POSTGRES_CLIENT") if os.environ.get(name)}
    source = _git("remote", "get-url", "origin", or_else="")
    if source.startswith("https://") and "@" not in source:
        options["PROCTOR_SOURCE"] = source
    moment = int(_git("log", "-1", "--format=%ct", commit))
    archive = target / f"proctor-{version}-images.tar.gz"
    release_images.make(tree, version, commit, moment, options, archive)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git(*arguments: str, or_else: str | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and or_else is not None:
        return or_else
    if done.returncode:
        raise NotReleased(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
