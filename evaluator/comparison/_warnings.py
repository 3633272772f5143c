"""What takes meaning from places and prizes: fairness where nothing was learnt or by chance, one seed, few sites."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from evaluator.comparison._entrants import Entrant
from evaluator.comparison._pairwise import step_down
from evaluator.frozen import Model
from evaluator.metrics.registry import lookup
from evaluator.scoring import FairnessReport
from evaluator.spec import Board

Kind = Literal["uninformative", "not_scored", "chance", "one_seed", "few_sites"]

ENOUGH_SITES = 15
"""Of 4 to 10 hospitals of unequal size, 95 % intervals held the truth in 89 to 93 %, of 15 in 95 %."""


class PlaceWarning(Model):
    """What takes meaning from the places on a board, and so from what depends on them.

    kind: "uninformative" fairness is ranked although the compared metric is not shown to be better than chance;
    "not_scored" it has no value for that; "chance" the groups of a team differ no more than groups made at random;
    "one_seed" the values are those of a single seed of the probe; "few_sites" whole sites were drawn, fewer than
    `ENOUGH_SITES` or who knows how many. metrics: none where it is the whole board. title: of the metrics, or of the
    board. of: what is compared between groups. teams: of which it holds; none where of all. sites: how many, of few.
    """

    kind: Kind
    board: str
    metrics: tuple[str, ...]
    title: str
    of: str | None
    teams: tuple[str, ...]
    sites: int | None = None

    def sentence(self) -> str:
        """What is to be said, for people."""
        teams, verb = ", ".join(self.teams), "is" if len(self.metrics) < 2 else "are"
        if self.kind == "uninformative":
            return (
                f"{self.title}: {teams} may be fair only because nothing was learnt, for {self.of} over all cases "
                f"{verb} not shown to be better than chance. It is ranked all the same."
            )
        if self.kind == "not_scored":
            return (
                f"{self.title}: without a value, and last on it: {teams}. Their {self.of} over all cases {verb} not "
                "shown to be better than chance."
            )
        if self.kind == "chance":
            return (
                f"{self.title}: the groups of {teams} differ by no more than chance gives, so who is ahead on it "
                "says little."
            )
        if self.kind == "few_sites":
            drawn = f"only {self.sites} whole sites were drawn"
            if self.sites is None:
                drawn = "whole sites were drawn, and how many the reports do not say"
            return (
                f"{self.title}: {drawn}. Of fewer than {ENOUGH_SITES} hospitals, intervals hold the truth less often "
                "than they say (in 89 to 93 % where sizes differ), and the places that cannot be excluded may, too."
            )
        return f"{self.title}: one seed of the probe decides, and another one may give another order."

    def renamed(self, names: Mapping[str, str]) -> "PlaceWarning":
        """The same with other names of the teams."""
        return self.model_copy(update={"teams": tuple(names[team] for team in self.teams)})


def warnings_of(
    boards: Mapping[str, Board], teams: Sequence[str], entrants: Sequence[Entrant]
) -> tuple[PlaceWarning, ...]:
    """The warnings of all boards, from what stands in the reports of the teams that are ranked."""
    ranked = [entrant for entrant in entrants if entrant.team in teams]
    return tuple(
        warning
        for name, board in boards.items()
        for warning in (
            *seed_warnings({name: board}),
            *_of_sites(name, board, ranked),
            *_of_fairness(name, board, ranked),
        )
    )


def seed_warnings(boards: Mapping[str, Board]) -> tuple[PlaceWarning, ...]:
    """The boards that one seed decides."""
    return tuple(
        PlaceWarning(kind="one_seed", board=name, metrics=(), title=board.title, of=None, teams=())
        for name, board in boards.items()
        if board.probe is not None and board.probe.score == "seed"
    )


def concerning(warnings: Sequence[PlaceWarning], teams: Sequence[str]) -> tuple[PlaceWarning, ...]:
    """The warnings that concern some teams, and these alone."""
    found = []
    for warning in warnings:
        mine = tuple(team for team in warning.teams if team in teams)
        if mine or not warning.teams:
            found.append(warning.model_copy(update={"teams": mine}))
    return tuple(found)


def _of_sites(name: str, board: Board, entrants: Sequence[Entrant]) -> Iterator[PlaceWarning]:
    """Whether few sites were drawn, or it is not known how many: influence values alone tell."""
    reports = [entrant.reports[name] for entrant in entrants if name in entrant.reports]
    drawn = [report.extras.bootstrap.unit for report in reports if report.extras.bootstrap is not None]
    counts = [len(metric.influence or ()) for report in reports for metric in report.metrics.values()]
    if "site" in drawn and (sites := max(counts, default=0)) < ENOUGH_SITES:
        yield PlaceWarning(
            kind="few_sites",
            board=name,
            metrics=(),
            title=board.title,
            of=None,
            teams=(),
            sites=sites or None,
        )


def _of_fairness(name: str, board: Board, entrants: Sequence[Entrant]) -> Iterator[PlaceWarning]:
    kinds: tuple[tuple[Kind, Callable[[FairnessReport, bool], bool]], ...] = (
        ("uninformative", lambda found, scored: found.uninformative and scored),
        ("not_scored", lambda found, scored: found.uninformative and not scored),
        ("chance", lambda found, scored: scored and not found.uninformative and _by_chance(found)),
    )
    found: dict[tuple[Kind, tuple[str, ...]], list[str]] = {}
    compared = {}
    for key in board.metrics:
        known = [
            (entrant.team, fairness, scored.value is not None)
            for entrant in entrants
            if (scored := entrant.metric(name, key)) is not None
            and (fairness := (entrant.reports[name].extras.fairness or {}).get(key)) is not None
        ]
        for kind, holds in kinds:
            if teams := tuple(team for team, fairness, scored in known if holds(fairness, scored)):
                compared[key] = known[0][1].of
                found.setdefault((kind, teams), []).append(key)
    for (kind, teams), keys in found.items():
        yield PlaceWarning(
            kind=kind,
            board=name,
            metrics=tuple(keys),
            title=" and ".join(board.metrics[key].title or key for key in keys),
            of=" and ".join(dict.fromkeys(lookup(compared[key]).title or compared[key] for key in keys)),
            teams=teams,
        )


def _by_chance(found: FairnessReport) -> bool:
    """Whether no variable's groups differ by more than chance gives at 5 %, by Holm's method."""
    p = [variable.p_value for variable in found.variables.values() if variable.p_value is not None]
    return bool(p) and bool((step_down(np.array(p)) > 0.05).all())
