"""Small pretrained models that tests write themselves."""

from __future__ import annotations

import shutil
import string
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "hat", "shirt", "blue", "dress", "with", "dots"]
CONFIG = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}


@cache
def bert_folder() -> str:
    """A folder with a random 16-wide BERT and its tokenizer, as ``from_pretrained`` wants it; one per process."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    path = Path(tempfile.mkdtemp(prefix="tiny-bert-"))
    (path / "vocab.txt").write_text("\n".join(PIECES))
    BertTokenizerFast(vocab=str(path / "vocab.txt"), vocab_file=str(path / "vocab.txt")).save_pretrained(path)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(PIECES), max_position_embeddings=64, **CONFIG)).save_pretrained(path)
    torch.set_rng_state(state)
    return str(path)


SIDE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PIXELS = {"image_size": 32, "patch_size": 8, "projection_dim": 16, **SIDE}


@cache
def clip_folder() -> str:
    """A folder with a random CLIP of 32 pixels and 16-d vectors, its tokenizer of single letters and its processor."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    path = Path(tempfile.mkdtemp(prefix="tiny-clip-"))
    letters = [*string.ascii_lowercase, *string.digits, *",.!'-"]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[]).save_pretrained(path)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(path)
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    text = {"vocab_size": len(words), "max_position_embeddings": 64, "projection_dim": 16, **SIDE, **ends}
    _save(path, lambda: CLIPModel(CLIPConfig(text_config=text, vision_config=PIXELS, projection_dim=16)), torch)
    return str(path)


@cache
def siglip_folder() -> str:
    """The same of a random SigLIP with 32-d vectors, whose texts are padded to 24 tokens."""
    import torch
    from transformers import BertTokenizerFast, SiglipConfig, SiglipImageProcessor, SiglipModel

    path = Path(tempfile.mkdtemp(prefix="tiny-siglip-"))
    (path / "vocab.txt").write_text("\n".join(PIECES))
    BertTokenizerFast(vocab=str(path / "vocab.txt"), vocab_file=str(path / "vocab.txt")).save_pretrained(path)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(path)
    text = {"vocab_size": len(PIECES), "max_position_embeddings": 24, "pad_token_id": 0, **SIDE, "hidden_size": 32}
    vision = {"image_size": 32, "patch_size": 8, **SIDE, "hidden_size": 32}
    _save(path, lambda: SiglipModel(SiglipConfig(text_config=text, vision_config=vision)), torch)
    return str(path)


def _save(path: Path, make: Callable[[], Any], torch: Any) -> None:
    """A model with weights large enough that no two inputs give the same vector."""
    state = torch.get_rng_state()
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(path)
    torch.set_rng_state(state)


LAYERS = {"num_hidden_layers": 3, "num_attention_heads": 2}


@cache
def wav2vec_folder() -> str:
    """A folder with a random wav2vec 2.0 of 16-d states that normalises its first convolution over time, as the base
    model does, and its feature extractor."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    path = Path(tempfile.mkdtemp(prefix="tiny-wav2vec-"))
    Wav2Vec2FeatureExtractor(sampling_rate=16000, do_normalize=True, return_attention_mask=False).save_pretrained(path)
    convolutions = {"conv_dim": (16, 16), "conv_stride": (20, 8), "conv_kernel": (40, 16), "num_feat_extract_layers": 2}
    positions = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    config = Wav2Vec2Config(vocab_size=5, hidden_size=16, intermediate_size=32, **convolutions, **positions, **LAYERS)
    _save(path, lambda: Wav2Vec2Model(config), torch)
    return str(path)


@cache
def ast_folder() -> str:
    """The same of an AST that reads 64 frames of 32 bands."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    path = Path(tempfile.mkdtemp(prefix="tiny-ast-"))
    ASTFeatureExtractor(sampling_rate=16000, num_mel_bins=32, max_length=64).save_pretrained(path)
    sizes = {"max_length": 64, "num_mel_bins": 32, "frequency_stride": 16, "time_stride": 16}
    _save(path, lambda: ASTModel(ASTConfig(hidden_size=16, intermediate_size=32, **sizes, **LAYERS)), torch)
    return str(path)


@cache
def whisper_folder() -> str:
    """The same of a Whisper that reads a second, 8 bands."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    path = Path(tempfile.mkdtemp(prefix="tiny-whisper-"))
    WhisperFeatureExtractor(sampling_rate=16000, feature_size=8, chunk_length=1).save_pretrained(path)
    encoder = {"num_mel_bins": 8, "max_source_positions": 50, "encoder_layers": 2, "encoder_attention_heads": 2}
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 32, "max_target_positions": 8}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    sizes = {"d_model": 16, "encoder_ffn_dim": 32, "vocab_size": 5}
    _save(path, lambda: WhisperModel(WhisperConfig(**sizes, **encoder, **decoder, **special)), torch)
    return str(path)


def in_hub_cache(cache: Path, name: str, folder: str | Path, commit: str, branch: str = "main") -> Path:
    """Lay a model's folder into a cache of the hub, as a commit that a branch stands for from now on."""
    place = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / commit, dirs_exist_ok=True)
    (place / "refs").mkdir(parents=True, exist_ok=True)
    (place / "refs" / branch).write_text(commit)
    return place / "snapshots" / commit
