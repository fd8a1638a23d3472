from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vsebench.components.fusion.dan_r import DANR
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens

TOKEN_DIMS = {"image": 6, "text": 5, "audio": 3}
LENGTHS = {"image": (4, 2, 4), "text": (3, 1, 2), "audio": (1, 5, 2)}
PAIR, ALL = ("image", "text"), ("image", "text", "audio")


def tokens_of(modalities: tuple[str, ...] = PAIR) -> dict[str, Tokens]:
    torch.manual_seed(0)
    results = {}
    for m in modalities:
        mask = torch.arange(max(LENGTHS[m]))[None] < torch.tensor(LENGTHS[m])[:, None]
        results[m] = Tokens(torch.randn(*mask.shape, TOKEN_DIMS[m]), mask)
    return results


def build(modalities: tuple[str, ...] = PAIR, **options: object) -> DANR:
    torch.manual_seed(1)
    dims, token_dims = dict.fromkeys(modalities, 2), {m: TOKEN_DIMS[m] for m in modalities}
    return DANR(dims, 8, token_dims, **{"hidden": 7, **options}).eval()  # type: ignore[arg-type]


def fuse(module: DANR, tokens: dict[str, Tokens]) -> Tensor:
    return module({m: torch.randn(len(t.mask), 2) for m, t in tokens.items()}, tokens)


def slow(module: DANR, sets: dict[str, Tensor]) -> tuple[Tensor, dict[str, list[float]]]:
    """The memory after the last step, and the weights, of one item without padding."""
    memory = torch.ones(module.dim_out)
    for m, values in sets.items():
        mean = sum(values) / len(values)
        memory = memory * (mean if m == "text" else torch.tanh(module.first[m](mean)))
    results = {}
    for k, step in enumerate(module.steps, start=1):
        both = torch.ones(module.dim_out)
        for m, values in sets.items():
            reader = step[m]
            lead = torch.tanh(reader.memory(memory))
            logits = [math.exp(float(reader.score.weight[0] @ (torch.tanh(reader.tokens(v)) * lead))) for v in values]
            weights = [x / sum(logits) for x in logits]
            vector = sum(w * v for w, v in zip(weights, values, strict=True))
            both = both * (vector if m == "text" else torch.tanh(reader.out(vector)))
            results[f"dan_r/{m}/{k}"] = weights
        memory = memory + both
    return memory, results


@pytest.mark.parametrize("modalities", [PAIR, ALL, ("image", "audio")])
@pytest.mark.parametrize("options", [{}, {"steps": 1}, {"steps": 4, "bias": True}])
@torch.no_grad()
def test_equals_a_loop_over_steps_and_tokens(modalities: tuple[str, ...], options: dict) -> None:
    module, tokens = build(modalities, **options), tokens_of(modalities)
    result, weights = fuse(module, tokens), module.weights(tokens)
    assert result.shape == (3, 5 if "text" in modalities else 8)
    assert len(weights) == len(modalities) * len(module.steps)
    for b in range(3):
        wanted, attention = slow(module, {m: t.values[b, t.mask[b]] for m, t in tokens.items()})
        torch.testing.assert_close(result[b], wanted, atol=1e-5, rtol=1e-5)
        for name, shares in attention.items():
            torch.testing.assert_close(weights[name][b, : len(shares)], torch.tensor(shares), atol=1e-6, rtol=1e-5)
            assert not weights[name][b, len(shares) :].any()


@torch.no_grad()
def test_both_attentions_read_one_memory() -> None:
    # In m-DAN a modality's weights do not depend on the other's tokens; here they do from the first step on.
    module, tokens = build(), tokens_of()
    other = {**tokens, "text": Tokens(torch.randn_like(tokens["text"].values), tokens["text"].mask)}
    before, after = module.weights(tokens), module.weights(other)
    assert not torch.allclose(before["dan_r/image/1"], after["dan_r/image/1"], atol=1e-4)


@torch.no_grad()
def test_the_order_of_the_tokens_does_not_matter() -> None:
    module, tokens = build(), tokens_of()
    orders = {m: torch.randperm(t.mask.shape[1]) for m, t in tokens.items()}
    turned = {m: Tokens(t.values[:, orders[m]], t.mask[:, orders[m]]) for m, t in tokens.items()}
    torch.testing.assert_close(fuse(module, turned), fuse(module, tokens))
    weights, again = module.weights(tokens), module.weights(turned)
    for name, shares in weights.items():
        torch.testing.assert_close(again[name], shares[:, orders[name.split("/")[1]]])


@torch.no_grad()
def test_padding_never_changes_results() -> None:
    module, tokens = build(), tokens_of()
    values = torch.cat([tokens["text"].values, torch.randn(3, 4, 5)], 1)
    mask = torch.cat([tokens["text"].mask, torch.zeros(3, 4, dtype=torch.bool)], 1)
    padded = Tokens(values.masked_fill(~mask[:, :, None], float("nan")), mask)
    torch.testing.assert_close(fuse(module, {**tokens, "text": padded}), fuse(module, tokens))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("empty", PAIR)
def test_an_empty_set_gives_zeros(empty: str, bias: bool) -> None:
    module, tokens = build(bias=bias), tokens_of()
    gone = tokens[empty].mask & torch.tensor([[True], [False], [True]])
    result = fuse(module, {**tokens, empty: Tokens(tokens[empty].values, gone)})
    assert not result[1].any()
    assert result[0].any()
    result.sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in module.parameters() if p.grad is not None)


def test_each_step_has_its_own_weights_the_text_is_not_mapped_and_nothing_has_a_bias() -> None:
    names = [name for name, _ in build(steps=3).named_parameters()]
    assert not any(name.endswith("bias") for name in names)
    assert sorted(n for n in names if ".out." in n or n.startswith("first")) == sorted(
        ["first.image.weight", *(f"steps.{k}.image.out.weight" for k in range(3))]
    )
    assert sum(n.endswith("score.weight") for n in names) == 6


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    module = DANR({"image": 2, "text": 2}, 4, {"image": 3, "text": 2}, hidden=3, dropout=0.0).double()
    mask = torch.tensor([[True, True], [True, False]])

    def run(regions: Tensor, words: Tensor) -> Tensor:
        return module({}, {"image": Tokens(regions, mask), "text": Tokens(words, mask)})

    inputs = (torch.randn(2, 2, 3).double().requires_grad_(), torch.randn(2, 2, 2).double().requires_grad_())
    assert torch.autograd.gradcheck(run, inputs)


def test_no_steps_are_refused() -> None:
    with pytest.raises(ConfigError, match="option 'steps' of fusion 'dan_r': must be greater than 0"):
        build(steps=0)
