"""Reading challenge files: YAML to `Challenge`, with problems that name the line and the field."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evaluator.spec._challenge import Challenge
from evaluator.spec._mistakes import without_follow_ups, words, wrong_metrics, wrong_names
from evaluator.spec._source import Problem, Source, SpecError, read_source
from evaluator.spec._vocabulary import fields_at


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
    sources = [read_source(Path(path))]
    content = sources[0].content
    if overlay is not None:
        sources.insert(0, read_source(Path(overlay)))
        content = merge(content, sources[0].content)
    problems: list[Problem] = []
    joining: list[Problem] = []
    challenge = None
    try:
        challenge = Challenge.model_validate(content)
    except ValidationError as error:
        problems += _of_fields(sources, error)
        joining += [_at(sources, (), words(one, ())) for one in error.errors() if not one["loc"]]
    # The rule that joins fields runs only where every field is right, and here it runs beside them.
    for mistake in (*wrong_names(content), *wrong_metrics(content)):
        problems.append(_at(sources, mistake.path, mistake.message))
    if challenge is None or problems:
        raise SpecError(sorted(problems or joining, key=lambda one: (one.file, one.line or 0)))
    return challenge


def parse_challenge(content: dict[str, Any]) -> Challenge:
    """A challenge from already parsed content, as it is stored (`Challenge.model_dump(mode="json")`)."""
    return Challenge.model_validate(content)


def _of_fields(sources: Sequence[Source], error: ValidationError) -> list[Problem]:
    errors = [
        {**one, "loc": tuple(_written(sources, one["loc"]))}
        for one in error.errors()
        if one["loc"]  # the rule that joins fields is told field by field
    ]
    return [
        _at(sources, one["loc"], words(one, fields_at(one["loc"][:-1])))
        for one in without_follow_ups(errors, fields_at)
    ]


def _at(sources: Sequence[Source], path: Sequence[str | int], message: str) -> Problem:
    best = max(sources, key=lambda source: (source.depth(path), source is sources[0]))
    return Problem(best.file, best.line_of(path), ".".join(str(part) for part in path), message)


def _written(sources: Sequence[Source], loc: Sequence[str | int]) -> list[str | int]:
    """The path as the file writes it: names of alternatives, which pydantic puts in between, are left out."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        there = any(source.depth([*path, part]) == len(path) + 1 for source in sources)
        if there or position == len(loc) - 1:
            path.append(part)
    return path
