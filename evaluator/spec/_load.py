"""Reading challenge files: YAML to `Challenge`, with problems that name the line and the field."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from evaluator.spec._challenge import Challenge
from evaluator.spec._mistakes import without_follow_ups, words, wrong_metrics, wrong_names
from evaluator.spec._vocabulary import fields_at


@dataclass(frozen=True)
class Problem:
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

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class _Source:
    """A parsed YAML file and the tree of nodes that knows the lines."""

    file: str
    content: dict[str, Any]
    node: yaml.Node

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """The line of the deepest part of `path` that this file holds, or None if it holds none of it."""
        node, line = self.node, None
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            node, line = found, found.start_mark.line + 1
        return line


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None


class _Loader(yaml.SafeLoader):
    """SafeLoader for which a key that stands twice is an error, not a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} stands twice", key.start_mark
                )
            seen.add(getattr(key, "value", ""))
        return super().construct_mapping(node, deep=deep)


def _read(path: Path) -> _Source:
    name = path.name
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        node = yaml.compose(text, Loader=_Loader)
    except FileNotFoundError:
        raise SpecError([Problem(str(path), None, "", "there is no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem(str(path), None, "", f"cannot be read: {error}")]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SpecError([Problem(name, line, "", f"not valid YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise SpecError([Problem(name, None, "", f"not valid YAML: {error}")]) from None
    if not isinstance(content, dict) or node is None:
        raise SpecError([Problem(name, 1, "", "a challenge file is a mapping of fields")])
    return _Source(name, content, node)


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`overlay` over `base`: mappings are merged field by field, anything else is replaced."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def load_challenge(path: Path | str, overlay: Path | str | None = None) -> Challenge:
    """The challenge in the YAML file `path`, with a site's `overlay` file merged over it.

    Raises:
        SpecError: with every problem, each with its file, line and field.
    """
    sources = [_read(Path(path))]
    content = sources[0].content
    if overlay is not None:
        sources.insert(0, _read(Path(overlay)))
        content = merge(content, sources[0].content)
    problems: list[Problem] = []
    challenge = None
    try:
        challenge = Challenge.model_validate(content)
    except ValidationError as error:
        problems += _of_fields(sources, error)
    # The rule that joins fields runs only where every field is right, and here it runs beside them.
    for mistake in (*wrong_names(content), *wrong_metrics(content)):
        problems.append(_at(sources, mistake.path, mistake.message))
    if challenge is None or problems:
        raise SpecError(sorted(problems, key=lambda one: (one.file, one.line or 0)))
    return challenge


def parse_challenge(content: dict[str, Any]) -> Challenge:
    """A challenge from already parsed content, as it is stored (`Challenge.model_dump(mode="json")`)."""
    return Challenge.model_validate(content)


def _of_fields(sources: Sequence[_Source], error: ValidationError) -> list[Problem]:
    errors = [
        {**one, "loc": tuple(_written(sources, one["loc"]))}
        for one in error.errors()
        if one["loc"]  # the rule that joins fields is told field by field
    ]
    return [
        _at(sources, one["loc"], words(one, fields_at(one["loc"][:-1])))
        for one in without_follow_ups(errors, fields_at)
    ]


def _at(sources: Sequence[_Source], path: Sequence[str | int], message: str) -> Problem:
    best = max(sources, key=lambda source: (_depth(source, path), source is sources[0]))
    return Problem(best.file, best.line_of(path), ".".join(str(part) for part in path), message)


def _written(sources: Sequence[_Source], loc: Sequence[str | int]) -> list[str | int]:
    """The path as the file writes it: names of alternatives, which pydantic puts in between, are left out."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        there = any(_depth(source, [*path, part]) == len(path) + 1 for source in sources)
        if there or position == len(loc) - 1:
            path.append(part)
    return path


def _depth(source: _Source, path: Sequence[str | int]) -> int:
    node: yaml.Node | None = source.node
    for depth, part in enumerate(path):
        node = _child(node, part) if node is not None else None
        if node is None:
            return depth
    return len(path)
