"""Small datasets that the tests of the data folder share."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter


def _png(seed: int, size: tuple[int, int] = (16, 16)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _items(first: dict[str, Any] | None = None, n: int = 12) -> list[Item]:
    content = [
        Item(
            f"id-{i}",
            _png(i),
            tuple(f"text {i} number {t} ünï 红" for t in range(1 + i % 3)),
            ("cat", "dog")[i % 2],
            split=("train", "train", "val", "test")[(i // 2) % 4],
            group=f"g{i // 2}",
            landmarks=np.array([[i, 1, 1], [2, 3, 0]], np.float32),
            boxes=np.arange(4 * (i % 2), dtype=np.float32).reshape(-1, 4),
            attributes={"colour": "red", "n": str(i)},
        )
        for i in range(n)
    ]
    content[0] = replace(content[0], **(first or {}))
    return content


def _write(path: Path, content: list[Item], **options: Any) -> Dataset:
    with DatasetWriter(path, name="demo", title="Demo", **options) as writer:
        for item in content:
            writer.add(item)
    return Dataset.open(path)


@pytest.fixture
def png() -> Callable[..., bytes]:
    """A PNG of noise, by seed."""
    return _png


@pytest.fixture
def items() -> Callable[..., list[Item]]:
    """Twelve items with everything that an item can have; fields of the first can be changed."""
    return _items


@pytest.fixture
def write() -> Callable[..., Dataset]:
    """Writes items to a path and opens the file."""
    return _write
