"""Image-text pairs for tests of objectives, and what each objective over pairs must keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vsebench.components.objective.base import Objective
from vsebench.core.types import Batch, Output

#: Items 0, 1 and 4, 5 show the same thing; items 6 and 7 are one item drawn twice.
GROUPS = (0, 0, 1, 2, 3, 3, 4, 5)
INDEX = (10, 11, 12, 13, 14, 15, 16, 16)

Score = Callable[[list[float], list[float]], float]


def batch_of(groups: Sequence[int], index: Sequence[int] | None = None, labels: Sequence[int] | None = None) -> Batch:
    count = len(groups)
    return Batch(
        {},
        torch.tensor([0] * count if labels is None else list(labels)),
        torch.arange(count) if index is None else torch.tensor(index),
        torch.tensor(groups),
    )


def output_of(image: Tensor, text: Tensor) -> Output:
    return Output(embeddings={"image": image, "text": text})


def random_pairs(count: int = 8, dim: int = 5, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Output:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    text = 0.7 * image + torch.randn(count, dim, generator=generator, dtype=torch.float64)
    return output_of(image.to(dtype), text.to(dtype))


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def unit(a: list[float]) -> list[float]:
    return [x / math.sqrt(dot(a, a)) for x in a]


def cosine(a: list[float], b: list[float]) -> float:
    return dot(unit(a), unit(b))


def table(output: Output, score: Score = cosine) -> list[list[float]]:
    """Similarities, entry by entry in float64; images in rows."""
    image, text = (output.embeddings[m].detach().double().tolist() for m in ("image", "text"))
    return [[score(v, t) for t in text] for v in image]


def is_negative(batch: Batch, i: int, j: int, mask: bool = True) -> bool:
    if i == j:
        return False
    same = bool(batch.groups[i] == batch.groups[j]) or bool(batch.positions[i] == batch.positions[j])
    return not (mask and same)


def value(objective: Objective, output: Output, batch: Batch) -> float:
    (term,) = objective(output, batch).values()
    return float(term.detach())


def check_gradient(objective: Objective, batch: Batch, *, seed: int = 0) -> None:
    """The gradient of both embeddings in float64 is that of finite differences."""

    def loss(image: Tensor, text: Tensor) -> Tensor:
        (term,) = objective(output_of(image, text), batch).values()
        return term

    pairs = random_pairs(len(batch), seed=seed, dtype=torch.float64).embeddings
    assert torch.autograd.gradcheck(loss, [pairs[m].requires_grad_() for m in ("image", "text")])


def check_promises(objective: Objective) -> None:
    """The order of the pairs does not matter; half precision comes in and float32 comes out, computed in float32."""
    objective.eval()
    batch, output = batch_of(GROUPS, INDEX, labels=[0, 1, 2, 0, 1, 1, 2, 2]), random_pairs()
    whole = value(objective, output, batch)
    order = torch.tensor([5, 2, 7, 0, 1, 6, 4, 3])
    moved = Batch({}, batch.labels[order], batch.positions[order], batch.groups[order])
    shuffled = output_of(*(output.embeddings[m][order] for m in ("image", "text")))
    assert math.isclose(value(objective, shuffled, moved), whole, rel_tol=1e-5)
    for dtype in (torch.float16, torch.bfloat16):
        rough = random_pairs(dtype=dtype)
        exact = output_of(*(rough.embeddings[m].float() for m in ("image", "text")))
        with torch.autocast("cpu", torch.bfloat16):
            (term,) = objective(rough, batch).values()
        assert term.dtype == torch.float32
        assert math.isclose(float(term.detach()), value(objective, exact, batch), rel_tol=1e-6)
