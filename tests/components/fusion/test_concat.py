from __future__ import annotations

import torch

from vsebench.components.fusion.concat import Concat


def test_vectors_stand_side_by_side_in_the_order_of_dims() -> None:
    image, text = torch.randn(2, 4), torch.randn(2, 3)
    result = Concat({"image": 4, "text": 3})({"text": text, "image": image})
    assert torch.equal(result[:, :4], image)
    assert torch.equal(result[:, 4:], text)
