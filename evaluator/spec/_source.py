"""One YAML file, read within bounds: its content, and the tree of nodes that knows the lines.

A few lines of YAML can stand for terabytes (aliases of aliases), or nest deeper than the interpreter goes; both are
found on the tree, before anything is made of it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_MOST_BYTES = 2**18
_TOO_LARGE = f"is larger than {_MOST_BYTES >> 10} KiB, which no challenge file is"
_MOST_DEPTH = 40
_MOST_NODES = 100_000
# A pair of these writes a character in UTF-16; one alone is no text and cannot be stored or printed.
_NO_TEXT = re.compile("[\0-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")
# These make a text look like another one: what is shown is not what is stored.
_TURNS_TEXT = re.compile("[\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u200b]")
_OF_SIXTY, _OF_EIGHT = re.compile(r"[-+]?[0-9_]+(:[0-9.]+)+"), re.compile(r"[-+]?0[0-9_]+")


@dataclass(frozen=True)
class SpecProblem:
    """One thing wrong with a challenge file; `line` counts from 1 and is None where no line is to blame."""

    file: str
    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class SpecError(Exception):
    """A challenge file that cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[SpecProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Source:
    """A parsed YAML file and the tree of nodes that knows the lines."""

    file: str
    content: dict[str, Any]
    node: yaml.Node

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """The line of the deepest part of `path` that this file holds, or None if it holds none of it."""
        node, line = self.node, None
        for part in path:
            child = _child(node, part)
            if child is None:
                break
            node, line = child, child.start_mark.line + 1
        return line

    def depth(self, path: Sequence[str | int]) -> int:
        """How many parts of `path` this file holds."""
        node: yaml.Node | None = self.node
        for depth, part in enumerate(path):
            node = _child(node, part) if node is not None else None
            if node is None:
                return depth
        return len(path)


def read_source(path: Path) -> Source:
    """The YAML file `path`, which must be a mapping.

    Raises:
        SpecError: it cannot be read, is no YAML or no mapping, or is larger than a challenge file may be.
    """
    return parse_source(path.name, _text(path))


def parse_source(name: str, text: str) -> Source:
    """The YAML in `text`, which must be a mapping; problems name it `name`.

    Raises:
        SpecError: it is no YAML or no mapping, or is larger than a challenge file may be.
    """
    if len(text) > _MOST_BYTES:
        raise _refused(name, None, _TOO_LARGE)
    if not text.strip("\ufeff \t\r\n"):
        raise _refused(name, None, "the file is empty; a challenge file is a mapping of fields")
    try:
        node, content = _parsed(name, text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        what = "an anchor (&) of this name stands above already"
        said = what if error.problem == "second occurrence" else error.problem
        raise _refused(name, line, f"not valid YAML: {said}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _refused(name, line, f"holds the character {error.character:#x}, which is no text") from None
    if not isinstance(content, dict) or node is None:
        held = "a list" if isinstance(content, list) else "one value"
        raise _refused(name, 1, f"holds {held}; a challenge file is a mapping of fields")
    return Source(name, content, node)


def _refused(file: str, line: int | None, message: str) -> SpecError:
    return SpecError([SpecProblem(file, line, "", message)])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise _refused(str(path), None, "there is no such file") from None
    except IsADirectoryError:
        raise _refused(str(path), None, "is a directory; a challenge file is wanted") from None
    except OSError as error:
        raise _refused(str(path), None, f"cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise _refused(str(path), None, _TOO_LARGE)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(path.name, line, "is not UTF-8 text; save it with that encoding") from None


def _parsed(name: str, text: str) -> tuple[yaml.Node | None, Any]:
    """The tree of `text` and what it says, made once it is known that a program can follow the tree to its end."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, None
        _check_nodes(name, node)
        return node, loader.construct_document(node)
    finally:
        loader.dispose()


def _check_nodes(name: str, root: yaml.Node) -> None:
    """Refuse aliases that stand for too much or for what holds them, keys that stand twice, and what is no text."""
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    within: set[int] = set()

    def seen(node: yaml.Node) -> None:
        if id(node) in within:
            raise _refused(name, _line(node), "an alias stands within what it stands for")
        if id(node) in sizes:
            return
        _check_node(name, node)
        within.add(id(node))
        children = list(_children(node))
        for child in children:
            seen(child)
        within.discard(id(node))
        depths[id(node)] = 1 + max((depths[id(child)] for child in children), default=0)
        sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
        if sizes[id(node)] > _MOST_NODES or depths[id(node)] > _MOST_DEPTH:
            line = _line(node)
            raise _refused(name, line, f"stands for more than {_MOST_NODES:,} values or {_MOST_DEPTH} levels")

    seen(root)


def _check_node(name: str, node: yaml.Node) -> None:
    if isinstance(node, yaml.ScalarNode) and _NO_TEXT.search(node.value):
        raise _refused(name, _line(node), "holds a control character or half of one, which is no text")
    if isinstance(node, yaml.ScalarNode) and (found := _TURNS_TEXT.search(node.value)):
        message = f"holds the invisible character U+{ord(found[0]):04X}; take it out"
        raise _refused(name, _line(node), message)
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        _check_number(name, node)
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                message = f"not valid YAML: {key.value[:40]!r} stands twice; keep one of them"
                raise _refused(name, _line(key), message)
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else "")


def _check_number(name: str, node: yaml.ScalarNode) -> None:
    """Refuse numbers that YAML reads otherwise than people: 2:00 is 120, and 010 is 8."""
    if node.tag.endswith((":int", ":float")) and _OF_SIXTY.fullmatch(node.value):
        kind = "a number of base 60"
    elif node.tag.endswith(":int") and _OF_EIGHT.fullmatch(node.value):
        kind = "a number of base 8"
    else:
        return
    message = (
        f"YAML reads {node.value[:40]} as {kind}; write it as a plain number, or put text in quotation marks"
    )
    raise _refused(name, _line(node), message)


def _line(node: yaml.Node) -> int | None:
    return node.start_mark.line + 1 if node.start_mark else None


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):  # what `<<` merged in stands first, and the mapping's own counts
        return next((value for key, value in reversed(node.value) if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None


class _Loader(yaml.SafeLoader):
    """SafeLoader that nests so deep only, and says in its own error what a value is not: a 30th of February."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            message = f"nests deeper than {_MOST_DEPTH} levels; is a bracket left open?"
            raise yaml.composer.ComposerError(None, None, message, parent.start_mark if parent else None)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            kind = node.tag.rpartition(":")[2]
            shown = (
                f"{node.value[:40]!r} is no {kind}" if isinstance(node, yaml.ScalarNode) else "no such value"
            )
            said = str(error) if kind == "timestamp" and isinstance(error, ValueError) else ""
            said = "" if "timedelta" in said else said
            message = f"{shown}{f' ({said})' if said else ''}; put text in quotation marks"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from None
