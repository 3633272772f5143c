"""The evaluator's own look at staged cases: whatever scoring would stumble over is found before anything runs."""

from collections.abc import Sequence
from pathlib import Path

from evaluator.spec import Challenge as Spec
from server.datasets.findings import Findings
from server.datasets.fomo_layout import Found
from server.datasets.models import Case
from server.settings import Settings


def check_staged(
    spec: Spec,
    task: str,
    found: Sequence[Found],
    cases: Sequence[Case],
    references: Path,
    settings: Settings,
    findings: Findings,
) -> None:
    """Adds what the evaluator finds in the staged trees, by the organizer's own files."""
