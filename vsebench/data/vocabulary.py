"""Words and their numbers. Built from training texts only."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch

from vsebench.core.types import TokenIds

PAD, UNKNOWN = 0, 1
FIRST = 2
# Each such letter is a word. Ideographs and kana (with the long vowel mark, whose script is "common") are written
# without spaces between words; words of hangul carry particles.
_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー"


@cache
def _splitter() -> Any:
    """One of those letters, or other letters and digits with their combining marks and inner apostrophes.

    The library knows Unicode's scripts and marks, which ``re`` does not: without the marks, Hindi, Thai and vocalised
    Arabic words fall into pieces. On captions it is as fast as ``re`` with a table of marks.
    """
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    alone = rf"[\p{{L}}\p{{N}}&&[{_ALONE}]]"
    letters, tail = (rf"(?:[{kinds}&&[^{_ALONE}]]\p{{M}}*)+" for kinds in (r"\p{L}\p{N}", r"\p{L}"))
    return Split(Regex(rf"{alone}|{letters}(?:['’]{tail})*"), "removed", invert=True)


def split_words(text: str) -> list[str]:
    """Words of a text: lower-case, punctuation dropped, one ideograph a word. Composed and decomposed accents agree.

    Python lowers the letters: the library's ``Lowercase`` goes letter by letter and misses a final sigma (ΟΔΟΣ, οδος).

    Example:
        >>> split_words("John's T-shirt, size 42: 红裙")
        ["john's", 't', 'shirt', 'size', '42', '红', '裙']
    """
    text = unicodedata.normalize("NFC", text.lower())
    try:
        return [word for word, _ in _splitter().pre_tokenize_str(text)]
    except UnicodeEncodeError:  # half a surrogate pair, as damaged files have
        return split_words(text.encode("utf-8", "replace").decode())


@dataclass(frozen=True)
class Vocabulary:
    """Words in order of first appearance; 0 is padding, 1 an unknown word, the first word is 2.

    Args:
        words: each once.
        counts: how often each stands in the texts.
        document_counts: in how many texts it stands.
        num_documents: number of texts.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    document_counts: tuple[int, ...]
    num_documents: int

    @classmethod
    def build(cls, texts: Sequence[str]) -> Vocabulary:
        """Split texts into words.

        Example:
            >>> Vocabulary.build(["a red dress", "a dress, a hat"]).counts
            (3, 1, 2, 1)
        """
        counts: dict[str, int] = {}
        documents: dict[str, int] = {}
        for text in texts:
            words = split_words(text)
            for word in words:
                counts[word] = counts.get(word, 0) + 1
            for word in dict.fromkeys(words):
                documents[word] = documents.get(word, 0) + 1
        return cls(tuple(counts), tuple(counts.values()), tuple(documents[w] for w in counts), len(texts))

    def __len__(self) -> int:
        """Return the number of ids, padding and unknown included."""
        return len(self.words) + FIRST

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i + FIRST for i, word in enumerate(self.words)}

    @cached_property
    def digest(self) -> str:
        """Changes when the same text may get other ids."""
        return hashlib.sha256("\n".join(self.words).encode()).hexdigest()[:16]

    def restrict(self, min_count: int) -> Vocabulary:
        """Only the words that stand at least ``min_count`` times."""
        if min_count <= 1:
            return self
        return self._keep([i for i, count in enumerate(self.counts) if count >= min_count])

    def _keep(self, selected: list[int]) -> Vocabulary:
        pick = [tuple(column[i] for i in selected) for column in (self.words, self.counts, self.document_counts)]
        return Vocabulary(pick[0], pick[1], pick[2], self.num_documents)  # type: ignore[arg-type]

    def without(self, words: Collection[str]) -> Vocabulary:
        """All words but these, which become unknown.

        Example:
            >>> Vocabulary.build(["a red hat"]).without({"a"}).words
            ('red', 'hat')
        """
        return self._keep([i for i, word in enumerate(self.words) if word not in words])

    def encode(self, texts: Sequence[str], max_length: int) -> TokenIds:
        """Ids of texts, cut after ``max_length`` words, padded to the longest. An empty text has no real word.

        Shape: -> ids int64 (B, N), mask bool (B, N), N >= 1.
        """
        rows = [[self._ids.get(w, UNKNOWN) for w in split_words(text)[:max_length]] for text in texts]
        longest = max(1, max((len(r) for r in rows), default=1))
        ids = np.zeros((len(rows), longest), np.int64)
        mask = np.zeros((len(rows), longest), bool)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = True
        return TokenIds(torch.from_numpy(ids), torch.from_numpy(mask))

    def tokenizer(self, max_length: int) -> WordTokenizer:
        """Return a tokenizer of these words with a length limit, as text encoders expect it."""
        return WordTokenizer(self, max_length)

    def to_json(self) -> str:
        """As text."""
        return json.dumps(
            {
                "words": self.words,
                "counts": self.counts,
                "document_counts": self.document_counts,
                "num_documents": self.num_documents,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Back from text."""
        data = json.loads(text)
        words, counts, documents = (tuple(data[k]) for k in ("words", "counts", "document_counts"))
        return cls(words, counts, documents, data["num_documents"])


class WordTokenizer:
    """A vocabulary with a length limit, as text encoders want it."""

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        self.vocabulary, self.max_length = vocabulary, max_length
        self.digest = f"{vocabulary.digest}-{max_length}"

    def __call__(self, texts: Sequence[str]) -> TokenIds:
        """Ids and mask."""
        return self.vocabulary.encode(texts, self.max_length)

    def truncated(self, texts: Sequence[str]) -> int:
        """Return the number of texts that are longer than ``max_length`` words and thus cut.

        Example:
            >>> Vocabulary.build(["a red hat"]).tokenizer(2).truncated(["a red hat", "a hat", ""])
            1
        """
        return sum(len(split_words(text)) > self.max_length for text in texts)
