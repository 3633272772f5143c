"""What is submitted in the demo: the baseline, two teams' containers per track, and one that is broken."""

from collections.abc import Sequence

from demo.images import BROKEN, build_baseline_image, build_team_image, ensure_base
from demo.people import TeamEntry


def build_entries(tasks: Sequence[str]) -> list[TeamEntry]:
    """Builds every image, or takes it from the cache; the slowest container is submitted first."""
    base = ensure_base()
    baseline = TeamEntry("Baseline", "method", build_baseline_image(base), tasks, baseline=True)
    teams = [
        TeamEntry(team, track, build_team_image(team.lower(), base), tasks)
        for track, names in {"method": ("Cortex", "Gyrus"), "open": ("Sulcus", "Voxel")}.items()
        for team in names
    ]
    return [baseline, *teams, TeamEntry("Crash", "open", build_team_image(BROKEN, base), tasks[:1])]
