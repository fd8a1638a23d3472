from __future__ import annotations

import torch

from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens


def test_tokens_pass_through_untouched() -> None:
    tokens = {"text": Tokens(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.randn(2, 4))}
    module = ATTENTIONS.build("none", dims={"text": 4}, dim=8)
    assert module(tokens)["text"] is tokens["text"]
    assert module.dims_out == {"text": 4}
