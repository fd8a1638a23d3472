"""A stack of decisions: the regression against scikit-learn's, and what it does with what is absent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from vsebench.components.head._stacking import FOLDS, cross_fitted, even_weights, evidence_of, fit, folds_of, stacked
from vsebench.components.head.decision import Decision

DIMS = {"image": 4, "text": 3, "audio": 2}
ITEMS, CLASSES = 60, 3


def message(multi_label: bool = False) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor, Tensor]:
    """Logits of three classifiers, the text's right most often; who is absent; labels; pairs of items as groups."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(ITEMS) % CLASSES
    truth = torch.eye(CLASSES)[labels]
    if multi_label:
        truth = (torch.rand(ITEMS, CLASSES, generator=generator) < 0.4).float()
    parts = {
        m: trust * truth + torch.randn(ITEMS, CLASSES, generator=generator)
        for m, trust in {"image": 0.5, "text": 2.0, "audio": 0.0}.items()
    }
    present = {m: torch.rand(ITEMS, generator=generator) < 0.8 for m in DIMS}
    return parts, present, truth if multi_label else labels, torch.arange(ITEMS) // 2


def head_of(multi_label: bool = False, **options: Any) -> Decision:
    torch.manual_seed(0)
    return Decision(DIMS, CLASSES, multi_label, combine="stack", hidden=None, **options)


def inputs_of(parts: dict[str, Tensor], present: dict[str, Tensor], multi_label: bool) -> np.ndarray:
    """(n, M, C), item by item."""
    rows = np.zeros((ITEMS, len(DIMS), CLASSES))
    for i in range(ITEMS):
        for number, m in enumerate(DIMS):
            if present[m][i]:
                logits = parts[m][i].double()
                message = logits if multi_label else logits.log_softmax(-1)
                rows[i, number] = message.numpy() if multi_label else (message - message.mean()).numpy()
    return rows


@pytest.mark.parametrize("l2", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("multi_label", [False, True])
def test_it_is_scikit_learns_logistic_regression(multi_label: bool, l2: float) -> None:
    parts, present, labels, groups = message(multi_label)
    state, _ = head_of(multi_label, stack_l2=l2).stack(parts, present, labels, groups)
    inputs = inputs_of(parts, present, multi_label)
    solver: dict[str, Any] = {"C": 1 / l2, "tol": 1e-10, "max_iter": 10_000}
    if not multi_label:
        theirs = LogisticRegression(**solver).fit(inputs.reshape(ITEMS, -1), labels.numpy())
        np.testing.assert_allclose(state["stack_weight"], theirs.coef_.T, atol=1e-4)
        bias = state["stack_bias"] - state["stack_bias"].mean()  # the common part of biases has no effect
        np.testing.assert_allclose(bias, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-4)
        return
    for c in range(CLASSES):
        theirs = LogisticRegression(**solver).fit(inputs[:, :, c], labels[:, c].numpy())
        np.testing.assert_allclose(state["stack_weight"][:, c], theirs.coef_[0], atol=1e-4)
        np.testing.assert_allclose(state["stack_bias"][c], theirs.intercept_[0], atol=1e-4)


@pytest.mark.parametrize("multi_label", [False, True])
@torch.no_grad()
def test_until_it_is_fitted_it_is_the_product(multi_label: bool) -> None:
    torch.manual_seed(0)
    product = Decision(DIMS, CLASSES, multi_label, combine="product", hidden=None)
    vectors = {m: torch.randn(5, d) for m, d in DIMS.items()}
    present = {m: torch.ones(5, dtype=torch.bool) for m in DIMS}
    torch.testing.assert_close(head_of(multi_label)(vectors, present), product(vectors, present))


@pytest.mark.parametrize("multi_label", [False, True])
@torch.no_grad()
def test_the_head_says_what_was_fitted(multi_label: bool) -> None:
    head, (_, present, labels, groups) = head_of(multi_label), message(multi_label)
    vectors = {m: torch.randn(ITEMS, d) for m, d in DIMS.items()}
    current = {m: head.parts[m](vectors[m]) for m in DIMS}
    state, _ = head.stack(current, present, labels, groups)
    head.load_state_dict(state, strict=False)
    inputs = torch.from_numpy(inputs_of(current, present, multi_label))
    for i in range(ITEMS):
        wanted = state["stack_bias"].double().clone()
        for c in range(CLASSES):
            for number in range(len(DIMS)):
                if multi_label:
                    wanted[c] += inputs[i, number, c] * state["stack_weight"][number, c]
                    continue
                for k in range(CLASSES):
                    wanted[c] += inputs[i, number, k] * state["stack_weight"][number * CLASSES + k, c]
        result = head(vectors, present)[i].double()
        torch.testing.assert_close(result, wanted if multi_label else wanted.log_softmax(-1), atol=1e-4, rtol=1e-4)


def test_what_an_absent_modality_would_say_does_not_matter() -> None:
    head, (parts, present, labels, groups) = head_of(), message()
    other = {m: v.masked_fill(~present[m][:, None], 1e4) for m, v in parts.items()}
    for one, two in zip(
        head.stack(parts, present, labels, groups), head.stack(other, present, labels, groups), strict=True
    ):
        for a, b in zip(one.values(), two.values(), strict=True) if isinstance(one, dict) else [(one, two)]:
            torch.testing.assert_close(a, b)


def test_the_useless_modality_gets_little_weight() -> None:
    parts, present, labels, groups = message()
    state, logits = head_of().stack(parts, present, labels, groups)
    sizes = {m: float(w.norm()) for m, w in zip(DIMS, state["stack_weight"].split(CLASSES), strict=True)}
    assert sizes["text"] > 2 * sizes["audio"]
    assert float((logits.argmax(1) == labels).float().mean()) > 0.6


def test_no_item_is_judged_by_a_regression_that_has_seen_its_group() -> None:
    parts, present, labels, groups = message()
    folds = folds_of(groups)
    assert folds.unique().tolist() == list(range(FOLDS))
    assert all(len(folds[groups == g].unique()) == 1 for g in groups.unique())
    stack = torch.stack([parts[m].log_softmax(-1) for m in DIMS])
    evidence = evidence_of(stack, torch.stack([present[m] for m in DIMS]), False)
    result = cross_fitted(evidence, labels, folds, False, 1.0)
    for fold in range(FOLDS):
        weight, bias = fit(evidence[:, folds != fold], labels[folds != fold], False, 1.0)
        torch.testing.assert_close(result[folds == fold], stacked(evidence, weight, bias, False)[folds == fold])


def test_noise_does_not_look_good_on_validation() -> None:
    """The point of cross-fitting: many inputs, few items and labels that nothing explains."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (40,), generator=generator)
    evidence = torch.randn(30, 40, 2, generator=generator)
    weight, bias = fit(evidence, labels, False, 1e-3)
    assert bool((stacked(evidence, weight, bias, False).argmax(1) == labels).all())
    honest = cross_fitted(evidence, labels, folds_of(torch.arange(40)), False, 1e-3)
    assert float((honest.argmax(1) == labels).float().mean()) < 0.75


def test_a_class_that_validation_lacks_is_unlikely() -> None:
    parts, present, labels, groups = message()
    state, _ = head_of().stack(parts, present, labels.clamp(max=1), groups)
    assert int(state["stack_bias"].argmin()) == 2
    assert bool(torch.stack([*state.values()][1:]).isfinite().all())


def test_one_group_is_too_few() -> None:
    with pytest.raises(ValueError, match="at least two groups"):
        folds_of(torch.zeros(5, dtype=torch.int64))
    assert even_weights(2, 3, False).shape == (6, 3)
