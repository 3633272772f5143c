"""A SIF file goes the whole way: upload, check, load on a run host, cases in their containers, scores."""

import subprocess
import uuid

import pytest

from tests.e2e.conftest import Join
from tests.sandbox.sifs import ARM64, partition, shell, sif, squashfs

pytestmark = pytest.mark.long  # each part alone is tested with the sandbox and with the image check

PREDICTS = b"""#!/bin/sh
[ "$LESSON" = learnt ] || exit 3
for word; do :; done
echo 0.5 > "$word"
"""


def test_a_sif_file_is_scored_as_any_image(join: Join) -> None:
    person = join("Team with a SIF file")
    files = shell() | {"opt/env/bin/python": PREDICTS, "own": uuid.uuid4().bytes}
    files[".singularity.d/env/90-environment.sh"] = b"export PATH=/opt/env/bin:$PATH LESSON=learnt\n"
    system = squashfs(files)
    shown = person.upload(sif(partition(system)))
    assert (shown["status"], shown["code"]) == ("ready", None), shown
    try:
        sent = person.submitted({"task5": shown["image"]})
        (ended,) = person.wait(sent)["evaluations"]
    finally:
        name = f"proctor/{shown['image'].removeprefix('sha256:')}:run"
        subprocess.run(["docker", "image", "rm", "--force", name], check=True, capture_output=True)
    assert ended["status"] == "scored", ended
    assert ended["verdicts"] == {"valid": 4}

    wrong = person.upload(sif(partition(system, machine=ARM64)))
    assert (wrong["status"], wrong["code"]) == ("rejected", "wrong_architecture"), wrong
