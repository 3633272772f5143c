"""Reading challenge files: YAML to `Challenge`, with problems that name the line and the field."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evaluator.spec._challenge import Challenge
from evaluator.spec._code import wrong_code
from evaluator.spec._inputs import wrong_inputs
from evaluator.spec._source import Source, SpecError, SpecProblem, parse_source, read_source
from evaluator.spec._texts import wrong_texts, wrong_times
from evaluator.spec._vocabulary import fields_at
from evaluator.spec._words import Mistake, guess, plain, without_follow_ups, words
from evaluator.spec._words import Path as Place
from evaluator.spec.limits import wrong_limits

_LONGEST = 500
"""Characters of a message."""


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """`overlay` over `base`: mappings are merged field by field, anything else is replaced."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def load_challenge(
    path: Path | str, overlay: Path | str | None = None, *, longest_case: float | None = None
) -> Challenge:
    """The challenge in the YAML file `path`, with a site's `overlay` file merged over it.

    longest_case: seconds that a case may take on this installation, where that is known.

    Raises:
        SpecError: with every problem, each with its file, line and field.
    """
    sources = [read_source(Path(path))]
    if overlay is not None:
        sources.insert(0, read_source(Path(overlay)))
    return _loaded(sources, longest_case)


def read_challenge(
    text: str,
    overlay: str | None = None,
    *,
    longest_case: float | None = None,
    code: Collection[str] | None = None,
) -> Challenge:
    """`load_challenge` of texts; problems name them `challenge.yaml` and `overlay.yaml`.

    code: what its metrics may name as `package.module:object`; other names are problems, and nothing is imported
        then. None: whatever is installed.
    """
    sources = [parse_source("challenge.yaml", text)]
    if overlay is not None:
        sources.insert(0, parse_source("overlay.yaml", overlay))
    return _loaded(sources, longest_case, code)


def _loaded(
    sources: Sequence[Source], longest_case: float | None, code: Collection[str] | None = None
) -> Challenge:
    """The challenge in the last of `sources`, with those before it merged over it."""
    content: dict[str, Any] = {}
    for source in reversed(sources):
        content = merge(content, source.content)
    if code is not None and (strange := list(wrong_code(content, code))):
        raise SpecError([_at(sources, mistake.path, mistake.message) for mistake in strange])
    challenge, mistakes, joining = None, dict[Place, str](), dict[Place, str]()
    # The rules that join fields run only where every field is right, and here they run beside them.
    for mistake in _mistakes(content, longest_case):
        mistakes.setdefault(mistake.path, mistake.message)
    try:
        challenge = Challenge.model_validate(content)
    except ValidationError as error:
        for path, message in _of_fields(sources, error):
            (mistakes if path else joining).setdefault(path, message)
    problems = [_at(sources, path, message) for path, message in (mistakes or joining).items()]
    if challenge is None or problems:
        raise SpecError(sorted(problems, key=lambda problem: (problem.file, problem.line or 0)))
    return challenge


def _mistakes(content: dict[str, Any], longest_case: float | None) -> Iterator[Mistake]:
    # Late, for metrics load numpy: whoever reads no challenge file, as a list of commands, does not wait for it.
    from evaluator.spec._mistakes import wrong_attempts, wrong_metrics, wrong_names, wrong_sites

    yield from wrong_names(content)
    yield from wrong_attempts(content)
    yield from wrong_metrics(content)
    yield from wrong_sites(content)
    yield from wrong_limits(content, longest_case=longest_case)
    yield from wrong_inputs(content)
    yield from wrong_times(content)
    yield from wrong_texts(content)


def parse_challenge(content: dict[str, Any]) -> Challenge:
    """A challenge from already parsed content, as it is stored (`Challenge.model_dump(mode="json")`)."""
    return Challenge.model_validate(content)


def _of_fields(sources: Sequence[Source], error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Each place that a model refuses, with one sentence; () for the rule that joins all fields."""
    errors = [{**fault, "loc": _written(sources, fault["loc"], fault["type"])} for fault in error.errors()]
    said: dict[Place, list[str]] = {}
    for fault in without_follow_ups(errors, fields_at):
        sentence = words(fault, fields_at(fault["loc"][:-1])) + _misspelt(sources, fault)
        sentences = said.setdefault(fault["loc"], [])
        if sentence not in sentences:
            sentences.append(sentence)
    for path, sentences in said.items():
        yield path, "; or ".join(sentences)


def _misspelt(sources: Sequence[Source], error: Any) -> str:
    """A hint where an overlay names something that the file does not have, and so leaves it without its fields."""
    if error["type"] != "missing" or len(sources) < 2 or len(error["loc"]) < 2:
        return ""
    *parent, name, _ = error["loc"]
    known = sources[-1].content
    for part in parent:
        known = known.get(part, {}) if isinstance(known, dict) else {}
    return guess(str(name), list(known)) if isinstance(known, dict) and name not in known else ""


def _at(sources: Sequence[Source], path: Sequence[str | int], message: str) -> SpecProblem:
    best = max(sources, key=lambda source: (source.depth(path), source is sources[0]))
    return SpecProblem(best.file, best.line_of(path), ".".join(map(plain, path)), _one_line(message))


def _one_line(message: str) -> str:
    """A sentence that quotes what a file says, without its line ends and not without end."""
    text = " ".join(message.splitlines())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _written(sources: Sequence[Source], loc: Sequence[str | int], kind: str) -> Place:
    """The path as the file writes it: names of alternatives, which pydantic puts in between, are left out.

    What is missing, and what has no place in the tree, ends a path all the same.
    """
    path: list[str | int] = []
    for position, part in enumerate(loc):
        there = any(source.depth([*path, part]) == len(path) + 1 for source in sources)
        if there or (position == len(loc) - 1 and kind == "missing"):
            path.append(part)
    return tuple(path)
