"""Folders of sounds, digits, and modalities joined by id or class."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from builder_layouts import picture, put, sound
from PIL import Image

from vsebench.components.corruption.base import generator_of
from vsebench.components.corruption.noise import Noise
from vsebench.components.corruption.occlusion import Occlusion
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.registry import DATASETS
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.sound import encode_wav, load_sound

Lay, Build = Callable[[str], Path], Callable[..., Dataset]


def test_class_folders(lay: Lay, build: Build) -> None:
    dataset = build("audio", lay("audio"))
    assert dataset.label_names == ["cat", "dog"]
    assert dataset.has("audio")
    assert not dataset.has("image")
    assert not dataset.has("text")
    assert dataset.audio_bytes(0) == sound(1), "the first by name is cat/01.wav, its bytes as they came"
    assert dataset.audio(0, 8000).shape == (400,)
    assert dataset.audio(0, 16000).shape == (800,)


def test_split_folders(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "in"
    for n in range(12):
        put(root / ("train", "train", "dev", "test")[n // 2 % 4] / "ab"[n % 2] / f"{n}.wav", sound(n))
    assert {k: len(v) for k, v in build("audio", root).splits.items()} == {"train": 8, "val": 2, "test": 2}


def test_metadata_with_text_and_image(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "in"
    lines = ["file_name,label,said,photo,who"]
    for n in range(30):
        put(root / f"s/{n}.wav", sound(n))
        put(root / f"p/{n}.png", picture(n, kind="PNG"))
        lines.append(f"s/{n}.wav,{'ab'[n % 2]},word {n},p/{n}.png,speaker {n // 5}")
    put(root / "metadata.csv", "\n".join(lines))
    options = {"text_column": "said", "image_column": "photo", "group_column": "who"}
    dataset = build("audio", root, **options)
    assert dataset.texts(4) == ["word 4"]
    assert dataset.image_bytes(4) == picture(4, kind="PNG")
    assert len(np.unique(dataset.groups)) == 6
    lines[3] = lines[3].replace("s/2.wav", "../outside.wav")
    lines[5] = lines[5].replace(",a,", ",,")
    put(root / "metadata.csv", "\n".join(lines))
    with pytest.raises(DataError) as caught:
        build("audio", root, **options)
    assert list(caught.value.problems) == [
        "row 4 (id '../outside.wav'): audio '../outside.wav' lies outside the folder",
        "row 6 (id 's/4.wav'): empty label",
    ]
    with pytest.raises(DataError, match=r"no column 'sayd' for the text \(--text-column\). Did you mean 'said'"):
        build("audio", root, text_column="sayd")


def encoded(samples: np.ndarray, rate: int, **options: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **options)
    return buffer.getvalue()


TONE = np.sin(2 * np.pi * 440 * np.arange(9600) / 96000).astype(np.float32)


@pytest.mark.parametrize(
    ("data", "rate"),
    [
        (encoded(TONE, 96000, format="WAV", subtype="PCM_U8"), 96000),
        (encoded(TONE, 96000, format="WAV", subtype="FLOAT"), 96000),
        (encoded(TONE, 96000, format="FLAC", subtype="PCM_24"), 96000),
        (encoded(np.stack([TONE, TONE], 1), 96000, format="WAV", subtype="PCM_16"), 96000),
        (encoded(TONE[::2], 48000, format="WAV", subtype="PCM_16"), 48000),
    ],
)
def test_any_depth_rate_and_channels(data: bytes, rate: int) -> None:
    current = load_sound(data)
    assert current.dtype == np.float32
    assert current.shape == (rate // 10,)
    low = load_sound(data, 16000)
    assert low.shape == (1600,)
    spectrum = np.abs(np.fft.rfft(low))
    assert spectrum.argmax() == 44, "440 Hz stays 440 Hz: bins are 10 Hz wide"
    wanted = np.sin(2 * np.pi * 440 * np.arange(1600) / 16000)
    np.testing.assert_allclose(low[200:-200], wanted[200:-200], atol=0.02)


def test_channels_are_averaged() -> None:
    both = np.stack([np.full(100, 0.5), np.full(100, -0.25)], 1)
    np.testing.assert_allclose(load_sound(encoded(both, 8000, format="WAV", subtype="FLOAT")), 0.125, atol=1e-6)


def test_sounds_that_cannot_be_used(lay: Lay, build: Build) -> None:
    root = lay("audio")
    (root / "cat/01.wav").write_bytes(b"RIFF nothing of the kind")
    (root / "cat/03.wav").write_bytes(encode_wav(np.zeros(0, np.int16), 8000))
    (root / "cat/05.wav").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        build("audio", root)
    message = caught.value.problems
    assert len(message) == 3
    assert message[0].startswith("file 'cat/01.wav' (id 'cat/01.wav'): audio 'cat/01.wav': sound cannot be decoded (")
    assert message[1].endswith("audio 'cat/03.wav' has no samples")
    bad = encoded(np.array([0.0, np.nan, 1.0]), 8000, format="WAV", subtype="FLOAT")
    with pytest.raises(OSError, match="NaN or infinite"):
        load_sound(bad)


def test_spoken_digits(lay: Lay, build: Build) -> None:
    root = lay("spoken_digits")
    dataset = build("spoken_digits", root)
    assert dataset.label_names == [str(d) for d in range(10)]
    takes = {s: {int(dataset.attributes(int(i))["take"]) for i in rows} for s, rows in dataset.splits.items()}
    assert takes == {"train": {10, 12}, "val": {6, 8}, "test": {0, 2, 4}}
    speakers = build("spoken_digits", root, split="speaker")
    who = {s: {speakers.attributes(int(i))["speaker"] for i in rows} for s, rows in speakers.splits.items()}
    assert who == {"train": {"cyd"}, "val": {"bob"}, "test": {"ann"}}
    put(root / "recordings/eleven.wav", sound(0))
    with pytest.raises(DataError, match=r"file 'eleven.wav': the name is not DIGIT_SPEAKER_TAKE.wav"):
        build("spoken_digits", root)


def test_av_digits(lay: Lay, build: Build) -> None:
    root = lay("av_digits")
    dataset = build("av_digits", root)
    assert dataset.has("image")
    assert dataset.has("audio")
    with np.load(root / "av_digits.npz") as arrays:
        whole = {k: arrays[k] for k in arrays}
    start, length = whole["audio_offset"][7], whole["audio_length"][7]
    message = (dataset.audio(7, 8000) * 32768).astype(np.int16)
    np.testing.assert_array_equal(message, whole["audio"][start : start + length])
    whole["label"][3] = 2
    whole["audio_offset"][4] = 10**6
    np.savez(root / "av_digits.npz", **whole)
    with pytest.raises(DataError) as caught:
        build("av_digits", root)
    assert [p.partition(" (")[0] for p in caught.value.problems] == ["row 5", "row 6"]
    assert "label '0', but 2 in the arrays" in caught.value.problems[0]
    assert "samples 1000000 to" in caught.value.problems[1]


def test_degraded_digits(lay: Lay, build: Build) -> None:
    root = lay("av_digits")
    clean = build("av_digits", root)
    before = [clean.image_bytes(7), clean.audio(7, 8000), clean.fingerprint, clean.provenance["notes"]]
    assert clean.title == "Spoken and handwritten digits"
    assert "degraded" not in clean.provenance
    assert build("av_digits", root, image_noise=0.0, seed=5).fingerprint == before[2], "no strength, nothing drawn"
    strengths = {"image_noise": 0.2, "image_occlusion": 0.25, "audio_snr": 0.0}
    hard = build("av_digits", root, **strengths)
    message = "image noise 0.2, image occlusion 0.25, audio at 0 dB"
    assert hard.title == f"Spoken and handwritten digits, degraded: {message}"
    assert hard.provenance["degraded"] == {**strengths, "seed": 0}
    assert hard.provenance["notes"][-1] == f"every item of every split is degraded: {message} (seed 0)"
    assert check(hard) == []
    sound = hard.audio(7, 8000)
    with np.load(root / "av_digits.npz") as arrays:
        plain = arrays["image"][7]
    item_noise = generator_of(0, 7, "noise", 0.2)
    covered = Occlusion().image(plain, 0.25, generator_of(0, 7, "occlusion", 0.25))
    encoded = hard.image_bytes(7)
    assert encoded is not None
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded))), Noise().image(covered, 0.2, item_noise))
    added = sound - before[1]
    assert 10 * np.log10((before[1] ** 2).mean() / (added**2).mean()) == pytest.approx(0.0, abs=0.05), "but for 16 bits"
    assert build("av_digits", root, **strengths).fingerprint == hard.fingerprint
    prints = {before[2], hard.fingerprint, build("av_digits", root, **strengths, seed=1).fingerprint}
    only = build("av_digits", root, audio_snr=-5.0, title="Mine")
    assert only.title == "Mine"
    assert only.image_bytes(7) == before[0]
    assert len(prints | {only.fingerprint}) == 4


def test_loud_noise_is_made_softer_not_clipped(lay: Lay, build: Build) -> None:
    root = lay("av_digits")
    clean = build("av_digits", root).audio(7, 8000)
    loud = build("av_digits", root, audio_snr=-50.0).audio(7, 8000)
    assert np.abs(loud).max() == pytest.approx(1.0, abs=1e-3)
    assert (np.abs(loud) > 0.999).sum() == 1
    assert len(loud) == len(clean)
    for options in ({"image_noise": 1.5}, {"image_occlusion": 1.0}, {"audio_snr": "0"}):
        with pytest.raises(ConfigError):
            build("av_digits", root, **options)


def test_the_real_digits(shared: Path, build: Build) -> None:
    dataset = build("av_digits", shared / "data" / "av_digits")
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 2400, "val": 300, "test": 300}
    assert check(dataset) == []


def make(name: str, root: Path, out: Path) -> str:
    DATASETS.get(name).build({"source": str(root)}, out=out, progress=lambda done, total: None)
    return str(out)


def images_of(ids: list[str], labels: list[str], root: Path) -> None:
    lines = ["file_name,name,text,label,split"]
    for n, (one, label) in enumerate(zip(ids, labels, strict=True)):
        put(root / f"{n}.png", picture(n, kind="PNG"))
        lines.append(f"{n}.png,{one},text of {one},{label},{('train', 'train', 'val', 'test')[n // 2 % 4]}")
    put(root / "metadata.csv", "\n".join(lines))


def two_datasets(tmp_path: Path, labels: str = "ab") -> tuple[str, str]:
    ids = [f"x{n}" for n in range(16)]
    images_of(ids, [labels[n % 2] for n in range(16)], tmp_path / "images")
    first = tmp_path / "images.h5"
    options = {"source": str(tmp_path / "images"), "id_column": "name"}
    DATASETS.get("folder").build(options, out=first, progress=lambda done, total: None)
    lines = ["file_name,name,label,split"]
    for n in reversed(range(1, 16)):
        put(tmp_path / f"sounds/{n}.wav", sound(n))
        lines.append(f"{n}.wav,x{n},{'ab'[n % 2]},{('train', 'train', 'val', 'test')[n // 2 % 4]}")
    put(tmp_path / "sounds/metadata.csv", "\n".join(lines))
    second = tmp_path / "sounds.h5"
    options = {"source": str(tmp_path / "sounds"), "id_column": "name"}
    DATASETS.get("audio").build(options, out=second, progress=lambda done, total: None)
    return str(first), str(second)


def test_paired_by_id(build: Build, tmp_path: Path) -> None:
    first, second = two_datasets(tmp_path)
    dataset = build("paired", first, other=second)
    assert check(dataset) == []
    assert dataset.ids == [f"x{n}" for n in range(1, 16)], "x0 has no sound"
    for i in range(15):
        assert dataset.audio_bytes(i) == sound(i + 1)
        assert dataset.image_bytes(i) == picture(i + 1, kind="PNG")
        assert dataset.texts(i) == [f"text of x{i + 1}"]
    selected = build("paired", first, other=second, missing="keep")
    assert selected.ids[0] == "x0"
    assert selected.audio_bytes(0) is None
    assert "1 items of 'images' have no partner (keep)" in selected.provenance["notes"]
    with pytest.raises(ConfigError, match="no modality that"):
        build("paired", first, other=first)


def test_paired_labels_must_agree(build: Build, tmp_path: Path) -> None:
    first, second = two_datasets(tmp_path, labels="ba")
    with pytest.raises(DataError, match="id 'x1': its labels differ from those of 'x1'"):
        build("paired", first, other=second)


def test_paired_by_class(build: Build, tmp_path: Path) -> None:
    first, second = two_datasets(tmp_path)
    dataset = build("paired", first, other=second, by="class", seed=3)
    assert check(dataset) == []
    assert dataset.relevance == "label"
    sounds = Dataset.open(second)
    owner = {sounds.audio_bytes(i): i for i in range(len(sounds))}
    partners = [owner[dataset.audio_bytes(i)] for i in range(len(dataset))]
    assert len(set(partners)) == len(partners), "each sound at most once"
    where = {int(p): s for s, rows in sounds.splits.items() for p in rows}
    for i, partner in enumerate(partners):
        assert sounds.labels[partner] == dataset.labels[i]
        assert i in dataset.splits[where[partner]]
    assert len(dataset) == 15
    assert build("paired", first, other=second, by="class", seed=3).fingerprint == dataset.fingerprint
    assert build("paired", first, other=second, by="class", seed=4).fingerprint != dataset.fingerprint
