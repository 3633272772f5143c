"""What the end of a failed program's log looks like, in sentences of ours.

Which sentence is given tells something of the log, so they are for those alone who may read the log itself.
"""

import re

from contract.cuda import OLDER

NETWORK = (
    "The log looks as if the program asked for another machine: containers have no network. "
    "Put what it downloads into the image."
)
SHARED_MEMORY = "The log looks as if /dev/shm was too small: use fewer or smaller data-loader workers."
CUDA = f"The log looks as if the program's CUDA was newer than the driver of the platform supports: {OLDER}."
NO_GPU = (
    "The log looks as if the program found no GPU: choose the device by whether there is one, and load weights with "
    "`map_location`."
)
NO_MODULE = (
    "The log looks as if a Python package or file is not in the image: install it when the image is built, "
    "or copy it."
)
# Bounded between two words: a container writes the log, and one line may be all of it.
_HINTS = (
    (
        NETWORK,
        r"name resolution|name or service not known|could not resolve host|nodename nor servname|failed to resolve"
        r"|nameresolutionerror|no address associated with hostname|network is unreachable"
        r"|getaddrinfo (?:enotfound|eai_)|lookup [^\n]{1,300}: no such host",
    ),
    (
        SHARED_MEMORY,
        r"insufficient shared memory|/dev/shm[^\n]{0,300}no space left|no space left[^\n]{0,300}/dev/shm"
        r"|unable to (?:open|allocate|write to) shared memory|shared memory[^\n]{0,300}no space left",
    ),
    (
        CUDA,
        r"cuda driver version is insufficient|nvidia driver on your system is too old"
        r"|provided ptx was compiled with an unsupported toolchain|cudaerrorinsufficientdriver"
        r"|forward compatibility was attempted on non supported hw",
    ),
    (
        NO_GPU,
        r"found no nvidia driver|torch\.cuda\.is_available\(\) is false|not compiled with cuda enabled"
        r"|no cuda-capable device is detected|no cuda gpus are available",
    ),
    (NO_MODULE, r"(?:^|\n)modulenotfounderror: no module named"),
)


def hints(log: str) -> tuple[str, ...]:
    """Those of our sentences that a log calls for."""
    return tuple(hint for hint, pattern in _HINTS if re.search(pattern, log, re.IGNORECASE))
