"""The conformance suite: one image, one denied act per check, under exactly the options of a real case.

`run` tries everything for one profile and runtime; `canary` runs a known program on known inputs. Both take
seconds, so a run worker does it before it takes work. `image` is the id of their image, which stays on the host,
`CALL` how its program is started, `PREFIX` how its containers' names begin, `limits` are those of its containers,
`canary_scan` is the gzipped volume that the known program answers, and `CANARY` how the names of its results begin.
"""

from sandbox.conformance._canary import CANARY, canary, canary_scan
from sandbox.conformance._image import CALL
from sandbox.conformance._image import ensure as image
from sandbox.conformance._job import PREFIX, limits
from sandbox.conformance._result import Result
from sandbox.conformance._run import ConformanceCheck, checks, run

__all__ = [
    "CALL",
    "CANARY",
    "PREFIX",
    "ConformanceCheck",
    "Result",
    "canary",
    "canary_scan",
    "checks",
    "image",
    "limits",
    "run",
]
