"""A root file system from the packages of the Debian or Ubuntu this machine runs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from demo.images._errors import BaseUnavailableError

UNUSED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/info", "usr/share/lintian")
APT_FILES = ("var/cache/apt", "var/lib/apt/lists", "var/cache/debconf", "var/log")
HELP = (
    "No base image can be made: no container registry answers, and {reason}.\n"
    "Either let the engine reach a registry, or run this as root on Debian or Ubuntu."
)


def debian_root(root: Path) -> Path:
    """Makes a minimal system with Python 3 in the new folder `root` and returns it.

    Raises:
        BaseUnavailableError: not root, not Debian or Ubuntu, or debootstrap failed.
    """
    if os.geteuid() != 0:
        raise BaseUnavailableError(HELP.format(reason="this is not root"))
    if shutil.which("apt-get") is None:
        raise BaseUnavailableError(HELP.format(reason="this is neither Debian nor Ubuntu"))
    suite, mirror, component = _archive_of_host()
    _need_debootstrap()
    command = ["debootstrap", "--variant=minbase", "--include=python3", f"--components={component}"]
    done = subprocess.run(
        [*command, suite, str(root), mirror], capture_output=True, text=True, env=_environment()
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-1000:]
        raise BaseUnavailableError(HELP.format(reason=f"debootstrap failed: {said}"))
    _trim(root)
    return root


def python_version(root: Path) -> str:
    """Version of the system's Python 3, such as "3.11"."""
    name = (root / "usr/bin/python3").readlink().name
    return name.removeprefix("python")


def _archive_of_host() -> tuple[str, str, str]:
    """Suite, mirror and components of this machine, from its own apt configuration."""
    release = Path("/etc/os-release").read_text()
    codename = re.search(r"^VERSION_CODENAME=\"?([\w-]+)", release, re.MULTILINE)
    if codename is None:
        raise BaseUnavailableError(HELP.format(reason="the release of this system has no code name"))
    fields = "$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", fields], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    sources = [row for row in rows if len(row) == 4 and row[:2] == ["Packages", codename[1]]]
    mirrors = [row[3] for row in sources if row[2] == "main"]
    if not mirrors:
        raise BaseUnavailableError(HELP.format(reason="apt is not configured for this release"))
    components = {row[2] for row in sources if row[3] == mirrors[0]} & {"main", "universe"}
    return codename[1], mirrors[0], ",".join(sorted(components))


def _need_debootstrap() -> None:
    if shutil.which("debootstrap") is not None:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"]
    if subprocess.run(install, capture_output=True, env=_environment()).returncode != 0:
        subprocess.run(["apt-get", "update"], capture_output=True, env=_environment())
        done = subprocess.run(install, capture_output=True, text=True, env=_environment())
        if done.returncode != 0:
            reason = f"debootstrap cannot be installed: {done.stderr.strip()[-500:]}"
            raise BaseUnavailableError(HELP.format(reason=reason))


def _environment() -> dict[str, str]:
    """Environment of the package tools; debootstrap knows no apt settings, so it is handed apt's proxy."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    asked = subprocess.run(
        ["apt-config", "shell", "PROXY", "Acquire::http::Proxy"], capture_output=True, text=True
    )
    if proxy := re.match(r"PROXY='([^']+)'", asked.stdout):
        env.setdefault("http_proxy", proxy[1])
    return env


def _trim(root: Path) -> None:
    for name in UNUSED + APT_FILES:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    (root / "var/lib/apt/lists/partial").mkdir(parents=True)
    next((root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"), root / "none").unlink(missing_ok=True)
    for name in ("etc/resolv.conf", "etc/hostname"):
        (root / name).unlink(missing_ok=True)
