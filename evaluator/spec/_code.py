"""The code that a challenge file names: `package.module:object`, which is imported where the file is read."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from evaluator.spec._words import Mistake, Path, mapping, shown

_TITLE = "title"


def code_in(content: Mapping[str, Any]) -> dict[Path, str]:
    """Every text with a colon among the fields of a challenge's metrics, by where it stands; titles aside.

    A metric is looked up by its name and may look up others by its parameters, so every field may name code.
    """
    found: dict[Path, str] = {}
    for board, fields in mapping(content.get("boards")).items():
        for key, metric in mapping(mapping(fields).get("metrics")).items():
            given = {name: value for name, value in mapping(metric).items() if name != _TITLE}
            found |= dict(_texts(("boards", board, "metrics", key), given))
    return found


def wrong_code(content: Mapping[str, Any], code: Collection[str]) -> Iterator[Mistake]:
    """Names of code that is not among `code`; nothing is imported."""
    for path, name in code_in(content).items():
        if name not in code:
            message = (
                f"{shown(name)} is code that no version of your challenges has named yet: an admin applies the file "
                "that names it first, or installs it as an entry point"
            )
            yield Mistake(path, message)


def _texts(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts((*path, key), part)
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            yield from _texts((*path, place), part)
    elif isinstance(value, str) and ":" in value:
        yield path, value
