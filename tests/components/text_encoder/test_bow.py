"""Bag of words against scikit-learn, and against the text's own worked example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.types import TokenIds
from vsebench.data.vocabulary import Vocabulary

TEXTS = ["John likes to watch movies. Mary likes too.", "John also likes to watch football games."]


def vector(weighting: str, texts: list[str], train: list[str] = TEXTS) -> np.ndarray:
    encoder = TEXT_ENCODERS.build("bow", {"dim": None, "weighting": weighting}, vocabulary=Vocabulary.build(train))
    result: np.ndarray = encoder(encoder.tokenizer(texts)).values[:, 0, 2:].numpy()
    return result


def test_the_worked_example() -> None:
    order = ["john", "likes", "to", "watch", "movies", "also", "football", "games", "mary", "too"]
    words = Vocabulary.build(TEXTS).words
    counts = np.array([[1, 2, 1, 1, 1, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 1, 1, 1, 0, 0]])
    wanted = counts[:, [order.index(w) for w in words]]
    np.testing.assert_allclose(
        vector("count", TEXTS), wanted / np.linalg.norm(wanted, axis=1, keepdims=True), rtol=1e-6
    )


def test_term_frequency_is_absorbed_by_the_norm() -> None:
    np.testing.assert_allclose(vector("count", ["john john mary mary"]), vector("count", ["john mary"]), rtol=1e-6)


def test_tfidf_is_scikit_learns() -> None:
    message = TfidfVectorizer(token_pattern=r"\w+").fit(TEXTS)
    texts = [*TEXTS, "football and mary mary", "nothing known"]
    wanted = message.transform(texts).toarray()[:, [message.vocabulary_[w] for w in Vocabulary.build(TEXTS).words]]
    np.testing.assert_allclose(vector("tfidf", texts), wanted, atol=1e-6)


def test_an_empty_text_is_the_zero_vector() -> None:
    assert not vector("tfidf", [""]).any()
    encoder = TEXT_ENCODERS.build("bow", {"dim": 4}, vocabulary=Vocabulary.build(TEXTS))
    tokens = encoder(encoder.tokenizer(["", "john"]))
    assert tokens.mask.tolist() == [[False], [True]]
    assert torch.isfinite(tokens.values).all()


@pytest.mark.parametrize("dim", [None, 8])
def test_only_the_projection_has_parameters(dim: int | None) -> None:
    encoder = TEXT_ENCODERS.build("bow", {"dim": dim}, vocabulary=Vocabulary.build(TEXTS))
    assert encoder.frozen == (dim is None) == (not list(encoder.parameters()))
    words = TokenIds(torch.tensor([[2, 3]]), torch.ones(1, 2, dtype=torch.bool))
    assert encoder(words).values.shape == (1, 1, encoder.dim_out)


def test_the_vectors_of_the_methods() -> None:
    """methods.md 1.1 prints these counts; dividing them by their sum first changes nothing after the norm."""
    order = ["john", "likes", "to", "watch", "movies", "also", "football", "games", "mary", "too"]
    counts = torch.tensor([[1.0, 2, 1, 1, 1, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 1, 1, 1, 0, 0]])
    vocabulary = Vocabulary(tuple(order), (1,) * 10, (1,) * 10, 2)
    encoder = TEXT_ENCODERS.build("bow", {"dim": None, "weighting": "count"}, vocabulary=vocabulary)
    result = encoder(encoder.tokenizer(TEXTS)).values[:, 0, 2:]
    torch.testing.assert_close(result, counts / counts.norm(dim=1, keepdim=True))
    frequency = counts / counts.sum(1, keepdim=True)
    torch.testing.assert_close(result, frequency / frequency.norm(dim=1, keepdim=True))


def test_english_stop_words_do_not_count() -> None:
    def build(stop_words: str) -> Any:
        options = {"dim": None, "weighting": "count", "stop_words": stop_words}
        return TEXT_ENCODERS.build("bow", options, vocabulary=Vocabulary.build(TEXTS))

    encoder = build("english")
    selected = encoder.tokenizer.vocabulary.words
    assert selected == ("john", "likes", "watch", "movies", "mary", "football", "games"), "without to, too, also"
    assert encoder.dim_out == 9
    bag = encoder(encoder.tokenizer(["to watch too", "to also"])).values[:, 0]
    assert bag.nonzero().tolist() == [[0, 2 + selected.index("watch")]], "a text of stop words is the zero vector"
    assert build("none").dim_out == 12
    assert build("none").tokenizer.digest != encoder.tokenizer.digest
