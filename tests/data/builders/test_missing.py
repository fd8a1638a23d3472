"""Cells without a value, and cells of other types, mean the same in CSV, JSON lines, Parquet and tables of the hub."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from builder_layouts import picture, put

from vsebench.core.errors import DataError
from vsebench.data.builders._cells import Cells, Labels
from vsebench.data.dataset import Dataset

Build = Callable[..., Dataset]
NAN = math.nan


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def lay_out(root: Path, form: str, **columns: list[Any]) -> tuple[str, Path]:
    """Twenty rows with a picture, a text and a label, or what ``columns`` say. Returns: builder and folder."""
    cells: dict[str, list[Any]] = {"text": [f"caption {n}" for n in range(20)], "label": ["a", "b"] * 10, **columns}
    if form == "parquet":
        cells["image"] = [{"bytes": picture(n), "path": None} for n in range(20)]
        (root).mkdir(parents=True)
        table = datasets.Dataset.from_dict(cells).cast_column("image", datasets.Image())
        table.to_parquet(root / "train.parquet")
        return "hub", root
    for n in range(20):
        put(root / f"{n}.jpg", picture(n))
    rows = [{"file_name": f"{n}.jpg", **{name: values[n] for name, values in cells.items()}} for n in range(20)]
    if form == "jsonl":
        put(root / "metadata.jsonl", "\n".join(json.dumps(row) for row in rows))
    else:
        with (root / "metadata.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return "folder", root


def at_three(values: list[Any], value: Any) -> list[Any]:
    return [*values[:3], value, *values[4:]]


TEXTS = [f"caption {n}" for n in range(20)]
AB = ["a", "b"] * 10


@pytest.mark.parametrize("column", ["text", "label"])
@pytest.mark.parametrize(
    ("form", "value"),
    [
        *[("csv", v) for v in ("", " ", "nan", "NaN", "NULL", "null", "N/A", "<NA>", "None", "NA", None, NAN)],
        *[("jsonl", v) for v in ("", "nan", "null", None, NAN)],
        *[("parquet", v) for v in ("", "nan", "NULL", None)],
    ],
)
def test_a_missing_value_is_named(column: str, form: str, value: Any, build: Build, tmp_path: Path) -> None:
    whole = TEXTS if column == "text" else AB
    builder, root = lay_out(tmp_path / "in", form, **{column: at_three(whole, value)})
    with pytest.raises(DataError) as caught:
        build(builder, root)
    assert len(caught.value.problems) == 1
    assert f"empty {column}" in caught.value.problems[0]
    assert " 3 " in caught.value.problems[0] or f"row {4 if form == 'jsonl' else 5}" in caught.value.problems[0]
    dataset = build(builder, root, skip_bad=True)
    assert len(dataset) == 19
    assert dataset.label_names == ["a", "b"]


def test_a_missing_number_in_a_column_of_numbers(build: Build, tmp_path: Path) -> None:
    """Such a column becomes one of fractions: 0.0, 1.0 and NaN are the classes 0 and 1, and no label."""
    for form in ("csv", "jsonl", "parquet"):
        builder, root = lay_out(tmp_path / form, form, label=at_three([0.0, 1.0] * 10, NAN))
        with pytest.raises(DataError, match="empty label"):
            build(builder, root)
        assert build(builder, root, skip_bad=True).label_names == ["0", "1"]


def test_missing_values_can_be_named(build: Build, tmp_path: Path) -> None:
    builder, root = lay_out(tmp_path / "in", "csv", label=["NA", "DE"] * 10)
    with pytest.raises(DataError, match="'NA' stands for no value; where it is a class, give --missing-values="):
        build(builder, root)
    assert build(builder, root, missing_values="").label_names == ["DE", "NA"]
    with pytest.raises(DataError, match="10 bad rows"):
        build(builder, root, missing_values="-,DE")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([-1, 0, 1, 0], ["-1", "0", "1"]),
        ([-1, 1, 1, -1], ["-1", "1"]),
        ([-2, -1, 0, 1], ["-1", "-2", "0", "1"]),
        ([-1, 0, 1, 2], None),
        ([-1, 1, 2, 3], None),
        ([-1, 0, 0, 0], None),
    ],
)
def test_minus_one(form: str, values: list[int], classes: list[str] | None, build: Build, tmp_path: Path) -> None:
    builder, root = lay_out(tmp_path / "in", form, label=values * 5)
    if classes is not None:
        dataset = build(builder, root)
        assert dataset.label_names == classes
        assert any(note.startswith("the label -1 is a class") for note in dataset.provenance["notes"])
    else:
        with pytest.raises(DataError, match="no label"):
            build(builder, root)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_booleans_are_two_classes(form: str, build: Build, tmp_path: Path) -> None:
    builder, root = lay_out(tmp_path / "in", form, label=[True, False] * 10)
    dataset = build(builder, root)
    assert dataset.label_names == ["False", "True"]
    assert dataset.labels[:4].tolist() == [1, 0, 1, 0]


def test_whole_numbers_are_one_class_however_they_are_written(build: Build, tmp_path: Path) -> None:
    builder, root = lay_out(tmp_path / "in", "jsonl", label=[1, 1.0, "1", "1.0", 2] * 4)
    assert build(builder, root).label_names == ["1", "2"]
    builder, root = lay_out(tmp_path / "codes", "csv", label=["007", "7"] * 10)
    assert build(builder, root).label_names == ["007", "7"], "a code is no number"


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (
            "label",
            {"name": "a"},
            "the label is a table of names and values, not the name or number of a class",
        ),
        ("text", {"raw": "x"}, "the text is a table of names and values, not text: {'raw': 'x'}"),
        ("label", [["a"]], "the label is a list, not the name or number of a class"),
        ("label", math.inf, "the label is inf"),
    ],
)
def test_what_is_no_text_is_not_made_one(column: str, value: Any, text: str, build: Build, tmp_path: Path) -> None:
    whole = TEXTS if column == "text" else AB
    builder, root = lay_out(tmp_path / "in", "jsonl", **{column: at_three(whole, value)})
    with pytest.raises(DataError) as caught:
        build(builder, root)
    assert text in str(caught.value)


def test_tables_in_parquet_are_not_made_text(build: Build, tmp_path: Path) -> None:
    builder, root = lay_out(tmp_path / "in", "parquet", text=[{"raw": f"x {n}"} for n in range(20)])
    with pytest.raises(DataError, match="the text is a table of names and values"):
        build(builder, root)
    builder, root = lay_out(tmp_path / "two", "parquet", label=[{"raw": "ab"[n % 2]} for n in range(20)])
    with pytest.raises(DataError, match="the label is a table of names and values"):
        build(builder, root)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_single_class_is_refused(form: str, build: Build, tmp_path: Path) -> None:
    builder, root = lay_out(tmp_path / "in", form, label=["a"] * 20)
    with pytest.raises(DataError, match=r"the file has a single class \('a'\).* --label-column="):
        build(builder, root)
    assert build(builder, root, label_column="").num_classes == 0


def test_missing_groups_make_no_group(build: Build, tmp_path: Path) -> None:
    for form in ("csv", "jsonl", "parquet"):
        builder, root = lay_out(tmp_path / form, form, group=[7.0, 7.0, *[NAN] * 18])
        dataset = build(builder, root, group_column="group")
        assert len(set(dataset.groups.tolist())) == 19, form


def test_what_is_said_of_a_label_column() -> None:
    def notes(values: list[Any]) -> list[str]:
        return Labels(Cells(), values).notes

    assert notes(["a", "b"] * 20) == []
    (message,) = notes([0.25, 0.5, 1.0, None] * 10)
    assert message.startswith("2 labels are numbers with fractions, such as 0.25")
    (message,) = notes(list(range(40)))
    assert message == "40 classes in 40 rows: nearly every row has a label of its own"
    (message,) = notes(["Cat", "cat", "true", "dog"] * 10)
    assert message == "1 labels are written in several ways, each of which is a class: 'Cat', 'cat'"


def test_multi_label_cells(build: Build, tmp_path: Path) -> None:
    values = [["a"], ["b"], ["a", "b"], ["a", None]] + [["a"], ["b"]] * 8
    builder, root = lay_out(tmp_path / "in", "jsonl", label=values)
    with pytest.raises(DataError, match=r"row 4 .*: empty label"):
        build(builder, root)
    builder, root = lay_out(tmp_path / "csv", "csv", label=["a|b", "a", "nan", "b"] * 5)
    with pytest.raises(DataError, match="5 bad rows"):
        build(builder, root, label_separator="|")
