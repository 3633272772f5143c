"""Image archives: checked as a stream, never loaded or run, and written again in one canonical form."""

from sandbox.archive._canonical import canonical_name, canonical_size, write_canonical
from sandbox.archive._check import check_archive
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, ToolMissing
from sandbox.archive._facts import Bounds, ImageFacts
from sandbox.archive._programs import Call
from sandbox.archive._sink import BlobSink, BlobWriter, DirectorySink, HashOnly
from sandbox.archive._squashfs import tools as squashfs_tools

__all__ = [
    "ArchiveCode",
    "ArchiveInvalid",
    "BlobSink",
    "BlobWriter",
    "Bounds",
    "Call",
    "DirectorySink",
    "HashOnly",
    "ImageFacts",
    "ToolMissing",
    "canonical_name",
    "canonical_size",
    "check_archive",
    "squashfs_tools",
    "write_canonical",
]
