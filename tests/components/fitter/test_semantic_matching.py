from __future__ import annotations

import numpy as np
import pytest
import torch
from fitted import check_fitter, embeddings
from materials import Arrays, topics
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from vsebench.components.fitter.semantic_matching import SemanticMatching
from vsebench.core.errors import TrainingError


def fitted(data: Arrays, **options: object) -> SemanticMatching:
    fitter = SemanticMatching(data.dims, data.num_classes, data.labels.ndim > 1, **options)  # type: ignore[arg-type]
    fitter.fit(data)
    return fitter


def scaled(data: Arrays, modality: str) -> np.ndarray:
    rows = data.vectors(modality).double().numpy()
    return np.asarray((rows - rows.mean(0)) / np.sqrt(rows.var(0).sum()))


@pytest.mark.parametrize("classes", [2, 4])
def test_equals_scikit_learn(classes: int) -> None:
    vectors, labels = topics(classes=classes)
    data = Arrays(vectors, labels)
    result = embeddings(fitted(data, c=3.0, center="none"), data)
    for modality, values in result.items():
        rows = scaled(data, modality)
        expected = LogisticRegression(C=3.0, max_iter=1000).fit(rows, labels.numpy()).predict_proba(rows)
        np.testing.assert_allclose(values, expected, atol=1e-4)
        np.testing.assert_allclose(values.sum(1), 1.0, atol=1e-6)


def test_the_minimum_has_no_gradient() -> None:
    """½‖W‖² + C Σ −ln p has gradient W + C Σ_i x_i (p_i − y_i)ᵀ."""
    vectors, labels = topics(classes=3)
    data = Arrays(vectors, labels)
    fitter = fitted(data, c=2.0, center="none")
    rows, p = torch.from_numpy(scaled(data, "image")), embeddings(fitter, data)["image"].double()
    scale = data.vectors("image").double().var(0, unbiased=False).sum().sqrt()
    weight = fitter.learned("logit_weight_image").double() * scale
    wrong = p - torch.nn.functional.one_hot(labels, 3)
    assert (weight + 2.0 * rows.T @ wrong).abs().max() < 1e-2 * weight.abs().max()
    assert wrong.sum(0).abs().max() < 1e-2


def test_several_labels_are_one_against_the_rest() -> None:
    vectors, labels = topics(classes=3)
    several = torch.nn.functional.one_hot(labels, 3).float()
    several[::5, 0] = 1.0
    data = Arrays(vectors, several)
    result = embeddings(fitted(data, c=3.0, center="none"), data)
    for modality, values in result.items():
        model = OneVsRestClassifier(LogisticRegression(C=3.0, max_iter=1000))
        rows = scaled(data, modality)
        np.testing.assert_allclose(values, model.fit(rows, several.numpy()).predict_proba(rows), atol=1e-4)
    assert data.reported[0][1].keys() == {"accuracy_image", "accuracy_text"}


def test_labels_that_all_items_or_none_have() -> None:
    vectors, _ = topics(count=9)
    labels = torch.zeros(9, 3)
    labels[:, 0] = 1.0
    labels[4:, 2] = 1.0
    data = Arrays(vectors, labels)
    result = embeddings(fitted(data, center="none"), data)["text"]
    torch.testing.assert_close(result[:, 0], torch.full((9,), 9.5 / 10))
    torch.testing.assert_close(result[:, 1], torch.full((9,), 0.5 / 10))


def test_a_class_without_items_has_probability_zero() -> None:
    vectors, labels = topics(classes=2)
    result = embeddings(fitted(data := Arrays(vectors, 2 * labels, num_classes=4), center="none"), data)["image"]
    assert result[:, [1, 3]].abs().max() == 0
    two = embeddings(fitted(data := Arrays(vectors, labels), center="none"), data)["image"]
    torch.testing.assert_close(result[:, [0, 2]], two)


def test_centres() -> None:
    vectors, labels = topics(classes=4)
    data = Arrays(vectors, labels)
    plain, uniform, mean = (embeddings(fitted(data, center=c), data)["text"] for c in ("none", "uniform", "mean"))
    torch.testing.assert_close(uniform, plain - 0.25)
    torch.testing.assert_close(mean, plain - plain.mean(0))
    several = Arrays(vectors, torch.nn.functional.one_hot(labels, 4).float())
    plain, uniform = (embeddings(fitted(several, center=c), several)["text"] for c in ("none", "uniform"))
    torch.testing.assert_close(uniform, plain - 0.5)


def test_neither_units_nor_offsets_matter() -> None:
    vectors, labels = topics()
    result = embeddings(fitted(data := Arrays(vectors, labels)), data)["image"]
    other = embeddings(fitted(data := Arrays({m: 1000 * v + 5 for m, v in vectors.items()}, labels)), data)["image"]
    torch.testing.assert_close(other, result, rtol=1e-3, atol=1e-3)


def test_the_square_root_is_taken_first() -> None:
    vectors, labels = topics()
    data = Arrays({m: v.sign() * v.square() for m, v in vectors.items()}, labels)
    rooted = embeddings(fitted(data, transform={"image": "sqrt", "text": "sqrt"}), data)["image"]
    torch.testing.assert_close(rooted, embeddings(fitted(data := Arrays(vectors, labels)), data)["image"])


def test_constant_vectors_give_the_shares_of_the_classes() -> None:
    _, labels = topics(classes=3)
    data = Arrays({"image": torch.ones(120, 2), "text": torch.zeros(120, 2)}, labels)
    result = embeddings(fitted(data, center="none"), data)["image"]
    torch.testing.assert_close(result, torch.full((120, 3), 1 / 3), atol=1e-4, rtol=0)


def test_promises() -> None:
    vectors, labels = topics()
    data = Arrays(vectors, labels)
    check_fitter(lambda: SemanticMatching(data.dims, 3, False), data)
    assert data.reported[0][1]["accuracy_image"] > 0.9
    several = Arrays(vectors, torch.nn.functional.one_hot(labels, 3).float())
    check_fitter(lambda: SemanticMatching(data.dims, 3, True, center="uniform"), several)


def test_errors() -> None:
    vectors, labels = topics()
    with pytest.raises(TrainingError, match="learns from labels, and the training split has none"):
        fitted(Arrays(vectors))
    with pytest.raises(TrainingError, match="all training items have class 2"):
        fitted(Arrays(vectors, torch.full_like(labels, 2)))
    with pytest.raises(TrainingError, match=r"did not converge in 1 steps\. Raise max_iter or lower c\."):
        fitted(Arrays(vectors, labels), max_iter=1)
    with pytest.raises(TrainingError, match="at least 2 training items"):
        fitted(Arrays({m: v[:1] for m, v in vectors.items()}, labels[:1]))
    vectors["text"][5, 1] = torch.nan
    with pytest.raises(TrainingError, match="text vector of training item 5 is not finite"):
        fitted(Arrays(vectors, labels))
