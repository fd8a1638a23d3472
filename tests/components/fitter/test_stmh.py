from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from codes import fitted, keeps_its_word, ranks, views
from materials import Arrays

from vsebench.components.fitter.stmh import STMH, Factors, nearest, solve_rows
from vsebench.core.errors import ConfigError, TrainingError


@pytest.mark.parametrize("bits", [4, 7, 16])
def test_keeps_its_word(bits: int) -> None:
    keeps_its_word("stmh", bits=bits)


@pytest.mark.parametrize("bits", [6, 7])
def test_every_code_has_as_many_ones(bits: int) -> None:
    data = views(100, seed=1)
    fitter = fitted("stmh", data, bits=bits)
    for modality in ("image", "text"):
        assert ((fitter.embed(modality, data.vectors(modality)) > 0).sum(dim=1) == bits // 2).all()


@pytest.mark.parametrize("options", [{}, {"share": 0.9, "link": 5.0}, {"gamma": 0.1, "bits": 9}])
def test_the_objective_never_grows(options: dict[str, float]) -> None:
    data = views(100, seed=1)
    fitted("stmh", data, **{"bits": 6, "iterations": 15, **options})
    values = [numbers["objective"] for _, numbers in data.reported]
    assert len(values) == 15
    assert all(b <= a * (1 + 1e-9) for a, b in zip(values[:-1], values[1:], strict=True))


def drawn(bits: int = 4) -> tuple[STMH, torch.Tensor, torch.Tensor, Factors]:
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    fitter = STMH({"image": 5, "text": 3}, bits=bits, share=0.3, link=0.7, gamma=0.2)
    factors = Factors(
        draw(5, bits), draw(25, bits), draw(bits, bits), nearest(draw(25, bits), bits // 2), draw(bits, 3)
    )
    return fitter, draw(25, 5), draw(25, 3), factors


def test_the_objective_equals_a_loop() -> None:
    fitter, x, t, f = drawn()
    wanted = 0.2 * float(f.concepts.square().sum() + f.images.square().sum() + f.link.square().sum())
    for i in range(25):
        wanted += 0.3 * float((x[i] - f.concepts @ f.images[i]).norm())
        wanted += 0.7 * float((f.topics[i] - f.images[i] @ f.link).square().sum())
        wanted += 0.7 * sum(float(f.topics[i, j] * (t[i] - f.centres[j]).square().sum()) for j in range(4))
    assert fitter.objective(x, t, f) == pytest.approx(wanted, rel=1e-12)


def test_a_turn_equals_plain_loops() -> None:
    fitter, x, t, f = drawn()
    x_, t_ = x.numpy(), t.numpy()
    concepts, images, link, topics, centres = (
        part.numpy().copy() for part in (f.concepts, f.images, f.link, f.topics, f.centres)
    )
    fitter.turn(x, t, f)
    weight = [0.5 / np.linalg.norm(x_[i] - concepts @ images[i]) for i in range(25)]
    square = sum(weight[i] * np.outer(images[i], images[i]) for i in range(25)) + 0.2 / 0.3 * np.eye(4)
    concepts = sum(weight[i] * np.outer(x_[i], images[i]) for i in range(25)) @ np.linalg.inv(square)
    weight = [0.5 / np.linalg.norm(x_[i] - concepts @ images[i]) for i in range(25)]
    for i in range(25):
        square = 0.3 * weight[i] * concepts.T @ concepts + 0.7 * link @ link.T + 0.2 * np.eye(4)
        images[i] = np.linalg.solve(square, 0.3 * weight[i] * concepts.T @ x_[i] + 0.7 * link @ topics[i])
    link = np.linalg.inv(images.T @ images + 0.2 / 0.7 * np.eye(4)) @ images.T @ topics
    for i in range(25):  # every choice of two topics of four
        costs = {}
        for pair in itertools.combinations(range(4), 2):
            row = np.isin(np.arange(4), pair).astype(float)
            far = 0.7 * sum(((t_[i] - centres[j]) ** 2).sum() for j in pair)
            costs[pair] = far + 0.7 * ((row - images[i] @ link) ** 2).sum()
        topics[i] = np.isin(np.arange(4), min(costs, key=lambda pair: costs[pair]))
    centres = np.stack([t_[topics[:, j] == 1].mean(0) for j in range(4)])
    for result, wanted in zip(
        (f.concepts, f.images, f.link, f.topics, f.centres), (concepts, images, link, topics, centres), strict=True
    ):
        assert result.numpy() == pytest.approx(wanted, rel=1e-8, abs=1e-10)


def test_a_topic_without_texts_keeps_its_centre() -> None:
    fitter, x, t, f = drawn()
    f.centres[2] = 1e6
    fitter.turn(x, t, f)
    assert (f.centres[2] == 1e6).all()


def test_codes_of_new_items_equal_loops() -> None:
    data, new = views(80, seed=1), views(20, seed=2)
    fitter = fitted("stmh", data, bits=6)
    texts, images = new.vectors("text"), new.vectors("image")
    centres = fitter.learned("centres")
    for code, text in zip(fitter.embed("text", texts), texts, strict=True):
        distances = [float((text - centre).norm()) for centre in centres]
        assert set(np.argsort(distances)[:3]) == set(np.flatnonzero(code > 0))
    outputs = ((images - fitter.learned("mean")) @ fitter.learned("weight"))[:, fitter.learned("column").long()]
    for code, output in zip(fitter.embed("image", images), outputs.numpy(), strict=True):
        assert (output[code.numpy() > 0] >= np.median(output)).all()
        assert (output[code.numpy() < 0] <= np.median(output)).all()


def test_topics_of_the_same_texts_have_the_same_outputs() -> None:
    data = views(100, seed=1)  # of seven topics, some come to have the same texts
    fitter = fitted("stmh", data, bits=7)
    assert fitter.learned("weight").shape[1] == len(fitter.learned("column").unique()) < 7


def test_rows_are_solved_as_one_by_one() -> None:
    generator = torch.Generator().manual_seed(3)
    a, b, pulled = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((4, 2), (4, 4), (9, 4)))
    a, b = a @ a.T, b @ b.T + torch.eye(4, dtype=torch.float64)
    weights = torch.rand(9, generator=generator, dtype=torch.float64) * 1e6
    wanted = torch.stack([torch.linalg.solve(w * a + b, p) for w, p in zip(weights, pulled, strict=True)])
    assert torch.allclose(solve_rows(weights, a, b, pulled), wanted, rtol=1e-6, atol=1e-9)


def test_finds_the_class_of_the_other_modality() -> None:
    assert min(ranks("stmh", bits=16)) > 0.08


def test_more_topics_than_texts_are_refused() -> None:
    data = views(50, seed=1)
    data._vectors["text"] = data.vectors("text")[torch.arange(50) % 5]
    with pytest.raises(TrainingError, match=r"6 bits need as many different training texts; there are 5\. Set bits"):
        fitted("stmh", data, bits=6)
    assert fitted("stmh", data, bits=5).dim_out == 5


def test_misuse_is_refused() -> None:
    for option, value in (("bits", 1), ("share", 1.0), ("link", 0.0), ("gamma", 0.0), ("iterations", 0)):
        with pytest.raises(ConfigError, match=f"option '{option}' of fitter 'stmh'"):
            STMH({"image": 4, "text": 4}, **{option: value})
    same = {"image": torch.ones(5, 2), "text": torch.randn(5, 2)}
    with pytest.raises(TrainingError, match="all image vectors of the training items are the same"):
        fitted("stmh", Arrays(same), bits=2)
    with pytest.raises(ValueError, match="got 'audio'"):
        STMH({"image": 4, "text": 4}).embed("audio", torch.ones(1, 4))
