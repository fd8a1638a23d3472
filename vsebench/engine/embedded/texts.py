"""The shipped text encoders: a small BERT trained to fill in masked words of captions, and word vectors in GloVe's
format, from the words that stand near each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsebench.data.scenes.model import draw_scene, draw_statements
from vsebench.data.scenes.wording import write

LENGTH = 48  # tokens
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MASKED = 0.2  # share of the tokens that are to be predicted
IGNORED = -100  # of torch's cross entropy
CONFIG: dict[str, Any] = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 192,
    "max_position_embeddings": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def draw_captions(scenes: int, seed: str) -> list[str]:
    """Draw the captions of scenes that are in no dataset."""
    result = []
    for i in range(scenes):
        rng = Random(f"scene-{seed}-{i}")
        scene = draw_scene(rng)
        result += [write(statement.message, rng) for statement in draw_statements(scene, rng)]
    return result


def make_tokenizer(captions: Sequence[str]) -> Any:
    """Return a WordPiece tokenizer with every word of the captions; other words are spelt letter by letter."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    splitter = pre_tokenizers.BertPreTokenizer()
    words = Counter(word for caption in captions for word, _ in splitter.pre_tokenize_str(caption.lower()))
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces = [*SPECIAL, *sorted(words, key=lambda w: (-words[w], w))]
    pieces += [piece for letter in letters for piece in (letter, f"##{letter}") if piece not in words]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = splitter
    ends = [(token, int(tokenizer.token_to_id(token) or 0)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=CONFIG["max_position_embeddings"], padding_side="right", **names
    )


def train_bert(
    captions: Sequence[str],
    held_out: Sequence[str],
    *,
    epochs: int = 10,
    batch_size: int = 128,
    lr: float = 2e-3,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> tuple[Any, Any, float]:
    """Train a BERT to fill in masked words.

    Args:
        captions: what it learns from.
        held_out: captions whose masked words are counted.
        epochs: passes over the captions.
        batch_size: captions of a step.
        lr: largest learning rate (AdamW, one cycle).
        seed: of weights, order and masks.
        say: told of every epoch.

    Returns: the model with its masked-word head, its tokenizer, and the share of held-out masked words that it names.
    """
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(seed)
    tokenizer = make_tokenizer(captions)
    model: Any = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **CONFIG))
    ids = _ids(tokenizer, captions)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    steps = len(ids) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps * epochs, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    accuracy = 0.0
    for epoch in range(epochs):
        order = torch.randperm(len(ids), generator=generator)
        model.train()
        for step in range(steps):
            rows = ids[order[step * batch_size : (step + 1) * batch_size]]
            masked, labels = _mask(rows, tokenizer, generator)
            loss = model(input_ids=masked, attention_mask=(rows != tokenizer.pad_token_id).long(), labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        accuracy = _filled_in(model, tokenizer, held_out)
        say(f"bert: epoch {epoch + 1}/{epochs}, {100 * accuracy:.1f} % of the masked words of held-out captions")
    return model, tokenizer, accuracy


def word_vectors(captions: Sequence[str], dim: int = 64, window: int = 4) -> dict[str, np.ndarray]:
    """Return a vector of each word: positive pointwise mutual information with the words near it, decomposed.

    Levy and Goldberg 2014, Neural word embedding as implicit matrix factorization, NIPS 27: the left singular vectors
    times the square roots of the singular values.

    Args:
        captions: where the words stand.
        dim: size of a vector.
        window: words on either side that are near.
    """
    from tokenizers.pre_tokenizers import BertPreTokenizer

    split = BertPreTokenizer().pre_tokenize_str
    texts = [[word for word, _ in split(caption.lower())] for caption in captions]
    words = sorted({word for text in texts for word in text})
    place = {word: i for i, word in enumerate(words)}
    counts = np.zeros((len(words), len(words)))
    for text in texts:
        ids = [place[word] for word in text]
        for i, one in enumerate(ids):
            for other in ids[i + 1 : i + 1 + window]:
                counts[one, other] += 1
                counts[other, one] += 1
    total, rows = counts.sum(), counts.sum(1)
    with np.errstate(divide="ignore"):
        information = np.log(counts * total) - np.log(np.outer(rows, rows))
    left, values, _ = np.linalg.svd(np.maximum(information, 0))
    dim = min(dim, len(words))
    vectors = left[:, :dim] * np.sqrt(values[:dim])
    vectors *= np.sign(vectors.sum(0)) + (vectors.sum(0) == 0)  # a decomposition leaves the signs open
    return {word: vectors[place[word]] for word in words}


def write_glove(vectors: dict[str, np.ndarray], file: Path) -> None:
    """Write word vectors as GloVe does: a word and its numbers on each line."""
    lines = [" ".join([word, *(f"{value:.5f}" for value in vector)]) for word, vector in vectors.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ids(tokenizer: Any, captions: Sequence[str]) -> Tensor:
    encoded = tokenizer(list(captions), padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
    result: Tensor = encoded["input_ids"]
    return result


def _mask(ids: Tensor, tokenizer: Any, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide a share of the words, as Devlin et al. 2019: 80 % behind [MASK], 10 % behind another, 10 % as they are."""
    chosen = (torch.rand(ids.shape, generator=generator) < MASKED) & (ids >= len(SPECIAL))
    draw = torch.rand(ids.shape, generator=generator)
    others = torch.randint(len(SPECIAL), len(tokenizer), ids.shape, generator=generator)
    masked = torch.where(chosen & (draw < 0.8), tokenizer.mask_token_id, ids)
    masked = torch.where(chosen & (draw >= 0.9), others, masked)
    return masked, torch.where(chosen, ids, IGNORED)


def _filled_in(model: Any, tokenizer: Any, captions: Sequence[str]) -> float:
    """Return the share of masked words that the model names; the same words at every call."""
    ids = _ids(tokenizer, captions)
    masked, labels = _mask(ids, tokenizer, torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = model(input_ids=masked, attention_mask=(ids != tokenizer.pad_token_id).long()).logits
    requested = labels != IGNORED
    return float((logits.argmax(-1) == labels)[requested].float().mean())
