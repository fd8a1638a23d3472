from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.pooling.visual_semantic import VisualSemantic
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


@pytest.fixture
def regions() -> Tokens:
    torch.manual_seed(0)
    return Tokens(torch.randn(2, 3, 6), torch.tensor([[True] * 3, [True, True, False]]))


@pytest.fixture
def words() -> Tokens:
    torch.manual_seed(1)
    return Tokens(torch.randn(2, 4, 8), torch.tensor([[True] * 4, [True, True, False, False]]))


@torch.no_grad()
def test_equals_a_loop_over_regions_heads_and_words(regions: Tokens, words: Tokens) -> None:
    torch.manual_seed(2)
    module = VisualSemantic("text", 8, {"image": 6}, heads=2)
    result = module(words, {"image": regions})
    for b, (num_regions, num_words) in enumerate([(3, 4), (2, 2)]):
        keys = [module.key(w) for w in words.values[b, :num_words]]
        values = [module.value(w) for w in words.values[b, :num_words]]
        rows = []
        for region in regions.values[b, :num_regions]:
            query, heads = module.query(region), []
            for part in (slice(0, 4), slice(4, 8)):
                logits = [math.exp(float(query[part] @ k[part]) / math.sqrt(4)) for k in keys]
                heads.append(sum(x / sum(logits) * v[part] for x, v in zip(logits, values, strict=True)))
            rows.append(module.norm(module.out(torch.cat(heads))))
        torch.testing.assert_close(result[b], sum(rows) / len(rows), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_mean_of_the_real_regions_selects_as_one_region_would(regions: Tokens, words: Tokens) -> None:
    module = VisualSemantic("text", 8, {"image": 6}, queries="mean")
    means = torch.stack([regions.values[0].mean(0), regions.values[1, :2].mean(0)])
    one = Tokens(means[:, None], torch.ones(2, 1, dtype=torch.bool))
    each = VisualSemantic("text", 8, {"image": 6})
    each.load_state_dict(module.state_dict())
    result = module(words, {"image": regions})
    torch.testing.assert_close(result, each(words, {"image": one}))
    assert not torch.allclose(result, each(words, {"image": regions}), atol=1e-3)
    nothing = Tokens(regions.values, torch.zeros_like(regions.mask))
    assert not module(words, {"image": nothing}).any()


def test_zero_queries_give_the_mean_of_the_words_values(regions: Tokens, words: Tokens) -> None:
    module = VisualSemantic("text", 8, {"image": 6})
    torch.nn.init.zeros_(module.query.weight)
    torch.nn.init.zeros_(module.query.bias)
    wanted = module.norm(module.out(module.value(words.values[0]).mean(0)))
    torch.testing.assert_close(module(words, {"image": regions})[0], wanted, atol=1e-5, rtol=1e-5)


def test_the_image_selects(regions: Tokens, words: Tokens) -> None:
    module = VisualSemantic("text", 8, {"image": 6})
    other = Tokens(regions.values.flip(0), regions.mask)
    assert not torch.allclose(module(words, {"image": regions})[0], module(words, {"image": other})[0])


def test_the_selecting_modality_is_mean_pooled(regions: Tokens) -> None:
    module = VisualSemantic("image", 6, {"text": 8})
    torch.testing.assert_close(module(regions, {})[0], regions.values[0].mean(0))
    assert not list(module.parameters())


def test_another_modality_may_select(words: Tokens, regions: Tokens) -> None:
    module = VisualSemantic("image", 6, {"text": 8}, by="text", heads=3)
    assert module(regions, {"text": words}).shape == (2, 6)


def test_an_absent_selecting_modality_is_refused() -> None:
    with pytest.raises(ConfigError, match="pooling 'visual_semantic': the system has no audio to select by") as caught:
        VisualSemantic("text", 8, {"image": 6}, by="audio")
    assert caught.value.path == ("by",)


def test_heads_must_divide_the_tokens_size() -> None:
    with pytest.raises(ConfigError, match=r"heads \(3\) must divide the tokens' size \(8\)") as caught:
        VisualSemantic("text", 8, {"image": 6}, heads=3)
    assert caught.value.path == ("heads",)


def test_missing_context_is_the_callers_fault(words: Tokens) -> None:
    with pytest.raises(ValueError, match="needs the tokens of 'image' as context"):
        VisualSemantic("text", 8, {"image": 6})(words)
