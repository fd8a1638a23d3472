"""Damage to single inputs: its strength is what was asked for, and depends on nothing but the item."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vsebench.components.corruption.base import generator_of
from vsebench.components.corruption.dropout import Dropout
from vsebench.components.corruption.noise import Noise
from vsebench.components.corruption.occlusion import GREY, Occlusion
from vsebench.components.corruption.snr import Snr
from vsebench.components.corruption.swap import Swap

noisy_pixels, noisy_features, occluded_pixels = Noise().image, Noise().features, Occlusion().image
without_words, with_swapped_letters, noisy_sound = Dropout().text, Swap().text, Snr().audio


def drawn(item: int = 0, strength: float = 0.5) -> np.random.Generator:
    return generator_of(0, item, "test", strength)


def test_draws_depend_on_seed_item_kind_strength_and_part() -> None:
    base = (0, 7, "noise", 0.25, 0)
    same = generator_of(*base).random(3)
    np.testing.assert_array_equal(generator_of(*base).random(3), same)
    np.testing.assert_array_equal(generator_of(0, 7, "snr", 10).random(3), generator_of(0, 7, "snr", 10.0).random(3))
    for other in ((1, 7, "noise", 0.25, 0), (0, 8, "noise", 0.25, 0), (0, 7, "snr", 0.25, 0), (0, 7, "noise", 0.5, 0)):
        assert not np.array_equal(generator_of(*other).random(3), same)
    assert not np.array_equal(generator_of(0, 7, "noise", 0.25, 1).random(3), same)


def test_noise_has_its_std_where_nothing_is_clipped() -> None:
    grey = np.full((3, 200, 200), 128, np.uint8)
    changed = noisy_pixels(grey, 0.1, drawn())
    assert changed.dtype == np.uint8
    assert (changed / 255 - 128 / 255).std() == pytest.approx(0.1, rel=0.01)
    assert abs((changed / 255 - 128 / 255).mean()) < 0.002
    black = noisy_pixels(np.zeros((1, 50, 50), np.uint8), 0.4, drawn())
    assert 0.4 < (black == 0).mean() < 0.6, "half of it is clipped, none wraps round"


@pytest.mark.parametrize("share", [0.0, 0.04, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(3, 40, 60), (28, 28)])
def test_occlusion_covers_its_share_inside_the_picture(share: float, shape: tuple[int, ...]) -> None:
    plain = np.zeros(shape, np.uint8)
    places = set()
    for item in range(20):
        changed = occluded_pixels(plain, share, drawn(item, share))
        covered = changed.reshape(-1, *shape[-2:])[0] == GREY
        assert set(np.unique(changed)) <= {0, GREY}
        assert covered.mean() == pytest.approx(share, abs=0.03)
        rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        assert covered.sum() == len(rows) * len(columns), "one rectangle"
        places.add((rows[:1].tobytes(), columns[:1].tobytes()))
    assert len(places) == 1 if share in (0, 1) else len(places) > 5
    assert not plain.any(), "the picture itself stays"


def test_words_leave_at_their_rate_and_one_stays() -> None:
    text = " ".join(f"w{i}" for i in range(4000))
    left = without_words(text, 0.3, drawn()).split()
    assert len(left) / 4000 == pytest.approx(0.7, abs=0.02)
    assert left == sorted(left, key=lambda w: int(w[1:])), "in their order"
    assert {without_words("a red hat", 1.0, drawn(i)) for i in range(40)} == {"a", "red", "hat"}
    assert all(without_words("hat", 0.9, drawn(i)) == "hat" for i in range(20))
    for blank in ("", "  "):
        assert without_words(blank, 0.9, drawn()) == blank


def test_letters_change_places_within_words() -> None:
    text = " ".join("abcdefgh" for _ in range(500))
    changed = with_swapped_letters(text, 0.2, drawn())
    assert [sorted(word) for word in changed.split()] == [sorted("abcdefgh")] * 500
    assert 0.5 < np.mean([word != "abcdefgh" for word in changed.split()]) < 0.9
    assert with_swapped_letters("a b c", 1.0, drawn()) == "a b c"
    assert with_swapped_letters("", 1.0, drawn()) == ""


@pytest.mark.parametrize("snr", [-10.0, 0.0, 10.0, 20.0])
def test_sound_has_the_ratio_that_was_asked_for(snr: float) -> None:
    sound = (0.3 * np.sin(np.arange(1234) / 7)).astype(np.float32)
    added = noisy_sound(sound, snr, drawn(strength=snr)).astype(np.float64) - sound
    measured = 10 * math.log10(float(np.mean(sound.astype(np.float64) ** 2)) / float(np.mean(added**2)))
    assert measured == pytest.approx(snr, abs=0.01)
    spectrum = np.abs(np.fft.rfft(added)) ** 2
    low, high = spectrum[1:300].mean(), spectrum[300:].mean()
    assert 0.7 < low / high < 1.4, "white"


def test_silence_and_nothing_stay_as_they_are() -> None:
    for silent in (np.zeros(100, np.float32), np.zeros(0, np.float32)):
        np.testing.assert_array_equal(noisy_sound(silent, 0.0, drawn()), silent)


def test_features_get_noise_by_their_dimension() -> None:
    values, std = np.zeros((5000, 3), np.float32), np.array([1.0, 10.0, 0.0])
    result = noisy_features(values, 0.5, std, drawn())
    np.testing.assert_allclose(result.std(0), [0.5, 5.0, 0.0], rtol=0.05)
    assert result.dtype == np.float32


def test_strength_zero_changes_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8), np.uint8)
    sound = np.random.default_rng(0).normal(size=50).astype(np.float32)
    np.testing.assert_array_equal(noisy_pixels(pixels, 0.0, drawn()), pixels)
    np.testing.assert_array_equal(occluded_pixels(pixels, 0.0, drawn()), pixels)
    np.testing.assert_array_equal(noisy_sound(sound, math.inf, drawn()), sound)
    np.testing.assert_array_equal(noisy_features(sound[:, None], 0.0, np.ones(1), drawn()), sound[:, None])
    for change in (without_words, with_swapped_letters):
        assert change("  a  red hat ", 0.0, drawn()) == "  a  red hat "
