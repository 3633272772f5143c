"""A challenge's page, and the documents that people accept."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract import run_words, skeleton
from contract.phases import is_first
from contract.texts import Name
from evaluator.spec import Challenge as Spec
from evaluator.spec import Limits, OneOf, Task
from server.agreements.service import asked_of, get_agreement
from server.amendments.frozen import opened_plans
from server.amendments.service import amendments
from server.amendments.views import amendment_out
from server.challenges import service as challenges
from server.challenges.models import Challenge
from server.clock import now
from server.datasets.models import IN_FORCE, Case, Dataset
from server.deps import SessionDep, SettingsDep
from server.pages import page, size
from server.phases.commitments import committed_phases
from server.published.service import phases_with_results
from server.questions import service as questions
from server.queue.slots import standstill
from server.teams.membership import find_team
from server.teams.models import Team
from server.web.frame import challenge_frame
from server.web.looking import Visitor, VisitorDep
from server.web.public import contract_words
from server.web.public.leaders import leads_of
from server.web.public.moments import Stage, When, drawn, next_of, stages
from server.words import of_card

router = APIRouter(include_in_schema=False)

_NEWS = 3
"""Announcements and answers that a challenge's page shows; the page of questions has all of them."""
_AMENDMENTS = 20
"""As many as a challenge's page shows."""


@router.get("/challenges/{slug}", response_class=HTMLResponse)
def overview(
    request: Request, session: SessionDep, settings: SettingsDep, visitor: VisitorDep, slug: Name
) -> HTMLResponse:
    """What a challenge asks, what it allows, and how to take part."""
    challenge, at = challenges.get_challenge(session, slug), now(session)
    published = {name for id_, name in phases_with_results(session) if id_ == challenge.id}
    leads = leads_of(request, session, challenge, stages(challenge, at, published))
    spec, listed = challenge.spec, stages(challenge, at, published)
    amended = amendments(session, challenge, limit=_AMENDMENTS + 1)
    told = [amendment_out(one) for one in amended[:_AMENDMENTS]]
    return page(
        request,
        "public/challenge.html",
        frame=challenge_frame(challenge, takes_part=visitor.user is not None),
        spec=spec,
        at=at,
        next=next_of(spec, at),
        stages=listed,
        timeline=drawn(listed, at),
        leads=leads,
        released=challenge.released,
        open=next((stage.name for stage in listed if stage.when is When.OPEN), None),
        own_limits=any(task.limits for task in spec.tasks.values()),
        limits=_limits(spec.limits),
        tasks=_tasks(session, challenge, listed),
        documents=asked_of(session, challenge.id, visitor.user.id if visitor.user else None),
        news=questions.published(session, challenge, limit=_NEWS),
        plans=opened_plans(session, challenge, at=at),
        committed=committed_phases(session, challenge),
        amendments=[one for one in told if not is_first(one.what)],
        imports=[one for one in told if is_first(one.what)],
        more=len(amended) > _AMENDMENTS,
        waiting=standstill(session, challenge.id),
        address=settings.public_url,
        team=_team(session, visitor, challenge),
    )


@router.get("/challenges/{slug}/take-part", response_class=HTMLResponse)
def take_part(
    request: Request, session: SessionDep, settings: SettingsDep, visitor: VisitorDep, slug: Name
) -> HTMLResponse:
    """What an image is called with, what it may use and has to write, and a program for each task to begin with."""
    challenge = challenges.get_challenge(session, slug)
    spec = challenge.spec
    return page(
        request,
        "public/take_part.html",
        frame=challenge_frame(challenge, takes_part=visitor.user is not None),
        spec=spec,
        tasks=[_called(spec, name) for name in spec.tasks],
        fetch=skeleton.FETCH,
        own_limits=any(task.limits for task in spec.tasks.values()),
        limits=contract_words.limits_of(spec.limits),
        upload_limit=settings.upload_limit,
        registry=settings.registry_host,
        team=_own_team(session, visitor, challenge) if settings.registry_url is not None else None,
        documents=asked_of(session, challenge.id, None),
    )


def _called(spec: Spec, name: str) -> Mapping[str, Any]:
    """How a task's program is run, what it has to write, and one that does."""
    task = spec.tasks[name]
    return {
        "name": name,
        "task": task,
        "inputs": _inputs(task),
        "call": run_words.call_of(task),
        "alternatives": run_words.alternatives_of(task),
        "short": run_words.short(task.output),
        "counts": run_words.whole(task.output),
        "limits": contract_words.limits_of(spec.limits_of(name)),
        "program": skeleton.program(task),
        "dockerfile": skeleton.dockerfile(task),
        "requirements": skeleton.requirements(task),
    }


def _team(session: Session, visitor: Visitor, challenge: Challenge) -> str | None:
    """The team that the reader is in."""
    team = _own_team(session, visitor, challenge)
    return None if team is None else team.name


def _own_team(session: Session, visitor: Visitor, challenge: Challenge) -> Team | None:
    return None if visitor.user is None else find_team(session, visitor.user, challenge.id)


def _tasks(session: Session, challenge: Challenge, listed: list[Stage]) -> list[Mapping[str, Any]]:
    """What each task takes and gives, how it is scored, and on how many cases where everybody sees that."""
    spec, counts = challenge.spec, _case_counts(session, challenge, listed)
    return [
        {
            "name": name,
            "task": task,
            "inputs": _inputs(task),
            "limits": _limits(spec.limits_of(name)),
            "output": run_words.short(task.output),
            "cases": [
                (stage.phase.title, counts[stage.name, name])
                for stage in listed
                if (stage.name, name) in counts
            ],
            "boards": _boards(spec, name),
        }
        for name, task in spec.tasks.items()
    ]


def _boards(spec: Spec, task: str) -> list[tuple[str, str, list[str], float]]:
    return [
        (
            name,
            board.title,
            [one.title or key for key, one in board.metrics.items()],
            spec.ranking.weights[name],
        )
        for name, board in spec.boards_of(task).items()
    ]


def _case_counts(session: Session, challenge: Challenge, listed: list[Stage]) -> dict[tuple[str, str], int]:
    """Cases in force by phase and task, of the phases whose leaderboard tells everybody."""
    told = [stage.name for stage in listed if stage.board is not None]
    rows = session.execute(
        select(Dataset.phase, Dataset.task, func.count(Case.id))
        .join(Case, Case.dataset_id == Dataset.id)
        .where(IN_FORCE, Dataset.challenge_id == challenge.id, Dataset.phase.in_(told))
        .group_by(Dataset.phase, Dataset.task)
    )
    return {(phase, task): count for phase, task, count in rows}


def _inputs(task: Task) -> list[list[tuple[str, str]]]:
    """Each input with its flag; of several in one entry a case has at least one."""
    return [
        [(one.flag, one.file) for one in (entry.one_of if isinstance(entry, OneOf) else (entry,))]
        for entry in task.inputs
    ]


def _limits(limits: Limits) -> str:
    """What one case may use, as a sentence has it."""
    gpu = "no GPU"
    if limits.gpu is not None and limits.gpu.count:
        gpu = f"{limits.gpu.count} GPU{of_card(limits.gpu.least_shown)}"
    return (
        f"{limits.seconds_per_case:g} s, {limits.cpus:g} CPU, {size(limits.memory)} of memory, {gpu}; "
        f"an image of at most {size(limits.image)}"
    )


@router.get("/challenges/{slug}/agreements/{digest}", response_class=HTMLResponse)
def agreement_page(
    request: Request, session: SessionDep, visitor: VisitorDep, slug: Name, digest: Name
) -> HTMLResponse:
    """A version of a document that people accept, as it is written, with the form to accept it."""
    challenge = challenges.get_challenge(session, slug)
    agreement = get_agreement(session, challenge, digest)
    asked = asked_of(session, challenge.id, visitor.user.id if visitor.user else None)
    present = next(one for one in asked if one.agreement.document == agreement.document)
    return page(
        request,
        "public/agreement.html",
        frame=challenge_frame(challenge, takes_part=visitor.user is not None),
        agreement=agreement,
        newest=present.agreement,
        accepted_at=present.accepted_at,
    )
