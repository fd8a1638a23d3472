"""Which part of an encoder's work is done once, and that everything which encodes follows it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vsebench.components.encoder.base import Encoder, Encoders
from vsebench.config.resolve import resolve
from vsebench.core.types import Tokens
from vsebench.engine.feature_plan import FeaturePlan, feature_plans

CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
#: Halves of it are no fp16 number.
THIRD = 1 / 3


class Thirds(Encoder):
    """Divides by 3 in a part that can be frozen, and adds 1 in the rest."""

    def __init__(self, *, frozen: bool = False, cut: bool = False, visual: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=not frozen)
        self.dim_out, self.frozen, self.cut, self.uses_visual = 1, frozen, "here" if cut else None, visual

    def before_cut(self, raw: Tensor) -> Tokens:
        return Tokens(raw[:, :, None] / 3, torch.ones(raw.shape, dtype=torch.bool))

    def after_cut(self, tokens: Tokens) -> Tokens:
        return tokens.with_values(tokens.values + 1)

    def forward(self, raw: Tensor) -> Tokens:
        return self.before_cut(raw) if self.frozen else self.after_cut(self.before_cut(raw))


def plan_of(encoder: Encoder, modality: str = "image", **change: Any) -> FeaturePlan:
    base: dict[str, Any] = {"image_encoder": CNN, "text_encoder": "lstm", "fusion": "concat"}
    base["pooling"] = {"image": "mean", "text": "mean"}
    return feature_plans(resolve({**base, **change}), Encoders({modality: encoder}))[modality]


FROZEN, CUT, TRAINED = {"frozen": True}, {"cut": True}, {}
AUGMENTED = {"train": {"augment": "flip"}}
INTRA = {"attention": "intra"}
FEATURES = {"image_encoder": "features"}


@pytest.mark.parametrize(
    ("modality", "encoder", "change", "mode", "pooled"),
    [
        ("image", FROZEN, {}, "tokens", True),
        ("image", FROZEN, INTRA, "tokens", False),
        ("image", FROZEN, AUGMENTED, "raw", False),
        ("image", FROZEN, FEATURES, "features", False),
        ("image", CUT, {}, "stages", False),
        ("image", CUT, AUGMENTED, "raw", False),
        ("image", TRAINED, {}, "raw", False),
        ("text", FROZEN, {}, "tokens", True),
        ("text", FROZEN, AUGMENTED, "tokens", True),
        ("text", CUT, AUGMENTED, "stages", False),
        ("text", TRAINED, {}, "raw", False),
        ("text", {"frozen": True, "visual": True}, {}, "raw", False),
    ],
)
def test_what_is_computed_once(
    modality: str, encoder: dict[str, bool], change: dict[str, Any], mode: str, pooled: bool
) -> None:
    plan = plan_of(Thirds(**encoder), modality, **change)
    assert (plan.mode, plan.pooling is not None, plan.once) == (mode, pooled, mode in ("tokens", "stages"))


@pytest.mark.parametrize(
    ("encoder", "change", "expected"),
    [
        (FROZEN, {}, torch.tensor(THIRD).half().float()),
        (FROZEN, {"train": {"feature_dtype": "fp32"}}, torch.tensor(THIRD)),
        (FROZEN, AUGMENTED, torch.tensor(THIRD)),
        (CUT, {}, 1 + torch.tensor(THIRD).half().float()),
        (CUT, AUGMENTED, 1 + torch.tensor(THIRD)),
        (TRAINED, {}, 1 + torch.tensor(THIRD)),
    ],
)
def test_only_what_is_computed_once_is_rounded(
    encoder: dict[str, bool], change: dict[str, Any], expected: Tensor
) -> None:
    module = Thirds(**encoder)
    plan = plan_of(module, **change)
    raw = torch.ones(1, 1)
    assert plan.encode(module, raw).values.item() == expected.item()


def test_what_was_computed_once_goes_through_the_rest_alone() -> None:
    selected = Tokens(torch.full((1, 1, 1), 5.0), torch.ones(1, 1, dtype=torch.bool))
    for options, expected in ((FROZEN, 5.0), (CUT, 6.0)):
        module = Thirds(**options)
        assert plan_of(module).encode(module, selected).values.item() == expected


def test_it_is_computed_in_float32_under_autocast() -> None:
    class Product(Thirds):
        def before_cut(self, raw: Tensor) -> Tokens:
            return super().before_cut(raw @ torch.full((1, 1), 1.001))

    module = Product(frozen=True)
    plan = plan_of(module)
    plain = plan.encode_first(module, torch.ones(1, 1)).values
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(plan.encode_first(module, torch.ones(1, 1)).values, plain)
