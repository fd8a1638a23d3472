from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from codes import fitted, keeps_its_word, ranks, views
from materials import Arrays

from vsebench.components.fitter.scm import SCM, semantic_cross
from vsebench.core.errors import ConfigError, TrainingError


@pytest.mark.parametrize(("variant", "bits"), [("seq", 16), ("seq", 4), ("orth", 3)])
def test_keeps_its_word(variant: str, bits: int) -> None:
    keeps_its_word("scm", bits=bits, variant=variant)


def several_labels(count: int = 60) -> Arrays:
    """Items with none to three of five labels that both views show."""
    generator = torch.Generator().manual_seed(5)
    labels = (torch.rand(count, 5, generator=generator) < 0.3).float()
    vectors = {
        m: labels @ torch.randn(5, d, generator=generator) + 0.3 * torch.randn(count, d, generator=generator)
        for m, d in (("image", 8), ("text", 6))
    }
    return Arrays(vectors, labels)


def faint() -> Arrays:
    """Classes that can hardly be told apart: the codes soon agree no better with S."""
    return views(80, seed=7, noise=2.0, dims={"image": 3, "text": 6})


def similarity(labels: torch.Tensor) -> np.ndarray:
    """S pair by pair."""
    count = len(labels)
    result = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            a, b = labels[i].double(), labels[j].double()
            lengths = float(a.norm() * b.norm())
            result[i, j] = 2 * (float(a @ b) / lengths if lengths else 0.0) - 1
    return result


def test_the_cross_covariance_equals_that_with_the_whole_similarity_matrix() -> None:
    data = several_labels()
    x, y = (data.vectors(m).double() for m in ("image", "text"))  # not centred: the second term counts
    unit = torch.nn.functional.normalize(data.labels.double(), dim=1)
    wanted = x.numpy().T @ similarity(data.labels) @ y.numpy()
    assert semantic_cross(x, y, unit).numpy() == pytest.approx(wanted, rel=1e-9)


def slow(data: Arrays, bits: int, variant: str) -> tuple[np.ndarray, np.ndarray, int]:
    """The algorithm as methods writes it, with S and SciPy's generalised eigenproblem; bits before the stop."""
    x, y = (data.vectors(m).double().numpy() for m in ("image", "text"))
    x, y = x - x.mean(0), y - y.mean(0)
    xx = x.T @ x + 1e-6 * np.trace(x.T @ x) / x.shape[1] * np.eye(x.shape[1])
    yy = y.T @ y + 1e-6 * np.trace(y.T @ y) / y.shape[1] * np.eye(y.shape[1])

    def pairs(c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, w_x = scipy.linalg.eigh(c @ np.linalg.solve(yy, c.T), xx)
        order = np.argsort(-values)[: min(c.shape)]
        return values[order], w_x[:, order], np.linalg.solve(yy, c.T @ w_x[:, order])

    labels = data.labels if data.labels.ndim > 1 else torch.nn.functional.one_hot(data.labels)
    cross = x.T @ similarity(labels) @ y
    values, all_x, all_y = pairs(cross)
    if variant == "orth":
        return all_x[:, :bits], all_y[:, :bits], bits
    several = int((values > 1e-12 * values[0]).sum())
    rest, before, got_x, got_y = bits * cross, np.inf, [], []
    for _ in range(bits):
        value, w_x, w_y = (part[..., 0] for part in pairs(rest))
        if value > before:
            break
        got_x.append(w_x)
        got_y.append(w_y)
        rest, before = rest - np.outer(x.T @ np.sign(x @ w_x), y.T @ np.sign(y @ w_y)), value
    learnt = len(got_x)
    for k in range(bits - learnt):
        got_x.append(all_x[:, k % several])
        got_y.append(all_y[:, k % several])
    return np.stack(got_x, 1), np.stack(got_y, 1), learnt


@pytest.mark.parametrize(("bits", "variant"), [(3, "orth"), (4, "seq"), (12, "seq"), (40, "seq")])
@pytest.mark.parametrize("kind", ["several", "clear", "faint"])
def test_equals_the_algorithm_with_the_whole_similarity_matrix(bits: int, variant: str, kind: str) -> None:
    data = several_labels() if kind == "several" else views(80, seed=7) if kind == "clear" else faint()
    fitter = fitted("scm", data, bits=bits, variant=variant)
    *weights, learnt = slow(data, bits, variant)
    both = []
    for modality, weight in zip(("image", "text"), weights, strict=True):
        rows = data.vectors(modality).double().numpy()
        wanted = np.where((rows - rows.mean(0)) @ weight > 0, 1, -1)
        both.append((fitter.embed(modality, data.vectors(modality)).numpy(), wanted))
    (image, wanted_image), (text, wanted_text) = both
    # A pair may be turned round, in both modalities together.
    turn = np.sign((image * wanted_image).sum(0))
    assert (image * turn == wanted_image).all()
    assert (text * turn == wanted_text).all()
    assert len(data.reported) == (learnt if variant == "seq" else 0)


def test_learning_ends_when_the_strength_grows() -> None:
    data = faint()
    fitter = fitted("scm", data, bits=16)
    strengths = [numbers["strength"] for _, numbers in data.reported]
    learnt = len(strengths)
    assert 3 < learnt < 13
    assert strengths == sorted(strengths, reverse=True)
    codes = fitter.embed("text", data.vectors("text"))
    assert torch.equal(codes[:, learnt], codes[:, learnt + 3])  # three directions, again and again
    best = fitted("scm", faint(), bits=1, variant="orth").embed("text", data.vectors("text"))
    assert torch.equal(codes[:, learnt], best[:, 0])


@pytest.mark.parametrize(("variant", "bits"), [("seq", 16), ("orth", 3)])
def test_finds_the_class_of_the_other_modality(variant: str, bits: int) -> None:
    assert min(ranks("scm", bits=bits, variant=variant)) > 0.3


def test_more_bits_than_directions_are_refused() -> None:
    with pytest.raises(
        TrainingError, match=r"the text vectors .* have 6 independent directions.* scm with variant: seq"
    ):
        fitted("scm", views(100, seed=1), bits=7, variant="orth")
    with pytest.raises(
        TrainingError, match=r"4 bits are asked for, and labels correlate in 3 directions. Set bits to 3"
    ):
        fitted("scm", views(100, seed=1), bits=4, variant="orth")


def test_data_without_labels_are_refused() -> None:
    data = views(20, seed=1)
    nameless = Arrays({m: data.vectors(m) for m in data.dims})
    with pytest.raises(TrainingError, match="fitter 'scm' learns from labels, and the training split has none"):
        fitted("scm", nameless, bits=2)
    empty = Arrays({m: data.vectors(m) for m in data.dims}, torch.zeros(20, 3))
    with pytest.raises(TrainingError, match="no training item has one"):
        fitted("scm", empty, bits=2)
    alike = Arrays({m: data.vectors(m) for m in data.dims}, torch.zeros(20, dtype=torch.int64))
    with pytest.raises(TrainingError, match="labels correlate in 0 directions"):
        fitted("scm", alike, bits=2)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'variant' of fitter 'scm'"):
        SCM({"image": 4, "text": 4}, variant="both")
