"""Two views of classes, and what every method that learns codes from them must keep, for tests of fitters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from materials import Arrays
from torch import Tensor

from vsebench.components.fitter.base import Fitter
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.map import mean_average_precision
from vsebench.core.registry import FITTERS

CLASSES = 4


def views(count: int, *, seed: int, noise: float = 0.7, dims: Mapping[str, int] | None = None) -> Arrays:
    """Items around the centres of four classes; the centres are the same for every seed."""
    place, generator = torch.Generator().manual_seed(99), torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    vectors = {}
    for modality, dim in (dims or {"image": 9, "text": 6}).items():
        centres = 3.0 + torch.randn(CLASSES, dim, generator=place)
        vectors[modality] = centres[labels] + noise * torch.randn(count, dim, generator=generator)
    return Arrays(vectors, labels, num_classes=CLASSES)


def fitted(name: str, data: Arrays, **options: Any) -> Fitter:
    """A fitter as the model builds it, fitted."""
    fitter = built(name, data, **options)
    fitter.fit(data)
    return fitter.eval()


def built(name: str, data: Arrays, **options: Any) -> Fitter:
    wired = {"dims": data.dims, "num_classes": data.num_classes, "multi_label": data.labels.ndim > 1}
    result: Fitter = FITTERS.build(name, options, **wired)
    return result


def keeps_its_word(name: str, **options: Any) -> None:
    """Codes are −1 and +1, each from its own row; a seed gives one fit; a fresh module loads what was learned."""
    data, new = views(120, seed=1), views(40, seed=2)
    before = {m: data.vectors(m).clone() for m in data.dims}
    fitter = fitted(name, data, **options)
    codes = fitter({m: new.vectors(m) for m in new.dims})
    for modality, values in codes.items():
        assert values.shape == (40, options["bits"]) == (40, fitter.dim_out)
        assert values.dtype == torch.float32
        assert set(values.unique().tolist()) == {-1.0, 1.0}
        alone = torch.cat([fitter.embed(modality, row[None]) for row in new.vectors(modality)])
        assert torch.equal(alone, values)
        assert torch.equal(fitter.embed(modality, new.vectors(modality).flip(0)), values.flip(0))
        assert torch.equal(before[modality], data.vectors(modality))
        assert fitter.embed(modality, new.vectors(modality)[:0]).shape == (0, options["bits"])
    again, fresh = fitted(name, views(120, seed=1), **options), built(name, data, **options)
    fresh.load_state_dict(fitter.state_dict())
    for other in (again, fresh.eval()):
        for modality, values in codes.items():
            assert torch.equal(other.embed(modality, new.vectors(modality)), values)
    assert FITTERS.get(name).facts["codes"]


def ranks(name: str, **options: Any) -> tuple[float, float]:
    """MAP of new items of one modality among new items of the other, less chance: image and text queries."""
    fitter, new = fitted(name, views(200, seed=1), **options), views(120, seed=2)
    result = mean_average_precision(predictions(fitter({m: new.vectors(m) for m in new.dims}), new.labels))
    return result["i2t/map"] - result["i2t/chance/map"], result["t2i/map"] - result["t2i/chance/map"]


def predictions(codes: Mapping[str, Tensor], labels: Tensor) -> Predictions:
    """Codes that are ranked by their products, as by Hamming distances."""
    arrays = {m: values.numpy() for m, values in codes.items()}
    owner = np.arange(len(labels))
    return Predictions(None, labels.numpy(), embeddings=arrays, owner=owner, groups=labels.numpy(), similarity="dot")
