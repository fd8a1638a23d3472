"""A text as an encoder's tokenizer splits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vsebench.data.vocabulary import UNKNOWN, WordTokenizer, split_words


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a text.

    Args:
        text: as it is shown.
        special: added by the tokenizer, such as [CLS].
        unknown: not in the vocabulary; the model reads the same of all such words.
    """

    text: str
    special: bool = False
    unknown: bool = False


def pieces_of(tokenizer: Any, text: str, count: int) -> tuple[Piece, ...]:
    """Split a text into the pieces of the encoder's tokens.

    Args:
        tokenizer: the encoder's; None where it reads precomputed features.
        text: that was encoded.
        count: of the encoder's real tokens. Where it makes one of a whole text, that is one piece, and where its
            tokens are not the tokenizer's, they are numbered.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> [(p.text, p.unknown) for p in pieces_of(Vocabulary.build(["a hat"]).tokenizer(9), "A red hat!", 3)]
        [('a', False), ('red', True), ('hat', False)]
    """
    result = _split(tokenizer, text)
    if len(result) == count:
        return result
    return (Piece("the whole text"),) if count == 1 else tuple(Piece(f"text {i}") for i in range(1, count + 1))


def _split(tokenizer: Any, text: str) -> tuple[Piece, ...]:
    if isinstance(tokenizer, WordTokenizer):
        ids = tokenizer([text]).ids[0].tolist()
        words = split_words(text)[: tokenizer.max_length]
        return tuple(Piece(word, unknown=number == UNKNOWN) for word, number in zip(words, ids, strict=False))
    inner = getattr(tokenizer, "words", None)
    if isinstance(inner, WordTokenizer) and not hasattr(tokenizer, "pieces"):  # words behind a [CLS] token
        return (Piece("[CLS]", special=True), *_split(inner, text))
    hub = getattr(tokenizer, "tokenizer", None)
    if hub is None or not hasattr(hub, "convert_ids_to_tokens"):
        return ()
    ids = tokenizer([text]).ids[0].tolist()
    return tuple(
        Piece(_shown(hub, token), number in hub.all_special_ids and number != hub.unk_token_id, _unknown(hub, number))
        for number, token in zip(ids, hub.convert_ids_to_tokens(ids), strict=True)
    )


def _unknown(hub: Any, number: int) -> bool:
    return bool(number == hub.unk_token_id)


def _shown(hub: Any, token: str) -> str:
    """Format a word piece as it is (``##ing``); the bytes of a byte-level piece as letters."""
    return hub.convert_tokens_to_string([token]).strip() or token
