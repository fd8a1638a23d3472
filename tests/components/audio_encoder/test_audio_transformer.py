"""Audio models of transformers: the library's own output, whatever the batch."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sounding import write
from tiny_models import ast_folder, bert_folder, clip_folder, wav2vec_folder, whisper_folder
from transformers import AutoFeatureExtractor, AutoModel

from vsebench.components.audio_encoder.audio_transformer import AudioTransformer
from vsebench.components.encoder._pretrained import Source
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens, Waveforms
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model

FOLDERS = [wav2vec_folder, ast_folder, whisper_folder]
LENGTHS = [8000, 3000, 8000, 5, 0, 16000]


def waveforms() -> Waveforms:
    values = 0.2 * torch.randn(len(LENGTHS), max(LENGTHS), generator=torch.Generator().manual_seed(0))
    return Waveforms(values, torch.tensor(LENGTHS))


@pytest.mark.parametrize("folder", FOLDERS)
@torch.no_grad()
def test_is_the_library_s_own_output(folder: Callable[[], str]) -> None:
    encoder = AudioTransformer(model=folder())
    result = encoder(waveforms())
    assert encoder.frozen
    assert encoder.sampling.sample_rate == 16000
    assert result.mask.any(1).tolist() == [length > 0 for length in LENGTHS]
    extractor, model = AutoFeatureExtractor.from_pretrained(folder()), AutoModel.from_pretrained(folder()).eval()
    model = model.get_encoder() if folder is whisper_folder else model
    for i, length in enumerate(LENGTHS):
        if not length:
            continue
        sound = np.zeros(max(length, 1600), np.float32)
        sound[:length] = waveforms().values[i, :length].numpy()
        inputs = extractor(sound, sampling_rate=16000, return_tensors="pt")
        wanted = model(inputs[model.main_input_name]).last_hidden_state[0]
        torch.testing.assert_close(result.values[i][result.mask[i]], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("finetune", ["none", "last", "all"])
def test_what_trains(folder: Callable[[], str], finetune: str) -> None:
    encoder = AudioTransformer(model=folder(), finetune=finetune).train()
    tokens = encoder(waveforms())
    trained = {n for n, p in encoder.named_parameters() if p.requires_grad}
    assert encoder.frozen == (finetune == "none") == (not trained)
    if finetune == "none":
        assert not encoder.network.training
        assert not tokens.values.requires_grad
        return
    tokens.values[tokens.mask].sum().backward()
    assert trained == {n for n, p in encoder.named_parameters() if p.grad is not None}
    rest = {n for n, _ in encoder.named_parameters()} - trained
    if finetune == "last":
        last = 1 if folder is whisper_folder else 2
        assert all(re.search(rf"\.layers?\.{last}\.", name) for name in trained)
        assert len(rest) > len(trained)
        assert not encoder.network.training


def test_random_weights_are_the_seed_s() -> None:
    made = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        made.append(AudioTransformer(model=wav2vec_folder(), weights="none").weights_digest())
    assert made[0] == made[1] != made[2]
    assert made[0] != AudioTransformer(model=wav2vec_folder()).weights_digest()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": "no/such-model"}, r"'no/such-model' \(no local folder, and not in the hub or its cache\): "),
        ({"model": "clip"}, r"transformers cannot load the folder .*: Unrecognized feature extractor in [^ ]*$"),
        ({"model": "bert"}, "transformers cannot load the folder"),
        ({"finetune": "last", "layers": 3}, r"layers \(3\) must be fewer than the model's 3"),
        ({"highpass": 8000.0}, r"highpass \(8000 Hz\) must be below"),
    ],
)
def test_what_is_refused(options: dict[str, Any], text: str) -> None:
    folders = {"clip": clip_folder, "bert": bert_folder}
    if options.get("model") in folders:
        options = {"model": folders[options["model"]]()}
    with pytest.raises(ConfigError, match=text):
        AudioTransformer(**{"model": wav2vec_folder(), **options})


def test_an_extractor_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "load", lambda self, kind, **options: object())
    with pytest.raises(ConfigError, match="reads no sound: its feature extractor has no sampling rate"):
        AudioTransformer(model=wav2vec_folder())


def test_other_settings_of_the_extractor_are_other_features(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(wav2vec_folder(), folder)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "do_normalize": False}))
    one, other = (AudioTransformer(model=str(f)) for f in (wav2vec_folder(), folder))
    assert one.weights_digest() != other.weights_digest()
    assert one.weights_digest() == AudioTransformer(model=wav2vec_folder()).weights_digest()


def test_frozen_features_are_kept(tmp_path: Path) -> None:
    dataset = write(tmp_path / "a.h5", n=50)
    audio = {"name": "audio_transformer", "model": wav2vec_folder()}
    system = resolve({"dim": 8, "audio_encoder": audio, "head": "decision"})
    torch.manual_seed(0)
    model = Model(system, num_classes=3)
    selected, made = (Loader(dataset, "train", system, model.encoders, cache=cache) for cache in (True, False))
    batch = selected.batch(np.arange(10))
    assert isinstance(batch.inputs["audio"], Tokens)
    assert batch.inputs["audio"].mask.any(1).tolist() == [i % 5 != 3 for i in range(10)]
    one, other = (predict(model, loader, device=torch.device("cpu")).logits for loader in (selected, made))
    np.testing.assert_allclose(one, other, atol=1e-5)
