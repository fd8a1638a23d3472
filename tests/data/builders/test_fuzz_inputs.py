"""Metadata tables, JSON files and arrays that are damaged in every way: one clear error, or a sound dataset.

Cells, columns and bytes of CSV, JSON lines and Parquet are changed, values of the official JSON files, and arrays.
``VSEBENCH_FUZZ=2000`` tries that many of each instead of a few.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import scipy.io
from builder_layouts import LAYOUTS, OPTIONS, picture, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vsebench.core.errors import VsebenchError
from vsebench.core.registry import DATASETS
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

EXAMPLES = int(os.environ.get("VSEBENCH_FUZZ", "12"))
SLOWEST_S = 60  # of one input: more is a hang, whatever else the machine does
ROWS = 24
#: What no builder may store as a text or as the name of a class: a missing value or a table made text.
NEVER = ("", "nan", "NaN", "null", "NULL", "None", "<NA>")
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 2**70, 1.0, 0.5, math.nan, math.inf, -math.inf),
    *("", " ", "nan", "NULL", "None", "NA", "-1", "1.0", "0.jpg", "../secret.jpg", "/etc/passwd", "a\0b", "a\nb"),
    *('"', "'", ",", ";", "\t", "|", "\u2028", "\u202e", "é", "\U0001f600", "\ud800", "x" * 5000),
    *([], [None], ["a", "b"], [[]], {}, {"a": 1}, {"bytes": None, "path": "/etc/passwd"}, [1, "a"], "train", "Test "),
)
PIECES = (
    *(b"", b",", b";", b'"', b"\n", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"{", b"}", b"[", b"]"),
    *(b"null", b"NaN", b"1e999", b"-1", b'"a": 1, ', b"[" * 3000, b"\\ud800", b"9" * 400, b"PAR1"),
)
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def cut_bytes(draw: Callable[..., Any]) -> Callable[[bytes], bytes]:
    """A function that changes a file's bytes in one to three places; half of the time none."""
    changes = draw(
        st.one_of(
            st.just([]),
            st.lists(
                st.tuples(st.floats(0, 1), st.sampled_from(["cut", "insert", "drop", "flip", "twice"]), st.integers(0)),
                min_size=1,
                max_size=3,
            ),
        )
    )
    pieces = draw(st.lists(st.sampled_from(PIECES), min_size=3, max_size=3))

    def change(data: bytes) -> bytes:
        for (where, kind, number), piece in zip(changes, pieces, strict=False):
            at = int(where * len(data))
            span = 1 + number % 40
            if kind == "cut":
                data = data[:at]
            elif kind == "insert":
                data = data[:at] + piece + data[at:]
            elif kind == "drop":
                data = data[:at] + data[at + span :]
            elif kind == "twice":
                data = data[: at + span] + data[at:]
            elif data:
                at = min(at, len(data) - 1)
                data = data[:at] + bytes([data[at] ^ (1 << number % 8)]) + data[at + 1 :]
        return data

    return change


@st.composite
def tables(draw: Callable[..., Any]) -> dict[str, list[Any]]:
    """Columns of a table with values of other kinds in some cells, columns gone, renamed or moved."""
    columns: dict[str, list[Any]] = {
        "file_name": [f"{n}.jpg" for n in range(ROWS)],
        "text": [f"caption {n}" for n in range(ROWS)],
        "label": ["a", "b"] * (ROWS // 2),
        "split": ["train"] * 12 + ["val"] * 6 + ["test"] * 6,
    }
    names = list(columns)
    for _ in range(draw(st.integers(0, 4))):
        column, row = draw(st.sampled_from(names)), draw(st.integers(0, ROWS - 1))
        columns[column][row] = draw(st.sampled_from(VALUES))
    if draw(st.integers(0, 5)) == 0:
        column, value = draw(st.sampled_from(names)), draw(st.sampled_from(VALUES))
        columns[column] = [value] * ROWS
    if draw(st.integers(0, 5)) == 0:
        old = draw(st.sampled_from(names))
        new = draw(st.sampled_from(["Split", "set", "Text", "", " label", "caption_0", "x", "fold", "path\n"]))
        columns = {new if name == old else name: values for name, values in columns.items()}
    if draw(st.integers(0, 5)) == 0:
        columns.pop(draw(st.sampled_from(names)), None)
    return columns


def as_csv(columns: dict[str, list[Any]]) -> bytes:
    """The table as a .csv file."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(["" if isinstance(cell, list | dict) else cell for cell in row])
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def as_lines(columns: dict[str, list[Any]]) -> bytes:
    """The table as a .jsonl file."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(map(json.dumps, rows)).encode()


def as_parquet(columns: dict[str, list[Any]]) -> bytes:
    """The table as a .parquet file with its images in it; cells that do not fit their column's kind are left out."""
    cells: dict[str, Any] = {}
    for name, values in columns.items():
        if name == "file_name":
            values = [
                {"bytes": picture(n), "path": None} if v == f"{n}.jpg" else _image(v) for n, v in enumerate(values)
            ]
        kind = type(next((v for v in values if v is not None), ""))
        fitting = [v if isinstance(v, kind) and _fits(v) else None for v in values]
        try:
            cells["image" if name == "file_name" else name] = pyarrow.array(fitting)
        except (pyarrow.ArrowException, OverflowError, UnicodeError):
            cells[name] = pyarrow.array([None] * ROWS, pyarrow.string())
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(cells), buffer)
    return buffer.getvalue()


def _image(value: Any) -> dict[str, Any]:
    return {"bytes": None, "path": value if isinstance(value, str) and _fits(value) else None}


def _fits(value: Any) -> bool:
    """Whether Parquet can hold a value: no half of a surrogate pair, no table without columns."""
    return value != {} and (not isinstance(value, str) or "\ud800" not in value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the pictures of the rows, and one outside of it; the cache of ``datasets`` lies beside."""
    root = tmp_path_factory.mktemp("fuzz")
    put(root / "secret.jpg", picture(99))
    for n in range(ROWS):
        put(root / f"source/{n}.jpg", picture(n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", root / "hf")
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        yield root


def build(name: str, source: Path, out: Path, **options: Any) -> Dataset | None:
    """The dataset, or None where the builder refuses the source in words."""
    start, refused = time.monotonic(), None
    try:
        DATASETS.get(name).build({"source": str(source), **options}, out=out, progress=lambda done, total: None)
    except VsebenchError as error:
        refused = str(error)
    assert time.monotonic() - start < SLOWEST_S
    assert not list(out.parent.glob(f".{out.name}*"))
    if refused is None:
        return Dataset.open(out)
    assert refused.strip()
    assert not out.exists(), "a half file under the final name"
    return None


def look_at(dataset: Dataset, rows: int) -> None:
    """A dataset that was built holds nothing that stands for no value, nothing from outside, and no row twice."""
    assert [p for p in check(dataset) if "split" not in p and "groups are in" not in p] == []
    assert 0 < len(dataset) <= rows
    assert len(set(dataset.ids)) == len(dataset)
    assert picture(99) not in [dataset.image_bytes(i) for i in range(len(dataset))]
    texts = [text for texts in dataset.all_texts() for text in texts]
    for message in (*texts, *dataset.label_names):
        assert message.strip() not in NEVER
        assert not message.startswith(("{'", "[None", "[{", "b'"))
    if dataset.num_classes and not dataset.multi_label:
        assert len(np.unique(dataset.labels)) > 1


@FUZZ
@given(tables(), st.sampled_from(["csv", "jsonl", "parquet"]), cut_bytes(), st.booleans())
def test_tables(
    folder: Path, columns: dict[str, list[Any]], form: str, change: Callable[[bytes], bytes], skip_bad: bool
) -> None:
    write = {"csv": as_csv, "jsonl": as_lines, "parquet": as_parquet}[form]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        source = folder / "source"
        if form == "parquet":
            source = Path(place) / "table"
        file = source / ("train.parquet" if form == "parquet" else f"metadata.{form}")
        put(file, change(write(columns)))
        try:
            name = "hub" if form == "parquet" else "folder"
            dataset = build(name, source, Path(place) / "x.h5", skip_bad=skip_bad)
            if dataset is not None:
                look_at(dataset, ROWS + 50 if form == "csv" else ROWS + 1)
                dataset.close()
        finally:
            file.unlink()
            shutil.rmtree(folder / "hf", ignore_errors=True)


#: builder -> JSON files of its layout that are changed.
JSON_FILES = {
    "flickr30k": ("dataset_flickr30k.json",),
    "coco": ("dataset_coco.json", "annotations/instances_val2014.json"),
    "vqa": ("v2_OpenEnded_mscoco_train2014_questions.json", "v2_mscoco_val2014_annotations.json"),
    "visual_genome": ("region_descriptions.json", "objects.json", "image_data.json", "relationships.json"),
    "deepfashion_multimodal": ("captions.json",),
}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Miniatures of the official layouts."""
    root = tmp_path_factory.mktemp("layouts")
    for name in (*JSON_FILES, "mirflickr25k", "wikipedia", "av_digits"):
        LAYOUTS[name](root / name)
    return {name: root / name for name in (*JSON_FILES, "mirflickr25k", "wikipedia", "av_digits")}


def places_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values in a JSON document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places_of(inner, (*path, key))


def changed(document: Any, changes: list[tuple[float, str, Any]]) -> Any:
    """The document with values replaced, taken away or given twice."""
    document = copy.deepcopy(document)
    for where, kind, value in changes:
        paths = list(places_of(document))
        if not paths:
            return document
        *outer, last = paths[min(int(where * len(paths)), len(paths) - 1)]
        holder = document
        for key in outer:
            holder = holder[key]
        if kind == "take":
            del holder[last]
        elif kind == "twice" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        else:
            holder[last] = copy.deepcopy(value)
    return document


CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["put", "take", "twice"]), st.sampled_from(VALUES)), max_size=3
)


@FUZZ
@given(st.sampled_from(sorted(JSON_FILES)), st.integers(0), CHANGES, cut_bytes(), st.booleans())
def test_json(
    layouts: dict[str, Path],
    name: str,
    which: int,
    changes: list[tuple[float, str, Any]],
    change: Callable[[bytes], bytes],
    skip_bad: bool,
) -> None:
    names = JSON_FILES[name]
    file = layouts[name] / names[which % len(names)]
    whole = file.read_bytes()
    options = {"labels": "instances"} if name == "coco" else OPTIONS.get(name, {})
    with tempfile.TemporaryDirectory(dir=layouts[name]) as place:
        try:
            file.write_bytes(change(json.dumps(changed(json.loads(whole), changes)).encode()))
            dataset = build(name, layouts[name], Path(place) / "x.h5", skip_bad=skip_bad, **options)
            if dataset is not None:
                assert [p for p in check(dataset) if "split" not in p and "groups are in" not in p] == []
                dataset.close()
        finally:
            file.write_bytes(whole)


@st.composite
def arrays(draw: Callable[..., Any]) -> np.ndarray:
    """An array of fifty rows, often with something wrong: NaN, another type, shape or size."""
    kind = draw(st.sampled_from(["f4", "f8", "f2", "i8", "u1", "b1", "c8", "U3", "S3"]))
    shape = draw(st.sampled_from([(50, 4), (50, 3, 4), (50,), (49, 4), (0, 4), (50, 0), (4, 50), (1, 50, 4), ()]))
    values: np.ndarray = np.ones(shape).astype(kind)
    if values.size and draw(st.booleans()):
        with np.errstate(all="ignore"):
            at = draw(st.integers(0, values.size - 1))
            odd = [math.nan, math.inf, 0] if kind[0] in "fc" else [0, 1, 7]
            values.reshape(-1)[at] = draw(st.sampled_from(odd))
    return values


def write_array(file: Path, values: np.ndarray) -> None:
    """An array as the file's suffix says."""
    if file.suffix == ".npy":
        np.save(file, values)
    elif file.suffix == ".npz":
        np.savez(file, features=values)
    elif file.suffix == ".mat":
        scipy.io.savemat(file, {"features": values})
    elif file.suffix == ".h5":
        with h5py.File(file, "w") as opened:
            opened["features"] = values.astype("S3") if values.dtype.kind == "U" else values
    else:
        file.write_bytes(repr(values.tolist()).encode())


@FUZZ
@given(
    st.fixed_dictionaries({what: arrays() for what in ("image", "text", "labels")}),
    st.sampled_from([".npy", ".npz", ".mat", ".txt"]),
    st.sampled_from(["image", "text", "labels"]),
    cut_bytes(),
)
def test_arrays_of_hashing(
    layouts: dict[str, Path],
    values: dict[str, np.ndarray],
    suffix: str,
    damaged: str,
    change: Callable[[bytes], bytes],
) -> None:
    whole = {
        "image": np.ones((50, 4), np.float32),
        "text": np.ones((50, 6), np.float32),
        "labels": np.ones((50, 24), np.uint8),
    }
    root = layouts["mirflickr25k"]
    with tempfile.TemporaryDirectory(dir=root) as place:
        for what, array in whole.items():
            write_array(Path(place) / f"{what}{suffix}", values[what] if what == damaged else array)
        file = Path(place) / f"{damaged}{suffix}"
        file.write_bytes(change(file.read_bytes()))
        options = {
            "image_features": str(Path(place) / f"image{suffix}"),
            "text_features": str(Path(place) / f"text{suffix}"),
            "labels_file": str(Path(place) / f"labels{suffix}"),
        }
        dataset = build("mirflickr25k", root, Path(place) / "x.h5", **OPTIONS["mirflickr25k"], **options)
        if dataset is not None:
            assert [p for p in check(dataset) if "split" not in p] == []
            assert all(np.isfinite(dataset.item_features(m, i)).all() for m in ("image", "text") for i in range(5))
            dataset.close()


@FUZZ
@given(arrays(), st.sampled_from([".npy", ".npz", ".mat", ".h5"]), cut_bytes())
def test_features_of_captions(
    layouts: dict[str, Path], values: np.ndarray, suffix: str, change: Callable[[bytes], bytes]
) -> None:
    root = layouts["flickr30k"]
    with tempfile.TemporaryDirectory(dir=root) as place:
        file = Path(place) / f"features{suffix}"
        write_array(file, values)
        file.write_bytes(change(file.read_bytes()))
        dataset = build("flickr30k", root, Path(place) / "x.h5", features=str(file), images=False)
        if dataset is not None:
            assert [p for p in check(dataset) if "split" not in p] == []
            dataset.close()


@FUZZ
@given(st.sampled_from(["wikipedia", "av_digits"]), st.integers(0), cut_bytes())
def test_files_of_arrays(layouts: dict[str, Path], name: str, which: int, change: Callable[[bytes], bytes]) -> None:
    files = sorted(f for f in layouts[name].iterdir() if f.is_file())
    file = files[which % len(files)]
    whole = file.read_bytes()
    with tempfile.TemporaryDirectory(dir=layouts[name]) as place:
        try:
            file.write_bytes(change(whole))
            dataset = build(name, layouts[name], Path(place) / "x.h5", skip_bad=True)
            if dataset is not None:
                assert [p for p in check(dataset) if "split" not in p] == []
                dataset.close()
        finally:
            file.write_bytes(whole)
