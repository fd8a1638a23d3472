"""Decision-level and hybrid fusion in a whole model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vsebench.config.merge import merge_system
from vsebench.config.resolve import resolve, system_block
from vsebench.core.registry import FUSIONS
from vsebench.core.types import Batch, Tokens
from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import predict
from vsebench.engine.inputs import Pooled
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import build_objectives, build_optimizer
from vsebench.sweeps.prepare import vocabulary_of

SMALL: dict[str, Any] = {
    "dim": 16,
    "image_encoder": {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32},
    "text_encoder": {"name": "lstm", "dim_word": 8, "dim_hidden": 8},
    "train": {"optimizer": {"name": "adamw"}},
}


def model_of(tiny_file: Path, recipe: str, **changes: Any) -> tuple[Model, Dataset]:
    torch.manual_seed(0)
    dataset = Dataset.open(tiny_file)
    system = resolve(merge_system(system_block({"system": recipe, **SMALL}, {}), changes))
    return Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset)).eval(), dataset


def batch_of(model: Model, dataset: Dataset) -> Batch:
    return Loader(dataset, "val", model.system, model.encoders, cache=False).batch(np.arange(4))


@torch.no_grad()
def test_decision_level_is_the_mean_of_what_the_modalities_say(tiny_file: Path) -> None:
    model, dataset = model_of(tiny_file, "decision_fusion", head={"combine": "mean"})
    output = model(batch_of(model, dataset))
    assert model.fusion is None
    assert output.joint is None
    assert output.logits is not None
    for b in range(4):
        lines = [output.parts[m][b].softmax(-1) for m in ("image", "text")]
        torch.testing.assert_close(output.logits[b].softmax(-1), (lines[0] + lines[1]) / 2)


@torch.no_grad()
def test_hybrid_is_half_of_the_fused_and_half_of_the_decisions(tiny_file: Path) -> None:
    model, dataset = model_of(tiny_file, "hybrid_fusion")
    output = model(batch_of(model, dataset))
    assert output.logits is not None
    facts = {part: logits.softmax(-1) for part, logits in output.parts.items()}
    wanted = facts["joint"] / 2 + (facts["image"] + facts["text"]) / 4
    torch.testing.assert_close(output.logits.softmax(-1), wanted)


@pytest.mark.parametrize("recipe", ["decision_fusion", "hybrid_fusion"])
@torch.no_grad()
def test_a_decision_is_made_from_its_modality_alone(tiny_file: Path, recipe: str) -> None:
    model, dataset = model_of(tiny_file, recipe)
    loader = Loader(dataset, "val", model.system, model.encoders, cache=False)
    current, other = loader.batch(np.arange(4)), loader.batch(np.array([1, 2, 3, 0]))
    mixed = replace(current, inputs={**current.inputs, "text": other.inputs["text"]})
    assert torch.equal(model(current).parts["image"], model(mixed).parts["image"])
    assert not torch.equal(model(current).parts["text"], model(mixed).parts["text"])


@torch.no_grad()
def test_an_item_without_text_is_decided_by_its_image(tiny_file: Path) -> None:
    model, dataset = model_of(tiny_file, "decision_fusion")
    batch = batch_of(model, dataset)
    words = batch.inputs["text"]
    mask = words.mask.clone()
    mask[2] = False
    output = model(replace(batch, inputs={**batch.inputs, "text": replace(words, mask=mask)}))
    assert output.present["text"].tolist() == [True, True, False, True]
    assert output.logits is not None
    torch.testing.assert_close(output.logits[2], output.parts["image"][2].log_softmax(-1))


@pytest.mark.parametrize("recipe", ["decision_fusion", "hybrid_fusion"])
@pytest.mark.parametrize("without", [None, "image_encoder", "text_encoder"])
def test_every_parameter_of_the_recipe_learns_in_one_step(tiny_file: Path, recipe: str, without: str | None) -> None:
    changes = {} if without is None else {without: "none"}
    model, dataset = model_of(tiny_file, recipe, **changes)
    objectives, batch = build_objectives(model, False), batch_of(model, dataset)
    optimizer = build_optimizer(model, objectives)
    model.train()
    output = model(batch)
    terms = {k: v for o in objectives for k, v in o(output, batch).items()}
    parts = {"image", "text"} - {(without or "").removesuffix("_encoder")}
    parts |= {"joint"} if recipe == "hybrid_fusion" else set()
    assert set(terms) == {"cross_entropy", *(f"part_cross_entropy/{p}" for p in parts)}
    loss = torch.stack(list(terms.values())).sum()
    assert math.isfinite(float(loss.detach()))
    loss.backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert not [n for n, p in trained.items() if p.grad is None]
    before = {n: p.detach().clone() for n, p in model.head.named_parameters()}
    optimizer.step()
    assert all(not torch.equal(p.detach(), before[n]) for n, p in model.head.named_parameters())


@pytest.mark.parametrize("combine", ["mean", "weighted", "product", "max", "vote"])
def test_a_decision_system_over_fits_a_batch(tiny_file: Path, combine: str) -> None:
    model, dataset = model_of(tiny_file, "hybrid_fusion", head={"combine": combine})
    objectives = build_objectives(model, False)
    batch = Loader(dataset, "train", model.system, model.encoders).batch(np.arange(24))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer, losses = torch.optim.AdamW(parameters, lr=1e-2), []
    model.train()
    for _ in range(60):
        output = model(batch)
        loss = torch.stack([t for o in objectives for t in o(output, batch).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    # A vote of two and their certain mean leave at most (2 + 1) / 3 to the right class, so all rules can reach zero.
    assert losses[-1] < 0.1 * losses[0]


def test_predictions_are_the_same_whatever_the_batch_and_the_cache(tiny_file: Path) -> None:
    model, dataset = model_of(tiny_file, "decision_fusion", train={"feature_dtype": "fp32"})
    cached = predict(model, Loader(dataset, "val", model.system, model.encoders), device=torch.device("cpu"))
    fresh = Loader(dataset, "val", model.system, model.encoders, cache=False)
    train = model.system.train.model_copy(update={"eval_batch_size": 5})
    model.system = model.system.model_copy(update={"train": train})
    np.testing.assert_allclose(cached.logits, predict(model, fresh, device=torch.device("cpu")).logits, atol=1e-4)


def test_multi_label_logits_are_of_sigmoids(tiny_file: Path) -> None:
    model, dataset = model_of(tiny_file, "decision_fusion", head={"combine": "mean"})
    torch.manual_seed(0)
    many = Model(model.system, num_classes=3, multi_label=True, vocabulary=vocabulary_of(dataset)).eval()
    output = many(batch_of(many, dataset))
    assert output.logits is not None
    wanted = torch.stack([logits.sigmoid() for logits in output.parts.values()]).mean(0)
    torch.testing.assert_close(output.logits.sigmoid(), wanted)


def test_pooled_tokens_remember_who_had_none() -> None:
    class Store:
        dim = 2

        def __len__(self) -> int:
            return 3

        def take(self, rows: np.ndarray) -> Tokens:
            mask = torch.tensor([[True, True], [False, False], [True, False]])[torch.from_numpy(rows)]
            return Tokens(torch.ones(len(rows), 2, 2), mask)

    pooling = resolve({**SMALL, "pooling": "mean"}).pooling["image"]
    taken = Pooled(Store(), pooling, "image").take(np.array([1, 2]))  # type: ignore[arg-type]
    assert taken.mask.tolist() == [[False], [True]]
    assert taken.values.tolist() == [[[0.0, 0.0]], [[1.0, 1.0]]]


def test_bottleneck_fusion_reads_tokens_in_a_model(tiny_file: Path) -> None:
    fusion = {"name": "bottleneck", "layers": 2, "heads": 2}
    model, dataset = model_of(tiny_file, "vse", fusion=fusion, objective="cross_entropy")
    assert FUSIONS.get("bottleneck").facts["needs_tokens"]
    output = model(batch_of(model, dataset))
    assert output.joint is not None
    assert output.joint.shape == (4, 16)
    assert not output.parts
