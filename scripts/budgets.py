"""`python -m scripts.budgets`: how long files and functions may be, who may import what is private, what names mean.

What is private (a module or a name with an underscore in front) belongs to the package that holds it, the tests of
that package's area included: `tests/evaluator` may look inside `evaluator`. A public class has a name that no class of
another module has, so that a name means one thing. Bounds and exemptions stand in
pyproject.toml under `[tool.budgets]`; an exemption that nothing needs any more is a breach itself.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = "tests"


@dataclass(frozen=True)
class Breach:
    """One place that holds no bound: `rule` is the name of its table of exemptions, `key` what it is called there."""

    rule: str
    file: str
    line: int
    text: str
    name: str = ""

    @property
    def key(self) -> str:
        """The file, or of a name that means two things the name."""
        return self.name or self.file

    @property
    def shown(self) -> str:
        """One line: where, what, the bound and what to do."""
        return f"{self.file}:{self.line}: {self.text}"


def breaches(root: Path, settings: Mapping[str, Any]) -> list[Breach]:
    """Every breach in the packages that `settings` names, in the order of files and lines.

    `settings` holds `packages`, `lines` and `function_lines` (`tests` may have `test_lines`), `one_meaning` (packages
    whose classes have names of their own), and `exempt`: for each rule (`lines`, `functions`, `private`: files;
    `names`: names of classes) what it does not bind, with the reason.
    """
    packages: list[str] = settings["packages"]
    sources = {
        path.relative_to(root): path.read_text(encoding="utf-8")
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }
    modules = {_dotted(file) for file in sources}
    every = [
        breach
        for file, source in sources.items()
        for breach in (*_of_lengths(file, source, settings), *_of_imports(file, source, modules))
    ]
    every += _of_names(sources, settings.get("one_meaning", []))
    exempt: Mapping[str, Mapping[str, str]] = settings.get("exempt", {})
    kept = [breach for breach in every if breach.key not in exempt.get(breach.rule, {})]
    return kept + list(_needless(exempt, every))


def _of_lengths(file: Path, source: str, settings: Mapping[str, Any]) -> Iterator[Breach]:
    lines = source.count("\n")
    most = settings["test_lines" if file.parts[0] == TESTS else "lines"]
    if lines > most:
        text = f"{lines} lines, at most {most}: move what is a topic of its own to a module of its own"
        yield Breach("lines", str(file), lines, text)
    most = settings["function_lines"]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > most:
                text = f"{node.name} has {lines} lines, at most {most}: give its steps names of their own"
                yield Breach("functions", str(file), node.lineno, text)


def _of_imports(file: Path, source: str, modules: set[str]) -> Iterator[Breach]:
    importer = _package(file)
    names = ((line, _private(name)) for line, name in _names(ast.parse(source), importer))
    for line, name in sorted({(line, name) for line, name in names if name}):
        owner = _owner(name, modules)
        if owner is None or _inside(importer, owner):
            continue
        text = f"{name} is private to {owner}: import it from a public name of {owner}, or make it public"
        yield Breach("private", str(file), line, text)


def _of_names(sources: Mapping[Path, str], packages: Sequence[str]) -> Iterator[Breach]:
    places: dict[str, Path] = {}
    for file, source in sources.items():
        body = ast.parse(source).body if file.parts[0] in packages else ()
        for node in (node for node in body if isinstance(node, ast.ClassDef) and not _is_private(node.name)):
            if (other := places.setdefault(node.name, file)) != file:
                text = f"{node.name} is a class of {other} too: give one of them a name of its own"
                yield Breach("names", str(file), node.lineno, text, node.name)


def _names(tree: ast.Module, importer: str) -> Iterator[tuple[int, str]]:
    """Line and full name of all that is imported, and of what is read from what was imported."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = importer.split(".")[: len(importer.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{base}.{alias.name}"
                yield node.lineno, f"{base}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (path := _path(node)) and path[0] in bound:
            yield node.lineno, ".".join([bound[path[0]], *path[1:]])


def _path(node: ast.expr) -> list[str]:
    """`a.b.c` as its parts; empty for what does not begin with a plain name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (parts := _path(node.value)):
        return [*parts, node.attr]
    return []


def _private(name: str) -> str:
    """The name up to its first private part; empty where it has none."""
    parts = name.split(".")
    return next((".".join(parts[: end + 1]) for end, part in enumerate(parts) if _is_private(part)), "")


def _owner(name: str, modules: set[str]) -> str | None:
    """The package that a private name belongs to; None where it is nobody's of ours."""
    parts = name.split(".")
    ends = range(len(parts), 0, -1)
    module = next((".".join(parts[:end]) for end in ends if ".".join(parts[:end]) in modules), None)
    if module is None:
        return None
    is_package = module != name and any(other.startswith(f"{module}.") for other in modules)
    return module if is_package else module.rpartition(".")[0] or module


def _is_private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def _inside(importer: str, owner: str) -> bool:
    area = owner.split(".")[0]
    return any(f"{importer}.".startswith(f"{package}.") for package in (owner, f"{TESTS}.{area}"))


def _dotted(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package(file: Path) -> str:
    return ".".join(file.parts[:-1])


def _needless(exempt: Mapping[str, Mapping[str, str]], every: list[Breach]) -> Iterator[Breach]:
    for rule, keys in exempt.items():
        for key in sorted(set(keys) - {breach.key for breach in every if breach.rule == rule}):
            text = f"{key} keeps the bound: take it out of [tool.budgets.exempt.{rule}]"
            yield Breach(rule, "pyproject.toml", 1, text)


def main(root: Path) -> int:
    """Print what breaks a bound of the tree at `root`. Exit code 1 if anything does."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["budgets"]
    broken = breaches(root, settings)
    for breach in broken:
        print(breach.shown)
    print(f"{len(broken)} bounds are broken." if broken else "All bounds hold.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[1]))
