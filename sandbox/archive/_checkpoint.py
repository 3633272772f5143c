"""The pretrained checkpoint that an image declares: two labels, and the file in its layers that they name.

Nothing is run and nothing unpacked: the file's digest was taken while its layer was read.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from contract.images import CheckpointState, DeclaredCheckpoint
from sandbox.archive._elf import Executable
from sandbox.archive._entries import Other
from sandbox.archive._errors import shown
from sandbox.archive._fields import is_text
from sandbox.archive._stack import MOUNTED, Lookup, followed
from sandbox.archive._unpacked import Allowance

PATH_LABEL: Final = "proctor.checkpoint.path"
SHA256_LABEL: Final = "proctor.checkpoint.sha256"
_OURS = "proctor.checkpoint"
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_EMPTY = hashlib.sha256().digest()
_HIDDEN = MOUNTED | {"tmp"}
_OWN_FILES = frozenset({"etc/hostname", "etc/hosts", "etc/resolv.conf"})
_LONGEST_PATH = 4095
_BOTH = f"an image declares one checkpoint with the labels {PATH_LABEL} and {SHA256_LABEL}"


@dataclass(frozen=True)
class CheckpointLabels:
    """What the labels say. `wrong` is a sentence where that names no file; then there is nothing to compare."""

    path: str | None
    sha256: str | None
    wrong: str | None = None


def declared_in(labels: Mapping[str, Any]) -> CheckpointLabels | None:
    """The checkpoint that an image's labels declare; None where they say nothing of one."""
    own = {name: value for name, value in labels.items() if name.casefold().startswith(_OURS)}
    if not own:
        return None
    texts = {name: str(value or "").strip() for name, value in own.items()}
    if unknown := sorted(own.keys() - {PATH_LABEL, SHA256_LABEL}):
        return CheckpointLabels(None, None, f"The label {shown(unknown[0])} is none of the two: {_BOTH}.")
    for name in (PATH_LABEL, SHA256_LABEL):
        if not texts.get(name):
            how = "empty" if name in texts else "missing"
            return CheckpointLabels(None, None, f"The label {name} is {how}: {_BOTH}.")
    digest = _DIGEST.fullmatch(texts[SHA256_LABEL].lower())
    if digest is None:
        said = f"The label {SHA256_LABEL} is {shown(texts[SHA256_LABEL])}, and a SHA-256 has 64 hexadecimal digits."
        return CheckpointLabels(None, None, said)
    sha256 = f"sha256:{digest[1]}"
    wrong = _wrong_path(texts[PATH_LABEL])
    return CheckpointLabels(None if wrong else texts[PATH_LABEL], sha256, wrong)


def agreed(*declared: CheckpointLabels | None) -> CheckpointLabels | None:
    """What several places of one image declare, which has to be the same wherever one does."""
    said = {one for one in declared if one is not None}
    if len(said) > 1:
        return CheckpointLabels(
            None, None, f"The image declares two checkpoints, in different places: {_BOTH}."
        )
    return next(iter(said), None)


def found_in(look: Lookup, declared: CheckpointLabels | None, room: Allowance) -> DeclaredCheckpoint:
    """Whether the image whose files `look` finds holds the checkpoint that it declares.

    Links are followed as in a container, to nowhere outside the image. `room` tells whether all names were kept.
    """
    if declared is None:
        return DeclaredCheckpoint(state=CheckpointState.NOT_DECLARED)
    if declared.wrong is not None or declared.path is None:
        return _found(CheckpointState.UNCLEAR, declared, declared.wrong)
    place = shown(declared.path)
    if not room.enough:
        why = f"The image holds more files than are kept in mind, so {place} was not looked at."
        return _found(CheckpointState.UNCLEAR, declared, why)
    name = followed(look, declared.path, room.step)
    if name is None and not room.enough:
        why = f"Links lead on for so long that {place} was not found."
        return _found(CheckpointState.UNCLEAR, declared, why)
    if name is None:
        return _found(
            CheckpointState.MISSING, declared, f"The image holds no file {place}, which it declares."
        )
    if covered := _covered(name, place):
        return _found(CheckpointState.UNCLEAR, declared, covered)
    entry = look(name)
    content = entry.sha256 if isinstance(entry, Executable | Other) else None
    if content is None:
        why = f"{place} is a folder or no regular file; declare one file, the one with the weights."
        return _found(CheckpointState.UNCLEAR, declared, why)
    if content == _EMPTY:
        return _found(CheckpointState.UNCLEAR, declared, f"The file {place} is empty.")
    if (own := f"sha256:{content.hex()}") != declared.sha256:
        why = (
            f"The file {place} has the digest {own}, and {declared.sha256} is declared: write the label anew."
        )
        return _found(CheckpointState.ANOTHER_FILE, declared, why)
    return _found(CheckpointState.VERIFIED, declared, None)


def _found(state: CheckpointState, declared: CheckpointLabels, why: str | None) -> DeclaredCheckpoint:
    return DeclaredCheckpoint(state=state, path=declared.path, sha256=declared.sha256, why=why)


def _covered(name: str, place: str) -> str | None:
    if name in _OWN_FILES:
        return f"{place} is /{name}, over which a container has another file than the image's."
    if (top := name.split("/")[0]) in _HIDDEN:
        return f"{place} lies in /{top}, over which a container has another folder than the image's."
    return None


def _wrong_path(path: str) -> str | None:
    place = shown(path)
    if not is_text(path):
        return f"The label {PATH_LABEL} is {place}, which is no text."
    if not path.isprintable():  # a page that shows it must read as it is written
        return f"The label {PATH_LABEL} is {place}, with a character that nobody sees."
    if len(path.encode("utf-8", "surrogateescape")) > _LONGEST_PATH:
        return f"The label {PATH_LABEL} is longer than any path."
    if not path.startswith("/"):
        return f"The label {PATH_LABEL} is {place}, and a path from the image's root begins with a slash."
    depth = 0
    for part in path.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return f"The label {PATH_LABEL} is {place}, which leads out of the image."
    return None
