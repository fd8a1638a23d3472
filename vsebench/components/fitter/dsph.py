"""Deep semantic-aware proxy hashing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from vsebench.components.fitter._hash_networks import Inputs, drawn_from, pair_of_networks, shares_label
from vsebench.components.fitter.base import FitData, Fitter, signs
from vsebench.core.errors import ConfigError, TrainingError
from vsebench.core.registry import FITTERS

TERMS = ("positive", "negative", "irrelevant")


@FITTERS.register(
    "dsph",
    source="Huo et al. 2023, IEEE TCSVT 34(1), 10.1109/TCSVT.2023.3285266; the loss in one modality: Xu et al. 2022, "
    "arXiv:2208.06866 (HyP²)",
    codes=True,
    needs_labels=True,
    needs=("image", "text"),
    trains_encoders=True,
)
class Dsph(Fitter):
    """Draw the hash outputs of both modalities to one learned proxy per class, and apart where no label is shared.

        h_m        = tanh(dropout(W_m x_m + b_m)),   m = image, text;   p_k one proxy per class, in R^c
        positive   = Σ_m mean over (i, k) with Y_ik = 1 of 1 − cos(h_mi, p_k)
        negative   = Σ_m mean over (i, k) with Y_ik = 0 of [cos(h_mi, p_k) − ζ]₊
        irrelevant = Σ_(a,b) mean over (i, j) without a common label of [cos(h_ai, h_bj) − ζ]₊
                     (a, b) = (image, image), (text, text), (image, text)
        L          = positive + negative + α irrelevant

    on batches of an epoch in random order. A mean over no pairs is 0. The means are those of the batch. A class's
    proxy is all that its members see of each other, which costs n · K instead of n²; two items of several labels that
    have none in common may still end up between the same proxies, and the third term parts them. It looks at items
    with at least two labels; single-label data has none, and trains by the first two terms.

    ζ is the cosine of two code words at the distance d that K of them can keep in c bits: ζ = 1 − 2d / c. A new item's
    code is +1 where an output is above 0, else −1.

    Differs from the source: d comes from the Griesmer bound of linear codes with ⌈log₂ K⌉ data bits (the largest d with
    Σ_i ⌈d / 2^i⌉ ≤ c), theirs from a table of the best known ones. The networks train by AdamW with warm-up and cosine
    decay and a limit on the norm of the gradients of each network and encoder; theirs by an Adam without bias
    correction and a limit for each parameter. The encoders are whatever the system has; theirs are CLIP's towers.

    Args:
        dims: modality -> D_m (wired).
        num_classes: K (wired).
        multi_label: whether an item may have several labels (wired).
        bits: c, length of a code, > 0.
        hidden: size of a hidden layer of each network; null for none.
        dropout: rate in [0, 1) on the outputs, before tanh.
        alpha: α, weight of the third term, ≥ 0.
        margin: ζ in [-1, 1]; null for the one above.
        irrelevant: items of the third term: those with ``several`` labels, or ``all``.
        epochs: > 0.
        batch_size: > 0.
        lr: of the networks, > 0.
        encoder_lr_scale: factor of the rate for encoders that train, > 0.
        weight_decay: of networks and encoders, ≥ 0; decoupled.
        warmup: share of the steps in which the rates rise from 0, in [0, 1).
        clip: largest norm of the gradients of a network or an encoder, > 0.
        proxy_lr: of the proxies, which train by SGD with a constant rate, > 0.
        proxy_momentum: in [0, 1).
        proxy_weight_decay: ≥ 0.
        inputs: what is done to the vectors of frozen encoders: ``raw``, ``center`` (minus the training mean) or
            ``standardize`` (and over the standard deviation).

    Shape: (B, D_m) -> (B, c) of −1 and +1

    Raises: ConfigError for other modalities than image and text, or without classes. TrainingError when the loss is
    not finite.

    Example:
        >>> fitter = Dsph({"image": 6, "text": 4}, 3, False, bits=8)
        >>> fitter.embed("text", torch.zeros(2, 4)).shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        multi_label: bool,
        *,
        bits: Annotated[int, Gt(0)] = 16,
        hidden: Annotated[int, Gt(0)] | None = None,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
        alpha: Annotated[float, Ge(0)] = 0.8,
        margin: Annotated[float, Ge(-1), Le(1)] | None = None,
        irrelevant: Literal["several", "all"] = "several",
        epochs: Annotated[int, Gt(0)] = 100,
        batch_size: Annotated[int, Gt(0)] = 128,
        lr: Annotated[float, Gt(0)] = 1e-3,
        encoder_lr_scale: Annotated[float, Gt(0)] = 0.01,
        weight_decay: Annotated[float, Ge(0)] = 0.2,
        warmup: Annotated[float, Ge(0), Lt(1)] = 0.1,
        clip: Annotated[float, Gt(0)] = 1.0,
        proxy_lr: Annotated[float, Gt(0)] = 0.02,
        proxy_momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
        proxy_weight_decay: Annotated[float, Ge(0)] = 5e-4,
        inputs: Inputs = "raw",
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ConfigError("fitter 'dsph' learns from classes; this dataset has none.")
        self.dim_out = bits
        self.dropout, self.alpha, self.several = dropout, alpha, irrelevant == "several"
        self.margin = margin_of(num_classes, bits) if margin is None else margin
        self.epochs, self.batch_size, self.warmup, self.clip = epochs, batch_size, warmup, clip
        self.lr, self.encoder_lr_scale, self.weight_decay = lr, encoder_lr_scale, weight_decay
        self.proxy_lr, self.proxy_momentum, self.proxy_weight_decay = proxy_lr, proxy_momentum, proxy_weight_decay
        self.inputs = inputs
        self.networks = nn.ModuleDict(pair_of_networks("dsph", dims, bits, {"image": hidden, "text": hidden}))
        self.proxies = nn.Parameter(torch.zeros(num_classes, bits))

    def fit(self, data: FitData) -> None:
        """Learn from the training items."""
        with drawn_from(data.seed, data.device):
            self._fit(data)

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Return the codes of new items."""
        return signs(self.networks[modality](vectors.float()))

    def factor(self, progress: float) -> float:
        """Of the networks' learning rates, for a share of the steps done in [0, 1]."""
        if progress < self.warmup:
            return progress / self.warmup
        return 0.5 * (1 + math.cos(math.pi * progress))

    def _fit(self, data: FitData) -> None:
        self.to(data.device).train()
        labels = data.multi_hot
        nn.init.kaiming_normal_(self.proxies, mode="fan_out")
        groups = [group for modality in ("image", "text") for group in self._prepare(data, modality)]
        networks = torch.optim.AdamW(groups, lr=self.lr, betas=(0.9, 0.98), eps=1e-6, weight_decay=self.weight_decay)
        proxies = torch.optim.SGD(
            [self.proxies], lr=self.proxy_lr, momentum=self.proxy_momentum, weight_decay=self.proxy_weight_decay
        )
        count, step = len(data), 0
        steps = self.epochs * math.ceil(count / self.batch_size)
        for epoch in range(1, self.epochs + 1):
            sums = dict.fromkeys(("loss", *TERMS), 0.0)
            for rows in torch.randperm(count).split(self.batch_size):
                for group in networks.param_groups:
                    group["lr"] = self.lr * group["scale"] * self.factor((step + 1) / steps)
                hashed = {m: self._hash(m, data.encode(m, rows)) for m in ("image", "text")}
                result = terms(hashed, self.proxies, labels[rows.to(labels.device)], self.margin, several=self.several)
                result["loss"] = result["positive"] + result["negative"] + self.alpha * result["irrelevant"]
                networks.zero_grad()
                proxies.zero_grad()
                result["loss"].backward()
                for group in networks.param_groups:
                    nn.utils.clip_grad_norm_(group["params"], self.clip)
                networks.step()
                proxies.step()
                step += 1
                for name, value in result.items():
                    sums[name] += float(value.detach()) * len(rows) / count
            if not math.isfinite(sums["loss"]):
                raise TrainingError(f"dsph: the loss is not finite in epoch {epoch}; try a smaller lr.")
            data.report(epoch, sums)
        self.eval()

    def _prepare(self, data: FitData, modality: str) -> list[dict[str, object]]:
        network = self.networks[modality]
        encoder = data.parameters(modality)
        network.draw(None)  # type: ignore[operator]
        if not encoder:
            network.observe(data.vectors(modality), self.inputs)  # type: ignore[operator]
        groups: list[dict[str, object]] = [{"params": list(network.parameters()), "scale": 1.0}]
        return [*groups, {"params": encoder, "scale": self.encoder_lr_scale}] if encoder else groups

    def _hash(self, modality: str, vectors: Tensor) -> Tensor:
        return torch.tanh(F.dropout(self.networks[modality](vectors), self.dropout))


def terms(
    hashed: Mapping[str, Tensor], proxies: Tensor, labels: Tensor, margin: float, *, several: bool
) -> dict[str, Tensor]:
    """Compute the three terms of the loss.

    Args:
        hashed: ``image`` and ``text`` -> outputs of a batch, (B, c).
        proxies: (K, c).
        labels: zeros and ones, (B, K).
        margin: ζ.
        several: only items with at least two labels in the third term.
    """
    unit = {m: F.normalize(v, dim=1) for m, v in hashed.items()}
    centres = F.normalize(proxies, dim=1)
    positive = labels > 0
    results = {name: proxies.new_zeros(()) for name in TERMS}
    for values in unit.values():
        cosines = values @ centres.T
        results["positive"] = results["positive"] + _mean_where(1 - cosines, positive)
        results["negative"] = results["negative"] + _mean_where(F.relu(cosines - margin), ~positive)
    among = labels.sum(1) > 1 if several else torch.ones(len(labels), dtype=torch.bool, device=labels.device)
    apart = shares_label(labels[among], labels[among]) == 0
    for a, b in (("image", "image"), ("text", "text"), ("image", "text")):
        excess = F.relu(unit[a][among] @ unit[b][among].T - margin)
        results["irrelevant"] = results["irrelevant"] + _mean_where(excess, apart)
    return results


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)


def margin_of(num_classes: int, bits: int) -> float:
    """Return the cosine of two of K code words at the largest distance that the Griesmer bound allows in c bits.

    Example:
        >>> margin_of(10, 16), margin_of(80, 64), margin_of(80, 32)
        (0.0, 0.0, 0.0625)
    """
    data_bits = max(math.ceil(math.log2(num_classes)), 1)
    distance = 0
    while sum(math.ceil((distance + 1) / 2**i) for i in range(data_bits)) <= bits:
        distance += 1
    return 1 - 2 * distance / bits
