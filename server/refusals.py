"""Which problems an operation can answer, read from the code that serves it, so that the description cannot be untrue.

From an endpoint, what it depends on and the application's middleware, every function and class of this package that is
named is followed; what counts are the problems made there. Some of them cannot come about on a certain path, but none
that can is missing. A problem's code is named where it is made: one that is computed is an error here.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from fastapi.dependencies.models import Dependant
from starlette.exceptions import HTTPException

from contract.problems import ErrorCode
from server.errors import Problem

_PACKAGE = "server"
_FRAMEWORK = {
    400: ErrorCode.BAD_REQUEST,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
}
Refusal = tuple[int, ErrorCode]
"""A status and a code."""


def refusals(dependant: Dependant, also: Iterable[object] = ()) -> frozenset[Refusal]:
    """Every status and code with which a route can refuse; `also`: what else is called for it."""
    read = (_read(one) for one in reached((*_calls(dependant), *also)))
    return frozenset(refusal for made, _ in read for refusal in made)


def reached(named: Iterable[object], known: Iterable[type] = ()) -> frozenset[FunctionType | type]:
    """Every function and class of this package that these name, and what those name; `known`: but not what these do."""
    seen: set[FunctionType | type] = set(known)
    left = _ours(named) - seen
    while left:
        one = left.pop()
        seen.add(one)
        left |= _read(one)[1] - seen
    return frozenset(seen)


def depends_on(dependant: Dependant, call: Callable[..., Any]) -> bool:
    """Whether a route has `call` among its dependencies."""
    return any(called is call for called in _calls(dependant))


def code_of(status: int) -> ErrorCode:
    """The code of an error that is the framework's."""
    return _FRAMEWORK.get(status, ErrorCode.BAD_REQUEST if status < 500 else ErrorCode.INTERNAL_ERROR)


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _ours(named: Iterable[object]) -> set[FunctionType | type]:
    return {found for one in named if (found := _unwrapped(one)) is not None}


def _unwrapped(one: object) -> FunctionType | type | None:
    """The function or class of this package that is behind `one`."""
    one = getattr(one, "__func__", one)
    one = inspect.unwrap(one) if callable(one) else one
    if not isinstance(one, FunctionType | type) or not one.__module__.startswith(f"{_PACKAGE}."):
        return None
    return None if isinstance(one, type) and issubclass(one, Problem) else one


@cache
def _read(one: FunctionType | type) -> tuple[frozenset[Refusal], frozenset[FunctionType | type]]:
    """The problems that are made in a function or class, and what else is named in it."""
    module = sys.modules[one.__module__]
    node = _nodes(module).get(one.__qualname__)
    if node is None:  # made by a library, as a dataclass's methods are
        return frozenset(), frozenset()
    made: set[Refusal] = set()
    named: list[object] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and (refusal := _made(inner, module)) is not None:
            made.add(refusal)
        if isinstance(inner, ast.Name | ast.Attribute):
            named.append(_meant(inner, module))
    return frozenset(made), frozenset(_ours(named))


def _made(call: ast.Call, module: ModuleType) -> Refusal | None:
    """The problem that a call makes, if it makes one."""
    kind = _meant(call.func, module)
    if not isinstance(kind, type):
        return None
    first = call.args[0] if call.args else None
    if issubclass(kind, HTTPException) and isinstance(first, ast.Constant) and isinstance(first.value, int):
        return first.value, code_of(first.value)
    if not issubclass(kind, Problem):
        return None
    code = None if first is None else _meant(first, module)
    if not isinstance(code, ErrorCode):
        raise TypeError(f"{module.__name__}:{call.lineno}: name the ErrorCode of this {kind.__name__}")
    return kind.status, code


def _meant(node: ast.AST, module: ModuleType) -> object:
    """What a name, or the attribute of a module or class, stands for; None for a local variable."""
    if isinstance(node, ast.Name):
        return vars(module).get(node.id)
    if isinstance(node, ast.Attribute):
        inside = _meant(node.value, module)
        if isinstance(inside, ModuleType | type):
            return getattr(inside, node.attr, None)
    return None


@cache
def _nodes(module: ModuleType) -> dict[str, ast.AST]:
    """Every function and class of a module by its qualified name."""
    if module.__file__ is None:
        return {}
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    return dict(_within(tree, ""))


def _within(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name, child
            yield from _within(
                child, f"{prefix}{child.name}." + ("" if isinstance(child, ast.ClassDef) else "<locals>.")
            )
        else:
            yield from _within(child, prefix)
