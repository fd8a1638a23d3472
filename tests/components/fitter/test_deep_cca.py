from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from fitted import check_fitter, embeddings
from materials import Arrays, topics
from torch import Tensor, nn

from vsebench.components.fitter.cca import CCA
from vsebench.components.fitter.deep_cca import DeepCCA, correlation
from vsebench.core.errors import ConfigError, TrainingError

SMALL = {"dim": 2, "hidden": 16, "layers": 1, "epochs": 3, "batch_size": 30}


def fitted(data: Arrays, **options: object) -> DeepCCA:
    fitter = DeepCCA(data.dims, **{**SMALL, **options})  # type: ignore[arg-type]
    fitter.fit(data)
    return fitter


def outputs(count: int = 20, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    return image, image.roll(1, 1) + torch.randn(count, 4, generator=generator, dtype=torch.float64)


def slow_parts(image: Tensor, text: Tensor, r: float) -> tuple[np.ndarray, ...]:
    """Inverse roots of the covariances, and T, as the source writes them."""
    h1, h2 = (h.numpy() - h.numpy().mean(0) for h in (image, text))
    n = len(h1)
    roots = []
    for h in (h1, h2):
        covariance = np.zeros((h.shape[1], h.shape[1]))
        for row in h:
            covariance += np.outer(row, row) / (n - 1)
        roots.append(np.linalg.inv(scipy.linalg.sqrtm(covariance + r * np.eye(len(covariance))).real))
    return h1, h2, roots[0], roots[1], roots[0] @ (h1.T @ h2 / (n - 1)) @ roots[1]


@pytest.mark.parametrize("r", [1e-4, 0.5])
@pytest.mark.parametrize("k", [1, 3, 4])
def test_loss_equals_a_slow_reference(r: float, k: int) -> None:
    image, text = outputs()
    *_, t = slow_parts(image, text, r)
    expected = np.sort(np.sqrt(np.linalg.eigvalsh(t @ t.T)))[::-1][:k].sum()
    assert float(correlation(image, text, r, k)) == pytest.approx(expected, rel=1e-8)
    assert float(correlation(image.float(), text.float(), r, k)) == pytest.approx(expected, rel=1e-5)


def test_gradient_is_that_of_the_source() -> None:
    """∂corr/∂H1 = (2 ∇11 H̄1 + ∇12 H̄2)/(n − 1), ∇12 = Σ11^(−½) U Vᵀ Σ22^(−½), ∇11 = −½ Σ11^(−½) U D Uᵀ Σ11^(−½)."""
    image, text = (h.requires_grad_() for h in outputs())
    correlation(image, text, 0.01, 4).backward()  # type: ignore[no-untyped-call]
    h1, h2, root1, root2, t = slow_parts(image.detach(), text.detach(), 0.01)
    u, d, vt = np.linalg.svd(t)
    current = -0.5 * root1 @ u @ np.diag(d) @ u.T @ root1
    cross = root1 @ u @ vt @ root2
    np.testing.assert_allclose(image.grad, (2 * h1 @ current + h2 @ cross.T) / (len(h1) - 1), atol=1e-10)


@pytest.mark.parametrize("k", [2, 4])
def test_gradient_equals_differences(k: int) -> None:
    image, text = (h.requires_grad_() for h in outputs())
    assert torch.autograd.gradcheck(lambda a, b: correlation(a, b, 1e-2, k), (image, text))


def test_gradient_is_finite_where_correlations_are_the_same() -> None:
    image, _ = outputs()
    same, zero = image.clone().requires_grad_(), torch.zeros_like(image).requires_grad_()
    correlation(image, same, 1e-4, 4).backward()  # type: ignore[no-untyped-call]
    correlation(image, zero, 1e-4, 4).backward()  # type: ignore[no-untyped-call]
    for given in (same, zero):
        assert given.grad is not None
        assert torch.isfinite(given.grad).all()


def test_offsets_do_not_matter() -> None:
    image, text = outputs()
    assert float(correlation(image + 9, text - 7, 1e-4, 3)) == pytest.approx(float(correlation(image, text, 1e-4, 3)))


def test_without_hidden_layers_it_is_linear_cca() -> None:
    """Linear CCA undoes any invertible linear map, whatever was trained."""
    vectors, _ = topics(noise=2.0)
    data = Arrays(vectors)
    linear = CCA(data.dims, dim=4, ridge=0.0)
    linear.fit(data)
    deep = fitted(data, layers=0, dim=4, outputs=9, ridge=0.0)
    torch.testing.assert_close(deep.learned("correlations"), linear.learned("correlations"), rtol=1e-4, atol=1e-5)
    for modality, values in embeddings(deep, data).items():
        expected = embeddings(linear, data)[modality]
        torch.testing.assert_close(values * (values * expected).sum(0).sign(), expected, rtol=1e-2, atol=1e-2)


def test_networks_see_what_lines_do_not() -> None:
    image = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    data = Arrays({"image": image, "text": image.square().sum(1, keepdim=True)})
    fitter = fitted(data, dim=1, hidden=32, epochs=60, batch_size=None, lr=1e-2, r=1e-4, ridge=1e-6)
    assert float(fitter.learned("correlations")[0]) > 0.95
    message = [numbers["correlation"] for _, numbers in data.reported]
    assert len(message) == 61
    assert message[59] > 0.95 > 0.5 > message[0]
    assert message[60] == pytest.approx(float(fitter.learned("correlations").sum()))


@pytest.mark.parametrize(("size", "expected"), [(None, [100]), (30, [34, 33, 33]), (100, [100]), (101, [100])])
def test_a_batch_is_never_smaller_than_asked(size: int | None, expected: list[int]) -> None:
    fitter = DeepCCA({"image": 3, "text": 3}, dim=2, batch_size=size)
    batches = list(fitter._batches(100, torch.Generator().manual_seed(0)))
    assert [len(b) for b in batches] == expected
    assert torch.cat(batches).sort().values.tolist() == list(range(100))


class Encoded(Arrays):
    """Vectors that a linear encoder of the image makes, which the fit may train."""

    def __init__(self, vectors: dict[str, Tensor]) -> None:
        super().__init__(vectors)
        self.encoder = nn.Linear(7, 7, bias=False)
        nn.init.eye_(self.encoder.weight)
        self.results = False

    def vectors(self, modality: str) -> Tensor:
        if modality == "text":
            return super().vectors(modality)
        self.results = True
        return self.encoder(super().vectors(modality)).detach()

    def encode(self, modality: str, rows: Tensor) -> Tensor:
        assert not self.results or modality == "text", "what was found once would be kept and not be the trained one's"
        result = super().encode(modality, rows)
        return self.encoder(result) if modality == "image" else result

    def parameters(self, modality: str) -> list[nn.Parameter]:
        return list(self.encoder.parameters()) if modality == "image" else []


def test_an_encoder_is_trained_along() -> None:
    vectors, _ = topics()
    data = Encoded(vectors)
    fitted(data, lr=1e-2)
    assert data.results
    assert not torch.equal(data.encoder.weight, torch.eye(7))


def test_promises() -> None:
    vectors, _ = topics()
    data = Arrays(vectors)
    check_fitter(lambda: DeepCCA(data.dims, **SMALL), data)  # type: ignore[arg-type]
    other = Arrays(vectors, seed=1)
    message = [embeddings(fitted(d), d)["image"] for d in (data, other)]
    assert not torch.equal(*message)
    options = {"activation": "tanh", "layers": 2, "power": 1.0, "outputs": 5, "transform": {"text": "sqrt"}}
    check_fitter(lambda: DeepCCA(data.dims, **{**SMALL, **options}), Arrays(vectors))  # type: ignore[arg-type]


def test_neither_units_nor_constant_entries_matter() -> None:
    vectors, labels = topics()
    result = embeddings(fitted(data := Arrays(vectors)), data)
    scaled = Arrays({m: 100 * v + 3 for m, v in vectors.items()})
    torch.testing.assert_close(embeddings(fitted(scaled), scaled), result, rtol=1e-2, atol=1e-2)
    constant = Arrays({m: torch.cat([v, torch.full((120, 1), 0.1)], 1) for m, v in vectors.items()})
    again = embeddings(fitted(constant), constant)["image"]
    assert again.std(0).min() > 1e-3, "not one vector for all"
    nearest = torch.cdist(again, again).fill_diagonal_(torch.inf).argmin(1)
    assert (labels[nearest] == labels).float().mean() > 0.9, "items of a topic stay neighbours"


def test_errors() -> None:
    vectors, _ = topics()
    with pytest.raises(ConfigError, match="10 directions .dim. of networks with 4 outputs. Set outputs to 10 or more"):
        DeepCCA({"image": 4, "text": 4}, outputs=4)
    with pytest.raises(ConfigError, match="10 items correlate perfectly in 10 outputs, .* Set batch_size above 10"):
        DeepCCA({"image": 4, "text": 4}, batch_size=10)
    with pytest.raises(TrainingError, match=r"more training items than outputs \(2\); the training split has 2"):
        fitted(Arrays({m: v[:2] for m, v in vectors.items()}))
    with pytest.raises(TrainingError, match="no finite correlations any more. Lower lr"):
        fitted(Arrays(vectors), lr=1e30)
    with pytest.raises(TrainingError, match="all image vectors of the training items are the same"):
        fitted(Arrays({"image": torch.ones(120, 7), "text": vectors["text"]}))
    with pytest.raises(TrainingError, match="dim is 2, and the training items have .* 1 independent text directions"):
        fitted(Arrays({"image": vectors["image"], "text": vectors["text"][:, :1]}), layers=0)
    vectors["image"][9, 1] = torch.nan
    with pytest.raises(TrainingError, match="image vector of training item 9 is not finite"):
        fitted(Arrays(vectors))
