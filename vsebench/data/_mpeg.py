"""The frames of an MP3 file (ISO/IEC 11172-3, 13818-3).

A file without a tag that counts its frames ("Xing", "Info") has no length: decoders guess it from the bit rate of the
first frames, and libsndfile stops at the guess, which may be a third of a sound of varying bit rate. Such a file is
given a tag with the number of frames that are there.
"""

from __future__ import annotations

from typing import NamedTuple

RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
#: kbit/s by (is MPEG 1, layer).
BIT_RATES = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
#: What may stand behind the last frame.
TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")
ENCODERS = (b"LAME", b"Lavf", b"Lavc")  # they do not count the tag's own frame
TAG_BIT_RATE = 9  # number in the table: large enough for a tag at every sample rate


class Header(NamedTuple):
    """The first four bytes of a frame."""

    version: int
    layer: int
    rate: int
    mono: bool
    length: int  # of the frame, in bytes


def is_mpeg(data: bytes) -> bool:
    """Return whether it begins like an MP3 file."""
    begin = _begin(data)  # a FLAC file may have the same tags before it
    return _header(data, begin) is not None or (data[:3] == b"ID3" and data[begin : begin + 4] != b"fLaC")


def with_length(data: bytes) -> bytes:
    """Return the file itself where its tag counts its frames, else its frames behind a tag that does.

    Raises: OSError when it is cut short or damaged between two frames.
    """
    places = _frames(data)
    first = _header(data, places[0])
    assert first is not None
    end = _end(data, places)
    if first.layer != 3:  # of one bit rate, so that the length is right
        return data
    counted, strict = _tag(data[places[0] : places[1] if len(places) > 1 else end], first)
    if counted is None:
        return _make_tag(data[places[0] : places[0] + 4], first, len(places)) + data[places[0] : end]
    present = len(places) - 1
    if counted == present:
        return data
    if counted > present + (0 if strict else 1):
        raise OSError(f"sound is cut short: {present:,} of {counted:,} frames")
    if not present:
        raise OSError("sound has no frames")
    return _make_tag(data[places[0] : places[0] + 4], first, present) + data[places[1] : end]


def _begin(data: bytes) -> int:
    """Behind the tags and zeros at the beginning."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        a, b, c, d = data[at + 6 : at + 10]
        at += 10 + (a << 21 | b << 14 | c << 7 | d)
    return at + len(data[at:]) - len(data[at:].lstrip(b"\0"))


def _frames(data: bytes) -> list[int]:
    """Return where each frame begins."""
    at = _begin(data)
    places: list[int] = []
    first = None
    while at < len(data):
        header = _header(data, at)
        if header is None:
            rest = data[at:]
            if places and (rest.startswith(TAGS) or not rest.strip(b"\0")):
                break
            raise OSError(f"sound is cut short or damaged: no MPEG frame at byte {at:,}")
        first = first or header
        if (header.version, header.layer, header.rate) != (first.version, first.layer, first.rate):
            raise OSError(f"sound is damaged, or changes its sample rate, at byte {at:,}")
        if at + header.length > len(data):
            raise OSError(f"sound is cut short: {len(data) - at:,} of {header.length:,} bytes of its last frame")
        places.append(at)
        at += header.length
    if not places:
        raise OSError("sound has no frames")
    return places


def _end(data: bytes, places: list[int]) -> int:
    last = _header(data, places[-1])
    assert last is not None
    return places[-1] + last.length


def _header(data: bytes, at: int) -> Header | None:
    """None where no frame begins, or one of no given bit rate."""
    bits = int.from_bytes(data[at : at + 4].ljust(4, b"\0"), "big")
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    number, rate = bits >> 12 & 15, bits >> 10 & 3
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or number in (0, 15) or rate == 3:
        return None
    hertz, padding = RATES[version][rate], bits >> 9 & 1
    per_second = 1000 * BIT_RATES[version == 3, layer][number]
    if layer == 1:
        length = (12 * per_second // hertz + padding) * 4
    else:
        length = (72 if layer == 3 and version != 3 else 144) * per_second // hertz + padding
    return Header(version, layer, hertz, bits >> 6 & 3 == 3, length)


def _side_bytes(header: Header) -> int:
    """Between a frame's header and its content, where a tag stands."""
    return (17 if header.mono else 32) if header.version == 3 else (9 if header.mono else 17)


def _tag(frame: bytes, header: Header) -> tuple[int | None, bool]:
    """Return the number of frames that the tag in a frame counts besides itself, and whether that is sure; None without
    a tag.
    """
    at = 4 + _side_bytes(header)
    if frame[at : at + 4] not in (b"Xing", b"Info") or not frame[at + 7 : at + 8] or not frame[at + 7] & 1:
        return None, False
    return int.from_bytes(frame[at + 8 : at + 12], "big"), any(name in frame for name in ENCODERS)


def _make_tag(start: bytes, header: Header, count: int) -> bytes:
    """Return a frame that says how many follow: silent, of the first one's kind, without checksum."""
    bits = int.from_bytes(start, "big") | 1 << 16
    bits = bits & ~(15 << 12 | 1 << 9) | TAG_BIT_RATE << 12
    mine = bits.to_bytes(4, "big")
    made = _header(mine, 0)
    assert made is not None
    content = mine + bytes(_side_bytes(header)) + b"Info" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return content.ljust(made.length, b"\0")
