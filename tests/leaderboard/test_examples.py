"""Example queries: by the stored ranks, from a dataset that is the right one."""

from __future__ import annotations

import io
from pathlib import Path

import boards
import numpy as np
import pytest
import yaml
from PIL import Image

from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.leaderboard.examples import Pictures, dataset_of_run, examples_of, mistakes_of


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    file = tmp_path / "datasets" / "small.h5"
    file.parent.mkdir()
    with DatasetWriter(file, name="small", title="Small", fractions={"train": 0.5, "test": 0.5}) as out:
        for i in range(12):
            buffer = io.BytesIO()
            Image.new("RGB", (300, 200), (20 * i, 0, 0)).save(buffer, "PNG")
            out.add(Item(f"item-{i}", buffer.getvalue() if i else None, (f"text {i}\n<b>",), "ab"[i % 2]))
    return Dataset.open(file)


def run(folder: Path, dataset: Dataset, **changes: object) -> Path:
    folder.mkdir()
    items, one = np.arange(12), np.ones(12, np.int64)
    ranks = {f"{way}/{part}": one for way in ("i2t", "t2i") for part in ("tied", "tied_relevant", "relevant")}
    above = {"i2t/above": np.arange(12)[::-1], "t2i/above": np.arange(12)}
    arrays = {"positions": items, "labels": items % 2, "groups": items, "owner": items, **ranks, **above, **changes}
    np.savez(folder / "predictions-test.npz", **arrays)
    facts = {"spec": "small", "path": str(dataset.path), "fingerprint": dataset.fingerprint}
    (folder / "run.yaml").write_text(yaml.safe_dump(boards.run_file("a1", dataset=facts)))
    return folder


def test_by_rank(tmp_path: Path, dataset: Dataset) -> None:
    pictures = Pictures(dataset)
    result, why = examples_of(run(tmp_path / "run", dataset), pictures)
    assert why == ""
    assert [(one["id"], one["rank"], one["of"]) for one in result["i2t"]["best"]][:2] == [
        ("item-11", 1.0, 12),
        ("item-10", 2.0, 12),
    ]
    assert result["i2t"]["worst"][0]["id"] == "item-0"
    assert result["t2i"]["best"][0] == {"id": "item-0", "text": "text 0 <b>", "picture": None, "rank": 1.0, "of": 12}
    assert set(pictures.cache) == {
        one["picture"] for kinds in result.values() for some in kinds.values() for one in some
    } - {None}
    assert all(uri.startswith("data:image/jpeg;base64,") and len(uri) < 6_000 for uri in pictures.cache.values())


def test_mistakes(tmp_path: Path, dataset: Dataset) -> None:
    """The true class of item i is i % 2: items 1, 4 and 5 are wrong, by 3, 1 and 2."""
    margins = np.array([1, -3, 1, 1, -1, -2, 1, 1, 1, 1, 1, 1])
    labels = np.arange(12) % 2
    logits = np.eye(2, dtype=np.float32)[labels] * margins[:, None]
    folder, pictures = run(tmp_path / "run", dataset, logits=logits, labels=labels), Pictures(dataset)
    mistakes = mistakes_of(folder, pictures)
    assert [(one["id"], one["true"], one["predicted"]) for one in mistakes] == [
        ("item-1", 1, 0),
        ("item-5", 1, 0),
        ("item-4", 0, 1),
    ]
    assert mistakes[0]["text"] == "text 1 <b>"
    assert set(pictures.cache) == {1, 4, 5}
    assert len(mistakes_of(folder, pictures, count=1)) == 1
    assert mistakes_of(folder, Pictures(None)) == mistakes_of(tmp_path, pictures) == []
    several = run(tmp_path / "several", dataset, logits=logits, labels=np.eye(2, dtype=np.int64)[labels])
    assert mistakes_of(several, pictures) == [], "an item with several labels is not taken for one"


def test_why_there_are_none(tmp_path: Path, dataset: Dataset) -> None:
    assert examples_of(tmp_path, Pictures(dataset)) == ({}, "The run's predictions are missing here.")
    folder = run(tmp_path / "run", dataset)
    assert "dataset is missing here" in examples_of(folder, Pictures(None))[1]
    elsewhere = run(tmp_path / "other", dataset, **{"gallery/positions": np.arange(3), "gallery/owner": np.arange(3)})
    assert "another set" in examples_of(elsewhere, Pictures(dataset))[1]


def test_the_dataset_of_a_run(tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))
    folder = run(tmp_path / "run", dataset)
    result = dataset_of_run(folder, dataset.fingerprint)
    assert result is not None
    assert result.path == dataset.path
    assert dataset_of_run(folder, "0" * 16) is None
    message = yaml.safe_load((folder / "run.yaml").read_text())
    message["dataset"]["path"] = str(tmp_path / "moved.h5")
    (folder / "run.yaml").write_text(yaml.safe_dump(message))
    assert dataset_of_run(folder, dataset.fingerprint) is not None  # among the built ones
    assert dataset_of_run(tmp_path, dataset.fingerprint) is None


def test_what_was_found(tmp_path: Path, dataset: Dataset) -> None:
    folder, pictures = run(tmp_path / "run", dataset), Pictures(dataset)
    results = {
        way: {kind: [[(3, 0, 1, False), (5, 0, 2, True)]] * 4 for kind in ("best", "worst")} for way in ("i2t", "t2i")
    }
    result, _ = examples_of(folder, pictures, results=results)
    assert result["i2t"]["best"][0]["found"] == [
        {"id": "item-3", "text": "text 3 <b>", "picture": None, "rank": 1, "right": False},
        {"id": "item-5", "text": "text 5 <b>", "picture": None, "rank": 2, "right": True},
    ]
    assert [one["picture"] for one in result["t2i"]["worst"][3]["found"]] == [3, 5]
    assert {3, 5} <= set(pictures.cache)
    assert "found" not in examples_of(folder, pictures)[0]["i2t"]["best"][0]
