"""What is submitted in the demo: both templates, two teams' containers per track, and one that is broken."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.images import (
    BROKEN,
    build_baseline_image,
    build_skeleton_image,
    build_team_image,
    ensure_base,
)
from demo.people import TeamEntry

_SKELETON_OF = "task3"
_TWO_CHECKPOINTS = "Gyrus"
"""A team whose images for tasks 1 to 5 declare another pretrained checkpoint than that for task 6."""


def build_entries(tasks: Sequence[str]) -> list[TeamEntry]:
    """Builds every image, or takes it from the cache; the slowest container is submitted first."""
    base = ensure_base()
    baseline = TeamEntry(
        "Baseline", "method", dict.fromkeys(tasks, build_baseline_image(base)), baseline=True
    )
    skeleton = TeamEntry(
        "Skeleton", "method", {_SKELETON_OF: build_skeleton_image(_SKELETON_OF, base)}, baseline=True
    )
    teams = [
        TeamEntry(team, track, _archives(team, tasks, base))
        for track, names in {"method": ("Cortex", _TWO_CHECKPOINTS), "open": ("Sulcus", "Voxel")}.items()
        for team in names
    ]
    crash = TeamEntry("Crash", "open", {tasks[0]: build_team_image(BROKEN, base)})
    return [baseline, *teams, skeleton, crash]


def _archives(team: str, tasks: Sequence[str], base: str) -> Mapping[str, Path]:
    if team != _TWO_CHECKPOINTS:
        return dict.fromkeys(tasks, build_team_image(team.lower(), base))
    one, other = (
        build_team_image(team.lower(), base, checkpoint=text) for text in (b"the first", b"the second")
    )
    return {**dict.fromkeys(tasks, one), "task6": other}
