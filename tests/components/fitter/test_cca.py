from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from fitted import check_fitter, embeddings
from materials import Arrays, topics
from sklearn import cross_decomposition
from torch import Tensor

from vsebench.components.fitter.cca import CCA
from vsebench.core.errors import ConfigError, TrainingError

RHO = torch.tensor([0.9, 0.6, 0.3], dtype=torch.float64)


def two_views(count: int, *, exact: bool, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Gaussian views of 5 and 4 entries whose canonical correlations are RHO and 0, in mixed coordinates.

    ``exact``: of the sample too, not of the distribution alone.
    """
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(count, 9, generator=generator, dtype=torch.float64)
    if exact:
        draws = draws - draws.mean(0)
        draws = draws @ torch.linalg.inv(torch.linalg.cholesky(draws.T @ draws / (count - 1)).T)
    image, text = draws[:, :5], draws[:, 5:].clone()
    text[:, :3] = RHO * image[:, :3] + (1 - RHO**2).sqrt() * text[:, :3]
    mix = [torch.randn(d, d, generator=generator, dtype=torch.float64) + 2 * torch.eye(d) for d in (5, 4)]
    return 3.0 + image @ mix[0], text @ mix[1] - 1.0


def fitted(image: Tensor, text: Tensor, **options: object) -> tuple[CCA, dict[str, Tensor]]:
    data = Arrays({"image": image, "text": text})
    fitter = CCA(data.dims, **options)  # type: ignore[arg-type]
    fitter.fit(data)
    return fitter, embeddings(fitter, data)


def test_known_correlations_of_gaussian_views() -> None:
    fitter, _ = fitted(*two_views(60_000, exact=False), dim=3)
    np.testing.assert_allclose(fitter.learned("correlations"), RHO, atol=0.01)
    fitter, result = fitted(*two_views(200, exact=True), dim=3)
    np.testing.assert_allclose(fitter.learned("correlations"), RHO, atol=1e-5)
    image, text = (v.double().numpy() for v in result.values())
    np.testing.assert_allclose(image.T @ image / 199, np.eye(3), atol=1e-4)
    np.testing.assert_allclose(text.T @ text / 199, np.eye(3), atol=1e-4)
    np.testing.assert_allclose(image.T @ text / 199, np.diag(RHO), atol=1e-4)


def test_projections_equal_those_of_scikit_learn() -> None:
    image, text = two_views(300, exact=False, seed=1)
    _, result = fitted(image, text, dim=3, ridge=0.0)
    scores = cross_decomposition.CCA(n_components=3, max_iter=5000, tol=1e-12).fit_transform(
        image.numpy(), text.numpy()
    )
    for values, expected in zip(result.values(), scores, strict=True):
        expected = expected / expected.std(0, ddof=1)
        turn = np.sign((values.numpy() * expected).sum(0))
        np.testing.assert_allclose(values.numpy() * turn, expected, atol=2e-3)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_correlations_solve_the_generalised_eigenproblem(ridge: float) -> None:
    image, text = (v.float().double().numpy() for v in two_views(150, exact=False, seed=2))
    fitter, _ = fitted(torch.from_numpy(image), torch.from_numpy(text), ridge=ridge)
    covariance = np.cov(image.T, text.T)
    xx, yy, xy = covariance[:5, :5], covariance[5:, 5:], covariance[:5, 5:]
    xx = xx + ridge * np.trace(xx) / 5 * np.eye(5)
    yy = yy + ridge * np.trace(yy) / 4 * np.eye(4)
    squares = scipy.linalg.eigh(xy @ np.linalg.inv(yy) @ xy.T, xx, eigvals_only=True)[::-1][:4]
    np.testing.assert_allclose(fitter.learned("correlations"), np.sqrt(squares), rtol=1e-5)


def test_neither_units_nor_offsets_matter() -> None:
    image, text = two_views(150, exact=False, seed=3)
    _, result = fitted(image, text, ridge=0.1)
    _, other = fitted(1000 * image + 7, 1e-3 * text, ridge=0.1)
    for modality in result:
        torch.testing.assert_close(other[modality], result[modality], rtol=1e-3, atol=1e-3)


def test_power_weighs_the_directions() -> None:
    views = two_views(150, exact=False, seed=4)
    fitter, plain = fitted(*views, dim=3)
    _, weighed = fitted(*views, dim=3, power=2.0)
    torch.testing.assert_close(weighed["text"], plain["text"] * fitter.learned("correlations") ** 2)


def test_the_square_root_is_taken_first() -> None:
    image, text = two_views(150, exact=False, seed=5)
    _, result = fitted(image.sign() * image.square(), text, transform={"image": "sqrt"})
    _, expected = fitted(image, text)
    torch.testing.assert_close(result["image"], expected["image"], rtol=1e-3, atol=1e-3)


def test_directions_that_nothing_determines_are_zero() -> None:
    image, text = two_views(150, exact=False, seed=6)
    constant = torch.cat([image, torch.ones(150, 2)], 1)
    sums = torch.cat([text, text.sum(1, keepdim=True)], 1)  # rank 4 of 5
    fitter, result = fitted(constant, sums)
    assert fitter.dim_out == 5
    np.testing.assert_allclose(
        fitter.learned("correlations")[:4], fitted(image, text)[0].learned("correlations"), atol=1e-4
    )
    assert result["image"][:, 4].abs().max() == result["text"][:, 4].abs().max() == 0


def test_promises() -> None:
    vectors, _ = topics()
    data = Arrays(vectors)
    fitter = check_fitter(lambda: CCA(data.dims, dim=3), data)
    assert data.reported[-1][1]["correlation"] == pytest.approx(float(fitter.learned("correlations").sum()))


def test_errors() -> None:
    image, text = two_views(20, exact=False)
    with pytest.raises(ConfigError, match="dim is 5, and text vectors have 4 entries. Set dim to 4 or less."):
        CCA({"image": 5, "text": 4}, dim=5)
    with pytest.raises(TrainingError, match="at least 2 training items"):
        fitted(image[:1], text[:1])
    with pytest.raises(TrainingError, match="dim is 4, and the training items have 2 independent image directions"):
        fitted(image[:3], text[:3], dim=4)
    with pytest.raises(TrainingError, match="all text vectors of the training items are the same"):
        fitted(image, 0.1 * torch.ones_like(text))
    image[7, 2] = torch.nan
    with pytest.raises(TrainingError, match="image vector of training item 7 is not finite"):
        fitted(image, text)
