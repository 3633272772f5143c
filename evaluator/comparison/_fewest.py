"""How few subjects the first place hangs on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.ranking import TOLERANCE, Table, Values, rank_values, ranked_columns, rounded
from evaluator.spec import Ranking

_STEPS = 48  # numbers of subjects that are tried of a dataset


@dataclass(frozen=True)
class Departure:
    """How many subjects of each dataset to leave out, by its place among those asked about."""

    subjects: Mapping[int, int]

    @property
    def total(self) -> int:
        """Of all datasets."""
        return sum(self.subjects.values())


def fewest_left_out(
    ranking: Ranking, table: Table, datasets: Sequence[Mapping[int, Values]], leader: int, rival: int
) -> Departure | None:
    """Subjects without whom `rival` has a better mean rank than `leader`; None where none were found.

    Values without some subjects are told from influence values, to first order, and all teams are ranked by them again.
    Subjects leave in the order in which they favour the leader, on one metric or on all of a dataset; the best numbers
    from each dataset are taken together. What is found is enough; still fewer may be.

    Args:
        ranking: the rule.
        table: the teams and columns.
        datasets: per dataset, the influence values of its columns by their number, (teams, units).
        leader: the number of the team that is ahead.
        rival: the number of the other.
    """
    names = list(dict.fromkeys(column.board for column in table.columns))
    weights = np.array([ranking.weights.get(name, 0.0) for name in names])
    both = table.ranks(ranking).boards[:, [leader, rival]]
    if (np.isnan(both).any(axis=1) & np.isfinite(both).any(axis=1) & (weights > 0)).any():
        return None  # their means are over different boards
    leads = np.nan_to_num(weights * (both[:, 1] - both[:, 0]))
    fronts: list[tuple[dict[int, int], float]] = [({}, float(leads.sum()))]
    for number, influence in enumerate(datasets):
        mine = [
            names.index(name) for name in dict.fromkeys(table.columns[column].board for column in influence)
        ]
        before = float(leads[mine].sum())
        gains = {0: 0.0}
        for counts, after in _paths(ranking, table, influence, leader, rival, weights[mine]):
            for count, lead in zip(counts, after, strict=True):
                gains[count] = min(gains.get(count, 0.0), lead - before)
        fronts = _front(
            [
                ({**taken, **({number: count} if count else {})}, lead + gain)
                for taken, lead in fronts
                for count, gain in gains.items()
            ]
        )
    found = [taken for taken, lead in fronts if lead < -TOLERANCE]
    return Departure(min(found, key=lambda taken: sum(taken.values()))) if found else None


def _front(choices: list[tuple[dict[int, int], float]]) -> list[tuple[dict[int, int], float]]:
    """The choices that no other one with as few subjects beats."""
    kept: list[tuple[dict[int, int], float]] = []
    for taken, lead in sorted(choices, key=lambda choice: (sum(choice[0].values()), choice[1])):
        if not kept or lead < kept[-1][1] - TOLERANCE:
            kept.append((taken, lead))
    return kept


def _paths(
    ranking: Ranking,
    table: Table,
    influence: Mapping[int, Values],
    leader: int,
    rival: int,
    weights: Values,
) -> Iterator[tuple[list[int], list[float]]]:
    """Numbers of subjects left out in some order, and the weighted lead in ranks that the leader then has."""
    columns = [ranked_columns(ranking, table.columns)[number] for number in influence]
    moved = np.stack(list(influence.values()))  # (columns, teams, units)
    units = moved.shape[2]
    counts = np.unique(np.geomspace(1, max(1, units // 2), _STEPS).astype(int))
    values = table.values[list(influence)]
    signs = np.array([1 if column.higher_is_better else -1 for column in columns])
    for order in _orders(moved * signs[:, None, None], leader, rival):
        gone = moved[:, :, order].cumsum(axis=2)[:, :, counts - 1]
        after = values[:, :, None] - gone * units / (units - counts)
        ranks = rank_values(ranking, columns, rounded(ranking, np.moveaxis(after, 2, 0))).boards
        leads = (ranks[:, :, rival] - ranks[:, :, leader]) @ weights
        yield counts.tolist(), leads.tolist()


def _orders(better: Values, leader: int, rival: int) -> Iterator[npt.NDArray[np.intp]]:
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
