from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vsebench.components.objective.graph_laplacian import GraphLaplacian, affinity, laplacian, smoothness
from vsebench.core.types import Batch, DocumentAttention, Output

ITEMS, SHARED, JOINT = 6, 4, 5


def output_of(seed: int = 0, *, items: int = ITEMS, dtype: torch.dtype = torch.float32) -> Output:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    has = {m: torch.rand(items, generator=generator) < 0.7 for m in ("image", "audio")}
    asks = torch.rand(items, generator=generator) < 0.8
    keys = {m: draw(items, SHARED) for m in has}
    document_attention = DocumentAttention(draw(items, SHARED), asks, keys, has, {"query": draw(SHARED, 3)}, 1.5)
    return Output(draw(items, 3), joint=draw(items, JOINT), document_attention=document_attention)


def batch_of(items: int = ITEMS) -> Batch:
    index = torch.arange(items)
    return Batch({}, index % 3, index, index)


def slow_affinity(document_attention: DocumentAttention) -> list[list[float]]:
    items = range(len(document_attention.asks))

    def dot(a: Tensor, b: Tensor) -> float:
        return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))

    alpha = [[0.0] * len(items) for _ in items]
    for m, key in document_attention.keys.items():
        for i in items:
            among = [j for j in items if document_attention.has[m][j]] if document_attention.asks[i] else []
            exps = {
                j: math.exp(dot(document_attention.query[i], key[j]) / document_attention.temperature) for j in among
            }
            for j, e in exps.items():
                alpha[i][j] += e / sum(exps.values()) / len(document_attention.keys)
    means = []
    for i in items:
        current = [key[i] for m, key in document_attention.keys.items() if document_attention.has[m][i]]
        means.append(sum(current) / len(current) if current else torch.zeros(SHARED))
    results = [[0.0] * len(items) for _ in items]
    for i in items:
        for j in items:
            both = document_attention.asks[i] and document_attention.asks[j]
            s = dot(document_attention.query[i], document_attention.query[j]) if both else 0.0
            value = s + (alpha[i][j] + alpha[j][i]) / 2 * dot(means[i], means[j])
            results[i][j] = 0.0 if i == j else max(0.0, value)
    return results


@pytest.mark.parametrize("beta", [0.9, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_equals_explicit_loops_in_both_forms(seed: int, beta: float) -> None:
    output, batch = output_of(seed), batch_of()
    result = float(GraphLaplacian(beta=beta)(output, batch)["graph_laplacian"])
    assert output.document_attention is not None
    assert output.joint is not None
    assert output.logits is not None
    s, h = slow_affinity(output.document_attention), output.joint.tolist()
    confident = [max(p) for p in output.logits.softmax(-1).tolist()]
    rank = {i: r for r, i in enumerate(sorted(range(ITEMS), key=lambda i: -confident[i]), start=1)}
    g = [[beta ** (rank[i] / 2) * x for x in h[i]] for i in range(ITEMS)]
    pairs = 0.0
    for i in range(ITEMS):
        for j in range(ITEMS):
            pairs += s[i][j] * sum((a - b) ** 2 for a, b in zip(g[i], g[j], strict=True))
    assert result == pytest.approx(pairs / 2 / ITEMS**2, rel=1e-4)
    trace = 0.0
    for d in range(JOINT):
        for i in range(ITEMS):
            for j in range(ITEMS):
                entry = sum(s[i]) if i == j else -s[i][j]
                trace += g[i][d] * entry * g[j][d]
    assert result == pytest.approx(trace / ITEMS**2, rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_the_laplacian_is_positive_semi_definite(seed: int) -> None:
    document_attention = output_of(seed, items=30, dtype=torch.float64).document_attention
    assert document_attention is not None
    result = affinity(document_attention).double()
    assert torch.equal(result, result.T)
    assert bool((result >= 0).all())
    assert not bool(result.diagonal().any())
    matrix = laplacian(result)
    torch.testing.assert_close(matrix.sum(1), torch.zeros(30, dtype=torch.float64), atol=1e-10, rtol=0)
    assert float(torch.linalg.eigvalsh(matrix).min()) > -1e-9
    for trial in range(5):
        values = torch.randn(30, 8, generator=torch.Generator().manual_seed(trial), dtype=torch.float64)
        assert float(smoothness(result, values)) >= 0


def test_equal_documents_cost_nothing_where_all_count_alike() -> None:
    output, batch = output_of(), batch_of()
    output.joint = torch.randn(1, JOINT).expand(ITEMS, JOINT)
    assert float(GraphLaplacian(beta=1.0)(output, batch)["graph_laplacian"]) == pytest.approx(0, abs=1e-6)
    assert float(GraphLaplacian(beta=0.9)(output, batch)["graph_laplacian"]) > 1e-4


def test_one_document_costs_nothing() -> None:
    assert float(GraphLaplacian()(output_of(items=1), batch_of(1))["graph_laplacian"]) == 0.0


@pytest.mark.parametrize("affinity_grad", [False, True])
def test_gradients(affinity_grad: bool) -> None:
    output, batch = output_of(3), batch_of()
    document_attention, module = output.document_attention, GraphLaplacian(affinity_grad=affinity_grad)
    assert document_attention is not None
    assert output.joint is not None
    output.joint.requires_grad_()
    document_attention.query.requires_grad_()
    module(output, batch)["graph_laplacian"].backward()
    assert bool(output.joint.grad.any())
    assert (document_attention.query.grad is not None) is affinity_grad
    values = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    lower = torch.rand(5, 5, dtype=torch.float64).tril(-1)
    assert torch.autograd.gradcheck(smoothness, ((lower + lower.T).requires_grad_(), values))


def test_multi_label_ranks_by_the_most_probable_label() -> None:
    output = output_of()
    labels = torch.zeros(ITEMS, 3)
    single = GraphLaplacian()(output, batch_of())["graph_laplacian"]
    index = torch.arange(ITEMS)
    output.logits = torch.tensor([[5.0, 5, 5], [4, -9, -9], [3, 3, 3], [2, -9, -9], [1, 1, 1], [0, -9, -9]])
    sure = GraphLaplacian()(output, Batch({}, labels, index, index))["graph_laplacian"]
    output.logits = torch.arange(ITEMS, 0, -1)[:, None] * torch.tensor([[1.0, 0, 0]])
    wanted = GraphLaplacian()(output, batch_of())["graph_laplacian"]  # the same order
    torch.testing.assert_close(sure, wanted)
    assert float(single) != float(wanted)


def test_a_fusion_that_compares_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a head, and a fusion that compares documents"):
        GraphLaplacian()(Output(torch.randn(2, 3), joint=torch.randn(2, 4)), batch_of(2))
