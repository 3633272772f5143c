"""Python files as definitions and what these refer to; comments, docstrings and form are not part of it."""

import ast
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

Reference = tuple[str, str | None, str | None]
"""A module, a name in it, and what is asked of that; None is the whole of it."""

Stamp = tuple[str, int, int, int, int]
"""A path, and what changes when the file there does."""

_TICK = 1_000_000_000
_WORDS = ("interval_note", "title", "unit")


@dataclass(frozen=True)
class Part:
    """A piece of code in its normal form, and what it refers to."""

    text: str
    refers: frozenset[Reference]


@dataclass(frozen=True)
class Module:
    """One file, its code by what it binds; pieces are put in their normal form when they are asked for.

    names: of the top level. rows: of tables, which are tuples of calls, by their first argument.
    always: what runs whichever name is wanted. imports: what a name of this module stands for elsewhere.
    """

    name: str
    names: Mapping[str, Sequence[ast.AST]]
    rows: Mapping[str, ast.Call]
    always: Sequence[ast.AST]
    imports: Mapping[str, Reference]
    body: Sequence[ast.AST]
    _made: dict[str, Part] = field(default_factory=dict, repr=False, compare=False)

    def part(self, name: str) -> Part:
        """A top-level name, with what always runs."""
        return self._part(f"name {name}", [*self.always, *self.names[name]])

    def row(self, name: str) -> Part:
        """A row of a table, without the words that it has for people."""
        return self._part(f"row {name}", [_wordless(self.rows[name])])

    @property
    def everything(self) -> Part:
        """The whole file; what it imports it may hand on."""
        part = self._part("", self.body)
        return Part(part.text, part.refers | frozenset(self.imports.values()))

    def _part(self, key: str, nodes: Sequence[ast.AST]) -> Part:
        if key not in self._made:
            refers = {reference for node in nodes for reference in _refers(self.name, self.imports, node)}
            text = "\n".join(filter(None, map(_text, nodes)))
            self._made[key] = Part(text, frozenset(refers))
        return self._made[key]


def stamp(path: Path | str) -> Stamp:
    """The state of a file or folder; zeros where there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116 - called for every file of every metric, on each request
    except OSError:
        return (str(path), 0, 0, 0, 0)
    return (str(path), state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)


def is_settled(at: Stamp) -> bool:
    """Whether the stamp tells of every later change: one at the same tick of the file system's clock looks the same."""
    return time.time_ns() - max(at[1], at[2]) > _TICK


def read_module(name: str, path: Path) -> Module:
    """The module called `name` in the file `path`, parsed again only where the file has changed.

    Raises:
        SyntaxError: it is not Python.
        OSError: it cannot be read.
    """
    at = stamp(path)
    read = _parsed if is_settled(at) else _parsed.__wrapped__
    return read(name, path.name == "__init__.py", at)


@lru_cache(maxsize=2048)
def _parsed(name: str, is_package: bool, at: Stamp) -> Module:
    tree = ast.parse(Path(at[0]).read_bytes())
    names: dict[str, list[ast.stmt]] = {}
    always: list[ast.stmt] = []
    for statement in tree.body:
        bound = _bound(statement)
        for bound_name in bound:
            names.setdefault(bound_name, []).append(statement)
        if not bound and not isinstance(statement, ast.Import | ast.ImportFrom):
            always.append(statement)
    imports = dict(_imports(tree, name if is_package else name.rpartition(".")[0]))
    return Module(name, names, dict(_rows(tree)), always, imports, tree.body)


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, Reference]]:
    """What names stand for, those that functions import too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name, (alias.name, None, None)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield alias.asname or alias.name, (module, None if alias.name == "*" else alias.name, None)


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a top-level statement binds, if binding is all that it does."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            named = [node for target in targets for node in ast.walk(target)]
            plain = all(isinstance(node, ast.Name | ast.Tuple | ast.List | ast.Store) for node in named)
            return [node.id for node in named if isinstance(node, ast.Name)] if plain else []
    return []


def _rows(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        for row in node.elts if isinstance(node, ast.Tuple) else ():
            if isinstance(row, ast.Call) and row.args and isinstance(row.args[0], ast.Constant):
                yield str(row.args[0].value), row


def _wordless(row: ast.Call) -> ast.Call:
    return ast.Call(row.func, row.args, [keyword for keyword in row.keywords if keyword.arg not in _WORDS])


def _refers(module: str, imports: Mapping[str, Reference], node: ast.AST) -> Iterator[Reference]:
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in imports:
            yield (*imports[name][:2], attribute)
        case ast.Name(id=name):
            # Perhaps in another function only, so it may be this module's own all the same.
            if name in imports:
                yield imports[name]
            yield (module, name, None)
        case ast.Import(names=names):
            yield from (
                (alias.name, None, None) for alias in names if "." in alias.name and alias.asname is None
            )
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _refers(module, imports, child)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node):
        return ""  # what is imported is named by what it is
    return repr(_shape(node))


def _shape(node: object) -> object:
    """What a piece of code is, without docstrings, comments, and the sentences of its errors.

    Empty fields are left out, so that a Python that knows more of them says the same.
    """
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return ("Raise", _shape(node.exc.func))
    if isinstance(node, ast.Constant):
        return ("Constant", type(node.value).__name__, repr(node.value))
    if isinstance(node, ast.AST):
        fields = [
            (name, _shape(getattr(node, name, None))) for name in node._fields if name != "type_comment"
        ]
        return (type(node).__name__, *((name, value) for name, value in fields if value not in (None, ())))
    if isinstance(node, list):
        return tuple(_shape(part) for part in node if not _is_text(part))
    return node


def _is_text(node: object) -> bool:
    """A docstring, or a text that stands for itself below what it describes."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def sha256(*texts: str) -> str:
    """The digest of texts in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return "sha256:" + digest.hexdigest()
