"""What the server answers, as both sides read it."""

from copy import copy
from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


def _written(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


Id = Annotated[str, BeforeValidator(_written), WithJsonSchema({"type": "string", "format": "uuid"})]
"""An id as it is sent; whoever reads it sends it back and looks at nothing in it."""

_MISSING = object()


class Answer(BaseModel):
    """An answer of the server, or a part of one; it may be read off an object with attributes of the same names.

    Whoever reads it leaves fields aside that it does not know, so that an old client understands a new server.
    """

    model_config = ConfigDict(
        extra="ignore", frozen=True, from_attributes=True, json_schema_serialization_defaults_required=True
    )

    @classmethod
    def of(cls, *sources: object, **given: Any) -> Self:
        """Made of what is `given`, and for the rest of the attributes of `sources`: the first one's that has it.

        Raises:
            TypeError: a field is neither given nor an attribute, or what is given is no field.
        """
        if unknown := given.keys() - cls.model_fields.keys():
            raise TypeError(f"{cls.__name__} has no field {min(unknown)}")
        for name in cls.model_fields.keys() - given.keys():
            values = (getattr(source, name, _MISSING) for source in sources)
            given[name] = next((value for value in values if value is not _MISSING), _MISSING)
            if given[name] is _MISSING:
                raise TypeError(f"{cls.__name__} needs {name}")
        return cls.model_validate(given)


@dataclass(frozen=True)
class Older:
    """Marks a field that servers of an earlier version do not send: `value` is what its reader takes then.

    Whoever makes an answer still has to give it, and the API's description names no default.
    """

    value: Any

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """With a default for its reader."""
        return core_schema.with_default_schema(handler(source), default_factory=lambda: copy(self.value))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As of a field that is always there."""
        return {key: value for key, value in handler(core).items() if key != "default"}


@dataclass(frozen=True)
class OrNewer:
    """Marks a closed list `or` text: what a newer server says and this version does not know stays text.

    The API's description names the members that there are.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Members first: a known text becomes its member."""
        return {**handler(source), "mode": "left_to_right"}

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As of the closed list."""
        members: JsonSchemaValue = handler(core)["anyOf"][0]
        return members
