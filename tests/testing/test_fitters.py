"""The kit finds what is broken in a fitter: each test breaks one promise of one that is otherwise right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
import torch
from torch import Tensor

from vsebench.components.fitter.base import FitData, Fitter, signs
from vsebench.core.registry import FITTERS
from vsebench.testing.fitters import check_fitter


class Whole(Fitter):
    """Centre the vectors and keep the first columns."""

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.dim_out = 4

    def fit(self, data: FitData) -> None:
        for modality in data.dims:
            self.learn(f"mean_{modality}", data.vectors(modality).mean(0))

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return (vectors - self.learned(f"mean_{modality}"))[:, :4]


class Wide(Whole):
    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return vectors


class Endless(Whole):
    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return super().embed(modality, vectors) / 0


class Crowded(Whole):
    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return (vectors - vectors.mean(0))[:, :4]


class Fickle(Whole):
    def fit(self, data: FitData) -> None:
        super().fit(data)
        self.learn("mean_image", self.learned("mean_image") + torch.rand(1, generator=_generator()))


class Forgetful(Whole):
    def fit(self, data: FitData) -> None:
        super().fit(data)
        self.factor = 2.0

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return super().embed(modality, vectors) * getattr(self, "factor", 1.0)


class Careless(Whole):
    def fit(self, data: FitData) -> None:
        super().fit(data)
        data.vectors("image").sub_(1)


class Coded(Whole):
    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return signs(super().embed(modality, vectors))


def _generator() -> torch.Generator:
    generator = torch.Generator()
    generator.seed()
    return generator


@pytest.fixture
def check() -> Iterator[Callable[..., None]]:
    def run(made: type[Fitter], codes: bool = False) -> None:
        FITTERS.register("tried", source="here", codes=codes)(made)
        check_fitter(FITTERS.get("tried"), {})

    yield run
    FITTERS.forget("tried")


def test_a_right_one_passes(check: Callable[..., None]) -> None:
    check(Whole)


def test_right_codes_pass(check: Callable[..., None]) -> None:
    check(Coded, codes=True)


@pytest.mark.parametrize(
    ("made", "codes", "text"),
    [
        (Wide, False, r"as \(60, 24\); its dim_out says \(60, 4\)"),
        (Endless, False, "NaN or infinite"),
        (Crowded, False, "depends on the other rows"),
        (Fickle, False, "two fits by one seed differ in image"),
        (Forgetful, False, "in another way after it was loaded"),
        (Careless, False, "changes the training vectors of image"),
        (Whole, True, "registered with codes=True but gives others"),
    ],
)
def test_what_is_broken_is_found(check: Callable[..., None], made: type[Fitter], codes: bool, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check(made, codes=codes)
