from __future__ import annotations

import torch

from vsebench.components.fusion.dense_projection import DenseProjection
from vsebench.core.types import Tokens


def build(modalities: tuple[str, ...], **options: object) -> DenseProjection:
    torch.manual_seed(0)
    dims, token_dims = {"image": 4, "text": 3, "audio": 2}, {"image": 9, "text": 6, "audio": 5}
    chosen = ({m: dims[m] for m in modalities}, 8, {m: token_dims[m] for m in modalities})
    return DenseProjection(*chosen, **options).eval()  # type: ignore[arg-type]


def tokens_of(dim: int) -> Tokens:
    return Tokens(torch.randn(2, 3, dim), torch.tensor([[True] * 3, [True, False, False]]))


@torch.no_grad()
def test_equals_a_loop_over_words() -> None:
    module = build(("image", "text"), hidden=7)
    image, words = torch.randn(2, 4), tokens_of(6)
    result = module({"image": image, "text": torch.randn(2, 3)}, {"image": tokens_of(9), "text": words})
    first, _, _, second = module.project["text"]
    for b, count in ((0, 3), (1, 1)):
        projected = torch.zeros(8)
        for word in words.values[b, :count]:
            hidden = torch.tensor([max(0.0, float(first.weight[h] @ word + first.bias[h])) for h in range(7)])
            projected += (second.weight @ hidden + second.bias) / count
        assert torch.equal(result[b, :4], image[b])
        torch.testing.assert_close(result[b, 4:], projected)


def test_hidden_is_a_words_size_by_default() -> None:
    assert build(("image", "text")).project["text"][0].out_features == 6


@torch.no_grad()
def test_a_text_without_words_is_zeros_beside_the_image() -> None:
    words = Tokens(torch.randn(2, 3, 6), torch.zeros(2, 3, dtype=torch.bool))
    result = build(("image", "text"))({"image": torch.ones(2, 4)}, {"text": words})
    assert result.tolist() == [[1.0] * 4 + [0.0] * 8] * 2


def test_audio_frames_are_projected_like_words() -> None:
    for modalities, width in ((("image", "audio"), 12), (("text", "audio"), 16), (("image", "text", "audio"), 20)):
        module = build(modalities)
        given = {m: tokens_of(d) for m, d in (("image", 9), ("text", 6), ("audio", 5))}
        vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3), "audio": torch.randn(2, 2)}
        assert module.dim_out == width
        assert module(vectors, given).shape == (2, width)
