"""Encoding in bf16: frozen encoders run two to four times faster on a CPU that has it, and what they give is the same
but for rounding. The tolerance is what is claimed: cosine of pooled tokens, and nearest neighbours that stay."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from vsebench.core.registry import IMAGE_ENCODERS, TEXT_ENCODERS
from vsebench.ops.masking import masked_mean

#: Least cosine between an item's pooled tokens in bf16 and in float32; less of a real MobileNetV2, whose many thin
#: layers add up the rounding (0.992 was seen).
LEAST_COSINE, LEAST_COSINE_OF_MOBILENET = 0.999, 0.99


def pooled(encoder: Any, raw: Any) -> Tensor:
    with torch.inference_mode():
        tokens = encoder.eval()(raw)
    assert tokens.values.dtype == torch.float32
    return F.normalize(masked_mean(tokens.values, tokens.mask), dim=-1)


def image_encoder(name: str, precision: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return IMAGE_ENCODERS.build(name, {"weights": "none", "precision": precision, **options})


@pytest.mark.parametrize(
    ("name", "options"),
    [("timm_cnn", {"model": "resnet18", "image_size": 64}), ("timm_vit", {"model": "test_vit"})],
)
def test_images(name: str, options: dict[str, Any]) -> None:
    exact, low = (image_encoder(name, precision, **options) for precision in ("fp32", "bf16"))
    side = exact.preprocessing.size[0]
    pixels = torch.randint(0, 256, (8, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    one, other = pooled(exact, pixels), pooled(low, pixels)
    assert not torch.equal(one, other), "bf16 was not used"
    assert float((one * other).sum(-1).min()) > LEAST_COSINE


@pytest.mark.slow
def test_real_photos_keep_their_neighbours(shared: Path) -> None:
    files = sorted((shared / "data" / "fashion_products" / "images").glob("*.jpg"))[:96]
    weights = shared / "models" / "mobilenetv2_100" / "mobilenetv2_100.timm_pad_same.fp16.safetensors"
    if not files or not weights.is_file():
        pytest.skip("no product photos or no MobileNetV2 in ../shared")
    pixels = torch.from_numpy(np.stack([np.asarray(Image.open(f).convert("RGB")).transpose(2, 0, 1) for f in files]))
    options = {"model": "mobilenetv2_100", "weights": str(weights), "model_args": {"pad_type": "same"}}
    options |= {"mean": [0.5] * 3, "std": [0.5] * 3, "image_size": 128}
    one, other = (pooled(image_encoder("timm_cnn", p, **options), pixels) for p in ("fp32", "bf16"))
    assert float((one * other).sum(-1).min()) > LEAST_COSINE_OF_MOBILENET

    def nearest(values: Tensor) -> Tensor:
        return (values @ values.T - 2 * torch.eye(len(values))).argmax(1)

    assert float((nearest(one) == nearest(other)).float().mean()) > 0.9


def test_texts() -> None:
    from tiny_models import bert_folder

    texts = ["a red hat", "blue shirt with dots", "a dress", "red shirt a blue hat with dots"]
    exact, low = (
        TEXT_ENCODERS.build("bert", {"model": bert_folder(), "precision": p}).eval() for p in ("fp32", "bf16")
    )
    one, other = (pooled(e, e.tokenizer(texts)) for e in (exact, low))
    assert not torch.equal(one, other), "bf16 was not used"
    assert float((one * other).sum(-1).min()) > LEAST_COSINE


def test_pixels_are_decoded_in_full_precision() -> None:
    """Only what the network computes is low: the same picture gives the same input."""
    encoder = image_encoder("timm_cnn", "bf16", model="test_resnet", image_size=32)
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (255, 0, 0)).save(buffer, "PNG")
    pixels = torch.from_numpy(np.asarray(Image.open(buffer)).transpose(2, 0, 1)[None].copy())
    assert encoder.normalise(pixels).dtype == torch.float32
