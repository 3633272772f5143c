"""Image archives: checked as a stream, never loaded or run, and written again in one canonical form."""

from sandbox.archive._bounds import Bounds
from sandbox.archive._canonical import canonical_name, canonical_size, write_canonical
from sandbox.archive._check import check_archive, glance
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, ToolMissing
from sandbox.archive._programs import DEFAULT_PATH, Call, Programs, first_entry
from sandbox.archive._sink import BlobSink, BlobWriter, DirectorySink, HashOnly
from sandbox.archive._squashfs import tools as squashfs_tools
from sandbox.archive._stack import Lookup
from sandbox.archive._unpacked import Entry

__all__ = [
    "DEFAULT_PATH",
    "ArchiveCode",
    "ArchiveInvalid",
    "BlobSink",
    "BlobWriter",
    "Bounds",
    "Call",
    "DirectorySink",
    "Entry",
    "HashOnly",
    "Lookup",
    "Programs",
    "ToolMissing",
    "canonical_name",
    "canonical_size",
    "check_archive",
    "first_entry",
    "glance",
    "squashfs_tools",
    "write_canonical",
]
