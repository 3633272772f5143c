"""What the platform stands on, as a CycloneDX document: packages by their locked versions, and scripts of others.

Which packages follow from which stands in what this environment has installed, and versions in requirements.lock; so
the document is the same for the same lock.
"""

import importlib.metadata
import json
import re
import tomllib
import uuid
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
    found = [*_packages(root), *_scripts(root)]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{name}#{commit}')}",
        "version": 1,
        "metadata": {"component": platform},
        "components": sorted(found, key=lambda one: str(one["purl"])),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


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


def _scripts(root: Path) -> Iterator[dict[str, Any]]:
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


def _licence(about: importlib.metadata.PackageMetadata) -> dict[str, Any] | None:
    for expression in about.get_all("License-Expression") or ():
        return {"expression": expression}
    classified = [
        one.removeprefix(_LICENCES) for one in about.get_all("Classifier") or () if one.startswith(_LICENCES)
    ]
    told = next(iter(about.get_all("License") or ()), "")
    named = " or ".join(classified) or told.strip().partition("\n")[0]
    return {"license": {"name": named}} if named else None
