"""Word vector files: every layout, unknown words, damage, the cache, and FastText's subwords against a slow loop."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from vsebench.core.errors import DataError
from vsebench.core.home import vectors_home
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.data.vocabulary import Vocabulary
from vsebench.ops import _vector_files, word_vectors
from vsebench.ops.word_vectors import SCALE, load_vectors, random_vector


@pytest.mark.parametrize("header", ["", "3 4\n"])
@pytest.mark.parametrize("name", ["vectors.txt", "vectors.vec", "vectors.txt.gz", "vectors.vec.gz"])
def test_every_layout(tmp_path: Path, header: str, name: str) -> None:
    file = tmp_path / name
    content = (header + "red 1 2 3 4\nat the 0.5 0 0 1e-2 \r\nblüe -1 -2 -3 -4\n").encode()
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    for _ in range(2):  # read, then from the cache
        result = load_vectors(file, ["blüe", "unheard", "red", "at the"])
        assert result.values.dtype == np.float32
        assert result.values[0].tolist() == [-1, -2, -3, -4]
        assert result.values[2].tolist() == [1, 2, 3, 4]
        assert result.values[3] == pytest.approx([0.5, 0, 0, 0.01])
        assert result.has_vector.tolist() == [True, False, True, True]
        assert not result.subword.any()
        assert result.coverage == 0.75
        assert np.array_equal(result.values[1], random_vector("unheard", 4))


def test_unknown_words_do_not_depend_on_order(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("red 1 2\n")
    a, b = load_vectors(file, ["x", "y"]), load_vectors(file, ["y", "x"])
    assert np.array_equal(a.values[0], b.values[1])
    sample = np.concatenate([random_vector(f"w{i}", 50) for i in range(200)])
    assert abs(sample.mean()) < 0.01
    assert sample.std() == pytest.approx(SCALE, rel=0.05)


def test_repeated_words_and_no_words(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("red 1 2\nred 3 4\n2 5 6\n")
    assert load_vectors(file, ["red", "2", "red"]).values.tolist() == [[1, 2], [5, 6], [1, 2]], "the first line counts"
    empty = load_vectors(file, [])
    assert empty.values.shape == (0, 2)
    assert empty.coverage == 1.0


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "vectors.txt:1: no word vectors in the first line"),
        ("red\n", ":1: no word vectors"),
        ("red 1 2\nblue 3\n", ":2: expected a word and 2 numbers, got 1"),
        ("red 1 2\n\nblue 3 4\n", ":2: expected a word and 2 numbers, got 0"),
        ("red 1 2\nunasked 3 4 5\n", ":2: expected a word and 2 numbers, got more"),
        ("red 1 2\nblue x y\n", ":2: expected a word and 2 numbers"),
        ("red 1 2\nblue 1 nan\n", ":2: 'blue' has a number that is not finite"),
        ("red 1 2\nblue 1 -inf\n", ":2: 'blue' has a number that is not finite"),
        ("red 1 2\nblue 1 1e99\n", ":2: 'blue' has a number that is not finite"),
        ("3 2\nred 1 2\nblue 3 4\n", ":1: the header says 3 words, 2 follow"),
        ("1 2\nred 1 2\nblue 3 4\n", ":1: the header says 1 words, 2 follow"),
        ("2 3\nred 1 2\nblue 3 4\n", ":2: expected a word and 3 numbers, got 2"),
        ("0 2\n", ":1: the header says 0 words of 2 numbers; both must be > 0"),
        ("2 -2\nred 1 2\n", ":1: the header says 2 words of -2 numbers"),
    ],
)
def test_damage_is_one_message(tmp_path: Path, content: str, text: str) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text(content)
    with pytest.raises(DataError) as caught:
        load_vectors(file, ["blue"])
    assert text in str(caught.value)
    assert str(caught.value).startswith(str(file)), "it names the file"
    assert not list(vectors_home().glob("*.npy*.partial*"))


def test_files_that_are_not_there_or_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.txt", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            load_vectors(path, ["blue"])


@pytest.mark.parametrize("damage", ["cut", "flipped", "plain"])
def test_damaged_gz(tmp_path: Path, damage: str) -> None:
    content = gzip.compress("".join(f"w{i} {i} 2\n" for i in range(2000)).encode(), mtime=0)
    broken = {
        "cut": content[: len(content) // 2],
        "flipped": content[:100] + bytes(b ^ 0xFF for b in content[100:120]) + content[120:],
        "plain": b"red 1 2\n",
    }[damage]
    file = tmp_path / "vectors.txt.gz"
    file.write_bytes(broken)
    message = "ends before its end mark" if damage == "cut" else "compressed file is damaged"
    with pytest.raises(DataError, match=message):
        load_vectors(file, ["w1"])


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read, not taken from the cache."""
    read, seen = _vector_files.read_vectors, []

    def counted(path: Path, shown: str, words: list[str]) -> tuple[np.ndarray, np.ndarray]:
        seen.append(path.name)
        return read(path, shown, words)

    monkeypatch.setattr(word_vectors, "read_vectors", counted)
    return seen


def test_the_cache_knows_file_and_words(tmp_path: Path, reads: list[str]) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("red 1 2\nblue 3 4\n")
    first = load_vectors(file, ["red", "x"])
    again = load_vectors(str(file), ["red", "x"])
    assert len(reads) == 1
    assert np.array_equal(first.values, again.values)
    again.values[:] = 7  # copy on write
    assert load_vectors(file, ["red", "x"]).values[0].tolist() == [1, 2]
    assert load_vectors(file, ["x", "red"]).values[1].tolist() == [1, 2]
    assert len(reads) == 2, "other order, other entry"
    file.write_text("red 5 6\nblue 3 4\n")
    os.utime(file, ns=(1, 1))  # the same size: the time must do
    assert load_vectors(file, ["red", "x"]).values[0].tolist() == [5, 6]
    assert len(reads) == 3
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text("red 7 8\nblue 3 4\n")
    os.utime(file, ns=times)  # the same size and time
    assert load_vectors(file, ["red", "x"]).values[0].tolist() == [7, 8]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "short"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, reads: list[str], damage: str) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("red 1 2\nblue 3 4\n")
    load_vectors(file, ["red", "blue"])
    (cached,) = vectors_home().glob("*.npy")
    content = cached.read_bytes()
    middle = len(content) - 20
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    cached.write_bytes({"empty": b"", "cut": content[:-9], "flipped": flipped, "short": content[:5]}[damage])
    assert load_vectors(file, ["red", "blue"]).values.tolist() == [[1, 2], [3, 4]]
    assert load_vectors(file, ["red", "blue"]).values.tolist() == [[1, 2], [3, 4]]
    assert len(reads) == 2


def test_concurrent_readers_read_once(tmp_path: Path, reads: list[str]) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("".join(f"w{i} {i} 2\n" for i in range(5000)))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: load_vectors(file, ["w7", "w4999"]).values.tolist(), range(16)))
    assert results == [[[7, 2], [4999, 2]]] * 16
    assert len(reads) == 1


def fnv1a(ngram: bytes) -> int:
    """FNV-1a of 32 bits with bytes sign-extended before the exclusive or, as in fastText's dictionary.cc."""
    value = 2166136261
    for byte in ngram:
        value ^= byte if byte < 128 else (byte - 256) & 0xFFFFFFFF
        value = value * 16777619 & 0xFFFFFFFF
    return value


def ngrams(word: str) -> list[str]:
    wrapped = f"<{word}>"
    return [wrapped[i : i + n] for i in range(len(wrapped)) for n in range(3, 7) if i + n <= len(wrapped)]


BUCKETS = 500


@pytest.fixture(scope="module")
def fasttext(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray], np.ndarray]:
    """A small .bin, its words' own rows, and its n-grams' rows."""
    from gensim.models.fasttext import FastText, save_facebook_model

    texts = [["red", "dress", "dots"], ["blue", "shirt", "größe"], ["weiß", "größe", "dress"]] * 4
    model = FastText(
        texts, vector_size=6, min_count=1, bucket=BUCKETS, min_n=3, max_n=6, epochs=3, seed=1, workers=1, window=2
    )
    path = tmp_path_factory.mktemp("fasttext") / "tiny.bin"
    save_facebook_model(model, str(path))
    words = {word: model.wv.vectors_vocab[row].copy() for word, row in model.wv.key_to_index.items()}
    return path, words, model.wv.vectors_ngrams.copy()


def test_fasttext_subwords_against_a_slow_loop(
    fasttext: tuple[Path, dict[str, np.ndarray], np.ndarray], reads: list[str]
) -> None:
    path, current, buckets = fasttext
    words = ["dress", "dresses", "größe", "größer", "ü", "红裙", "blue"]
    for _ in range(2):
        result = load_vectors(path, words)
        assert result.has_vector.tolist() == [True, False, True, False, False, False, True]
        assert result.subword.tolist() == [False, True, False, True, True, True, False]
        assert result.coverage == 1.0
        for word, vector in zip(words, result.values, strict=True):
            rows = [current[word]] if word in current else []
            rows += [buckets[fnv1a(part.encode()) % BUCKETS] for part in ngrams(word)]
            np.testing.assert_allclose(vector, np.mean(rows, 0), rtol=1e-5, atol=1e-7)
    assert len(reads) == 1
    assert not np.allclose(result.values[1], result.values[0], atol=1e-6)


def test_a_fasttext_model_without_ngrams_has_no_subwords(tmp_path: Path) -> None:
    from gensim.models.fasttext import FastText, save_facebook_model

    model = FastText(
        [["red", "dress"]] * 4, vector_size=4, min_count=1, bucket=50, min_n=6, max_n=6, epochs=1, workers=1
    )
    path = tmp_path / "long.bin"
    save_facebook_model(model, str(path))
    result = load_vectors(path, ["red", "hat", "dresses"])
    assert (result.has_vector.tolist(), result.subword.tolist()) == ([True, False, False], [False, False, True])
    assert np.array_equal(result.values[1], random_vector("hat", 4)), "'<hat>' has no n-gram of 6 letters"
    assert result.coverage == pytest.approx(2 / 3)


def test_no_fasttext_model(fasttext: tuple[Path, dict[str, np.ndarray], np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "vectors.bin"
    path.write_bytes(b"\x01\x00\x00\x00 of fastText before 0.1, which has no magic number")
    with pytest.raises(DataError, match=r"vectors\.bin: is neither text, nor word2vec's binary, nor a FastText model"):
        load_vectors(path, ["red"])
    content = fasttext[0].read_bytes()
    for end in (20, 150, len(content) // 2):
        path.write_bytes(content[:end])
        with pytest.raises(DataError, match=r"vectors\.bin: the FastText model cannot be read"):
            load_vectors(path, ["red"])


def word2vec(vectors: Mapping[str, np.ndarray], *, end: bytes = b"", count: int | None = None) -> bytes:
    """word2vec's binary; ``end`` is a line end where the original program wrote it."""
    dim = len(next(iter(vectors.values())))
    rows = (word.encode() + b" " + vector.astype("<f4").tobytes() + end for word, vector in vectors.items())
    return f"{count or len(vectors)} {dim}\n".encode() + b"".join(rows)


def some_vectors(count: int, dim: int) -> dict[str, np.ndarray]:
    """Random ones; some begin with the bytes of spaces, line ends and digits."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((count, dim)).astype(np.float32)
    values.view(np.uint8)[::3, :4] = np.frombuffer(b" \n1 ", np.uint8)
    return {f"größe{i}" if i % 2 else f"w{i}": row for i, row in enumerate(values)}


@pytest.mark.parametrize("name", ["vectors.bin", "vectors.vec", "vectors.bin.gz", "vectors"])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_word2vec_binary(tmp_path: Path, name: str, end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from gensim.models import KeyedVectors

    monkeypatch.setattr(_vector_files, "_CHUNK", 8_192)  # files of millions of words are read in pieces
    vectors = some_vectors(500, 30)
    content = word2vec(vectors, end=end)
    file, plain = tmp_path / name, tmp_path / "plain"
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    plain.write_bytes(content)
    words = ["w400", "absent", "größe499", "w0"]
    result = load_vectors(file, words)
    truth = KeyedVectors.load_word2vec_format(str(plain), binary=True)
    assert result.has_vector.tolist() == [True, False, True, True]
    assert not result.subword.any()
    assert np.array_equal(result.values[1], random_vector("absent", 30))
    for row in (0, 2, 3):
        assert np.array_equal(result.values[row], truth[words[row]])
        assert np.array_equal(result.values[row], vectors[words[row]])


def test_word2vec_as_gensim_writes_it(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    vectors = some_vectors(20, 3)
    model = KeyedVectors(vector_size=3)
    model.add_vectors(list(vectors), np.stack(list(vectors.values())))
    for binary in (True, False):
        model.save_word2vec_format(str(tmp_path / f"{binary}.bin"), binary=binary)
        result = load_vectors(tmp_path / f"{binary}.bin", ["w18", "größe1"])
        np.testing.assert_array_equal(result.values, np.stack([vectors["w18"], vectors["größe1"]]))


def test_the_first_vector_of_a_word_counts(tmp_path: Path) -> None:
    row = np.zeros(2, "<f4")
    file = tmp_path / "twice.bin"
    file.write_bytes(b"2 2\nred " + row.tobytes() + b"red " + (row + 1).tobytes())
    assert load_vectors(file, ["red"]).values.tolist() == [[0.0, 0.0]]


def test_damaged_word2vec_is_one_message(tmp_path: Path) -> None:
    content = word2vec(some_vectors(50, 6))
    header = content.index(b"\n") + 1
    cases = {
        "cut in numbers": (content[:-7], "the header says 50 words, 49 follow; is the file cut?"),
        "cut between words": (content[: content.rindex(b"gr")], "the header says 50 words, 49 follow"),
        "goes on": (content + b"red " + bytes(24), "50 words of 6 numbers; the file goes on after them"),
        "other size": (content.replace(b"50 6", b"50 7", 1), "the header says 50 words"),
        "no space": (content[:header] + b"\0" * 10_000, "word 1 has no end; the file is damaged before it"),
        "not finite": (word2vec({"red": np.array([1, np.inf])}), "'red' has a number that is not finite"),
        "huge": (b"3 99999999999\nred \0\0\0\0", "the header says 99999999999 numbers a word; at most 65536"),
        "digits": (b"9" * 5000 + b" 3\nred \0\0\0\0", "expected a word and 1 numbers"),
        "no line": (b"\0" * 5_000, "is neither text, nor word2vec's binary, nor a FastText model"),
    }
    file = tmp_path / "vectors.bin"
    for content, message in cases.values():
        file.write_bytes(content)
        with pytest.raises(DataError) as caught:
            load_vectors(file, ["red"])
        assert message in str(caught.value)
        assert str(caught.value).startswith(str(file))


def test_every_cut_of_a_word2vec_file_is_seen(tmp_path: Path) -> None:
    content = word2vec(some_vectors(4, 3), end=b"\n")
    file = tmp_path / "cut.bin"
    for end in range(len(content) - 1):  # the last byte is a line end
        file.write_bytes(content[:end])
        with pytest.raises(DataError):
            load_vectors(file, ["w0"])


def test_gensim_is_named_when_missing(
    fasttext: tuple[Path, dict[str, np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models.fasttext", None)
    with pytest.raises(DataError, match=r"pip install 'vsebench\[fasttext\]'"):
        load_vectors(fasttext[0], ["red"])


def test_an_encoder_reports_its_vectors(fasttext: tuple[Path, dict[str, np.ndarray], np.ndarray]) -> None:
    vocabulary = Vocabulary.build(["red dresses", "blue"])
    build = TEXT_ENCODERS.build
    encoder = build("word_vectors", {"vectors": str(fasttext[0]), "freeze_vectors": True}, vocabulary=vocabulary)
    assert encoder.notes() == ["word vectors: 100.0 % of 3 training words (2 listed, 1 from subwords, 0 random)"]
    wanted = load_vectors(fasttext[0], vocabulary.words).values
    assert torch.equal(encoder.embedding.weight[2:], torch.tensor(wanted))
    assert build("word_vectors", {}, vocabulary=vocabulary).notes() == []


def test_the_real_excerpts(shared: Path) -> None:
    folder = shared / "data" / "glove"
    small = load_vectors(folder / "glove.6B.50d.5k.txt", ["the", "king", "shirt"])
    assert small.values.shape == (3, 50)
    assert small.has_vector.tolist() == [True, True, False]
    twitter = load_vectors(
        folder / "glove.twitter.27B.25d.12k.txt", ["shirt", "jacket", "red", "blue", "green", "king"]
    )
    unit = twitter.values / np.linalg.norm(twitter.values, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[5], "shirt is nearer to jacket than to king"


def test_a_file_without_any_word_of_the_split(tmp_path: Path) -> None:
    from vsebench.core.errors import ConfigError

    file = tmp_path / "other.txt"
    file.write_text("шляпа 1 2\nплатье 3 4\n")
    with pytest.raises(ConfigError, match="have none of the training split's 3 words, such as 'a'"):
        TEXT_ENCODERS.build("lstm", {"vectors": str(file)}, vocabulary=Vocabulary.build(["a red hat"]))
