"""DCMH: loss and gradient against loops and autograd, the step for B, the protocol of the alternation, new items."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from materials import Arrays, topics
from torch import Tensor, nn

from vsebench.components.fitter import dcmh
from vsebench.components.fitter.dcmh import Dcmh, binarize, gradient, objective
from vsebench.core.errors import ConfigError, TrainingError
from vsebench.core.registry import FITTERS

DIMS = {"image": 7, "text": 5}
QUICK = {"bits": 8, "text_hidden": 16, "iterations": 6, "batch_size": 32, "lr": 0.5, "lr_end": 0.05}


class Trained(Arrays):
    """Images behind a linear encoder that trains; texts as they are."""

    def __init__(self, vectors: dict[str, Tensor], labels: Tensor, *, seed: int = 0) -> None:
        super().__init__(vectors, labels, seed=seed)
        torch.manual_seed(5)
        self.encoder = nn.Linear(7, 7)
        self.batches: list[tuple[str, int]] = []

    def vectors(self, modality: str) -> Tensor:
        with torch.no_grad():
            return self.encoder(self._vectors["image"]) if modality == "image" else self._vectors["text"]

    def encode(self, modality: str, rows: Tensor) -> Tensor:
        self.batches.append((modality, len(rows)))
        result = super().encode(modality, rows)
        return self.encoder(result) if modality == "image" else result

    def parameters(self, modality: str) -> list[nn.Parameter]:
        return list(self.encoder.parameters()) if modality == "image" else []


def build(**options: Any) -> Dcmh:
    fitter = FITTERS.build("dcmh", {**QUICK, **options}, dims=DIMS, num_classes=3, multi_label=False)
    assert isinstance(fitter, Dcmh)
    return fitter


def state(seed: int = 0, count: int = 9, bits: int = 4) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Outputs in float64, codes, and multi-hot labels, one item without any."""
    generator = torch.Generator().manual_seed(seed)
    buffers = {m: torch.randn(count, bits, generator=generator).double() for m in ("image", "text")}
    codes = torch.randn(count, bits, generator=generator).sign().double()
    labels = (torch.rand(count, 3, generator=generator) < 0.4).float()
    labels[0] = 0
    return buffers, codes, labels


def slow_objective(buffers: dict[str, Tensor], codes: Tensor, labels: Tensor, gamma: float, eta: float) -> float:
    f, g, b, y = buffers["image"].tolist(), buffers["text"].tolist(), codes.tolist(), labels.tolist()
    total = 0.0
    for i in range(len(f)):
        for j in range(len(f)):
            theta = sum(p * q for p, q in zip(f[i], g[j], strict=True)) / 2
            similar = any(p and q for p, q in zip(y[i], y[j], strict=True))
            total += math.log(1 + math.exp(theta)) - similar * theta
        for k in range(len(b[i])):
            total += gamma * ((b[i][k] - f[i][k]) ** 2 + (b[i][k] - g[i][k]) ** 2)
    for k in range(len(b[0])):
        total += eta * (sum(row[k] for row in f) ** 2 + sum(row[k] for row in g) ** 2)
    return total


def test_objective_is_that_of_a_double_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    buffers, codes, labels = state()
    wanted = slow_objective(buffers, codes, labels, 0.7, 0.3)
    result = objective(buffers, codes, labels, 0.7, 0.3)
    assert result["objective"] == pytest.approx(wanted, rel=1e-9)
    assert result["objective"] == pytest.approx(
        result["likelihood"] + 0.7 * result["quantization"] + 0.3 * result["balance"]
    )
    monkeypatch.setattr(dcmh, "BLOCK", 2)
    assert objective(buffers, codes, labels, 0.7, 0.3)["objective"] == pytest.approx(wanted, rel=1e-9)


def test_large_outputs_do_not_overflow() -> None:
    buffers, codes, labels = state()
    large = {m: 1e3 * v.float() for m, v in buffers.items()}
    wanted = objective({m: v.double() for m, v in large.items()}, codes.double(), labels, 1.0, 1.0)["objective"]
    assert wanted > 1e5, "exp of such products is infinite in single precision"
    assert objective(large, codes.float(), labels, 1.0, 1.0)["objective"] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_gradient_is_that_of_autograd(modality: str) -> None:
    buffers, codes, labels = state(3)
    leaf = buffers[modality].clone().requires_grad_()
    both = {**buffers, modality: leaf}
    theta = 0.5 * both["image"] @ both["text"].T
    similar = (labels @ labels.T > 0).double()
    loss = (torch.log1p(theta.exp()) - similar * theta).sum()
    for values in both.values():
        loss = loss + 0.7 * (codes - values).square().sum() + 0.3 * values.sum(0).square().sum()
    loss.backward()
    assert float(loss.detach()) == pytest.approx(objective(buffers, codes, labels, 0.7, 0.3)["objective"])
    rows = torch.tensor([4, 0, 7])
    selected, other = buffers[modality], buffers["text" if modality == "image" else "image"]
    result = gradient(selected[rows], other, codes[rows], similar[rows], selected.sum(0), 0.7, 0.3)
    assert leaf.grad is not None
    torch.testing.assert_close(result, leaf.grad[rows])


def test_the_step_for_b_is_the_best_there_is() -> None:
    buffers, _, labels = state(count=3, bits=3)
    best = objective(buffers, binarize(buffers, 0.7), labels, 0.7, 0.3)["objective"]
    every = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 9).view(-1, 3, 3)
    assert best == pytest.approx(min(objective(buffers, b, labels, 0.7, 0.3)["objective"] for b in every))
    assert binarize({m: torch.zeros(1, 2) for m in DIMS}, 1.0).tolist() == [[0, 0]]


def test_no_step_for_b_raises_the_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = topics()
    data, changes, last = Arrays(vectors, labels), [], []

    def watched(buffers: dict[str, Tensor], gamma: float) -> Tensor:
        codes = binarize(buffers, gamma)
        if last:
            old, new = (objective(buffers, b, data.multi_hot, 1.0, 1.0)["objective"] for b in (last[0], codes))
            changes.append(new - old)
        last[:] = [codes]
        return codes

    monkeypatch.setattr(dcmh, "binarize", watched)
    build(start="normal").fit(data)  # from zeros, the first codes have zeros, which no code has later
    assert len(changes) == QUICK["iterations"]
    assert all(change <= 0 for change in changes)
    assert any(change < 0 for change in changes)


@pytest.mark.parametrize("start", ["zeros", "normal"])
def test_the_first_batches_are_those_of_the_method(start: str) -> None:
    """One iteration, step by step, with autograd and the whole of S."""
    vectors, labels = topics(20)
    data = Arrays(vectors, labels, seed=3)
    fitter = build(iterations=1, batch_size=8, start=start, weight_decay=0.1, inputs="raw")
    fitter.fit(data)
    slow = build(start=start)
    rows_of: dict[str, list[Tensor]] = {m: [] for m in DIMS}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        buffers = {}
        for modality in ("image", "text"):
            buffers[modality] = torch.zeros(20, 8) if start == "zeros" else torch.randn(20, 8)
            slow.networks[modality].draw(0.01)
        codes = torch.sign(buffers["image"] + buffers["text"])
        similar = (labels[:, None] == labels).float()
        for modality in ("image", "text"):
            for _ in range(3):  # ⌈20 / 8⌉
                rows = torch.randperm(20)[:8]
                rows_of[modality].append(rows)
                out = slow.networks[modality](vectors[modality][rows])
                buffers[modality] = buffers[modality].detach().index_put((rows,), out)
                theta = 0.5 * buffers["image"] @ buffers["text"].T
                loss = (nn.functional.softplus(theta) - similar * theta).sum()
                loss = loss + (codes - buffers[modality]).square().sum() + buffers[modality].sum(0).square().sum()
                parameters = list(slow.networks[modality].parameters())
                slopes = torch.autograd.grad(loss / (20 * 8), parameters)
                with torch.no_grad():
                    for parameter, slope in zip(parameters, slopes, strict=True):
                        parameter -= 0.5 * (slope + 0.1 * parameter)
    for modality in DIMS:
        assert len(set(torch.cat(rows_of[modality]).tolist())) < 24, "batches are drawn anew, not cut from an epoch"
        mine, wanted = (dict(f.networks[modality].named_parameters()) for f in (fitter, slow))
        for name, value in wanted.items():
            torch.testing.assert_close(mine[name], value, atol=1e-6, rtol=1e-4)


def test_it_learns() -> None:
    vectors, labels = topics(noise=0.2)
    data = Arrays(vectors, labels)
    fitter = build(iterations=40, inputs="standardize", std=None)
    fitter.fit(data)
    objectives = [numbers["objective"] for _, numbers in data.reported]
    assert [step for step, _ in data.reported] == list(range(1, 41))
    assert objectives[-1] < 0.9 * objectives[0]
    codes = fitter(vectors)
    scores = codes["image"] @ codes["text"].T
    same = labels[:, None] == labels
    assert scores[same].mean() > scores[~same].mean() + 4
    assert set(codes["image"].unique().tolist()) == {-1.0, 1.0}


def test_the_rates() -> None:
    log = build(iterations=3, lr=1.0, lr_end=0.01)
    assert [log.rate(s) for s in (1, 2, 3)] == pytest.approx([1.0, 0.1, 0.01])
    linear = build(iterations=3, lr=1.0, lr_end=0.0001, schedule="linear")
    assert [linear.rate(s) for s in (1, 2, 3)] == pytest.approx([1.0, 0.50005, 0.0001])
    assert build(iterations=1).rate(1) == QUICK["lr"]


def test_a_fit_depends_on_the_seed_alone() -> None:
    vectors, labels = topics()
    states = []
    for seed, before in ((0, 1), (0, 2), (7, 1)):
        torch.manual_seed(before)
        fitter = build(iterations=2)
        fitter.fit(Arrays(vectors, labels, seed=seed))
        assert torch.initial_seed() == before, "torch's own generator is left alone"
        states.append(torch.cat([p.flatten() for p in fitter.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_new_items_one_by_one_and_from_a_state_dict() -> None:
    vectors, labels = topics()
    fitter = build()
    fitter.fit(Arrays(vectors, labels))
    fresh = build()
    fresh.load_state_dict(fitter.state_dict())
    for modality, rows in topics(30, seed=9)[0].items():
        together = fitter.embed(modality, rows)
        assert torch.equal(torch.cat([fitter.embed(modality, row[None]) for row in rows]), together)
        assert torch.equal(fresh.embed(modality, rows), together)
    assert fitter.networks["image"].mean.any(), "vectors are centred by default"


def test_an_encoder_trains_with_its_network() -> None:
    vectors, labels = topics(50)
    data = Trained(vectors, labels)
    before = data.encoder.weight.detach().clone()
    fitter = build(iterations=2, first="text")
    fitter.fit(data)
    assert not torch.equal(data.encoder.weight, before)
    assert data.batches == ([("text", 32)] * 2 + [("image", 32)] * 2) * 2
    assert not fitter.networks["image"].mean.any(), "what an encoder gives now is not what it will give"
    slower = Trained(vectors, labels)
    build(iterations=2, first="text", encoder_lr_scale=1e-6).fit(slower)
    torch.testing.assert_close(slower.encoder.weight, before, atol=1e-4, rtol=0)


def test_inputs() -> None:
    vectors, labels = topics()
    vectors["image"][:, 2] = 5.0
    fitter = build(iterations=1, inputs="standardize")
    fitter.fit(Arrays(vectors, labels))
    network = fitter.networks["image"]
    torch.testing.assert_close(network.mean, vectors["image"].mean(0))
    wanted = vectors["image"].std(0, correction=0)
    wanted[2] = 1.0
    torch.testing.assert_close(network.scale, wanted)


def test_several_labels() -> None:
    vectors, labels = topics()
    many = torch.stack([labels == 0, labels == 1, labels != 0], 1).float()
    fitter = FITTERS.build("dcmh", QUICK, dims=DIMS, num_classes=3, multi_label=True)
    data = Arrays(vectors, many)
    fitter.fit(data)
    assert data.reported[-1][1]["objective"] < data.reported[0][1]["objective"]


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match="hashes images and texts; this system has audio, image"):
        FITTERS.build("dcmh", {}, dims={"image": 3, "audio": 3}, num_classes=3, multi_label=False)
    for options in ({"gamma": 0.0}, {"bits": 0}, {"schedule": "cosine"}, {"eta": -1.0}):
        with pytest.raises(ConfigError):
            build(**options)
    vectors, labels = topics()
    with pytest.raises(TrainingError, match="objective is not finite after iteration 1"):
        build(lr=1e30, text_hidden=None).fit(Arrays(vectors, labels))
