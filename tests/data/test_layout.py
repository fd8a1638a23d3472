"""What a dataset file must hold: every other form is one line that names the file, also where the seal is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from dataset_files import SEALED, rich, seal_as

from vsebench.core.errors import DataError
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item

Items = Callable[..., list[Item]]
Write = Callable[..., Dataset]


def meta(key: str, value: Any) -> Callable[[h5py.File], None]:
    """Replace something that the file says of itself."""

    def change(file: h5py.File) -> None:
        put(f"meta/{key}", np.frombuffer(value if isinstance(value, bytes) else json.dumps(value).encode(), np.uint8))(
            file
        )

    return change


def put(name: str, values: Any) -> Callable[[h5py.File], None]:
    """Replace an array."""

    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file[name] = values

    return change


def lose(name: str) -> Callable[[h5py.File], None]:
    """Remove an array."""
    return lambda file: file.__delitem__(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose("labels"), "there is no 'labels'"),
        (lose("meta"), "there is no 'meta'"),
        (lose("meta/title"), "'meta/title': field required"),
        (lose("byte_offsets"), "there is no 'byte_offsets'"),
        (lose("features/image/offsets"), "there is no 'features/image/offsets'"),
        (meta("format", 2), "its format is 2, this version reads 1"),
        (meta("format", []), r"its format is \[\], this version reads 1"),
        (meta("label_names", ["cat", 3]), "'meta/label_names/1': input should be a valid string"),
        (meta("multi_label", "no"), "'meta/multi_label': input should be a valid boolean"),
        (meta("relevance", "luck"), "'meta/relevance': input should be 'item', 'group' or 'label'"),
        (meta("fingerprint", "../../x"), "'meta/fingerprint': string should match pattern"),
        (meta("provenance", []), "'meta/provenance': input should be a valid dict"),
        (meta("name", b"{"), "'meta/name' is not JSON"),
        (meta("name", b"[" * 100_000), "'meta/name' is not JSON"),
        (meta("surplus", 1), "'meta/surplus': extra inputs are not permitted"),
        (put("meta", 1), "there is no 'meta'"),
        (put("labels", np.zeros(12)), "'labels' has the type float64"),
        (put("labels", np.zeros((12, 2), np.int64)), r"'labels' has the shape \(12, 2\)"),
        (put("labels", np.zeros(11, np.int64)), "'labels' has 11 rows for 12 items"),
        (put("labels", np.full(12, 2)), "'labels' has numbers that are not of its 2 classes"),
        (put("labels", np.full(12, -1)), "'labels' has numbers that are not of its 2 classes"),
        (put("split", np.full(12, 4, np.int8)), "'split' has numbers that are not from 0 to 3"),
        (put("groups", np.zeros(13, np.int64)), "'groups' has 13 values for 12 items"),
        (put("byte_offsets", np.arange(13) * 7), "'byte_offsets' has offsets that do not divide"),
        (put("byte_offsets", np.zeros(0, np.int64)), "'byte_offsets' has offsets that do not divide"),
        (put("item_texts", np.arange(13)), "'item_texts' has offsets that do not divide 24 values in order"),
        (put("ids", h5py.Empty("u1")), "'ids' has the shape None"),
        (put("ids", np.frombuffer(b"\xff" * 50, np.uint8)), "'ids' has bytes that are not UTF-8"),
        (put("ids", np.frombuffer(b"i" * 50, np.uint8)), "'ids' has the same id twice"),
        (put("texts", "a text"), "'texts' has the type object"),
        (put("landmarks", np.zeros((12, 2, 2), np.float32)), "'landmarks' has the shape"),
        (put("sets", np.zeros(3)), "'sets' is not a group"),
        (put("sets/query", np.array([1, 99])), "'sets/query' has positions that are not of items, in order"),
        (put("sets/query", np.array([3, 1])), "'sets/query' has positions that are not of items, in order"),
        (put("features/image/values", np.zeros((24, 3), "c8")), "'features/image/values' has the type complex64"),
        (put("features/image", 0), "there is no 'features/image/values'"),
        (put("labels", h5py.SoftLink("/groups")), "'labels' has a link to another place"),
        (put("labels", h5py.ExternalLink("/etc/passwd", "/labels")), "'labels' has a link to another place"),
        (put("features", h5py.SoftLink("/meta")), "'features' is not a group"),
    ],
)
def test_another_form_is_refused(
    tmp_path: Path, items: Items, write: Write, change: Callable[[h5py.File], None], message: str
) -> None:
    path = write(tmp_path / "a.h5", rich(items())).path
    with h5py.File(path, "r+") as file:
        change(file)
    for sealed in (True, False):
        if sealed:
            seal_as(path, SEALED)
        with pytest.raises(DataError, match=rf"a\.h5: not a whole vsebench dataset file \({message}") as error:
            Dataset.open(path, sealed=sealed)
        assert "\n" not in str(error.value)


def test_values_elsewhere_and_sizes_that_are_not_there_are_refused(tmp_path: Path, items: Items, write: Write) -> None:
    """Gigabytes that were never written, the bytes of another file, a virtual array."""
    path = write(tmp_path / "a.h5", rich(items())).path
    other = tmp_path / "secret.bin"
    other.write_bytes(bytes(1000))
    for name, options, message in (
        ("groups", {"shape": (1 << 40,), "dtype": np.int64, "chunks": (1 << 10,)}, "bytes, but fewer in the file"),
        (
            "groups",
            {"shape": (12,), "dtype": np.int64, "external": [(str(other), 0, 96)]},
            "its values in another file",
        ),
    ):
        with h5py.File(path, "r+") as file:
            del file[name]
            file.create_dataset(name, **options)
        with pytest.raises(DataError, match=message):
            Dataset.open(path, sealed=False)
    with h5py.File(path, "r+") as file:
        del file["groups"]
        layout = h5py.VirtualLayout((12,), np.int64)
        layout[:] = h5py.VirtualSource(str(tmp_path / "b.h5"), "groups", (12,))
        file.create_virtual_dataset("groups", layout)
    with pytest.raises(DataError, match="its values in another file"):
        Dataset.open(path, sealed=False)


def test_items_of_another_form_are_refused_when_they_are_read(tmp_path: Path, items: Items, write: Write) -> None:
    path = write(tmp_path / "a.h5", rich(items())).path
    with h5py.File(path, "r+") as file:
        for name in ("attributes", "answers", "texts"):
            file[name][:] = 255
    seal_as(path, SEALED)
    dataset = Dataset.open(path)
    with pytest.raises(DataError, match="a.h5: item 'id-2': its attributes are not JSON"):
        dataset.attributes(2)
    with pytest.raises(DataError, match="a.h5: item 'id-2': its answers are not JSON"):
        dataset.answers(np.array([2, 3]))
    for read in (lambda: dataset.texts(0), dataset.all_texts):
        with pytest.raises(DataError, match="a.h5: its texts are not UTF-8"):
            read()
