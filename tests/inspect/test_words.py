"""Words are shown as the tokenizers split them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vsebench.components.text_encoder._hub_tokenizer import HubTokenizer
from vsebench.components.text_encoder.bert import Bert
from vsebench.components.text_encoder.bow import BagOfWords
from vsebench.data.vocabulary import Vocabulary
from vsebench.inspect.words import Piece, pieces_of

VOCABULARY = Vocabulary.build(["a red hat", "the hat"])


def test_words_of_the_vocabulary() -> None:
    result = pieces_of(VOCABULARY.tokenizer(3), "The <b>red</b> hat", 3)
    assert result == (Piece("the"), Piece("b", unknown=True), Piece("red"))


def test_words_behind_a_class_token() -> None:
    config = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    encoder = Bert(VOCABULARY, weights="none", config=config, finetune="all")
    assert pieces_of(encoder.tokenizer, "red hat", 3) == (Piece("[CLS]", special=True), Piece("red"), Piece("hat"))


def test_word_pieces(tmp_path: object) -> None:
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "walk", "##ing", "dog"]
    file = tmp_path / "vocab.txt"  # type: ignore[operator]
    file.write_text("\n".join(words))
    tokenizer = HubTokenizer(transformers.BertTokenizerFast(str(file)), 16)
    message = pieces_of(tokenizer, "Walking dog zzz", 6)
    assert [p.text for p in message] == ["[CLS]", "walk", "##ing", "dog", "[UNK]", "[SEP]"]
    assert [p.special for p in message] == [True, False, False, False, False, True]
    assert [p.unknown for p in message] == [False, False, False, False, True, False]


def test_one_token_of_a_whole_text() -> None:
    assert pieces_of(BagOfWords(VOCABULARY, dim=4).tokenizer, "a red hat", 1) == (Piece("the whole text"),)


def test_tokens_that_no_tokenizer_made_are_numbered() -> None:
    assert [p.text for p in pieces_of(None, "a red hat", 2)] == ["text 1", "text 2"]
    assert pieces_of(SimpleNamespace(), "", 0) == ()
