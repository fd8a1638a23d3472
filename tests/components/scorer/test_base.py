from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vsebench.components.scorer.base import Scorer
from vsebench.core.types import Tokens


class Overlap(Scorer):
    """Sum of the products of both sides' sums; notes which blocks it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int, int, int]] = []

    def embed(self, modality: str, tokens: Tokens) -> Tokens:
        return tokens

    def score(self, images: Tokens, texts: Tokens) -> Tensor:
        self.seen.append((*images.mask.shape, *texts.mask.shape))
        left, right = ((t.values * t.mask[:, :, None]).sum(1) for t in (images, texts))
        return left @ right.T

    def pair_bytes(self, regions: int, words: int) -> int:
        return 4 * regions * words


def sets(count: int, longest: int, seed: int) -> Tokens:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(0, longest + 1, (count,), generator=generator)
    mask = torch.arange(longest)[None] < lengths[:, None]
    return Tokens(torch.randn(count, longest, 3, generator=generator), mask)


@pytest.fixture
def images() -> Tokens:
    return sets(13, 5, 0)


@pytest.fixture
def texts() -> Tokens:
    return sets(29, 7, 1)


@pytest.mark.parametrize("budget", [1, 200, 1000, 10**7, None])
def test_blocks_of_any_size_give_every_pair_once(images: Tokens, texts: Tokens, budget: int | None) -> None:
    scorer = Overlap()
    result = scorer.score_all(images, texts, budget=budget)
    torch.testing.assert_close(result, scorer.score(images, texts))
    counts = torch.zeros(13, 29)
    for rows, columns, _ in scorer.blocks(images, texts, budget=budget):
        counts[rows[:, None], columns] += 1
    assert bool((counts == 1).all())


@pytest.mark.parametrize("budget", [120, 400, 2000])
def test_a_block_keeps_to_its_budget(images: Tokens, texts: Tokens, budget: int) -> None:
    scorer = Overlap()
    scorer.score_all(images, texts, budget=budget)
    # A pair of the longest sets takes 140 bytes: more than the smallest budget, and it is scored alone.
    for n, regions, m, words in scorer.seen:
        assert n * m * 4 * regions * words <= budget or (n, m) == (1, 1)
    assert any(n > 1 or m > 1 for n, _, m, _ in scorer.seen)


def test_short_sets_are_cut(images: Tokens, texts: Tokens) -> None:
    scorer = Overlap()
    scorer.score_all(images, texts, budget=200)
    computed = sum(n * r * m * w for n, r, m, w in scorer.seen)
    assert computed < 0.7 * 13 * 5 * 29 * 7


def test_a_gap_in_a_mask_is_kept() -> None:
    mask = torch.tensor([[False, True, False, True, False]])
    image = Tokens(torch.randn(1, 5, 3), mask)
    text = Tokens(torch.randn(2, 2, 3), torch.ones(2, 2, dtype=torch.bool))
    scorer = Overlap()
    torch.testing.assert_close(scorer.score_all(image, text), scorer.score(image, text))
    assert scorer.seen[0][1] == 4


def test_no_graph_is_kept(images: Tokens, texts: Tokens) -> None:
    live = Tokens(images.values.requires_grad_(), images.mask)
    result = Overlap().score_all(live, texts)
    assert not result.requires_grad
    assert not result.is_inference()
    assert torch.is_grad_enabled()
    for _ in Overlap().blocks(live, texts):
        assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("queries", ["image", "text"])
def test_candidates_get_their_own_scores(images: Tokens, texts: Tokens, queries: str) -> None:
    scorer = Overlap()
    everything = scorer.score(images, texts)
    if queries == "text":
        everything = everything.T
    candidates = torch.randint(0, everything.shape[1], (everything.shape[0], 4))
    result = scorer.score_candidates(images, texts, candidates, queries=queries, budget=300)  # type: ignore[arg-type]
    torch.testing.assert_close(result, everything.gather(1, candidates))


def test_an_empty_side_gives_an_empty_matrix(images: Tokens, texts: Tokens) -> None:
    none = Tokens(texts.values[:0], texts.mask[:0])
    assert Overlap().score_all(images, none).shape == (13, 0)
    assert Overlap().score_all(none, texts).shape == (0, 29)


def test_wrong_calls_are_the_callers_fault(images: Tokens, texts: Tokens) -> None:
    with pytest.raises(ValueError, match="budget must be > 0 bytes; got 0"):
        Overlap().score_all(images, texts, budget=0)
    with pytest.raises(ValueError, match="2 rows of candidates for 13 image queries"):
        Overlap().score_candidates(images, texts, torch.zeros(2, 3, dtype=torch.int64), queries="image")
