from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from live_bytes import LiveBytes
from token_sets import sets
from torch import Tensor

from vsebench.components.scorer.scan import SCAN
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens

NORMS = ("softmax", "l2", "clipped_l2", "l1", "clipped_l1", "clipped", "none")
DIM = 8


@pytest.fixture
def images() -> Tokens:
    return sets([4, 1, 3], 0, 6)


@pytest.fixture
def texts() -> Tokens:
    return sets([2, 5, 1, 3], 1, DIM)


def build(**options: object) -> SCAN:
    torch.manual_seed(2)
    return SCAN({"image": 6, "text": DIM}, DIM, **options)  # type: ignore[arg-type]


def normalized(row: list[float], how: str) -> list[float]:
    """Affinities of one context vector to every query of the set."""
    if how == "softmax":
        return [math.exp(x) / sum(math.exp(y) for y in row) for x in row]
    if how.startswith("clipped"):
        row = [x if x > 0 else 0.1 * x for x in row]
    if how.endswith("l2"):
        return [x / (math.sqrt(sum(y * y for y in row)) + 1e-8) for x in row]
    if how.endswith("l1"):
        return [x / (sum(abs(y) for y in row) + 1e-8) for x in row]
    return row


def slow(module: SCAN, regions: Tensor, words: Tensor) -> float:
    """One pair without padding, vector by vector, with the attended vectors formed."""
    regions = [F.normalize(module.project["image"](r), dim=0) for r in regions]
    words = [F.normalize(w, dim=0) for w in words]
    queries, context = (words, regions) if module.direction == "t2i" else (regions, words)
    rows = [normalized([float(c @ q) for q in queries], module.normalize) for c in context]
    fits = []
    for j, query in enumerate(queries):
        logits = [math.exp(module.lambda_softmax * row[j]) for row in rows]
        attended = sum(x / sum(logits) * c for x, c in zip(logits, context, strict=True))
        fits.append(float(F.cosine_similarity(query, attended, dim=0)))
    if module.aggregate == "lse":
        return math.log(sum(math.exp(module.lambda_lse * r) for r in fits)) / module.lambda_lse
    return {"mean": sum(fits) / len(fits), "max": max(fits), "sum": sum(fits)}[module.aggregate]


def wanted(module: SCAN, images: Tokens, texts: Tokens) -> Tensor:
    rows = []
    for image, some in zip(images.values, images.mask, strict=True):
        row = [slow(module, image[some], t[m]) for t, m in zip(texts.values, texts.mask, strict=True)]
        rows.append(row)
    return torch.tensor(rows)


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
@pytest.mark.parametrize(
    ("normalize", "aggregate"), [*((n, "lse") for n in NORMS), *(("clipped_l2", a) for a in ("mean", "max", "sum"))]
)
@torch.no_grad()
def test_equals_a_loop_over_pairs(
    images: Tokens, texts: Tokens, direction: str, normalize: str, aggregate: str
) -> None:
    module = build(direction=direction, normalize=normalize, aggregate=aggregate)
    torch.testing.assert_close(module(images, texts), wanted(module, images, texts), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_other_temperatures_equal_the_loop(images: Tokens, texts: Tokens) -> None:
    module = build(direction="i2t", lambda_softmax=20.0, lambda_lse=20.0)
    torch.testing.assert_close(module(images, texts), wanted(module, images, texts), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("direction", "softmax", "lse"), [("t2i", 9.0, 6.0), ("i2t", 4.0, 5.0)])
def test_temperatures_are_the_sources(direction: str, softmax: float, lse: float) -> None:
    module = build(direction=direction)
    assert (module.lambda_softmax, module.lambda_lse) == (softmax, lse)


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
@pytest.mark.parametrize("normalize", NORMS)
@torch.no_grad()
def test_weights_are_those_of_the_loop(direction: str, normalize: str) -> None:
    module = build(direction=direction, normalize=normalize)
    images, texts = sets([4, 1, 3], 0, 6), sets([2, 5, 3], 1, DIM)
    result = module.weights(module.embed("image", images), module.embed("text", texts))
    name = "scan/text_to_image" if direction == "t2i" else "scan/image_to_text"
    assert list(result) == [name]
    for row, (n, m) in enumerate(zip([4, 1, 3], [2, 5, 3], strict=True)):
        regions = [F.normalize(module.project["image"](r), dim=0) for r in images.values[row, :n]]
        words = [F.normalize(w, dim=0) for w in texts.values[row, :m]]
        queries, context = (words, regions) if direction == "t2i" else (regions, words)
        rows = [normalized([float(c @ q) for q in queries], normalize) for c in context]
        for j in range(len(queries)):
            logits = [math.exp(module.lambda_softmax * one[j]) for one in rows]
            for i, x in enumerate(logits):
                assert float(result[name][row, 0, j, i]) == pytest.approx(x / sum(logits), abs=1e-5)
            assert not result[name][row, 0, j, len(context) :].any()


@torch.no_grad()
def test_weights_are_those_that_scores_are_made_of() -> None:
    module = build(aggregate="mean")
    images, texts = sets([4, 2], 0, 6), sets([3, 3], 1, DIM)
    sides = module.embed("image", images), module.embed("text", texts)
    attended = module.weights(*sides)["scan/text_to_image"][:, 0] @ sides[0].values
    fits = F.cosine_similarity(sides[1].values, attended, dim=-1)
    torch.testing.assert_close(fits.mean(1), module.score(*sides).diagonal())


def test_one_word_and_one_region_score_their_cosine() -> None:
    module = build(aggregate="mean")
    image, text = sets([1], 3, 6), sets([1], 4, DIM)
    cosine = F.cosine_similarity(module.project["image"](image.values[0, 0]), text.values[0, 0], dim=0)
    assert module(image, text).shape == (1, 1)
    torch.testing.assert_close(module(image, text)[0, 0], cosine)


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_padding_and_the_rest_of_the_batch_change_nothing(images: Tokens, texts: Tokens, direction: str) -> None:
    module = build(direction=direction)
    with torch.no_grad():
        scores = module(images, texts)
        more = Tokens(F.pad(texts.values, (0, 0, 0, 7), value=float("nan")), F.pad(texts.mask, (0, 7), value=False))
        torch.testing.assert_close(module(images, more), scores)
        order = torch.tensor([2, 0, 3, 1])
        moved = module(images, Tokens(texts.values[order], texts.mask[order]))
        torch.testing.assert_close(moved, scores[:, order])
        for j, length in enumerate([2, 5, 1, 3]):
            alone = Tokens(texts.values[j : j + 1, :length], texts.mask[j : j + 1, :length])
            torch.testing.assert_close(module(images, alone)[:, 0], scores[:, j])


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
@pytest.mark.parametrize("normalize", NORMS)
def test_gradients_agree_with_differences(direction: str, normalize: str) -> None:
    module = build(direction=direction, normalize=normalize).double()
    images, texts = sets([3, 2], 5, 6), sets([2, 3], 6, DIM)

    def run(regions: Tensor, words: Tensor) -> Tensor:
        return module(Tokens(regions, images.mask), Tokens(words, texts.mask))

    inputs = (images.values.double().requires_grad_(), texts.values.double().requires_grad_())
    assert torch.autograd.gradcheck(run, inputs)


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
@pytest.mark.parametrize("aggregate", ["lse", "mean", "max", "sum"])
def test_empty_sides_score_0_and_have_finite_gradients(
    images: Tokens, texts: Tokens, direction: str, aggregate: str
) -> None:
    module = build(direction=direction, aggregate=aggregate)
    nothing = texts.mask.clone()
    nothing[1] = False
    empty = images.mask.clone()
    empty[2] = False
    values = [t.values.clone().requires_grad_() for t in (images, texts)]
    scores = module(Tokens(values[0], empty), Tokens(values[1], nothing))
    assert not scores[:, 1].any()
    assert not scores[2].any()
    assert bool(scores[0, 0] != 0)
    scores.sum().backward()
    assert all(bool(v.grad.isfinite().all()) for v in values)
    assert bool(module.project["image"].weight.grad.isfinite().all())


def test_opposite_regions_that_cancel_are_finite() -> None:
    region = torch.randn(1, 1, DIM)
    module = build(normalize="none")
    torch.nn.init.zeros_(module.project["image"].bias)
    image = torch.randn(1, 1, 6)
    pair = torch.cat([image, -image], 1).requires_grad_()
    word = module.project["image"](torch.randn(6)).detach()
    with torch.no_grad():  # a word at right angles to both regions: equal weights, and the attended vector is zero
        side = F.normalize(module.project["image"](image[0, 0]), dim=0)
        word = word - (word @ side) * side
    score = module(
        Tokens(pair, torch.ones(1, 2, dtype=torch.bool)), Tokens(word[None, None], region.new_ones(1, 1) > 0)
    )
    score.sum().backward()
    assert bool(score.isfinite().all())
    assert bool(pair.grad.isfinite().all())


def test_words_of_another_size_are_mapped() -> None:
    module = SCAN({"image": 6, "text": 5}, DIM)
    assert set(module.project) == {"image", "text"}
    assert set(build().project) == {"image"}
    assert module(sets([2], 0, 6), sets([3], 1, 5)).shape == (1, 1)


@pytest.mark.parametrize(("regions", "words", "dim"), [(36, 10, 16), (3, 2, 64), (1, 1, 8)])
@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_the_working_memory_is_what_a_pair_is_said_to_take(regions: int, words: int, dim: int, direction: str) -> None:
    module = SCAN({"image": dim, "text": dim}, dim, direction=direction)  # type: ignore[arg-type]
    sides = [sets([count] * 40, seed, dim) for seed, count in ((0, regions), (1, words))]
    with torch.no_grad():
        images, texts = (module.embed(m, s) for m, s in zip(("image", "text"), sides, strict=True))
    with torch.inference_mode(), LiveBytes() as live:
        module.score(images, texts)
    per_pair = (live.peak - 40 * max(regions, words) ** 2 * 4) / 40**2
    message = module.pair_bytes(regions, words)
    assert message / 3 < per_pair <= message


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'direction' of scorer 'scan'"):
        build(direction="both")
    with pytest.raises(ConfigError, match="option 'lambda_lse' of scorer 'scan'"):
        build(lambda_lse=0.0)
