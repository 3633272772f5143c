"""A season with everything that a board has to tell: ties, a baseline, teams without a prize, a missing board."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evaluator.scoring import Extras, MetricReport, Report
from server.database import unit_of_work
from server.evaluations import scoring
from tests.evaluator import reports as made
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab

NAMES = ("Ada", "Bob", "Cyd", "Institute", "Zero", "Cheats", "Late")
_LABELS = np.arange(made.CASES) % 2


@dataclass(frozen=True)
class Season:
    """The teams by name, the reports that were stored for each by board, and the evaluations by team and board."""

    teams: Mapping[str, Entrant]
    reports: Mapping[str, Mapping[str, Report]]
    evaluations: Mapping[tuple[str, str], str]


def report(board: str, *, rejected: str | None = None, **metrics: MetricReport) -> Report:
    """A report that says no more than it has to."""
    extras = Extras(dataset="sha256:made up")
    return Report(board=board, cases=(), per_case={}, metrics=metrics, rejected=rejected, extras=extras)


def season_reports() -> dict[str, dict[str, Report]]:
    """Ada and Bob tie, Cyd has the first board alone, Late has no AUROC."""
    found = made.season(teams=len(NAMES) - 1)
    named = dict(zip(NAMES, [found["team0"], *found.values()], strict=True))
    named["Cyd"] = {"task1": named["Cyd"]["task1"]}
    none = MetricReport(value=None, reason="Every output is the same.")
    named["Late"] = dict(named["Late"])
    named["Late"]["task1"] = named["Late"]["task1"].model_copy(update={"metrics": {"auroc": none}})
    return named


def settle(lab: Lab, entrant: Entrant, reports: Mapping[str, Report], *, task: str, **where: str) -> str:
    """A submission to the track and phase of `where`, whose cases ran, but for the first, and that was scored so.

    Returns its evaluation's id.
    """
    evaluation, worker = entrant.submit(task, **where), lab.worker()
    assert worker.finish(worker.take(), fault="timeout").status_code == 204
    worker.drain()
    with unit_of_work(lab.sessions) as session:
        claimed = scoring.claim(session)
        assert claimed is not None
        assert str(claimed.id) == evaluation
        bases = scoring.bases(claimed.spec_version.spec, task)
        claim = claimed.id, claimed.scoring_claim_no
        scoring.settle(
            session,
            *claim,
            reports,
            scored_with=bases,
            settings=lab.settings,
        )
    return evaluation


def play(lab: Lab, entrant: Callable[[str], Entrant], admin: Person) -> Season:
    """Has every team run and be scored on task1 and task2, and all be worked out of their places."""
    reports, evaluations = season_reports(), {}
    teams = {name: entrant(name) for name in NAMES}
    for task in ("task1", "task2"):
        lab.dataset(task, cases=3)
        for name, team in teams.items():
            if task in reports[name]:
                board = {task: reports[name][task]}
                evaluations[name, task] = settle(lab, team, board, task=task)
    changes: dict[str, dict[str, object]] = {
        "Institute": {"eligible": False, "disclaimer": "Members of an organizing institute"},
        "Zero": {"baseline": True},
        "Cheats": {"disqualified": "It answered with last year's labels."},
    }
    for name, change in changes.items():
        answer = admin.http.patch(f"/admin/teams/{teams[name].team}", json=change)
        assert answer.status_code == 200, answer.text
    lab.work_out()
    return Season(teams, reports, evaluations)
