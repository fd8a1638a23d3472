"""A caption a row: one picture is one item with several texts, or one group; perfect embeddings find every match."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from builder_layouts import picture, put, sound

from vsebench.components.metric.base import Predictions
from vsebench.components.metric.recall import recall
from vsebench.core.errors import DataError
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import _groups

Build = Callable[..., Dataset]
PICTURES, CAPTIONS = 30, 5
IMAGES = {picture(n, kind="PNG"): n for n in range(PICTURES)}
SPLIT = ("train", "train", "val", "test", "train")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def recalls(dataset: Dataset, k: int = 1) -> dict[str, float]:
    """Recall of embeddings that are equal for a picture and its captions, and for nothing else, over all items."""
    shown = [IMAGES[dataset.image_bytes(i) or b""] for i in range(len(dataset))]
    owner = np.repeat(np.arange(len(dataset)), [len(dataset.texts(i)) for i in range(len(dataset))])
    lines = [int(text.split()[1]) for i in range(len(dataset)) for text in dataset.texts(i)]
    basis = np.eye(PICTURES, dtype=np.float32)
    groups = _groups(dataset, dataset.labels, dataset.groups)
    perfect = Predictions(
        None, dataset.labels, embeddings={"image": basis[shown], "text": basis[lines]}, owner=owner, groups=groups
    )
    return {d: recall(perfect, k=k)[f"{d}/recall@{k}"] for d in ("i2t", "t2i")}


def rows(order: str = "by picture") -> list[dict[str, Any]]:
    table = [
        {
            "file_name": f"p/{n}.png",
            "text": f"picture {n} caption {c}",
            "label": "ab"[n % 2],
            "sku": f"{n}-{c}",
            "split": SPLIT[n // 2 % 5],
        }
        for n in range(PICTURES)
        for c in range(CAPTIONS)
    ]
    return table if order == "by picture" else [table[i] for i in np.random.default_rng(0).permutation(len(table))]


def lay_out(root: Path, table: list[dict[str, Any]], form: str) -> Path:
    for data, n in IMAGES.items():
        put(root / f"p/{n}.png", data)
    if form == "jsonl":
        put(root / "metadata.jsonl", "\n".join(json.dumps(row) for row in table))
    elif form == "csv":
        lines = [",".join(table[0]), *(",".join(map(str, row.values())) for row in table)]
        put(root / "metadata.csv", "\n".join(lines))
    else:
        cells = {name: [row[name] for row in table] for name in ("text", "label", "sku", "split")}
        cells["image"] = [{"bytes": (root / row["file_name"]).read_bytes(), "path": None} for row in table]
        kinds = {n: datasets.Image() if n == "image" else datasets.Value("string") for n in cells}
        for split in dict.fromkeys(cells["split"]) if form == "splits" else ["train"]:
            chosen = [i for i, s in enumerate(cells["split"]) if form != "splits" or s == split]
            part = {n: [v[i] for i in chosen] for n, v in cells.items() if form != "splits" or n != "split"}
            features = datasets.Features({n: kinds[n] for n in part})
            datasets.Dataset.from_dict(part, features=features).to_parquet(root / f"data/{split}-0.parquet")
        for file in (root / "p").iterdir():
            file.unlink()
        (root / "p").rmdir()
    return root


@pytest.mark.parametrize("order", ["by picture", "shuffled"])
@pytest.mark.parametrize(
    ("form", "builder", "options"),
    [
        ("csv", "folder", {}),
        ("csv", "folder", {"id_column": "sku"}),
        ("jsonl", "folder", {"id_column": "sku"}),
        ("one", "hub", {}),
        ("one", "hub", {"id_column": "sku"}),
        ("splits", "hub", {}),
    ],
)
def test_rows_of_one_file_are_one_item(
    form: str, builder: str, options: dict[str, Any], order: str, build: Build, tmp_path: Path
) -> None:
    root = lay_out(tmp_path / "in", rows(order), form)
    dataset = build(builder, root, **options)
    assert check(dataset) == []
    assert len(dataset) == PICTURES
    assert sorted(map(len, map(dataset.texts, range(PICTURES)))) == [CAPTIONS] * PICTURES
    assert recalls(dataset) == {"i2t": 1.0, "t2i": 1.0}
    assert dataset.relevance == "item"
    assert dataset.provenance["one_item_per"] == "file"
    assert any(note.startswith("150 rows name 30 files") for note in dataset.provenance["notes"])
    apart = build(builder, root, **options, one_item_per="row")
    assert check(apart) == []
    assert (len(apart), apart.relevance) == (150, "group")
    assert recalls(apart) == {"i2t": 1.0, "t2i": 1.0}
    assert any(note.startswith("150 items show 30 pictures") for note in apart.provenance["notes"])
    wrong = build(builder, root, **options, one_item_per="row", relevance="item")
    assert recalls(wrong)["i2t"] == pytest.approx(0.2)
    assert any("count as wrong" in note for note in wrong.provenance["notes"]), "asked for, and said"


def test_identical_pixels_in_other_files_are_one_group(build: Build, tmp_path: Path) -> None:
    table = rows()
    root = tmp_path / "in"
    for row in table:
        row["file_name"] = f"p/{row['sku']}.png"
        put(root / row["file_name"], picture(int(row["sku"].split("-")[0]), kind="PNG"))
    put(root / "metadata.jsonl", "\n".join(json.dumps(row) for row in table))
    dataset = build("folder", root)
    assert (len(dataset), dataset.relevance) == (150, "group")
    assert recalls(dataset) == {"i2t": 1.0, "t2i": 1.0}


@pytest.mark.parametrize(("form", "builder"), [("csv", "folder"), ("one", "hub")])
def test_rows_whose_labels_differ_stay_items_in_one_group(
    form: str, builder: str, build: Build, tmp_path: Path
) -> None:
    table = rows()
    for i, row in enumerate(table):
        row["label"] = "yes" if i % 3 else "no"  # of the question, not of the picture
    dataset = build(builder, lay_out(tmp_path / "in", table, form), id_column="sku")
    assert (len(dataset), dataset.relevance) == (150, "group")
    assert recalls(dataset) == {"i2t": 1.0, "t2i": 1.0}
    assert any("name the same file with different labels" in note for note in dataset.provenance["notes"])


def test_one_picture_with_two_labels_and_no_id_is_a_fault(build: Build, tmp_path: Path) -> None:
    table = rows()
    table[7]["label"] = "a"
    root = lay_out(tmp_path / "in", table, "csv")
    with pytest.raises(DataError, match="1 bad row") as caught:
        build("folder", root)
    assert caught.value.problems == (
        "row 9: id 'p/1.png' stands in row 7 already, with another label or group"
        " (--one-item-per row makes an item of each row)",
    )
    assert len(build("folder", root, one_item_per="row")) == 150


def test_an_image_in_two_splits_is_a_fault_or_a_note(build: Build, tmp_path: Path) -> None:
    table = rows()
    table[4]["split"] = "test"
    root = lay_out(tmp_path / "in", table, "csv")
    with pytest.raises(DataError, match=r"row 6: id 'p/0.png' stands in row 2 already"):
        build("folder", root)
    notes = build("folder", root, id_column="sku").provenance["notes"]
    assert notes[0] == "1 images with identical pixels stand in more than one split"


def test_sounds_with_several_captions(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "in"
    lines = ["file_name,label,said"]
    for n in range(20):
        put(root / f"s/{n}.wav", sound(n))
        lines += [f"s/{n}.wav,{'ab'[n % 2]},sound {n} caption {c}" for c in range(3)]
    put(root / "metadata.csv", "\n".join(lines))
    dataset = build("audio", root, text_column="said")
    assert len(dataset) == 20
    assert dataset.texts(3) == [f"sound 3 caption {c}" for c in range(3)]
    assert check(dataset) == []


def test_a_dataset_joined_by_id_knows_its_pictures(build: Build, tmp_path: Path) -> None:
    from vsebench.data.item import Item
    from vsebench.data.writer import DatasetWriter

    for name in ("images", "texts"):
        with DatasetWriter(tmp_path / f"{name}.h5", name=name, title=name) as writer:
            for n in range(PICTURES):
                for c in range(CAPTIONS):
                    image = picture(n, kind="PNG") if name == "images" else None
                    texts = () if name == "images" else (f"picture {n} caption {c}",)
                    item = Item(f"{n}-{c}", image, texts, "ab"[n % 2], split=SPLIT[n // 2 % 5], group=f"g{n}")
                    writer.add(item)
    options = {"other": str(tmp_path / "texts.h5")}
    joined = build("paired", tmp_path / "images.h5", **options)
    assert (len(joined), joined.relevance) == (150, "group")
    assert recalls(joined) == {"i2t": 1.0, "t2i": 1.0}
    assert any(note.startswith("150 items show 30 pictures") for note in joined.provenance["notes"])
    assert build("paired", tmp_path / "images.h5", **options, relevance="item").relevance == "item"


def test_texts_that_several_items_share_are_noted(build: Build, tmp_path: Path) -> None:
    table = [{**row, "text": f"product {n // 3}", "file_name": f"p/{n}.png"} for n, row in enumerate(rows()[:PICTURES])]
    notes = build("folder", lay_out(tmp_path / "in", table, "csv"), split_column="").provenance["notes"]
    assert any(note.startswith("30 of 30 items have the text of another, which counts as wrong") for note in notes)


def test_skip_bad_is_not_advised_where_it_loses_most_rows_or_a_split(build: Build, tmp_path: Path) -> None:
    table = rows()
    for row in table:
        row["text"] = "" if row["sku"].endswith(("0", "1", "2")) else row["text"]
    with pytest.raises(DataError, match=r"90 bad rows. Mend them; --skip-bad is no way out, it would leave only 60 of"):
        build("folder", lay_out(tmp_path / "one", table, "csv"))
    table = [{**row, "text": "" if row["split"] == "val" else row["text"]} for row in rows()]
    with pytest.raises(DataError, match=r"30 faults. Mend them; .* it would leave no row of val"):
        build("hub", lay_out(tmp_path / "two", table, "splits"))
