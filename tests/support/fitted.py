"""What every fitter must keep."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from materials import Arrays
from torch import Tensor

from vsebench.components.fitter.base import Fitter

Make = Callable[[], Fitter]


def embeddings(fitter: Fitter, data: Arrays) -> dict[str, Tensor]:
    with torch.no_grad():
        return {m: fitter.eval().embed(m, data.vectors(m)) for m in ("image", "text")}


def check_fitter(make: Make, data: Arrays) -> Fitter:
    """A fitter embeds each row alone, is the same for the same seed, and comes back from its state dict.

    Returns: one that was fitted to ``data``.
    """
    fitter = make()
    with pytest.raises(RuntimeError, match="has not been fitted"):
        fitter.embed("image", data.vectors("image"))
    before = {m: data.vectors(m).clone() for m in data.dims}
    fitter.fit(data)
    assert all(torch.equal(data.vectors(m), before[m]) for m in data.dims)
    assert data.reported
    assert [step for step, _ in data.reported] == list(range(1, len(data.reported) + 1))
    result = embeddings(fitter, data)
    for modality, values in result.items():
        assert values.shape == (len(data), fitter.dim_out)
        assert values.dtype == torch.float32
        assert torch.isfinite(values).all()
        rows = torch.cat([fitter.embed(modality, row[None]) for row in data.vectors(modality)[:9]])
        torch.testing.assert_close(rows, values[:9], rtol=1e-4, atol=1e-5)
        assert fitter.embed(modality, data.vectors(modality)[:0]).shape == (0, fitter.dim_out)
    with pytest.raises(ValueError, match="audio"):
        fitter.embed("audio", data.vectors("image"))
    again, fresh = make(), make()
    again.fit(data)
    fresh.load_state_dict(fitter.state_dict())
    for modality, values in result.items():
        assert torch.equal(embeddings(again, data)[modality], values)
        assert torch.equal(embeddings(fresh, data)[modality], values)
    return fitter
