from __future__ import annotations

import pytest
import torch
from fitted import check_fitter, embeddings
from materials import Arrays, topics

from vsebench.components.fitter.cca import CCA
from vsebench.components.fitter.semantic_correlation import SemanticCorrelation
from vsebench.components.fitter.semantic_matching import SemanticMatching
from vsebench.core.errors import ConfigError, TrainingError


def fitted(data: Arrays, **options: object) -> SemanticCorrelation:
    fitter = SemanticCorrelation(data.dims, data.num_classes, data.labels.ndim > 1, **options)  # type: ignore[arg-type]
    fitter.fit(data)
    return fitter


def test_is_semantic_matching_of_canonical_projections() -> None:
    vectors, labels = topics()
    data = Arrays(vectors, labels)
    options = {"dim": 3, "ridge": 0.1, "power": 1.0, "transform": {"image": "sqrt"}}
    cca = CCA(data.dims, **options)  # type: ignore[arg-type]
    cca.fit(data)
    projected = Arrays(embeddings(cca, data), labels)
    matching = SemanticMatching(projected.dims, 3, False, c=2.0, center="uniform")
    matching.fit(projected)
    result = embeddings(fitted(data, c=2.0, center="uniform", **options), data)
    torch.testing.assert_close(result, embeddings(matching, projected), rtol=1e-3, atol=1e-5)


def test_promises() -> None:
    vectors, labels = topics()
    data = Arrays(vectors, labels)
    check_fitter(lambda: SemanticCorrelation(data.dims, 3, False, dim=2), data)
    assert data.reported[0][1].keys() == {"correlation", "accuracy_image", "accuracy_text"}
    several = Arrays(vectors, torch.nn.functional.one_hot(labels, 3).float())
    check_fitter(lambda: SemanticCorrelation(data.dims, 3, True), several)


def test_errors() -> None:
    vectors, labels = topics()
    with pytest.raises(ConfigError, match="fitter 'semantic_correlation': dim is 6, and text vectors have 5 entries"):
        SemanticCorrelation({"image": 7, "text": 5}, 3, False, dim=6)
    with pytest.raises(TrainingError, match="fitter 'semantic_correlation' learns from labels"):
        fitted(Arrays(vectors))
    with pytest.raises(TrainingError, match="did not converge in 1 steps"):
        fitted(Arrays(vectors, labels), max_iter=1)
    with pytest.raises(TrainingError, match="fitter 'semantic_correlation': dim is 5, and the training items have 2"):
        fitted(Arrays({m: v[:3] for m, v in vectors.items()}, labels[:3]), dim=5)
