"""What the fusion sees of an item without a modality."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vsebench.config.resolve import resolve
from vsebench.core.types import Batch, Tokens
from vsebench.engine.model import Model
from vsebench.engine.train import build_objectives, build_optimizer

WIDTHS = {"image": 4, "text": 3, "audio": 2}
ITEMS, TOKENS = 6, 3
#: Item 0 has everything; 1 lacks the image, 2 the text, 3 the audio, 4 has the text alone, 5 has nothing.
PRESENT = {
    "image": [True, False, True, True, False, False],
    "text": [True, True, False, True, True, False],
    "audio": [True, True, True, False, False, False],
}


def block(modalities: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    encoders = {f"{m}_encoder": "features" for m in modalities}
    return {"dim": 5, **encoders, "absent": "learned", "train": {"optimizer": {"name": "adamw", "lr": 0.1}}, **changes}


def model_of(modalities: tuple[str, ...], **changes: Any) -> Model:
    torch.manual_seed(0)
    dims = {m: WIDTHS[m] for m in modalities}
    return Model(resolve(block(modalities, **changes)), num_classes=3, feature_dims=dims).eval()


def batch_of(modalities: tuple[str, ...], *, empty: float = 0.0, everything: bool = False) -> Batch:
    """Three tokens of each modality, the last one padding; of what an item lacks, all are. Padding says ``empty``."""
    generator = torch.Generator().manual_seed(1)
    inputs = {}
    for m in modalities:
        values = torch.randn(ITEMS, TOKENS, WIDTHS[m], generator=generator)
        mask = torch.ones(ITEMS, TOKENS, dtype=torch.bool)
        mask[:, -1] = False
        if not everything:
            mask &= torch.tensor(PRESENT[m])[:, None]
        inputs[m] = Tokens(values.masked_fill(~mask[:, :, None], empty), mask)
    labels, index = torch.arange(ITEMS) % 3, torch.arange(ITEMS)
    return Batch(inputs, labels, index, index)


TWO, THREE = ("image", "text"), ("image", "text", "audio")


@pytest.mark.parametrize("modalities", [TWO, THREE])
@torch.no_grad()
def test_the_fusion_sees_the_learned_vector_instead(modalities: tuple[str, ...]) -> None:
    model, batch = model_of(modalities), batch_of(modalities)
    plain = model_of(modalities, absent="zero")
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("absent.")})
    result, before = model(batch), plain(batch)
    assert not plain.absent
    for m in modalities:
        for i in range(ITEMS):
            wanted = before.vectors[m][i] if PRESENT[m][i] else model.absent[m]
            assert torch.equal(result.vectors[m][i], wanted)
        assert torch.equal(result.embeddings[m], before.embeddings[m])  # what is ranked is not touched
        assert torch.equal(before.vectors[m], before.embeddings[m])
    assert result.joint is not None
    torch.testing.assert_close(result.joint, torch.cat([result.vectors[m] for m in modalities], 1))
    whole = torch.tensor([all(PRESENT[m][i] for m in modalities) for i in range(ITEMS)])
    assert result.logits is not None
    assert before.logits is not None
    assert torch.equal(result.logits[whole], before.logits[whole])
    assert (result.logits[~whole] != before.logits[~whole]).any(1).all()


@pytest.mark.parametrize("empty", [1e4, float("nan")])
@torch.no_grad()
def test_what_lies_in_an_empty_place_changes_nothing(empty: float) -> None:
    model = model_of(THREE)
    result, wanted = model(batch_of(THREE, empty=empty)), model(batch_of(THREE))
    assert torch.equal(result.logits, wanted.logits)


def test_the_other_weights_are_those_of_a_system_without() -> None:
    learned, plain = model_of(THREE).state_dict(), model_of(THREE, absent="zero").state_dict()
    assert set(learned) - set(plain) == {f"absent.{m}" for m in THREE}
    assert all(torch.equal(learned[name], value) for name, value in plain.items())


@pytest.mark.parametrize("fusion", ["concat", "gated", "mfb", "product"])
@pytest.mark.parametrize("head", ["mlp", "hybrid"])
def test_it_learns_where_something_is_absent_and_only_there(fusion: str, head: str) -> None:
    for everything in (False, True):
        model = model_of(TWO, fusion=fusion, head=head)
        objectives, batch = build_objectives(model, False), batch_of(TWO, everything=everything)
        optimizer = build_optimizer(model, objectives)
        before = {m: v.detach().clone() for m, v in model.absent.items()}
        torch.stack([t for o in objectives for t in o(model(batch), batch).values()]).sum().backward()
        optimizer.step()
        for m, vector in model.absent.items():
            # Also where all is there it has a gradient, of zeros, and is not decayed: processes need not agree on it.
            assert vector.grad is not None
            assert bool(vector.grad.isfinite().all())
            assert bool(vector.grad.any()) is not everything
            assert torch.equal(vector, before[m]) is everything


def test_one_modality_has_none() -> None:
    model = model_of(("text",))
    assert model.system.absent == "zero"
    assert not model.absent


def test_half_precision_comes_in_and_out() -> None:
    model, batch = model_of(THREE), batch_of(THREE)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        result = model(batch)
    assert result.vectors["text"].dtype == torch.bfloat16
    assert result.logits is not None
    assert bool(result.logits.isfinite().all())
