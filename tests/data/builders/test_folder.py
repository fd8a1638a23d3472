"""A folder of images: every bad row is named, in one message, with exit code 2."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vsebench.data.dataset import Dataset
from vsebench.errors import DataError
from vsebench.registry import DATASETS

HEADER = ["file_name", "text", "label", "split"]


def picture(seed: int, side: int = 12) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def rows() -> list[list[str]]:
    splits = ["train"] * 4 + ["validation", "val", "test", "testing"]
    return [[f"images/{i}.png", f"caption {i}", ("cat", "dog")[i % 2], splits[i]] for i in range(8)]


def lay_out(folder: Path, table: list[list[str]], header: list[str] = HEADER) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i in range(8):
        (folder / "images" / f"{i}.png").write_bytes(picture(i))
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *table])


def build(folder: Path, **options: Any) -> Dataset:
    out = folder.parent / "out.h5"
    component = DATASETS.get("folder")
    component.build({"source": str(folder), **options}, out=out, progress=lambda done, total: None)
    return Dataset.open(out)


def test_csv(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", rows())
    dataset = build(tmp_path / "in", name="pets", title="Pets")
    assert (dataset.name, dataset.title) == ("pets", "Pets")
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 4, "val": 2, "test": 2}
    assert dataset.image_bytes(0) == picture(0)
    assert dataset.check() == []


def test_jsonl_with_lists_columns_and_splits_by_rule(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    lay_out(folder, rows())
    (folder / "metadata.csv").unlink()
    lines = [
        {"pic": f"images/{i}.png", "said": [f"one {i}", "two"], "tags": ["a", "b"][: 1 + i % 2], "item": i // 2}
        for i in range(8)
    ]
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    options = {"image_column": "pic", "text_column": "said", "label_column": "tags", "group_column": "item"}
    dataset = build(folder, **options)
    assert dataset.multi_label
    assert dataset.texts(3) == ["one 3", "two"]
    assert dataset.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    for split in dataset.splits.values():
        assert len(split) % 2 == 0


def test_identical_pixels_stay_in_one_split(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    lay_out(folder, [r[:3] for r in rows()], HEADER[:3])
    for i in (1, 2, 3):
        (folder / "images" / f"{i}.png").write_bytes(picture(0))
    dataset = build(folder)
    assert len({dataset.groups[i] for i in range(4)}) == 1


def bad(number: int, column: int, value: str) -> list[list[str]]:
    table = rows()
    table[number][column] = value
    return table


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (bad(2, 0, "images/no.png"), "row 4: image 'images/no.png' does not exist"),
        (bad(2, 0, "../secret.png"), "row 4: image '../secret.png' lies outside the folder"),
        (bad(2, 0, ""), "row 4: empty image path"),
        (bad(3, 1, "  "), "row 5 (id 'images/3.png'): empty text"),
        (bad(3, 2, ""), "row 5 (id 'images/3.png'): empty label"),
        (
            bad(3, 3, "tset"),
            "row 5 (id 'images/3.png'): unknown split 'tset'. Did you mean 'test'? Known: train, val, test.",
        ),
        (bad(3, 0, "images/0.png"), "row 5: id 'images/0.png' stands in row 2 already"),
        ([*rows(), ["images/1.png", "x"]], "row 10: 2 cells, but the header has 4 columns"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, table: list[list[str]], said: str) -> None:
    lay_out(tmp_path / "in", table)
    with pytest.raises(DataError) as caught:
        build(tmp_path / "in")
    assert said in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out.h5").exists()
    dataset = build(tmp_path / "in", skip_bad=True)
    assert len(dataset) in (7, 8)
    assert dataset.provenance["skipped_rows"] == 1


def test_all_bad_rows_are_told_at_once(tmp_path: Path) -> None:
    table = rows()
    table[0][1], table[1][0], table[2][3] = "", "images/no.png", "nope"
    lay_out(tmp_path / "in", table)
    (tmp_path / "in" / "images" / "7.png").write_bytes(picture(7)[:200])
    (tmp_path / "in" / "images" / "6.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match="5 bad rows") as caught:
        build(tmp_path / "in")
    assert "row 9: image 'images/7.png': image cannot be decoded" in str(caught.value)
    assert "row 8: image 'images/6.png'" in str(caught.value)


def test_single_class_split(tmp_path: Path) -> None:
    table = rows()
    table[4][2] = table[5][2] = "cat"
    lay_out(tmp_path / "in", table)
    with pytest.raises(DataError, match=r"metadata.csv: the val split has a single class \('cat'\)"):
        build(tmp_path / "in")


def test_missing_column_and_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    lay_out(folder, rows(), ["file_name", "txet", "label", "split"])
    with pytest.raises(DataError, match=r"no column 'text' for the text \(--text-column\).*'txet'.*Columns: file_name"):
        build(folder)
    (folder / "metadata.jsonl").write_text("{}")
    with pytest.raises(DataError, match="both metadata.csv and metadata.jsonl"):
        build(folder)
    (folder / "metadata.csv").unlink()
    (folder / "metadata.jsonl").write_text('{"file_name": \n')
    with pytest.raises(DataError):
        build(folder)
    (folder / "metadata.jsonl").unlink()
    with pytest.raises(DataError, match="neither metadata.csv nor metadata.jsonl"):
        build(folder)
    with pytest.raises(DataError, match="no such folder"):
        build(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage", b"file_name,text,text,label\n", b'"unclosed'])
def test_garbage_metadata_gives_one_message(tmp_path: Path, content: bytes) -> None:
    lay_out(tmp_path / "in", rows())
    (tmp_path / "in" / "metadata.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"metadata\.csv"):
        build(tmp_path / "in")


def test_resize(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", rows())
    dataset = build(tmp_path / "in", resize=6)
    with Image.open(io.BytesIO(dataset.image_bytes(0) or b"")) as image:
        assert image.size == (6, 6)
    assert dataset.provenance["resize"] == 6


@pytest.mark.slow
def test_the_real_product_photos(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "fashion_products"
    out = tmp_path / "fashion.h5"
    options = {"source": str(source), "image_column": "image", "text_column": "text_masked", "id_column": "id"}
    DATASETS.get("folder").build(options, out=out, progress=lambda done, total: None)
    dataset = Dataset.open(out)
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 2704, "val": 417, "test": 800}
    assert dataset.num_classes == 25
    assert dataset.provenance["notes"] == []
    assert dataset.check() == []
