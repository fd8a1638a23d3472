"""Weights are sorted by what they are of, and nothing is lost or mixed up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vsebench.inspect.panels import panels_of
from vsebench.inspect.words import Piece

WORDS = (Piece("red"), Piece("hat"))
MASKS = {"image": np.ones(3, bool), "text": np.ones(2, bool)}


def shares(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)).softmax(-1)


def test_words_to_regions() -> None:
    weights = shares(1, 4, 2, 3)
    (panel,), left = panels_of({"cross/text_to_image": weights}, MASKS, WORDS)
    assert not left
    assert (panel.over, panel.even) == ("image", pytest.approx(1 / 3))
    assert [label.text for label in panel.labels] == ["mean of all words", "red", "hat"]
    for word in range(2):
        wanted = [sum(float(weights[0, h, word, r]) for h in range(4)) / 4 for r in range(3)]
        assert panel.weights[1 + word].tolist() == pytest.approx(wanted)
    assert panel.weights[0].tolist() == pytest.approx(panel.weights[1:].mean(0).tolist())


def test_regions_to_words() -> None:
    weights = shares(1, 1, 3, 2)
    (maps, words), _ = panels_of({"co_attention/image_to_text/1": weights}, MASKS, WORDS)
    assert maps.title == "Co-attention, layer 2: which regions look at each word"
    assert [label.text for label in maps.labels] == ["red", "hat"]
    assert maps.weights.tolist() == [pytest.approx(weights[0, 0, :, w].tolist()) for w in range(2)]
    assert words.over == "text"
    assert words.weights[0].tolist() == pytest.approx(weights[0, 0].mean(0).tolist())
    assert maps.even == words.even == 0.5


def test_steps_stand_side_by_side() -> None:
    attention = {f"dan_m/{m}/{k}": shares(1, n) * k for k in (1, 2) for m, n in (("image", 3), ("text", 2))}
    attention |= {"inter/regions/0": shares(1, 3), "inter/gates/0": shares(1, 1)}
    attention |= {"self/text/0": shares(1, 2, 2, 2), "memory/text": shares(1, 1, 2, 7)}
    panels, left = panels_of(attention, MASKS, WORDS)
    assert left == ["inter/gates/0", "memory/text"]
    assert [(p.over, [label.text for label in p.labels]) for p in panels] == [
        ("image", ["step 1", "step 2"]),
        ("text", ["step 1", "step 2"]),
        ("image", ["iteration 1"]),
        ("text", ["layer 1"]),
    ]
    assert panels[0].weights[1].tolist() == pytest.approx(attention["dan_m/image/2"][0].tolist())
    assert panels[3].weights[0].tolist() == pytest.approx(attention["self/text/0"][0].mean((0, 1)).tolist())


def test_blocks_of_one_softmax() -> None:
    weights = shares(1, 2, 5, 5)
    panels, _ = panels_of({"intra": weights}, MASKS, WORDS)
    mean = weights[0].mean(0).tolist()
    seen, read, image, text = panels
    assert seen.weights[1:].tolist() == [pytest.approx(mean[3 + w][:3]) for w in range(2)]
    assert read.weights.tolist() == [pytest.approx([mean[r][3 + w] for r in range(3)]) for w in range(2)]
    assert [label.text for label in image.labels] == ["from the image", "from the text"]
    assert text.weights[1].tolist() == pytest.approx([(mean[3][3 + w] + mean[4][3 + w]) / 2 for w in range(2)])
    assert {p.even for p in panels} == {0.2}


def test_padding_is_left_out() -> None:
    masks = {"image": np.array([True, True, False]), "text": np.array([True, False])}
    weights = shares(1, 1, 2, 3)
    (panel,), _ = panels_of({"scan/text_to_image": weights}, masks, WORDS[:1])
    assert panel.weights.shape == (2, 2)
    intra, _ = panels_of({"intra": shares(1, 1, 5, 5)}, masks, WORDS[:1])
    assert [p.weights.shape for p in intra] == [(2, 2), (1, 2), (2, 2), (2, 1)]
    no_text = {**MASKS, "text": np.zeros(1, bool)}
    panels, left = panels_of({"cross/text_to_image": shares(1, 1, 1, 3), "dan_m/text/1": shares(1, 1)}, no_text, ())
    assert not panels
    assert left == ["cross/text_to_image"]


def test_weights_of_other_tokens_are_not_drawn() -> None:
    panels, left = panels_of({"cross/text_to_image": shares(1, 1, 1, 1), "mine": shares(1, 3)}, MASKS, WORDS)
    assert not panels
    assert left == ["cross/text_to_image", "mine"]


def test_the_scale_begins_at_the_even_share() -> None:
    (panel,), _ = panels_of({"dan_m/image/1": torch.tensor([[0.2, 0.7, 0.1]])}, MASKS, WORDS)
    assert panel.scale == (pytest.approx(1 / 3), pytest.approx(0.7))
    (flat,), _ = panels_of({"dan_m/image/1": torch.tensor([[0.34, 0.33, 0.33]])}, MASKS, WORDS)
    assert flat.scale[1] == pytest.approx(2 / 3)
