"""The live view: every submission and how far its tasks are."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table

from client.events import next_state
from contract.statuses import EvaluationStatus
from contract.submissions import EvaluationOut, SubmissionOut
from demo.people import SignedInTeam, TeamEntry

_LOOK_EVERY = 3.0
_SAY_EVERY = 15.0
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
    said = time.monotonic()
    with Live(_table(running), console=console, refresh_per_second=4, transient=True) as live:
        while not all(entrant.submission.ended for entrant in running):
            time.sleep(_LOOK_EVERY)
            for entrant in running:
                entrant.look()
            live.update(_table(running))
            if not console.is_terminal and time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                console.print(_line(running))


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


def _line(running: Sequence[Running]) -> str:
    evaluations = [evaluation for entrant in running for evaluation in entrant.submission.evaluations]
    ended = sum(evaluation.ended for evaluation in evaluations)
    cases = sum(evaluation.cases for evaluation in evaluations)
    done = sum(evaluation.cases * evaluation.progress // 10 for evaluation in evaluations)
    return f"  {ended} of {len(evaluations)} evaluations ended, about {done} of {cases} cases run"
