"""The API's description in OpenAPI 3.0: the bundled Swagger UI renders nothing newer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

VERSION = "3.0.3"

_NULL = {"type": "null"}


def install(app: FastAPI) -> None:
    """Makes `app` describe itself in OpenAPI 3.0, in its JSON and so on its page."""
    app.openapi_version = VERSION

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                openapi_version=app.openapi_version,
                description=app.description,
                routes=app.routes,
            )
            app.openapi_schema = as_3_0(made)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # the way FastAPI names for it


def as_3_0(schema: Any) -> Any:
    """`schema` without what only 3.1 can say: the type null, bounds that are numbers of their own, constants."""
    if isinstance(schema, list):
        return [as_3_0(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: as_3_0(value) for key, value in schema.items()}
    options = made.get("anyOf")
    if isinstance(options, list) and _NULL in options:
        del made["anyOf"]
        made |= _nullable([one for one in options if one != _NULL])
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(exclusive), int | float) and not isinstance(made[exclusive], bool):
            made |= {bound: made[exclusive], exclusive: True}
    if isinstance(made.get("const"), str):
        made["enum"] = [made.pop("const")]
    return made


def _nullable(options: list[Any]) -> dict[str, Any]:
    if len(options) != 1:
        return {"anyOf": options, "nullable": True}
    # Beside a $ref 3.0 reads nothing, so the reference is wrapped.
    return {"allOf": options, "nullable": True} if "$ref" in options[0] else {**options[0], "nullable": True}
