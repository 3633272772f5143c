"""Image archives: checked as a stream, never loaded or run, and written again in one canonical form."""

from sandbox.archive._bounds import Bounds
from sandbox.archive._canonical import canonical_name, write_canonical
from sandbox.archive._check import check_archive, declared_by, glance
from sandbox.archive._checkpoint import CheckpointLabels, declared_in
from sandbox.archive._entries import Entry
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, ToolMissing
from sandbox.archive._programs import DEFAULT_PATH, Call, Programs, first_entry
from sandbox.archive._sink import BlobSink, BlobWriter, DirectorySink, HashOnly
from sandbox.archive._squashfs import tools as squashfs_tools
from sandbox.archive._stack import Lookup

__all__ = [
    "DEFAULT_PATH",
    "ArchiveCode",
    "ArchiveInvalid",
    "BlobSink",
    "BlobWriter",
    "Bounds",
    "Call",
    "CheckpointLabels",
    "DirectorySink",
    "Entry",
    "HashOnly",
    "Lookup",
    "Programs",
    "ToolMissing",
    "canonical_name",
    "check_archive",
    "declared_by",
    "declared_in",
    "first_entry",
    "glance",
    "squashfs_tools",
    "write_canonical",
]
