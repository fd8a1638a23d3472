from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vsebench.components.head.prototype_matching import PrototypeMatching
from vsebench.core.errors import ConfigError


def build(**options: object) -> PrototypeMatching:
    torch.manual_seed(0)
    return PrototypeMatching(4, 3, hidden=6, dim_class=2, **options)  # type: ignore[arg-type]


@torch.no_grad()
def test_equals_a_loop_over_classes() -> None:
    head, joint = build(beta=0.7, tau=0.2), torch.randn(5, 4)
    head.observe(torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]))
    result, plain = head(joint), head.mlp(joint)
    for b in range(5):
        for k in range(3):
            prototype = head.query.weight @ torch.cat([head.means[k], head.classes[k]]) + head.query.bias
            cosine = float(joint[b] @ prototype) / float(joint[b].norm() * prototype.norm())
            assert float(result[b, k]) == pytest.approx(float(plain[b, k]) + 0.7 * cosine / 0.2, abs=1e-5)


@torch.no_grad()
def test_beta_0_is_the_mlp_alone() -> None:
    head, joint = build(beta=0.0), torch.randn(5, 4)
    assert torch.equal(head(joint), head.mlp(joint))


def test_means_run_class_by_class() -> None:
    head = build(momentum=0.9)
    first, second = torch.randn(4, 4), torch.randn(3, 4)
    head.observe(first, torch.tensor([0, 0, 1, 0]))
    torch.testing.assert_close(head.means[0], first[[0, 1, 3]].mean(0))  # the first batch sets it
    torch.testing.assert_close(head.means[1], first[2])
    assert head.seen.tolist() == [True, True, False]
    head.observe(second, torch.tensor([1, 2, 2]))
    torch.testing.assert_close(head.means[0], first[[0, 1, 3]].mean(0))  # class 0 is not in the batch
    torch.testing.assert_close(head.means[1], 0.9 * first[2] + 0.1 * second[0])
    torch.testing.assert_close(head.means[2], second[1:].mean(0))


def test_an_item_with_several_labels_counts_for_each() -> None:
    head, joint = build(), torch.randn(2, 4)
    head.observe(joint, torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
    torch.testing.assert_close(head.means[0], joint[0])
    torch.testing.assert_close(head.means[1], joint.mean(0))
    assert not head.seen[2]


def test_means_are_saved_and_take_no_gradient() -> None:
    head = build()
    head.observe(torch.randn(3, 4), torch.tensor([0, 1, 2]))
    assert torch.equal(head.state_dict()["means"], head.means)
    head(torch.randn(2, 4)).sum().backward()
    assert head.means.grad is None
    assert head.classes.grad is not None


def test_a_zero_vector_gives_finite_logits_and_gradients() -> None:
    head, joint = build(), torch.zeros(1, 4, requires_grad=True)
    logits = head(joint)
    F.cross_entropy(logits, torch.tensor([1])).backward()
    assert bool(logits.isfinite().all())
    assert joint.grad is not None
    assert bool(joint.grad.isfinite().all())


def test_tau_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="option 'tau' of head 'prototype_matching'"):
        build(tau=0.0)
