"""The check of an uploaded image: one pass over the headers, one over the layers, nothing loaded or run."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from contract.images import ImageFacts
from sandbox.archive._bounds import Bounds
from sandbox.archive._checkpoint import CheckpointLabels, found_in
from sandbox.archive._config import facts_of
from sandbox.archive._documents import stated_digest, wrong_digest
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid
from sandbox.archive._gzip import expands_too_much
from sandbox.archive._index import WHAT, Archive, read_index
from sandbox.archive._layers import Span, copy_layer
from sandbox.archive._programs import Call, Programs
from sandbox.archive._select import ChosenImage, choose
from sandbox.archive._sif import is_sif, read_partition
from sandbox.archive._sif_image import check_sif
from sandbox.archive._sif_labels import sif_checkpoint
from sandbox.archive._sink import BlobSink, BlobWriter, HashOnly
from sandbox.archive._stack import Stack, require_closed
from sandbox.archive._tar import TarMember
from sandbox.archive._unpacked import Allowance, Unpacked


def check_archive(
    source: BinaryIO | Path,
    *,
    limit: int,
    sink: BlobSink,
    calls: Collection[Call] = (None,),
    bounds: Bounds | None = None,
) -> ImageFacts:
    """Checks the image archive, or SIF file, in `source` and stores its unpacked layers and config in `sink`.

    `source` is a path or a buffered binary file that can seek; it is read from its beginning and left open.
    `limit` bounds the unpacked layers in bytes. `calls` are what the image will be started with: where the
    program of one is found in the layers, it has to be built for linux/amd64 too. Memory is bounded. Blobs are
    committed after everything has passed, so a refused archive leaves nothing behind.

    Raises:
        ArchiveInvalid: with the code and the sentence for the participant.
        ToolMissing: it is a SIF file, and this machine lacks what unpacks one.
        OSError: the source cannot be read or the sink not written.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return check_archive(file, limit=limit, sink=sink, calls=calls, bounds=bounds)
    bounds = bounds or Bounds()
    if is_sif(source):
        return check_sif(source, limit=limit, sink=sink, calls=calls, bounds=bounds)
    archive = read_index(source, limit=limit, bounds=bounds)
    chosen = choose(archive)
    room = Allowance(names=bounds.names)
    layers, declared = chosen.config.layers, chosen.config.checkpoint
    trees = {
        digest: Unpacked(room, f"layer {number} of {len(layers)}", hashed=declared is not None)
        for number, digest in reversed([*enumerate(layers, 1)])
    }
    with ExitStack() as held:
        writers: list[BlobWriter] = []
        sizes = _copy_layers(archive, chosen, sink, trees, held, writers)
        stack = Stack([trees[digest] for digest in layers])
        require_closed(stack, trees.values(), room)
        programs = Programs(stack, room)
        programs.require_machine(calls, entrypoint=chosen.config.entrypoint, path=chosen.config.path)
        config = held.enter_context(sink.writer())
        config.write(chosen.config.data)
        for writer in (*writers, config):
            writer.commit()
    return facts_of(chosen.config, tuple(sizes[digest] for digest in layers), found_in(stack, declared, room))


def glance(path: Path, *, bounds: Bounds | None = None) -> None:
    """Returns unless the file certainly is no acceptable image, as far as that is known without reading a layer.

    What kind of file it is, which image an archive holds, its config, and the header of a SIF file.

    Raises:
        ArchiveInvalid: as `check_archive` would with the same code and sentence.
        OSError: the file cannot be read.
    """
    bounds = bounds or Bounds()
    with path.open("rb") as source:
        if is_sif(source):
            read_partition(source, bounds)
        else:
            choose(read_index(source, limit=2**62, bounds=bounds))


def declared_by(path: Path, *, bounds: Bounds | None = None) -> CheckpointLabels | None:
    """The checkpoint that an image archive's or a SIF file's labels declare, without a layer being read; None for none.

    Raises:
        ArchiveInvalid: as `glance`.
        ToolMissing: it is a SIF file, and this machine lacks what unpacks one.
        OSError: the file cannot be read.
    """
    bounds = bounds or Bounds()
    with path.open("rb") as source:
        if is_sif(source):
            return sif_checkpoint(source, read_partition(source, bounds), bounds)
        return choose(read_index(source, limit=2**62, bounds=bounds)).config.checkpoint


def _copy_layers(
    archive: Archive,
    chosen: ChosenImage,
    sink: BlobSink,
    trees: Mapping[str, Unpacked],
    held: ExitStack,
    writers: list[BlobWriter],
) -> dict[str, int]:
    """Verifies every layer, in the order they lie in; returns the unpacked sizes by digest."""
    by_digest: dict[str, tuple[int, TarMember]] = {}
    for number, (digest, member) in enumerate(zip(chosen.config.layers, chosen.layers, strict=True), 1):
        by_digest.setdefault(digest, (number, member))
    sizes: dict[str, int] = {}
    left, most, place = archive.most, archive.bounds.layer_members, None
    for digest, (number, member) in sorted(by_digest.items(), key=lambda item: item[1][1].offset):
        what = f"layer {number} of {len(chosen.config.layers)}"
        writer = held.enter_context(HashOnly() if sink.has(digest) else sink.writer())
        place = archive.at(member.offset, place)
        span = Span(place.read, member.size, stated_digest(member.name))
        try:
            size, count = copy_layer(
                span, writer, trees[digest], what=what, limit=left, most=most, bounds=archive.bounds
            )
        except ArchiveInvalid as error:
            if error.code is ArchiveCode.TOO_LARGE and archive.most < archive.limit:
                raise expands_too_much(WHAT, archive.bounds) from None
            raise
        if writer.digest != digest:
            raise wrong_digest(what, digest, writer.digest)
        writers.append(writer)
        sizes[digest], left, most = size, left - size, most - count
    return sizes
