"""What tests of several attentions check in the same way."""

from __future__ import annotations

import torch
from torch import Tensor

from vsebench.components.attention.base import Attention
from vsebench.core.types import Tokens


def assert_gradients_agree(module: Attention, *, everywhere: bool = False) -> None:
    """Compare the gradients of both modalities' tokens with differences.

    Args:
        module: of images of size 3 and texts of size 2, without dropout.
        everywhere: whether all resulting tokens count, or the real ones of both inputs.
    """
    module = module.double()
    mask = torch.tensor([[True, True], [True, False]])

    def run(regions: Tensor, words: Tensor) -> tuple[Tensor, ...]:
        result = module({"image": Tokens(regions, mask), "text": Tokens(words, mask)})
        return tuple(result[m].values if everywhere else result[m].values[mask] for m in ("image", "text"))

    inputs = (torch.randn(2, 2, 3).double().requires_grad_(), torch.randn(2, 2, 2).double().requires_grad_())
    assert torch.autograd.gradcheck(run, inputs)


def assert_audio_passes_through(module: Attention, tokens: dict[str, Tokens]) -> None:
    """Give tokens of a modality that the attention, of image 6, text 5 and audio 3 to 8, does not know."""
    audio = Tokens(torch.randn(2, 2, 3), torch.ones(2, 2, dtype=torch.bool))
    result = module({**tokens, "audio": audio})
    assert result["audio"] is audio
    assert result["image"].grid == tokens["image"].grid
    assert module.dims_out == {"image": 8, "text": 8, "audio": 3}
