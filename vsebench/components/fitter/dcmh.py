"""Deep cross-modal hashing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt
from torch import Tensor, nn

from vsebench.components.fitter._hash_networks import Inputs, drawn_from, pair_of_networks, shares_label
from vsebench.components.fitter.base import FitData, Fitter, signs
from vsebench.core.errors import TrainingError
from vsebench.core.registry import FITTERS

OTHER = {"image": "text", "text": "image"}
BLOCK = 1024  # rows of Θ at a time: 40 MB for 10,000 items


@FITTERS.register(
    "dcmh",
    source="Jiang and Li 2017, arXiv:1602.02255; methods 6.2",
    codes=True,
    needs_labels=True,
    needs=("image", "text"),
    trains_encoders=True,
)
class Dcmh(Fitter):
    """Learn a hash network for images and one for texts in turns, with codes that both share.

        J = Σ_ij [softplus(Θ_ij) − S_ij Θ_ij] + γ (‖B − F‖² + ‖B − G‖²) + η (‖Fᵀ1‖² + ‖Gᵀ1‖²),   Θ = ½ F Gᵀ
        ∂J/∂F_i = ½ Σ_j (σ(Θ_ij) − S_ij) G_j + 2γ (F_i − B_i) + 2η Σ_k F_k,   and the same of G with F
        B = sign(γ (F + G)),   sign(0) = 0

    F (n, c) holds the outputs of the image network for the n training items, G those of the text network; S_ij is 1 if
    items i and j share a label. Each iteration draws ⌈n / batch_size⌉ random batches for one network, then for the
    other, then takes B. A batch renews its own rows of the buffer; the others stay as they are. The gradient is
    divided by n · batch before the step of SGD. S is found for a batch at a time, never as a whole.

    The image network is a linear map on the encoder's vector (the last layer of CNN-F), the text network has a hidden
    layer; an encoder that is not frozen trains with its network. A new item's code is that of its own modality:
    +1 where an output is above 0, else −1.

    Differs from the source: the mean that is taken off the vectors is that of the training items; the released code
    takes that of all items, queries included. Vectors of an encoder that trains are left as they are. The released
    programs differ: MATLAB trains the text network first, with buffers of zeros, the rates of ``schedule: log`` and
    weight decay; TensorFlow and the paper train the image network first, and TensorFlow starts from N(0, 1), with
    ``schedule: linear`` to 1e-6 and without decay.

    Args:
        dims: modality -> D_m (wired).
        num_classes: K (wired).
        multi_label: whether an item may have several labels (wired).
        bits: c, length of a code, > 0.
        image_hidden: size of a hidden layer of the image network; null for none.
        text_hidden: of the text network.
        gamma: γ, weight of the distance to the codes, > 0.
        eta: η, weight of the balance of each bit, ≥ 0.
        batch_size: items of a batch, > 0.
        iterations: outer iterations, > 0.
        lr: rate of the first iteration, > 0.
        lr_end: rate of the last one, > 0.
        schedule: in between, equal ratios (``log``) or equal steps (``linear``).
        weight_decay: ≥ 0, of weights and biases.
        encoder_lr_scale: factor of the rate for encoders that train, > 0.
        inputs: what is done to the vectors of frozen encoders: ``raw``, ``center`` (minus the training mean) or
            ``standardize`` (and over the standard deviation).
        start: buffers of ``zeros`` or drawn from N(0, 1) (``normal``).
        first: the network that is trained first in an iteration.
        std: of the normal distribution that the first weights are drawn from, > 0; null for torch's own way.
        report_every: iterations between two computations of J, which costs about a third of an iteration.

    Shape: (B, D_m) -> (B, c) of −1 and +1

    Raises: ConfigError for other modalities than image and text. TrainingError when J is not finite.

    Example:
        >>> fitter = Dcmh({"image": 6, "text": 4}, 3, False, bits=8, text_hidden=16)
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
        image_hidden: Annotated[int, Gt(0)] | None = None,
        text_hidden: Annotated[int, Gt(0)] | None = 8192,
        gamma: Annotated[float, Gt(0)] = 1.0,
        eta: Annotated[float, Ge(0)] = 1.0,
        batch_size: Annotated[int, Gt(0)] = 128,
        iterations: Annotated[int, Gt(0)] = 500,
        lr: Annotated[float, Gt(0)] = 10**-1.5,
        lr_end: Annotated[float, Gt(0)] = 1e-3,
        schedule: Literal["log", "linear"] = "log",
        weight_decay: Annotated[float, Ge(0)] = 5e-4,
        encoder_lr_scale: Annotated[float, Gt(0)] = 1.0,
        inputs: Inputs = "center",
        start: Literal["zeros", "normal"] = "zeros",
        first: Literal["image", "text"] = "image",
        std: Annotated[float, Gt(0)] | None = 0.01,
        report_every: Annotated[int, Gt(0)] = 1,
    ) -> None:
        super().__init__()
        self.dim_out = bits
        self.gamma, self.eta, self.batch_size, self.iterations = gamma, eta, batch_size, iterations
        self.lr, self.lr_end, self.schedule = lr, lr_end, schedule
        self.weight_decay, self.encoder_lr_scale = weight_decay, encoder_lr_scale
        self.inputs, self.start, self.std, self.report_every = inputs, start, std, report_every
        self.order = (first, OTHER[first])
        hidden = {"image": image_hidden, "text": text_hidden}
        self.networks = nn.ModuleDict(pair_of_networks("dcmh", dims, bits, hidden))

    def fit(self, data: FitData) -> None:
        """Learn from the training items."""
        with drawn_from(data.seed, data.device):
            self._fit(data)

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Return the codes of new items."""
        return signs(self.networks[modality](vectors.float()))

    def rate(self, step: int) -> float:
        """Learning rate of an iteration, 1 … ``iterations``."""
        done = (step - 1) / max(self.iterations - 1, 1)
        if self.schedule == "linear":
            return self.lr + done * (self.lr_end - self.lr)
        return float(self.lr * (self.lr_end / self.lr) ** done)

    def _fit(self, data: FitData) -> None:
        self.to(data.device).train()
        labels = data.multi_hot
        buffers, optimizers = {}, {}
        for modality in ("image", "text"):
            buffers[modality] = torch.zeros(len(data), self.dim_out, device=data.device)
            if self.start == "normal":
                buffers[modality].normal_()
            optimizers[modality] = self._prepare(data, modality)
        codes = binarize(buffers, self.gamma)
        for step in range(1, self.iterations + 1):
            for modality in self.order:
                for group in optimizers[modality].param_groups:
                    group["lr"] = self.rate(step) * group["scale"]
                self._pass(data, modality, buffers, codes, labels, optimizers[modality])
            codes = binarize(buffers, self.gamma)
            if step % self.report_every == 0 or step == self.iterations:
                numbers = objective(buffers, codes, labels, self.gamma, self.eta)
                if not math.isfinite(numbers["objective"]):
                    raise TrainingError(
                        f"dcmh: the objective is not finite after iteration {step} with lr {self.rate(step):.3g}; try "
                        "a smaller lr, or inputs: standardize where the vectors are large."
                    )
                data.report(step, numbers)
        self.eval()

    def _prepare(self, data: FitData, modality: str) -> torch.optim.Optimizer:
        network = self.networks[modality]
        encoder = data.parameters(modality)
        network.draw(self.std)  # type: ignore[operator]
        if not encoder:
            network.observe(data.vectors(modality), self.inputs)  # type: ignore[operator]
        groups = [{"params": list(network.parameters()), "scale": 1.0}]
        if encoder:
            groups.append({"params": encoder, "scale": self.encoder_lr_scale})
        return torch.optim.SGD(groups, lr=self.lr, weight_decay=self.weight_decay)

    def _pass(
        self,
        data: FitData,
        modality: str,
        buffers: Mapping[str, Tensor],
        codes: Tensor,
        labels: Tensor,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        """Train one network on ⌈n / batch_size⌉ random batches."""
        count = len(data)
        outputs, other = buffers[modality], buffers[OTHER[modality]]
        total = outputs.sum(0)
        for _ in range(math.ceil(count / self.batch_size)):
            rows = torch.randperm(count)[: self.batch_size]
            result = self.networks[modality](data.encode(modality, rows))
            rows = rows.to(outputs.device)
            total += result.detach().sum(0) - outputs[rows].sum(0)
            outputs[rows] = result.detach()
            similar = shares_label(labels[rows], labels)
            slope = gradient(outputs[rows], other, codes[rows], similar, total, self.gamma, self.eta)
            optimizer.zero_grad()
            result.backward(slope / (count * len(rows)))
            optimizer.step()


def binarize(buffers: Mapping[str, Tensor], gamma: float) -> Tensor:
    """Compute the codes that minimise the objective for given outputs. Shape: two of (n, c) -> (n, c) of −1, 0
    and +1
    """
    return torch.sign(gamma * (buffers["image"] + buffers["text"]))


def gradient(
    outputs: Tensor, other: Tensor, codes: Tensor, similar: Tensor, total: Tensor, gamma: float, eta: float
) -> Tensor:
    """∂J with respect to some rows of one modality's outputs.

    Args:
        outputs: those rows, (B, c).
        other: all outputs of the other modality, (n, c).
        codes: those rows of B, (B, c).
        similar: those rows of S, (B, n).
        total: sum of all n outputs of the own modality, (c,).
        gamma: γ.
        eta: η.

    Shape: -> (B, c)
    """
    weights = torch.sigmoid(0.5 * outputs @ other.T) - similar
    return 0.5 * weights @ other + 2 * gamma * (outputs - codes) + 2 * eta * total


def objective(
    buffers: Mapping[str, Tensor], codes: Tensor, labels: Tensor, gamma: float, eta: float
) -> dict[str, float]:
    """J and its three terms, without their weights, from blocks of rows.

    Shape: two of (n, c), (n, c), (n, K) -> {"objective", "likelihood", "quantization", "balance"}
    """
    image, text = buffers["image"], buffers["text"]
    likelihood = 0.0  # of the negative logarithm
    for start in range(0, len(image), BLOCK):
        part = slice(start, start + BLOCK)
        theta = 0.5 * image[part] @ text.T
        similar = shares_label(labels[part], labels)
        likelihood += float((F.softplus(theta) - similar * theta).sum(dtype=torch.float64))
    pair = (image.double(), text.double())
    quantization = float(sum((codes - v).square().sum() for v in pair))
    balance = float(sum(v.sum(0).square().sum() for v in pair))
    total = likelihood + gamma * quantization + eta * balance
    return {"objective": total, "likelihood": likelihood, "quantization": quantization, "balance": balance}
