"""What the platform stands on, as a CycloneDX document: packages by their locked versions, and scripts of others.

Which packages follow from which stands in what this environment has installed, and versions in requirements.lock; so
the document is the same for the same lock.
"""

import email
import email.message
import hashlib
import importlib.metadata
import json
import re
import tomllib
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.third_party import LOCK, pinned

EXTRAS = ("client", "server", "worker", "embedded", "parquet")
"""What an installation is made of; what only tests, the demo or training need is no part of it."""

_LICENCES = "License :: OSI Approved :: "


def bill(root: Path, version: str, commit: str) -> str:
    """The document for the checkout at `root`.

    Raises:
        KeyError: a package is not in requirements.lock.
    """
    return document(version, commit, [*_packages(root), *of_scripts(root)])


def document(version: str, commit: str, found: Iterable[dict[str, Any]]) -> str:
    """A document of these components, for the platform at a commit."""
    name = f"pkg:pypi/proctor@{version}"
    platform = {
        "type": "application",
        "bom-ref": name,
        "name": "proctor",
        "version": version,
        "purl": name,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "properties": [{"name": "commit", "value": commit}],
    }
    told = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{name}#{commit}')}",
        "version": 1,
        "metadata": {"component": platform},
        "components": sorted(found, key=lambda one: str(one["purl"])),
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _packages(root: Path) -> Iterator[dict[str, Any]]:
    locked = _locked((root / "requirements.lock").read_text())
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in EXTRAS for one in project["optional-dependencies"][extra]),
    ]
    for name in sorted(_closure(wanted)):
        licence = _licence(importlib.metadata.metadata(name))
        purl = f"pkg:pypi/{name}@{locked[name]}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": locked[name],
            "purl": purl,
            **({"licenses": [licence]} if licence else {}),
        }


def of_wheel(path: Path) -> dict[str, Any]:
    """The package that a wheel holds, by what the wheel says of itself."""
    with zipfile.ZipFile(path) as packed:
        inside = next(name for name in packed.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        about = email.message_from_bytes(packed.read(inside))
    name, licence = canonicalize_name(about["Name"]), _licence(about)
    purl = f"pkg:pypi/{name}@{about['Version']}"
    return {
        "type": "library",
        "bom-ref": f"{purl}#{path.name}",
        "name": name,
        "version": about["Version"],
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        **({"licenses": [licence]} if licence else {}),
    }


def of_image(name: str, image_id: str) -> dict[str, Any]:
    """A container image by its name and the digest of its configuration."""
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
    purl = f"pkg:docker/{repository}@{image_id.replace(':', '%3A')}?tag={tag}"
    return {"type": "container", "bom-ref": purl, "name": repository, "version": tag, "purl": purl}


def of_scripts(root: Path) -> Iterator[dict[str, Any]]:
    """The scripts of others that pages use."""
    for script in pinned(root / LOCK):
        if script.tests_only:
            continue
        purl = f"pkg:npm/{script.name.replace('@', '%40')}@{script.version}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": script.name,
            "version": script.version,
            "purl": purl,
            "hashes": [{"alg": "SHA-256", "content": script.sha256}],
            "licenses": [{"license": {"id": script.licence}}],
        }


def _locked(lock: str) -> dict[str, str]:
    return {
        canonicalize_name(name): at for name, at in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    }


def _closure(requirements: Iterable[str]) -> set[str]:
    """Every package that pip would install for these."""
    found, waiting = set[str](), [Requirement(text) for text in requirements]
    done = set[tuple[str, frozenset[str]]]()
    while waiting:
        one = waiting.pop()
        name, extras = str(canonicalize_name(one.name)), frozenset(one.extras)
        if (name, extras) in done:
            continue
        done.add((name, extras))
        found.add(name)
        for text in importlib.metadata.requires(name) or ():
            further = Requirement(text)
            if further.marker is None or any(
                further.marker.evaluate({"extra": extra}) for extra in (extras or {""})
            ):
                waiting.append(further)
    return found


def _licence(about: importlib.metadata.PackageMetadata | email.message.Message) -> dict[str, Any] | None:
    for expression in about.get_all("License-Expression") or ():
        return {"expression": expression}
    classified = [
        one.removeprefix(_LICENCES) for one in about.get_all("Classifier") or () if one.startswith(_LICENCES)
    ]
    told = next(iter(about.get_all("License") or ()), "")
    named = " or ".join(classified) or told.strip().partition("\n")[0]
    return {"license": {"name": named}} if named else None
