"""The summary and the contact sheet, of any content."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vsebench.core.errors import DataError, DiskError
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.show import NO_GLYPH, THUMB, _drawable, _width, _wrap, contact_sheet, summary


def test_summary(tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]) -> None:
    provenance = {"notes": ["one thing", "another"], "skipped_rows": 3}
    message = summary(write(tmp_path / "a.h5", items(), provenance=provenance))
    assert message["labels"] == {"cat": {"train": 4, "val": 1, "test": 1}, "dog": {"train": 4, "val": 1, "test": 1}}
    facts = message["facts"]
    assert facts["splits"] == "train 8, val 2, test 2"
    assert facts["groups"] == "6"
    assert facts["image width"] == "16"
    assert facts["texts per item"].startswith("1 to 3, median 2")
    assert facts["words per text"] == "6"
    assert (facts["note 1"], facts["note 2"], facts["left out"]) == ("one thing", "another", "3 bad rows")


def test_contact_sheet_of_odd_texts_and_images(
    tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset], png: Callable[..., bytes]
) -> None:
    odd = ("\x00\u202e<b>" + "w" * 300, "红色连衣裙 red", "😀👩‍👩‍👧", "", "\ud7ff\U0010ffff", "مدرسة " * 50, "a\tb\nc")
    content = [Item(f"odd {i}", png(i, (40, 9)), (text,), "dog", split="train") for i, text in enumerate(odd)]
    content += [Item("none", None, (), "dog", split="train"), Item("bad", b"no image", ("x",), "dog", split="train")]
    dataset = write(tmp_path / "a.h5", [replace(i, landmarks=None) for i in items()] + content)
    contact_sheet(dataset, tmp_path / "new" / "sheet.png", rows=5, columns=4)
    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        assert sheet.width > 4 * THUMB
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 100
    assert summary(dataset)["facts"]["image width"].startswith("16 to 40")
    with pytest.raises(DataError, match=r"no split 'trian'. Did you mean 'train'\? Known: train, val, test\."):
        contact_sheet(dataset, tmp_path / "b.png", split="trian")


def test_the_sheet_is_seeded(tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]) -> None:
    dataset = write(tmp_path / "a.h5", items())
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        contact_sheet(dataset, tmp_path / f"{name}.png", rows=1, columns=3, seed=seed)
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_letters_without_glyphs() -> None:
    assert _drawable("a") == "a"
    assert _drawable("红") == _drawable("😀") == _drawable("\x00") == NO_GLYPH
    assert _wrap("naïve 红色 crème", 5) in (["naive \uffff creme"], ["naïve \uffff crème"])


def test_lines_fit_and_keep_every_word() -> None:
    text = "ordinary words that need several lines to be shown " + "w" * 60
    lines = _wrap(text, 50)
    assert all(_width(line) <= THUMB for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    cut = _wrap(text, 2)
    assert len(cut) == 2
    assert cut[1].endswith("...")
    assert _width(cut[1]) <= THUMB
    assert _wrap("", 3) == []


def test_the_real_emoji_can_be_drawn(shared: Path, tmp_path: Path) -> None:
    from vsebench.core.registry import DATASETS

    options = {"source": str(shared / "data" / "emoji"), "image_column": "image", "id_column": "id"}
    DATASETS.get("folder").build(options, out=tmp_path / "e.h5", progress=lambda done, total: None)
    dataset = Dataset.open(tmp_path / "e.h5")
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 883, "val": 132, "test": 336}
    contact_sheet(dataset, tmp_path / "e.png")


def test_a_sheet_on_a_full_disk_is_one_line(
    tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Image.Image, file: Path, form: str) -> None:
        Path(file).write_bytes(b"a part")
        raise OSError(errno.ENOSPC, "No space left on device")

    dataset = write(tmp_path / "a.h5", items())
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(DiskError, match=r"sheet\.png: no space is left on its disk"):
        contact_sheet(dataset, tmp_path / "sheets" / "sheet.png")
    assert list((tmp_path / "sheets").iterdir()) == []
