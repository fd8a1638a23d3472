from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vsebench.components.pooling.gpo import GPO
from vsebench.components.pooling.max import Max
from vsebench.components.pooling.mean import Mean
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


def build(**options: object) -> GPO:
    torch.manual_seed(1)
    return GPO(4, **options)  # type: ignore[arg-type]


@pytest.fixture
def tokens() -> Tokens:
    torch.manual_seed(0)
    mask = torch.tensor([[True] * 5, [True, False, True, False, True], [False, True, False, False, False]])
    return Tokens(torch.randn(3, 5, 4), mask)


def gate(values: Tensor) -> Tensor:
    return 1 / (1 + (-values).exp())


def gru(module: GPO, inputs: list[Tensor], suffix: str) -> list[Tensor]:
    """One direction, state by state."""
    weights = [getattr(module.gru, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    state, states = torch.zeros(module.gru.hidden_size), []
    for x in inputs:
        reset_x, update_x, new_x = (weights[0] @ x + weights[2]).chunk(3)
        reset_h, update_h, new_h = (weights[1] @ state + weights[3]).chunk(3)
        update = gate(update_x + update_h)
        state = (1 - update) * (new_x + gate(reset_x + reset_h) * new_h).tanh() + update * state
        states.append(state)
    return states


def slow_weights(module: GPO, count: int, dim: int = 32, temperature: float = 0.1) -> list[float]:
    places = []
    for p in range(count):
        angles = [p / 10000 ** (2 * (i // 2) / dim) for i in range(dim)]
        places.append(torch.tensor([math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(angles)]))
    forward = gru(module, places, "")
    backward = gru(module, places[::-1], "_reverse")[::-1]
    both = zip(forward, backward, strict=True)
    logits = [float(module.score.weight[0] @ ((f + b) / 2)) / temperature for f, b in both]
    return [math.exp(x) / sum(math.exp(y) for y in logits) for x in logits]


@torch.no_grad()
def test_equals_a_loop_over_features_and_positions(tokens: Tokens) -> None:
    module = build().eval()
    result = module(tokens)
    for b, count in enumerate([5, 3, 1]):
        theta = slow_weights(module, count)
        for d in range(4):
            real = sorted((float(tokens.values[b, n, d]) for n in range(5) if tokens.mask[b, n]), reverse=True)
            wanted = sum(w * x for w, x in zip(theta, real, strict=True))
            assert float(result[b, d]) == pytest.approx(wanted, abs=1e-5)


@torch.no_grad()
def test_weights_are_a_distribution_that_depends_on_the_size_only(tokens: Tokens) -> None:
    module = build().eval()
    theta = module.coefficients(torch.tensor([3, 0, 5, 3]), 5)
    torch.testing.assert_close(theta.sum(1), torch.tensor([1.0, 0.0, 1.0, 1.0]))
    assert bool((theta >= 0).all())
    assert not theta[0, 3:].any()
    assert torch.equal(theta[0], theta[3])
    assert not torch.allclose(theta[0, :3], theta[2, :3])
    torch.testing.assert_close(theta[2], torch.tensor(slow_weights(module, 5)), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_equal_scores_give_the_mean_and_a_sharp_first_weight_the_maximum(tokens: Tokens) -> None:
    module = build().eval()
    torch.nn.init.zeros_(module.score.weight)
    torch.testing.assert_close(module(tokens), Mean(4)(tokens))
    # Of the largest value alone: what a softmax of one great logit would give.
    module.coefficients = lambda lengths, count: torch.eye(count)[:1].expand(len(lengths), -1)  # type: ignore[method-assign]
    torch.testing.assert_close(module(tokens), Max(4)(tokens))


def test_one_token_is_returned() -> None:
    values = torch.randn(2, 1, 4)
    torch.testing.assert_close(build()(Tokens(values, torch.ones(2, 1, dtype=torch.bool))), values[:, 0])


def test_padding_is_as_if_it_were_not_there(tokens: Tokens) -> None:
    module = build().eval()
    for b in range(3):
        real = tokens.values[b : b + 1, tokens.mask[b]]
        alone = module(Tokens(real, torch.ones(real.shape[:2], dtype=torch.bool)))
        torch.testing.assert_close(module(tokens)[b], alone[0])


def test_training_shrinks_sets_as_often_as_the_source_says() -> None:
    torch.manual_seed(0)
    module = GPO(1)
    mask = torch.ones(20_000, 40, dtype=torch.bool)
    selected = module.shrunk(mask)
    lost = 1 - selected.float().mean(1)
    # 20 % are left whole by the draw; of the others, u ~ U(0.2, 1), (1 - 0.2 u)^40 lose nothing by chance.
    by_chance = sum((1 - 0.2 * (0.2 + 0.8 * (i + 0.5) / 1000)) ** 40 for i in range(1000)) / 1000
    assert float((lost == 0).float().mean()) == pytest.approx(0.2 + 0.8 * by_chance, abs=0.01)
    assert float(lost.mean()) == pytest.approx(0.8 * 0.2 * 0.6, abs=0.002)
    # An item that always loses at the largest rate, and none with the augmentation off.
    assert float(1 - GPO(1, augment=1.0, drop_low=1.0).shrunk(mask).float().mean()) == pytest.approx(0.2, abs=0.002)
    assert bool(GPO(1, drop=0.0).shrunk(mask).all())


def test_padded_positions_stay_padded_and_no_set_is_emptied() -> None:
    torch.manual_seed(0)
    mask = torch.zeros(5000, 3, dtype=torch.bool)
    mask[:2500, 1] = True
    selected = GPO(1, augment=1.0, drop=0.9).shrunk(mask)
    assert torch.equal(selected, mask)


def test_training_is_seeded_as_dropout_is_and_eval_draws_nothing(tokens: Tokens) -> None:
    module = build(drop=0.9, augment=1.0)
    many = Tokens(tokens.values.repeat(9, 1, 1), tokens.mask.repeat(9, 1))
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(module(many))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    state = torch.random.get_rng_state()
    module.eval()(many)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_augmentation_off_leaves_training_as_it_is_in_eval(tokens: Tokens) -> None:
    module = build(augment=0.0)
    torch.testing.assert_close(module(tokens), module.eval()(tokens))


def test_gradients_agree_with_differences() -> None:
    module = GPO(3, dim_position=4, dim_hidden=3, temperature=1.0).double().eval()
    mask = torch.tensor([[True, True, True], [True, False, True]])
    values = torch.randn(2, 3, 3).double().requires_grad_()
    parameters = tuple(p for p in module.parameters())
    assert torch.autograd.gradcheck(lambda v, *_: module(Tokens(v, mask)), (values, *parameters))


def test_a_rate_of_1_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'drop' of pooling 'gpo': must be less than 1"):
        GPO(4, drop=1.0)
