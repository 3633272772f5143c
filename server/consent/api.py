"""Agreements over HTTP: read by everybody, accepted by people, published by organizers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from contract.agreements import AcceptanceOut, AgreementIn, AgreementOut, AgreementPlan, AgreementRow
from contract.texts import Name
from server.accounts.deps import UserDep, ViewerDep
from server.agreements import service as agreements
from server.agreements.views import agreement_out
from server.challenges.service import get_challenge
from server.consent import drafts, service
from server.deps import CsvResponse, SessionDep
from server.organizers.access import observer_of, organizer_of

router = APIRouter(tags=["agreements"])
Digest = Annotated[str, Path(pattern="^sha256:[0-9a-f]{64}$", max_length=71)]
After = Annotated[UUID | None, Query(description="`id` of the last one of the page before")]


class _Text(Response):
    media_type = "text/plain"


@router.get("/challenges/{slug}/agreements")
def list_agreements(session: SessionDep, viewer: ViewerDep, slug: Name) -> list[AgreementOut]:
    """The present version of each document, and when the asker accepted it."""
    challenge = get_challenge(session, slug)
    return [
        agreement_out(asked)
        for asked in agreements.asked_of(session, challenge.id, viewer.id if viewer else None)
    ]


@router.get("/challenges/{slug}/agreements/{digest}", response_class=_Text)
def get_agreement(session: SessionDep, slug: Name, digest: Digest) -> Response:
    """The text of a version, present or earlier: the very bytes whose sha256 its digest is."""
    agreement = agreements.get_agreement(session, get_challenge(session, slug), digest)
    return Response(agreement.text.encode(), media_type="text/plain; charset=utf-8")


@router.post("/challenges/{slug}/agreements/{digest}/accept")
def accept(session: SessionDep, user: UserDep, slug: Name, digest: Digest) -> AgreementOut:
    """Accepts the present version of a document, for oneself."""
    return agreement_out(agreements.accept(session, user, get_challenge(session, slug), digest))


@router.get("/organize/{slug}/agreements", tags=["organizers"])
def list_versions(session: SessionDep, user: UserDep, slug: Name) -> list[AgreementRow]:
    """Every version of every document, how many people accepted it, and how many in teams have yet to."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return service.rows(session, challenge)


@router.post("/organize/{slug}/agreements/plan", tags=["organizers"])
def plan_agreement(session: SessionDep, user: UserDep, slug: Name, body: AgreementIn) -> AgreementPlan:
    """What publishing a version would do and whom it would ask; nothing is changed."""
    challenge = get_challenge(session, slug)
    organizer_of(session, user, challenge)
    return service.plan(session, challenge, drafts.Draft(**body.model_dump()))


@router.post(
    "/organize/{slug}/agreements",
    tags=["organizers"],
    status_code=201,
    responses={200: {"model": AgreementOut, "description": "The text was there already"}},
)
def publish_agreement(
    session: SessionDep, user: UserDep, slug: Name, body: AgreementIn, response: Response
) -> AgreementOut:
    """Makes a text the present version of a document; the text that it has already changes the rest only."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    agreement, new = service.publish(session, organizer, challenge, drafts.Draft(**body.model_dump()))
    response.status_code = 201 if new else 200
    return agreement_out(agreements.Asked(agreement, None))


@router.get("/organize/{slug}/agreements/{digest}/acceptances", tags=["organizers"])
def list_acceptances(
    session: SessionDep,
    user: UserDep,
    slug: Name,
    digest: Digest,
    lacking: Annotated[bool, Query(description="who in a team has yet to accept it, instead")] = False,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[AcceptanceOut]:
    """Who accepted a version and when, page by page."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    agreement = agreements.get_agreement(session, challenge, digest)
    return service.acceptances(session, agreement, lacking=lacking, after=after, limit=limit)


@router.get(
    "/organize/{slug}/agreements/{digest}/acceptances.csv", response_class=CsvResponse, tags=["organizers"]
)
def get_acceptances_csv(session: SessionDep, user: UserDep, slug: Name, digest: Digest) -> Response:
    """The same as CSV, all of it, each row with the version and its digest."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    agreement = agreements.get_agreement(session, challenge, digest)
    everybody = service.acceptances(session, agreement, lacking=False, after=None, limit=None)
    return Response(service.as_csv(agreement, everybody), media_type="text/csv; charset=utf-8")
