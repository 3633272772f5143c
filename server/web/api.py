"""The API's documentation as a page, and the health check."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from server.errors import database_away
from server.pages import OF_SWAGGER, page

router = APIRouter(include_in_schema=False)
health = APIRouter(tags=["health"])


@router.get("/docs", response_class=HTMLResponse)
async def api_docs(request: Request) -> HTMLResponse:
    """The API's documentation, from files of this installation."""
    return page(request, "docs.html", policy=OF_SWAGGER)


@health.get("/healthz")
async def healthz(request: Request) -> dict[str, str]:
    """Whether the server and its database answer; asked of the database at most once a second."""
    if not await request.app.state.front.probe.answers():
        raise database_away()
    return {"status": "ok"}
