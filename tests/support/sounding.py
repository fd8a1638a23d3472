"""A small dataset of sounds, pictures and words, some of whose items lack a modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from builder_layouts import picture

from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.sound import encode_wav
from vsebench.data.writer import DatasetWriter

RATE = 8000
WORDS = ("red", "green", "blue")
CNN: dict[str, Any] = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
LSTM: dict[str, Any] = {"name": "lstm", "dim_word": 8, "dim_hidden": 8}
RNN: dict[str, Any] = {"name": "audio_rnn", "dim_hidden": 8, "sample_rate": RATE, "n_fft": 128, "hop": 64}
AUDIO_CNN: dict[str, Any] = {"name": "audio_cnn", "width": 4, "sample_rate": RATE, "n_fft": 128, "hop": 64, "mels": 16}


def tone(number: int) -> bytes:
    """A tone of a class's own frequency in noise, between 0.05 and 0.1 seconds."""
    rng = np.random.default_rng(number)
    length = 400 + 20 * (number % 20)
    wave = np.sin(2 * np.pi * (500 + 900 * (number % 3)) * np.arange(length) / RATE)
    return encode_wav(np.clip(0.5 * wave + 0.1 * rng.normal(size=length), -1, 1), RATE)


def write(path: Path, *, complete: bool = False, audio: Any = tone, n: int = 90) -> Dataset:
    """Items in 3 classes. Unless ``complete``, of every 5 one lacks the image, one the text and one the sound, by
    nothing or by nothing that sounds."""
    empty = encode_wav(np.zeros(0, np.int16), RATE)
    with DatasetWriter(path, name="sounding", title="Sounding") as writer:
        for i in range(n):
            lacks = None if complete else {1: "image", 2: "text", 3: "audio"}.get(i % 5)
            sound = (empty if i % 2 else None) if lacks == "audio" else audio(i)
            image = None if lacks == "image" else picture(i, (32, 32), "PNG")
            texts = () if lacks == "text" else (f"a {WORDS[i % 3]} thing", WORDS[i % 3])
            split = ("train", "train", "train", "val", "test")[i // 5 % 5]
            writer.add(Item(f"item-{i}", image, texts, "abc"[i % 3], split=split, audio=sound))
    return Dataset.open(path)
