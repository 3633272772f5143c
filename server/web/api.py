"""The pages: the list of challenges, a challenge, a leaderboard, the API's documentation, and the health checks."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from contract.texts import Name
from server.agreements.service import get_agreement, present
from server.amendments.frozen import opened_plans
from server.amendments.service import amendments
from server.amendments.views import amendment_out
from server.challenges import service as challenges
from server.clock import now
from server.deps import SessionDep, SettingsDep
from server.errors import database_away
from server.leaderboard.answers import board_answer
from server.leaderboard.memory import Board
from server.leaderboard.service import require_visible
from server.pages import OF_SWAGGER, page
from server.phases.commitments import committed_phases
from server.published.service import phases_with_results
from server.questions import service as questions
from server.queue.slots import standstill
from server.web.looking import VisitorDep

router = APIRouter(include_in_schema=False)
health = APIRouter(tags=["health"])

_NEWS = 50
"""Announcements and answers that a challenge's page shows; the API has all of them."""
_AMENDMENTS = 20
"""As many as a challenge's page shows."""


@router.get("/", response_class=HTMLResponse)
def index(request: Request, session: SessionDep, visitor: VisitorDep) -> HTMLResponse:
    """Every challenge and its public leaderboards."""
    at = now(session)
    listed = [(challenge, challenge.spec) for challenge in challenges.list_challenges(session)]
    # Running ones first.
    listed.sort(key=lambda pair: not any(phase.is_open(at) for phase in pair[1].phases.values()))
    published = phases_with_results(session)
    return page(request, "index.html", challenges=listed, at=at, published=published)


@router.get("/challenges/{slug}", response_class=HTMLResponse)
def challenge_page(
    request: Request, session: SessionDep, settings: SettingsDep, visitor: VisitorDep, slug: Name
) -> HTMLResponse:
    """What a challenge asks, what it allows, and how to take part."""
    challenge, at = challenges.get_challenge(session, slug), now(session)
    spec = challenge.spec
    listed = amendments(session, challenge, limit=_AMENDMENTS + 1)
    phase = next((name for name, phase in spec.phases.items() if phase.is_open(at)), None)
    return page(
        request,
        "challenge.html",
        slug=slug,
        spec=spec,
        released=challenge.released,
        published={name for id_, name in phases_with_results(session) if id_ == challenge.id},
        agreements=present(session, challenge.id),
        news=questions.published(session, challenge, limit=_NEWS),
        at=at,
        plans=opened_plans(session, challenge, at=at),
        committed=committed_phases(session, challenge),
        amendments=[amendment_out(amendment) for amendment in listed[:_AMENDMENTS]],
        more=len(listed) > _AMENDMENTS,
        waiting=standstill(session, challenge.id),
        phase=phase,
        address=settings.public_url,
    )


@router.get("/challenges/{slug}/agreements/{digest}", response_class=HTMLResponse)
def agreement_page(
    request: Request, session: SessionDep, visitor: VisitorDep, slug: Name, digest: Name
) -> HTMLResponse:
    """A version of a document that people accept, as it is written."""
    challenge = challenges.get_challenge(session, slug)
    agreement = get_agreement(session, challenge, digest)
    return page(request, "agreement.html", slug=slug, spec=challenge.spec, agreement=agreement)


@router.head("/challenges/{slug}/leaderboards/{phase}")
@router.get("/challenges/{slug}/leaderboards/{phase}", response_class=HTMLResponse)
def leaderboard(
    request: Request, session: SessionDep, visitor: VisitorDep, slug: Name, phase: Name
) -> Response:
    """The leaderboards of a phase."""
    challenge = challenges.get_challenge(session, slug)
    require_visible(session, challenge, phase, visitor.user)

    def shown(board: Board) -> Response:
        return page(request, "leaderboard.html", board=board.out, spec=board.spec)

    return board_answer(request, session, challenge, phase, "html", shown, viewer=visitor.user)


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
