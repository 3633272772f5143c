"""The application: every feature's router under one factory."""

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

from server import openapi, problems
from server.accounts.api import router as accounts
from server.admin.api import router as admin
from server.body_limit import BodyLimit
from server.challenges.api import router as challenges
from server.datasets.api import router as datasets
from server.evaluations.api import router as evaluations
from server.evaluations.lease_api import router as leases
from server.images.api import router as images
from server.leaderboard.api import router as leaderboard
from server.leaderboard.changes import Changes
from server.leaderboard.front import BoardsFirst
from server.leaderboard.memory import Memory
from server.logs import configure
from server.settings import Settings
from server.submissions.api import router as submissions
from server.tables import open_database
from server.teams.api import router as teams
from server.uploads.api import router as uploads
from server.web.api import health
from server.web.api import router as web

API = "/api/v1"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application; settings come from the environment unless given."""
    configure()
    settings = settings or Settings()  # type: ignore[call-arg]  # fields are filled from the environment
    app = FastAPI(
        title="Proctor",
        description="Container challenges on data nobody may see",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
    )
    openapi.install(app)
    app.state.settings = settings
    app.state.sessions = open_database(settings.database_url)
    app.state.boards = Memory(Changes(app.state.sessions))
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(BoardsFirst, memory=app.state.boards)  # the last one added is asked first
    for router in (
        accounts,
        challenges,
        datasets,
        teams,
        uploads,
        images,
        submissions,
        evaluations,
        leases,
        leaderboard,
        admin,
    ):
        app.include_router(router, prefix=API)
    app.include_router(health)
    app.include_router(web)
    app.mount("/static/swagger", StaticFiles(directory=str(swagger_ui_path)), name="swagger")
    return app
