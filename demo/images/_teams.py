"""Images of the demo's teams, one layer of a few kilobytes on the base."""

import hashlib
from pathlib import Path

from demo.images._archive import build_image

TEAMS = ("cortex", "voxel", "sulcus", "gyrus")
BROKEN = "broken"
LAUNCHER = "from demo.teams import kit\nfrom demo.teams.{name} import TEAM\n\nkit.run(TEAM)\n"
CHECKPOINT = "/app/checkpoint.bin"
FAILS = "import sys\n\nprint('no checkpoint at weights/best.pt', file=sys.stderr)\nsys.exit(3)\n"


def build_team_image(
    name: str, base: str, *, checkpoint: bytes | None = None, engine_cli: str = "docker"
) -> Path:
    """Archive of a team's container: one of `TEAMS`, or `BROKEN`, which exits 3 on every case.

    checkpoint: the content of a file that the image declares as its pretrained checkpoint; the programs have no weights
    of their own to show.

    Raises:
        ValueError: no such team.
    """
    if name not in (*TEAMS, BROKEN):
        raise ValueError(f"no such demo team: {name}")
    files = {"/app/predict.py": FAILS.encode()} if name == BROKEN else _program(name)
    if checkpoint is None:
        return build_image(files, base, name=f"demo-{name}", engine_cli=engine_cli)
    digest = hashlib.sha256(checkpoint).hexdigest()
    labels = {"proctor.checkpoint.path": CHECKPOINT, "proctor.checkpoint.sha256": digest}
    files[CHECKPOINT] = checkpoint
    return build_image(files, base, name=f"demo-{name}-{digest[:8]}", labels=labels, engine_cli=engine_cli)


def _program(name: str) -> dict[str, bytes]:
    root = Path(__file__).parents[2]
    modules = ("__init__.py", "teams/__init__.py", "teams/kit.py", "teams/nifti.py", f"teams/{name}.py")
    files = {f"/app/demo/{module}": (root / "demo" / module).read_bytes() for module in modules}
    return {**files, "/app/predict.py": LAUNCHER.format(name=name).encode()}
