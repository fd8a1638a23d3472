"""Metrics as functions: those of the registry bit for bit, other libraries' where they agree, and clear refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as tc
import torchmetrics.functional.retrieval as tr
from sklearn import metrics as sk

import vsebench as vb
from vsebench.components.metric._answers import Answers
from vsebench.components.metric.base import Predictions
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.core.registry import METRICS

m = vb.metrics
RANKED: list[tuple[str, str, dict[str, Any]]] = [
    ("recall@1", "recall", {"k": 1}),
    ("recall@5", "recall", {"k": 5}),
    ("set_recall@3", "set_recall", {"k": 3}),
    ("cross_precision@3", "cross_precision", {"k": 3}),
    ("map", "map", {}),
    ("map@r", "map", {"k": "r"}),
    ("map@4:found", "map", {"k": 4, "variant": "found"}),
    ("map@4:min", "map", {"k": 4, "variant": "min"}),
    ("map@4:all", "map", {"k": 4, "variant": "all"}),
    ("ndcg@4", "ndcg", {"k": 4}),
    ("median_rank", "median_rank", {}),
    ("mean_rank", "mean_rank", {}),
]


def ranking(levels: int = 7, images: int = 12, captions: int = 30, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Scores with ties, the item of each caption, groups of items, and relevance as a matrix."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(-levels // 2, levels // 2 + 1, (images, captions)).astype(np.float32)
    owner, groups = rng.integers(0, images, captions), rng.integers(0, images - 3, images)
    return scores, owner, groups, groups[:, None] == groups[owner][None]


def test_every_metric_is_a_function() -> None:
    assert set(m.__all__) == {name for name in METRICS.names() if METRICS.builtin_file(name)}
    assert all(callable(getattr(m, name)) for name in m.__all__)


@pytest.mark.parametrize(("entry", "name", "options"), RANKED, ids=[entry for entry, _, _ in RANKED])
@pytest.mark.parametrize("seed", range(3))
def test_rankings_equal_the_registered_metric(entry: str, name: str, options: dict[str, Any], seed: int) -> None:
    scores, owner, groups, relevant = ranking(seed=seed)
    predictions = Predictions(None, np.zeros(12, np.int64), owner=owner, groups=groups, pairs=scores)
    expected = compute(predictions, parse_metrics([entry]))
    function = getattr(m, name)
    assert function(scores, relevant, **options) == expected[f"i2t/{entry}"]
    assert function(scores.T, relevant.T, **options) == expected[f"t2i/{entry}"]


def test_sums_and_folds_equal_the_registered_metric() -> None:
    scores, owner, groups, relevant = ranking()
    predictions = Predictions(None, np.zeros(12, np.int64), owner=owner, groups=groups, pairs=scores)
    assert m.rsum(scores, relevant) == compute(predictions, parse_metrics(["rsum"]))["rsum"]
    rng = np.random.default_rng(0)
    scores, owner = rng.integers(0, 99, (2000, 2500)).astype(np.float32), rng.permutation(np.arange(2500) % 2000)
    predictions = Predictions(None, np.zeros(2000, np.int64), owner=owner, pairs=scores)
    expected = compute(predictions, parse_metrics(["recall_1k@5", "rsum_1k"]))
    assert m.recall_1k(scores, owner, k=5) == expected["i2t/recall_1k@5"]
    assert m.recall_1k(scores, owner, k=5, direction="t2i") == expected["t2i/recall_1k@5"]
    assert m.rsum_1k(scores, owner) == expected["rsum_1k"]


def test_gains_equal_the_registered_metric() -> None:
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, (9, 5)), rng.normal(size=(9, 9)).astype(np.float32)
    predictions = Predictions(None, labels, multi_label=True, pairs=scores, unranked="labels match")
    assert m.ndcg(scores, labels @ labels.T, k=4) == compute(predictions, parse_metrics(["ndcg@4"]))["i2t/ndcg@4"]


@pytest.mark.parametrize("multi_label", [False, True])
def test_classification_equals_the_registered_metric(multi_label: bool) -> None:
    rng = np.random.default_rng(2)
    logits = rng.integers(-3, 4, (40, 7)).astype(np.float32)
    labels = rng.integers(0, 2, (40, 7)) if multi_label else rng.integers(0, 7, 40)
    predictions = Predictions(logits, labels, multi_label=multi_label, thresholds={"f1": 0.5, "f1/micro": 0.5})
    entries = ["average_precision", "auroc", "f1", "nll", "brier"]
    entries += [] if multi_label else ["accuracy", "balanced_accuracy", "top5_accuracy", "ece"]
    expected = compute(predictions, parse_metrics(entries))
    for name in entries:
        options = {"threshold": 0.5} if name == "f1" else {}
        assert getattr(m, name)(logits, labels, **options) == expected[name], name
    for average in ("micro", "weighted", *(["samples"] if multi_label else [])):
        assert m.average_precision(logits, labels, average=average) == expected[f"average_precision/{average}"]
    assert m.f1(logits, labels, average="micro", threshold=0.5) == expected["f1/micro"]


def test_answers_neighbours_and_codes_equal_the_registered_metric() -> None:
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(2, 3)), np.array([0, 1])
    answers = Answers.of([{"a": 4, "b": 6}, {"c": 7, "other": 3}], ["a", "b", "c"])
    expected = compute(Predictions(logits, labels, answers=answers), parse_metrics(["vqa_accuracy"]))
    assert m.vqa_accuracy(logits, [[4, 6, 0], [0, 0, 7]]) == expected["vqa_accuracy"]

    vectors, classes = rng.normal(size=(20, 4)).astype(np.float32), rng.integers(0, 3, 20)
    expected = compute(Predictions(None, classes, embeddings={"image": vectors}), parse_metrics(["precision@3"]))
    assert m.precision(vectors, classes, k=3) == expected["i2i/precision@3"]

    codes = rng.choice(np.array([-1, 1], np.float32), (2, 20, 6))
    both = {"image": codes[0], "text": codes[1]}
    predictions = Predictions(None, classes, embeddings=both, groups=classes, similarity="hamming")
    entries = ["hamming_map", "hamming_map:stable", "hamming_lookup@2", "hamming_lookup@2:micro"]
    expected = compute(predictions, parse_metrics(entries))
    relevant = classes[:, None] == classes
    for variant, ending in ((None, ""), ("stable", ":stable")):
        assert m.hamming_map(*codes, relevant, variant=variant) == expected[f"i2t/hamming_map{ending}"]
    for variant, ending in ((None, ""), ("micro", ":micro")):
        values = m.hamming_lookup(*codes, relevant, k=2, variant=variant)
        assert values == {name: expected[f"i2t/hamming_lookup@2{ending}/{name}"] for name in values}
        assert set(values) == {"precision", "recall", "f1", "empty"}


def test_rankings_equal_other_libraries_without_ties() -> None:
    """Scores are positive: torchmetrics drops the others."""
    rng = np.random.default_rng(4)
    scores = rng.permutation(6 * 15).reshape(6, 15).astype(np.float32) + 1
    relevant = rng.random((6, 15)) < 0.3
    relevant[:, 0] = True

    def mean(function: Callable[..., torch.Tensor], **options: Any) -> float:
        pairs = zip(torch.from_numpy(scores), torch.from_numpy(relevant), strict=True)
        return float(np.mean([float(function(s, r, **options)) for s, r in pairs]))

    close = pytest.approx
    assert m.map(scores, relevant) == close(mean(tr.retrieval_average_precision), abs=1e-6)
    assert m.recall(scores, relevant, k=3) == close(mean(tr.retrieval_hit_rate, top_k=3), abs=1e-6)
    assert m.set_recall(scores, relevant, k=3) == close(mean(tr.retrieval_recall, top_k=3), abs=1e-6)
    assert m.cross_precision(scores, relevant, k=3) == close(mean(tr.retrieval_precision, top_k=3), abs=1e-6)
    gains = relevant * rng.integers(1, 4, relevant.shape)
    assert m.ndcg(scores, gains, k=5) == close(sk.ndcg_score(gains, scores, k=5))
    expected = [sk.label_ranking_average_precision_score(relevant[i : i + 1], scores[i : i + 1]) for i in range(6)]
    assert m.map(scores, relevant) == close(np.mean(expected))


def test_ndcg_with_ties_equals_that_of_scikit_learn() -> None:
    """It too takes the expectation over the order of ties."""
    scores, _, _, relevant = ranking(levels=3)
    selected = relevant.any(1)
    assert m.ndcg(scores, relevant, k=5) == pytest.approx(sk.ndcg_score(relevant[selected], scores[selected], k=5))


def test_classification_equals_other_libraries() -> None:
    rng = np.random.default_rng(5)
    logits, labels, many = rng.normal(size=(60, 7)), rng.integers(0, 7, 60), rng.integers(0, 2, (60, 7))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    t, y, both = torch.from_numpy(shares), torch.from_numpy(labels), torch.from_numpy(many)
    sigmoid = torch.from_numpy(logits).sigmoid()
    one = {"num_classes": 7}
    close = pytest.approx
    assert m.accuracy(logits, labels) == close(float(tc.multiclass_accuracy(t, y, 7, average="micro")))
    assert m.balanced_accuracy(logits, labels) == close(sk.balanced_accuracy_score(labels, logits.argmax(1)))
    assert m.top5_accuracy(logits, labels) == close(sk.top_k_accuracy_score(labels, logits, k=5))
    assert m.nll(logits, labels) == close(sk.log_loss(labels, shares))
    of_class = [sk.brier_score_loss(labels == c, shares[:, c]) for c in range(shares.shape[1])]
    assert m.brier(logits, labels) == close(sum(of_class))
    assert m.f1(logits, labels) == close(sk.f1_score(labels, logits.argmax(1), average="macro"))
    assert m.auroc(logits, labels) == close(float(tc.multiclass_auroc(t, y, **one)), abs=1e-6)
    assert m.auroc(logits[:, 0], many[:, 0]) == close(sk.roc_auc_score(many[:, 0], logits[:, 0]))
    assert m.average_precision(logits[:, 0], many[:, 0]) == close(sk.average_precision_score(many[:, 0], logits[:, 0]))
    for average in ("macro", "micro", "weighted"):
        expected = tc.multilabel_average_precision(sigmoid, both, 7, average=average)
        assert m.average_precision(logits, many, average=average) == close(float(expected), abs=1e-6)
    some = many.any(1)  # scikit-learn counts items without a label as 0; here they are left out
    expected = sk.average_precision_score(many[some], logits[some], average="samples")
    assert m.average_precision(logits, many, average="samples") == close(expected)


def test_constant_scores_are_chance_and_the_order_of_the_gallery_does_not_matter() -> None:
    scores, _, _, relevant = ranking(levels=3)
    order = np.random.default_rng(0).permutation(scores.shape[1])
    for name, options in (("recall", {"k": 4}), ("map", {}), ("ndcg", {"k": 4}), ("mean_rank", {})):
        function = getattr(m, name)
        assert function(scores[:, order], relevant[:, order], **options) == pytest.approx(
            function(scores, relevant, **options)
        )
    assert m.recall(np.zeros((4, 10)), np.eye(4, 10), k=3) == pytest.approx(0.3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensors_are_taken(dtype: torch.dtype) -> None:
    scores, _, _, relevant = ranking()
    tensor = torch.from_numpy(scores).to(dtype).requires_grad_()  # small whole numbers are exact in any of them
    assert m.map(tensor, torch.from_numpy(relevant)) == m.map(scores, relevant)
    assert isinstance(m.map(tensor, torch.from_numpy(relevant)), float)
    assert m.accuracy(tensor[:, :7], torch.zeros(12, dtype=torch.long)) == m.accuracy(scores[:, :7], np.zeros(12, int))


ONE = [[0.5, 0.1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: m.recall(ONE, [[1, 0], [0, 1]]),
            "similarity has shape (1, 2), relevant (2, 2); they must be the same.",
        ),
        (lambda: m.recall([0.5], [[1]]), "similarity has shape (1,); it must be (Q, G)."),
        (lambda: m.recall([["a"]], [[1]]), "similarity holds <U1; it must hold numbers."),
        (
            lambda: m.recall(ONE, ONE),
            "relevant holds 0.5; it must hold true and false, or whole numbers from 0.",
        ),
        (lambda: m.ndcg(ONE, [[-1, 0]]), "gains holds -1; it must hold true and false, or whole numbers from 0."),
        (lambda: m.recall([[np.nan, 0.1]], [[1, 0]]), "the scores of query 0 are NaN or infinite."),
        (lambda: m.recall(ONE, [[0, 0]]), "no query of i2t has a relevant item in the gallery."),
        (lambda: m.recall(ONE, [[1, 0]], k=0), "option 'k' of metric 'recall': must be greater than 0. Got 0."),
        (lambda: m.map(ONE, [[1, 0]], k=2), "'variant' (found, min or all) goes with a number k, and k with it."),
        (lambda: m.recall(np.zeros((0, 2)), np.zeros((0, 2))), "similarity is empty; there is nothing to measure."),
        (lambda: m.accuracy(ONE, [0, 1]), "logits has shape (1, 2), labels (2,); they must be of the same items."),
        (lambda: m.accuracy(ONE, [[0, 1]]), "labels has shape (1, 2); it must be (n,)."),
        (lambda: m.accuracy(ONE, [2]), "the label of item 0 is 2; it is a class from 0 to 1."),
        (
            lambda: m.average_precision(ONE, [0], average="samples"),
            "average_precision has no average 'samples' for these labels. Known: macro, micro, weighted.",
        ),
        (lambda: m.average_precision([0.5], [[1]]), "labels has shape (1, 1); it must be (n,)."),
        (lambda: m.vqa_accuracy(ONE, [[11, 0]]), "item 0 has 11 answers of 10 annotators."),
        (lambda: m.hamming_map([[1, 0.5]], [[1, 1]], [[1]]), "queries must hold −1 and +1; row 0 holds other numbers."),
        (lambda: m.hamming_map([[1]], [[1, 1]], [[1]]), "queries are codes of 1 bits, gallery of 2."),
        (lambda: m.precision(ONE, [0, 1]), "embeddings has shape (1, 2), labels (2,); they must be of the same items."),
        (
            lambda: m.recall_1k(np.eye(3), [0, 1, 2]),
            "folds of 1,000 images need a split of whole folds; this one has 3 images.",
        ),
        (lambda: m.recall_1k(ONE, [0]), "caption_to_image is of 1 captions, similarity of 2."),
    ],
)
def test_refusals_are_one_line(call: Callable[[], float], message: str) -> None:
    with pytest.raises(vb.VsebenchError) as caught:
        call()
    assert str(caught.value) == message
