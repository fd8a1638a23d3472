"""Spreading vectors: a network spreads them over a sphere, where a lattice or signs are their codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt

from vsebench.components.index._catalyzer import Recipe, drawn, embed, train
from vsebench.components.index._coded import Coded
from vsebench.components.index._hamming import nearest_codes, pack
from vsebench.components.index._points import Points
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES
from vsebench.ops.lattice import Lattice

CODES = "codes.npz"
NETWORK = "network.npz"
#: dim_out and r2 where none are given: 64 bits.
USUAL, USUAL_R2, USUAL_BITS = 24, 79, 64


@INDEXES.register("spreading", source="Sablayrolles et al. 2019, arXiv:1806.03198; methods 6.6", coarse=True)
class Spreading(Coded):
    """Train a network that keeps neighbours and spreads the rest, and write its outputs as lattice points.

        f(x) = h / ‖h‖,   h = W₃ g₂(g₁(x)) + b₃,   g(x) = relu(batch norm(W x + b))
        L = mean max(0, ‖f(x) − f(x⁺)‖ − ‖f(x) − f(x⁻)‖) − λ · mean log min_{j≠i} ‖f(x_i) − f(x_j)‖
        code = number of z(x) = argmax {⟨f(x), z⟩ : z ∈ Z^dim_out, ‖z‖² = r²};   score = ⟨f(q), z(x)⟩ / r
        binary: code_j = 1[f_j(x) ≥ 0];   score = 1 − 2 · #{j : code_j(q) ≠ code_j(x)} / dim_out

    x⁺ is any of the ``k_pos`` nearest of x, x⁻ the ``k_neg``-th nearest of f(x) behind the network, looked up anew each
    epoch. The entropy term (KoLeo) is of the batch. SGD with momentum 0.9; ``lr`` falls to a half and a tenth of itself
    in the third and last quarter. Equal seeds give equal numbers, as long as torch has as many threads.

    Trained on the CPU, on the vectors of the gallery as it is built. Each look-up of x⁻ compares all pairs, so that
    time grows with their square; memory does not. Codes are decoded for each search; ``decoded`` keeps the points.

    The published ``k_neg`` suits 500,000 vectors; among a few thousand a nearer one, 10 to 20, finds more.

    Differs from the source: 20 epochs in the place of 160 on 500,000 vectors; the last epoch's network is taken, where
    the source picks the best of every tenth by recall on vectors held out, and chooses λ so, from .001 to .05; x, x⁺
    and x⁻ share their batch statistics; neither training nor search knows the quantiser. ``k_pos`` and ``k_neg`` count
    other vectors: the released code counts a vector as its own first neighbour, so that its 10 are x and 9 others, and
    its 50th is the 49th other one. Its entropy term also has the constant −log B, which has no gradient.

    Args:
        dim: D, size of a vector (wired).
        dim_out: numbers of f(x); > 1. None is 24, with ``binary`` 64: as many bits.
        r2: r², squared length of the lattice's points; > 0. None is 79. Bytes: the table of index ``lattice``.
        binary: signs as codes, ranked by Hamming distance; the query is then quantised too.
        hidden: size of both hidden layers; > 0.
        epochs: passes over the vectors; > 0.
        batch_size: vectors per step, the rest shared out; > 1.
        lr: learning rate; > 0.
        koleo: λ, weight of the entropy; ≥ 0.
        k_pos: nearest vectors that count as neighbours; > 0.
        k_neg: which of the nearest outputs is pushed away; > 0.
        decoded: keep points in memory as well, ``dim_out`` bytes each, so that a search need not decode them.
        rerank: compare the best rerank · k once more with the query itself; > 0. The vectors are then kept in memory
            too, 4 · D bytes each. None ranks by codes alone.
        seed: of weights, batches and neighbours.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Raises: ConfigError if no point has that length, for ``r2`` or ``decoded`` with ``binary``, or for fewer training
        vectors than max(k_pos, k_neg) + 1; TrainingError when the loss is no longer finite.

    Example:
        >>> import numpy as np
        >>> vectors = np.random.default_rng(0).normal(size=(60, 4))
        >>> index = Spreading(4, dim_out=8, r2=10, hidden=16, epochs=2)
        >>> index.train(vectors)
        >>> index.add(np.arange(60), vectors)
        >>> index.search(vectors[:1], 3)[1].shape
        (1, 3)
    """

    def __init__(
        self,
        dim: int,
        *,
        dim_out: Annotated[int, Gt(1)] | None = None,
        r2: Annotated[int, Gt(0)] | None = None,
        binary: bool = False,
        hidden: Annotated[int, Gt(0)] = 1024,
        epochs: Annotated[int, Gt(0)] = 20,
        batch_size: Annotated[int, Gt(1)] = 64,
        lr: Annotated[float, Gt(0)] = 0.1,
        koleo: Annotated[float, Ge(0)] = 0.01,
        k_pos: Annotated[int, Gt(0)] = 10,
        k_neg: Annotated[int, Gt(0)] = 50,
        decoded: bool = False,
        rerank: Annotated[int, Gt(0)] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dim, rerank)
        self.size = dim_out or (USUAL_BITS if binary else USUAL)
        self.hidden = hidden
        self.recipe = Recipe(epochs, batch_size, lr, koleo, k_pos, k_neg, seed)
        self.needs, self.learns = max(k_pos, k_neg) + 1, f"a network from each vector's {max(k_pos, k_neg)} nearest"
        self.network = drawn(dim, self.size, hidden, seed)
        self.bits = pack(np.zeros((0, self.size), bool))
        self.points = None if binary else Points(_lattice(self.size, r2 or USUAL_R2), decoded)
        for name, given in (("r2", r2), ("decoded", decoded)):
            if binary and given:
                raise ConfigError(
                    f"index 'spreading' keeps signs with binary: true, no points of a lattice. Leave {name} out.",
                    path=(name,),
                )

    def spread(self, vectors: np.ndarray) -> np.ndarray:
        """Return the vectors that are quantised. Shape: unit (n, D) -> unit (n, dim_out)."""
        return embed(self.network, torch.tensor(vectors)).numpy()

    def _train(self, vectors: np.ndarray) -> None:
        self.network = drawn(self.dim, self.size, self.hidden, self.recipe.seed)
        train(self.network, vectors, self.recipe)

    def _encode(self, vectors: np.ndarray) -> None:
        if self.points is not None:
            self.points.add(self.spread(vectors))
        else:
            self.bits = np.concatenate([self.bits, pack(self.spread(vectors) >= 0)])

    def _candidates(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.spread(queries)
        if self.points is not None:
            return self.points.nearest(rows, self.ids, k)
        distances, positions = nearest_codes(pack(rows >= 0), self.bits, self.ids, k)
        return 1 - 2 * distances / self.size, positions

    def _code_bytes(self) -> int:
        return self.network.nbytes + (self.bits.nbytes if self.points is None else self.points.nbytes)

    def _write(self, folder: Path) -> None:
        np.savez(folder / CODES, codes=self.bits if self.points is None else self.points.codes)
        np.savez(folder / NETWORK, **{name: tensor.numpy() for name, tensor in self.network.state_dict().items()})

    def _read_codes(self, folder: Path) -> None:
        with np.load(folder / NETWORK, allow_pickle=False) as arrays:
            self.network.load_state_dict({name: torch.tensor(arrays[name]) for name in arrays.files})
        with np.load(folder / CODES, allow_pickle=False) as arrays:
            if self.points is None:
                self.bits = arrays["codes"]
            else:
                self.points.restore(arrays["codes"])


def _lattice(size: int, r2: int) -> Lattice:
    try:
        return Lattice(size, r2)
    except ValueError as error:
        raise ConfigError(f"index 'spreading': {error}", path=("r2",)) from None
