import gzip
import io
import os
import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.outputs._gzip import GunzipReader, GzipError

CONTENT = os.urandom(1000) + bytes(200_000) + os.urandom(100_000)
PACKED = gzip.compress(CONTENT)


def unpack(data: bytes, piece: int = 1 << 20) -> tuple[bytes, bool]:
    reader = GunzipReader(io.BytesIO(data))
    pieces = []
    while part := reader.read(piece):
        pieces.append(part)
    return b"".join(pieces), reader.trailing


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 400), st.integers(0, 9))
def test_members_join_whatever_the_size_of_the_pieces(members, piece, level):
    data = b"".join(gzip.compress(member, level) for member in members)
    assert unpack(data, piece) == (b"".join(members), False)


@pytest.mark.parametrize("piece", [1, 7, 65_535, 65_536, 65_537, 10_000_000])
def test_large_content_is_the_same_in_pieces_of_any_size(piece):
    content = CONTENT[:2000] if piece < 10 else CONTENT
    assert unpack(gzip.compress(content), piece) == (content, False)


def test_no_more_is_unpacked_than_asked_for():
    bomb = gzip.compress(bytes(5_000_000))
    reader = GunzipReader(io.BytesIO(bomb))
    assert reader.read(10) == bytes(10)
    assert reader.skip(1000) == 1000


def test_a_header_with_name_comment_and_extra_field_is_passed_over():
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = body.compress(b"voxels") + body.flush()
    header = b"\x1f\x8b\x08\x1c" + bytes(6) + struct.pack("<H", 3) + b"abc" + b"name\0" + b"comment\0"
    data = header + deflated + struct.pack("<II", zlib.crc32(b"voxels"), 6)
    assert unpack(data) == (b"voxels", False)


@pytest.mark.parametrize("rest", [b"\0", b"\0" * 700, b"junk", b"\x1f", b"x" * 200_000])
def test_bytes_that_are_no_member_are_trailing(rest):
    assert unpack(PACKED + rest) == (CONTENT, True)


@pytest.mark.parametrize("flipped", [-1, -5, -8])
def test_a_wrong_checksum_or_length_is_an_error(flipped):
    data = bytearray(PACKED)
    data[flipped] ^= 1
    with pytest.raises(GzipError):
        unpack(bytes(data))


@pytest.mark.parametrize("kept", [1, 5, 10, 18, 1000, -8, -1])
def test_a_cut_stream_is_an_error(kept):
    cut = PACKED[:kept]
    with pytest.raises(GzipError):
        unpack(cut)
    with pytest.raises(GzipError):
        unpack(PACKED + (cut if len(cut) > 1 else PACKED[:2]))


@pytest.mark.parametrize("data", [b"", b"\x5c\x01\0\0", b"\x1f\x8b\x07" + bytes(20), b"\x1f\x8b", b"\x1f"])
def test_what_is_not_gzip_is_an_error(data):
    with pytest.raises(GzipError):
        unpack(data)


def test_millions_of_empty_members_are_refused():
    with pytest.raises(GzipError, match="too many"):
        unpack(gzip.compress(b"") * 100_001)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=100), st.integers(1, 50))
def test_any_bytes_end_or_raise(data, piece):
    with suppress(GzipError):
        unpack(b"\x1f\x8b\x08\0" + data, piece)
