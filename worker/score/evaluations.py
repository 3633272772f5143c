"""Scoring finished evaluations: references + canonical outputs → reports, receipt, status, in one commit."""

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import exc
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from evaluator.scoring import Report
from evaluator.verdicts import PlatformFault
from server.blobs import BlobDamaged, BlobsAway
from server.challenges.models import SpecVersion
from server.database import SessionFactory, unit_of_work
from server.datasets.service import inputs_manifest
from server.disk import Share, closed
from server.errors import Conflict, StorageFull
from server.evaluations import scoring
from server.evaluations.models import Evaluation
from server.evaluations.scoring import Alike
from server.metrics import SCORING
from server.settings import Settings
from worker.score.child import Scorer, ScorerLost, ScoringFailed
from worker.score.leases import DATABASE_AWAY, kept

LONGEST_PASS = 60.0
"""Seconds for which evaluations that are alike go before others of their priority that have waited longer."""
_RENEW_EVERY = 20.0
_MOST_SAID = 2000
_AWAY = "blobs_away"
_AT_ONCE = 64  # outputs that are brought before the disk is asked again
_FOR_REPORTS = 16 * 2**20  # beside the outputs: the manifest, reports, what probes keep

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Job:
    """What is needed to score one evaluation, read in one short unit of work."""

    evaluation_id: EvaluationId
    submission: str
    claim: int
    spec: SpecVersion
    task: str
    manifest: dict[str, Any]
    folder: str
    outputs: dict[str, str]
    alike: Alike
    shared: bool


def score_waiting(sessions: SessionFactory, settings: Settings) -> int:
    """Scores every evaluation that waits for it; returns how many. While the disk has no room, all of them wait.

    Those of other challenges than `settings` may name are left to others.
    """
    scored = 0
    with Scorer() as scorer:
        turn = _Pass(scorer)
        while True:
            if not settings.room(Share.RESULTS, settings.scratch).left():
                _log.error("no_room_to_score", data=str(settings.data))
                return scored
            job = _claim(sessions, settings, turn)
            if job is None:
                return scored
            began = time.monotonic()
            outcome = _score(sessions, settings, job, turn)
            SCORING.labels(outcome).observe(time.monotonic() - began)
            if outcome == _AWAY:  # for the next one too
                return scored
            scored += 1


class _Pass:
    """Evaluations that are scored one after another by one process, which keeps what they have in common.

    Each is claimed when its turn comes, so that nothing waits with a lease, and none is lost with another.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self._shared: tuple[Alike, dict[str, Any]] | None = None
        self._until = 0.0

    def preferred(self) -> Alike | None:
        """Those that go on with what is kept; None where others have waited long enough for their turn."""
        if self._shared is None or time.monotonic() > self._until:
            self._until = time.monotonic() + LONGEST_PASS
            return None
        return self._shared[0]

    def begin(self, alike: Alike, bases: dict[str, Any]) -> None:
        """The turn of an evaluation; nothing is kept of references, or of code, that are not its own.

        bases: how its boards are scored by the code that is installed now.
        """
        if self._shared != (alike, bases):
            self.scorer.close()
            self._shared, self._until = (alike, bases), time.monotonic() + LONGEST_PASS


def _claim(sessions: SessionFactory, settings: Settings, turn: _Pass) -> _Job | None:
    with unit_of_work(sessions) as session:
        evaluation = scoring.claim(session, alike=turn.preferred(), challenges=settings.scores_challenges)
        return None if evaluation is None else _job(session, evaluation)


def _job(session: Session, evaluation: Evaluation) -> _Job:
    alike = Alike.to(evaluation)
    return _Job(
        evaluation_id=evaluation.id,
        submission=str(evaluation.submission_id),
        claim=evaluation.scoring_claim_no,
        spec=evaluation.spec_version,
        task=evaluation.task,
        manifest=inputs_manifest(evaluation.dataset),
        folder=evaluation.dataset.folder,
        outputs={run.case.name: run.output for run in evaluation.runs if run.output is not None},
        alike=alike,
        shared=scoring.are_waiting(session, alike),
    )


def _score(sessions: SessionFactory, settings: Settings, job: _Job, turn: _Pass) -> str:
    """Scores it, and tells what came of it; in a word."""
    log = _log.bind(submission=job.submission, evaluation=str(job.evaluation_id), task=job.task)
    folder = settings.scratch / f"{job.evaluation_id}-{job.claim}"
    try:
        for old in closed(settings.scratch).glob(f"{job.evaluation_id}-*"):  # of a worker that was killed
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(mode=0o700)
        bases = scoring.bases(job.spec.spec, job.task)
        turn.begin(job.alike, bases)
        with kept(sessions, partial(_renew, job), every=_RENEW_EVERY):
            reports = _reports(settings, job, folder, turn.scorer)
        _require_same(bases, scoring.bases(job.spec.spec, job.task))
        with unit_of_work(sessions) as session:
            scoring.settle(
                session, job.evaluation_id, job.claim, reports, scored_with=bases, settings=settings
            )
        log.info("scored", boards=list(reports))
        return "scored"
    except Conflict:
        log.warning("scoring_lost")
        return "lost"
    except StorageFull as problem:
        log.error("no_room_to_score", why=problem.detail)
        with unit_of_work(sessions) as session:
            scoring.put_back(session, job.evaluation_id, job.claim)
        return "no_room"
    except BlobsAway as away:
        log.error("blobs_away", why=away.why)
        with unit_of_work(sessions) as session:
            scoring.put_back(session, job.evaluation_id, job.claim)
        return _AWAY
    except (ScorerLost, BlobDamaged, OSError, *DATABASE_AWAY) as error:
        log.error("scorer_lost", error=_sayable(error, job))
        _fail(sessions, job, PlatformFault.SCORER_LOST, error)
        return PlatformFault.SCORER_LOST
    except ScoringFailed as error:
        log.error("scorer_failed", error=_sayable(error, job))
        _fail(sessions, job, PlatformFault.SCORER_FAILED, error)
        return PlatformFault.SCORER_FAILED
    except Exception as error:
        # A defect of ours counts as well, else the evaluation would wait for its next claim for good.
        log.exception("scorer_defect")
        _fail(sessions, job, PlatformFault.SCORER_FAILED, error)
        return PlatformFault.SCORER_FAILED
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reports(settings: Settings, job: _Job, folder: Path, scorer: Scorer) -> dict[str, Report]:
    _lay_out(folder, settings, job)
    references = settings.references / job.folder
    if not references.is_dir():  # a disk that is not mounted, not references that are wrong
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(references))
    boards = job.spec.spec.boards_of(job.task)
    room = settings.room(Share.RESULTS, settings.scratch)
    shared = job.shared or len(boards) > 1
    reports = {
        board: scorer.score(folder, board=board, references=references, room=room, shared=shared)
        for board in boards
    }
    _require_all_read(job, reports)
    return reports


def _renew(job: _Job, session: Session) -> None:
    scoring.renew(session, job.evaluation_id, job.claim)


def _fail(sessions: SessionFactory, job: _Job, fault: PlatformFault, error: Exception) -> None:
    """Tells what came of it; where even that fails, the lease runs out by itself."""
    said = str(error) if isinstance(error, ScoringFailed) else f"{type(error).__name__}: {error}"
    named = without_case_names(said, [case["case"] for case in job.manifest["cases"]])[:_MOST_SAID]
    # As a column holds it.
    detail = named.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    try:
        with unit_of_work(sessions) as session:
            scoring.fail(session, job.evaluation_id, job.claim, fault, detail)
    except DATABASE_AWAY as failure:
        _log.warning("fault_not_told", evaluation=str(job.evaluation_id), error=type(failure).__name__)


def _sayable(error: Exception, job: _Job) -> str:
    """The error's text as a log may hold it: no case name, and of the system's and the database's errors their kind."""
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    if isinstance(error, exc.SQLAlchemyError):
        return type(error).__name__
    return without_case_names(str(error), [case["case"] for case in job.manifest["cases"]])


def without_case_names(text: str, cases: Sequence[str]) -> str:
    """`text` with every case named by its place in the manifest, from 1, which an admin can look up."""
    places = {name: place for place, name in enumerate(cases, 1)}
    longest_first = sorted(map(re.escape, cases), key=len, reverse=True)  # sub-1 is a part of sub-12
    return re.sub("|".join(longest_first), lambda match: f"case {places[match[0]]}", text) if cases else text


def _require_all_read(job: _Job, reports: dict[str, Report]) -> None:
    """Raises ScoringFailed where the evaluator took a stored output for a missing one: ours to mend, never a score."""
    missing = len(job.manifest["cases"]) - len(job.outputs)
    for board, report in reports.items():
        unread = report.extras.missing
        if unread != missing:
            raise ScoringFailed(
                f"{board}: {unread} outputs are missing to the evaluator and {missing} in the store"
            )


def _require_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raises ScoringFailed where a metric was exchanged meanwhile: nobody could say which one made the values."""
    changed = [board for board in before if before[board] != after[board]]
    if changed:
        raise ScoringFailed(f"{', '.join(changed)}: the code of a metric was changed while it was scored")


def _lay_out(folder: Path, settings: Settings, job: _Job) -> None:
    """The files that the evaluator reads. Outputs are copied: it takes no file that has a second name."""
    room = settings.room(Share.RESULTS, settings.scratch)
    sizes = settings.blobs.sizes({*job.outputs.values()})
    room.require(_FOR_REPORTS + sum(sizes.get(digest, 0) for digest in job.outputs.values()))
    (folder / "challenge.json").write_text(json.dumps(job.spec.content), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(job.manifest), encoding="utf-8")
    predictions = folder / "predictions"
    predictions.mkdir()
    suffix = job.spec.spec.tasks[job.task].output.suffix
    wanted = [(predictions / f"{case}{suffix}", digest) for case, digest in job.outputs.items()]
    for start in range(0, len(wanted), _AT_ONCE):
        some = dict(wanted[start : start + _AT_ONCE])
        room.require(sum(sizes.get(digest, 0) for digest in some.values()))  # others write too
        settings.blobs.bring(some)
