"""What every fitter has: a state whose sizes the fit finds, and signs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vsebench.components.fitter.base import FitData, Fitter, signs


class Keeps(Fitter):
    dim_out = 2

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def fit(self, data: FitData) -> None:
        raise AssertionError("not fitted here")

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return self.layer(vectors) + self.learned("shift")


def test_what_was_learned_is_loaded_into_a_module_that_was_never_fitted() -> None:
    first, second = Keeps(), Keeps()
    first.learn("shift", torch.tensor([1.0, 2.0], dtype=torch.float64))
    with pytest.raises(RuntimeError, match="has not been fitted: it has no 'shift' yet"):
        second({"image": torch.zeros(1, 3)})
    whole = nn.ModuleDict({"fitter": second})
    whole.load_state_dict({f"fitter.{k}": v for k, v in first.state_dict().items()})
    rows = {"image": torch.randn(4, 3)}
    assert torch.equal(second(rows)["image"], first(rows)["image"])


def test_a_second_fit_replaces_the_first() -> None:
    fitter = Keeps()
    fitter.learn("shift", torch.zeros(2))
    fitter.learn("shift", torch.ones(2))
    assert fitter.learned("shift").tolist() == [1.0, 1.0]
    fitter.load_state_dict({**fitter.state_dict(), "shift": torch.full((1,), 5.0)})
    assert fitter.learned("shift").tolist() == [5.0]


def test_embedding_is_float32_under_autocast() -> None:
    fitter = Keeps()
    fitter.learn("shift", torch.zeros(2))
    with torch.autocast("cpu", torch.bfloat16):
        result = fitter({"image": torch.ones(1, 3, dtype=torch.bfloat16)})["image"]
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, fitter.layer(torch.ones(1, 3)), rtol=0, atol=0)


def test_zero_has_the_sign_of_negative_numbers() -> None:
    assert signs(torch.tensor([-0.0, 0.0, 1e-9, -1e-9])).tolist() == [-1.0, -1.0, 1.0, -1.0]
