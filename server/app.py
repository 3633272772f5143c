"""The application: every feature's router under one factory."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope
from swagger_ui_bundle import swagger_ui_path

from contract.logs import configure
from contract.metrics import listen
from server import openapi, problems
from server.accounts import tallies
from server.accounts.api import router as accounts
from server.accounts.token_api import router as tokens
from server.accounts.uses import Uses
from server.addresses.api import router as addresses
from server.admin.api import router as admin
from server.admin.audit_api import router as audit
from server.admin.demand_api import router as demands
from server.admin.find_api import router as finding
from server.admin.host_api import router as hosts
from server.amendments.api import router as amendments
from server.bundles.api import router as bundles
from server.catalog.api import router as catalog
from server.closing.api import router as closing
from server.comparisons.api import router as comparisons
from server.consent.api import router as consent
from server.consignments.api import router as consignments
from server.consignments.case_api import router as case_corrections
from server.decisions.api import router as decisions
from server.editions.api import router as editions
from server.entries.api import router as entries
from server.evaluations.api import router as evaluations
from server.evaluations.ticks import AT_ONCE
from server.forms.middleware import Browsers
from server.front.budgets import Budget
from server.front.metering import Metered
from server.front.middleware import Front, State
from server.front.probe import Probe
from server.front.table import Table, beginning, beginning_of_route
from server.front.threads import CONNECTIONS
from server.headers import SafeHeaders
from server.hearing import Hearing
from server.leaderboard.api import router as leaderboard
from server.leaderboard.changes import Changes
from server.leaderboard.front import BoardsFirst
from server.leaderboard.memory import Memory
from server.live.api import router as live
from server.live.hub import Hub
from server.monitoring.gauges import Gauges
from server.notices.api import router as notices
from server.overview.api import router as overview
from server.phases.api import organizing
from server.phases.api import router as phases
from server.plans.api import router as plans
from server.privacy.api import router as privacy
from server.questions.api import router as questions
from server.queue.api import router as queue
from server.queue.bell import Bell
from server.queue.lease_api import router as leases
from server.queue.places import PLACES, Places
from server.readiness.api import router as readiness
from server.reevaluations.api import router as reevaluations
from server.reference_submissions.api import router as reference_submissions
from server.registry.api import router as registry
from server.retention.api import router as retention
from server.roles.api import router as roles
from server.same_person.api import router as same_person
from server.settings import Settings
from server.showcases.api import router as showcases
from server.sign_in.api import router as sign_ins
from server.sign_in.browser import router as sign_in_pages
from server.sign_in.here import router as sign_in_here
from server.sign_in.relying import RelyingParty
from server.storage.api import router as storage
from server.submissions.api import router as submissions
from server.submissions.evaluation_api import router as own_evaluations
from server.tables import open_database
from server.teams.api import router as teams
from server.uploads.api import router as uploads
from server.usage.api import router as usage
from server.versions.api import router as datasets
from server.viewer.api import router as viewer
from server.wakeups import wake_for_certainty
from server.web.api import health
from server.web.public.around import around_of
from server.web.routers import PAGES
from server.webhooks.api import of_challenge, of_installation, of_team

API = "/api/v1"

_POOL = 12  # connections that stay open; the rest of `CONNECTIONS` are opened while a burst lasts
_LOCK_SECONDS = 10.0  # then a request is told to come again, and its place in the lane is another's

_ROUTERS = (
    *(
        (API, router)
        for router in (
            accounts,
            tokens,
            sign_ins,
            addresses,
            closing,
            catalog,
            consent,
            questions,
            usage,
            same_person,
            roles,
            amendments,
            plans,
            showcases,
            phases,
            organizing,
            bundles,
            datasets,
            consignments,
            case_corrections,
            viewer,
            teams,
            uploads,
            registry,
            storage,
            submissions,
            live,
            own_evaluations,
            evaluations,
            queue,
            leases,
            leaderboard,
            comparisons,
            editions,
            entries,
            overview,
            readiness,
            reference_submissions,
            decisions,
            reevaluations,
            notices,
            of_team,
            of_challenge,
            of_installation,
            privacy,
            retention,
            admin,
            audit,
            hosts,
            demands,
            finding,
        )
    ),
    ("", health),
    ("", sign_in_pages),
    ("", sign_in_here),
    *(("", router) for router in PAGES),
)


@dataclass(frozen=True, eq=False)
class Substitutes:
    """What all applications made with it ask instead of what their endpoints depend on; make one for the process."""

    dependency_overrides: Mapping[Callable[..., Any], Callable[..., Any]]


class _Feature(APIRouter):
    """A feature's routes, tried where a path begins as one of them does: to try all 500 takes a millisecond."""

    def __init__(self, prefix: str, router: APIRouter) -> None:
        super().__init__(routes=router.routes)
        paths = [prefix + route.path for route in router.routes if isinstance(route, Route)]
        self._beginnings = frozenset(map(beginning_of_route, paths))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of them answers this."""
        return super().matches(scope) if beginning(scope["path"]) in self._beginnings else (Match.NONE, {})


@cache
def _routes(substitutes: Substitutes | None) -> list[BaseRoute]:
    """The routes of every feature, the same for all applications of a process.

    Their first request has the framework work out what each endpoint takes, which costs a fifth of a second.
    """
    every = APIRouter(dependency_overrides_provider=substitutes)
    for prefix, router in _ROUTERS:
        every.include_router(_Feature(prefix, router), prefix=prefix)
    return every.routes


@asynccontextmanager
async def _closing(app: FastAPI) -> AsyncIterator[None]:
    """Shows figures while it serves, and leaves no connection to the database behind."""
    with _shown(app):
        yield
    app.state.hub.close()
    app.state.front.probe.close()
    app.state.sessions.kw["bind"].dispose()


@contextmanager
def _shown(app: FastAPI) -> Iterator[None]:
    settings: Settings = app.state.settings
    if settings.metrics_address is None:
        yield
        return
    gauges = Gauges(settings, app.state.sessions.kw["bind"], app.state.front.lanes)
    end = listen(settings.metrics_address, gauges)
    try:
        yield
    finally:
        end()
        gauges.close()


def create_app(settings: Settings | None = None, *, substitutes: Substitutes | None = None) -> FastAPI:
    """The ASGI application; settings come from the environment unless given.

    Its routes are those of other applications, too: `substitutes` take the place of `FastAPI.dependency_overrides`.
    """
    configure()
    settings = settings or Settings()  # type: ignore[call-arg]  # fields are filled from the environment
    app = FastAPI(
        title="Proctor",
        description="Container challenges on data nobody may see",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_closing,
        routes=_routes(substitutes),
    )
    openapi.install(app, f"{API}/openapi.json")
    app.state.settings = settings
    settings.close_folders()
    app.state.sessions = open_database(
        settings.database_url, pool_size=_POOL, overflow=CONNECTIONS - _POOL, lock_seconds=_LOCK_SECONDS
    )
    secret = settings.secret_key.get_secret_value()
    app.state.sessions.configure(
        info={AT_ONCE: not settings.hold_ends, tallies.ROW_KEY: secret, PLACES: Places()}
    )
    hearing = Hearing(app.state.sessions)
    app.state.parties = {provider.name: RelyingParty(provider) for provider in settings.oidc_providers}
    app.state.boards = Memory(Changes(hearing, partial(wake_for_certainty, settings.redis_url)), around_of)
    app.state.hub = Hub(app.state.sessions, hearing)
    app.state.bell = Bell(hearing)
    app.state.front = State(
        Table(_ROUTERS),
        Probe(settings.database_url),
        Budget("token", settings.requests_per_token),
        Budget("address", settings.requests_per_address),
        Uses(app.state.sessions),
    )
    problems.install(app)
    app.add_middleware(Front, state=app.state.front)
    app.add_middleware(BoardsFirst, memory=app.state.boards)
    app.add_middleware(Browsers, settings=settings, front=app.state.front)
    app.add_middleware(SafeHeaders)  # the last one added is asked first
    if settings.metrics_address is not None:
        app.add_middleware(Metered)
    app.mount("/static/swagger", StaticFiles(directory=str(swagger_ui_path)), name="swagger")
    return app
