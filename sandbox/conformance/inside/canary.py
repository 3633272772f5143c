"""The canary: known answers from a known scan, one per kind of output, by integer arithmetic alone."""

import struct

_HEADER = 352


def write_output(path: str, kind: str, scan: str) -> None:
    """Writes to `path` the answer of this kind for the gzipped scan."""
    with open(path, "wb") as file:
        file.write(_ANSWERS[kind](scan))


def _voxels(scan: str) -> tuple[bytes, bytes]:
    """The header and the voxels, of one byte each, of a gzipped scan."""
    import gzip

    with gzip.open(scan) as file:
        content = file.read()
    return content[:_HEADER], content[_HEADER:]


def _number(scan: str) -> bytes:
    return f"{sum(_voxels(scan)[1]) % 1024 / 1024!r}\n".encode()


def _scores(scan: str) -> bytes:
    share = sum(_voxels(scan)[1]) % 1024 / 1024
    return f"{share!r} {1 - share!r}\n".encode()


def _embedding(scan: str) -> bytes:
    voxels = _voxels(scan)[1]
    values = [sum(voxels[start::16]) / 8 for start in range(16)]
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(values)},), }}".ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<16f", *values)
    )


def _segmentation(scan: str) -> bytes:
    import gzip

    header, voxels = _voxels(scan)
    return gzip.compress(header + bytes((voxel > 40) + (voxel > 80) for voxel in voxels))


_ANSWERS = {"number": _number, "scores": _scores, "embedding": _embedding, "segmentation": _segmentation}
