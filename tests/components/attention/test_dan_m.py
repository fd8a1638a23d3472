from __future__ import annotations

import math

import pytest
import torch
from attending import assert_gradients_agree
from torch import Tensor

from vsebench.components.attention.dan_m import DANM
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens

DIMS = {"image": 6, "text": 5}


@pytest.fixture
def tokens() -> dict[str, Tokens]:
    torch.manual_seed(0)
    return {
        "image": Tokens(torch.randn(3, 4, 6), torch.tensor([[True] * 4, [True, True, False, False], [True] * 4])),
        "text": Tokens(torch.randn(3, 3, 5), torch.tensor([[True] * 3, [True, False, False], [True, True, False]])),
    }


def build(**options: object) -> DANM:
    torch.manual_seed(1)
    return DANM(DIMS, 8, **{"hidden": 7, **options}).eval()  # type: ignore[arg-type]


def slow(module: DANM, modality: str, values: Tensor) -> tuple[list[Tensor], list[list[float]]]:
    """The vectors that one set without padding gives at each step, and the weights."""
    reader, number = module.readers[modality], len(values)

    def mapped(k: int, vector: Tensor) -> Tensor:
        return torch.tanh(reader.out[k](vector)) if modality != "text" else vector

    read = [mapped(0, sum(values) / number)]
    memory, weights = read[0], []
    for k, step in enumerate(reader.steps, start=1):
        lead = torch.tanh(step.memory(memory))
        logits = [math.exp(float(step.score.weight[0] @ (torch.tanh(step.tokens(v)) * lead))) for v in values]
        weights.append([x / sum(logits) for x in logits])
        read.append(mapped(k, sum(w * v for w, v in zip(weights[-1], values, strict=True))))
        memory = memory + read[-1]
    return read, weights


@pytest.mark.parametrize("options", [{}, {"steps": 1}, {"steps": 4, "bias": True}])
@torch.no_grad()
def test_equals_a_loop_over_steps_and_tokens(tokens: dict[str, Tokens], options: dict) -> None:
    module, weights = build(**options), {}
    result = module(tokens, weights)
    for modality in DIMS:
        current = tokens[modality]
        for b in range(3):
            read, attention = slow(module, modality, current.values[b, current.mask[b]])
            torch.testing.assert_close(result[modality].values[b, 0], torch.cat(read), atol=1e-5, rtol=1e-5)
            for k, wanted in enumerate(attention, start=1):
                selected = weights[f"dan_m/{modality}/{k}"][b]
                torch.testing.assert_close(selected[: len(wanted)], torch.tensor(wanted), atol=1e-6, rtol=1e-5)
                assert not selected[len(wanted) :].any()


@torch.no_grad()
def test_the_inner_product_is_the_sum_of_the_steps_similarities(tokens: dict[str, Tokens]) -> None:
    module = build(steps=3)
    result = module(tokens)
    scores = result["image"].values[:, 0] @ result["text"].values[:, 0].T
    for i in range(3):
        for j in range(3):
            images, _ = slow(module, "image", tokens["image"].values[i, tokens["image"].mask[i]])
            words, _ = slow(module, "text", tokens["text"].values[j, tokens["text"].mask[j]])
            wanted = sum(float(v @ u) for v, u in zip(images, words, strict=True))
            assert float(scores[i, j]) == pytest.approx(wanted, abs=1e-5)


def test_each_modality_reads_itself_only(tokens: dict[str, Tokens]) -> None:
    module = build()
    other = {**tokens, "text": Tokens(torch.randn(3, 3, 5), tokens["text"].mask)}
    assert torch.equal(module(tokens)["image"].values, module(other)["image"].values)


def test_the_text_is_not_mapped_and_nothing_has_a_bias() -> None:
    names = dict(build().named_parameters())
    assert not any(n.endswith("bias") for n in names)
    assert not any(n.startswith("readers.text.out") for n in names)
    assert sum(n.startswith("readers.image.out") for n in names) == 3


def test_a_steps_size_is_the_texts_or_the_joint_dimension() -> None:
    assert DANM({"image": 6, "text": 5, "audio": 3}, 8).dims_out == {"image": 15, "text": 15, "audio": 15}
    assert DANM({"image": 6}, 8, steps=1).dims_out == {"image": 16}


@pytest.mark.parametrize("bias", [False, True])
def test_an_empty_set_gives_zeros(tokens: dict[str, Tokens], bias: bool) -> None:
    empty = {m: Tokens(t.values, t.mask & torch.tensor([[True], [False], [True]])) for m, t in tokens.items()}
    result = build(bias=bias)(empty)
    for modality in DIMS:
        assert not result[modality].values[1].any()
        assert result[modality].values[0].any()
        assert bool(result[modality].mask.all())


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    assert_gradients_agree(DANM({"image": 3, "text": 2}, 4, hidden=3, dropout=0.0), everywhere=True)


def test_no_steps_are_refused() -> None:
    with pytest.raises(ConfigError, match="option 'steps' of attention 'dan_m': must be greater than 0"):
        build(steps=0)
