from __future__ import annotations

import numpy as np
import pytest
import torch
from codes import fitted, keeps_its_word, ranks, views
from materials import Arrays
from sklearn.cross_decomposition import CCA

from vsebench.components.fitter.cca_hashing import CCAHashing
from vsebench.core.errors import ConfigError, TrainingError


def test_keeps_its_word() -> None:
    keeps_its_word("cca_hashing", bits=5)


def test_codes_are_the_signs_of_scikit_learns_scores() -> None:
    data, new = views(300, seed=3), views(50, seed=4)
    fitter = fitted("cca_hashing", data, bits=3, ridge=0.0)
    reference = CCA(3, scale=False, max_iter=5000, tol=1e-12)
    reference.fit(data.vectors("image").double().numpy(), data.vectors("text").double().numpy())
    scores = reference.transform(new.vectors("image").double().numpy(), new.vectors("text").double().numpy())
    for modality, wanted in zip(("image", "text"), scores, strict=True):
        codes = fitter.embed(modality, new.vectors(modality)).numpy()
        for bit in range(3):  # a direction may be turned round
            agreement = np.mean(codes[:, bit] == np.sign(wanted[:, bit]))
            assert agreement in (0.0, 1.0)


def test_a_pair_is_turned_together() -> None:
    data = views(300, seed=3, noise=0.1)
    fitter = fitted("cca_hashing", data, bits=1)
    image, text = (fitter.embed(m, data.vectors(m)) for m in ("image", "text"))
    assert float((image == text).float().mean()) > 0.95


def test_the_unit_of_the_features_does_not_matter() -> None:
    data, other = views(100, seed=1), views(100, seed=1)
    other._vectors["image"] = data.vectors("image") * 1024
    codes = fitted("cca_hashing", data, bits=5).embed("image", data.vectors("image"))
    assert torch.equal(fitted("cca_hashing", other, bits=5).embed("image", other.vectors("image")), codes)


def test_finds_the_class_of_the_other_modality() -> None:
    assert min(ranks("cca_hashing", bits=3)) > 0.2


def test_more_bits_than_directions_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"7 bits are asked for, and the text vectors .* have 6 .* Set bits to 6"):
        fitted("cca_hashing", views(100, seed=1), bits=7)
    shares = views(100, seed=1)
    shares._vectors["text"] = torch.softmax(shares.vectors("text"), dim=1)  # topics that sum to 1
    with pytest.raises(TrainingError, match=r"have 5 independent directions \(size 6\)\. Set bits to 5 or less"):
        fitted("cca_hashing", shares, bits=6)
    assert fitted("cca_hashing", shares, bits=5).dim_out == 5


def test_data_that_determine_nothing_are_refused() -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(TrainingError, match="all text vectors of the training items are the same"):
        fitted("cca_hashing", Arrays({"image": x, "text": torch.full((4, 2), 0.3)}), bits=1)
    with pytest.raises(TrainingError, match="at least 2 training items; the training split has 1"):
        fitted("cca_hashing", Arrays({"image": x[:1], "text": x[:1]}), bits=1)
    y = x.clone()
    y[2, 1] = torch.nan
    with pytest.raises(TrainingError, match=r"the text vector of training item 2 is not finite \(1 of 4"):
        fitted("cca_hashing", Arrays({"image": x, "text": y}), bits=1)
    apart = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]]), torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    with pytest.raises(TrainingError, match="image and text correlate in 0 directions"):
        fitted("cca_hashing", Arrays(dict(zip(("image", "text"), apart, strict=True))), bits=1)


def test_misuse_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'bits' of fitter 'cca_hashing'"):
        CCAHashing({"image": 4, "text": 4}, bits=0)
    with pytest.raises(ConfigError, match="option 'ridge' of fitter 'cca_hashing'"):
        CCAHashing({"image": 4, "text": 4}, ridge=-1.0)
    with pytest.raises(RuntimeError, match="'CCAHashing' has not been fitted"):
        CCAHashing({"image": 4, "text": 4}).embed("image", torch.ones(1, 4))
    with pytest.raises(ValueError, match="codes are learnt for image and text; got 'audio'"):
        fitted("cca_hashing", views(50, seed=1), bits=2).embed("audio", torch.ones(1, 4))
