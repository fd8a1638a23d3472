from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from fitted import check_fitter, embeddings
from materials import Arrays, topics

from vsebench.components.fitter._kernels import distances, kernel_values, median_distance
from vsebench.components.fitter.cca import CCA
from vsebench.components.fitter.kernel_cca import KernelCCA
from vsebench.core.errors import ConfigError, TrainingError


def small(count: int = 40, seed: int = 0) -> Arrays:
    vectors, _ = topics(count, dims={"image": 6, "text": 4}, noise=1.0, seed=seed)
    return Arrays(vectors)


def fitted(data: Arrays, **options: object) -> KernelCCA:
    fitter = KernelCCA(data.dims, **options)  # type: ignore[arg-type]
    fitter.fit(data)
    return fitter


@pytest.mark.parametrize("kernel", ["rbf", "chi_square", "linear"])
def test_kernels_equal_a_loop(kernel: str) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    others = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    rows[0] = others[0] = 0.0
    result = kernel_values(rows, others, kernel, 0.7)  # type: ignore[arg-type]
    for i, x in enumerate(rows.tolist()):
        for j, z in enumerate(others.tolist()):
            squares = [(a - b) ** 2 for a, b in zip(x, z, strict=True)]
            shares = [s / (abs(a) + abs(b)) if s else 0.0 for s, a, b in zip(squares, x, z, strict=True)]
            value = {
                "rbf": math.exp(-sum(squares) / 0.7),
                "chi_square": math.exp(-sum(shares) / 0.7),
                "linear": sum(a * b for a, b in zip(x, z, strict=True)),
            }[kernel]
            assert float(result[i, j]) == pytest.approx(value)


def test_chi_square_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, others = torch.rand(7, 3), torch.rand(4, 3)
    whole = distances(rows, others, "chi_square")
    monkeypatch.setattr("vsebench.components.fitter._kernels.BLOCK", 30)
    assert torch.equal(distances(rows, others, "chi_square"), whole)


def test_median_distance() -> None:
    assert median_distance(torch.tensor([[0.0], [1.0], [3.0]]), "rbf") == 4.0  # of 1, 4 and 9
    assert median_distance(torch.zeros(4, 2), "rbf") == 1.0


def test_all_items_as_landmarks_solve_the_dual_of_the_source() -> None:
    """max αᵀ K_x K_y β with αᵀ(K_x² + κ_x K_x)α = βᵀ(K_y² + κ_y K_y)β = 1 and centred kernel matrices."""
    data, ridge = small(), 0.5
    fitter = fitted(data, dim=5, ridge=ridge, width=0.1)
    n = len(data)
    centre = np.eye(n) - 1 / n
    kernels, penalties = {}, {}
    for modality in ("image", "text"):
        rows = data.vectors(modality).double().numpy()
        squares = ((rows[:, None] - rows[None]) ** 2).sum(2)
        kernel = np.exp(-squares / (0.1 * np.quantile(squares[np.triu_indices(n, 1)], 0.5, method="lower")))
        rank = int((np.linalg.eigvalsh(kernel) > 1e-6 * np.linalg.eigvalsh(kernel)[-1]).sum())
        kernels[modality] = centre @ kernel @ centre
        penalties[modality] = ridge * np.trace(kernels[modality]) / rank  # (n − 1)·ridge·tr(Σ_φφ)/D_φ
    x, y = kernels["image"], kernels["text"]
    dual_x, dual_y = (k @ k + penalties[m] * k for m, k in kernels.items())
    jitter = 1e-10 * np.eye(n)
    squares = scipy.linalg.eigh(x @ y @ np.linalg.pinv(dual_y, rcond=1e-12) @ y @ x, dual_x + jitter, eigvals_only=True)
    np.testing.assert_allclose(fitter.learned("correlations"), np.sqrt(squares[::-1][:5]), rtol=2e-6)
    result = embeddings(fitter, data)
    between = (result["image"].double().T @ result["text"].double()).numpy() / (n - 1)
    np.testing.assert_allclose(between, np.diag(fitter.learned("correlations").numpy()), atol=1e-3)


def test_the_linear_kernel_is_linear_cca() -> None:
    data = small(200)
    fitter, linear = fitted(data, dim=4, kernel="linear", ridge=0.0, landmarks=50), CCA(data.dims, dim=4, ridge=0.0)
    linear.fit(data)
    np.testing.assert_allclose(fitter.learned("correlations"), linear.learned("correlations"), atol=1e-5)
    for modality, values in embeddings(fitter, data).items():
        expected = embeddings(linear, data)[modality]
        turn = (values * expected).sum(0).sign()
        torch.testing.assert_close(values * turn, expected, rtol=1e-3, atol=1e-3)


def test_more_landmarks_come_nearer() -> None:
    data = small(300)
    whole, few, many = (fitted(data, dim=3, landmarks=m).learned("correlations") for m in (300, 10, 150))
    assert (many - whole).abs().sum() < 0.3 * (few - whole).abs().sum()
    assert fitted(data, dim=3, landmarks=10).learned("landmarks_image").shape == (10, 6)


def test_blocks_of_items_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small(50)
    whole = fitted(data, dim=3)
    monkeypatch.setattr("vsebench.components.fitter.kernel_cca.ROWS", 7)
    parts = fitted(data, dim=3)
    torch.testing.assert_close(parts.learned("correlations"), whole.learned("correlations"))
    torch.testing.assert_close(embeddings(parts, data), embeddings(whole, data), rtol=1e-3, atol=1e-4)


def test_promises() -> None:
    data = small()
    check_fitter(lambda: KernelCCA(data.dims, dim=3, landmarks=30), data)
    other = Arrays({m: data.vectors(m) for m in data.dims}, seed=1)
    landmarks = [fitted(d, dim=3, landmarks=30).learned("landmarks_text") for d in (data, other)]
    assert not torch.equal(*landmarks)
    histograms = Arrays({m: data.vectors(m).abs() for m in data.dims})
    options = {"kernel": {"image": "chi_square", "text": "rbf"}, "transform": {"image": "sqrt"}, "power": 1.0}
    check_fitter(lambda: KernelCCA(data.dims, dim=3, **options), histograms)  # type: ignore[arg-type]


def test_kernels_see_what_lines_do_not() -> None:
    """Text is the distance of the image from the origin: uncorrelated with its entries."""
    image = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    data = Arrays({"image": image, "text": image.square().sum(1, keepdim=True)})
    linear = CCA(data.dims)
    linear.fit(data)
    assert float(linear.learned("correlations")[0]) < 0.3
    assert float(fitted(data, dim=1, ridge=0.01).learned("correlations")[0]) > 0.95


def test_errors() -> None:
    with pytest.raises(ConfigError, match="kernel has none of text vectors"):
        KernelCCA({"image": 4, "text": 4}, kernel={"image": "rbf"})
    with pytest.raises(TrainingError, match="dim is 10, and the training items have 4 independent image directions"):
        fitted(small(5))
    with pytest.raises(TrainingError, match="at least 2 training items"):
        fitted(small(1))
    data = small()
    with pytest.raises(TrainingError, match="all image vectors of the training items are the same"):
        fitted(Arrays({"image": torch.ones(40, 6), "text": data.vectors("text")}), dim=1)
    data.vectors("text")[3, 0] = torch.inf
    with pytest.raises(TrainingError, match="text vector of training item 3 is not finite"):
        fitted(data)
