from __future__ import annotations

import pytest
import torch

from vsebench.components.reranker.base import Ranked
from vsebench.components.reranker.category_query import CategoryQuery
from vsebench.core.errors import ConfigError


def ranked() -> Ranked:
    torch.manual_seed(0)
    query, gallery = torch.randn(3, 4), torch.randn(5, 4)
    scores = torch.nn.functional.cosine_similarity(query[:, None], gallery[None], dim=-1)
    return Ranked(scores, query, gallery, torch.randn(3, 2), torch.randn(2, 4))


def test_equals_a_loop_over_pairs() -> None:
    given = ranked()
    result = CategoryQuery(weight=0.5)(given)
    for q in range(3):
        prototype = given.prototypes[int(given.query_logits[q].argmax())]
        for g in range(5):
            item = given.gallery[g]
            cosine = float(prototype @ item) / float(prototype.norm() * item.norm())
            assert float(result[q, g]) == pytest.approx(float(given.scores[q, g]) + 0.5 * cosine, abs=1e-6)


def test_weight_0_changes_nothing() -> None:
    given = ranked()
    assert torch.equal(CategoryQuery(weight=0.0)(given), given.scores)


def test_items_of_the_seen_class_come_first() -> None:
    gallery = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    given = Ranked(torch.zeros(1, 2), torch.ones(1, 2), gallery, torch.tensor([[0.0, 9.0]]), gallery)
    assert CategoryQuery()(given).argmax().item() == 1


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'weight' of reranker 'category_query'"):
        CategoryQuery(weight=-1.0)
