"""The seal of a dataset file: digests that show at opening, or at reading, that it is what the writer wrote.

It stands behind the HDF5 content, where HDF5 does not look:

    head      JSON: where the encoded items lie in the file (``payload``), the SHA-256 of all other bytes (``tables``:
              labels, splits, texts, ids, offsets, HDF5's own structure), and how many items have sums
    sums      8 bytes for each item of each payload, the beginning of the SHA-256 of its bytes
    end       SHA-256 of head and sums, their lengths, and a signature

Opening reads all but the payload, before HDF5 does, which may crash on damaged structure. An item's bytes are compared
with its sum when they are read. A file that was changed in place has lost its seal: HDF5 cuts off what stands behind.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vsebench.core.errors import DataError, Place

SIGNATURE = b"vsebench-seal-1\n"
END = struct.Struct("<32sQQ16s")
SUM = 8  # bytes of an item's sum
BLOCK = 1 << 22
#: Datasets that hold encoded items; features are ``features/<modality>/values``.
PAYLOADS = ("bytes", "audio")
AGAIN = "Build it again with 'vsebench data build'; of an embedded dataset, remove the file."
Sums = dict[str, np.ndarray]


def sum_of(data: bytes | np.ndarray) -> bytes:
    """Compute an item's checksum: eight bytes."""
    content = data if isinstance(data, bytes) else np.ascontiguousarray(data).data
    return hashlib.sha256(content).digest()[:SUM]


def seal(path: Path, sums: Mapping[str, np.ndarray]) -> None:
    """Put a seal behind a dataset file that is closed.

    Args:
        path: the file; a seal that it has is replaced.
        sums: name of each payload dataset -> uint8 (n, 8), :func:`sum_of` each item.
    """
    with h5py.File(path, "r") as file:
        payload = _payload(file, sums)
    with path.open("r+b") as stream:
        size = _end_of_content(stream)
        names = {name: len(values) for name, values in sums.items()}
        head = {"payload": payload, "tables": _digest_outside(stream, payload, size), "sums": names, "size": size}
        text = json.dumps(head, separators=(",", ":")).encode()
        body = text + b"".join(np.ascontiguousarray(values, np.uint8).tobytes() for values in sums.values())
        stream.seek(size)
        stream.write(body + END.pack(hashlib.sha256(body).digest(), len(text), len(body), SIGNATURE))
        stream.truncate()


def has_seal(path: Path) -> bool:
    """Return whether a file ends in a seal, whole or not.

    Raises: OSError when it cannot be read.
    """
    with path.open("rb") as stream:
        return _read_end(stream) is not None


def verify(path: Path) -> Sums:
    """Compare a file's tables with its seal, once in a process as long as the file does not change.

    Returns: name of each payload dataset -> uint8 (n, 8).

    Raises: DataError when the file is not a dataset, has no seal, or its tables are not those that were sealed.
    """
    stat = path.stat()
    return _verified(path, (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=64)
def _verified(path: Path, state: tuple[int, ...]) -> Sums:
    place = Place(str(path))
    with path.open("rb") as stream:
        end = _read_end(stream)
        if end is None:
            stream.seek(0)
            if stream.read(8) != b"\x89HDF\r\n\x1a\n":
                raise DataError(f"not a vsebench dataset file. {AGAIN}", place=place)
            raise DataError(
                "has no seal: it was built by an earlier version, changed or cut short. 'vsebench data check' compares "
                "it with its fingerprint, and seals it if that is right; or build it again.",
                place=place,
            )
        try:
            head, sums = _read_body(stream, *end)
            if _digest_outside(stream, head["payload"], head["size"]) == head["tables"]:
                return sums
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"its seal is damaged ({error}). {AGAIN}", place=place) from None
    raise DataError(
        "its tables (labels, splits, texts, ids) are not those that were built: the file was changed or damaged. "
        + AGAIN,
        place=place,
    )


def _read_end(stream: Any) -> tuple[bytes, int, int, int] | None:
    """Digest of the body, length of its head, its own, and where it begins; None without a seal."""
    size = stream.seek(0, 2)
    if size < END.size:
        return None
    stream.seek(size - END.size)
    digest, head, body, signature = END.unpack(stream.read(END.size))
    begin = size - END.size - body
    return (digest, head, body, begin) if signature == SIGNATURE and begin >= 0 and head <= body else None


def _end_of_content(stream: Any) -> int:
    end = _read_end(stream)
    return int(stream.seek(0, 2)) if end is None else end[3]


def _read_body(stream: Any, digest: bytes, length: int, total: int, begin: int) -> tuple[dict[str, Any], Sums]:
    stream.seek(begin)
    body = stream.read(total)
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("its digest differs")
    head: dict[str, Any] = json.loads(body[:length])
    if head["size"] != begin:
        raise ValueError("it belongs to a file of another length")
    sums, at = {}, length
    for name, count in head["sums"].items():
        sums[name] = np.frombuffer(body, np.uint8, count * SUM, at).reshape(count, SUM)
        at += count * SUM
    return head, sums


def _payload(file: h5py.File, names: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return where the chunks of some datasets lie in the file, neighbours as one."""
    places: list[tuple[int, int]] = []
    for name in names:
        # A callback that returns None is called for the next chunk.
        file[name].id.chunk_iter(lambda info: places.append((info.byte_offset, info.byte_offset + info.size)))
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(places):
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _digest_outside(stream: Any, payload: list[tuple[int, int]], size: int) -> str:
    digest = hashlib.sha256()
    for begin, end in _gaps(payload, size):
        stream.seek(begin)
        while begin < end:
            part = stream.read(min(BLOCK, end - begin))
            if not part:
                raise ValueError("the file is shorter than it says")
            digest.update(part)
            begin += len(part)
    return digest.hexdigest()


def _gaps(payload: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    at = 0
    for begin, end in payload:
        if at < begin:
            yield at, begin
        at = end
    if at < size:
        yield at, size
