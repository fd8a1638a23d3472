"""Components wired together: all pairs train a step; embeddings see one modality; caching changes nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import bert_folder, clip_folder

from vsebench.config.merge import merge_system
from vsebench.config.resolve import recipes, resolve, system_block
from vsebench.config.schema import System
from vsebench.core.errors import ComponentError, ConfigError
from vsebench.core.registry import HEADS, registry_of
from vsebench.data.dataset import Dataset
from vsebench.engine.embed import embedding_dim
from vsebench.engine.evaluate import predict
from vsebench.engine.feature_plan import pooled_alone
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import build_objectives, build_optimizer
from vsebench.sweeps.prepare import vocabulary_of

BERT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
#: What makes a component small, or buildable without downloads; a component that is not named takes its defaults.
SMALL: dict[tuple[str, str], dict[str, Any]] = {
    ("image_encoder", "timm_cnn"): {"model": "test_resnet", "weights": "none", "image_size": 32},
    ("image_encoder", "timm_vit"): {"model": "test_vit", "weights": "none", "image_size": 32},
    ("text_encoder", "bert"): {"weights": "none", "config": BERT, "finetune": "all"},
    **{("text_encoder", name): {"dim_word": 16, "dim_hidden": 16} for name in ("lstm", "bilstm", "gru", "bigru")},
    ("fusion", "outer"): {"size": 4},
    ("fusion", "tensor"): {"size": 4},
    ("fusion", "tucker"): {"size": 8},
    ("fusion", "mutan"): {"size": 8, "rank": 2},
    ("fusion", "block"): {"size": 12, "chunks": 3, "rank": 2},
    ("fusion", "block_tucker"): {"size": 12, "chunks": 3},
    ("fusion", "mcb"): {"size": 32},
    ("fusion", "mfb"): {"hidden": 12},
    ("fusion", "mfh"): {"hidden": 12},
    ("fusion", "bottleneck"): {"layers": 1, "heads": 2},
    ("pooling", "visual_semantic"): {"heads": 1},  # divides the tokens of every encoder
    ("text_encoder", "bert_bow"): {"model": bert_folder()},
    ("image_encoder", "clip_image"): {"model": clip_folder()},
    ("text_encoder", "clip_text"): {"model": clip_folder()},
}
SMALL_CNN = {"name": "timm_cnn", **SMALL["image_encoder", "timm_cnn"]}
SLOTS = ("image_encoder", "text_encoder", "attention", "pooling", "fusion", "head", "objective")


def choices(slot: str) -> list[str]:
    names = registry_of(slot).names()
    return [*names, "none"] if slot in ("image_encoder", "text_encoder", "fusion") else names


def block(point: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"dim": 16, "train": {"optimizer": {"name": "adamw"}}}
    for slot, name in point.items():
        made[slot] = name if name == "none" else {"name": name, **SMALL.get((slot, name), {})}
    return made


def legal(point: dict[str, str]) -> System | None:
    try:
        return resolve(block(point))
    except ConfigError:
        return None


def covering() -> Iterator[dict[str, str]]:
    """Combinations in which each legal pair of components appears, drawn greedily from the registry."""
    values = {slot: choices(slot) for slot in SLOTS}
    left = {
        frozenset({(a, x), (b, y)}) for a, b in itertools.combinations(SLOTS, 2) for x in values[a] for y in values[b]
    }
    rng = np.random.default_rng(0)
    for seed_pair in sorted(left, key=sorted):
        while seed_pair in left:
            draws = [{slot: str(rng.choice(names)) for slot, names in values.items()} for _ in range(40)]
            points = [point | dict(seed_pair) for point in draws]
            for point in points:
                if "joint" not in HEADS.get(point["head"]).facts["reads"]:
                    point["fusion"] = "none"
            gains = [len(pairs(point) & left) for point in points]
            # A check costs more than a draw: what gains most comes first.
            order = sorted(range(len(points)), key=lambda i: -gains[i])
            best = next((points[i] for i in order if gains[i] and legal(points[i]) is not None), None)
            if best is None:  # the pair itself is not legal, such as inter-attention without a text encoder
                left.discard(seed_pair)
                continue
            left -= pairs(best)
            yield best


def pairs(point: dict[str, str]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(p) for p in itertools.combinations(point.items(), 2)}


def train_a_step(point: dict[str, str], dataset: Dataset) -> None:
    torch.manual_seed(0)
    system = resolve(block(point))
    model = Model(
        system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset), feature_dims=dataset.feature_dims
    )
    loader = Loader(dataset, "val", system, model.encoders, cache=False)
    objectives = build_objectives(model, dataset.multi_label)
    optimizer = build_optimizer(model, objectives)
    model.train()
    batch = loader.batch(np.arange(4))
    output = model(batch)
    terms = [t for o in objectives for t in o(output, batch).values()]
    loss = torch.stack(terms).sum()
    assert math.isfinite(float(loss.detach()))
    loss.backward()
    before = [p.detach().clone() for g in optimizer.param_groups for p in g["params"]]
    optimizer.step()
    after = [p.detach() for g in optimizer.param_groups for p in g["params"]]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert output.logits is not None
    assert output.logits.shape == (4, dataset.num_classes)
    assert list(output.embeddings) == list(system.modalities)
    assert {m: tuple(e.shape) for m, e in output.embeddings.items()} == {
        m: (4, embedding_dim(model, m)) for m in system.modalities
    }


@pytest.mark.slow
def test_every_legal_pair_of_components_trains_a_step(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    # Drawing 57 million weights 64 times took half the time.
    monkeypatch.setattr("vsebench.components.image_encoder.cnn_f.FC7", 64)
    dataset = Dataset.open(tiny_file)
    count = 0
    for point in covering():
        try:
            train_a_step(point, dataset)
        except Exception as error:
            raise AssertionError(f"{point} does not train: {type(error).__name__}: {error}") from error
        count += 1
    assert count >= max(len(choices(a)) * len(choices(b)) for a, b in itertools.combinations(SLOTS, 2)) * 0.5


@pytest.mark.full_product
def test_every_legal_combination_trains_a_step(tiny_file: Path) -> None:
    dataset = Dataset.open(tiny_file)
    for names in itertools.product(*(choices(slot) for slot in SLOTS)):
        point = dict(zip(SLOTS, names, strict=True))
        if legal(point) is not None:
            train_a_step(point, dataset)


def tiny_model(tiny_file: Path, **changes: Any) -> tuple[Model, Dataset]:
    torch.manual_seed(0)
    base = block({"image_encoder": "timm_cnn", "text_encoder": "lstm", "fusion": "concat"})
    dataset = Dataset.open(tiny_file)
    system = resolve(merge_system(base, changes))
    return Model(
        system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset), feature_dims=dataset.feature_dims
    ).eval(), dataset


@pytest.mark.parametrize(
    "changes",
    [
        {"attention": "intra"},
        {"attention": "inter"},
        *({"attention": name} for name in ("cross", "scaled_dot", "additive", "co_attention", "self_cross")),
        *({"attention": name} for name in ("self", "self_memory", "dan_m")),
        {"pooling": "visual_semantic"},
        {"text_encoder": {"name": "bert", "weights": "none", "config": BERT, "finetune": "all", "visual": True}},
    ],
    ids=lambda changes: next((v for v in changes.values() if isinstance(v, str)), "visual bert"),
)
def test_embeddings_do_not_see_the_other_modality(tiny_file: Path, changes: dict[str, Any]) -> None:
    model, dataset = tiny_model(tiny_file, **changes)
    if hasattr(model.encoders["text"], "visual"):
        torch.nn.init.normal_(model.encoders["text"].visual.weight)  # type: ignore[union-attr]
    loader = Loader(dataset, "val", model.system, model.encoders, cache=False)
    batch = loader.batch(np.arange(4))
    shuffled = loader.batch(np.array([1, 2, 3, 0]))
    mixed = type(batch)({"image": batch.inputs["image"], "text": shuffled.inputs["text"]}, *(
        getattr(batch, f) for f in ("labels", "positions", "groups")
    ))  # fmt: skip
    with torch.no_grad():
        current, other = model(batch), model(mixed)
        text = model(shuffled)
    torch.testing.assert_close(current.embeddings["image"], other.embeddings["image"])
    torch.testing.assert_close(text.embeddings["text"], other.embeddings["text"])
    assert not torch.allclose(current.logits, other.logits)


def test_dual_attention_ranks_by_all_that_its_steps_read(tiny_file: Path) -> None:
    encoder = {"name": "lstm", "dim_hidden": 10}
    model, dataset = tiny_model(tiny_file, attention="dan_m", projection="none", text_encoder=encoder)
    batch = Loader(dataset, "val", model.system, model.encoders, cache=False).batch(np.arange(4))
    with torch.no_grad():
        embeddings = model(batch).embeddings
        read = model.attention(model.encode(batch.inputs))
    width = 3 * model.encoders["text"].dim_out
    for modality in ("image", "text"):
        assert embeddings[modality].shape == (4, width)
        assert torch.equal(embeddings[modality], read[modality].values[:, 0])


def test_results_do_not_depend_on_the_evaluation_batch(tiny_file: Path) -> None:
    model, dataset = tiny_model(tiny_file, attention="intra")
    outputs = []
    for size in (1, 5, 64):
        train = model.system.train.model_copy(update={"eval_batch_size": size})
        model.system = model.system.model_copy(update={"train": train})
        outputs.append(predict(model, Loader(dataset, "val", model.system, model.encoders), device=torch.device("cpu")))
    for other in outputs[1:]:
        np.testing.assert_allclose(outputs[0].logits, other.logits, atol=1e-5)
        np.testing.assert_allclose(outputs[0].embeddings["text"], other.embeddings["text"], atol=1e-5)
    assert len(outputs[0].embeddings["text"]) == 2 * len(outputs[0].embeddings["image"])


def test_cached_tokens_equal_computed_ones(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, dataset = tiny_model(tiny_file)
    monkeypatch.setattr("vsebench.engine.feature_plan.pooled_alone", lambda system: set())
    rows = np.array([3, 0, 5])
    cached = Loader(dataset, "val", model.system, model.encoders).batch(rows).inputs["image"]
    again = Loader(dataset, "val", model.system, model.encoders).batch(rows).inputs["image"]
    direct = Loader(dataset, "val", model.system, model.encoders, cache=False).batch(rows).inputs["image"]
    assert torch.equal(cached.values, again.values)
    torch.testing.assert_close(cached.values, direct.values, atol=2e-3, rtol=2e-3)
    assert cached.grid == direct.grid


def test_tokens_pooled_once_change_no_number(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, dataset = tiny_model(tiny_file, image_encoder={**SMALL_CNN, "image_size": 64})
    pooled = Loader(dataset, "val", model.system, model.encoders)
    assert pooled.batch(np.arange(3)).inputs["image"].values.shape[1] == 1
    first = predict(model, pooled, device=torch.device("cpu"))
    monkeypatch.setattr("vsebench.engine.feature_plan.pooled_alone", lambda system: set())
    whole = Loader(dataset, "val", model.system, model.encoders)
    assert whole.batch(np.arange(3)).inputs["image"].values.shape[1] > 1
    second = predict(model, whole, device=torch.device("cpu"))
    np.testing.assert_array_equal(first.logits, second.logits)
    np.testing.assert_array_equal(first.embeddings["image"], second.embeddings["image"])


@pytest.mark.parametrize(
    ("change", "alone"),
    [
        ({}, {"image"}),
        ({"attention": "intra"}, set()),
        ({"fusion": "dense_projection"}, set()),
        ({"pooling": {"image": "self_attention", "text": "mean"}}, {"text"}),
        ({"pooling": {"image": "mean", "text": {"name": "visual_semantic", "heads": 1}}}, set()),
    ],
)
def test_which_tokens_are_pooled_once(change: dict[str, Any], alone: set[str]) -> None:
    base = {"image_encoder": SMALL_CNN, "text_encoder": "lstm", "pooling": {"image": "mean", "text": "last"}}
    assert pooled_alone(resolve({**base, "fusion": "concat", **change})) == alone


@pytest.mark.parametrize("name", recipes())
def test_recipe_is_a_whole_system(name: str) -> None:
    system = resolve(system_block({"system": name}, {}))
    assert system.recipe == name
    assert system.modalities == (("image", "text", "audio") if name == "amir" else ("image", "text"))


def test_a_model_over_fits_a_batch(tiny_file: Path) -> None:
    model, dataset = tiny_model(tiny_file)
    loader = Loader(dataset, "train", model.system, model.encoders)
    objectives = build_objectives(model, False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    batch = loader.batch(np.arange(24))
    model.train()
    losses = []
    for _ in range(60):
        loss = torch.stack([t for o in objectives for t in o(model(batch), batch).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 * losses[0]


def test_an_encoder_that_is_none_is_one_line(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in's module without the base class cannot say what of it is computed once."""
    monkeypatch.setattr(type(registry_of("image_encoder")), "build", lambda *_, **__: torch.nn.Linear(2, 2))
    with pytest.raises(ComponentError, match=r"Linear.* must be a subclass of vsebench\.ImageEncoder"):
        tiny_model(tiny_file)
