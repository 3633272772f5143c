"""The evaluator's own look at staged cases: whatever scoring would stumble over is found before anything runs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluator.dataset_check import Finding, Severity, check_dataset
from evaluator.manifest import Manifest
from evaluator.spec import Challenge as Spec
from server.datasets.findings import Findings
from server.datasets.fomo_layout import Found
from server.datasets.models import Case
from server.settings import Settings

_NOTES = frozenset({"group_small"})
"""What is so in nearly every challenge, and what reports say beside the score as well."""
_UNRANKED = frozenset(
    {"few_classes", "never_defined", "group_empty", "group_single", "group_unknown", "not_perfect"}
)
"""What a phase without a board may well lack: a few public cases to try a container on."""
_ROW = re.compile(r"^references\.csv:\d+: ")
"""A table of ours: the organizer's own file is named instead."""


def check_staged(
    spec: Spec,
    task: str,
    phase: str,
    *,
    found: Sequence[Found],
    cases: Sequence[Case],
    references: Path,
    settings: Settings,
    findings: Findings,
) -> None:
    """Adds what the evaluator finds in the staged trees, by the organizer's own files."""
    manifest = Manifest.model_validate(manifest_of("staged", cases))
    ranked = spec.phases[phase].board != "none"
    places = {finding.case: finding for finding in found}
    for finding in check_dataset(
        spec, task, manifest, root=settings.inputs, references=references, ranked=ranked
    ):
        add = findings.error if finding.severity is Severity.ERROR else findings.warn
        if finding.severity is Severity.WARNING and (
            finding.code in _NOTES or (not ranked and finding.code in _UNRANKED)
        ):
            add = findings.note
        add(_place(finding, places.get(finding.case or ""), f"{phase} {task}"), _ROW.sub("", finding.message))


def _place(finding: Finding, found: Found | None, dataset: str) -> str:
    if found is None:
        return dataset
    of_label = finding.code.startswith("reference") and found.label is not None
    return str(found.label if of_label else found.place)


def manifest_of(dataset: str, cases: Sequence[Case]) -> dict[str, Any]:
    """The inputs manifest of these cases in the evaluator's format."""
    entries = [
        {
            "case": case.name,
            "files": {
                key: {"path": finding["path"], "sha256": finding["sha256"]}
                for key, finding in case.files.items()
            },
        }
        for case in cases
    ]
    return {"dataset": dataset, "cases": entries}
