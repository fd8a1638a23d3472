"""The network that spreads vectors over a sphere: its layers, its two losses and its training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vsebench.core.errors import TrainingError

#: Products of vectors computed at a time, 64 MiB of float32.
BLOCK = 1 << 24
#: Vectors that go through the network at a time.
ROWS = 1 << 12
#: Equal outputs count as this far apart: the logarithm stays finite, and nothing pulls where no direction is better.
LEAST = 1e-8
#: The published learning rate of each quarter of the training, divided by the first.
QUARTERS = (1.0, 1.0, 0.5, 0.1)


class Catalyzer(nn.Module):
    """Map vectors to a sphere.

        f(x) = h / ‖h‖,   h = W₃ g₂(g₁(x)) + b₃,   g(x) = relu(batch norm(W x + b))

    Args:
        dim: D.
        dim_out: d.
        hidden: size of both hidden layers.

    Shape: (B, D) -> unit (B, d)
    """

    def __init__(self, dim: int, dim_out: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Linear(dim, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            nn.Linear(hidden, dim_out),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Points of the sphere."""
        return F.normalize(self.body(vectors), dim=-1)

    @property
    def nbytes(self) -> int:
        """Of everything that is kept of it."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.state_dict().values())


def drawn(dim: int, dim_out: int, hidden: int, seed: int) -> Catalyzer:
    """Return a network whose weights depend on ``seed`` alone; torch's own generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Catalyzer(dim, dim_out, hidden).eval()


def rank_loss(anchors: Tensor, near: Tensor, far: Tensor) -> Tensor:
    """Return how much nearer the far points are than the near ones.

        mean_i max(0, ‖a_i − n_i‖ − ‖a_i − f_i‖)

    Neither margin nor squares; half precision is computed in float32.

    Shape: three of (B, d) -> ()
    """
    a, n, f = (_precise(points) for points in (anchors, near, far))
    away = torch.linalg.vector_norm(a - n, dim=1) - torch.linalg.vector_norm(a - f, dim=1)
    loss: Tensor = away.clamp(min=0).mean()
    return loss


def koleo(points: Tensor) -> Tensor:
    """Kozachenko and Leonenko's estimate of entropy, negated: small where points keep apart.

        −(1/B) Σ_i log ρ_i,   ρ_i = min_{j≠i} ‖p_i − p_j‖

    Equal points count as 1e-8 apart and get no gradient from each other; half precision is computed in float32.

    Shape: (B, d) -> ()

    Raises: ValueError for fewer than two points.
    """
    if len(points) < 2:
        raise ValueError(f"KoLeo is of the distances between points: it needs at least 2 of them. Got {len(points)}.")
    rows = _precise(points)
    with torch.no_grad():
        distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
        nearest = distances.fill_diagonal_(torch.inf).argmin(1)
    gaps = torch.linalg.vector_norm(rows - rows[nearest], dim=1)
    loss: Tensor = -gaps.clamp(min=LEAST).log().mean()
    return loss


def nearest_others(rows: Tensor, k: int, *, last: bool = False) -> Tensor:
    """Return which other rows are nearest to each by Euclidean distance, the nearest first; with ``last`` the k-th
    alone.

    Shape: (n, d) -> int64 (n, k), with ``last`` (n, 1); 1 ≤ k < n.
    """
    half = rows.square().sum(1) / 2
    step, result = max(1, BLOCK // len(rows)), []
    for start in range(0, len(rows), step):
        # ‖a − b‖² / 2 without ‖a‖² / 2, which is one for a whole row.
        distances = half - rows[start : start + step] @ rows.T
        positions = torch.arange(len(distances))
        distances[positions, positions + start] = torch.inf
        nearest = distances.topk(k, dim=1, largest=False).indices
        result.append(nearest[:, -1:].clone() if last else nearest)
    return torch.cat(result)


@dataclass(frozen=True)
class Recipe:
    """How a catalyzer is trained.

    Args:
        epochs: passes over the vectors.
        batch_size: the fewest anchors of a step; what a whole number of batches leaves is shared out among them.
        lr: of the first half; a quarter follows at half of it and one at a tenth.
        koleo: weight of the entropy.
        k_pos: an anchor's near one is any of its so many nearest, before the network.
        k_neg: its far one is the so-manieth nearest behind it.
        seed: of weights, batches and near ones.
    """

    epochs: int
    batch_size: int
    lr: float
    koleo: float
    k_pos: int
    k_neg: int
    seed: int


def train(network: Catalyzer, vectors: np.ndarray, recipe: Recipe) -> list[float]:
    """Train the network in place, and leave it in eval mode.

        L = rank loss(f(x), f(x⁺), f(x⁻)) + λ · KoLeo(f(x)),   λ = ``koleo``

    Far ones are looked up anew at the start of each epoch. The three of a step go through the network together, so that
    they share their batch statistics; KoLeo is of the anchors.

    Shape: float32 (n, D), n above k_pos and k_neg.

    Returns: mean loss of each epoch.

    Raises: TrainingError when the loss is no longer finite.
    """
    rows = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
    draws = torch.Generator().manual_seed(recipe.seed)
    near = nearest_others(rows, recipe.k_pos)
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=0.9)
    means = []
    for epoch in range(recipe.epochs):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * QUARTERS[epoch * len(QUARTERS) // recipe.epochs]
        far = nearest_others(embed(network, rows), recipe.k_neg, last=True)[:, 0]
        chosen = torch.randint(recipe.k_pos, (len(rows), 1), generator=draws)
        triples = torch.stack([torch.arange(len(rows)), near.gather(1, chosen)[:, 0], far], 1)
        network.train()
        means.append(_epoch(network, rows, triples, recipe, optimizer, draws))
        network.eval()
        if not np.isfinite(means[-1]):
            raise TrainingError(f"the loss of index 'spreading' is {means[-1]} in epoch {epoch + 1}. Lower lr.")
    return means


def embed(network: Catalyzer, rows: Tensor) -> Tensor:
    """Points of the sphere, without gradients, by a network in eval mode. Shape: (n, D) -> (n, d)."""
    with torch.no_grad():
        return torch.cat([network(part) for part in rows.split(ROWS)])


def _epoch(
    network: Catalyzer,
    rows: Tensor,
    triples: Tensor,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    draws: torch.Generator,
) -> float:
    total = 0.0
    for batch in _batches(len(rows), recipe.batch_size, draws):
        anchors, near, far = network(rows[triples[batch].T.flatten()]).chunk(3)
        loss = rank_loss(anchors, near, far) + recipe.koleo * koleo(anchors)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += len(batch) * float(loss.detach())
    return total / len(rows)


def _batches(count: int, size: int, draws: torch.Generator) -> Iterator[Tensor]:
    yield from torch.randperm(count, generator=draws).tensor_split(max(1, count // size))


def _precise(points: Tensor) -> Tensor:
    return points if points.dtype == torch.float64 else points.float()
