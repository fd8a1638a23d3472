"""Numbers of slices are the metrics of the slice's items and queries, and come again from what is stored."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vsebench.components.metric._answers import Answers
from vsebench.components.metric.base import Predictions
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.engine.evaluate import save_predictions
from vsebench.ops.slices import MOST, Slices, differing_fields
from vsebench.runs.predictions import load_predictions
from vsebench.runs.slices import slice_numbers

COUNT, CLASSES = 30, 3
CLASSIFIES = ["accuracy", "balanced_accuracy", "average_precision", "f1", "nll", "ece", "auroc"]
RANKS = ["recall@{1,5}", "median_rank", "mean_rank", "rsum"]
#: An item without a value, a class alone in its slice, and a value that no item of the split has.
FIELD = [{"kind": "" if i == 7 else ("a/b", "easy", "hard")[i % 3]} for i in range(COUNT)] + [{"kind": "unseen"}]


def predictions(**parts: Any) -> Predictions:
    """Logits and scores of whole numbers, so that many are tied; some items have two captions."""
    rng = np.random.default_rng(0)
    owner = np.concatenate([np.arange(COUNT), np.arange(0, COUNT, 2)])
    plain: dict[str, Any] = {
        "logits": rng.integers(0, 3, (COUNT, CLASSES)).astype(np.float32),
        "labels": rng.integers(0, CLASSES, COUNT),
        "pairs": rng.integers(0, 6, (COUNT, len(owner))).astype(np.float32),
        "owner": owner,
        "groups": np.arange(COUNT) // 2,
    }
    return Predictions(**{**plain, **parts})


def slices() -> Slices:
    return Slices.of(FIELD).take(np.arange(COUNT))


def by_hand(given: Predictions, rows: np.ndarray, entries: list[str]) -> dict[str, float]:
    """The classification metrics of predictions that are cut to the items."""
    answers = given.answers
    if answers is not None:
        keep = [k for k, item in enumerate(answers.item) if rows[item]]
        new = {item: k for k, item in enumerate(np.flatnonzero(rows))}
        item = np.array([new[answers.item[k]] for k in keep], np.int64)
        answers = Answers(item, answers.label[keep], answers.count[keep], answers.given[rows])
    assert given.logits is not None
    return compute(
        Predictions(
            given.logits[rows],
            given.labels[rows],
            multi_label=given.multi_label,
            answers=answers,
            thresholds=given.thresholds,
        ),
        parse_metrics(entries),
    )


def test_classification_is_of_the_slice_s_items() -> None:
    given = predictions()
    numbers, notes = slice_numbers(given, slices(), parse_metrics([*CLASSIFIES, *RANKS]))
    assert notes == []
    for name, rows in slices().rows():
        mine = {k.removeprefix(f"slice/{name}/"): v for k, v in numbers.items() if k.startswith(f"slice/{name}/")}
        if not rows.any():
            assert name == "kind=unseen"
            assert not mine
            continue
        expected = by_hand(given, rows, CLASSIFIES)
        assert {key: mine[key] for key in expected} == expected
    assert {key.split("/")[1] for key in numbers} == {"kind=a%2Fb", "kind=easy", "kind=hard"}


def test_retrieval_is_of_the_slice_s_queries_in_the_whole_gallery() -> None:
    given = predictions()
    assert given.pairs is not None
    numbers, _ = slice_numbers(given, slices(), parse_metrics(RANKS))
    for name, rows in slices().rows():
        for way, scores, queries, gallery in (
            ("i2t", given.pairs, np.arange(COUNT), given.owner),
            ("t2i", given.pairs.T, given.owner, np.arange(COUNT)),
        ):
            hits, firsts = [], []
            for row in np.flatnonzero(rows[queries]):
                good = given.groups[gallery] == given.groups[queries[row]]
                best = scores[row][good].max()
                above, tied = (scores[row] > best).sum(), (scores[row] == best).sum()
                right = (scores[row][good] == best).sum()
                # In a random order of the tied ones: not one right among those that still fit.
                miss = np.prod([(tied - right - j) / (tied - j) for j in range(int(np.clip(5 - above, 0, tied)))])
                hits.append(1 - max(0.0, miss))
                firsts.append(above + (tied + 1) / (right + 1))
            if hits:
                assert numbers[f"slice/{name}/{way}/recall@5"] == pytest.approx(np.mean(hits))
                assert numbers[f"slice/{name}/{way}/mean_rank"] == pytest.approx(np.mean(firsts))


def test_queries_without_a_match_are_counted_by_slice() -> None:
    """An image whose captions are none of the gallery's: here an item without a caption."""
    base = predictions()
    assert base.pairs is not None
    keep = base.owner != 3  # item 3 ("a/b") has no caption, and is alone in its group
    given = replace(base, owner=base.owner[keep], pairs=base.pairs[:, keep], groups=np.arange(COUNT))
    numbers, _ = slice_numbers(given, slices(), parse_metrics(["recall@1"]))
    assert compute(given, parse_metrics(["recall@1"]))["i2t/skipped/recall@1"] == 1
    assert numbers["slice/kind=a%2Fb/i2t/skipped/recall@1"] == 1
    assert "slice/kind=easy/i2t/skipped/recall@1" not in numbers


def test_a_slice_of_one_class_is_what_the_metric_makes_of_it() -> None:
    labels = np.array([0 if i % 3 == 1 else i % CLASSES for i in range(COUNT)])
    given = predictions(labels=labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers, notes = slice_numbers(given, slices(), parse_metrics(["accuracy", "average_precision", "auroc"]))
    rows = dict(slices().rows())["kind=easy"]
    assert set(labels[rows]) == {0}
    expected = by_hand(given, rows, ["accuracy", "average_precision"])
    assert {k: numbers[f"slice/kind=easy/{k}"] for k in expected} == expected
    assert "slice/kind=easy/auroc" not in numbers
    assert [note for note in notes if note.startswith("kind=easy: 'auroc'")]


def test_several_labels_and_answers() -> None:
    rng = np.random.default_rng(1)
    several = predictions(
        labels=rng.integers(0, 2, (COUNT, CLASSES)), multi_label=True, thresholds={"f1": 0.5, "f1/micro": 1.0}
    )
    answers = Answers.of([{"abc"[i % 3]: 1 + i % 4, "b": 2} for i in range(COUNT)], ["a", "b", "c"])
    with_answers = predictions(answers=answers)
    for given, entries in ((several, ["average_precision", "f1"]), (with_answers, ["accuracy", "vqa_accuracy"])):
        numbers, notes = slice_numbers(given, slices(), parse_metrics(entries))
        assert notes == []
        for name, rows in slices().rows():
            if rows.any():
                expected = by_hand(given, rows, entries)
                assert {key: numbers[f"slice/{name}/{key}"] for key in expected} == expected


def test_they_come_again_from_what_is_stored(tmp_path: Path) -> None:
    given, metrics = predictions(), parse_metrics([*CLASSIFIES, *RANKS, "map"])
    loader: Any = SimpleNamespace(positions=np.arange(COUNT))
    numbers, _ = slice_numbers(given, slices(), metrics)
    save_predictions(tmp_path / "predictions-test.npz", given, loader, slices())
    stored = load_predictions(tmp_path, "test")
    assert stored.slices.values == slices().values
    assert slice_numbers(stored, stored.slices, metrics)[0] == numbers
    assert not any("/map" in key for key in numbers)  # its lists are not stored by slice
    assert slice_numbers(given, Slices(), metrics) == ({}, [])


def test_what_is_no_category_is_refused() -> None:
    with pytest.raises(ValueError, match=rf"'id' has {MOST + 1} values, such as '0'"):
        Slices.of([{"id": str(i)} for i in range(MOST + 1)])
    with pytest.raises(ValueError, match="needs a name without '/' and '='"):
        Slices.of([{"a=b": "c"}])
    with pytest.raises(ValueError, match="codes that are not of their values"):
        Slices.parse('{"a": ["b"]}', np.array([[1]]))
    one, other = Slices.of([{"a": "x"}, {"a": "y"}]), Slices.of([{"a": "x", "b": ""}, {"a": "x"}])
    assert differing_fields(one, other) == ["a"]
    assert differing_fields(one, one) == []
