"""Garments that sound: the same bytes everywhere, probabilities sum to one, and the data keeps the ceilings."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from oracles import audio_oracle

from vsebench.data.builders.garments_audio import recorded
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.garments.delivery import (
    DELIVERIES,
    DELIVERY_GIVEN_USE,
    LABELS,
    SIGNALS,
    audio_evidence,
    ceilings,
    decide,
    draw_delivery,
    joint,
    looks,
)
from vsebench.data.garments.latent import HIDDEN, OMITTED, draw_garment, draw_view, image_evidence, text_evidence
from vsebench.data.garments.signals import GLIDES, SAMPLE_RATE, signal
from vsebench.data.open import open_dataset

DIGEST = "e1ebc5fe73a959b8"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    before = os.environ.get("VSEBENCH_HOME")
    os.environ["VSEBENCH_HOME"] = str(tmp_path_factory.mktemp("garments_audio"))
    try:
        return open_dataset({"name": "garments_audio", "image_size": 32})  # no draw depends on the size
    finally:
        os.environ.pop("VSEBENCH_HOME")
        if before is not None:
            os.environ["VSEBENCH_HOME"] = before


def test_the_same_bytes_everywhere() -> None:
    digest = hashlib.sha256()
    for number in range(12):
        item = recorded(number, 0, 48, 15)
        digest.update((item.image or b"") + (item.audio or b""))
        digest.update("\n".join([item.id, *item.texts, str(item.label)]).encode())
    assert digest.hexdigest()[:16] == DIGEST
    assert recorded(0, 1, 48, 15) != recorded(0, 0, 48, 15)


def test_a_lacking_sound_changes_nothing_else() -> None:
    for number in range(10):
        with_sound, without = recorded(number, 0, 32, 0), recorded(number, 0, 32, 90)
        assert with_sound.audio is not None
        assert (with_sound.image, with_sound.texts, with_sound.label) == (without.image, without.texts, without.label)


def test_probabilities_sum_to_one() -> None:
    assert all(sum(shares) == 100 for shares in DELIVERY_GIVEN_USE.values())
    for missing in (0, 15, 90):
        assert sum(joint(missing).values()) == 1
        assert {label for label, _ in joint(missing)} == set(LABELS)
    assert len(set(LABELS)) == len(LABELS) == 36
    assert set(SIGNALS) == set(DELIVERIES)
    assert set(SIGNALS.values()) == set(GLIDES)


def test_deliveries_are_drawn_by_their_probabilities() -> None:
    rng = Random(0)
    for use, shares in DELIVERY_GIVEN_USE.items():
        result = Counter(draw_delivery(use, rng) for _ in range(5000))
        for delivery, percent in zip(DELIVERIES, shares, strict=True):
            assert result[delivery] / 5000 == pytest.approx(percent / 100, abs=0.04)


def test_ceilings_are_the_bayes_accuracy() -> None:
    """Against documents that are drawn."""
    rng, count = Random(0), 12_000
    right = dict.fromkeys(looks(), 0)
    for number in range(count):
        garment = draw_garment(number, 0)
        delivery, view = draw_delivery(garment.use, rng), draw_view(rng)
        evidence = (
            image_evidence(garment.silhouette, view.hidden),
            text_evidence(garment.use, view.omitted),
            audio_evidence(delivery, rng.random() < 0.03, rng.random() < 0.15),
        )
        for name, subset in looks().items():
            right[name] += decide(subset, evidence, 15) == f"{garment.category}, {delivery}"
    for name, value in right.items():
        assert value / count == pytest.approx(ceilings(15)[name], abs=0.015), name


def test_ceilings_by_hand() -> None:
    known = ceilings(0)
    assert list(known) == [
        *("image alone", "text alone", "audio alone"),
        *("image + text", "image + audio", "text + audio", "all three"),
    ]
    # Use and delivery by their usual values, the silhouette as it is seen, or its likelier one of a pair.
    assert known["image + text"] == pytest.approx(0.6 * float((1 - HIDDEN) * (1 - OMITTED)), abs=0.02)
    assert known["all three"] == pytest.approx(0.97, abs=0.015)
    assert ceilings(15)["all three"] < known["all three"]
    assert ceilings(15)["image + text"] == known["image + text"]
    pairs = max(ceilings(15)[n] for n in ("image + text", "image + audio", "text + audio"))
    assert ceilings(15)["all three"] - pairs > 0.3


def test_a_signal_glides_as_it_says() -> None:
    """By the strongest frequency in short frames: it rises, falls or stays within each beep."""
    for glide, direction in (("rising", 1), ("falling", -1), ("level", 0)):
        for number in range(8):
            sound = signal(glide, False, Random(f"{glide}-{number}")).astype(float)
            assert np.abs(sound).max() <= 32768
            assert 0.15 < len(sound) / SAMPLE_RATE < 0.7
            frames = np.lib.stride_tricks.sliding_window_view(sound, 160)[::40] * np.hanning(160)
            power = np.abs(np.fft.rfft(frames, 1024))
            power[:, :45] = 0  # hum lies below 350 Hz
            loud = power.max(1) > 0.5 * power.max()
            pitch = power.argmax(1) * SAMPLE_RATE / 1024
            steps = [b - a for a, b, x, y in zip(pitch, pitch[1:], loud, loud[1:], strict=False) if x and y]
            steps = [s for s in steps if abs(s) < 150]  # not from one beep to the next
            assert len(steps) > 5
            assert np.sign(round(float(np.mean(steps)) / 4)) == direction, (glide, number)


def test_a_drowned_signal_says_nothing() -> None:
    for number in range(5):
        sounds = {signal(glide, True, Random(number)).tobytes() for glide in GLIDES}
        assert len(sounds) == 1


def test_a_small_one_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))
    dataset = open_dataset({"name": "garments_audio", "items": 120, "image_size": 32, "missing": 30})
    assert check(dataset) == []
    assert len(dataset) == 120
    assert dataset.describe()["ceilings"] == ceilings(30)
    seconds = dataset.sound_seconds(np.arange(120))
    silent = [dataset.attributes(i)["audio_evidence"] == "nothing" for i in range(120)]
    assert all(silent[i] for i in np.flatnonzero(seconds == 0))
    assert 0.15 < np.mean(seconds == 0) < 0.45
    assert audio_oracle(dataset, "train")["all three"] > 0.7


@pytest.mark.slow
def test_the_data_keeps_the_ceilings(whole: Dataset) -> None:
    assert len(whole) == 3000
    assert check(whole) == []
    for split, rows in whole.splits.items():
        for name, value in audio_oracle(whole, split).items():
            spread = (ceilings(15)[name] * (1 - ceilings(15)[name]) / len(rows)) ** 0.5
            assert value == pytest.approx(ceilings(15)[name], abs=4 * spread), (split, name)


@pytest.mark.slow
def test_the_documentation_says_the_ceilings(whole: Dataset) -> None:
    page = (Path(__file__).parents[2] / "docs" / "amir.md").read_text(encoding="utf-8")
    message = re.findall(r"^\| ([a-z +]+) \| ([\d.]+) % \| ([\d.]+) % \|$", page, re.MULTILINE)
    real = audio_oracle(whole, "test")
    assert {name: tuple(map(float, shares)) for name, *shares in message} == {
        name: (round(100 * value, 1), round(100 * real[name], 1)) for name, value in ceilings(15).items()
    }
