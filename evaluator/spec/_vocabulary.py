"""Which fields may stand at a place of a challenge file, for hints about misspelt ones."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from evaluator.spec._challenge import Challenge
from evaluator.spec._kinds import Output, rows


def fields_at(path: Sequence[str | int]) -> list[str]:
    """The names of the fields that the models allow in the mapping at `path`; of all alternatives, where it has any."""
    return [name for model in _models_at(path) for name in model.model_fields]


def types_at(path: Sequence[str | int]) -> list[Any]:
    """The types of the field at `path`; of all alternatives, where it has any."""
    *parent, name = path
    fields = [model.model_fields for model in _models_at(parent)]
    return [known[str(name)].annotation for known in fields if name in known]


def _models_at(path: Sequence[str | int]) -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = [Challenge]
    for part in path:
        inner = [
            nested
            for model in models
            if part in model.model_fields
            for nested in _models(model.model_fields[str(part)].annotation)
        ]
        models = inner or models  # names of tasks and positions in lists stay at the same models
    return models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if annotation is Output:
        yield from (kind.model for kind in rows())
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
