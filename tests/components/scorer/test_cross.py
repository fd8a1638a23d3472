from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from live_bytes import LiveBytes
from token_sets import sets
from torch import Tensor

from vsebench.components.scorer.cross import Cross
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens

DIM = 8


@pytest.fixture
def images() -> Tokens:
    return sets([4, 1, 3], 0, 6)


@pytest.fixture
def texts() -> Tokens:
    return sets([2, 5, 1, 3], 1, DIM)


def build(**options: object) -> Cross:
    torch.manual_seed(2)
    return Cross({"image": 6, "text": DIM}, DIM, **options)  # type: ignore[arg-type]


def side(module: Cross, modality: str, current: list[Tensor], other: list[Tensor]) -> Tensor:
    """One side's vector, token by token, with the attended tokens formed."""
    parts = []
    for query in current:
        logits = [math.exp(float(query @ k) / math.sqrt(DIM)) for k in other]
        attended = sum(x / sum(logits) * k for x, k in zip(logits, other, strict=True))
        if len(module.self_parts):
            parts.append(module.self_parts[modality](query) + module.attended[modality](attended))
        else:
            parts.append(query + attended)
    return sum(parts) / len(parts)


@pytest.mark.parametrize("combine", ["concat", "add"])
@torch.no_grad()
def test_equals_a_loop_over_pairs(images: Tokens, texts: Tokens, combine: str) -> None:
    module = build(combine=combine)
    result = module(images, texts)
    for i in range(3):
        regions = [module.project["image"](r) for r in images.values[i, images.mask[i]]]
        for j in range(4):
            words = list(texts.values[j, texts.mask[j]])
            pair = side(module, "image", regions, words), side(module, "text", words, regions)
            torch.testing.assert_close(result[i, j], F.cosine_similarity(*pair, dim=0), atol=1e-5, rtol=1e-5)


def test_padding_and_the_rest_of_the_batch_change_nothing(images: Tokens, texts: Tokens) -> None:
    module = build()
    with torch.no_grad():
        scores = module(images, texts)
        more = Tokens(F.pad(texts.values, (0, 0, 0, 7), value=float("nan")), F.pad(texts.mask, (0, 7), value=False))
        torch.testing.assert_close(module(images, more), scores)
        order = torch.tensor([2, 0, 3, 1])
        torch.testing.assert_close(module(images, Tokens(texts.values[order], texts.mask[order])), scores[:, order])
        for i, length in enumerate([4, 1, 3]):
            alone = Tokens(images.values[i : i + 1, :length], images.mask[i : i + 1, :length])
            torch.testing.assert_close(module(alone, texts)[0], scores[i])


@pytest.mark.parametrize("combine", ["concat", "add"])
def test_gradients_agree_with_differences(combine: str) -> None:
    module = build(combine=combine).double()
    images, texts = sets([3, 2], 5, 6), sets([2, 3], 6, DIM)

    def run(regions: Tensor, words: Tensor) -> Tensor:
        return module(Tokens(regions, images.mask), Tokens(words, texts.mask))

    inputs = (images.values.double().requires_grad_(), texts.values.double().requires_grad_())
    assert torch.autograd.gradcheck(run, inputs)


@pytest.mark.parametrize("combine", ["concat", "add"])
def test_empty_sides_score_0_and_have_finite_gradients(images: Tokens, texts: Tokens, combine: str) -> None:
    module = build(combine=combine)
    nothing = texts.mask.clone()
    nothing[1] = False
    values = [t.values.clone().requires_grad_() for t in (images, texts)]
    scores = module(Tokens(values[0], images.mask), Tokens(values[1], nothing))
    assert not scores[:, 1].any()
    assert bool(scores[0, 0] != 0)
    scores.sum().backward()
    assert all(bool(v.grad.isfinite().all()) for v in values)


@torch.no_grad()
def test_weights_equal_a_loop() -> None:
    module = build()
    images, texts = sets([4, 1, 3], 0, 6), sets([2, 5, 3], 1, DIM)
    result = module.weights(module.embed("image", images), module.embed("text", texts))
    assert list(result) == ["cross/text_to_image", "cross/image_to_text"]
    for row, (n, m) in enumerate(zip([4, 1, 3], [2, 5, 3], strict=True)):
        regions = [module.project["image"](r) for r in images.values[row, :n]]
        words = list(texts.values[row, :m])
        for name, queries, context in (("text_to_image", words, regions), ("image_to_text", regions, words)):
            for q, query in enumerate(queries):
                logits = [math.exp(float(query @ c) / math.sqrt(DIM)) for c in context]
                wanted = torch.tensor([x / sum(logits) for x in logits])
                weights = result[f"cross/{name}"][row, 0, q]
                torch.testing.assert_close(weights[: len(context)], wanted, atol=1e-5, rtol=1e-5)
                assert not weights[len(context) :].any()


def test_tokens_of_the_joint_size_are_not_mapped() -> None:
    assert set(build().project) == {"image"}
    assert set(Cross({"image": 6, "text": 5}, DIM).project) == {"image", "text"}
    assert not list(Cross({"image": DIM, "text": DIM}, DIM, combine="add").parameters())


def test_an_unknown_way_to_combine_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'combine' of scorer 'cross'"):
        build(combine="gated")


@pytest.mark.parametrize(("regions", "words", "dim"), [(36, 10, 16), (3, 2, 64), (1, 1, 8)])
@pytest.mark.parametrize("combine", ["concat", "add"])
def test_the_working_memory_is_what_a_pair_is_said_to_take(regions: int, words: int, dim: int, combine: str) -> None:
    module = Cross({"image": dim, "text": dim}, dim, combine=combine)  # type: ignore[arg-type]
    sides = [sets([count] * 40, seed, dim) for seed, count in ((0, regions), (1, words))]
    with torch.no_grad():
        images, texts = (module.embed(m, s) for m, s in zip(("image", "text"), sides, strict=True))
    with torch.inference_mode(), LiveBytes() as live:
        module.score(images, texts)
    per_pair = (live.peak - 40 * (regions + words + 4) * dim * 4) / 40**2
    message = module.pair_bytes(regions, words)
    assert message / 3 < per_pair <= message
