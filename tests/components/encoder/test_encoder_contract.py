"""Every registered encoder keeps the contract; a newly registered one is covered without anybody listing it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import bert_folder, clip_folder, wav2vec_folder

from vsebench.core.registry import registry_of
from vsebench.core.types import Waveforms
from vsebench.data.vocabulary import Vocabulary
from vsebench.measurements._flops import flops
from vsebench.testing.written import check_docstring, check_options

BERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
IMAGE_OPTIONS = {
    "timm_cnn": {"model": "test_resnet", "weights": "none", "image_size": 64},
    "timm_vit": {"model": "test_vit", "weights": "none"},
    "cnn_f": {"weights": "none"},
}
TEXTS = ["a red dress with dots", "hat", "", "two blue shirts, one hat and a red dress"]


def raw(kind: str) -> list[str]:
    """The encoders that read the modality itself."""
    registry = registry_of(kind)
    return [name for name in registry.names() if registry.get(name).facts["reads"] == "raw"]


def text_options(name: str) -> dict[str, Any]:
    """What makes an encoder small, or buildable without downloads."""
    if name == "bert":
        return {"weights": "none", "config": BERT, "finetune": "all"}
    folders = {"bert_bow": bert_folder, "clip_text": clip_folder}
    return {"model": folders[name]()} if name in folders else {}


def image_options(name: str) -> dict[str, Any]:
    """The same of an image encoder."""
    return {"model": clip_folder()} if name == "clip_image" else IMAGE_OPTIONS[name]


def how_it_trains() -> list[tuple[str, str | None]]:
    """Every image encoder with every way that it can be trained in part; None for one that is always frozen."""
    options = {name: registry_of("image_encoder").get(name).options for name in raw("image_encoder")}
    return [
        (n, way)
        for n, current in options.items()
        for way in (("none", "last", "all") if "finetune" in current else (None,))
    ]


@pytest.mark.parametrize("name", raw("text_encoder"))
def test_text_encoder(name: str) -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary.build(TEXTS)
    encoder = registry_of("text_encoder").build(name, text_options(name), vocabulary=vocabulary).eval()
    words = encoder.tokenizer(TEXTS)
    with torch.no_grad():
        together = encoder(words)
        again = encoder(words)
        junk = replace(
            words,
            ids=torch.cat([words.ids.where(words.mask, torch.tensor(2)), torch.full((4, 3), 3)], 1),
            mask=torch.cat([words.mask, torch.zeros(4, 3, dtype=torch.bool)], 1),
        )
        padded = encoder(junk)
    assert together.values.shape[0] == 4
    assert together.values.shape[2] == encoder.dim_out
    assert together.values.dtype == torch.float32
    assert torch.isfinite(together.values[together.mask]).all()
    assert torch.equal(together.values, again.values), "evaluation must be deterministic"
    for i, text in enumerate(TEXTS):
        with torch.no_grad():
            alone = encoder(encoder.tokenizer([text]))
        real = alone.values[alone.mask]
        torch.testing.assert_close(together.values[i][together.mask[i]], real, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(padded.values[i][padded.mask[i]], real, atol=1e-5, rtol=1e-5)
        if alone.final is not None and together.final is not None:
            torch.testing.assert_close(together.final[i : i + 1], alone.final, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", raw("text_encoder"))
def test_padding_gets_no_gradient(name: str) -> None:
    encoder = registry_of("text_encoder").build(name, text_options(name), vocabulary=Vocabulary.build(TEXTS))
    tokens = encoder(encoder.tokenizer(TEXTS))
    if encoder.frozen:
        assert not tokens.values.requires_grad
        return
    tokens.values[tokens.mask].square().sum().backward()
    table = next((m for m in encoder.modules() if isinstance(m, torch.nn.Embedding) and m.padding_idx == 0), None)
    if table is not None:
        assert table.weight.grad is not None
        assert float(table.weight.grad[0].abs().sum()) == 0


@pytest.mark.parametrize(("name", "finetune"), how_it_trains())
def test_image_encoder(name: str, finetune: str | None) -> None:
    torch.manual_seed(0)
    ways = {} if finetune is None else {"finetune": finetune}
    encoder = registry_of("image_encoder").build(name, {**image_options(name), **ways})
    height, width = encoder.preprocessing.size
    pixels = torch.randint(0, 256, (4, 3, height, width), dtype=torch.uint8)
    state = {k: v.clone() for k, v in encoder.state_dict().items()}
    encoder.train()
    tokens = encoder(pixels)
    trained = [n for n, p in encoder.named_parameters() if p.requires_grad]
    assert encoder.frozen == (finetune in ("none", None)) == (not trained)
    assert tokens.values.shape[::2] == (4, encoder.dim_out)
    assert tokens.grid is not None
    assert tokens.values.shape[1] >= tokens.grid[0] * tokens.grid[1]
    if trained:
        tokens.values.square().mean().backward()
        assert len(trained) < len(list(encoder.parameters())) or finetune == "all"
    else:
        assert all(torch.equal(v, encoder.state_dict()[k]) for k, v in state.items()), "frozen statistics moved"
        assert not tokens.values.requires_grad
    encoder.eval()
    with torch.no_grad():
        torch.testing.assert_close(encoder(pixels[1:2]).values, encoder(pixels).values[1:2], atol=1e-4, rtol=1e-4)


def audio_options(name: str) -> dict[str, Any]:
    """What makes an audio encoder small."""
    if name == "audio_transformer":
        return {"model": wav2vec_folder(), "finetune": "all"}
    return {"sample_rate": 8000, "n_fft": 128, "hop": 64, **({} if name == "audio_rnn" else {"mels": 16, "width": 4})}


def sounds(rate: int) -> Waveforms:
    """Noise of different lengths, silence, a click, and nothing."""
    lengths = torch.tensor([rate // 2, rate // 5, rate // 10, rate // 3, 1, 0])
    values = 0.3 * torch.randn(6, rate // 2, generator=torch.Generator().manual_seed(0))
    values[3] = 0.0
    return Waveforms(values.masked_fill(torch.arange(rate // 2) >= lengths[:, None], 0.0), lengths)


@pytest.mark.parametrize("name", raw("audio_encoder"))
def test_audio_encoder(name: str) -> None:
    torch.manual_seed(0)
    encoder = registry_of("audio_encoder").build(name, audio_options(name)).eval()
    waveforms = sounds(encoder.sampling.sample_rate)
    with torch.no_grad():
        together, again = encoder(waveforms), encoder(waveforms)
        behind = torch.arange(waveforms.values.shape[1]) >= waveforms.lengths[:, None]
        junk = torch.cat([waveforms.values.masked_fill(behind, float("nan")), torch.full((6, 3000), 1e5)], 1)
        padded = encoder(Waveforms(junk, waveforms.lengths))
        many = encoder(Waveforms(waveforms.values.repeat(11, 1)[:64], waveforms.lengths.repeat(11)[:64]))
    assert together.values.shape[0] == 6
    assert together.dim == encoder.dim_out
    assert together.values.dtype == torch.float32
    assert torch.isfinite(together.values[together.mask]).all()
    assert together.mask.any(1).tolist() == [True] * 5 + [False]
    assert torch.equal(together.values, again.values), "evaluation must be deterministic"
    for i, length in enumerate(waveforms.lengths.tolist()):
        with torch.no_grad():
            alone = encoder(Waveforms(waveforms.values[i : i + 1, :length], waveforms.lengths[i : i + 1]))
        real = alone.values[alone.mask]
        for other in (together, padded, many):
            torch.testing.assert_close(other.values[i][other.mask[i]], real, atol=1e-5, rtol=1e-5)
            if alone.final is not None:
                torch.testing.assert_close(other.final[i : i + 1], alone.final, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", raw("audio_encoder"))
def test_audio_encoder_learns(name: str) -> None:
    encoder = registry_of("audio_encoder").build(name, audio_options(name)).train()
    tokens = encoder(sounds(encoder.sampling.sample_rate))
    if encoder.frozen:
        assert not tokens.values.requires_grad
        return
    tokens.values[tokens.mask].square().sum().backward()
    for parameter_name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: audio encoders checked on the CPU only")
@pytest.mark.parametrize("name", raw("audio_encoder"))
def test_audio_encoder_on_the_accelerator(name: str) -> None:
    changes = {} if name == "audio_transformer" else {"gain_db": 6.0, "shift_seconds": 0.1, "time_masks": 1}
    encoder = registry_of("audio_encoder").build(name, {**audio_options(name), **changes}).eval()
    waveforms = sounds(encoder.sampling.sample_rate)
    with torch.no_grad():
        wanted = encoder(waveforms)
        result = encoder.to("cuda")(waveforms.to("cuda")).to("cpu")
    assert torch.equal(result.mask, wanted.mask)
    torch.testing.assert_close(result.values[result.mask], wanted.values[wanted.mask], atol=1e-3, rtol=1e-3)
    assert encoder.train()(waveforms.to("cuda")).values.isfinite().all()


@pytest.mark.parametrize("name", raw("audio_encoder"))
def test_audio_encoder_is_described(name: str) -> None:
    component = registry_of("audio_encoder").get(name)
    check_docstring(component)
    check_options(component, audio_options(name))


@pytest.mark.parametrize(
    ("modality", "name"), [(m, n) for m in ("image", "text", "audio") for n in raw(f"{m}_encoder")]
)
def test_every_operation_is_counted(modality: str, name: str) -> None:
    """Matrix products are counted, whatever kernel PyTorch or a library chooses; transforms of sounds are named."""
    registry = registry_of(f"{modality}_encoder")
    raw_items: Any
    if modality == "text":
        encoder = registry.build(name, text_options(name), vocabulary=Vocabulary.build(TEXTS)).eval()
        raw_items = encoder.tokenizer(TEXTS)
    elif modality == "image":
        encoder = registry.build(name, image_options(name)).eval()
        raw_items = torch.zeros(2, 3, *encoder.preprocessing.size, dtype=torch.uint8)
    else:
        encoder = registry.build(name, audio_options(name)).eval()
        raw_items = sounds(encoder.sampling.sample_rate)
    missed = set(flops(lambda: encoder(raw_items)).missed) - {"_fft_r2c"}
    assert not missed, (
        f"PyTorch {torch.__version__} computes {modality} encoder '{name}' by {sorted(missed)}, which is not counted: "
        "take it apart in measures/_flops.py, or list it in measures/_operations.py if it multiplies no matrices"
    )
