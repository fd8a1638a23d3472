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

from vsebench.core.errors import DataError
from vsebench.core.registry import DATASETS
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

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
    assert check(dataset) == []


def test_matches_are_of_what_relevance_says(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", rows())
    results = [build(tmp_path / "in", relevance=message) for message in ("item", "label")]
    assert [d.relevance for d in results] == ["item", "label"]
    assert len({d.fingerprint for d in results}) == 2


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
    assert sum(0 in rows or 1 in rows or 2 in rows or 3 in rows for rows in dataset.splits.values()) == 1
    assert dataset.provenance["groups"] == "identical pixels"


def bad(number: int, column: int, value: str) -> list[list[str]]:
    table = rows()
    table[number][column] = value
    return table


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (bad(2, 0, "images/no.png"), "row 4: image 'images/no.png' does not exist"),
        (bad(2, 0, "../secret.png"), "row 4: image '../secret.png' lies outside the folder"),
        (bad(2, 0, ""), "row 4: empty image path"),
        (bad(3, 1, "  "), "row 5 (id 'images/3.png'): empty text"),
        (bad(3, 2, ""), "row 5 (id 'images/3.png'): empty label"),
        (
            bad(3, 3, "tset"),
            "row 5 (id 'images/3.png'): unknown split 'tset'. Did you mean 'test'? Known: train, val, test, rest.",
        ),
        (bad(3, 0, "images/0.png"), "row 5: id 'images/0.png' stands in row 2 already"),
        (bad(3, 3, ""), "row 5 (id 'images/3.png'): empty split. Known: train, val, test, rest."),
        (bad(2, 0, "/etc/passwd"), "row 4: image '/etc/passwd' lies outside the folder"),
        (bad(2, 0, "images/../../secret.png"), "row 4: image 'images/../../secret.png' lies outside the folder"),
        (bad(2, 0, "images"), "row 4: image 'images' cannot be read (Is a directory)"),
        (bad(2, 0, "a" * 300), "cannot be read (File name too long)"),
        (bad(2, 0, "a\0b"), "cannot be read (embedded null byte)"),
        ([*rows(), ["images/1.png", "x"]], "row 10: 2 cells, but the header has 4 columns"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, table: list[list[str]], text: str) -> None:
    lay_out(tmp_path / "in", table)
    with pytest.raises(DataError) as caught:
        build(tmp_path / "in")
    assert text in str(caught.value)
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


def test_only_the_first_twenty_bad_rows_are_listed(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", [*rows(), *([f"images/no{i}.png", "x", "cat", "train"] for i in range(30))])
    with pytest.raises(DataError, match="30 bad rows") as caught:
        build(tmp_path / "in")
    lines = str(caught.value).splitlines()
    assert lines[1].strip() == "row 10: image 'images/no0.png' does not exist"
    assert len(lines) == 22
    assert lines[-1].strip() == "… and 10 more"
    assert len(caught.value.problems) == 30


def test_bad_rows_name_their_id_and_all_their_faults(tmp_path: Path) -> None:
    header = [*HEADER, "sku"]
    table = [[*row, f"S{i}"] for i, row in enumerate(rows())]
    table[1][0], table[1][1], table[2][4] = "images/no.png", "", ""
    lay_out(tmp_path / "in", table, header)
    with pytest.raises(DataError, match="2 bad rows") as caught:
        build(tmp_path / "in", id_column="sku")
    assert caught.value.problems == (
        "row 3 (id 'S1'): image 'images/no.png' does not exist",
        "row 3 (id 'S1'): empty text",
        "row 4: empty id",
    )


def test_when_every_row_is_bad_there_is_nothing_to_skip_to(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", [[f"images/no{i}.png", "x", "cat", "train"] for i in range(3)])
    with pytest.raises(DataError, match=r"metadata\.csv: all 3 rows are bad:\n  row 2: image"):
        build(tmp_path / "in", skip_bad=True)
    assert not (tmp_path / "out.h5").exists()


def test_a_link_out_of_the_folder_is_followed_where_the_user_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path / "in", rows())
    (tmp_path / "in" / "images").rename(tmp_path / "disk")
    (tmp_path / "in" / "images").symlink_to(tmp_path / "disk")
    with pytest.raises(DataError, match="a link leads out of the folder, to .*; VSEBENCH_FOLLOW_LINKS=1 follows"):
        build(tmp_path / "in")
    monkeypatch.setenv("VSEBENCH_FOLLOW_LINKS", "1")
    assert build(tmp_path / "in").image_bytes(0) == picture(0)


def test_single_class_split(tmp_path: Path) -> None:
    table = rows()
    table[4][2] = table[5][2] = "cat"
    lay_out(tmp_path / "in", table)
    with pytest.raises(DataError, match=r"metadata.csv: the val split has a single class \('cat'\)"):
        build(tmp_path / "in")


def test_several_single_class_splits_and_a_single_class_file(tmp_path: Path) -> None:
    table = rows()
    table[4][2] = table[5][2] = "cat"
    table[6][2] = table[7][2] = "dog"
    lay_out(tmp_path / "in", table)
    with pytest.raises(DataError) as caught:
        build(tmp_path / "in")
    assert caught.value.message == (
        "the val split has a single class ('cat'), the test split has a single class ('dog');"
        " classification needs at least two."
    )
    lay_out(tmp_path / "in", [[*r[:2], "cat"] for r in rows()], HEADER[:3])
    with pytest.raises(DataError, match=r"the file has a single class \('cat'\)"):
        build(tmp_path / "in")


def test_leaks_of_the_files_own_splits_are_noted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    shops = ["a", "a", "b", "b", "a", "c", "d", "d"]  # a: train and val
    table = [[*row, shop] for row, shop in zip(rows(), shops, strict=True)]
    table[6][2] = "bird"
    lay_out(folder, table, [*HEADER, "shop"])
    (folder / "images" / "6.png").write_bytes(picture(0))  # train and test
    assert build(folder, group_column="shop").provenance["notes"] == [
        "1 images with identical pixels stand in more than one split",
        "1 groups of column 'shop' stand in more than one split",
        "1 labels have no training item: bird",
    ]


def test_empty_group_cells_do_not_make_a_group(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", [[*r[:3], "" if i < 6 else "g"] for i, r in enumerate(rows())], [*HEADER[:3], "shop"])
    dataset = build(tmp_path / "in", group_column="shop")
    assert len(np.unique(dataset.groups)) == 7
    assert dataset.groups[6] == dataset.groups[7]


def test_label_separator(tmp_path: Path) -> None:
    table = [[f"images/{i}.png", "x", ("red; round", "red", "round;", "big")[i % 4]] for i in range(8)]
    lay_out(tmp_path / "in", table, HEADER[:3])
    dataset = build(tmp_path / "in", label_separator=";")
    assert dataset.label_names == ["big", "red", "round"]
    assert dataset.labels[:4].tolist() == [[0, 1, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_an_exception_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", rows())

    def stop(done: int, total: int | None) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DATASETS.get("folder").build({"source": str(tmp_path / "in")}, out=tmp_path / "o" / "x.h5", progress=stop)
    assert list((tmp_path / "o").iterdir()) == []


def test_missing_column_and_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    lay_out(folder, rows(), ["file_name", "txet", "label", "split"])
    with pytest.raises(DataError, match=r"no column 'text' for the text \(--text-column\).*'txet'.*Columns: file_name"):
        build(folder)
    lay_out(folder, rows(), ["file_nme", "txet", "label", "split"])
    with pytest.raises(DataError, match=r"'file_name' for the image.*'file_nme'\?.*'text' for the text.*'txet'"):
        build(folder)
    with pytest.raises(DataError, match=r"no column 'spilt' for the split \(--split-column\)"):
        build(folder, split_column="spilt", image_column="file_nme", text_column="txet")
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
    assert build(tmp_path / "in", resize=12).image_bytes(0) == picture(0), "smaller images stay as they came"


@pytest.mark.slow
def test_the_real_product_photos(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "fashion_products"
    out = tmp_path / "fashion.h5"
    options = {"source": str(source), "image_column": "image", "text_column": "text_masked", "id_column": "id"}
    DATASETS.get("folder").build(options, out=out, progress=lambda done, total: None)
    dataset = Dataset.open(out)
    assert dataset.fingerprint == "1cf5ef561db50f7e", "the same content has the same fingerprint everywhere"
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 2704, "val": 417, "test": 800}
    assert dataset.num_classes == 25
    assert dataset.provenance["notes"] == []
    assert check(dataset) == []


def test_a_quote_that_is_never_closed_cannot_be_skipped(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", rows())
    file = tmp_path / "in" / "metadata.csv"
    file.write_text(file.read_text().replace("caption 3", '"caption 3'))
    with pytest.raises(DataError, match="row 5: not readable as CSV .*it takes 4 more lines") as caught:
        build(tmp_path / "in")
    assert "would leave only 3 of 8 rows" in str(caught.value)
    with pytest.raises(DataError, match="row 5: not readable .*; that cannot be left out"):
        build(tmp_path / "in", skip_bad=True)


def test_the_right_builder_or_option_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", [row[:2] for row in rows()], HEADER[:2])
    with pytest.raises(DataError, match=r"no column 'label' .* Data without labels: --label-column= \(an empty name\)"):
        build(tmp_path / "in")
    assert build(tmp_path / "in", label_column="").num_classes == 0
    lay_out(tmp_path / "in", [[row[0], row[2]] for row in rows()], ["file_name", "label"])
    with pytest.raises(DataError, match="no column 'text' .* images and labels alone: --text-column="):
        build(tmp_path / "in")
    assert build(tmp_path / "in", text_column="").texts(0) == []


def test_a_table_with_semicolons(tmp_path: Path) -> None:
    lay_out(tmp_path / "in", rows())
    file = tmp_path / "in" / "metadata.csv"
    file.write_text(file.read_text().replace(",", ";"))
    assert "the cells are separated by semicolons" in build(tmp_path / "in").provenance["notes"]


def test_captions_in_several_columns(tmp_path: Path) -> None:
    table = [[row[0], row[2], *(f"{row[1]} {c}" for c in "abc")] for row in rows()]
    lay_out(tmp_path / "in", table, ["file_name", "label", "caption 2", "caption 1", "other"])
    dataset = build(tmp_path / "in")
    assert dataset.texts(3) == ["caption 3 b", "caption 3 a"]
    assert "the texts are those of the columns caption 1, caption 2" in dataset.provenance["notes"]
    assert build(tmp_path / "in", text_column="other,caption 1").texts(0) == ["caption 0 c", "caption 0 b"]
