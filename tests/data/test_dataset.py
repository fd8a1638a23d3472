"""The dataset file: round trip, fingerprint, damage, readers in processes, orders, splits."""

from __future__ import annotations

import io
import multiprocessing as mp
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vsebench.data.batches import EpochOrder, image_loader
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.pixels import decode
from vsebench.data.show import contact_sheet, summary
from vsebench.data.splits import make_splits
from vsebench.data.vocabulary import Vocabulary, split_words
from vsebench.data.writer import DatasetWriter
from vsebench.errors import DataError
from vsebench.types import Preprocessing

PLAIN = Preprocessing((16, 16), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "nearest")


def png(seed: int, size: tuple[int, int] = (16, 16), mode: str = "RGB") -> bytes:
    channels = len(mode)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "PNG")
    return buffer.getvalue()


def items(n: int = 12) -> list[Item]:
    return [
        Item(
            f"id-{i}",
            png(i),
            tuple(f"text {i} number {t} ünï 红" for t in range(1 + i % 3)),
            ("cat", "dog")[i % 2],
            split=("train", "train", "val", "test")[(i // 2) % 4] if n >= 8 else "train",
            group=f"g{i // 2}",
            landmarks=np.array([[i, 1, 1], [2, 3, 0]], np.float32),
            boxes=np.arange(4 * (i % 2), dtype=np.float32).reshape(-1, 4),
            attributes={"colour": "red", "n": str(i)},
        )
        for i in range(n)
    ]


def write(path: Path, content: list[Item], **options: Any) -> Dataset:
    with DatasetWriter(path, name="demo", title="Demo", **options) as writer:
        for item in content:
            writer.add(item)
    return Dataset.open(path)


def test_round_trip(tmp_path: Path) -> None:
    dataset = write(tmp_path / "a.h5", items())
    assert dataset.check() == []
    assert len(dataset) == 12
    assert dataset.label_names == ["cat", "dog"]
    assert dataset.splits["val"].tolist() == [4, 5]
    for i, item in enumerate(items()):
        assert dataset.ids[i] == item.id
        assert dataset.image_bytes(i) == item.image
        assert dataset.texts(i) == list(item.texts)
        assert dataset.label_names[dataset.labels[i]] == item.label
        assert dataset.attributes(i) == item.attributes
        assert np.array_equal(dataset.landmarks(i), item.landmarks)
        boxes = dataset.boxes(i)
        assert (boxes is None) == (i % 2 == 0)
    assert dataset.all_texts("val") == [list(i.texts) for i in items()[4:6]]
    assert dataset.groups[0] == dataset.groups[1] != dataset.groups[2]
    assert sum(dataset.describe()["captions"].values()) == sum(len(i.texts) for i in items())


def test_fingerprint_is_of_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import vsebench.data.writer as writer

    first = write(tmp_path / "a.h5", items()).fingerprint
    assert write(tmp_path / "b.h5", items()).fingerprint == first
    monkeypatch.setattr(writer, "CHUNK", 1 << 10)
    monkeypatch.setattr(writer, "FLUSH", 1 << 9)
    assert write(tmp_path / "c.h5", items()).fingerprint == first
    for change in ({"texts": ("other",)}, {"image": png(99)}, {"label": "dog"}, {"split": "test"}, {"group": "new"}):
        changed = items()
        changed[0] = Item(**{**{f: getattr(changed[0], f) for f in Item.__dataclass_fields__}, **change})
        assert write(tmp_path / "d.h5", changed).fingerprint != first, change


def test_multi_label(tmp_path: Path) -> None:
    content = [Item(str(i), png(i), ("a",), ("x", "y")[: 1 + i % 2], split="train") for i in range(4)]
    dataset = write(tmp_path / "a.h5", content, multi_label=True)
    assert dataset.labels.tolist() == [[1, 0], [1, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "id-1"}, "1 ids stand twice"),
        ({"split": "tset"}, "unknown splits"),
        ({"split": None}, "1 of 12 items have no split"),
    ],
)
def test_the_writer_refuses(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    content = items()
    content[0] = Item(**{**{f: getattr(content[0], f) for f in Item.__dataclass_fields__}, **change})
    with pytest.raises(DataError, match=said):
        write(tmp_path / "a.h5", content)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_an_interrupted_build(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), DatasetWriter(tmp_path / "a.h5", name="a", title="A") as writer:
        writer.add(items()[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_give_one_message(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    write(file, items()).close()
    whole = file.read_bytes()
    for content in (b"", b"garbage" * 100, whole[: len(whole) // 2]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"a.h5: not a whole vsebench dataset"):
            Dataset.open(file)
    with pytest.raises(DataError, match="no such dataset file"):
        Dataset.open(tmp_path / "b.h5")
    with h5py.File(file, "w") as other:
        other["x"] = 1
    with pytest.raises(DataError, match="not a whole"):
        Dataset.open(file)


def test_check_finds_a_changed_byte(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    write(file, items()).close()
    with h5py.File(file, "r+") as content:
        data = content["bytes"][:]
        data[200] ^= 255
        content["bytes"][:] = data
    assert any("fingerprint" in p for p in Dataset.open(file).check())


def _digest(dataset: Dataset, i: int) -> bytes:
    return bytes(dataset.image_bytes(i) or b"")


def test_many_processes_read_one_object(tmp_path: Path) -> None:
    dataset = write(tmp_path / "a.h5", items())
    dataset.image_bytes(0)  # the parent's handle is open when the children begin
    assert pickle.loads(pickle.dumps(dataset)).image_bytes(3) == items()[3].image
    with mp.get_context("fork").Pool(3) as pool:
        found = pool.starmap(_digest, [(dataset, i % 12) for i in range(60)])
    assert found == [items()[i % 12].image for i in range(60)]


def test_image_loader_keeps_the_order_whatever_the_workers(tmp_path: Path) -> None:
    dataset = write(tmp_path / "a.h5", items())
    order = EpochOrder(np.arange(12), 3).order(2)
    batches = [
        list(image_loader(dataset, order, PLAIN, batch_size=5, num_workers=n)) for n in (0, 2)
    ]  # fmt: skip
    for (a, pixels_a), (b, pixels_b) in zip(*batches, strict=True):
        assert a.tolist() == b.tolist()
        assert bool((pixels_a == pixels_b).all())
    assert [int(p) for positions, _ in batches[0] for p in positions] == order.tolist()
    assert sorted(order.tolist()) == list(range(12))
    assert order.tolist() != EpochOrder(np.arange(12), 3).order(3).tolist()


def test_decoding() -> None:
    exact = decode(png(0), PLAIN)
    assert exact.shape == (3, 16, 16)
    assert np.array_equal(exact, np.asarray(Image.open(io.BytesIO(png(0)))).transpose(2, 0, 1))
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    buffer = io.BytesIO()
    clear.save(buffer, "PNG")
    assert decode(buffer.getvalue(), PLAIN).min() == 255, "transparent pixels are white"
    turned = Image.new("RGB", (8, 4), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=exif)
    for fit in ("stretch", "crop", "pad"):
        size = Preprocessing((10, 6), PLAIN.mean, PLAIN.std, "bilinear", fit)
        assert decode(buffer.getvalue(), size).shape == (3, 10, 6)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=30, max_size=120),
    st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_splits_are_whole_groups_and_every_item_once(shape: list[tuple[int, int]], seed: int) -> None:
    labels = np.array([c for c, size in shape for _ in range(size)])
    groups = np.array([g for g, (_, size) in enumerate(shape) for _ in range(size)])
    splits = make_splits(labels, groups, seed=seed)
    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(len(labels)))
    for a, b in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not set(groups[splits[a]]) & set(groups[splits[b]])
    again = make_splits(labels, groups, seed=seed)
    assert all(np.array_equal(splits[s], again[s]) for s in splits)


def test_splits_are_stratified() -> None:
    labels = np.repeat(np.arange(5), 100)
    splits = make_splits(labels, np.arange(500))
    assert {s: len(v) for s, v in splits.items()} == {"train": 400, "val": 50, "test": 50}
    for rows in splits.values():
        counts = np.bincount(labels[rows])
        assert counts.max() - counts.min() <= 1
    assert make_splits(labels, np.arange(500), seed=1)["val"].tolist() != splits["val"].tolist()
    with pytest.raises(ValueError, match="sum to 1"):
        make_splits(labels, np.arange(500), fractions={"train": 0.5})


def test_vocabulary() -> None:
    texts = ["John likes to watch movies. Mary likes too.", "John also likes to watch football games."]
    vocabulary = Vocabulary.build(texts)
    assert vocabulary.words[:4] == ("john", "likes", "to", "watch")
    words = vocabulary.encode([*texts, "", "unheard john"], 64)
    assert words.ids[0, :4].tolist() == [2, 3, 4, 5]
    assert words.mask.sum(1).tolist() == [8, 7, 0, 2]
    assert words.ids[3, :2].tolist() == [1, 2]
    assert vocabulary.encode(texts, 3).ids.shape == (2, 3)
    assert vocabulary.restrict(2).words == ("john", "likes", "to", "watch")
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    assert split_words("红色连衣裙 size-10") == ["红", "色", "连", "衣", "裙", "size", "10"]
    assert split_words("Привет, мир!") == ["привет", "мир"]


def test_show(tmp_path: Path) -> None:
    content = [*items(), Item("odd", png(5, (40, 9)), ("\x00\u202e<b>" + "w" * 300,), "dog", split="train")]
    dataset = write(tmp_path / "a.h5", content)
    said = summary(dataset)
    assert sum(said["labels"]["cat"].values()) == 6
    contact_sheet(dataset, tmp_path / "sheet.png", rows=3, columns=4)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 4 * 100
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 100
