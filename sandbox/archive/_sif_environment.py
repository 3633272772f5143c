"""What a SIF file requires of an NVIDIA driver: by the variables of the Docker image that it was made of.

`apptainer build` writes them into a script of the image. Source: insertEnv in
internal/pkg/build/sources/conveyorPacker_oci.go of github.com/apptainer/apptainer.
"""

import re
from typing import BinaryIO

from contract.cuda import by_major, required
from sandbox.archive._bounds import Bounds
from sandbox.archive._sif import Partition
from sandbox.archive._squashfs import content_of

_SCRIPT = ".singularity.d/env/10-docker2singularity.sh"
_LINE = re.compile(r'^export ([A-Z_]{1,100})="\$\{\1:-"([^"\\$`\n]*)"\}"$', re.MULTILINE)


def sif_requires_driver(source: BinaryIO, partition: Partition, bounds: Bounds) -> tuple[str, ...]:
    """By its major version: the engine is shown none of these variables, so nothing refuses to start it.

    Raises:
        ToolMissing: there is no `unsquashfs` here.
    """
    script = content_of(source, partition, _SCRIPT, most=bounds.environment)
    return by_major(required(dict(_LINE.findall(script.decode(errors="replace")))))
