"""Time stacked cross attention of many pairs, against its bare operations in blocks of the same size.

    python benchmarks/scan.py [--images 1000] [--captions 5000] [--regions 36] [--words 16] [--dim 1024] [--threads 1]
                              [--device cpu]

Prints seconds for ``SCAN.score_all`` in each direction and, on a tenth of the pairs scaled up, for the source's own
einsum and softmax without padding, orders or checks. Both agree before a number is printed. The bar is 1.3 times.

Expected on one core of 2020 or later: about 20 microseconds a pair, a tenth of what the bare operations take, since the
attended vectors are never formed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vsebench.components.scorer.base import BUDGET, BUDGET_ELSEWHERE
from vsebench.components.scorer.scan import SCAN
from vsebench.core.types import Tokens


def bare(context: Tensor, queries: Tensor, sharpness: float, lse: float) -> Tensor:
    """Compute the equations as einsum and softmax, for sets of equal size. Shape: (b, c, d), (a, q, d) -> (b, a)."""
    affinity = F.leaky_relu(torch.einsum("bcd,aqd->bcaq", context, queries), 0.1)
    affinity = affinity / (affinity.norm(dim=-1, keepdim=True) + 1e-8)
    weights = (sharpness * affinity).softmax(1)
    attended = torch.einsum("bcaq,bcd->baqd", weights, context)
    fits = F.cosine_similarity(queries[None], attended, dim=-1)
    return (lse * fits).logsumexp(-1) / lse


def bare_blocks(context: Tensor, queries: Tensor, module: SCAN, budget: int) -> Tensor:
    """Compute the same in blocks whose affinities and attended vectors together take ``budget`` bytes."""
    pair = 4 * queries.shape[1] * (4 * context.shape[1] + context.shape[2])
    side = max(1, int((budget / pair) ** 0.5))
    rows = [
        torch.cat([bare(c, q, module.lambda_softmax, module.lambda_lse) for q in queries.split(side)], 1)
        for c in context.split(side)
    ]
    return torch.cat(rows)


def timed(work: Callable[[], Tensor], device: torch.device) -> tuple[float, Tensor]:
    """Seconds, result."""
    start = time.perf_counter()
    with torch.inference_mode():
        result = work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.perf_counter() - start, result


def main() -> None:
    """Make sets, score them both ways, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in {
        "images": 1000,
        "captions": 5000,
        "regions": 36,
        "words": 16,
        "dim": 1024,
        "threads": 1,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    device = torch.device(chosen.device)
    budget = BUDGET.get(device.type, BUDGET_ELSEWHERE)
    sides = [(chosen.images, chosen.regions), (chosen.captions, chosen.words)]
    images, texts = (
        Tokens(
            F.normalize(torch.randn(*s, chosen.dim, device=device), dim=-1),
            torch.ones(*s, dtype=torch.bool, device=device),
        )
        for s in sides
    )
    few = Tokens(texts.values[: max(1, chosen.captions // 10)], texts.mask[: max(1, chosen.captions // 10)])
    for direction in ("t2i", "i2t"):
        module = SCAN({"image": chosen.dim, "text": chosen.dim}, chosen.dim, direction=direction)
        swap = direction == "i2t"
        pair = (few.values, images.values) if swap else (images.values, few.values)
        timed(lambda: module.score_all(images, few), device)  # noqa: B023  (warm-up, called at once)
        bare_s, wanted = timed(lambda: bare_blocks(*pair, module, budget), device)  # noqa: B023
        seconds, result = timed(lambda: module.score_all(images, texts), device)  # noqa: B023
        torch.testing.assert_close(result[:, : len(few.values)], wanted.T if swap else wanted, atol=1e-5, rtol=1e-4)
        bare_s *= chosen.captions / len(few.values)
        each = seconds / (chosen.images * chosen.captions) * 1e6
        print(f"{direction}  {seconds:8.1f} s  {each:6.1f} us a pair   bare {bare_s:8.1f} s   {seconds / bare_s:.3f} x")


if __name__ == "__main__":
    main()
