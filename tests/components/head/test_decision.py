from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vsebench.components.head.decision import Decision
from vsebench.core.errors import ConfigError

DIMS = {"image": 4, "text": 3, "audio": 2}
ITEMS, CLASSES = 6, 3
#: Item 0 has everything; 1 to 3 lack one; 4 has the text only; 5 has nothing.
PRESENT = {
    "image": torch.tensor([True, False, True, True, False, False]),
    "text": torch.tensor([True, True, False, True, True, False]),
    "audio": torch.tensor([True, True, True, False, False, False]),
}
RULES = ["mean", "weighted", "product", "max", "vote"]


def build(multi_label: bool = False, dims: dict[str, int] | None = None, **options: Any) -> Decision:
    torch.manual_seed(0)
    head = Decision(dims or DIMS, CLASSES, multi_label, **{"hidden": None, **options})
    if isinstance(head.log_weights, torch.nn.Parameter):
        head.log_weights.data = torch.randn(len(head.log_weights))
    return head


def vectors_of(dims: dict[str, int], count: int = ITEMS) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {m: 2 * torch.randn(count, d, generator=generator) for m, d in dims.items()}


def everywhere(dims: dict[str, int], count: int = ITEMS) -> dict[str, Tensor]:
    return {m: torch.ones(count, dtype=torch.bool) for m in dims}


def softmax(logits: list[float]) -> list[float]:
    exps = [math.exp(x) for x in logits]
    return [e / sum(exps) for e in exps]


def normalised(values: list[float]) -> list[float]:
    return [v / sum(values) for v in values]


def combined(rule: str, message: list[list[float]], weights: list[float]) -> list[float]:
    """The probabilities of several classifiers as one, by the definition of each rule."""
    if not message:
        return [1 / CLASSES] * CLASSES
    count = len(message[0])
    w = normalised(weights)
    mean = [sum(p[c] for p in message) / len(message) for c in range(count)]
    if rule == "mean":
        return mean
    if rule == "weighted":
        return [sum(w_m * p[c] for w_m, p in zip(w, message, strict=True)) for c in range(count)]
    if rule == "product":
        return normalised([math.prod(p[c] ** w_m for w_m, p in zip(w, message, strict=True)) for c in range(count)])
    if rule == "max":
        return normalised([max(p[c] for p in message) for c in range(count)])
    votes = [sum(max(range(count), key=p.__getitem__) == c for p in message) for c in range(count)]
    return [(v + m) / (len(message) + 1) for v, m in zip(votes, mean, strict=True)]


@pytest.mark.parametrize("rule", RULES)
@torch.no_grad()
def test_equals_a_loop_over_items_and_the_modalities_they_have(rule: str) -> None:
    head, vectors = build(combine=rule), vectors_of(DIMS)
    result = head(vectors, PRESENT).softmax(-1)
    for b in range(ITEMS):
        here = [m for m in DIMS if PRESENT[m][b]]
        lines = [softmax(head.parts[m](vectors[m][b]).tolist()) for m in here]
        weights = [math.exp(float(head.log_weights[list(DIMS).index(m)])) for m in here]
        assert result[b].tolist() == pytest.approx(combined(rule, lines, weights), abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
@torch.no_grad()
def test_the_logits_are_the_logarithms_of_the_probabilities(rule: str) -> None:
    logits = build(combine=rule)(vectors_of(DIMS), PRESENT)
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(ITEMS))


@pytest.mark.parametrize("rule", RULES)
@torch.no_grad()
def test_multi_label_combines_each_class_by_itself(rule: str) -> None:
    head, vectors = build(True, combine=rule), vectors_of(DIMS)
    result = head(vectors, PRESENT).sigmoid()
    for b in range(ITEMS):
        here = [m for m in DIMS if PRESENT[m][b]]
        weights = [math.exp(float(head.log_weights[list(DIMS).index(m)])) for m in here]
        for c in range(CLASSES):
            yes = [1 / (1 + math.exp(-float(head.parts[m](vectors[m][b])[c]))) for m in here]
            wanted = combined(rule, [[p, 1 - p] for p in yes], weights)[0] if here else 0.5
            assert float(result[b, c]) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
@torch.no_grad()
def test_one_modality_says_it_all(rule: str) -> None:
    head, vectors = build(dims={"text": 3}, combine=rule), vectors_of({"text": 3})
    logits, current = head(vectors, everywhere({"text": 3})), head.parts["text"](vectors["text"])
    if rule == "vote":
        assert torch.equal(logits.argmax(-1), current.argmax(-1))
    else:
        torch.testing.assert_close(logits, current.log_softmax(-1))
    assert "log_weights" not in dict(head.named_parameters())


def fixed_logits(head: Decision, message: dict[str, list[float]]) -> None:
    """Classifiers that give these probabilities whatever they see."""
    for m, p in message.items():
        out = head.parts[m].out
        out.weight.data.zero_()
        out.bias.data.copy_(torch.tensor(p).log())


@torch.no_grad()
def test_a_vote_is_not_overturned_and_a_tie_goes_to_the_larger_mean() -> None:
    head = build(combine="vote")
    vectors, present = vectors_of(DIMS, 1), everywhere(DIMS, 1)
    # Two weak votes for class 0 against a certain one for class 2, which the mean prefers.
    fixed_logits(head, {"image": [0.4, 0.3, 0.3], "text": [0.4, 0.3, 0.3], "audio": [0.005, 0.005, 0.99]})
    assert int(head(vectors, present).argmax()) == 0
    # One vote each: the mean decides.
    fixed_logits(head, {"image": [0.6, 0.1, 0.3], "text": [0.1, 0.5, 0.4], "audio": [0.1, 0.2, 0.7]})
    assert int(head(vectors, present).argmax()) == 2


@torch.no_grad()
def test_learned_weights_start_as_the_mean() -> None:
    torch.manual_seed(0)
    weighted = Decision(DIMS, CLASSES, False, combine="weighted")
    torch.manual_seed(0)
    mean = Decision(DIMS, CLASSES, False)
    torch.testing.assert_close(weighted(vectors_of(DIMS), PRESENT), mean(vectors_of(DIMS), PRESENT))


@torch.no_grad()
def test_fixed_weights_count_by_their_ratio() -> None:
    vectors, whole = vectors_of(DIMS), everywhere(DIMS)
    head = build(combine="weighted", weights={"image": 2.0, "text": 6.0, "audio": 8.0})
    probabilities = [head.parts[m](vectors[m]).softmax(-1) for m in DIMS]
    wanted = (probabilities[0] + 3 * probabilities[1] + 4 * probabilities[2]) / 8
    torch.testing.assert_close(head(vectors, whole).exp(), wanted)
    assert not [n for n, _ in head.named_parameters() if "weights" in n]


@pytest.mark.parametrize("rule", RULES)
def test_an_absent_modality_neither_speaks_nor_learns(rule: str) -> None:
    head, vectors = build(combine=rule), vectors_of(DIMS)
    absent = {**everywhere(DIMS), "audio": torch.zeros(ITEMS, dtype=torch.bool)}
    other = {**vectors, "audio": 100 * torch.randn(ITEMS, 2)}
    logits = head(vectors, absent)
    assert torch.equal(logits, head(other, absent))
    logits[:, 0].sum().backward()
    assert not bool(head.parts["audio"].out.weight.grad.any())
    assert bool(head.parts["text"].out.weight.grad.any())


def test_parts_are_each_modalitys_own_logits() -> None:
    head, vectors = build(), vectors_of(DIMS)
    parts: dict[str, Tensor] = {}
    head(vectors, PRESENT, parts)
    assert set(parts) == set(DIMS)
    for m, logits in parts.items():
        assert torch.equal(logits, head.parts[m](vectors[m]))


def test_weights_of_a_rule_that_takes_none_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        build(combine="max", weights={"image": 1.0, "text": 1.0, "audio": 1.0})
    assert str(caught.value) == (
        "head 'decision': combine 'max' takes no weights. Leave them out, or choose combine: weighted or product."
    )
    assert caught.value.path == ("weights",)


def test_weights_must_name_every_modality() -> None:
    with pytest.raises(ConfigError, match="head 'decision': weights lacks text and audio") as caught:
        build(combine="product", weights={"image": 1.0})
    assert caught.value.path == ("weights",)
