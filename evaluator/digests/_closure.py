"""What a piece of code comes to with everything that it refers to, name by name, within some packages."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.digests._source import Module, Part, Reference, Stamp, read_module, stamp

Wanted = tuple[str, str | None]
"""A module and one of its top-level names, or None for the whole module."""


@dataclass
class Closure:
    """Collects code. packages: top-level names and where they lie: a folder, or one file.

    edges: modules, with all below them, that are not part of it. uncrossed: pairs of a package and one that nothing in
    it is followed into. hidden: single names that are not followed. What is asked for by name is taken in all the same.
    """

    packages: Mapping[str, Path]
    edges: Collection[str] = ()
    uncrossed: Collection[tuple[str, str]] = ()
    hidden: Collection[Wanted] = ()
    texts: dict[str, str] = field(default_factory=dict)
    files: dict[Path, Stamp] = field(default_factory=dict)
    _places: dict[str, Path | None] = field(default_factory=dict)
    _modules: dict[str, Module | None] = field(default_factory=dict)

    def add(self, *wanted: Wanted) -> None:
        """Takes in top-level names with all that they refer to.

        Raises:
            LookupError: there is no such module or name.
        """
        for module, name in wanted:
            code = self.module(module)
            if code is None or not (name is None or name in code.names or name in code.imports):
                raise LookupError(f"there is no {name or 'code'} in {module}")
        self._take(list(wanted))

    def add_row(self, module: str, name: str) -> bool:
        """Takes in the row called `name` of a table in `module`; whether there is one."""
        code = self.module(module)
        if code is None or name not in code.rows:
            return False
        part = code.row(name)
        self.texts[f"{module}[{name}]"] = part.text
        self._take(list(self._followed(module, part)))
        return True

    def has(self, wanted: Wanted) -> bool:
        """Whether a top-level name, or a module as a whole, is among what was taken in."""
        return f"{wanted[0]}:{wanted[1] or ''}" in self.texts

    def _take(self, left: list[Wanted]) -> None:
        while left:
            module, name = left.pop()
            key = f"{module}:{name or ''}"
            code = None if key in self.texts else self.module(module)
            if code is None:
                continue
            if name is None or name in code.names:
                part = code.everything if name is None else code.part(name)
                self.texts[key] = part.text
                left += self._followed(module, part)
            elif name in code.imports:
                left += self.target(module, code.imports[name])

    def module(self, name: str) -> Module | None:
        """A module of the packages, as it was when first asked for; None if it is none of them or has no file."""
        if name not in self._modules:
            path = self._file(name)
            if path is not None:
                self.files[path] = stamp(path)
            self._modules[name] = read_module(name, path) if path is not None else None
        return self._modules[name]

    def _file(self, name: str) -> Path | None:
        if name not in self._places:
            self._places[name] = self._found(name)
        return self._places[name]

    def _found(self, name: str) -> Path | None:
        top, *below = name.split(".")
        root = self.packages.get(top)
        if root is None:
            return None
        if root.is_file():
            return None if below else root
        folder = root.joinpath(*below)
        for path in (folder.with_name(f"{folder.name}.py"), folder / "__init__.py"):
            if path.is_file() and (below or path.name == "__init__.py"):
                return path
        return None

    def _followed(self, module: str, part: Part) -> Iterator[Wanted]:
        for reference in part.refers:
            yield from self.target(module, reference)

    def target(self, source: str, reference: Reference) -> Iterator[Wanted]:
        """What a reference in module `source` leads to, if that is to be followed."""
        module, name, asked = reference
        if name is not None and module != source and self._file(f"{module}.{name}") is not None:
            module, name = f"{module}.{name}", asked
        elif name is None:
            name = asked
        if (module, name) in self.hidden:
            return
        crossed = any(_in(source, here) and _in(module, there) for here, there in self.uncrossed)
        if (
            not crossed
            and not any(_in(module, edge) for edge in self.edges)
            and self._file(module) is not None
        ):
            yield (module, name)


def _in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
