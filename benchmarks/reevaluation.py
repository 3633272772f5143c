"""A season's entries re-evaluated: 50 teams, seven boards, 100 cases each. What is waited for, scoring aside."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from benchmarks.support.boards import PHASE, SLUG, fill
from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation
from contract.ids import ReevaluationId
from contract.reevaluations import ReevaluationIn, ReevaluationMode, ReevaluationScope
from contract.statuses import CaseStatus
from evaluator.verdicts import VALID
from server.accounts.principals import Organizer
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.models import Case
from server.evaluations.models import CaseRun, Evaluation
from server.ids import new_id
from server.reevaluations import service, swap, views
from server.reevaluations.models import Reevaluation
from server.settings import Settings
from server.tables import open_database

_TEAMS, _CASES, _ROUNDS = 50, 100, 3
_BOUNDS = {"draft": 10.0, "start": 30.0, "preview": 10.0, "apply": 5.0, "revert": 5.0}
"""Seconds in which an organizer has each."""
_SCORED = """
INSERT INTO scores (id, evaluation_id, board, metric, value, low, high, reason, replicates)
SELECT gen_random_uuid(), new.id, board, metric, 1 - value, low, high, scores.reason, replicates
FROM evaluations AS new JOIN scores ON scores.evaluation_id = new.replaces_id WHERE new.standing = 'beside'
    AND new.status = 'scoring';
UPDATE evaluations AS new SET status = 'scored', finished_at = now(), scored_with = old.scored_with
FROM evaluations AS old WHERE old.id = new.replaces_id AND new.status = 'scoring';
"""
_T = TypeVar("_T")


def run() -> list[Comparison]:
    """Each step against its bound, several re-evaluations of everything one after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in _BOUNDS}
    with installation() as settings:
        sessions = open_database(settings.database_url)
        with unit_of_work(sessions) as session:
            fill(session, _TEAMS, evaluations=6 * _TEAMS, cases=_CASES)
            session.execute(insert(CaseRun), list(_runs(session, settings)))
        for _ in range(_ROUNDS):
            _season(sessions, settings, seconds)
        sessions.kw["bind"].dispose()
    return [
        Comparison(
            f"re-evaluation of {6 * _TEAMS} × {_CASES} cases, {name}",
            Side("Proctor", tuple(found)),
            Side("the bound", (_BOUNDS[name],)),
            least=1.0,
        )
        for name, found in seconds.items()
    ]


def _runs(session: Session, settings: Settings) -> Iterator[dict[str, object]]:
    """Every case of every evaluation, run and valid."""
    output = settings.blobs.put(b"0.5\n")
    rows = session.execute(
        select(Evaluation.id, Case.id, Case.ordinal).join(Case, Case.dataset_id == Evaluation.dataset_id)
    )
    for evaluation, case, ordinal in rows:
        yield {
            "id": new_id(),
            "evaluation_id": evaluation,
            "case_id": case,
            "position": ordinal,
            "pseudonym": f"case_{ordinal}",
            "status": CaseStatus.DONE,
            "verdict": VALID,
            "output": output,
            "seconds": 1.0,
        }


def _season(sessions: SessionFactory, settings: Settings, seconds: dict[str, list[float]]) -> None:
    found: list[ReevaluationId] = []

    def timed(name: str, act: Callable[[Session, Organizer], _T]) -> _T:
        began = time.perf_counter()
        with unit_of_work(sessions) as session:
            answer = act(session, Organizer(get_challenge(session, SLUG).id, "bench"))
        seconds[name].append(time.perf_counter() - began)
        return answer

    def draft(session: Session, organizer: Organizer) -> None:
        scope = ReevaluationScope(phases=(PHASE,))
        wanted = ReevaluationIn(mode=ReevaluationMode.RESCORE, why="bench", scope=scope)
        challenge = get_challenge(session, SLUG)
        made, coverage = service.draft(session, organizer, challenge, wanted, settings=settings, code=None)
        views.drafted_out(session, challenge, made, coverage, settings)
        found.append(made.id)

    def own(session: Session) -> Reevaluation:
        return session.get_one(Reevaluation, found[0])

    timed("draft", draft)
    timed("start", lambda session, who: service.start(session, who, own(session), settings=settings))
    with unit_of_work(sessions) as session:
        for statement in _SCORED.strip().removesuffix(";").split(";\n"):
            session.execute(text(statement))
    with unit_of_work(sessions) as session:
        service.advance(session, found[0], settings=settings)
    seen = timed(
        "preview",
        lambda session, _: (
            views.preview_out(session, get_challenge(session, SLUG), own(session), settings).digest
        ),
    )
    timed(
        "apply",
        lambda session, who: swap.apply(session, who, own(session), seen=seen, why=None, settings=settings),
    )
    timed("revert", lambda session, who: swap.revert(session, who, own(session), why="b", settings=settings))
