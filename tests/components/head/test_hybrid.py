from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vsebench.components.head.decision import Decision
from vsebench.components.head.hybrid import Hybrid
from vsebench.core.errors import ConfigError

DIMS = {"image": 4, "text": 3}
RULES = ["mean", "weighted", "product", "max", "vote"]


def build(multi_label: bool = False, **options: Any) -> Hybrid:
    torch.manual_seed(0)
    return Hybrid(8, DIMS, 5, multi_label, **{"hidden": None, **options})


def inputs(count: int = 4) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    vectors = {m: torch.randn(count, d, generator=generator) for m, d in DIMS.items()}
    present = {"image": torch.ones(count, dtype=torch.bool), "text": torch.arange(count) != 1}
    return torch.randn(count, 8, generator=generator), vectors, present


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("multi_label", [False, True])
@torch.no_grad()
def test_equals_the_mixture_of_probabilities(rule: str, multi_label: bool) -> None:
    head = build(multi_label, combine=rule, share=0.3)
    joint, vectors, present = inputs()
    decision = Decision(DIMS, 5, multi_label, combine=rule, hidden=None)  # type: ignore[arg-type]
    decision.load_state_dict(head.decision.state_dict())
    squash = torch.sigmoid if multi_label else lambda x: x.softmax(-1)
    feature = squash(head.feature(joint))
    wanted = 0.3 * feature + 0.7 * squash(decision(vectors, present))
    torch.testing.assert_close(squash(head(joint, vectors, present)), wanted)


def test_the_share_is_learned_from_the_start_that_is_given() -> None:
    head = build(share=0.5)
    joint, vectors, present = inputs()
    assert head.share.item() == pytest.approx(0.5)
    labels = head.feature(joint).argmax(-1)  # the feature-level head is right, so its share must grow
    optimizer = torch.optim.SGD([head.share_logit], lr=1.0)
    torch.nn.functional.cross_entropy(5 * head(joint, vectors, present), labels).backward()
    optimizer.step()
    assert head.share.item() > 0.5


def test_a_fixed_share_is_no_parameter() -> None:
    head = build(share=0.25, learn_share=False)
    assert "share_logit" not in dict(head.named_parameters())
    assert head.share.item() == pytest.approx(0.25)


def test_parts_hold_every_head() -> None:
    head = build()
    parts: dict[str, Tensor] = {}
    joint, vectors, present = inputs()
    head(joint, vectors, present, parts)
    assert torch.equal(parts["joint"], head.feature(joint))
    assert torch.equal(parts["image"], head.decision.parts["image"](vectors["image"]))
    assert set(parts) == {"joint", "image", "text"}


def test_weights_must_name_every_modality() -> None:
    with pytest.raises(ConfigError, match="head 'hybrid': weights lacks text"):
        build(combine="weighted", weights={"image": 1.0})


def test_weights_of_a_rule_that_takes_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="head 'hybrid': combine 'mean' takes no weights"):
        build(weights={"image": 1.0, "text": 1.0})
