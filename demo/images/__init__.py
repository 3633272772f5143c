"""Container images of the demo and the tests, built from nothing but a base image and a few files."""

from demo.images._archive import build_image
from demo.images._base import ensure_base
from demo.images._baseline import build_baseline_image
from demo.images._cache import cache_dir
from demo.images._errors import BaseUnavailableError
from demo.images._skeleton import build_skeleton_image
from demo.images._teams import BROKEN, TEAMS, build_team_image

__all__ = [
    "BROKEN",
    "TEAMS",
    "BaseUnavailableError",
    "build_baseline_image",
    "build_image",
    "build_skeleton_image",
    "build_team_image",
    "cache_dir",
    "ensure_base",
]
