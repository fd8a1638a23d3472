"""Words and their numbers."""

from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsebench.data.vocabulary import Vocabulary, split_words

TEXTS = ["John likes to watch movies. Mary likes too.", "John also likes to watch football games."]
DICTIONARY = ("john", "likes", "to", "watch", "movies", "also", "football", "games", "mary", "too")


def test_the_counts_of_the_methods() -> None:
    """methods.md 1.1 prints these vectors."""
    words = Vocabulary.build(TEXTS)
    assert sorted(words.words) == sorted(DICTIONARY)
    rows = [[split_words(text).count(word) for word in DICTIONARY] for text in TEXTS]
    assert rows == [[1, 2, 1, 1, 1, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 1, 1, 1, 0, 0]]
    counts = dict(zip(words.words, zip(words.counts, words.document_counts, strict=True), strict=True))
    assert counts["likes"] == (3, 2)
    assert counts["mary"] == (1, 1)
    assert words.num_documents == 2


def test_ids_begin_at_two_in_order_of_appearance() -> None:
    vocabulary = Vocabulary.build(TEXTS)
    assert vocabulary.words[:4] == ("john", "likes", "to", "watch")
    assert len(vocabulary) == 12
    words = vocabulary.encode([*TEXTS, "", "unheard john"], 64)
    assert words.ids[0, :4].tolist() == [2, 3, 4, 5]
    assert words.ids[3].tolist() == [1, 2, 0, 0, 0, 0, 0, 0]
    assert words.mask.sum(1).tolist() == [8, 7, 0, 2]
    assert vocabulary.encode(TEXTS, 3).ids.shape == (2, 3)
    assert vocabulary.encode([""], 3).ids.tolist() == [[0]]


def test_restrict_json_and_digest() -> None:
    vocabulary = Vocabulary.build(TEXTS)
    assert vocabulary.restrict(1) is vocabulary
    assert vocabulary.restrict(2).words == ("john", "likes", "to", "watch")
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    assert Vocabulary.from_json(vocabulary.to_json()).digest == vocabulary.digest
    assert vocabulary.restrict(2).digest != vocabulary.digest
    assert Vocabulary.build(TEXTS[::-1]).digest != vocabulary.digest, "another order is other ids"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("红色连衣裙 size-10", ["红", "色", "连", "衣", "裙", "size", "10"]),
        ("Привет, мир!", ["привет", "мир"]),
        ("John's T-shirt, don’t; 'quoted'", ["john's", "t", "shirt", "don’t", "quoted"]),
        ("snake_case 3.5mm", ["snake", "case", "3", "5mm"]),
        ("हिन्दी में", ["हिन्दी", "में"]),  # the vowel signs are marks, not letters
        ("เสื้อผ้า สีแดง", ["เสื้อผ้า", "สีแดง"]),
        ("مَدْرَسَة", ["مَدْرَسَة"]),
        ("\u0301 …—!", []),
        ("الفستان الأحمر، ٤٢", ["الفستان", "الأحمر", "٤٢"]),
        ("빨간 드레스", ["빨", "간", "드", "레", "스"]),
        ("赤いセーター・M", ["赤", "い", "セ", "ー", "タ", "ー", "m"]),
        ("Nike耐克2024新款T恤", ["nike", "耐", "克", "2024", "新", "款", "t", "恤"]),
        ("𠀀々x", ["𠀀", "々", "x"]),
        ("👗 dress 👩‍👩‍👧🏽!", ["dress"]),
        ("ΟΔΟΣ İzmir STRASSE", ["οδος", "i̇zmir", "strasse"]),
        ("rock'n'roll 5'6 '90s", ["rock'n'roll", "5", "6", "90s"]),
        ("tab\tnew\nline\u00a0hard\u3000wide\u200bzero", ["tab", "new", "line", "hard", "wide", "zero"]),
        ("half\ud800pair", ["half", "pair"]),
        ("", []),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_composed_and_decomposed_accents_are_one_word() -> None:
    text = "Crème brûlée"
    assert split_words(unicodedata.normalize("NFD", text)) == split_words(text) == ["crème", "brûlée"]


@settings(deadline=None)  # the first text compiles the expression
@given(st.text())
def test_any_text_has_proper_words(text: str) -> None:
    words = split_words(text)
    assert all(words), "no empty word"
    assert not any(c.isspace() for word in words for c in word)
    assert [w for word in words for w in split_words(word)] == words, "a word's words are itself"
    for form in ("NFC", "NFD"):
        assert split_words(unicodedata.normalize(form, text)) == words


def test_truncated_texts_are_counted() -> None:
    vocabulary = Vocabulary.build(TEXTS)
    texts = [*TEXTS, "", "unheard words count, too"]  # 8, 7, 0 and 4 words
    for limit, cut in ((3, 3), (4, 2), (7, 1), (8, 0)):
        tokenizer = vocabulary.tokenizer(limit)
        assert tokenizer.truncated(texts) == cut
        assert tokenizer(texts).mask.sum(1).max() <= limit
    assert vocabulary.tokenizer(3).truncated([]) == 0


def test_tokenizers_travel_to_workers() -> None:
    tokenizer = Vocabulary.build(TEXTS).tokenizer(5)
    tokenizer(TEXTS)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.digest == tokenizer.digest
    assert again(TEXTS).ids.tolist() == tokenizer(TEXTS).ids.tolist()


def test_without_words() -> None:
    vocabulary = Vocabulary.build(TEXTS).without({"to", "too", "unheard"})
    assert vocabulary.words == ("john", "likes", "watch", "movies", "mary", "also", "football", "games")
    assert vocabulary.counts[:2] == (2, 3)
    assert vocabulary.encode(["to watch"], 8).ids.tolist() == [[1, 4]]
    assert vocabulary.num_documents == 2
