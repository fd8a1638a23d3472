"""What transformers loads is checked: tensors, tokenizers, image processors, the hub's commits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import (
    CONFIG,
    PIECES,
    ast_folder,
    bert_folder,
    clip_folder,
    siglip_folder,
    wav2vec_folder,
    whisper_folder,
)
from torch import Tensor

from vsebench.core.errors import ConfigError
from vsebench.core.registry import AUDIO_ENCODERS, IMAGE_ENCODERS, TEXT_ENCODERS

TEXTS = ["a red hat", "a shirt with blue dots with a red dress", "", "hat"]
State = dict[str, Tensor]


def text(folder: Path | str, **options: Any) -> Any:
    return TEXT_ENCODERS.build("bert", {"model": str(folder), "max_length": 16, **options}).eval()


def copy(folder: str, place: Path) -> Path:
    return Path(shutil.copytree(folder, place / "model"))


def change(folder: Path, by: Callable[[State], State]) -> Path:
    """The folder with other tensors in its file."""
    state = by(load_file(folder / "model.safetensors"))
    save_file({k: v.clone() for k, v in state.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def settings(folder: Path, name: str, **changes: Any) -> Path:
    """The folder with other settings in a JSON file."""
    file = folder / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return folder


LAYER = "encoder.layer.1.output.dense.weight"
DAMAGED: dict[str, tuple[Callable[[State], State], str]] = {
    "a tensor is missing": (
        lambda s: {k: v for k, v in s.items() if k != LAYER},
        r"1 tensor is missing and would be random \(encoder.layer.1.output.dense.weight\)",
    ),
    "another prefix": (
        lambda s: {f"model.{k}": v for k, v in s.items()},
        r"53 tensors are missing .*the file has names such as 'model\.",
    ),
    "a renamed tensor": (
        lambda s: {k.replace(LAYER, LAYER.replace("dense", "fc")): v for k, v in s.items()},
        r"1 tensor is missing .*; 1 tensor is left over \(encoder.layer.1.output.fc.weight\)",
    ),
    "more layers than config.json": (
        lambda s: s | {k.replace("layer.2", "layer.3"): v for k, v in s.items() if "layer.2" in k},
        r"16 tensors are left over \(encoder.layer.3\.",
    ),
    "another shape": (
        lambda s: s | {"embeddings.word_embeddings.weight": torch.ones(5, 16)},
        r"'embeddings.word_embeddings.weight' has shape \(5, 16\) instead of \(13, 16\)",
    ),
    "not a number": (
        lambda s: s | {LAYER: torch.full_like(s[LAYER], float("nan"))},
        r"1 tensor is not finite \(encoder.layer.1.output.dense.weight\)",
    ),
    "nothing": (lambda _: {"x": torch.ones(1)}, "53 tensors are missing"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_every_tensor_is_accounted_for(damage: str, tmp_path: Path) -> None:
    by, message = DAMAGED[damage]
    with pytest.raises(ConfigError, match=message) as error:
        text(change(copy(bert_folder(), tmp_path), by))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["clip_text", "clip_image", "audio_transformer"])
def test_towers_and_sounds_as_well(name: str, tmp_path: Path) -> None:
    registry = {"clip_text": TEXT_ENCODERS, "clip_image": IMAGE_ENCODERS, "audio_transformer": AUDIO_ENCODERS}[name]
    folder = copy(wav2vec_folder() if name == "audio_transformer" else clip_folder(), tmp_path)

    def rename(state: State) -> State:
        first = next(k for k in sorted(state) if "layers.1." in k)
        return {k.replace(first, f"{first}_old"): v for k, v in state.items()}

    with pytest.raises(ConfigError, match=r"1 tensor is missing .*; 1 tensor is left over \(.*_old\)"):
        registry.build(name, {"model": str(change(folder, rename))})


def test_heads_poolers_and_old_buffers_are_no_fault(tmp_path: Path) -> None:
    def by(state: State) -> State:
        inner = {f"bert.{k}": v for k, v in state.items() if not k.startswith("pooler")}
        return inner | {"cls.predictions.bias": torch.ones(13), "bert.embeddings.position_ids": torch.arange(64)[None]}

    encoder, plain = text(change(copy(bert_folder(), tmp_path), by)), text(bert_folder())
    words = plain.tokenizer(TEXTS)
    assert torch.equal(encoder(words).values, plain(words).values)


def test_half_precision_on_disk_is_computed_in_float32(tmp_path: Path) -> None:
    folder = change(copy(bert_folder(), tmp_path), lambda s: {k: v.half() for k, v in s.items()})
    encoder = text(settings(folder, "config.json", dtype="float16", torch_dtype="float16"))
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert encoder(encoder.tokenizer(TEXTS)).values.dtype == torch.float32


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.safetensors", b"", "Error while deserializing header"),
        ("model.safetensors", None, "cannot load the folder .*model.safetensors"),
        ("config.json", b"{", "not a valid JSON file"),
        ("config.json", b'{"model_type": "bertx"}', "model type `bertx`"),
        ("config.json", b'{"model_type": "bert", "hidden_size": "x"}', "hidden_size"),
    ],
)
def test_the_reason_is_given_in_one_line(file: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    folder = copy(bert_folder(), tmp_path)
    (folder / file).write_bytes(content) if content is not None else (folder / file).unlink()
    with pytest.raises(ConfigError, match=message) as error:
        text(folder)
    assert "\n" not in str(error.value)


def without_tokenizer(folder: Path) -> Path:
    for file in folder.iterdir():
        if "token" in file.name or file.name in ("vocab.txt", "merges.txt", "vocab.json"):
            file.unlink()
    return folder


@pytest.mark.parametrize("name", ["bert", "bert_bow", "clip_text"])
def test_a_folder_without_a_tokenizer(name: str, tmp_path: Path) -> None:
    from vsebench.data.vocabulary import Vocabulary

    folder = without_tokenizer(copy(clip_folder() if name == "clip_text" else bert_folder(), tmp_path))
    with pytest.raises(ConfigError, match="has neither tokenizer.json nor vocab") as error:
        TEXT_ENCODERS.build(name, {"model": str(folder)}, vocabulary=Vocabulary.build(TEXTS))
    assert str(folder) in str(error.value)


def write_tokenizer(folder: Path, words: list[str], **options: Any) -> Path:
    from transformers import BertTokenizerFast

    without_tokenizer(folder)
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), vocab_file=str(folder / "vocab.txt"), **options).save_pretrained(
        folder
    )
    return folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*PIECES, "one", "two"], "15 tokens with ids up to 14, the model's embedding matrix has 13 rows"),
        (PIECES[:5], "has 5 special tokens and no word"),
        ([*PIECES[:5], "Äpfel", "RED"], "reads every word of its own vocabulary as unknown"),
    ],
)
def test_a_tokenizer_of_another_model(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        text(write_tokenizer(copy(bert_folder(), tmp_path), words))


def test_a_small_vocabulary_beside_a_large_matrix(tmp_path: Path) -> None:
    folder = change(
        copy(bert_folder(), tmp_path), lambda s: s | {"embeddings.word_embeddings.weight": torch.randn(30522, 16)}
    )
    with pytest.raises(ConfigError, match="13 tokens with ids up to 12, the model's embedding matrix has 30,522 rows"):
        text(settings(folder, "config.json", vocab_size=30522))


def test_special_tokens_that_do_not_arrive(tmp_path: Path) -> None:
    folder = copy(bert_folder(), tmp_path)
    rules = json.loads((folder / "tokenizer.json").read_text())
    settings(folder, "tokenizer.json", post_processor=None)
    assert rules["post_processor"] is not None
    settings(folder, "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    with pytest.raises(ConfigError, match=r"has a cls_token, \[CLS\], that it does not put into a text"):
        text(folder)


def gpt2_folder(place: Path, side: str = "left", pad: str | None = None) -> Path:
    """A random decoder whose tokenizer adds no special tokens and pads on the left."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    words = ["<end>", *PIECES[5:]]
    rules = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<end>"))
    rules.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=rules, unk_token="<end>", eos_token="<end>", pad_token=pad, padding_side=side
    )
    tokenizer.save_pretrained(place)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(words), n_positions=32, n_embd=16, n_layer=3, n_head=2)
    model = GPT2Model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(place)
    return place


@pytest.mark.parametrize("pad", ["<end>", None])
@torch.no_grad()
def test_a_decoder_that_pads_on_the_left(pad: str | None, tmp_path: Path) -> None:
    encoder = text(gpt2_folder(tmp_path, pad=pad))
    together = encoder(encoder.tokenizer(TEXTS))
    pools = {name: pooling(name) for name in ("first", "last", "mean", "max")}
    for row, one in enumerate(TEXTS):
        alone = encoder(encoder.tokenizer([one]))
        assert alone.mask.sum() == len(one.split())
        for name, pool in pools.items():
            torch.testing.assert_close(pool(together)[row], pool(alone)[0], atol=1e-5, rtol=1e-5, msg=f"{name} {one!r}")
        if one:
            torch.testing.assert_close(pools["last"](together)[row], alone.values[0, -1], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(pools["first"](together)[row], alone.values[0, 0], atol=1e-5, rtol=1e-5)
    assert float(pools["first"](together)[1].abs().sum()) > 0
    last = pools["last"](encoder(encoder.tokenizer(["a red hat", "a red dress"])))
    assert not torch.allclose(last[0], last[1], atol=1e-3), "it has seen the last word"


def pooling(name: str) -> Any:
    from vsebench.core.registry import POOLINGS

    return POOLINGS.build(name, {}, modality="text", dim=16, context={})


@torch.no_grad()
def test_the_last_token_of_a_bert_is_its_end(tmp_path: Path) -> None:
    encoder = text(write_tokenizer(copy(bert_folder(), tmp_path), PIECES, padding_side="left"))
    tokens = encoder(encoder.tokenizer(TEXTS))
    assert tokens.mask[:, 0].all(), "padding comes last, whatever the file says"
    for row, one in enumerate(TEXTS):
        values = encoder(encoder.tokenizer([one])).values[0]
        torch.testing.assert_close(pooling("last")(tokens)[row], values[-1], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(pooling("first")(tokens)[row], values[0], atol=1e-5, rtol=1e-5)


def test_a_decoder_trains_in_part(tmp_path: Path) -> None:
    encoder = text(gpt2_folder(tmp_path), finetune="last", layers=1).train()
    encoder(encoder.tokenizer(TEXTS[:2])).values.sum().backward()
    trained = {n for n, p in encoder.named_parameters() if p.grad is not None}
    assert trained == {n for n, p in encoder.named_parameters() if p.requires_grad}
    assert {n.split(".")[1] for n in trained} == {"h", "ln_f"}
    assert all(".h.2." in n for n in trained if ".h." in n)


def t5_folder(place: Path, encoder_only: bool = False) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel, T5Model

    words = ["<pad>", "</s>", "<unk>", *PIECES[5:]]
    rules = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    rules.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=rules, unk_token="<unk>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(place)
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_heads": 2, "num_layers": 3, "decoder_start_token_id": 0}
    config = T5Config(vocab_size=len(words), **sizes)
    (T5EncoderModel if encoder_only else T5Model)(config).save_pretrained(place)
    return place


@pytest.mark.parametrize("encoder_only", [False, True])
@torch.no_grad()
def test_the_encoder_of_a_t5(encoder_only: bool, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, T5EncoderModel

    folder = t5_folder(tmp_path, encoder_only)
    encoder = text(folder, max_length=600)
    words = AutoTokenizer.from_pretrained(folder)(TEXTS[:2], padding=True, return_tensors="pt")
    wanted = T5EncoderModel.from_pretrained(folder).eval()(**words).last_hidden_state
    tokens = encoder(encoder.tokenizer(TEXTS[:2]))
    torch.testing.assert_close(tokens.values[tokens.mask], wanted[tokens.mask], atol=1e-5, rtol=1e-5)
    assert not any("decoder" in name for name, _ in encoder.named_parameters())
    partly = text(folder, finetune="last")
    assert {n.split(".")[1] for n, p in partly.named_parameters() if p.requires_grad} == {"block", "final_layer_norm"}


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("bert", clip_folder, "is a model of type clip, .*text_encoder: clip_text"),
        ("bert", siglip_folder, "is a model of type siglip, .*text_encoder: clip_text"),
        ("bert", wav2vec_folder, "is a model of type wav2vec2 that reads input_values, not text"),
        ("bert", ast_folder, "is a model of type audio-spectrogram-transformer that reads input_values, not text"),
        ("audio_transformer", bert_folder, "transformers cannot load the folder"),
    ],
)
def test_a_model_of_something_else(name: str, folder: Callable[[], str], message: str) -> None:
    registry = AUDIO_ENCODERS if name == "audio_transformer" else TEXT_ENCODERS
    with pytest.raises(ConfigError, match=message):
        registry.build(name, {"model": folder()})


def test_more_tokens_than_positions(tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaModel

    with pytest.raises(ConfigError, match=r"max_length \(65\) is more than '.*' has positions \(64\)"):
        text(bert_folder(), max_length=65)
    encoder = text(bert_folder(), max_length=64)
    assert encoder(encoder.tokenizer(["a " * 200])).values.shape[1] == 64
    folder = copy(bert_folder(), tmp_path)
    sizes = {"vocab_size": 13, "max_position_embeddings": 34, "pad_token_id": 1}
    RobertaModel(RobertaConfig(**sizes, **CONFIG)).save_pretrained(folder)
    with pytest.raises(ConfigError, match=r"max_length \(33\) is more than '.*' has positions \(32\)"):
        text(folder, max_length=33)
    assert text(folder, max_length=32).dim_out == 16


@pytest.mark.parametrize("length", [3, 5, 16])
def test_the_end_token_stays_where_a_text_is_cut(length: int) -> None:
    encoder = text(bert_folder(), max_length=length)
    ids = encoder.tokenizer(["a red hat with blue dots with a dress " * 9]).ids[0].tolist()
    assert len(ids) == length
    assert (ids[0], ids[-1]) == (PIECES.index("[CLS]"), PIECES.index("[SEP]"))


def test_sounds_of_another_extractor(tmp_path: Path) -> None:
    folder = settings(copy(ast_folder(), tmp_path), "preprocessor_config.json", num_mel_bins=16)
    with pytest.raises(ConfigError, match="cannot read what its feature extractor"):
        AUDIO_ENCODERS.build("audio_transformer", {"model": str(folder)})


def test_sounds_of_whisper_need_no_decoder(tmp_path: Path) -> None:
    def by(state: State) -> State:
        return {k: v for k, v in state.items() if not k.startswith("decoder.layers")}

    folder = change(copy(whisper_folder(), tmp_path), by)
    assert AUDIO_ENCODERS.build("audio_transformer", {"model": str(folder)}).dim_out == 16


def test_texts_of_another_language_are_counted() -> None:
    from vsebench.engine.inputs import Texts

    tokenizer = text(bert_folder()).tokenizer
    assert Texts(["a red hat", "unheard words", "", "hat zzz", "Ж"], tokenizer).unknown == 2
    assert Texts(["a red hat", ""], tokenizer).unknown == 0
    letters = TEXT_ENCODERS.build("clip_text", {"model": clip_folder()}).tokenizer
    assert Texts(["unheard words"], letters).unknown == 0


def test_training_texts_that_the_tokenizer_does_not_know(tmp_path: Path) -> None:
    from vsebench.config.resolve import resolve
    from vsebench.data.dataset import Dataset
    from vsebench.data.item import Item
    from vsebench.data.writer import DatasetWriter
    from vsebench.engine.loader import Loader

    for name, known in (("some", 1), ("none", 0)):
        with DatasetWriter(tmp_path / f"{name}.h5", name=name, title=name) as writer:
            for i in range(12):
                words = "red hat" if i < known else "шляпа"
                split = ("train", "val", "test")[max(0, i - 9)]
                writer.add(Item(image=None, id=str(i), split=split, label=f"c{i % 2}", texts=[words]))
        system = resolve({"text_encoder": {"name": "bert", "model": bert_folder(), "max_length": 8}})
        dataset, encoders = Dataset.open(tmp_path / f"{name}.h5"), {"text": text(bert_folder())}
        if known:
            loader = Loader(dataset, "train", system, encoders, cache=False)
            assert loader.notes == ["9 of 10 train texts have no word that the tokenizer knows"]
            continue
        with pytest.raises(ConfigError, match="knows no word of any training text, such as 'шляпа'"):
            Loader(dataset, "train", system, encoders, cache=False)


def family(name: str) -> Any:
    """A small model of a family, over the words of the tests' tokenizer for T5."""
    import transformers

    sizes = {"vocab_size": 11, "num_hidden_layers": 2, "intermediate_size": 32, "hidden_size": 16}
    heads = {**sizes, "num_attention_heads": 2}
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    xlnet = {"vocab_size": 11, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}
    flaubert = {"vocab_size": 11, "n_words": 11, "emb_dim": 16, "n_layers": 2, "n_heads": 2, "pad_index": 0}
    options: dict[str, Any] = {
        "DebertaV2": {**heads, "relative_attention": True, "position_biased_input": False},
        "FNet": sizes,
        "Flaubert": flaubert,
        "Llama": {**heads, **special},
        "XLNet": xlnet,
    }[name]
    torch.manual_seed(0)
    return transformers.AutoModel.from_config(getattr(transformers, f"{name}Config")(**options))


@pytest.mark.parametrize("name", ["DebertaV2", "Llama", "XLNet", "Flaubert", "FNet"])
@torch.no_grad()
def test_other_families_do_not_see_padding(name: str, tmp_path: Path) -> None:
    folder = t5_folder(tmp_path)
    family(name).save_pretrained(folder)
    if name == "FNet":  # it mixes all positions by a Fourier transform, which knows no mask
        with pytest.raises(ConfigError, match="FNetModel.* gives a text other states beside a longer one"):
            text(folder)
        return
    encoder = text(folder)
    tokens = encoder(encoder.tokenizer(TEXTS))
    for row, one in enumerate(TEXTS):
        alone = encoder(encoder.tokenizer([one]))
        torch.testing.assert_close(tokens.values[row][tokens.mask[row]], alone.values[alone.mask], atol=1e-5, rtol=1e-5)
    if name == "Flaubert":
        with pytest.raises(ConfigError, match="a FlaubertModel keeps the parts of a layer apart"):
            text(folder, finetune="last")
        return
    assert sum(p.requires_grad for p in text(folder, finetune="last").parameters()) > 0
