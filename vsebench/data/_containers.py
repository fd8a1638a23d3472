"""Whether a sound file is whole, by what its container says of lengths and checksums.

libsndfile, which decodes, is content with what is left of a file that was cut short, and leaves damaged pages of an Ogg
file out. FLAC is not looked at here: its decoder checks every frame.
"""

from __future__ import annotations

import zlib

from vsebench.data import _mpeg

#: A stream that was written to a pipe says one of the largest lengths of 31 or 32 bits.
UNKNOWN_LENGTH = 0x7FFF0000
#: Each byte with its bits in reverse: Ogg's CRC is that of zlib, run the other way.
REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
OGG_FIRST, OGG_LAST, OGG_HEADER = 2, 4, 27


def whole(data: bytes) -> bytes:
    """Return a sound file as it can be decoded to its end: the data themselves, or an MP3 file with its length put
    right.

    Raises: OSError when it is cut short or damaged, as far as its container shows.
    """
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        _check_chunks(data, b"data", "little")
    elif data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        _check_chunks(data, b"SSND", "big")
    elif data[:4] == b"OggS":
        _check_pages(data)
    elif _mpeg.is_mpeg(data):
        return _mpeg.with_length(data)
    return data


def _check_chunks(data: bytes, wanted: bytes, order: str) -> None:
    at, long_size = 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], order)  # type: ignore[arg-type]
        if name == b"ds64":  # of an RF64 file, whose lengths are of 64 bits
            long_size = int.from_bytes(data[at + 16 : at + 24], "little")
        if name == wanted:
            if size == 0xFFFFFFFF and long_size is not None:
                size = long_size
            present = len(data) - at - 8
            if present < size and not (long_size is None and size >= UNKNOWN_LENGTH):
                raise OSError(f"sound is cut short: {present:,} of {size:,} bytes of samples")
            return
        at += 8 + size + size % 2
    raise OSError(f"sound is cut short or damaged: it has no '{wanted.decode()}' chunk")


def _check_pages(data: bytes) -> None:
    """Every page is there, whole and in order, from the first to the last, of one stream."""
    at, number, last = 0, 0, False
    stream = data[14:18]
    while at < len(data):
        if data[at : at + 4] != b"OggS" or len(data) < at + OGG_HEADER:
            raise OSError(f"sound is cut short or damaged: no Ogg page at byte {at:,}")
        segments = data[at + 26]
        end = at + OGG_HEADER + segments + sum(data[at + OGG_HEADER : at + OGG_HEADER + segments])
        if end > len(data) or at + OGG_HEADER + segments > len(data):
            raise OSError(f"sound is cut short: {len(data) - at:,} of {end - at:,} bytes of its last page")
        if last or data[at + 14 : at + 18] != stream or (data[at + 5] & OGG_FIRST and at):
            raise OSError("the Ogg file holds several streams, of which one would be read; take them apart")
        if _page_checksum(data[at:end]) != int.from_bytes(data[at + 22 : at + 26], "little"):
            raise OSError(f"sound is damaged: the checksum of its Ogg page {number} differs")
        if int.from_bytes(data[at + 18 : at + 22], "little") != number:
            raise OSError(f"sound is damaged: Ogg page {number} is missing")
        last, number, at = bool(data[at + 5] & OGG_LAST), number + 1, end
    if not last:
        raise OSError("sound is cut short: its last Ogg page is missing")


def _page_checksum(page: bytes) -> int:
    content = page[:22] + bytes(4) + page[26:]
    reversed_sum = zlib.crc32(content.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_sum:032b}"[::-1], 2)
