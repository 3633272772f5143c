"""The checkpoint that a SIF file declares, in one or both of the places where `apptainer build` writes labels.

Source of both: github.com/apptainer/apptainer, internal/pkg/build (`labels.json` of the image, and the document
inspect-metadata.json of the file, which has them under data.attributes.labels).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from sandbox.archive._bounds import Bounds
from sandbox.archive._checkpoint import CheckpointLabels, agreed, declared_in
from sandbox.archive._sif import Partition, read_documents
from sandbox.archive._squashfs import content_of

_LABELS = ".singularity.d/labels.json"


def sif_checkpoint(source: BinaryIO, partition: Partition, bounds: Bounds) -> CheckpointLabels | None:
    """What the SIF file in `source`, a file on disk, declares; two places that disagree name no file.

    What is no JSON holds no labels.

    Raises:
        ArchiveInvalid: the file is truncated or damaged.
        ToolMissing: there is no `unsquashfs` here.
    """
    return agreed(*(declared_in(labels) for labels in _labels(source, partition, bounds)))


def _labels(source: BinaryIO, partition: Partition, bounds: Bounds) -> Iterator[Mapping[str, Any]]:
    yield _object(content_of(source, partition, _LABELS, most=bounds.config))
    for document in read_documents(source, bounds):
        attributes: Any = _object(document)
        for key in ("data", "attributes", "labels"):
            inner = attributes.get(key)
            attributes = inner if isinstance(inner, dict) else {}
        yield attributes


def _object(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
