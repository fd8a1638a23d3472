"""Writing a dataset file: the fingerprint, what is refused, what an interrupted build leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import python

from vsebench.core.errors import DataError
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter


def test_fingerprint_is_of_the_content(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    items: Callable[..., list[Item]],
    write: Callable[..., Dataset],
    png: Callable[..., bytes],
) -> None:
    import vsebench.data.streams as streams

    first = write(tmp_path / "a.h5", items()).fingerprint
    assert write(tmp_path / "b.h5", items()).fingerprint == first
    monkeypatch.setattr(streams, "CHUNK", 1 << 10)
    monkeypatch.setattr(streams, "FLUSH", 1 << 9)
    assert write(tmp_path / "c.h5", items()).fingerprint == first
    changes = [{"texts": ("other",)}, {"image": png(99)}, {"label": "dog"}, {"split": "test"}, {"group": "new"}]
    for change in (*changes, {"answers": {"yes": 2}}):
        assert write(tmp_path / "d.h5", items(change)).fingerprint != first, change


def test_multi_label(tmp_path: Path, write: Callable[..., Dataset], png: Callable[..., bytes]) -> None:
    content = [Item(str(i), png(i), ("a",), ("x", "y")[: 1 + i % 2], split="train") for i in range(4)]
    dataset = write(tmp_path / "a.h5", content, multi_label=True)
    assert dataset.labels.tolist() == [[1, 0], [1, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"id": "id-1"}, "1 ids stand twice"),
        ({"split": "tset"}, "unknown splits"),
        ({"split": None}, "1 of 12 items have no split"),
    ],
)
def test_the_writer_refuses(
    tmp_path: Path, change: dict[str, Any], text: str, items: Callable[..., list[Item]], write: Callable[..., Dataset]
) -> None:
    with pytest.raises(DataError, match=text):
        write(tmp_path / "a.h5", items(change))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_an_interrupted_build(tmp_path: Path, items: Callable[..., list[Item]]) -> None:
    with pytest.raises(KeyboardInterrupt), DatasetWriter(tmp_path / "a.h5", name="a", title="A") as writer:
        writer.add(items()[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
with DatasetWriter(Path({str(tmp_path)!r}) / "a.h5", name="a", title="A") as writer:
    for i in range(100):
        writer.add(Item(str(i), b"x" * 1000, ("t",), "cat"))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert python(script).returncode == -signal.SIGKILL
    assert not (tmp_path / "a.h5").exists()


def test_a_full_disk_leaves_nothing_and_brings_nothing_down(tmp_path: Path) -> None:
    """HDF5 crashed when it could not write what it held. Noticed while items are added, and only at the end; the
    process writes another file afterwards, and ends in the usual way."""
    script = f"""
import os, resource
from pathlib import Path
import numpy as np
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.core.errors import DiskError
file = Path({str(tmp_path)!r}) / "a.h5"
def build():
    with DatasetWriter(file, name="a", title="A") as writer:
        for i in range(45):
            features = {{"image": np.ones((4, 8), np.float16)}}
            writer.add(Item(str(i), os.urandom(200_000), ("t",) * 9, ("cat", "dog")[i % 2], features=features))
build()
size = file.stat().st_size
file.unlink()
for limit in (1_000, 5_000, 1_000_000, 8_500_000, size - 300_000, size - 20_000, size - 10):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        build()
    except DiskError as error:
        assert str(error).startswith(f"{{file}}: the file would be larger than"), error
        assert "\\n" not in str(error)
    else:
        raise SystemExit(f"{{limit}} was enough")
    assert not list(file.parent.iterdir()), limit
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
build()
assert len(Dataset.open(file)) == 45
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_splits_by_rule_are_made_where_items_have_none(tmp_path: Path, write: Callable[..., Dataset]) -> None:
    content = [Item(str(i), None, ("t",), ("cat", "dog")[i % 2], group=str(i // 4)) for i in range(80)]
    dataset = write(tmp_path / "a.h5", content, seed=3)
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 64, "val": 8, "test": 8}
    assert dataset.provenance["split_rule"] == "80/10/10 train/val/test, stratified, whole groups, seed 3"
    assert check(dataset) == []
    assert write(tmp_path / "b.h5", content, seed=4).fingerprint != dataset.fingerprint


def test_items_are_written_as_they_come(tmp_path: Path, write: Callable[..., Dataset]) -> None:
    """Memory holds offsets and labels, not images: the peak stays under half of the 64 MB of images."""
    tracemalloc.start()
    with DatasetWriter(tmp_path / "a.h5", name="a", title="A") as writer:
        for i in range(256):
            writer.add(Item(str(i), bytes(1 << 18), ("t",), ("cat", "dog")[i % 2]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
