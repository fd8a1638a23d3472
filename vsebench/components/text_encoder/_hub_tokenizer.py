"""Tokenizers of transformers: loaded with their files, checked against the model, padded on the right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from vsebench.components.encoder._pretrained import Source
from vsebench.core.errors import ConfigError
from vsebench.core.types import TokenIds

#: Files that stand for ``tokenizer.json``: other formats of a whole tokenizer.
_OTHER_FORMATS = ("*.model", "*.tiktoken", "tekken.json")
#: Rows of an embedding matrix without a token: tables are padded to round numbers, to 2 % and 1,000 rows in practice.
_SPARE_ROWS, _SPARE_SHARE = 1024, 0.1
_PROBED = 32  # words of the vocabulary that are read back
PROBE = "a red hat with blue dots"


class HubTokenizer:
    """A model's own tokenizer, cut after ``max_length`` tokens and padded on the right.

    Padding is hidden by the mask, so that any token can stand for it: a tokenizer without a padding token pads with its
    end token.

    Args:
        tokenizer: of transformers.
        max_length: tokens of a text, special ones included.
        full: pad every text to ``max_length`` and let padding count as words, as SigLIP was trained.

    Raises: ConfigError for one that cannot pad, or whose special tokens do not arrive.
    """

    def __init__(self, tokenizer: Any, max_length: int, *, full: bool = False) -> None:
        self.tokenizer, self.max_length, self.full = tokenizer, max_length, full
        tokenizer.padding_side = tokenizer.truncation_side = "right"
        if tokenizer.pad_token is None:
            other = None if full else tokenizer.eos_token or tokenizer.unk_token
            if other is None:
                raise _wrong("has no padding token, and no other that could stand for it; set pad_token")
            tokenizer.pad_token = other
        backend = getattr(tokenizer, "backend_tokenizer", None)
        rules = str(sorted(tokenizer.get_vocab().items())) if backend is None else backend.to_str()
        self.digest = hashlib.sha256(f"{rules}{tokenizer!r}{max_length}{full}".encode()).hexdigest()[:16]
        self._check_special_tokens()

    def __call__(self, texts: Sequence[str]) -> TokenIds:
        encoded = self.tokenizer(
            list(texts),
            padding="max_length" if self.full else True,
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=True,
            return_tensors="pt",
        )
        ids, mask = encoded["input_ids"].long(), encoded["attention_mask"].bool()
        if not ids.shape[1]:  # only empty texts, and no special tokens
            return TokenIds(torch.zeros(len(texts), 1, dtype=torch.long), torch.zeros(len(texts), 1, dtype=torch.bool))
        return TokenIds(ids, torch.ones_like(mask) if self.full else mask)

    def truncated(self, texts: Sequence[str]) -> int:
        """Return the number of texts that have more than ``max_length`` tokens, special ones included, and thus are
        cut.
        """
        if not len(texts):
            return 0
        encoded = self.tokenizer(list(texts), return_attention_mask=False, verbose=False)  # no warning of long texts
        return sum(len(ids) > self.max_length for ids in encoded["input_ids"])

    def unknown(self, words: TokenIds) -> int:
        """Return the number of texts with words of which the vocabulary has none: the model reads them all alike."""
        number, hub = self.tokenizer.unk_token_id, self.tokenizer
        if number is None or number in (hub.eos_token_id, hub.pad_token_id):
            return 0  # of byte-level vocabularies, which know every text
        special = torch.tensor(sorted(set(hub.all_special_ids) - {number}), dtype=torch.long)
        ordinary = words.mask & ~torch.isin(words.ids, special)
        known = ordinary & (words.ids != number)
        return int((ordinary.any(1) & ~known.any(1)).sum())

    def _check_special_tokens(self) -> None:
        short, long = (self._ids(text) for text in (PROBE, f"{PROBE} " * self.max_length))
        for name in ("cls_token", "sep_token"):
            if getattr(self.tokenizer, name) is not None and getattr(self.tokenizer, f"{name}_id") not in short:
                raise _wrong(
                    f"has a {name}, {getattr(self.tokenizer, name)}, that it does not put into a text; its files do "
                    "not go together"
                )
        ends = {self.tokenizer.eos_token_id, self.tokenizer.sep_token_id}
        special = set(self.tokenizer.all_special_ids) - ({self.tokenizer.unk_token_id} - ends)
        end = next((i for i, number in enumerate(reversed(short)) if number not in special), 0)
        if len(long) > self.max_length or long[len(long) - end :] != short[len(short) - end :]:
            raise _wrong(f"does not keep its end token where it cuts a text to max_length ({self.max_length})")

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, truncation=True, max_length=self.max_length)["input_ids"]
        return ids


def load_tokenizer(source: Source, network: nn.Module) -> Any:
    """Load a model's tokenizer.

    Raises: ConfigError for missing files, a vocabulary that does not fit the model's embedding matrix, or one that
    reads all words as unknown.
    """
    tokenizer = source.load("AutoTokenizer")
    _check_files(source, tokenizer)
    _check_size(source, tokenizer, network)
    _check_words(source, tokenizer)
    return tokenizer


def _check_files(source: Source, tokenizer: Any) -> None:
    """Refuse missing files, for which transformers makes an empty tokenizer or one of single letters."""
    if source.has("tokenizer.json") or any(any(source.folder.glob(pattern)) for pattern in _OTHER_FORMATS):
        return
    files = getattr(type(tokenizer), "vocab_files_names", {})
    missing = [files[key] for key in ("vocab_file", "merges_file") if key in files and not source.has(files[key])]
    if missing:
        raise ConfigError(
            f"the tokenizer of '{source.model}' has no files: {source.folder} has neither tokenizer.json nor "
            f"{' and '.join(missing)}. Copy the tokenizer's files beside the model's (tokenizer.save_pretrained).",
            path=("model",),
        )


def _check_size(source: Source, tokenizer: Any, network: nn.Module) -> None:
    try:
        rows = int(network.get_input_embeddings().num_embeddings)  # type: ignore[operator]
    except (AttributeError, NotImplementedError, TypeError):
        return  # one that hashes characters has no such matrix
    ids = set(tokenizer.get_vocab().values())
    if max(ids, default=0) >= rows or rows - len(ids) > max(_SPARE_ROWS, _SPARE_SHARE * rows):
        raise ConfigError(
            f"the tokenizer of '{source.model}' is not the model's: it has {len(ids):,} tokens with ids up to "
            f"{max(ids, default=0):,}, the model's embedding matrix has {rows:,} rows. Take both from one place.",
            path=("model",),
        )


def _check_words(source: Source, tokenizer: Any) -> None:
    """Read some of the vocabulary's own words; none of them may be all unknown."""
    ordinary = sorted(set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids))
    if not ordinary:
        raise ConfigError(
            f"the tokenizer of '{source.model}' has {len(tokenizer.get_vocab())} special tokens and no word, so that "
            f"every text is unknown to it; files are missing in {source.folder}.",
            path=("model",),
        )
    step = max(1, len(ordinary) // _PROBED)
    text = " ".join(tokenizer.decode([number]) for number in ordinary[::step])
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if ids and set(ids) == {tokenizer.unk_token_id}:
        raise ConfigError(
            f"the tokenizer of '{source.model}' reads every word of its own vocabulary as unknown; its files in "
            f"{source.folder} do not go together.",
            path=("model",),
        )


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"the model's tokenizer {what}.", path=("model",))
