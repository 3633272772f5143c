"""What single cases gave, without saying which case gave what: sorted values, quantiles, groups large enough."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import ceil
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Uuid, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.sureness import CaseSpreadOut, GroupOut, GroupValueOut, QuantilesOut, VariableOut
from evaluator.scoring import GroupReport
from server.evaluations.models import CaseRun
from server.evaluations.result_models import BoardReport, Score

LEAST = 5
"""Cases and subjects of a group whose numbers participants see: those of fewer would tell of single ones."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Cases = Mapping[UUID, Sequence[float | None]]
"""The values of single cases, in the order of the dataset, by the score's id."""


def cases_of(session: Session, scores: Iterable[UUID]) -> Cases:
    """The values of single cases of scores; those of metrics without any are left out."""
    query = select(Score.id, Score.per_case).where(
        Score.id == any_(literal(list(scores), ARRAY(Uuid))), Score.per_case.is_not(None)
    )
    return {score: values or [] for score, values in session.execute(query)}


def in_rows(
    columns: Sequence[Sequence[float | None] | None], decimals: int
) -> list[list[float | None]] | None:
    """The values of each case, a row per case, in an order that the values alone decide; None without any.

    An entry without values per case has None in every row.
    """
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) != 1:
        return None
    (cases,) = lengths
    filled = [[None] * cases if column is None else column for column in columns]
    rows = [[_rounded(value, decimals) for value in row] for row in zip(*filled, strict=True)]
    return sorted(rows, key=lambda row: [(value is None, value or 0.0) for value in row])


def spread(values: Sequence[float | None], *, higher_is_better: bool, decimals: int) -> CaseSpreadOut | None:
    """How values of single cases spread; None where no case has one."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    tenth = ceil(len(known) / 10)
    worst = known[:tenth] if higher_is_better else known[-tenth:]
    return CaseSpreadOut(
        cases=len(known),
        undefined=len(values) - len(known),
        quantiles=_quantiles(np.quantile(known, _QUANTILES).tolist(), decimals),
        worst_tenth=round(float(np.mean(worst)), decimals),
        values=[round(value, decimals) for value in known],
    )


def seconds_of(session: Session, evaluations: Collection[EvaluationId]) -> dict[EvaluationId, QuantilesOut]:
    """How long the container ran for a case, of evaluations that ran any."""
    told = func.percentile_cont(list(_QUANTILES)).within_group(CaseRun.seconds)
    query = (
        select(CaseRun.evaluation_id, told)
        .where(CaseRun.evaluation_id.in_(evaluations), CaseRun.seconds.is_not(None))
        .group_by(CaseRun.evaluation_id)
    )
    return {evaluation: _quantiles(found, 1) for evaluation, found in session.execute(query)}


def groups_of(
    session: Session,
    evaluations: Collection[EvaluationId],
    board: str,
    *,
    decimals: int,
    every: bool,
) -> dict[EvaluationId, list[VariableOut]]:
    """Values within groups of patients, by evaluation. every: of small groups, too."""
    query = select(BoardReport.evaluation_id, BoardReport.content["extras"]["groups"]).where(
        BoardReport.evaluation_id.in_(evaluations), BoardReport.board == board
    )
    return {
        evaluation: [
            VariableOut(variable=variable, groups=_groups(members, decimals, every=every))
            for variable, members in (found or {}).items()
        ]
        for evaluation, found in session.execute(query)
    }


def _groups(members: Mapping[str, Any], decimals: int, *, every: bool) -> list[GroupOut]:
    found = {name: GroupReport.model_validate(group) for name, group in members.items()}
    small = set() if every else too_small(found)
    return [
        GroupOut(
            group=name,
            size=None if name in small else group.size,
            subjects=None if name in small else group.subjects,
            enough=group.enough,
            suppressed=name in small,
            values={} if name in small else _values(group, decimals),
        )
        for name, group in found.items()
    ]


def too_small(groups: Mapping[str, GroupReport]) -> set[str]:
    """The groups of a variable whose numbers would tell of fewer than `LEAST` cases or subjects.

    What one group lacks follows from all cases and the other groups, so that the smallest others go with it until
    what is left out is of several groups, and of so many cases together.
    """
    sizes = {name: min(group.size, group.subjects) for name, group in groups.items()}
    small = {name for name, size in sizes.items() if size < LEAST}
    others = sorted(groups.keys() - small, key=lambda name: (sizes[name], name))
    while small and others and (len(small) == 1 or sum(sizes[name] for name in small) < LEAST):
        small.add(others.pop(0))
    return small


def _values(group: GroupReport, decimals: int) -> dict[str, GroupValueOut]:
    return {
        metric: GroupValueOut(
            value=_rounded(value, decimals),
            low=_rounded(bounds[0] if bounds else None, decimals),
            high=_rounded(bounds[1] if bounds else None, decimals),
        )
        for metric, value in group.values.items()
        for bounds in [group.intervals.get(metric)]
    }


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)


def _quantiles(found: Sequence[float], decimals: int) -> QuantilesOut:
    p05, p25, p50, p75, p95 = (round(value, decimals) for value in found)
    return QuantilesOut(p05=p05, p25=p25, p50=p50, p75=p75, p95=p95)
