"""The live view: every submission and how far its tasks are."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table

from client.events import next_state
from contract.statuses import EvaluationStatus
from contract.submissions import EvaluationOut, SubmissionOut
from contract.texts import listed
from demo.people import SignedInTeam, TeamEntry

_LOOK_EVERY = 3.0
_SAY_EVERY = 15.0
_FEW = 3
_SIGNS: dict[str, str] = {
    EvaluationStatus.QUEUED: "[dim]queued[/]",
    EvaluationStatus.SCORING: "[cyan]scoring[/]",
    EvaluationStatus.SCORED: "[green]scored[/]",
}


@dataclass
class Running:
    """A submission under way, as its team sees it."""

    entry: TeamEntry
    participant: SignedInTeam
    submission: SubmissionOut

    def look(self) -> None:
        """Asks the server how far it is; one that restarts is waited for."""
        if not self.submission.ended:
            self.submission = next_state(self.participant.client, self.submission.id, _LOOK_EVERY)


def watch(console: Console, running: Sequence[Running]) -> None:
    """Shows the progress until every submission has ended; without a terminal a line now and then."""
    began = said = time.monotonic()
    with Live(_table(running), console=console, refresh_per_second=4, transient=True) as live:
        while not all(entrant.submission.ended for entrant in running):
            time.sleep(_LOOK_EVERY)
            for entrant in running:
                entrant.look()
            live.update(_table(running))
            if not console.is_terminal and time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                under_way = [(entrant.entry.team, entrant.submission) for entrant in running]
                console.print(line(under_way, said - began), markup=False, soft_wrap=True)


def _table(running: Sequence[Running]) -> Table:
    table = Table(title="Submissions under way")
    table.add_column("team")
    table.add_column("track")
    for task in sorted({task for entrant in running for task in entrant.entry.tasks}):
        table.add_column(task, justify="center", min_width=8)
    for entrant in running:
        cells = {evaluation.task: _cell(evaluation) for evaluation in entrant.submission.evaluations}
        table.add_row(
            entrant.entry.team, entrant.entry.track, *[cells.get(column, "") for column in _tasks(running)]
        )
    return table


def _tasks(running: Sequence[Running]) -> list[str]:
    return sorted({task for entrant in running for task in entrant.entry.tasks})


def _cell(evaluation: EvaluationOut) -> str:
    if evaluation.status == EvaluationStatus.RUNNING:
        return "█" * (evaluation.progress // 2) + "░" * (5 - evaluation.progress // 2)
    return _SIGNS.get(evaluation.status, f"[red]{evaluation.status}[/]")


def line(submissions: Sequence[tuple[str, SubmissionOut]], seconds: float) -> str:
    """How far all are after so many seconds: when they may end, or, once few are left, which are waited for.

    submissions: each with its team. The pace of all says little of the last ones, which are the slowest.
    """
    evaluations = [(team, one) for team, submission in submissions for one in submission.evaluations]
    left = [(team, one) for team, one in evaluations if not one.ended]
    cases = sum(one.cases for _, one in evaluations)
    done = sum(one.cases * one.progress // 10 for _, one in evaluations)
    ended = f"{len(evaluations) - len(left)} of {len(evaluations)} evaluations ended"
    so_far = f"  {ended}, about {done} of {cases} cases run"
    if 0 < len(left) <= _FEW:
        return f"{so_far}; waiting for {listed(f'{team} in {_how_far(one)}' for team, one in left)}"
    if not 0 < done < cases:
        return so_far
    minutes = math.ceil(seconds * (cases - done) / done / 60)
    return f"{so_far}; about {minutes} min more at this pace"


def _how_far(evaluation: EvaluationOut) -> str:
    if evaluation.status == EvaluationStatus.RUNNING:
        return f"{evaluation.task} ({evaluation.progress * 10} % of {evaluation.cases} cases)"
    return f"{evaluation.task} ({evaluation.status})"
