from __future__ import annotations

import pytest
import torch

from vsebench.components.fusion.outer import Outer
from vsebench.core.errors import ConfigError


def test_equals_a_loop_row_major() -> None:
    torch.manual_seed(0)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3), "audio": torch.randn(2, 2)}
    result = Outer({"image": 4, "text": 3, "audio": 2}, size=None)(vectors)
    for b in range(2):
        wanted = [i * t * a for i in vectors["image"][b] for t in vectors["text"][b] for a in vectors["audio"][b]]
        torch.testing.assert_close(result[b], torch.stack(wanted))


@torch.no_grad()
def test_size_projects_before_the_product() -> None:
    module = Outer({"image": 4, "text": 3}, size=2)
    image, text = torch.randn(2, 4), torch.randn(2, 3)
    projected = {"image": module.project["image"](image), "text": module.project["text"](text)}
    wanted = Outer({"image": 2, "text": 2}, size=None)(projected)
    torch.testing.assert_close(module({"image": image, "text": text}), wanted)
    assert module.dim_out == 4


def test_a_product_wider_than_the_cap_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Outer({"image": 2048, "text": 768}, size=None)
    assert str(caught.value) == (
        "fusion 'outer': 2048 × 768 = 1,572,864 features are more than cap (1,048,576). Set a smaller size."
    )
    assert caught.value.path == ("size",)
