from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vsebench.components.objective.modality_cross_entropy import ModalityCrossEntropy
from vsebench.core.errors import ConfigError
from vsebench.core.types import Batch, Output


def test_is_the_cross_entropy_of_one_modalitys_own_linear_classifier() -> None:
    torch.manual_seed(0)
    objective = ModalityCrossEntropy({"image": 6, "text": 4}, 3, modality="text")
    text, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    batch = Batch({}, labels, torch.arange(5), torch.arange(5))
    result = objective(Output(vectors={"image": torch.full((5, 6), torch.nan), "text": text}), batch)
    wanted = F.cross_entropy(text @ objective.out.weight.T + objective.out.bias, labels)
    assert list(result) == ["cross_entropy/text"]
    torch.testing.assert_close(result["cross_entropy/text"], wanted)


def test_an_absent_modality_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        ModalityCrossEntropy({"image": 6, "text": 4}, 3, modality="audio")
    assert str(caught.value) == "objective 'modality_cross_entropy': the system has no audio. It has: image, text."
    assert caught.value.path == ("modality",)
