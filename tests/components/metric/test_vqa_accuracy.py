"""Soft accuracy equals the sentence that defines it, subset by subset."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from vsebench.components.metric._answers import Answers
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.vqa_accuracy import soft, vqa_accuracy
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import compute, mode_of, needs_embeddings, parse_metrics

NAMES = ["no", "red", "two", "yes"]


def slow(answer: str, message: list[str]) -> float:
    """Mean over the subsets of all annotators but one."""
    subsets = list(combinations(message, len(message) - 1))
    return sum(min(subset.count(answer) / 3, 1.0) for subset in subsets) / len(subsets)


def counted(message: list[str]) -> dict[str, int]:
    return {a: message.count(a) for a in message}


def predictions(logits: Any, message: list[list[str]] | None) -> Predictions:
    answers = None if message is None else Answers.of([counted(one) for one in message], NAMES)
    logits = np.asarray(logits, np.float32)
    return Predictions(logits, np.zeros(len(logits), np.int64), answers=answers)


@pytest.mark.parametrize("annotators", [2, 3, 10])
def test_an_answers_worth_is_the_mean_over_the_subsets(annotators: int) -> None:
    for given in range(annotators + 1):
        lines = ["yes"] * given + ["no"] * (annotators - given)
        assert float(soft(np.array(given), np.array(annotators))) == pytest.approx(slow("yes", lines))


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_loop_over_items(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = [rng.choice([*NAMES, "elsewhere", "nowhere"], 10).tolist() for _ in range(40)]
    logits = rng.normal(size=(40, 4))
    wanted = [slow(NAMES[int(row.argmax())], one) for row, one in zip(logits, lines, strict=True)]
    result = vqa_accuracy(predictions(logits, lines))["vqa_accuracy"]
    assert result == pytest.approx(float(np.mean(wanted)))
    assert 0 < result < 1


def test_ties_count_in_expectation() -> None:
    lines = [["yes"] * 8 + ["red"] * 2, ["no"] * 10, ["elsewhere"] * 10]
    wanted = [np.mean([slow(a, lines[0]) for a in ("red", "yes")]), np.mean([slow(a, lines[1]) for a in NAMES]), 0.0]
    logits = [[0, 1, 0, 1], [-2, -2, -2, -2], [0, 0, 1, 0]]
    assert vqa_accuracy(predictions(logits, lines))["vqa_accuracy"] == pytest.approx(float(np.mean(wanted)))


def test_a_part_has_its_own_answers() -> None:
    rng = np.random.default_rng(0)
    lines = [rng.choice(NAMES, 10).tolist() for _ in range(12)]
    logits = rng.normal(size=(12, 4))
    whole = predictions(logits, lines)
    whole = Predictions(whole.logits, whole.labels, groups=np.arange(12), owner=np.arange(12), answers=whole.answers)
    for k, fold in enumerate(whole.folds(4)):
        rows = slice(4 * k, 4 * k + 4)
        assert vqa_accuracy(fold) == vqa_accuracy(predictions(logits[rows], lines[rows]))


def test_data_without_answers_and_too_few_of_them() -> None:
    metrics = parse_metrics(["vqa_accuracy"])
    with pytest.raises(MetricError, match="needs annotators' answers, and this dataset has none; use accuracy"):
        compute(predictions(np.eye(4), None), metrics)
    with pytest.raises(MetricError, match="2 items have fewer than two; the first is item 1"):
        compute(predictions(np.eye(4), [["yes"] * 3, ["yes"], [], ["no"] * 2]), metrics)


def test_it_is_no_metric_of_a_ranking() -> None:
    assert not needs_embeddings(parse_metrics(["accuracy", "vqa_accuracy"]))
    assert mode_of("test/vqa_accuracy") == "max"
    without = Predictions(None, np.zeros(2, np.int64), answers=Answers.of([{"yes": 10}] * 2, NAMES))
    assert compute(without, parse_metrics(["vqa_accuracy"])) == {}
