from __future__ import annotations

import torch

from vsebench.components.head.linear import Linear


@torch.no_grad()
def test_equals_a_loop_over_classes() -> None:
    torch.manual_seed(0)
    head, joint = Linear(4, 3), torch.randn(2, 4)
    for b in range(2):
        wanted = [float(head.out.weight[c] @ joint[b] + head.out.bias[c]) for c in range(3)]
        torch.testing.assert_close(head(joint)[b], torch.tensor(wanted))
