"""Texts of new components and their tests, with ``$name``, ``$cls`` and ``$kind`` to fill in; see scaffold.py."""

from __future__ import annotations

FUSION = '''\
"""TITLE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn
from vsebench.fusion.base import Fusion
from vsebench.registry import FUSIONS


@FUSIONS.register("$name", source="where it comes from: a paper, a section, your notebook")
class $cls(Fusion):
    """Add the modalities after a linear map each, and scale the sum.

        z = scale · Σ_m (W_m x_m + b_m)

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D, size of the fused vector (wired).
        scale: multiplies the sum; > 0.

    Shape: {m: (B, D_m)} -> (B, D).

    Example:
        >>> $cls({"image": 4, "text": 3}, 8)({"image": torch.ones(2, 4), "text": torch.ones(2, 3)}).shape
        torch.Size([2, 8])
    """

    def __init__(self, dims: Mapping[str, int], dim_out: int, *, scale: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.dim_out, self.scale = dim_out, scale
        self.project = nn.ModuleDict({m: nn.Linear(d, dim_out) for m, d in dims.items()})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse a batch."""
        parts = [project(vectors[m]) for m, project in self.project.items()]
        return self.scale * torch.stack(parts).sum(0)
'''

FUSION_TEST = """
    module = plugin.$cls({"image": 4, "text": 3}, 8, scale=2.0)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    wanted = 2 * (module.project["image"](vectors["image"]) + module.project["text"](vectors["text"]))
    torch.testing.assert_close(module(vectors), wanted)
"""

POOLING = '''\
"""TITLE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn
from vsebench.masking import blank, masked_softmax
from vsebench.pooling.base import Pooling
from vsebench.registry import POOLINGS
from vsebench.types import Tokens


@POOLINGS.register("$name", source="where it comes from: a paper, a section, your notebook", ordered=False)
class $cls(Pooling):
    """Weigh the tokens by a linear score.

        α = softmax_n(w · x_n / temperature),  pooled = Σ_n α_n x_n

    Args:
        dim: D, size of a token (wired).
        temperature: divides the scores; > 0.

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> $cls(4).dim_out
        4
    """

    def __init__(self, dim: int, *, temperature: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.dim_out, self.temperature = dim, temperature
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, tokens: Tokens, context: Mapping[str, Tokens] | None = None) -> Tensor:
        """Pool a batch of sets."""
        values = blank(tokens.values, tokens.mask)  # padding may hold anything: remove it first
        weights = masked_softmax(self.score(values).squeeze(-1) / self.temperature, tokens.mask)  # (B, N)
        return (weights[:, :, None] * values).sum(1)
'''

POOLING_TEST = """
    module = plugin.$cls(4)
    torch.nn.init.zeros_(module.score.weight)  # equal scores: the mean of the real tokens
    values, mask = torch.randn(1, 3, 4), torch.tensor([[True, True, False]])
    torch.testing.assert_close(module(Tokens(values, mask)), values[:, :2].mean(1))
"""

ATTENTION = '''\
"""TITLE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from vsebench.attention.base import Attention
from vsebench.masking import blank, masked_mean
from vsebench.registry import ATTENTIONS
from vsebench.types import Tokens


@ATTENTIONS.register(
    "$name",
    source="where it comes from: a paper, a section, your notebook",
    cross_modal=True,  # one modality's tokens see another modality
    ordered=False,  # the order of the tokens does not matter
)
class $cls(Attention):
    """Gate every token by the mean of all modalities.

        c   = Σ_m W_m mean_n x_n^m
        x'  = x + strength · x ⊙ σ(U_m c)

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, size of the context (wired).
        strength: of the gates, ≥ 0; 0 changes nothing.

    Shape: {m: (B, N_m, D_m)} -> the same.

    Example:
        >>> $cls({"image": 6, "text": 5}, 8).dims_out
        {'image': 6, 'text': 5}
    """

    def __init__(self, dims: Mapping[str, int], dim: int, *, strength: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__()
        self.dims_out, self.strength = dict(dims), strength
        self.read = nn.ModuleDict({m: nn.Linear(d, dim) for m, d in dims.items()})
        self.gate = nn.ModuleDict({m: nn.Linear(dim, d) for m, d in dims.items()})

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend. When ``weights`` is a dict, the attention weights go into it by name."""
        read = [layer(masked_mean(tokens[m].values, tokens[m].mask)) for m, layer in self.read.items()]
        context = torch.stack(read).sum(0)  # (B, d)
        changed = {}
        for modality, gate in self.gate.items():
            own = tokens[modality]
            values = blank(own.values, own.mask)  # padding may hold anything: remove it first
            opened = torch.sigmoid(gate(context))[:, None]  # (B, 1, D_m)
            if weights is not None:
                weights[f"$name/{modality}"] = opened
            changed[modality] = own.with_values(values + self.strength * values * opened)
        return changed
'''

ATTENTION_TEST = """
    tokens = {"text": Tokens(torch.randn(2, 3, 5), torch.ones(2, 3, dtype=torch.bool))}
    unchanged = plugin.$cls({"text": 5}, 8, strength=0.0)(tokens)
    torch.testing.assert_close(unchanged["text"].values, tokens["text"].values)
"""

HEAD = '''\
"""TITLE."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Gt
from torch import Tensor, nn
from vsebench.heads.base import Head
from vsebench.registry import HEADS


@HEADS.register("$name", source="where it comes from: a paper, a section, your notebook")
class $cls(Head):
    """Score the classes by the cosine to a learned vector each.

        logits_k = scale · cos(z, w_k)

    Args:
        dim_in: D, size of the joint vector (wired).
        num_classes: C (wired).
        scale: multiplies the cosines; > 0.

    Shape: (B, D) -> (B, C).

    Example:
        >>> $cls(8, 3)(torch.ones(2, 8)).shape
        torch.Size([2, 3])
    """

    def __init__(self, dim_in: int, num_classes: int, *, scale: Annotated[float, Gt(0)] = 16.0) -> None:
        super().__init__()
        self.scale = scale
        self.classes = nn.Parameter(torch.randn(num_classes, dim_in))

    def forward(self, joint: Tensor) -> Tensor:
        """Score a batch."""
        return self.scale * F.normalize(joint, dim=-1) @ F.normalize(self.classes, dim=-1).T
'''

HEAD_TEST = """
    module = plugin.$cls(4, 3, scale=2.0)
    logits = module(5 * module.classes)  # each class's own vector, whatever its length, scores the whole scale
    torch.testing.assert_close(logits.diagonal(), torch.full((3,), 2.0))
"""

OBJECTIVE = '''\
"""TITLE."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor
from vsebench.objectives.base import Objective
from vsebench.registry import OBJECTIVES
from vsebench.types import Batch, Output


@OBJECTIVES.register("$name", source="where it comes from: a paper, a section, your notebook")
class $cls(Objective):
    """Classify, with less weight on items that are right already.

        L = mean of (1 - p)^gamma · (-log p),  p the probability of the right answer

    Args:
        gamma: ≥ 0; 0 is cross entropy.

    Shape: Output.logits (B, C), Batch.labels (B,) or (B, C) -> {"$name": scalar}.

    Example:
        >>> $cls(gamma=1.0).gamma
        1.0
    """

    def __init__(self, *, gamma: Annotated[float, Ge(0)] = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The loss term, averaged over the batch."""
        if output.logits is None:
            raise ValueError("objective '$name' needs logits")
        logits = output.logits.float()  # losses are float32, whatever the model computes in
        if batch.labels.ndim > 1:
            loss = F.binary_cross_entropy_with_logits(logits, batch.labels.float(), reduction="none")
        else:
            loss = F.cross_entropy(logits, batch.labels, reduction="none")
        return {"$name": ((1 - torch.exp(-loss)) ** self.gamma * loss).mean()}
'''

OBJECTIVE_TEST = """
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    batch = Batch({}, labels, torch.arange(4), torch.arange(4))
    found = plugin.$cls(gamma=0.0)(Output(logits), batch)["$name"]
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, labels))
"""

#: Before the body of each kind's own test; TYPES becomes an import.
TEST = '''\
"""Tests of $name: run them with ``pytest test_$name.py``."""

from __future__ import annotations

from pathlib import Path

import torch
from vsebench.plugins import load_plugin_file
from vsebench.testing import check_component
TYPES
plugin = load_plugin_file(Path(__file__).with_name("$name.py"))


def test_keeps_the_contract_of_a_$kind() -> None:
    # Shapes, padding, gradients, determinism, saving, bf16, docstring: what built-in components pass.
    check_component("$kind", "$name")


def test_a_case_worked_out_by_hand() -> None:'''

#: Kind -> its module, the body of its test, the types that the test imports.
TEMPLATES = {
    "attention": (ATTENTION, ATTENTION_TEST, "Tokens"),
    "fusion": (FUSION, FUSION_TEST, ""),
    "head": (HEAD, HEAD_TEST, ""),
    "objective": (OBJECTIVE, OBJECTIVE_TEST, "Batch, Output"),
    "pooling": (POOLING, POOLING_TEST, "Tokens"),
}
