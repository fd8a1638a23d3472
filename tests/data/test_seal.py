"""A dataset file that is not what was built is never read: tables at opening, items when they are read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from dataset_files import rich

from vsebench.cli.data import check as check_command
from vsebench.core.errors import DataError
from vsebench.data.check import CHANGED, check, seal_again
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.open import embedded_file, open_dataset, quiet
from vsebench.data.seal import END, SIGNATURE, has_seal

Items = Callable[..., list[Item]]
Write = Callable[..., Dataset]


@pytest.fixture
def file(tmp_path: Path, items: Items, write: Write) -> Path:
    """A dataset file with everything."""
    write(tmp_path / "a.h5", rich(items())).close()
    return tmp_path / "a.h5"


def in_place(path: Path, before: bytes, after: bytes) -> None:
    """Change bytes of a file without anybody's knowledge."""
    data = path.read_bytes()
    assert data.count(before), before
    path.write_bytes(data.replace(before, after))


def halves(labels: np.ndarray) -> np.ndarray:
    """Other classes for half of the items."""
    return np.where(np.arange(len(labels)) % 2, labels, 1 - labels)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", halves),
        ("split", lambda v: v[::-1]),
        ("texts", lambda v: np.where(v == ord("t"), ord("b"), v)),
        ("groups", lambda v: v * 0),
        ("ids", lambda v: np.where(v == ord("d"), ord("x"), v)),
        ("answers", lambda v: np.where(v == ord("1"), ord("2"), v)),
        ("attributes", lambda v: np.where(v == ord("r"), ord("t"), v)),
        ("boxes", lambda v: v[::-1]),
        ("landmarks", lambda v: v + 1),
        ("byte_offsets", lambda v: np.concatenate([[0], v[1:-1] - 1, v[-1:]])),
        ("sets/query", lambda v: v - 1),
        ("features/image/offsets", lambda v: v // 2 * 2),
    ],
)
def test_changed_tables_are_not_read(file: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """By h5py, which cuts the seal off, and byte by byte, which leaves it there."""
    whole = file.read_bytes()
    with h5py.File(file) as content:
        before = content[name][:]
        places = [content[name].id.get_offset()] if content[name].chunks is None else []
        content[name].id.chunk_iter(lambda info: places.append(info.byte_offset)) if not places else None
    after = np.asarray(change(before)).astype(before.dtype)
    if name not in ("features/image/offsets",):
        assert not np.array_equal(before, after)
        changed = bytearray(whole)
        changed[places[0] : places[0] + before.nbytes] = after.tobytes()
        file.write_bytes(changed)
        with pytest.raises(
            DataError, match=r"a\.h5: its tables \(labels, splits, texts, ids\) are not those that were"
        ):
            Dataset.open(file)
    file.write_bytes(whole)
    with h5py.File(file, "r+") as content:
        content[name][...] = after
    with pytest.raises(DataError, match=r"a\.h5: has no seal: .*'vsebench data check'"):
        Dataset.open(file)


def test_what_was_not_changed_is_read(file: Path) -> None:
    dataset = Dataset.open(file)
    assert dataset.is_sealed
    assert check(dataset) == []
    assert dataset.payloads == ["bytes", "audio", "features/image/values"]
    copy = file.with_name("copy.h5")
    shutil.copyfile(file, copy)
    assert Dataset.open(copy).fingerprint == dataset.fingerprint


@pytest.mark.parametrize(
    ("name", "noun"), [("bytes", "image"), ("audio", "sound"), ("features/image/values", "features")]
)
def test_a_changed_item_is_noticed_when_it_is_read(file: Path, name: str, noun: str) -> None:
    with h5py.File(file) as content:
        places: list[int] = []
        content[name].id.chunk_iter(lambda info: places.append(info.byte_offset))
        offsets = {"bytes": "byte_offsets", "audio": "audio_offsets"}.get(name, "features/image/offsets")
        at = places[0] + int(content[offsets][5]) * (6 if noun == "features" else 1) + 3
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    dataset = Dataset.open(file)
    read: dict[str, Callable[[int], Any]] = {
        "image": dataset.image_bytes,
        "sound": dataset.audio_bytes,
        "features": lambda i: dataset.item_features("image", i),
    }
    for i in (0, 4, 6, 11):
        read[noun](i)
    with pytest.raises(DataError, match=f"a.h5: item 'id-5': its {noun} in the file is not what was built"):
        read[noun](5)
    if noun == "features":
        with pytest.raises(DataError, match="id-5"):
            dataset.features("image", np.array([7, 5, 0]))
        with pytest.raises(DataError, match="id-5"):
            dataset.features("image", np.arange(12))
    problems = check(dataset)
    assert len(problems) == 2
    assert problems[0].startswith(f"item 'id-5': its {noun}")
    assert problems[1] == CHANGED


def test_every_byte_outside_the_items_is_sealed(file: Path) -> None:
    """HDF5's own structure too: damage there can bring h5py down, so the seal is looked at first."""
    whole = file.read_bytes()
    with h5py.File(file) as content:
        items: list[range] = []
        for name in ("bytes", "audio", "features/image/values"):
            content[name].id.chunk_iter(lambda i: items.append(range(i.byte_offset, i.byte_offset + i.size)))
    for at in np.random.default_rng(0).integers(0, len(whole), 300).tolist():
        if any(at in place for place in items):
            continue
        data = bytearray(whole)
        data[at] ^= 0x55
        file.write_bytes(data)
        with pytest.raises(DataError, match=r"^[^\n]*a\.h5: [^\n]*$"):
            Dataset.open(file)


def test_a_file_without_seal_is_sealed_by_check(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the first release wrote it; what was changed since is not."""
    end = END.unpack(file.read_bytes()[-END.size :])
    assert end[3] == SIGNATURE
    old = file.read_bytes()[: -END.size - end[2]]
    file.write_bytes(old)
    with pytest.raises(DataError, match="has no seal: it was built by an earlier version"):
        Dataset.open(file)
    assert check_command(str(file)) == 0
    assert "is sealed now" in capsys.readouterr().out
    assert check(Dataset.open(file)) == []
    file.write_bytes(old)
    in_place(file, b"text 3 number", b"text 4 number")
    assert check_command(str(file)) == 1
    assert CHANGED in capsys.readouterr().out
    assert not has_seal(file)


def test_a_seal_of_another_file_is_refused(file: Path, tmp_path: Path, items: Items, write: Write) -> None:
    other = write(tmp_path / "b.h5", rich(items(n=6))).path
    data = file.read_bytes()
    length = END.unpack(other.read_bytes()[-END.size :])[2]
    tail = other.read_bytes()[-END.size - length :]
    file.write_bytes(data[: -END.size - END.unpack(data[-END.size :])[2]] + tail)
    with pytest.raises(DataError, match=r"a\.h5: its (seal is damaged|tables .* are not those)"):
        Dataset.open(file)
    before = other.read_bytes()
    seal_again(Dataset.open(other))
    assert other.read_bytes() == before, "sealing twice is sealing once"


def test_tables_are_compared_once_in_a_process(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Dataset.open(file)
    import vsebench.data.seal as seals

    monkeypatch.setattr(seals, "_digest_outside", lambda *_: pytest.fail("read again"))
    Dataset.open(file)


def test_an_embedded_dataset_that_is_damaged_is_generated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))
    messages: list[str] = []
    options = {"edition": "single", "items": 40, "image_size": 32}
    path = embedded_file("mmfrb", options, quiet, messages.append)
    before = Dataset.open(path).fingerprint
    stamp = os.stat(path)
    embedded_file("mmfrb", options, quiet, messages.append)
    assert os.stat(path).st_mtime_ns == stamp.st_mtime_ns
    with h5py.File(path, "r+") as content:
        content["labels"][...] = 0
    assert open_dataset({"name": "mmfrb", **options}, say=messages.append).fingerprint == before
    assert len(messages) == 2
    assert messages[1].endswith("whose tables are damaged or of an earlier version")
