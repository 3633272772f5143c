"""Trained probes by what they were trained on: boards of the same embeddings share the work."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from evaluator.version import evaluator_version

Arrays = dict[str, npt.NDArray[Any]]

_KEPT = 128  # results, each some kilobytes: the seeds and splits of two evaluations

_memory: OrderedDict[str, Arrays] = OrderedDict()


def key_of(arrays: tuple[npt.NDArray[Any], ...], *facts: object) -> str:
    """A digest of arrays, of facts with an exact text, and of the evaluator's source."""
    digest = hashlib.sha256(repr((evaluator_version(), facts)).encode())
    for array in arrays:
        digest.update(repr((array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def remembered(key: str, make: Callable[[], Arrays], directory: Path | None) -> Arrays:
    """What `make` gives, made once per key in this process and, with a directory, once for all that share it.

    A file of the directory that cannot be read counts as absent. The directory must be the evaluator's own:
    what lies in it is believed.
    """
    if key in _memory:
        _memory.move_to_end(key)
        return _memory[key]
    path = directory / f"{key}.npz" if directory is not None else None
    arrays = _read(path) if path is not None else None
    if arrays is None:
        arrays = make()
        if path is not None:
            _write(path, arrays)
    _memory[key] = arrays
    while len(_memory) > _KEPT:
        _memory.popitem(last=False)
    return arrays


def _read(path: Path) -> Arrays | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile):
        return None


def _write(path: Path, arrays: Arrays) -> None:
    """In one step, so that no other process reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(file, allow_pickle=False, **arrays)
    Path(file.name).replace(path)
