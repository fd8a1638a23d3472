"""Weights made by ``weights: pretrain`` are the same in every home, or have another name; damage is noticed."""

from __future__ import annotations

import io
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import vsebench.engine.circumstances as circumstances
import vsebench.engine.pretrain as pretrain
from vsebench.config.resolve import resolve
from vsebench.config.schema import System
from vsebench.core.errors import DataError
from vsebench.core.files import replacing
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.engine.pretrain import RECORD, Pretrained, ensure, read_record, write_record
from vsebench.ops.weights import load_weights, save_weights

ENCODER: dict[str, Any] = {
    "name": "timm_cnn",
    "model": "test_resnet",
    "weights": "pretrain",
    "image_size": 32,
    "pretrain_epochs": 2,
}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(1)


def system(**options: Any) -> System:
    return resolve({"dim": 8, "text_encoder": "none", "image_encoder": {**ENCODER, **options}})


def weights(tiny_file: Path, **options: Any) -> Pretrained:
    return ensure(system(**options), Dataset.open(tiny_file), device=CPU)["image_encoder"]


def test_threads_and_what_a_component_left_do_not_change_them(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = weights(tiny_file)
    assert weights(tiny_file) == first
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path / "other"))
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(False)
    torch.manual_seed(5)
    try:
        again = weights(tiny_file)
        assert torch.get_num_threads() == 3, "only while it is pretrained"
    finally:
        torch.set_default_dtype(torch.float32)
    assert again.file.parent != first.file.parent
    assert (again.file.name, again.content) == (first.file.name, first.content)


def test_all_that_changes_them_is_in_their_name(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def train(*args: Any) -> str:
        made.append(args[3])
        return save_weights(args[3], {"x": torch.zeros(1)}, owner=args[3].stem)

    monkeypatch.setattr(pretrain, "_train", train)
    first = weights(tiny_file)
    assert weights(tiny_file, finetune="all").file == first.file, "what is trained afterwards does not matter"
    monkeypatch.setattr(pretrain, "code_digest", lambda *_: "other code")
    assert weights(tiny_file).made_from == first.made_from
    monkeypatch.setattr(circumstances, "libraries", lambda: {"torch": "other"})
    weights(tiny_file)
    weights(tiny_file, pretrain_lr=0.1)
    ensure(system(), Dataset.open(tiny_file), device=torch.device("meta"))
    assert len(set(made)) == len(made) == 5


def other_weights(file: Path) -> None:
    save_weights(file, load_weights(file), owner="timm_cnn-0123456789abcdef")


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 2000):
        content[place] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [flip, lambda file: file.write_bytes(file.read_bytes()[:1000]), lambda file: file.write_bytes(b""), other_weights],
    ids=["flipped bits", "cut", "empty", "another's"],
)
def test_damage_is_set_aside_named_and_trained_again(
    damage: Callable[[Path], object], tiny_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = weights(tiny_file)
    damage(first.file)
    with caplog.at_level(logging.WARNING, "vsebench"):
        assert weights(tiny_file) == first
    assert str(first.file) in caplog.text
    assert "trained again" in caplog.text
    assert first.file.with_name(first.file.name + ".damaged").is_file()


def test_a_run_records_its_weights(tmp_path: Path) -> None:
    write_record(tmp_path, {})
    assert not (tmp_path / RECORD).exists()
    assert read_record(tmp_path) == {}
    one = Pretrained(tmp_path / "a.safetensors", "c" * 64, "m" * 16, {"device": "cpu"})
    write_record(tmp_path, {"image_encoder": one})
    record = read_record(tmp_path)["image_encoder"]
    assert record == {
        "file": "a.safetensors",
        "sha256": "c" * 64,
        "made_from": "m" * 16,
        "circumstances": {"device": "cpu"},
    }
    for content in ("", "[]", "{", '{"image_encoder": 3}', json.dumps({"x": {**record, "file": "../a"}})):
        (tmp_path / RECORD).write_text(content)
        with pytest.raises(DataError, match=r"pretrained.json: not a whole record"):
            read_record(tmp_path)


def test_nothing_partial_is_left_where_training_fails(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))

    def fail(*_: Any, **__: Any) -> None:
        with replacing(tmp_path / "x"):
            raise RuntimeError("no")

    monkeypatch.setattr(pretrain, "fit", fail)
    with pytest.raises(RuntimeError, match="no"):
        weights(tiny_file)
    assert [f for f in tmp_path.rglob("*") if f.is_file() and f.suffix != ".lock" and "features" not in f.parts] == []
    shutil.rmtree(tmp_path)


def test_data_with_several_labels_per_item(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "several.h5", name="several", title="Several", multi_label=True) as writer:
        for i in range(16):
            buffer = io.BytesIO()
            Image.new("RGB", (32, 32), (16 * i, 90, 30)).save(buffer, "PNG")
            split = ("train", "train", "val", "test")[i % 4]
            writer.add(Item(f"{i}", buffer.getvalue(), ("text",), ("a", "b") if i // 4 % 2 else ("b",), split=split))
    message: list[str] = []
    dataset = Dataset.open(tmp_path / "several.h5")
    ensure(system(pretrain_epochs=1), dataset, device=CPU, on_epoch=message.append)
    assert "epoch 1/1, val loss 0." in message[-1], "there is no accuracy to tell"
