from __future__ import annotations

import torch

from vsebench.components.pooling.last import Last
from vsebench.core.types import Tokens


def test_takes_the_last_real_token_not_the_last_column() -> None:
    values = torch.randn(3, 4, 5)
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True, False, True, False]])
    assert torch.equal(Last(5)(Tokens(values, mask)), torch.stack([values[0, 3], values[1, 1], values[2, 2]]))


def test_prefers_the_encoders_final_state() -> None:
    final = torch.randn(2, 5)
    tokens = Tokens(torch.randn(2, 4, 5), torch.tensor([[True] * 4, [False] * 4]), final=final)
    result = Last(5)(tokens)
    assert torch.equal(result[0], final[0])
    assert not result[1].any()  # an empty set is zeros, whatever the encoder says of it


def test_changed_tokens_have_no_final_state() -> None:
    tokens = Tokens(torch.randn(1, 2, 5), torch.ones(1, 2, dtype=torch.bool), final=torch.randn(1, 5))
    moved = tokens.with_values(tokens.values + 1)
    assert torch.equal(Last(5)(moved), moved.values[:, 1])
