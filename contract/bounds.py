"""Bounds of what somebody sends beside the length of its texts (`contract.texts`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

MOST_INT = 2**31 - 1
MOST_BIGINT = 2**63 - 1

BigInt = Annotated[int, Field(strict=True, ge=0, le=MOST_BIGINT)]
"""A number that fits a column of type bigint: bytes, for one."""
Seconds = Annotated[float, Field(strict=True, ge=0, le=1e9, allow_inf_nan=False)]
"""A duration; the most is some thirty years."""


def _written(value: Any) -> Any:
    """A time as it is written; pydantic alone takes any number for one, in seconds or milliseconds."""
    try:
        float(value)
    except (TypeError, ValueError):
        return value
    raise ValueError("has to be a time such as 2026-01-31T12:00:00Z")


Moment = Annotated[datetime, BeforeValidator(_written)]
"""A time in a query."""
AwareMoment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""The same with its zone."""


@dataclass(frozen=True)
class Few:
    """Marks a list or a dictionary of at most `most` entries, `least` of them.

    It is counted before an entry is looked at: every wrong entry makes an error with a text of its own.
    """

    most: int
    least: int = 0

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Counts, then lets the entries be looked at, those of a list up to the first that is wrong."""
        entries = handler(source)
        if entries["type"] in ("list", "tuple"):
            entries = cast(CoreSchema, {**entries, "fail_fast": True})
        return core_schema.no_info_before_validator_function(self._counted, entries)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """With its bounds."""
        schema = handler(core)
        many = "Properties" if schema.get("type") == "object" else "Items"
        return {**schema, f"min{many}": self.least, f"max{many}": self.most}

    def _counted(self, value: Any) -> Any:
        if isinstance(value, list | tuple | dict):
            kind, context = (
                ("Dictionary" if isinstance(value, dict) else "List"),
                {"actual_length": len(value)},
            )
            if len(value) > self.most:
                raise PydanticKnownError("too_long", {"field_type": kind, "max_length": self.most, **context})
            if len(value) < self.least:
                raise PydanticKnownError(
                    "too_short", {"field_type": kind, "min_length": self.least, **context}
                )
        return value


class Strict(BaseModel):
    """A body in which no field may be that is not known; not many of these are told."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > len(cls.model_fields) + 10:
            raise ValueError(f"has {len(value):,} fields and takes {len(cls.model_fields)}")
        return value
