"""Sounds are decoded to their end, or refused: cut, damaged, endless and odd ones."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest

from vsebench.data._mpeg import _frames
from vsebench.data.builders._build import check_sound
from vsebench.data.sound import encode_wav, load_sound, resampling_ratio, sound_info

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE).clip(-1, 1).astype(np.float32)


def encoded(samples: np.ndarray, form: str, subtype: str | None = None, rate: int = RATE, **options: Any) -> bytes:
    """Samples as a sound file."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype, **options)
    return buffer.getvalue()


def varying(rate: int, *, loud_first: bool, channels: int = 1, seconds: int = 6) -> np.ndarray:
    """Half silence, half noise: bit rates that the first frames do not tell."""
    halves = [np.zeros(seconds * rate // 2), np.random.default_rng(0).normal(0, 0.2, seconds * rate // 2)]
    wave = np.concatenate(halves[::-1] if loud_first else halves).clip(-1, 1).astype(np.float32)
    return np.stack([wave] * channels, 1) if channels > 1 else wave


def without_tag(mp3: bytes) -> bytes:
    """An MP3 file without the frame that counts the others."""
    places = _frames(mp3)
    assert b"Xing" in mp3[places[0] : places[1]] or b"Info" in mp3[places[0] : places[1]]
    return mp3[places[1] :]


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (16_000, 1), (8_000, 1), (24_000, 2)])
@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_without_a_tag_is_read_to_its_end(rate: int, channels: int, loud_first: bool) -> None:
    """It was read to 28 %, or refused as cut short."""
    wave = varying(rate, loud_first=loud_first, channels=channels)
    mp3 = encoded(wave, "MP3", rate=rate, bitrate_mode="VARIABLE")
    bare = without_tag(mp3)
    tagged, read = load_sound(mp3), load_sound(bare)
    assert len(tagged) == len(wave)
    assert len(wave) <= len(read) <= len(wave) + 3 * 1152
    assert sound_info(bare).frames == len(read)
    loud = (len(wave) // 4 if loud_first else 3 * len(wave) // 4) + np.arange(2000)
    delay = next(d for d in range(2500) if np.allclose(read[d + loud], tagged[loud], atol=1e-6))
    middle = slice(4000, len(wave) - 4000)
    np.testing.assert_allclose(read[delay:][middle], tagged[middle], atol=1e-5)
    for wrapped in (b"ID3\x04\x00\x00\x00\x00\x00\x05hello" + bare, bare + b"TAG" + bytes(125), bare + bytes(500)):
        assert np.array_equal(load_sound(wrapped), read)


def test_a_cut_mp3_is_refused() -> None:
    mp3 = encoded(varying(RATE, loud_first=True), "MP3", bitrate_mode="VARIABLE")
    places = _frames(mp3)
    for data in (mp3[: len(mp3) // 2], mp3[:-1], mp3[: places[-1]], mp3[: places[-1] + 3], mp3[: places[40]]):
        with pytest.raises(OSError, match="cut short"):
            sound_info(data)
    middle = places[50]
    for data in (mp3[:middle] + mp3[middle + 7 :], mp3[:middle] + b"\0" + mp3[middle:], mp3 + b"garbage"):
        with pytest.raises(OSError, match="cut short or damaged: no MPEG frame at byte"):
            sound_info(data)
    with pytest.raises(OSError, match="of its last frame"):
        load_sound(without_tag(mp3)[:-1])


@pytest.mark.parametrize(
    ("form", "subtype", "error"),
    [
        ("WAV", "PCM_U8", 1 / 128),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-22),
        ("WAV", "PCM_32", 2**-24),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 0.02),
        ("WAVEX", "PCM_24", 2**-22),
        ("RF64", "PCM_16", 2**-15),
        ("AIFF", "PCM_16", 2**-15),
        ("AIFF", "PCM_S8", 1 / 128),
        ("FLAC", "PCM_24", 2**-22),
        ("FLAC", "PCM_16", 2**-15),
    ],
)
def test_every_depth_is_the_same_sound(form: str, subtype: str, error: float) -> None:
    assert np.abs(load_sound(encoded(NOISE, form, subtype)) - NOISE).max() <= error


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_sounds_have_their_length(form: str, subtype: str) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE).astype(np.float32)
    read = load_sound(encoded(tone, form, subtype))
    assert len(read) == len(tone)
    assert np.abs(read - tone)[1000:-1000].max() < 0.05


def test_channels_are_averaged() -> None:
    channels = np.stack([NOISE, -NOISE, 0.5 * NOISE, 0 * NOISE, NOISE, NOISE], 1)
    np.testing.assert_allclose(load_sound(encoded(channels, "WAV", "FLOAT")), channels.mean(1), atol=1e-7)


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAVEX", "PCM_24"),
        ("RF64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.9999])
def test_a_cut_sound_is_refused(form: str, subtype: str, share: float) -> None:
    """Half a WAV or OGG file used to be half a sound."""
    data = encoded(np.concatenate([NOISE, NOISE]), form, subtype)
    with pytest.raises(OSError, match=r"^sound (is cut short|cannot be decoded)"):
        load_sound(data[: min(len(data) - 1, int(share * len(data)))])


def test_ogg_pages_that_are_damaged_lost_or_of_two_streams_are_refused() -> None:
    data = encoded(varying(RATE, loud_first=True), "OGG", "VORBIS")
    pages = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    assert len(pages) > 4
    flipped = bytearray(data)
    flipped[pages[3] + 100] ^= 1
    for wrong, message in (
        (bytes(flipped), "the checksum of its Ogg page 3 differs"),
        (data[: pages[3]] + data[pages[4] :], "Ogg page 3 is missing"),
        (data + data, "holds several streams"),
        (data + b"x", "no Ogg page at byte"),
        (data[: pages[-1]], "its last Ogg page is missing"),
    ):
        with pytest.raises(OSError, match=message):
            load_sound(wrong)


def wav(
    samples: bytes = bytes(3200), rate: int = RATE, size: int | None = None, depth: int = 16, kind: int = 1
) -> bytes:
    """A mono WAV file with any header."""
    width = depth // 8
    head = struct.pack("<IHHIIHH", 16, kind, 1, rate, rate * width & 0xFFFFFFFF, width, depth)
    size = len(samples) if size is None else size
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + head + b"data" + struct.pack("<I", size) + samples


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2_000_000_000, 0x7FFFFFFF])
def test_sample_rates_out_of_range_are_refused(rate: int) -> None:
    """2 GHz asked for 320 GiB when the first run resampled it."""
    with pytest.raises(OSError, match=r"samples a second|cannot be decoded"):
        sound_info(wav(rate=rate))


def test_the_environment_changes_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = wav(bytes(64_000))  # two seconds, 32,000 samples
    for variable, value, message in (
        ("VSEBENCH_MAX_SECONDS", "1", r"sound has 2 seconds; at most 1 are read \(\$VSEBENCH_MAX_SECONDS"),
        ("VSEBENCH_MAX_SAMPLES", "31999", "32,000 samples of all channels; at most 31,999"),
        ("VSEBENCH_MAX_SAMPLE_RATE", "8000", "16,000 samples a second; at most 8,000"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(variable, value)
            for read in (sound_info, load_sound):
                with pytest.raises(OSError, match=message):
                    read(data)
    assert len(load_sound(data)) == 32_000


def test_a_wav_of_unknown_length_is_read_to_its_end() -> None:
    """As programs write to a pipe."""
    samples = (NOISE * 32767).astype("<i2").tobytes()
    for size in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000):
        assert len(load_sound(wav(samples, size=size))) == RATE
    with pytest.raises(OSError, match="cut short: 32,000 of 32,002 bytes"):
        load_sound(wav(samples, size=32_002))


def test_samples_that_are_no_sound_are_refused() -> None:
    for value, message in (
        (np.nan, "NaN or infinite"),
        (np.inf, "NaN or infinite"),
        (20_000, "up to 20000; floats are"),
    ):
        wave = NOISE.copy()
        wave[9000] = value
        with pytest.raises(OSError, match=message):
            check_sound(wav(wave.astype("<f4").tobytes(), depth=32, kind=3), "audio 'a.wav'")
    with pytest.raises(OSError, match="audio 'a.wav' has no samples"):
        check_sound(encode_wav(np.zeros(0), RATE), "audio 'a.wav'")
    assert check_sound(wav((1.5 * NOISE).astype("<f4").tobytes(), depth=32, kind=3), "a little too loud")


@pytest.mark.parametrize("form", ["AU", "CAF", "W64"])
def test_other_kinds_are_refused(form: str) -> None:
    with pytest.raises(OSError, match=f"of a kind that is not read \\({form} PCM_16\\); save it as WAV or FLAC"):
        sound_info(encoded(NOISE, form, "PCM_16"))


def test_a_flac_of_unknown_length_is_refused() -> None:
    data = bytearray(encoded(NOISE, "FLAC", "PCM_16"))
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])
    with pytest.raises(OSError, match="does not say how long it is"):
        sound_info(bytes(data))


@pytest.mark.parametrize("rate", [767_999, 15_999, 1_001])
def test_odd_sample_rates_are_resampled_at_once(rate: int) -> None:
    """Their filters were millions of numbers long."""
    assert max(resampling_ratio(rate, RATE)) <= 100_000
    tone = np.sin(2 * np.pi * 100 * np.arange(2 * rate) / rate).astype(np.float32)
    read = load_sound(encoded(tone, "WAV", "FLOAT", rate), RATE)
    assert abs(len(read) - 2 * RATE) <= 1
    expected = np.sin(2 * np.pi * 100 * np.arange(len(read)) / RATE)
    assert np.abs(read - expected)[2000:-2000].max() < 0.01


def test_usual_sample_rates_have_their_exact_ratio() -> None:
    for before in (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000):
        for after in (8_000, 16_000, 22_050, 32_000, 44_100, 48_000):
            up, down = resampling_ratio(before, after)
            assert before * up == after * down
    for before in range(1_000, 768_001, 997):
        up, down = resampling_ratio(before, RATE)
        assert abs(before * up / down / RATE - 1) < 5e-6
