"""DSPH: its loss against loops, its margin against known codes, learning, new items."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from materials import Arrays, topics
from torch import Tensor, nn

from vsebench.components.fitter.dsph import Dsph, margin_of, terms
from vsebench.core.errors import ConfigError, TrainingError
from vsebench.core.registry import FITTERS

DIMS = {"image": 7, "text": 5}
QUICK = {"bits": 8, "epochs": 3, "batch_size": 32, "lr": 0.01}


class Trained(Arrays):
    """Texts behind a linear encoder that trains; images as they are."""

    def __init__(self, vectors: dict[str, Tensor], labels: Tensor) -> None:
        super().__init__(vectors, labels)
        torch.manual_seed(5)
        self.encoder = nn.Linear(5, 5)

    def encode(self, modality: str, rows: Tensor) -> Tensor:
        result = super().encode(modality, rows)
        return self.encoder(result) if modality == "text" else result

    def parameters(self, modality: str) -> list[nn.Parameter]:
        return list(self.encoder.parameters()) if modality == "text" else []


def build(**options: Any) -> Dsph:
    fitter = FITTERS.build("dsph", {**QUICK, **options}, dims=DIMS, num_classes=3, multi_label=False)
    assert isinstance(fitter, Dsph)
    return fitter


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("margin", [0.0, 0.3, -0.2])
def test_terms_are_those_of_loops(several: bool, margin: float) -> None:
    generator = torch.Generator().manual_seed(1)
    hashed = {m: torch.randn(8, 4, generator=generator).double() for m in DIMS}
    proxies = torch.randn(5, 4, generator=generator).double()
    labels = (torch.rand(8, 5, generator=generator) < 0.4).float()
    labels[0] = torch.tensor([1.0, 1, 0, 0, 0])
    labels[1] = torch.tensor([0.0, 0, 1, 1, 0])
    labels[2] = torch.tensor([0.0, 0, 0, 0, 1])
    wanted = dict.fromkeys(("positive", "negative", "irrelevant"), 0.0)
    for values in hashed.values():
        near, far = [], []
        for i in range(8):
            for k in range(5):
                c = cosine(values[i], proxies[k])
                (near if labels[i, k] else far).append(1 - c if labels[i, k] else max(c - margin, 0))
        wanted["positive"] += mean(near)
        wanted["negative"] += mean(far)
    for a, b in (("image", "image"), ("text", "text"), ("image", "text")):
        apart = []
        for i in range(8):
            for j in range(8):
                seen = not several or (labels[i].sum() > 1 and labels[j].sum() > 1)
                if seen and not (labels[i] * labels[j]).any():
                    apart.append(max(cosine(hashed[a][i], hashed[b][j]) - margin, 0))
        assert apart
        wanted["irrelevant"] += mean(apart)
    result = terms(hashed, proxies, labels, margin, several=several)
    assert {k: float(v) for k, v in result.items()} == pytest.approx(wanted, rel=1e-6)
    order = torch.randperm(8, generator=generator)
    shuffled = terms({m: v[order] for m, v in hashed.items()}, proxies, labels[order], margin, several=several)
    assert {k: float(v) for k, v in shuffled.items()} == pytest.approx(wanted, rel=1e-6)


def test_single_labels_have_no_third_term() -> None:
    hashed = {m: torch.ones(4, 3, requires_grad=True) for m in DIMS}
    labels = torch.eye(2).repeat(2, 1)
    result = terms(hashed, torch.ones(2, 3), labels, 0.0, several=True)
    assert float(result["irrelevant"].detach()) == 0
    every = terms(hashed, torch.ones(2, 3), labels, 0.0, several=False)
    assert float(every["irrelevant"].detach()) == pytest.approx(3.0)
    sum(result.values(), torch.zeros(())).backward()
    assert all(torch.isfinite(v.grad).all() for v in hashed.values() if v.grad is not None)


@pytest.mark.parametrize(
    ("classes", "bits", "distance"), [(2, 7, 7), (4, 3, 2), (16, 7, 3), (16, 15, 8), (128, 64, 32), (32, 16, 8)]
)
def test_the_margin_is_that_of_codes_that_exist(classes: int, bits: int, distance: int) -> None:
    """Repetition, parity, Hamming, simplex and first-order Reed-Muller codes meet the bound."""
    assert margin_of(classes, bits) == pytest.approx(1 - 2 * distance / bits)


def test_it_learns() -> None:
    vectors, labels = topics(noise=0.2)
    data = Arrays(vectors, labels)
    fitter = build(epochs=30)
    fitter.fit(data)
    losses = [numbers["loss"] for _, numbers in data.reported]
    assert len(losses) == 30
    assert losses[-1] < 0.5 * losses[0]
    numbers = data.reported[-1][1]
    assert numbers["loss"] == pytest.approx(
        numbers["positive"] + numbers["negative"] + 0.8 * numbers["irrelevant"], rel=1e-4
    )
    codes = fitter(vectors)
    scores = codes["image"] @ codes["text"].T
    same = labels[:, None] == labels
    assert scores[same].mean() > scores[~same].mean() + 4
    assert set(codes["text"].unique().tolist()) == {-1.0, 1.0}


def test_the_rates() -> None:
    fitter = build(warmup=0.1)
    assert [fitter.factor(p) for p in (0.05, 0.5, 1.0)] == pytest.approx([0.5, 0.5, 0.0])
    assert build(warmup=0.0).factor(0.0) == 1.0


def test_a_fit_depends_on_the_seed_alone() -> None:
    vectors, labels = topics()
    states = []
    for seed, before in ((0, 1), (0, 2), (7, 1)):
        torch.manual_seed(before)
        fitter = build()
        fitter.fit(Arrays(vectors, labels, seed=seed))
        assert torch.initial_seed() == before
        states.append(torch.cat([p.flatten() for p in fitter.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_new_items_one_by_one_and_from_a_state_dict() -> None:
    vectors, labels = topics()
    fitter = build(hidden=6, inputs="standardize")
    fitter.fit(Arrays(vectors, labels))
    fresh = build(hidden=6)
    fresh.load_state_dict(fitter.state_dict())
    for modality, rows in topics(30, seed=9)[0].items():
        together = fitter.embed(modality, rows)
        assert torch.equal(torch.cat([fitter.embed(modality, row[None]) for row in rows]), together)
        assert torch.equal(fresh.embed(modality, rows), together)


def test_an_encoder_trains_with_its_network() -> None:
    vectors, labels = topics(50)
    data = Trained(vectors, labels)
    before = data.encoder.weight.detach().clone()
    build(encoder_lr_scale=1.0).fit(data)
    assert not torch.equal(data.encoder.weight, before)


def test_several_labels() -> None:
    vectors, labels = topics()
    many = torch.stack([labels == 0, labels == 0, labels == 1, labels != 0], 1).float()
    fitter = FITTERS.build("dsph", QUICK, dims=DIMS, num_classes=4, multi_label=True)
    data = Arrays(vectors, many)
    fitter.fit(data)
    assert data.reported[0][1]["irrelevant"] > 0


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match="hashes images and texts; this system has image"):
        FITTERS.build("dsph", {}, dims={"image": 3}, num_classes=3, multi_label=False)
    with pytest.raises(ConfigError, match="learns from classes"):
        FITTERS.build("dsph", {}, dims=DIMS, num_classes=0, multi_label=False)
    for options in ({"dropout": 1.0}, {"margin": 1.5}, {"alpha": -0.1}, {"irrelevant": "none"}):
        with pytest.raises(ConfigError):
            build(**options)
    vectors, labels = topics()
    vectors["image"][3, 0] = math.nan
    with pytest.raises(TrainingError, match="loss is not finite in epoch 1"):
        build().fit(Arrays(vectors, labels))
