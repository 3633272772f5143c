"""Which fields may stand at a place of a challenge file, for hints about misspelt ones."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from evaluator.spec._challenge import Challenge
from evaluator.spec._kinds import Output, kind_of, kinds


def fields_at(path: Sequence[str | int]) -> list[str]:
    """The names of the fields that the models allow in the mapping at `path`; of all alternatives, where it has any."""
    models: list[type[BaseModel]] = [Challenge]
    for part in path:
        inner = [
            one
            for model in models
            if part in model.model_fields
            for one in _models(model.model_fields[str(part)].annotation)
        ]
        models = inner or models  # names of tasks and positions in lists stay at the same models
    return [name for model in models for name in model.model_fields]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if annotation is Output:
        yield from (kind_of(name).model for name in kinds())
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
