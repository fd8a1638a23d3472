"""The shipped text encoders: a small BERT trained to fill in masked words of captions and to tell what each word is
about, and word vectors in GloVe's format, from the words that stand near each other.

Masked words alone do not make it tell colours, patterns and places apart: which of them a caption names only the
picture knows, so that all of them are as likely at every mask. Linear layers on the states of words, which answer
:data:`~vsebench.engine.embedded.meaning.QUESTIONS`, are trained with it and thrown away, as those of the image encoders
are. What a clause affirms and what it denies are opposite numbers, so that a map that has learned to find "red one"
turns away from it after "not red one".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vsebench.data.scenes.model import ATTRIBUTES, Message, draw_scene, draw_statements
from vsebench.data.scenes.wording import write
from vsebench.engine.embedded.meaning import CHOICES, QUESTIONS, VALUES, answers, answers_of_all

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MASKED = 0.2  # share of the tokens that are to be predicted
IGNORED = -100  # of torch's cross entropy
MEANING_WEIGHT, VALUES_WEIGHT = 0.3, 4.0  # of what words are about; of the squared errors in it
CONFIG: dict[str, Any] = {
    "hidden_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 160,
    "max_position_embeddings": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


class Caption(NamedTuple):
    """A caption and what it says."""

    text: str
    message: Message


def draw_captions(scenes: int, seed: str) -> list[Caption]:
    """Draw the captions of scenes that are in no dataset."""
    result = []
    for i in range(scenes):
        rng = Random(f"scene-{seed}-{i}")
        scene = draw_scene(rng)
        result += [Caption(write(s.message, rng), s.message) for s in draw_statements(scene, rng)]
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


@dataclass
class Encoded:
    """Captions as the BERT reads them.

    Args:
        ids: int64 (n, longest), [CLS] before the words and [SEP] behind them, padded with 0.
        answers: int8 (n, longest, questions), of every word; [CLS] is asked what all clauses say, [SEP] has zeros.
    """

    ids: Tensor
    answers: Tensor

    @property
    def lengths(self) -> Tensor:
        """Number of tokens of each caption."""
        return (self.ids != 0).sum(1)

    def take(self, rows: Tensor) -> Encoded:
        """Return some of them, as long as their longest."""
        ids, longest = self.ids[rows], int(self.lengths[rows].max())
        return Encoded(ids[:, :longest], self.answers[rows, :longest])


def encode(tokenizer: Any, captions: Sequence[Caption]) -> Encoded:
    """Tokenize captions, all of whose words the tokenizer knows, and say what every word and the whole is about."""
    ids: Tensor = tokenizer([c.text for c in captions], padding=True, return_tensors="pt")["input_ids"]
    about = torch.zeros(*ids.shape, len(QUESTIONS), dtype=torch.int8)
    for row, caption in enumerate(captions):
        words = tokenizer.tokenize(caption.text)
        about[row, 0] = torch.from_numpy(answers_of_all(caption.message, caption.text))
        about[row, 1 : 1 + len(words)] = torch.from_numpy(answers(caption.message, caption.text, words))
    return Encoded(ids, about)


def train_bert(
    captions: Sequence[Caption],
    *,
    epochs: int = 6,
    batch_size: int = 128,
    lr: float = 2e-3,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> tuple[Any, Any]:
    """Train a BERT. Of one half of a batch it fills in masked words; of every word of the other half it is asked what
    the word's clause says, and of [CLS] what all clauses say.

    Args:
        captions: what it learns from.
        epochs: passes over the captions.
        batch_size: captions of a step.
        lr: largest learning rate (AdamW, one cycle).
        seed: of weights, order and masks.
        say: told of every epoch.

    Returns: the model with its masked-word head, and its tokenizer.
    """
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(seed)
    tokenizer = make_tokenizer([caption.text for caption in captions])
    model: Any = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **CONFIG))
    classifiers = nn.Linear(CONFIG["hidden_size"], len(VALUES) + sum(CHOICES.values()))
    encoded = encode(tokenizer, captions)
    parameters = [*model.parameters(), *classifiers.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.01)
    steps = len(captions) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps * epochs, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for epoch in range(epochs):
        losses = torch.zeros(2)
        for rows in _batches(encoded.lengths, batch_size, generator)[:steps]:
            words, meaning = _losses(model, classifiers, tokenizer, encoded.take(rows), generator)
            optimizer.zero_grad()
            (words + MEANING_WEIGHT * meaning).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            losses += torch.stack([words, meaning]).detach()
        word_loss, meaning_loss = (losses / steps).tolist()
        say(f"bert: epoch {epoch + 1}/{epochs}, loss of masked words {word_loss:.3f}, of meaning {meaning_loss:.3f}")
    return model.eval(), tokenizer


def probe(bert: Any, tokenizer: Any, train_on: Sequence[Caption], test_on: Sequence[Caption]) -> dict[str, float]:
    """Return the accuracy of linear classifiers on the states of single words.

    Returns: of which words are probed -> share that is right: ``colour``, ``pattern`` and ``place`` of a clause from
        each of its words, whether a clause that names one is about the garment that is ``meant``, its ``purpose``, and
        the scene's ``setting``.
    """
    from sklearn.linear_model import LogisticRegression

    parts = [encode(tokenizer, captions) for captions in (train_on, test_on)]
    words = [part.ids >= len(SPECIAL) for part in parts]
    features = [_states_of(bert, part.ids, chosen).numpy() for part, chosen in zip(parts, words, strict=True)]
    about = [part.answers[chosen].long().numpy() for part, chosen in zip(parts, words, strict=True)]
    names, result = list(QUESTIONS), {}

    def values(answers: np.ndarray, attribute: str) -> np.ndarray:
        picked: np.ndarray = answers[:, [names.index(value) for value in ATTRIBUTES[attribute]]]
        return picked

    named = [np.concatenate([values(a, name) for name in ATTRIBUTES], 1) for a in about]
    # A clause names no more than one value of an attribute, so that the value is a class.
    targets = {
        name: [np.where(values(a, name).any(1), np.abs(values(a, name)).argmax(1) + 1, 0) for a in about]
        for name in ATTRIBUTES
    }
    targets["meant"] = [np.where(n.any(1), np.sign(n.sum(1)) + 2, 0) for n in named]
    targets |= {name: [a[:, names.index(name)] for a in about] for name in ("purpose", "setting")}
    for name, (learn, test) in targets.items():
        model = LogisticRegression(max_iter=300).fit(features[0][learn > 0], learn[learn > 0])
        result[name] = float(model.score(features[1][test > 0], test[test > 0]))
    return result


def word_vectors(captions: Sequence[str], dim: int = 64, window: int = 4) -> dict[str, np.ndarray]:
    """Return a vector of each word: positive pointwise mutual information with the words near it, decomposed.

    The left singular vectors times the fourth roots of the singular values, scaled so that a number's mean square is 1
    (Levy, Goldberg and Dagan 2015, Improving distributional similarity, TACL 3: an exponent below 1/2). With square
    roots the greatest drown what tells "red" from "blue", whose neighbours are nearly the same: cosine 0.68, not 0.34.

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
    vectors = left[:, :dim] * values[:dim] ** 0.25
    vectors /= np.sqrt(np.square(vectors).mean())
    vectors *= np.sign(vectors.sum(0)) + (vectors.sum(0) == 0)  # a decomposition leaves the signs open
    return {word: vectors[place[word]] for word in words}


def write_glove(vectors: dict[str, np.ndarray], file: Path) -> None:
    """Write word vectors as GloVe does: a word and its numbers on each line."""
    lines = [" ".join([word, *(f"{value:.5f}" for value in vector)]) for word, vector in vectors.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _batches(lengths: Tensor, batch_size: int, generator: torch.Generator, pool: int = 16) -> list[Tensor]:
    """Draw batches of captions of about the same length: sorted within pools of some batches."""
    order = torch.randperm(len(lengths), generator=generator)
    order = torch.cat([rows[lengths[rows].argsort(stable=True)] for rows in order.split(batch_size * pool)])
    batches = [rows[torch.randperm(len(rows), generator=generator)] for rows in order.split(batch_size)]
    batches = [rows for rows in batches if len(rows) == batch_size]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator)]


def _states(model: Any, ids: Tensor, real: Tensor) -> Tensor:
    states: Tensor = model.bert(input_ids=ids, attention_mask=real.long()).last_hidden_state
    return states


def _losses(
    model: Any, classifiers: nn.Module, tokenizer: Any, batch: Encoded, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the loss of masked words, of the first half of a batch, and of what words are about, of the second."""
    half = len(batch.ids) // 2
    masked, labels = _mask(batch.ids, tokenizer, generator)
    states = _states(model, torch.cat([masked[:half], batch.ids[half:]]), batch.ids != 0)
    chosen, real = labels[:half] != IGNORED, batch.ids[half:] != 0
    words = nn.functional.cross_entropy(model.cls(states[:half][chosen]), labels[:half][chosen])
    return words, _meaning_loss(classifiers(states[half:][real]), batch.answers[half:][real].long())


def _meaning_loss(outputs: Tensor, answers: Tensor) -> Tensor:
    """Return the squared errors of values and the cross entropies of choices.

    Shape: (words, values and all choices), (words, questions) -> ().
    """
    signs, chosen = answers.split([len(VALUES), len(CHOICES)], -1)
    scores, *parts = outputs.split([len(VALUES), *CHOICES.values()], -1)
    loss: Tensor = VALUES_WEIGHT * (scores - _contrasts(signs.float())).square().mean(0).sum()
    for k, part in enumerate(parts):
        loss = loss + nn.functional.cross_entropy(part, chosen[:, k])
    return loss


def _contrasts(signs: Tensor) -> Tensor:
    """Return signs with the opposite of a value's sign shared among the others of its attribute, since a garment has
    one of them. Shape: (words, values) -> the same.
    """
    parts = signs.split([len(values) for values in ATTRIBUTES.values()], -1)
    shared = [part - (part.sum(-1, keepdim=True) - part) / (part.shape[-1] - 1) for part in parts]
    return torch.cat(shared, -1)


@torch.no_grad()
def _states_of(bert: Any, ids: Tensor, chosen: Tensor) -> Tensor:
    """Encode captions. Shape: (n, longest), bool (n, longest) -> (chosen tokens, D)."""
    parts = [
        bert(input_ids=rows, attention_mask=(rows != 0).long()).last_hidden_state[shown]
        for rows, shown in zip(ids.split(256), chosen.split(256), strict=True)
    ]
    return torch.cat(parts)


def _mask(ids: Tensor, tokenizer: Any, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide a share of the words, as Devlin et al. 2019: 80 % behind [MASK], 10 % behind another, 10 % as they are."""
    chosen = (torch.rand(ids.shape, generator=generator) < MASKED) & (ids >= len(SPECIAL))
    draw = torch.rand(ids.shape, generator=generator)
    others = torch.randint(len(SPECIAL), len(tokenizer), ids.shape, generator=generator)
    masked = torch.where(chosen & (draw < 0.8), tokenizer.mask_token_id, ids)
    masked = torch.where(chosen & (draw >= 0.9), others, masked)
    return masked, torch.where(chosen, ids, IGNORED)


def filled_in(model: Any, tokenizer: Any, captions: Sequence[Caption]) -> float:
    """Return the share of masked words that the model names; the same words at every call."""
    ids = encode(tokenizer, captions).ids
    masked, labels = _mask(ids, tokenizer, torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = model.cls(_states(model, masked, ids != 0))
    requested = labels != IGNORED
    return float((logits.argmax(-1) == labels)[requested].float().mean())
