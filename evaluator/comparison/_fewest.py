"""How few subjects the first place hangs on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from evaluator.comparison._places import first_among
from evaluator.ranking import (
    TOLERANCE,
    Column,
    Ranks,
    Table,
    Values,
    rank_values,
    ranked_columns,
    rounded,
)
from evaluator.spec import Ranking

_STEPS = 48  # numbers of subjects that are tried of a dataset
_RANKED_AGAIN = 50  # choices of subjects without whom all teams are ranked again

_Numbers = npt.NDArray[np.intp]
_Taken = dict[
    int, tuple[int, _Numbers]
]  # by dataset, how many subjects leave, and the order in which they do


@dataclass(frozen=True)
class Departure:
    """Subjects to leave out, and who is first without them.

    subjects: how many of each dataset, by its place among those asked about. first: the number of the team that is
    first then, alone. exact: the values without them are known, none is told from influence values.
    """

    subjects: Mapping[int, int]
    first: int
    exact: bool

    @property
    def total(self) -> int:
        """Of all datasets."""
        return sum(self.subjects.values())


@dataclass(frozen=True)
class _Dataset:
    """The columns of a dataset, by their numbers, and how subjects move them.

    values: (columns, teams). influence: (columns, teams, units). cases: by the place among the columns, the values of
    single cases, (teams, units), of those that are their means, where each case is its own subject.
    """

    columns: list[int]
    values: Values
    influence: Values
    cases: Mapping[int, Values]

    @classmethod
    def of(cls, table: Table, influence: Mapping[int, Values]) -> Self:
        columns, moved = list(influence), np.stack(list(influence.values()))
        values = table.values[columns]
        cases = {
            place: rows
            for place, column in enumerate(columns)
            if (rows := table.cases.get(column)) is not None and rows.shape == moved[place].shape
            if np.allclose(_means(rows), values[place], rtol=0, atol=TOLERANCE, equal_nan=True)
        }
        return cls(columns, values, moved, cases)

    @property
    def exact(self) -> bool:
        return len(self.cases) == len(self.columns)

    def without(self, order: _Numbers, counts: _Numbers) -> Values:
        """The values without so many subjects from the front of an order, (counts, columns, teams)."""
        return np.stack([self._column(place, order, counts) for place in range(len(self.columns))], axis=1)

    def _column(self, place: int, order: _Numbers, counts: _Numbers) -> Values:
        units = len(order)
        if place in self.cases:
            return _means_of_last(self.cases[place][:, order], units - counts)
        gone = self.influence[place][:, order].cumsum(axis=1)[:, counts - 1]
        # ψ of a mean is (x − mean)/√(n(n − 1)); without k values the mean moves by their sum of (x − mean)/(n − k).
        after: Values = self.values[place] - (gone * np.sqrt(units * (units - 1)) / (units - counts)).T
        return after


def _means(cases: Values) -> Values:
    means: Values = _means_of_last(cases, np.array([cases.shape[1]]))[0]
    return means


def _means_of_last(cases: Values, counts: _Numbers) -> Values:
    """Means of the last so many of (teams, cases), (counts, teams), over those that have a value; NaN if none has."""
    known = np.isfinite(cases)
    sums = np.where(known, cases, 0)[:, ::-1].cumsum(axis=1)[:, counts - 1]
    with np.errstate(invalid="ignore"):
        means: Values = (sums / known[:, ::-1].cumsum(axis=1)[:, counts - 1]).T
    return means


def fewest_left_out(
    ranking: Ranking,
    table: Table,
    datasets: Sequence[Mapping[int, Values]],
    leader: int,
    rivals: Sequence[int],
    may_win: npt.NDArray[np.bool_],
) -> Departure | None:
    """Subjects without whom another team is first, alone; None where none were found.

    Subjects leave in the order in which they favour the leader against a rival, on one metric or on all of a dataset;
    the best numbers from each dataset are taken together, and all teams are ranked again. Means over cases that are
    their own subjects are exact without some; other values are told from influence values, to first order. What is
    found is enough; still fewer may be.

    Args:
        ranking: the rule.
        table: the teams and columns.
        datasets: per dataset, the influence values of its columns by their number, (teams, units).
        leader: the number of the only team that is first of those that may win.
        rivals: the numbers of those that are helped to overtake it; the first in the end may be another.
        may_win: (teams,) who may be first.
    """
    moving = [_Dataset.of(table, influence) for influence in datasets]
    values, columns = table.ranked_values(ranking), ranked_columns(ranking, table.columns)
    ranks = rank_values(ranking, columns, values)
    choices = [
        taken for rival in rivals for taken in _choices(ranking, columns, ranks, moving, leader, rival)
    ]
    for taken in sorted(choices, key=_size)[:_RANKED_AGAIN]:
        changed = values.copy()
        for number, (count, order) in taken.items():
            (without,) = moving[number].without(order, np.array([count]))
            changed[moving[number].columns] = rounded(ranking, without)
        first = first_among(rank_values(ranking, columns, changed).places, may_win)
        if len(first) == 1 and first[0] != leader:
            subjects = {number: count for number, (count, _) in taken.items()}
            return Departure(subjects, first[0], all(moving[number].exact for number in taken))
    return None


def _size(taken: _Taken) -> int:
    return sum(count for count, _ in taken.values())


def _choices(
    ranking: Ranking,
    columns: Sequence[Column],
    ranks: Ranks,
    moving: Sequence[_Dataset],
    leader: int,
    rival: int,
) -> list[_Taken]:
    """Subjects without whom the rival has a better mean rank than the leader."""
    fronts: list[tuple[_Taken, float]] = [({}, float(ranks.overall[rival] - ranks.overall[leader]))]
    for number, dataset in enumerate(moving):
        gains = _gains(ranking, columns, ranks, dataset, leader, rival)
        left_out = [
            ({**taken, number: (count, order)}, lead + gain)
            for taken, lead in fronts
            for count, (gain, order) in gains.items()
        ]
        fronts = _front([*fronts, *left_out])
    return [taken for taken, lead in fronts if lead < -TOLERANCE]


def _front(choices: list[tuple[_Taken, float]]) -> list[tuple[_Taken, float]]:
    """The choices that no other one with as few subjects beats."""
    kept: list[tuple[_Taken, float]] = []
    for taken, lead in sorted(choices, key=lambda choice: (_size(choice[0]), choice[1])):
        if not kept or lead < kept[-1][1] - TOLERANCE:
            kept.append((taken, lead))
    return kept


def _gains(
    ranking: Ranking,
    columns: Sequence[Column],
    ranks: Ranks,
    dataset: _Dataset,
    leader: int,
    rival: int,
) -> dict[int, tuple[float, _Numbers]]:
    """By the number of subjects left out, the order that costs the leader most of its lead in mean ranks, and how much.

    A gain of the rival is below 0.
    """
    names = list(dict.fromkeys(column.board for column in columns))
    own = [columns[number] for number in dataset.columns]
    mine = [names.index(name) for name in dict.fromkeys(column.board for column in own)]
    weights = np.array([ranking.weights.get(name, 0.0) for name in names])[:, None]
    before = ranks.boards[:, [leader, rival]]
    shares = (weights / (weights * np.isfinite(before)).sum(axis=0))[mine]
    units = dataset.influence.shape[2]
    counts = np.unique(np.geomspace(1, max(1, units // 2), _STEPS).astype(int))
    signs = np.array([1 if column.higher_is_better else -1 for column in own])
    gains: dict[int, tuple[float, _Numbers]] = {}
    for order in _orders(dataset.influence * signs[:, None, None], leader, rival):
        after = rank_values(ranking, own, rounded(ranking, dataset.without(order, counts))).boards
        moved = (np.nan_to_num(after[..., [leader, rival]] - before[mine]) * shares).sum(axis=1)
        for count, gain in zip(counts.tolist(), moved[:, 1] - moved[:, 0], strict=True):
            if count not in gains or gain < gains[count][0]:
                gains[count] = (float(gain), order)
    return gains


def _orders(better: Values, leader: int, rival: int) -> Iterator[_Numbers]:
    """Orders of the subjects, those first that favour the leader: against the rival, or one of both against all."""
    average = better.mean(axis=1)
    for favour in (
        better[:, leader] - better[:, rival],
        better[:, leader] - average,
        average - better[:, rival],
    ):
        spread = favour.std(axis=1, keepdims=True)
        joint = np.divide(favour, spread, out=np.zeros_like(favour), where=spread > 0).sum(axis=0)
        for row in (*favour, *([joint] if len(favour) > 1 else [])):
            yield np.argsort(-row, kind="stable")
