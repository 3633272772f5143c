"""Container engines behind one protocol; only the module of an engine knows its library, its calls and its words."""

from sandbox.engines._errors import EngineRefused, EngineSilent, EngineSlow, EngineTrouble
from sandbox.engines._protocol import Attached, ContainerEngine, ContainerState, ListedContainer, PathStat

__all__ = [
    "Attached",
    "ContainerEngine",
    "ContainerState",
    "EngineRefused",
    "EngineSilent",
    "EngineSlow",
    "EngineTrouble",
    "ListedContainer",
    "PathStat",
]
