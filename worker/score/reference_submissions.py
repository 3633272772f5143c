"""Reference submissions: outputs made of labels go through the checks and the scoring of every other output."""

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from evaluator.dataset_check import light
from evaluator.manifest import Manifest, ManifestError
from evaluator.outputs import InputUnreadable, check_and_encode
from evaluator.reference_outputs import (
    PERFECT,
    Judgement,
    ReferenceVariant,
    Truth,
    TruthUnreadable,
    judge_refused,
    judge_scored,
    truth_of_task,
    variants,
)
from evaluator.scoring import Report
from evaluator.spec import Challenge as Spec
from evaluator.verdicts import Fault, code_of, commonest
from server.database import SessionFactory, unit_of_work
from server.datasets.service import inputs_manifest
from server.disk import Room, Share, closed
from server.errors import Conflict, StorageFull
from server.reference_submissions import service
from server.settings import Settings
from worker.score.child import Scorer, ScoringFailed
from worker.score.evaluations import without_case_names
from worker.score.leases import DATABASE_AWAY, kept

_RENEW_EVERY = 20.0
_MOST_SAID = 2000

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Trial:
    """What is needed of one, read in one short unit of work."""

    id: UUID
    claim: int
    spec: Spec
    task: str
    manifest: dict[str, Any]
    folder: str


def try_waiting(sessions: SessionFactory, settings: Settings) -> int:
    """Makes and scores every reference submission that waits; returns how many."""
    tried = 0
    while (trial := _claim(sessions, settings)) is not None:
        _try(sessions, settings, trial)
        tried += 1
    return tried


def _claim(sessions: SessionFactory, settings: Settings) -> _Trial | None:
    with unit_of_work(sessions) as session:
        row = service.claim(session, settings.scores_challenges)
        if row is None:
            return None
        manifest = inputs_manifest(row.dataset)
        return _Trial(row.id, row.claim_no, row.spec_version.spec, row.task, manifest, row.dataset.folder)


def _try(sessions: SessionFactory, settings: Settings, trial: _Trial) -> None:
    log = _log.bind(reference_submission=str(trial.id), task=trial.task)
    folder = closed(settings.scratch) / f"{trial.id}-{trial.claim}"
    try:
        folder.mkdir(mode=0o700)
        with kept(sessions, partial(_renew, trial), every=_RENEW_EVERY):
            judgements = [judgement.model_dump() for judgement in _judgements(settings, trial, folder)]
        with unit_of_work(sessions) as session:
            service.settle(session, trial.id, trial.claim, judgements)
        log.info("reference_submission_scored")
    except Conflict:
        log.warning("reference_submission_lost")
    except DATABASE_AWAY as error:
        log.error("reference_submission_not_told", error=type(error).__name__)
    except (TruthUnreadable, ManifestError, InputUnreadable, ScoringFailed, StorageFull, OSError) as error:
        _fail(sessions, trial, error)
    except Exception as error:
        log.exception("reference_submission_defect")
        _fail(sessions, trial, error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _renew(trial: _Trial, session: Session) -> None:
    service.renew(session, trial.id, trial.claim)


def _fail(sessions: SessionFactory, trial: _Trial, error: Exception) -> None:
    said = f"{type(error).__name__}: {error.strerror}" if isinstance(error, OSError) else str(error)
    named = without_case_names(said, [case["case"] for case in trial.manifest["cases"]])[:_MOST_SAID]
    _log.error("reference_submission_failed", reference_submission=str(trial.id), error=named)
    try:
        with unit_of_work(sessions) as session:
            service.fail(session, trial.id, trial.claim, named or type(error).__name__)
    except (Conflict, *DATABASE_AWAY) as failure:
        _log.warning("reference_submission_not_told", error=type(failure).__name__)


def _judgements(settings: Settings, trial: _Trial, folder: Path) -> Iterator[Judgement]:
    """What was expected of each variant and board, and found.

    Resamples are few and seeds are one, which changes no value of what is expected.
    """
    references = settings.references / trial.folder
    if not references.is_dir():  # a disk that is not mounted, not labels that are wrong
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(references))
    boards = list(trial.spec.boards_of(trial.task))
    spec = light(trial.spec, *boards)
    truth = truth_of_task(spec, trial.task, Manifest.model_validate(trial.manifest), references)
    (folder / "challenge.json").write_text(json.dumps(spec.model_dump(mode="json")), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(trial.manifest), encoding="utf-8")
    room = settings.room(Share.RESULTS, settings.scratch)
    perfect: dict[str, Report] = {}
    with Scorer() as scorer:  # one for all, so that the labels are read once
        for variant in variants(truth):
            refused = _answered(truth, variant, folder, inputs=settings.inputs, room=room)
            reports = {}
            if refused is None:
                reports = {
                    board: scorer.score(folder, board=board, references=references, room=room, shared=True)
                    for board in boards
                }
                refused = "run_invalid" if any(report.rejected for report in reports.values()) else None
            yield judge_refused(variant, refused)
            if variant.name == PERFECT:
                perfect = reports
            for board, report in reports.items() if refused is None else ():
                yield from judge_scored(truth, variant, report, perfect.get(board))


def _answered(
    truth: Truth, variant: ReferenceVariant, folder: Path, *, inputs: Path, room: Room
) -> str | None:
    """Lays out the valid outputs of a variant; the code of the commonest failure where it is refused before scoring.

    As for a container, nothing more is asked of it once its first cases have all failed.
    """
    predictions, raw = folder / "predictions", folder / f"output{truth.task.output.suffix}"
    for old in (predictions, folder / "probes"):
        shutil.rmtree(old, ignore_errors=True)
    predictions.mkdir()
    first = truth.spec.limits_of(truth.name).first_cases
    failed: Counter[str] = Counter()
    valid = 0
    for number, case in enumerate(truth.manifest.cases, 1):
        content = variant.raw(case.case)
        if content is None:
            failed[code_of(Fault.OUTPUT_MISSING)] += 1
        else:
            room.require(2 * len(content))
            raw.write_bytes(content)
            files = {key: inputs / file.path for key, file in case.files.items()}
            result, canonical = check_and_encode(truth.task, raw, files)
            if canonical is None:
                failed[code_of(Fault.OUTPUT_INVALID, result.check)] += 1
            else:
                (predictions / f"{case.case}{truth.task.output.suffix}").write_bytes(canonical)
                valid += 1
        if not valid and number >= first:
            break
    return None if valid else commonest(failed)
