"""What a new evaluation is made of: the outcomes that it takes over, and the cases that have to run."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import CaseId, CaseRunId, DatasetId, EvaluationId
from contract.statuses import CaseStatus
from evaluator.verdicts import VALID
from server.blobs import BlobStore
from server.datasets.models import Case
from server.evaluations.models import CaseRun, Evaluation

Inputs = frozenset[tuple[str, str]]
"""Of a case the digest of each file by its key."""


@dataclass(frozen=True)
class Outcome:
    """What came of one case of an evaluation; `stored`: it can be scored as it is."""

    run: CaseRunId
    position: int
    inputs: Inputs
    stored: bool
    has_output: bool


@dataclass(frozen=True)
class Material:
    """What is made of an evaluation on `dataset`: case → the outcome that is taken over, and the cases that run."""

    evaluation: Evaluation
    dataset: DatasetId
    taken: Mapping[CaseId, CaseRunId] = field(default_factory=dict)
    to_run: Sequence[CaseId] = ()
    outputs: int = 0


class Cases:
    """The cases of versions, read once each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[DatasetId, list[tuple[CaseId, str, Inputs]]] = {}

    def of(self, dataset: DatasetId) -> Sequence[tuple[CaseId, str, Inputs]]:
        """The id, the name and the inputs of each case."""
        if dataset not in self._known:
            rows = self._session.execute(
                select(Case.id, Case.name, Case.files)
                .where(Case.dataset_id == dataset)
                .order_by(Case.ordinal)
            )
            self._known[dataset] = [(row.id, row.name, _inputs(row.files)) for row in rows]
        return self._known[dataset]


def _inputs(files: Mapping[str, Any]) -> Inputs:
    return frozenset((key, file["sha256"]) for key, file in files.items())


def outcomes(
    session: Session, evaluations: Sequence[Evaluation], cases: Cases, blobs: BlobStore
) -> dict[EvaluationId, dict[str, Outcome]]:
    """What came of the cases of each evaluation, by their names; cases without a verdict are left out."""
    ids = [evaluation.id for evaluation in evaluations]
    known = {
        case_id: (name, inputs)
        for dataset in {evaluation.dataset_id for evaluation in evaluations}
        for case_id, name, inputs in cases.of(dataset)
    }
    rows = session.execute(
        select(
            CaseRun.id,
            CaseRun.position,
            CaseRun.evaluation_id,
            CaseRun.case_id,
            CaseRun.verdict,
            CaseRun.output,
        ).where(CaseRun.evaluation_id.in_(ids), CaseRun.status == CaseStatus.DONE)
    ).all()
    found: dict[EvaluationId, dict[str, Outcome]] = defaultdict(dict)
    there = blobs.sizes({row.output for row in rows if row.output is not None})
    for run, position, evaluation, case, verdict, output in rows:
        name, inputs = known[case]
        # A case that failed has no output, and that is its outcome.
        stored = verdict != VALID if output is None else output in there
        found[evaluation][name] = Outcome(run, position, inputs, stored, output is not None)
    return found


def match(evaluation: Evaluation, dataset: DatasetId, cases: Cases, known: Mapping[str, Outcome]) -> Material:
    """What of `known` stands for the cases of `dataset`: same name, same inputs, and stored; the others have to run."""
    taken: list[tuple[int, CaseId, CaseRunId]] = []
    to_run, outputs = [], 0
    for case, name, inputs in cases.of(dataset):
        outcome = known.get(name)
        if outcome is not None and outcome.stored and outcome.inputs == inputs:
            taken.append((outcome.position, case, outcome.run))
            outputs += outcome.has_output
        else:
            to_run.append(case)
    return Material(evaluation, dataset, {case: run for _, case, run in sorted(taken)}, to_run, outputs)
