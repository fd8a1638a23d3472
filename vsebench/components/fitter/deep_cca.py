"""Deep canonical correlation analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from vsebench.components.fitter._correlation import Correlated, known, moments
from vsebench.components.fitter._transform import Transforms, transformed
from vsebench.components.fitter._views import PAIR, generator
from vsebench.components.fitter.base import FitData
from vsebench.core.errors import ConfigError, TrainingError
from vsebench.core.registry import FITTERS

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
#: Items that go through a network at a time when no gradient is needed.
ROWS = 8192


def correlation(image: Tensor, text: Tensor, r: float, k: int) -> Tensor:
    """Compute the sum of the ``k`` largest canonical correlations of two outputs, differentiably.

        Σ̂_ij = H̄_iᵀ H̄_j / (n − 1) + [i = j] r I,  T = Σ̂_11^(−½) Σ̂_12 Σ̂_22^(−½),  Σ_{i ≤ k} σ_i(T)

    The singular values are those of L_1⁻¹ Σ̂_12 L_2⁻ᵀ with Σ̂_ii = L_i L_iᵀ, because T differs from it by rotations
    alone. The gradient of these has no differences of eigenvalues in its denominators, as that of a square root has.
    In float64. Shape: (n, o), (n, o) -> ()

    Example:
        >>> rows = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
        >>> round(float(correlation(rows, -3 * rows, 0.0, 2)), 6)
        2.0
    """
    image, text = (h.double() - h.double().mean(0) for h in (image, text))
    roots = []
    for h in (image, text):
        covariance = h.T @ h / (len(h) - 1) + r * torch.eye(h.shape[1], dtype=h.dtype, device=h.device)
        roots.append(torch.linalg.cholesky(covariance))
    left = torch.linalg.solve_triangular(roots[0], image.T @ text / (len(image) - 1), upper=False)
    whitened = torch.linalg.solve_triangular(roots[1], left.T, upper=False)
    correlation: Tensor = torch.linalg.svdvals(whitened)[:k].sum()
    return correlation


@FITTERS.register("deep_cca", source="Andrew et al. 2013, ICML; methods 5", needs=PAIR, trains_encoders=True)
class DeepCCA(Correlated):
    """Train a network per modality so that their outputs correlate, then project those by linear CCA.

        H_m = f_m((x − mean_m) / std_m),  L = −Σ_{i ≤ dim} σ_i(T),  T = Σ̂_11^(−½) Σ̂_12 Σ̂_22^(−½)
        Σ̂_ij = H̄_iᵀ H̄_j / (n − 1) + [i = j] r I
        out = (f_m(x) − mean) W · ρ^power,  W by ``cca`` of the outputs of all training items

    f_m: ``layers`` times Linear and activation, then Linear to ``outputs``. Adam; a batch is a random part of the
    training items, of ``batch_size`` to 2·batch_size of them, or all. σ_i are singular values, so that L is a nuclear
    norm for dim = outputs. A batch is to hold at least ten times ``outputs`` items: few correlate by chance.
    An encoder that is not frozen is trained along.

    Differs from the source: Adam for L-BFGS; ``weight_decay`` for its separate penalties; no pretraining by
    autoencoders; ReLU for their sigmoid made of a cube root. Public implementations have r = 1e-4 and no ridge: a few
    thousand items are then soon overfitted, and the sum of correlations rises while retrieval worsens. The defaults
    are the best of a grid on a quarter of the 2,173 training documents of ``wikipedia``.

    Args:
        dims: sizes of the modalities' vectors (wired).
        dim: E, number of correlations in the loss and of directions; > 0.
        outputs: o, size of a network's output, at least ``dim``; null for ``dim``.
        hidden: units of a hidden layer; > 0.
        layers: hidden layers; ≥ 0.
        activation: relu, tanh or sigmoid.
        epochs: passes over the training items; > 0.
        batch_size: items of a batch, more than ``outputs``; null for all.
        lr: Adam's learning rate; > 0.
        weight_decay: what is added to the gradient of a weight, as a share of it; ≥ 0.
        r: added to the outputs' covariances in the loss, in their unit; > 0.
        ridge: added to both covariances of the linear CCA, as a share of the mean variance; ≥ 0.
        power: of the correlations, by which the directions are weighed; ≥ 0. With 0 all count alike.
        transform: ``{image: sqrt}``, a function of each entry of a modality's vectors, sign(x) √|x|.

    Shape: (B, D_m) -> (B, E)

    Raises: ConfigError for ``outputs`` below ``dim`` or a ``batch_size`` that is not above it. TrainingError for
    too few training items, values that are not finite, or outputs that come to correlate in fewer than ``dim``
    directions. RuntimeError before the fit.

    Example:
        >>> DeepCCA({"image": 128, "text": 10}, dim=7, hidden=64).dim_out
        7
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        dim: Annotated[int, Gt(0)] = 10,
        outputs: Annotated[int, Gt(0)] | None = None,
        hidden: Annotated[int, Gt(0)] = 512,
        layers: Annotated[int, Ge(0)] = 1,
        activation: Literal["relu", "tanh", "sigmoid"] = "relu",
        epochs: Annotated[int, Gt(0)] = 20,
        batch_size: Annotated[int, Gt(1)] | None = 500,
        lr: Annotated[float, Gt(0)] = 1e-3,
        weight_decay: Annotated[float, Ge(0)] = 1e-4,
        r: Annotated[float, Gt(0)] = 1.0,
        ridge: Annotated[float, Ge(0)] = 1.0,
        power: Annotated[float, Ge(0)] = 0.0,
        transform: Transforms | None = None,
    ) -> None:
        super().__init__("deep_cca", dim, dim, ridge, power)
        self.outputs, self.r, self.transform = outputs or dim, r, transform
        self.epochs, self.batch_size, self.lr, self.weight_decay = epochs, batch_size, lr, weight_decay
        self._check()
        sizes = [hidden] * layers
        self.networks = nn.ModuleDict(
            {m: _network([dims[m], *sizes, self.outputs], ACTIVATIONS[activation]) for m in PAIR}
        )

    def fit(self, data: FitData) -> None:
        """Train the networks, then find the directions in their outputs."""
        if len(data) <= self.outputs:
            raise TrainingError(
                f"fitter '{self.who}' needs more training items than outputs ({self.outputs}); the training split has "
                f"{len(data)}."
            )
        self.to(data.device)
        draws = generator(data.seed)
        for modality in PAIR:
            _restart(self.networks[modality], draws)
            self._standardise(data, modality)
        trained = [*self.networks.parameters(), *(p for m in PAIR for p in data.parameters(m))]
        optimizer = torch.optim.Adam(trained, lr=self.lr, weight_decay=self.weight_decay)
        for epoch in range(1, self.epochs + 1):
            results = [self._step(data, rows, optimizer) for rows in self._batches(len(data), draws)]
            data.report(epoch, {"correlation": sum(results) / len(results)})
        with torch.no_grad():
            image, text = (self._all_outputs(m, data.vectors(m)).double().cpu() for m in PAIR)
        self.relate(data, moments([(image, text)]))
        data.report(self.epochs + 1, {"correlation": float(self.learned("correlations").sum())})

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Projections of new items."""
        known(modality)
        return self.project(modality, self._outputs(modality, vectors))

    def _check(self) -> None:
        if self.outputs < self.size:
            raise ConfigError(
                f"fitter 'deep_cca': {self.size} directions (dim) of networks with {self.outputs} outputs. Set outputs "
                f"to {self.size} or more.",
                path=("outputs",),
            )
        if self.batch_size is not None and self.batch_size <= self.outputs:
            raise ConfigError(
                f"fitter 'deep_cca': {self.batch_size} items correlate perfectly in {self.outputs} outputs, whatever "
                f"they are. Set batch_size above {self.outputs}, ten times that or more.",
                path=("batch_size",),
            )

    def _standardise(self, data: FitData, modality: str) -> None:
        """Learn the mean and standard deviation of each entry (1 where it is constant)."""
        total = torch.zeros(2, data.dims[modality], dtype=torch.float64, device=data.device)
        shift: Tensor | None = None
        for rows in torch.arange(len(data)).split(ROWS):
            with torch.no_grad():
                block = transformed(self._input(data, modality, rows), modality, self.transform).double()
            bad = (~torch.isfinite(block)).any(1).nonzero()
            if len(bad):
                raise TrainingError(
                    f"fitter '{self.who}': the {modality} vector of training item {int(rows[bad[0]])} is not finite."
                )
            shift = block.mean(0) if shift is None else shift
            total += torch.stack([(block - shift).sum(0), (block - shift).square().sum(0)])
        assert shift is not None
        mean, square = total / len(data)
        std = (square - mean.square()).clamp(min=0).sqrt()
        mean = mean + shift
        self.learn(f"input_mean_{modality}", mean)
        self.learn(f"input_std_{modality}", torch.where(std > 1e-6 * mean.abs(), std, 1.0))

    def _input(self, data: FitData, modality: str, rows: Tensor) -> Tensor:
        """Vectors of some items: with gradients where there is an encoder to train."""
        if data.parameters(modality):
            return data.encode(modality, rows)
        return data.vectors(modality)[rows.to(data.device)]

    def _batches(self, count: int, draws: torch.Generator) -> Iterator[Tensor]:
        order = torch.randperm(count, generator=draws)
        yield from order.tensor_split(max(1, count // (self.batch_size or count)))

    def _step(self, data: FitData, rows: Tensor, optimizer: torch.optim.Optimizer) -> float:
        """One step on a batch. Returns: its correlation, before the step."""
        image, text = (self._outputs(m, self._input(data, m, rows)) for m in PAIR)
        try:
            value = correlation(image, text, self.r, self.size)
        except torch.linalg.LinAlgError:  # a covariance of values that are too large, or are none
            raise TrainingError(
                f"fitter '{self.who}': the networks' outputs have no finite correlations any more. "
                f"Lower lr ({self.lr}) or raise r ({self.r})."
            ) from None
        optimizer.zero_grad()
        (-value).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(value.detach())

    def _outputs(self, modality: str, vectors: Tensor) -> Tensor:
        rows = transformed(vectors.float(), modality, self.transform)
        rows = (rows - self.learned(f"input_mean_{modality}")) / self.learned(f"input_std_{modality}")
        result: Tensor = self.networks[modality](rows)
        return result

    def _all_outputs(self, modality: str, vectors: Tensor) -> Tensor:
        return torch.cat([self._outputs(modality, part) for part in vectors.split(ROWS)])


def _network(sizes: list[int], activation: type[nn.Module]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for size, following in zip(sizes, sizes[1:], strict=False):
        parts += [nn.Linear(size, following), activation()]
    return nn.Sequential(*parts[:-1])


def _restart(network: nn.Module, draws: torch.Generator) -> None:
    """Draw the weights anew, from a generator on the CPU."""
    for part in network.modules():
        if isinstance(part, nn.Linear):
            weight = nn.init.xavier_uniform_(torch.empty(part.weight.shape), generator=draws)
            with torch.no_grad():
                part.weight.copy_(weight)
                part.bias.zero_()
