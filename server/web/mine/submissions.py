"""What one's team sent, and what came of it: submissions, evaluations, cases, and the ledger of attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.evaluations import CaseOut
from contract.ids import CaseRunId, EvaluationId, SubmissionId, TeamId
from contract.submissions import EvaluationOut, QuotaOut, ScoreOut, SubmissionOut
from contract.texts import Name
from evaluator.ranking import direction_of
from evaluator.spec import Challenge as Spec
from evaluator.spec import Limits
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.clock import now
from server.deps import SessionDep
from server.live.reading import State
from server.pages import page
from server.submissions import access, api, evaluation_api, views
from server.submissions.service import get_submission
from server.web.frame import challenge_frame
from server.web.looking import ReaderDep
from server.web.mine.briefs import brief_of
from server.web.mine.room import team_of_page
from server.web.mine.verdicts import Said, hint, said_of
from server.web.titles import Titles

router = APIRouter(include_in_schema=False)

PER_PAGE, CASES_PER_PAGE, MOVES = 20, 50, 200
LIVE = 2
"""Submissions of a list that are followed as they go on: a browser holds six connections to a server at once."""


@dataclass(frozen=True)
class ScoreRow:
    """A metric of a board with its value; `better`: "higher" or "lower", None where the rules know it no more."""

    board: str
    metric: str
    score: ScoreOut
    better: str | None


@dataclass(frozen=True)
class Shown:
    """An evaluation as its card shows it."""

    out: EvaluationOut
    task: str
    said: Said
    rows: Sequence[ScoreRow]


@router.get("/challenges/{slug}/mine", response_class=HTMLResponse)
def mine(
    request: Request,
    session: SessionDep,
    reader: ReaderDep,
    slug: Name,
    team: TeamId | None = None,
    before: Annotated[SubmissionId | None, Query()] = None,
) -> HTMLResponse:
    """The submissions of the reader's team, newest first."""
    challenge = get_challenge(session, slug)
    own = team_of_page(session, reader, challenge, team)
    found: list[SubmissionOut] = []
    if own is not None:
        found = api.list_submissions(session, reader.user, slug, own.id, before, PER_PAGE + 1)
    listed = found[:PER_PAGE]
    followed = [one for one in listed if not one.ended][:LIVE]
    return page(
        request,
        "mine/submissions.html",
        frame=challenge_frame(challenge, takes_part=True),
        team=own,
        named=team,
        spec=challenge.spec,
        submissions=listed,
        briefs={out.id: brief_of(challenge.spec, out) for one in listed for out in one.evaluations},
        live={one.id: State.of(one).id for one in followed},
        before=before,
        older=listed[-1].id if len(found) > PER_PAGE else None,
    )


@router.get("/challenges/{slug}/mine/attempts", response_class=HTMLResponse)
def attempts(
    request: Request, session: SessionDep, reader: ReaderDep, slug: Name, team: TeamId | None = None
) -> HTMLResponse:
    """What is left of the attempts, and what became of each."""
    challenge, at = get_challenge(session, slug), now(session)
    own, spec = team_of_page(session, reader, challenge, team), challenge.spec
    quotas = [] if own is None else api.get_quota(session, reader.user, slug, own.id)
    ledger = None if own is None else api.list_attempts(session, reader.user, own.id, limit=MOVES)
    by_phase: dict[str, list[QuotaOut]] = {name: [] for name in spec.phases}
    for quota in quotas:
        by_phase[quota.phase].append(quota)
    return page(
        request,
        "mine/attempts.html",
        frame=challenge_frame(challenge, takes_part=True),
        team=own,
        spec=spec,
        phases=[(name, spec.phases[name].is_open(at), rows) for name, rows in by_phase.items()],
        ledger=ledger,
    )


@router.get("/submissions/{submission_id}", response_class=HTMLResponse)
def submission(
    request: Request, session: SessionDep, reader: ReaderDep, submission_id: SubmissionId
) -> HTMLResponse:
    """One submission, as it goes on."""
    row = get_submission(session, reader.user, submission_id)
    out = views.submission_out(session, row)
    challenge = session.get_one(Challenge, row.challenge_id)
    return page(
        request,
        "mine/submission.html",
        frame=challenge_frame(challenge, takes_part=True),
        spec=challenge.spec,
        out=out,
        state=State.of(out).id,
        evaluations=[
            shown(challenge.spec, one, ran.limits, hidden=out.hidden)
            for one, ran in zip(out.evaluations, row.evaluations, strict=True)
        ],
    )


@router.get("/evaluations/{evaluation_id}", response_class=HTMLResponse)
def evaluation(
    request: Request,
    session: SessionDep,
    reader: ReaderDep,
    evaluation_id: EvaluationId,
    after: Annotated[CaseRunId | None, Query()] = None,
) -> HTMLResponse:
    """One evaluation, with its cases where the phase shows them."""
    row, found = access.own_evaluation(session, reader.user, evaluation_id)
    (out,) = views.evaluations_out(session, row, [found])
    challenge = session.get_one(Challenge, row.challenge_id)
    cases: list[CaseOut] = []
    if not found.is_hidden:
        limit = CASES_PER_PAGE + 1
        cases = evaluation_api.list_cases(session, reader.user, found.id, after=after, limit=limit)
    listed = cases[:CASES_PER_PAGE]
    return page(
        request,
        "mine/evaluation.html",
        frame=challenge_frame(challenge, takes_part=True),
        spec=challenge.spec,
        submission=row,
        state=State.of(views.submission_out(session, row)).id,
        shown=shown(challenge.spec, out, found.limits, hidden=found.is_hidden),
        hidden=found.is_hidden,
        cases=[(case, hint(case.verdict, found.limits) if case.verdict else None) for case in listed],
        after=after,
        further=listed[-1].id if len(cases) > CASES_PER_PAGE else None,
    )


@router.get("/evaluations/{evaluation_id}/cases/{case_id}", response_class=HTMLResponse)
def case(
    request: Request, session: SessionDep, reader: ReaderDep, evaluation_id: EvaluationId, case_id: CaseRunId
) -> HTMLResponse:
    """One case of a public phase, with the whole log beside what was found."""
    out = evaluation_api.get_case(session, reader.user, evaluation_id, case_id)
    row, found = access.own_evaluation(session, reader.user, evaluation_id)
    challenge = session.get_one(Challenge, row.challenge_id)
    return page(
        request,
        "mine/case.html",
        frame=challenge_frame(challenge, takes_part=True),
        evaluation=found,
        task=Titles(challenge.spec).task(found.task),
        case=out,
        hint=hint(out.verdict, found.limits) if out.verdict else None,
    )


def shown(spec: Spec, out: EvaluationOut, limits: Limits, *, hidden: bool) -> Shown:
    """An evaluation with what its card says of it. limits: of its cases; hidden: whether they are."""
    titles = Titles(spec)
    rows = [
        ScoreRow(titles.board(board), titles.metric(board, metric), score, _better(spec, board, metric))
        for board, metrics in out.scores.items()
        for metric, score in metrics.items()
    ]
    return Shown(out, titles.task(out.task), said_of(out, limits, hidden=hidden), rows)


def _better(spec: Spec, board: str, metric: str) -> str | None:
    known = spec.boards[board].metrics.get(metric) if board in spec.boards else None
    return None if known is None else direction_of(known)
