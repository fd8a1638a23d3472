from __future__ import annotations

import pytest
import torch

from vsebench.components.objective.projection_norm import ProjectionNorm
from vsebench.core.types import Batch, DocumentAttention, Output

BATCH = Batch({}, torch.zeros(1), torch.arange(1), torch.arange(1))


def output_of(*matrices: torch.Tensor) -> Output:
    one, yes = torch.ones(1, 2), torch.ones(1, dtype=torch.bool)
    named = {str(i): m for i, m in enumerate(matrices)}
    return Output(document_attention=DocumentAttention(one, yes, {"image": one}, {"image": yes}, named, 1.0))


def test_equals_the_sum_of_squares() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(4, 3), torch.randn(4, 3)
    wanted = sum(x**2 for matrix in (first, second) for row in matrix.tolist() for x in row)
    assert float(ProjectionNorm()(output_of(first, second), BATCH)["projection_norm"]) == pytest.approx(
        wanted, rel=1e-5
    )


def test_orthogonal_rows_cost_nothing() -> None:
    torch.manual_seed(0)
    rows = torch.linalg.qr(torch.randn(5, 3))[0].T  # (3, 5)
    module = ProjectionNorm(orthogonal=True)
    assert float(module(output_of(rows), BATCH)["projection_norm"]) == pytest.approx(0, abs=1e-6)
    # Of five rows with three orthonormal columns two are too many.
    assert float(module(output_of(rows.T), BATCH)["projection_norm"]) == pytest.approx(2, rel=1e-5)
    assert float(module(output_of(2 * torch.eye(3)), BATCH)["projection_norm"]) == pytest.approx(27)


def test_a_fusion_that_compares_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a fusion that compares documents"):
        ProjectionNorm()(Output(), BATCH)
