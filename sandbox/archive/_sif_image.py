"""A SIF file as an image: its file system as one layer, and a config of ours.

Apptainer sources the scripts below /.singularity.d/env before it starts a program. An image has no such thing, so
the layer gets a wrapper of the name of each program that the challenge calls, in a folder that stands first in
PATH; it sources the scripts with a shell of the image and gives way to the program that PATH then leads to.
"""

import io
import json
import posixpath
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

from contract.images import ImageFacts
from sandbox.archive._bounds import Bounds
from sandbox.archive._checkpoint import PATH_LABEL, SHA256_LABEL, CheckpointLabels, found_in
from sandbox.archive._config import Config, facts_of, parse_config
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._gzip import expands_too_much, too_large
from sandbox.archive._layers import Span, copy_layer
from sandbox.archive._programs import DEFAULT_PATH, Call, Programs
from sandbox.archive._sif import WHAT, Partition, read_partition
from sandbox.archive._sif_environment import sif_requires_driver
from sandbox.archive._sif_labels import sif_checkpoint
from sandbox.archive._sink import BlobSink
from sandbox.archive._squashfs import Squashfs, SquashfsEntry, damaged, opened, parse_entry
from sandbox.archive._stack import Stack, require_closed
from sandbox.archive._unpacked import WHITEOUT, Allowance, Unpacked

_OURS = ".proctor"
_WRAPPERS = f"{_OURS}/bin"
_RUN = f"{_OURS}/run"
_SHELL = "/bin/sh"
_RUNSCRIPT = "/.singularity.d/runscript"
_MOST_TEXT = 2**28
"""Characters of all definitions together; the names of what is left out are kept in memory."""
_TYPES = {"D": tarfile.DIRTYPE, "R": tarfile.REGTYPE, "S": tarfile.SYMTYPE, "L": tarfile.LNKTYPE}
_TYPES |= {"C": tarfile.CHRTYPE, "B": tarfile.BLKTYPE, "I": tarfile.FIFOTYPE}
_ENVIRONMENT = f"""\
#!{_SHELL}
# Sources the environment of the SIF file as Apptainer does, and gives way to the program that was asked for.
# Apptainer's own shell reads some of what bash has beyond sh.
if [ -z "${{BASH_VERSION:-}}" ] && [ -x /bin/bash ]; then
    exec /bin/bash "$0" "$@"
fi
PATH={DEFAULT_PATH}
APPTAINER_CONTAINER=/image.sif APPTAINER_NAME=image.sif SINGULARITY_CONTAINER=/image.sif SINGULARITY_NAME=image.sif
export PATH APPTAINER_CONTAINER APPTAINER_NAME SINGULARITY_CONTAINER SINGULARITY_NAME
proctor_program=%s
for proctor_script in /.singularity.d/env/*.sh; do
    [ -f "$proctor_script" ] && . "$proctor_script"
done
# The words of the init that runs this, which tell that nothing was started.
proctor_failed() {{
    echo "[FATAL tini (1)] exec $proctor_program failed: $2" >&2
    exit "$1"
}}
proctor_found=$(command -v "$proctor_program") || proctor_failed 127 "No such file or directory"
case $proctor_found in /*)
    # Shells take a program for another machine for a script: that of this one has a ">" after ELF, NULs left out.
    {{ IFS= read -r proctor_script < "$proctor_found"; }} 2>/dev/null
    case $proctor_script in
        ?ELF????">"* | ?ELF?????">"*) ;;
        ?ELF*) proctor_failed 126 "Exec format error" ;;
    esac ;;
esac
# A shell ends where exec fails, bash without a trap: then it has to go on.
[ -z "${{BASH_VERSION:-}}" ] || shopt -s execfail
trap 'proctor_code=$?; trap - EXIT
    [ "$proctor_code" = 127 ] && proctor_failed 127 "No such file or directory"
    proctor_failed 126 "Permission denied"' EXIT
exec "$proctor_program" "$@"
"""


def check_sif(
    source: BinaryIO, *, limit: int, sink: BlobSink, calls: Collection[Call], bounds: Bounds
) -> ImageFacts:
    """Checks the SIF file in `source` and stores its file system as a layer, and a config, in `sink`.

    Equal files give equal images for equal `calls`: the layer holds what the file system does, in its order and
    with its owners, times and permissions, but no extended attributes, sockets, and devices in dev/.

    Raises:
        ArchiveInvalid: with the code and the sentence for the participant.
        ToolMissing: there is no `unsquashfs` here.
        OSError: the source cannot be read or the sink not written.
    """
    partition = read_partition(source, bounds)
    room = Allowance(names=bounds.names)
    with ExitStack() as stack:
        layer = stack.enter_context(sink.writer())
        file = stack.enter_context(_on_disk(source))
        declared = sif_checkpoint(file, partition, bounds)
        tree = Unpacked(room, WHAT, hashed=declared is not None)
        with opened(file, partition, limit=bounds.most(partition.size, limit)) as squashfs:
            stream = io.BufferedReader(_Blocks(_layer(squashfs, partition, calls, limit, bounds)))
            span = Span(stream.read, 2**62, None)
            size, _ = copy_layer(
                span, layer, tree, what=WHAT, limit=limit, most=bounds.layer_members, bounds=bounds
            )
        stacked = Stack([tree])
        require_closed(stacked, [tree], room)
        programs = Programs(stacked, room)
        config = _config(layer.digest, programs, declared, bounds)
        config = replace(config, requires_driver=sif_requires_driver(file, partition, bounds))
        programs.require_machine(calls, entrypoint=config.entrypoint, path=config.path)
        for name in _names(calls):  # behind our wrappers, which are for every machine
            places = (place for place in stacked.called(name) if not place.startswith(f"/{_OURS}/"))
            programs.require_machine_everywhere(name, places)
        text = stack.enter_context(sink.writer())
        text.write(config.data)
        layer.commit()
        text.commit()
    return facts_of(config, (size,), found_in(stacked, declared, room))


@contextmanager
def _on_disk(source: BinaryIO) -> Iterator[BinaryIO]:
    """`source`, or a copy of it on the disk where it is none itself."""
    try:
        source.fileno()
    except OSError:
        with tempfile.TemporaryFile() as copy:
            source.seek(0)
            shutil.copyfileobj(source, copy)
            copy.flush()
            yield copy
    else:
        yield source


def _config(layer: str, programs: Programs, declared: CheckpointLabels | None, bounds: Bounds) -> Config:
    """The image config: where the image has a shell, the wrappers stand first in PATH.

    It names the checkpoint that the file declares, so that files which declare another one have another image id.
    """
    running: dict[str, Any] = {"Env": [f"PATH={DEFAULT_PATH}"]}
    if declared is not None:
        running["Labels"] = {PATH_LABEL: declared.path or "", SHA256_LABEL: declared.sha256 or ""}
    shell = programs.may_hold(_SHELL)
    if shell:
        running["Env"] = [f"PATH=/{_WRAPPERS}:{DEFAULT_PATH}"]
    if programs.may_hold(_RUNSCRIPT):
        running["Entrypoint"] = [f"/{_RUN}" if shell else _RUNSCRIPT]
    content = {
        "architecture": "amd64",
        "os": "linux",
        "config": running,
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    }
    return parse_config(json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), bounds)


def _layer(
    squashfs: Squashfs, partition: Partition, calls: Collection[Call], limit: int, bounds: Bounds
) -> Iterator[bytes]:
    """The layer's tar, piece by piece. What it will take is known, and bounded, before its first file is read."""
    with tempfile.TemporaryFile() as lines:
        linked: dict[str, SquashfsEntry | None] = dict.fromkeys(
            _copy_lines(squashfs, lines, partition, limit, bounds)
        )
        lines.seek(0)
        left_out: set[str] = set()
        position = 0
        for line in lines:
            entry = parse_entry(line, position)
            position += entry.size
            if _is_left_out(entry, left_out):
                left_out.add(entry.name)
                continue
            if entry.name in linked:
                linked[entry.name] = entry
            yield _header(_as_linked(entry, linked) if entry.kind == "L" else entry)
            yield from _content(squashfs, entry.size)
    yield from _wrappers(calls)
    yield bytes(1024)


def _as_linked(link: SquashfsEntry, linked: Mapping[str, SquashfsEntry | None]) -> SquashfsEntry:
    """A hard link with the permissions, owner and time of the file that it is another name of.

    squashfs has them once per file, a tar in every header, and an engine applies each header to the file.
    """
    if (known := linked.get(link.target)) is None:
        raise damaged()
    return replace(known, name=link.name, kind="L", target=link.target, size=0)


def _copy_lines(
    squashfs: Squashfs, lines: BinaryIO, partition: Partition, limit: int, bounds: Bounds
) -> set[str]:
    """Writes the definitions to `lines` and refuses more, or larger, files than an image may have.

    Returns the names that hard links name.
    """
    total = text = 0
    linked: set[str] = set()
    for count, line in enumerate(squashfs.lines(), 1):
        entry = parse_entry(line, total)
        total += entry.size
        text += len(line)
        if entry.kind == "L":
            linked.add(entry.target)
        if total > limit:
            raise too_large(WHAT, limit)
        if total > bounds.most(partition.size, limit):
            raise expands_too_much(WHAT, bounds)
        if count > bounds.layer_members or text > _MOST_TEXT:
            raise ArchiveInvalid(
                ArchiveCode.TOO_MANY_MEMBERS,
                f"{WHAT} has more than {bounds.layer_members:,} entries; build it with fewer files.",
            )
        lines.write(line)
    return linked


def _is_left_out(entry: SquashfsEntry, left_out: Collection[str]) -> bool:
    """Whether the layer does without this: sockets, and devices in dev/, which a container has of its own.

    Raises:
        ArchiveInvalid: unsafe_path, for what stands where our own files will; layer_invalid, for a name that layers
            keep for what they remove.
    """
    name = posixpath.normpath(entry.name)
    if any(part.startswith(WHITEOUT) for part in name.split("/")):
        raise ArchiveInvalid(
            ArchiveCode.LAYER_INVALID,
            f"{WHAT} holds {shown('/' + name)}: in the layer of an image a name that begins with {WHITEOUT} removes "
            "another file; name it otherwise.",
        )
    if name == _OURS or name.startswith(f"{_OURS}/"):
        raise ArchiveInvalid(
            ArchiveCode.UNSAFE_PATH,
            f"{WHAT} holds {shown('/' + name)}, a path that Proctor needs; name it otherwise.",
        )
    if entry.kind == "L":
        return entry.target in left_out
    return entry.kind == "socket" or (entry.kind in "CB" and name.startswith("dev/"))


def _header(entry: SquashfsEntry) -> bytes:
    member = tarfile.TarInfo("./" if entry.name == "/" else entry.name)
    member.type, member.mode, member.mtime = _TYPES[entry.kind], entry.mode, entry.time
    member.uid, member.gid = entry.owner
    member.linkname, member.size = entry.target, entry.size
    member.devmajor, member.devminor = entry.device
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _content(squashfs: Squashfs, size: int) -> Iterator[bytes]:
    left = size
    while left:
        data = squashfs.data(left)
        left -= len(data)
        yield data
    yield bytes(-size % 512)


def _names(calls: Collection[Call]) -> list[str]:
    """The programs that are called by their name alone."""
    return sorted({call[0] for call in calls if call and "/" not in call[0]})


def _wrappers(calls: Collection[Call]) -> Iterator[bytes]:
    """A folder of ours with a wrapper for each program that is called by its name, and one for the runscript."""
    for folder in (_OURS, _WRAPPERS):
        yield _header(SquashfsEntry(folder, "D", 0o755))
    scripts = {_RUN: _RUNSCRIPT} | {f"{_WRAPPERS}/{name}": '"${0##*/}"' for name in _names(calls)}
    for name, program in scripts.items():
        script = (_ENVIRONMENT % program).encode()
        yield _header(SquashfsEntry(name, "R", 0o755, size=len(script)))
        yield script + bytes(-len(script) % 512)


class _Blocks(io.RawIOBase):
    """The pieces of an iterator as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fills `buffer` as far as one piece goes; 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
