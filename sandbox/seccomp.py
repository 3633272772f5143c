"""The system calls a container may make: an allow list kept in `seccomp.json`, beside this file."""

import functools
import hashlib
import json
from importlib import resources


@functools.cache
def profile() -> str:
    """The profile in Docker's format as compact JSON, as it is sent to the engine."""
    text = resources.files("sandbox").joinpath("seccomp.json").read_text(encoding="utf-8")
    return json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True)


@functools.cache
def digest() -> str:
    """sha256 of the profile, as the receipt names it."""
    return "sha256:" + hashlib.sha256(profile().encode()).hexdigest()
