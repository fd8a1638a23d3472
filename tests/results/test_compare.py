"""Two runs on the same items: what differs, in which order captions come, what is refused, hostile texts."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boards
import numpy as np
import pytest
import yaml

from vsebench.cli.compare import compare as compare_command
from vsebench.cli.compare import lines
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import DataError
from vsebench.engine.evaluate import save_predictions
from vsebench.inspect.standalone_page import escape
from vsebench.results.compare import Side, compare, read_side
from vsebench.results.compare_page import page
from vsebench.results.disagree import shown
from vsebench.runs.store import Store

HOSTILE = "<script>alert('1')</script>\n\u202e\x1b[31m *x* | y"


def side(root: Path, row: str, skill: float = 1.0, **changes: Any) -> Side:
    result = boards.run(root, row, 0, skill=skill, **changes)
    folder = root / boards.NAME / result.run_id
    message = yaml.safe_load((folder / "run.yaml").read_text())
    message |= {"select": {"metric": "val/accuracy", "mode": "max"}, "system": {}}
    message |= {"dataset": {"spec": "demo", "path": "gone.h5", "fingerprint": result.dataset["fingerprint"]}}
    (folder / "run.yaml").write_text(yaml.safe_dump(message))
    return read_side(str(folder), root, "test")


class Items:
    """As much of a dataset as is asked for."""

    title = name = HOSTILE
    label_names = (HOSTILE, "b", "c")
    ids = tuple(f"{HOSTILE}-{i}" for i in range(3 * boards.COUNT))

    def texts(self, position: int) -> list[str]:
        return [HOSTILE, f"second of {position}"]

    def image_bytes(self, position: int) -> None:
        return None


def test_what_two_runs_get_right(tmp_path: Path) -> None:
    config = {"image_encoder": {"name": "timm_cnn", "options": {"model": "other"}}, "dim": 64}
    a, b = side(tmp_path, "one", 2.0), side(tmp_path, "two", 0.5, config=config)
    result = compare(a, b, "test")
    assert dict(result.config) == {"image_encoder.options.model": ("resnet10t", "other")}
    assert result.metrics["nll"] == (a.result.metrics["test/nll"], b.result.metrics["test/nll"])
    tests = {test.key: test for test in result.tests}
    assert list(tests) == ["accuracy", "i2t/recall@1", "t2i/recall@1"]
    for key, test in tests.items():
        assert (test.a, test.b) == pytest.approx(result.metrics[key])
        assert test.count == boards.COUNT
    right = [p.logits.argmax(1) == p.labels for p in (a.predictions, b.predictions)]
    (first, second) = [d for d in result.disagreements if d.key == "accuracy"]
    assert first.items.tolist() == np.flatnonzero(right[0] & ~right[1]).tolist()
    assert second.items.tolist() == np.flatnonzero(right[1] & ~right[0]).tolist()
    assert (len(first.items), len(second.items)) == (tests["accuracy"].only_a, tests["accuracy"].only_b)
    assert len(first.items) > len(second.items)
    assert first.answers[:, 0].tolist() == a.predictions.labels[first.items].tolist()


def test_what_is_empty_is_not_listed_where_more_is_said(tmp_path: Path) -> None:
    heads: list[dict[str, Any]] = [{"name": "mlp", "options": {}}, {"name": "mlp", "options": {"k": 1}}]
    a = side(tmp_path, "one", config={"reranker": None, "head": heads[0], "train": {"clip": None}})
    b = side(tmp_path, "two", config={"reranker": {"name": "x"}, "head": heads[1], "train": {"lr": 1}})
    assert dict(compare(a, b, "test").config) == {
        "head.options.k": ("(absent)", 1),
        "reranker.name": ("(absent)", "x"),
        "train.clip": (None, "(absent)"),
        "train.lr": ("(absent)", 1),
    }


def in_order(folder: Path, order: np.ndarray, scores: np.ndarray, owner: np.ndarray, result: Any) -> Side:
    """A run that ranked 4 pictures and 8 captions in an order of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    current = np.arange(4)
    made = Predictions(None, current, pairs=scores[:, order], owner=owner[order], groups=current)
    loader: Any = SimpleNamespace(positions=np.arange(4))
    save_predictions(folder / "predictions-test.npz", made, loader)
    from vsebench.runs.predictions import load_predictions

    facts = {"seed": 0, "metrics": [], "select": {}, "plugins": []}
    return Side(facts, result, load_predictions(folder, "test"))


def test_captions_are_matched_whatever_their_order(tmp_path: Path) -> None:
    """First captions come first, then second ones, each round in the order of a tokenizer's lengths."""
    rng = np.random.default_rng(0)
    result = boards.run(tmp_path, "one", 0)
    owner = np.tile(np.arange(4), 2)  # caption c of picture i is at 4 c + i
    better = rng.normal(size=(4, 8)).astype(np.float32)
    worse = better.copy()
    worse[:, 6] = [0, 0, -9, 9]  # the second caption of picture 2 finds picture 3
    better[:, 6] = [0, 0, 9, -9]
    mixed = np.concatenate([rng.permutation(4), 4 + rng.permutation(4)])
    a = in_order(tmp_path / "a", np.arange(8), better, owner, result)
    b = in_order(tmp_path / "b", mixed, worse, owner, result)
    (test,) = [t for t in compare(a, b, "test").tests if t.key == "t2i/recall@1"]
    assert (test.only_a, test.only_b, test.count) == (1, 0, 8)
    assert test.test == "paired bootstrap and t-test over 4 pictures"
    (apart,) = [d for d in compare(a, b, "test").disagreements if d.key == "t2i/recall@1" and d.right == "a"]
    assert (apart.items.tolist(), apart.captions.tolist()) == ([2], [1])
    assert apart.answers.tolist() == [[1.0, 4.0]]
    fewer = in_order(tmp_path / "c", np.arange(4), better, owner, result)
    results = compare(a, fewer, "test")
    assert [t.key for t in results.tests] == ["i2t/recall@1"]
    assert "t2i/recall@1 is not tested" in results.notes[0]


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    a, b = side(tmp_path, "one"), side(tmp_path, "two")
    data = {**b.result.dataset, "fingerprint": "0" * 16}
    positions = replace(b.predictions, positions=b.predictions.positions + 1)
    for other, message in (
        (replace(b, result=replace(b.result, dataset=data)), r"dataset \(fingerprint\) is f1f1.* of one, seed 0"),
        (replace(b, config={**b.config, "gallery": "train"}), "gallery is split of one, .* and train of two"),
        (replace(b, predictions=positions), "they were evaluated on other items"),
        (replace(b, result=replace(b.result, metric_versions={"accuracy": 2})), "one, .* by version 1 of accuracy"),
    ):
        with pytest.raises(DataError, match=message):
            compare(a, other, "test")
    folder = Store(tmp_path, boards.NAME).run_folder(a.result.run_id)
    with pytest.raises(DataError, match="no predictions of a split 'train'"):
        read_side(str(folder), tmp_path, "train")
    Store(tmp_path, boards.NAME).write(replace(a.result, status="failed"))
    with pytest.raises(DataError, match="is not finished"):
        read_side(str(folder), tmp_path, "test")


def test_several_labels_are_said(tmp_path: Path) -> None:
    a, b = side(tmp_path, "one"), side(tmp_path, "two")
    labels = np.eye(3, dtype=np.int64)[a.predictions.labels]
    several = [replace(s, predictions=replace(s.predictions, labels=labels, multi_label=True)) for s in (a, b)]
    result = compare(*several, "test")
    assert [t.key for t in result.tests] == ["i2t/recall@1", "t2i/recall@1"]
    assert "several labels" in result.notes[0]


def test_hostile_texts_stay_text(tmp_path: Path) -> None:
    a, b = side(tmp_path, f"one {HOSTILE}", 2.0), side(tmp_path, "two", 0.5, config={"dim": HOSTILE})
    result, items = compare(a, b, "test"), Items()
    text = page(result, items, most=5, verdicts=[f"two is better {HOSTILE}"])  # type: ignore[arg-type]
    assert text.index("two is better") < text.index("A: one"), "the verdict over all seeds comes first"
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count("<figure>") == sum(min(5, len(d.items)) for d in result.disagreements)
    for line in lines(result, items, 5):  # type: ignore[arg-type]
        assert not re.search("[\n\u202e\x1b]", line)
    (first, *_) = shown(result, result.disagreements[0], items, 5)  # type: ignore[arg-type]
    assert first.position == result.disagreements[0].items[0] + boards.COUNT


@pytest.mark.slow
def test_the_command(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real runs, with pictures; and a run against itself, which differs in nothing."""
    monkeypatch.setenv("VSEBENCH_HOME", str(swept / "home"))
    message: dict[str, Any] = {"run_a": "tiny/both", "run_b": "tiny/image only", "show": 2}
    message |= {"html": tmp_path / "x" / "page.html", "runs": swept / "runs", "board": swept / "board"}
    compare_command(**message)
    description = capsys.readouterr().out
    assert "text_encoder.name: lstm | (absent)" in description
    assert "paired bootstrap and t-test over" in description, "views of a product are drawn together"
    text = (tmp_path / "x" / "page.html").read_text()
    if "right" in description and re.search(r"right, [AB] wrong \([1-9]", description):
        assert "data:image/jpeg;base64," in text
    compare_command(**{**message, "run_b": "tiny/both", "html": None})
    description = capsys.readouterr().out
    assert "  the same" in description
    assert "only A right 0, only B right 0" in description
    file = next((swept / "home" / "datasets").glob("*.h5"))
    compare_command(**{**message, "html": None, "dataset": str(file)})
    other = Path(shutil.copytree(swept / "runs", tmp_path / "runs"))
    for name in other.rglob("result.json"):
        plain = json.loads(name.read_text())
        plain["dataset"]["fingerprint"] = "0" * 16
        name.write_text(json.dumps(plain))
    with pytest.raises(DataError, match=r"has fingerprint .*; the runs were evaluated on 0000"):
        compare_command(**{**message, "html": None, "dataset": str(file), "runs": other})


@pytest.mark.slow
def test_from_boards_where_the_runs_are_not_at_hand(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fresh clone has the committed boards and no runs: the same settings, numbers and tests, and what is missing."""
    message: dict[str, Any] = {"run_a": "tiny/both", "run_b": "tiny/image only", "show": 2}
    message |= {"runs": swept / "runs", "board": swept / "board"}
    compare_command(**message)
    whole = capsys.readouterr().out
    compare_command(**{**message, "runs": tmp_path / "none", "html": tmp_path / "page.html"})
    text = capsys.readouterr()
    assert "Both runs are read from their boards." in text.err
    assert "which items they disagree on, and what each run answered" in text.out
    tests = [line for line in whole.splitlines() if ": A - B " in line]
    assert len(tests) >= 1
    assert [line for line in text.out.splitlines() if ": A - B " in line] == tests
    verdict = text.out.splitlines()[0]
    assert "over all seeds" in verdict
    assert escape(verdict) in (tmp_path / "page.html").read_text()
    assert "  text_encoder" in text.out
    assert "Two runs on" in (tmp_path / "page.html").read_text()
    compare_command(**{**message, "runs": tmp_path / "none", "split": "val"})
    assert "per-item outcomes are of test alone" in capsys.readouterr().out
    shutil.copytree(swept / "board", tmp_path / "board")
    for file in (tmp_path / "board" / "items").glob("*.npz"):
        file.unlink()
    compare_command(**{**message, "runs": tmp_path / "none", "board": tmp_path / "board"})
    assert "there are no paired tests: a board has no per-item outcomes" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"board 'tiny' has no row 'bth'\. Did you mean 'both'"):
        compare_command(**{**message, "run_a": "tiny/bth", "runs": tmp_path / "none"})
    with pytest.raises(DataError, match="there is no run 'elsewhere/both'"):
        compare_command(**{**message, "run_a": "elsewhere/both", "runs": tmp_path / "none"})
