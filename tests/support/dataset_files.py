"""Dataset files with everything, and seals for those that were changed on purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from builder_layouts import sound

from vsebench.data.item import Item
from vsebench.data.seal import SUM, seal, sum_of

#: Arrays whose items have sums, and where each item begins.
SEALED = {
    "bytes": "byte_offsets",
    "audio": "audio_offsets",
    "features/image/values": "features/image/offsets",
}


def rich(items: list[Item]) -> list[Item]:
    """Items with everything that an item can have."""
    rng = np.random.default_rng(0)
    return [
        replace(
            item,
            audio=sound(i),
            features={"image": rng.normal(size=(2, 3)).astype(np.float16)},
            sets=("query",) if i % 2 else (),
            answers={"yes": 1 + i},
        )
        for i, item in enumerate(items)
    ]


def seal_as(path: Path, offsets: dict[str, str], count: int = 12) -> None:
    """Seal a changed file, as somebody who knows the seal would: where an item's bytes cannot be found, its sum is of
    nothing."""
    sums = {}
    with h5py.File(path) as file:
        for name, at in offsets.items():
            parts = [sum_of(b"")] * count
            try:
                if file[name].chunks is None:
                    continue
                data, begins = file[name][:], file[at][:]
                parts = [sum_of(data[begins[i] : begins[i + 1]]) for i in range(count)]
            except (ValueError, TypeError, IndexError):
                pass
            except (KeyError, AttributeError, OSError, RuntimeError):  # no such array, or a link to nowhere
                continue
            sums[name] = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, SUM)
    seal(path, sums)
