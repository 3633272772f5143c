"""The first page: the challenges of this installation, those that run first."""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contract.ids import ChallengeId
from evaluator.spec import Challenge as Spec
from server.challenges import service as challenges
from server.challenges.models import Challenge
from server.clock import now
from server.deps import SessionDep
from server.pages import page
from server.published.service import phases_with_results
from server.web.looking import VisitorDep
from server.web.public.leaders import Lead, leads_of
from server.web.public.moments import Next, Stage, When, next_of, stages, when

router = APIRouter(include_in_schema=False)

_WITH_LEADS = 3
"""Running challenges whose leaders the first page names: each takes a board."""


class _Listed(NamedTuple):
    slug: str
    spec: Spec
    when: When
    next: Next | None
    stages: list[Stage]
    leads: Sequence[Lead] = ()


@router.get("/", response_class=HTMLResponse)
def home(request: Request, session: SessionDep, visitor: VisitorDep) -> HTMLResponse:
    """Every challenge: what runs with its next date, what comes, and past editions."""
    at = now(session)
    published: dict[ChallengeId, set[str]] = {}
    for challenge_id, phase in phases_with_results(session):
        published.setdefault(challenge_id, set()).add(phase)
    shown = challenges.list_challenges(session)
    listed = [_listed(challenge, at, published.get(challenge.id, set())) for challenge in shown]
    groups: dict[str, Any] = {
        name: sorted((one for one in listed if one.when is which), key=lambda one: _order(one, at))
        for name, which in (("running", When.OPEN), ("coming", When.COMING), ("past", When.OVER))
    }
    groups["past"].reverse()
    of_slug = {one.slug: challenge for one, challenge in zip(listed, shown, strict=True)}
    leads = {  # the session reads anew after each, so nothing is asked of the other challenges from here on
        one.slug: leads_of(request, session, of_slug[one.slug], one.stages)
        for one in groups["running"][:_WITH_LEADS]
    }
    groups["running"] = [one._replace(leads=leads.get(one.slug, ())) for one in groups["running"]]
    return page(request, "public/home.html", **groups)


def _listed(challenge: Challenge, at: datetime, published: Set[str]) -> _Listed:
    spec, listed = challenge.spec, stages(challenge, at, published)
    return _Listed(challenge.slug, spec, when(listed), next_of(spec, at), listed)


def _order(one: _Listed, at: datetime) -> tuple[bool, datetime]:
    """By what comes next; of past ones by what came last."""
    last = max((stage.phase.closes for stage in one.stages if stage.phase.closes), default=at)
    moment = last if one.next is None else one.next.at
    return one.next is None and one.when is not When.OVER, moment
