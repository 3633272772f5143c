"""What the server answers, as both sides read it."""

from copy import copy
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Answer(BaseModel):
    """An answer of the server, or a part of one; it may be read off an object with attributes of the same names.

    Whoever reads it leaves fields aside that it does not know, so that an old client understands a new server.
    """

    model_config = ConfigDict(
        extra="ignore", frozen=True, from_attributes=True, json_schema_serialization_defaults_required=True
    )


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
