"""Where a metric that is not built in comes from: the files of its package, without importing it."""

import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, version
from pathlib import Path

from evaluator.digests._closure import Closure, Wanted
from evaluator.digests._source import Module, Stamp, read_module, sha256, stamp

GROUP = "evaluator.metrics"
_LEFT_OUT = {".pyc", ".pyo"}


@dataclass(frozen=True)
class Plugin:
    """A metric's package: its digest, the modules that it imports from this package, and the state of its files."""

    digest: str
    modules: tuple[Module, ...]
    stamps: tuple[Stamp, ...]

    def wanted(self, closure: Closure) -> Iterator[Wanted]:
        """What it takes from the packages of `closure`."""
        for module in self.modules:
            for reference in module.everything.refers:
                yield from closure.target(module.name, reference)


def find_plugin(name: str) -> Plugin | None:
    """The package of the metric that a challenge file calls `name`; None where there is none."""
    target = (
        name if ":" in name else next((entry.value for entry in entry_points(group=GROUP, name=name)), "")
    )
    top = target.partition(":")[0].partition(".")[0]
    spec = _spec(top) if top else None
    if spec is None or not (spec.submodule_search_locations or spec.origin):
        return None
    roots = list(map(Path, spec.submodule_search_locations or [str(spec.origin)]))
    files = sorted({path for root in roots for path in _files(root)})
    if not files:
        return None
    modules, texts = [], [_version(top)]
    for path in files:
        texts.append(str(path.relative_to(_base(path, roots))))
        module = _module(top, path, roots)
        modules += [] if module is None else [module]
        texts.append(_content(path) if module is None else module.everything.text)
    folders = {path.parent for path in files} if spec.submodule_search_locations else set()
    return Plugin(sha256(*texts), tuple(modules), tuple(map(stamp, [*files, *sorted(folders)])))


def _spec(top: str) -> ModuleSpec | None:
    """Where a package would be imported from now, which need not be where this process has it from."""
    found = (finder.find_spec(top, None) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return next((spec for spec in found if spec is not None), None)


def _files(root: Path) -> Iterator[Path]:
    """The files of a package, or a module with those beside it that it may import, unless others installed these."""
    if root.is_dir():
        yield from (path for path in root.rglob("*") if path.is_file() and _counts(path.relative_to(root)))
    elif root.is_file():
        yield root
        if root.parent not in _installed():
            yield from (path for path in root.parent.glob("*.py") if path != root)


def _counts(path: Path) -> bool:
    hidden = any(part == "__pycache__" or part.startswith(".") for part in path.parts)
    return path.suffix not in _LEFT_OUT and not hidden


@cache
def _installed() -> frozenset[Path]:
    paths = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages())
    return frozenset(map(Path, paths))


def _base(path: Path, roots: list[Path]) -> Path:
    folders = [root if root.is_dir() else root.parent for root in roots]
    return next(folder for folder in folders if path.is_relative_to(folder))


def _module(top: str, path: Path, roots: list[Path]) -> Module | None:
    """The file as Python, None where it is none."""
    if path.suffix != ".py":
        return None
    base = _base(path, roots)
    below = [part for part in path.relative_to(base).with_suffix("").parts if part != "__init__"]
    try:
        return read_module(".".join([top, *below] if base in roots else below), path)
    except (SyntaxError, ValueError, OSError):
        return None


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _version(top: str) -> str:
    """The version of the distribution that a package came with, as it is installed now."""
    try:
        return next((version(name) for name in _distributions().get(top, ())), "")
    except PackageNotFoundError:
        return ""


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())
