"""Small pretrained models that tests write themselves."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

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
