"""CNN-F, the image network of deep cross-modal hashing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsebench.components.encoder._local import check_file
from vsebench.components.image_encoder.base import ImageEncoder
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS
from vsebench.core.types import Preprocessing, Tokens
from vsebench.ops.freezing import freeze, not_finite, tensors_digest

SIDE = 224
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's training images, for pixels in [0, 1]
FC7 = 4096


@IMAGE_ENCODERS.register(
    "cnn_f",
    source="Chatfield et al. 2014, arXiv:1405.3531, CNN-F; Jiang and Li 2017, arXiv:1602.02255, table 1; methods 1.5",
)
class CnnF(ImageEncoder):
    """Encode an image by the five convolutions and two fully connected layers of CNN-F: one token, the output of fc7.

        x = pixels in 0 … 255 − mean image
        conv1  64 × 11×11, stride 4        ReLU  LRN  pool     224 -> 54 -> 27
        conv2  256 × 5×5, pad 2            ReLU  LRN  pool     27 -> 13
        conv3, conv4  256 × 3×3, pad 1     ReLU                13
        conv5  256 × 3×3, pad 1            ReLU  pool          13 -> 6
        fc6, fc7  4096                     ReLU

        LRN(a)_i = a_i / (2 + 10⁻⁴ Σ_{|j − i| ≤ 2} a_j²)^{3/4}, over the channels

    The last layer (fc8) is the hash layer and belongs to the fitter. Pooling takes the maximum of 3×3 positions at
    stride 2, cut off at the right and lower border.

    Differs from the source: its table prints 265 filters for conv2 to conv5, a misprint of 256. It says ``×2 pool``
    without the window; 3×3 is that of the CNN-F whose weights it starts from. It says nothing of dropout, with which
    that network was trained; there is none here.

    Args:
        weights: ``none`` (random: He et al. 2015) or a local safetensors file with ``weight`` and ``bias`` of conv1 …
            conv5, fc6 and fc7 (``conv1.weight``, as torch lays them out; fc6 reads channel, row, column) and, if it
            likes, ``mean``, the mean image (3, 224, 224) or the mean colour (3,) in 0 … 255. Without it, the mean
            colour of ImageNet. Those of fc8 are left alone; any other tensor is an error.
        finetune: ``none`` (frozen), ``last`` (fc6 and fc7 train) or ``all``.

    Shape: uint8 (B, 3, 224, 224) -> Tokens (B, 1, 4096), grid (1, 1).

    Raises: ConfigError for a file that is missing, is no safetensors file, lacks a tensor, has one too many or one of
    another shape, values that are not finite, or a mean image in 0 … 1.

    Example:
        >>> from vsebench.core.registry import IMAGE_ENCODERS
        >>> sorted(IMAGE_ENCODERS.get("cnn_f").options)
        ['finetune', 'weights']
    """

    mean_image: Tensor

    def __init__(self, *, weights: str = "none", finetune: Literal["none", "last", "all"] = "none") -> None:
        super().__init__()
        self.dim_out = FC7
        # Dividing by 1/255 puts the pixels back on the scale 0 … 255 of the published weights.
        self.preprocessing = Preprocessing((SIDE, SIDE), MEAN, (1 / 255,) * 3, "bilinear")
        self.register_buffer("mean_image", 255 * torch.tensor(MEAN).view(3, 1, 1))
        self.conv1 = nn.Conv2d(3, 64, 11, stride=4)
        self.conv2 = nn.Conv2d(64, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv4 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv5 = nn.Conv2d(256, 256, 3, padding=1)
        self.fc6 = nn.Linear(256 * 6 * 6, FC7)
        self.fc7 = nn.Linear(FC7, FC7)
        if weights == "none":
            self._draw()
        else:
            self._read(weights)
        self.frozen = finetune == "none"
        self.convolutions = (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5)
        if finetune != "all":
            freeze([self] if self.frozen else self.convolutions)
        self.cut = "fc6" if finetune == "last" else None

    def forward(self, pixels: Tensor) -> Tokens:
        """Encode."""
        return self._top(self._maps(pixels))

    def before_cut(self, pixels: Tensor) -> Tokens:
        """Compute the output of the convolutions, 36 positions, once per item."""
        with torch.no_grad():
            rows = self._maps(pixels).flatten(2).transpose(1, 2)  # (B, 36, 256)
        return Tokens(rows, torch.ones(rows.shape[:2], dtype=torch.bool, device=rows.device), grid=(6, 6))

    def after_cut(self, tokens: Tokens) -> Tokens:
        """Encode from what the convolutions gave."""
        return self._top(tokens.values.transpose(1, 2).unflatten(2, (6, 6)))

    def cut_digest(self) -> str:
        """Return a digest of the convolutions' weights and the mean image."""
        state = self.state_dict()
        return tensors_digest({k: v for k, v in state.items() if not k.startswith("fc")})

    def _maps(self, pixels: Tensor) -> Tensor:
        """(B, 3, 224, 224) -> (B, 256, 6, 6)"""
        x = pixels.float() - self.mean_image
        x = _pool(_local_response(F.relu(self.conv1(x))))
        x = _pool(_local_response(F.relu(self.conv2(x))))
        x = F.relu(self.conv4(F.relu(self.conv3(x))))
        return _pool(F.relu(self.conv5(x)))

    def _top(self, maps: Tensor) -> Tokens:
        vectors = F.relu(self.fc7(F.relu(self.fc6(maps.flatten(1)))))
        mask = torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
        return Tokens(vectors[:, None], mask, grid=(1, 1))

    def _draw(self) -> None:
        for layer in self.children():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    @classmethod
    def check_files(cls, options: Mapping[str, Any]) -> None:
        """Refuse a file of weights that is not there.

        Raises: ConfigError.
        """
        check_file(options, "weights", "none")

    def _read(self, weights: str) -> None:
        state = _tensors(weights)
        mean = state.pop("mean", None)
        if mean is not None:
            if tuple(mean.shape) not in {(3,), (3, SIDE, SIDE)}:
                raise _wrong(weights, f"'mean' has shape {tuple(mean.shape)}; (3,) or (3, {SIDE}, {SIDE}) is right")
            if mean.any() and float(mean.abs().max()) <= 1:
                raise _wrong(weights, "'mean' lies in 0 … 1; it is subtracted from pixels in 0 … 255")
            self.mean_image = mean.float().view(3, *(mean.shape[1:] or (1, 1))).clone()
        for name, parameter in self.named_parameters():
            if name not in state:
                raise _wrong(weights, f"it has no '{name}'")
            if state[name].shape != parameter.shape:
                result, right = tuple(state[name].shape), tuple(parameter.shape)
                raise _wrong(weights, f"'{name}' has shape {result}; {right} is right")
            with torch.no_grad():
                parameter.copy_(state[name])
        others = sorted(name for name in state.keys() - dict(self.named_parameters()) if not name.startswith("fc8."))
        if others:
            raise _wrong(weights, f"it has a '{others[0]}', which the network has not")
        broken = not_finite(self)
        if broken:
            raise _wrong(weights, f"'{broken[0]}' has values that are not finite")


def _local_response(maps: Tensor) -> Tensor:
    # torch divides alpha by the size of the window; the source does not.
    return F.local_response_norm(maps, size=5, alpha=5 * 1e-4, beta=0.75, k=2.0)


def _pool(maps: Tensor) -> Tensor:
    return F.max_pool2d(maps, 3, stride=2, ceil_mode=True)


def _tensors(weights: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_file({"weights": weights}, "weights")
    try:
        result: Mapping[str, Tensor] = load_file(Path(weights).expanduser())
    except SafetensorError as error:
        raise _wrong(weights, f"it is no safetensors file ({error})") from error
    return dict(result)


def _wrong(weights: str, what: str) -> ConfigError:
    return ConfigError(f"weights '{weights}' are not those of CNN-F: {what}.", path=("weights",))
