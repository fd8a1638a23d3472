"""What is stored gives every number again: to the last bit, of every way to rank; and never another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import code_predictions
import numpy as np
import pytest

from vsebench.components.metric._curves import curves_of
from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import DataError
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.engine.evaluate import save_predictions
from vsebench.results.ensembles.scores import combined
from vsebench.runs import predictions as stored
from vsebench.runs.predictions import NotStored, load_predictions, save_vectors

COMPACT = ["accuracy", "nll", "ece", "recall@{1,5}", "median_rank", "mean_rank", "rsum"]
LISTS = ["map", "map@r", "map@5:min", "ndcg@10", "cross_precision@5", "set_recall@{1,5}"]
CODES = ["hamming_map", "hamming_map:stable", "hamming_lookup@{0,2}"]
COUNT, CLASSES, DIM = 24, 3, 6


def predictions(seed: int = 0, **parts: Any) -> Predictions:
    """Images with one or two captions each, some of the same group; scores with ties."""
    rng = np.random.default_rng(seed)
    owner = np.concatenate([np.arange(COUNT), np.arange(0, COUNT, 2)])
    vectors = {
        "image": rng.normal(size=(COUNT, DIM)).astype(np.float32),
        "text": rng.normal(size=(len(owner), DIM)).astype(np.float32),
    }
    vectors["image"][3] = vectors["image"][5]
    plain: dict[str, Any] = {
        "logits": rng.normal(size=(COUNT, CLASSES)).astype(np.float32),
        "labels": rng.integers(0, CLASSES, COUNT),
        "embeddings": vectors,
        "owner": owner,
        "groups": np.arange(COUNT) // 2,
    }
    return Predictions(**{**plain, **parts})


def stored_ranks(
    folder: Path, given: Predictions, entries: list[str]
) -> tuple[stored.StoredPredictions, dict[str, float]]:
    """Stored and read again, and the numbers of what was stored."""
    parsed = parse_metrics(entries)
    metrics = compute(given, parsed)
    file = folder / "predictions-test.npz"
    loader: Any = SimpleNamespace(positions=np.arange(len(given.labels)) + 100)
    save_predictions(file, given, loader)
    save_vectors(folder / "vectors-test.npz", given, parsed, metrics)
    return load_predictions(folder, "test"), metrics


def by_pairs() -> Predictions:
    rng = np.random.default_rng(3)
    base = predictions()
    return replace(base, embeddings={}, pairs=rng.normal(size=(COUNT, len(base.owner))).astype(np.float32))


def again() -> Predictions:
    rng = np.random.default_rng(4)
    base = predictions()
    few = {
        d: (np.stack([rng.permutation(size)[:4] for _ in range(queries)]), rng.normal(size=(queries, 4)))
        for d, queries, size in (("i2t", COUNT, len(base.owner)), ("t2i", len(base.owner), COUNT))
    }
    return replace(base, candidates=few)


def elsewhere() -> Predictions:
    other = predictions(1)
    gallery = Gallery(other.labels, other.embeddings, other.owner, other.groups, positions=np.arange(COUNT))
    return replace(predictions(), gallery=gallery)


def elsewhere_by_pairs() -> Predictions:
    rng = np.random.default_rng(5)
    base, other = predictions(), predictions(1)
    scores = {"i2t": (COUNT, len(other.owner)), "t2i": (len(base.owner), COUNT)}
    pairs = {d: rng.normal(size=shape).astype(np.float32) for d, shape in scores.items()}
    gallery = Gallery(other.labels, other.embeddings, other.owner, other.groups, pairs, np.arange(COUNT))
    return replace(base, gallery=gallery)


def several_labels() -> Predictions:
    rng = np.random.default_rng(6)
    labels = (rng.random((COUNT, CLASSES)) < 0.5).astype(np.int64)
    return replace(predictions(), labels=labels, multi_label=True, unranked="items match by any shared label here.")


def together() -> Predictions:
    return combined([predictions(), replace(predictions(9), groups=predictions().groups)], (0.3, 0.7), "zscore")


@pytest.mark.parametrize(
    ("make", "entries"),
    [
        (predictions, [*COMPACT, *LISTS, "precision@{3,5}"]),
        (by_pairs, [*COMPACT, *LISTS]),
        (again, [*COMPACT, *LISTS, "precision@3"]),
        (elsewhere, [*COMPACT, *LISTS, "precision@3"]),
        (elsewhere_by_pairs, [*COMPACT, *LISTS]),
        (several_labels, ["average_precision", *LISTS, "precision@3"]),
        (together, ["recall@{1,5}", "rsum", *LISTS]),
    ],
)
def test_every_number_comes_again(tmp_path: Path, make: Any, entries: list[str]) -> None:
    read, result = stored_ranks(tmp_path, make(), entries)
    assert {k.split("/")[-1] for k in result} >= {"map", "ndcg@10"}
    assert compute(read, parse_metrics(entries)) == result
    assert read.positions[0] == 100


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("ranked_gallery", [False, True])
def test_codes_are_kept_as_bits(tmp_path: Path, several: bool, ranked_gallery: bool) -> None:
    rng = np.random.default_rng(0)
    labels = code_predictions.labels(rng, 20, 3) if several else rng.integers(0, 3, 20)
    other = (code_predictions.labels(rng, 31, 3) if several else rng.integers(0, 3, 31)) if ranked_gallery else None
    parts = {"image": code_predictions.codes(rng, 20, 13), "text": code_predictions.codes(rng, 20, 13)}
    if ranked_gallery:
        parts |= {f"gallery_{m}": code_predictions.codes(rng, 31, 13) for m in ("image", "text")}
    given = code_predictions.predictions(labels, other, **parts)
    if given.gallery is not None:
        given = replace(given, gallery=replace(given.gallery, positions=np.arange(31)))
    read, result = stored_ranks(tmp_path, given, [*CODES, "map"])
    assert compute(read, parse_metrics([*CODES, "map"])) == result
    assert read.exact
    assert curves_of(read) == curves_of(given)
    with np.load(tmp_path / "vectors-test.npz") as arrays:
        assert arrays["embeddings/image/bits"].shape == (20, 2)


def test_neighbours_after_re_ranking_are_kept(tmp_path: Path) -> None:
    given = replace(predictions(), rerank=lambda rows, scores: -scores)
    read, result = stored_ranks(tmp_path, given, ["precision@{2,5}"])
    assert result["i2i/precision@5"] != result["i2i/reranked/precision@5"]
    assert compute(read, parse_metrics(["precision@{2,5}"])) == result
    with pytest.raises(NotStored, match="no neighbours after re-ranking for k = 4"):
        compute(read, parse_metrics(["precision@4"]))


def test_folds_rank_by_themselves(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = {m: rng.normal(size=(2000, 4)).astype(np.float32) for m in ("image", "text")}
    current = np.arange(2000)
    given = Predictions(None, current, embeddings=vectors, owner=current, groups=current)
    entries = ["recall_1k@5", "recall@5"]
    read, result = stored_ranks(tmp_path, given, entries)
    assert compute(read, parse_metrics(entries)) == result
    assert result["i2t/recall_1k@5"] != result["i2t/recall@5"]


def test_ranks_and_logits_need_no_vectors(tmp_path: Path) -> None:
    read, result = stored_ranks(tmp_path, predictions(), COMPACT)
    assert not (tmp_path / "vectors-test.npz").exists()
    assert compute(read, parse_metrics(COMPACT)) == result
    for entry in LISTS:
        with pytest.raises(NotStored, match="stored ranks and logits alone"):
            compute(read, parse_metrics([entry]))
    assert compute(read, parse_metrics(["precision@3"])) == {}


def test_the_compact_part_alone(tmp_path: Path) -> None:
    read, result = stored_ranks(tmp_path, elsewhere(), [*COMPACT, *LISTS])
    numbers = compute(read.compact, parse_metrics(COMPACT))
    assert numbers == {k: result[k] for k in numbers}
    with pytest.raises(NotStored):
        compute(read.compact, parse_metrics(["map"]))


def test_a_file_of_before_does_not_stay(tmp_path: Path) -> None:
    stored_ranks(tmp_path, predictions(), LISTS)
    assert (tmp_path / "vectors-test.npz").exists()
    stored_ranks(tmp_path, predictions(), COMPACT)
    assert not (tmp_path / "vectors-test.npz").exists()


def test_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "LIMIT", 100)
    read, _ = stored_ranks(tmp_path, predictions(), LISTS)
    with pytest.raises(NotStored, match="its vectors take"):
        compute(read, parse_metrics(["map"]))


@pytest.mark.parametrize("name", ["predictions-test.npz", "vectors-test.npz"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    stored_ranks(tmp_path, predictions(), LISTS)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=f"{name}: not a whole file of predictions"):
        load_predictions(tmp_path, "test")


def test_missing_predictions_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no predictions of a split 'val'"):
        load_predictions(tmp_path, "val")


def _write(folder: Path, **more: np.ndarray) -> None:
    groups, owner = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 3, 3, 1, 3])
    parts = {"positions": np.arange(4), "labels": np.zeros(4, int), "groups": groups, "owner": owner}
    for direction, count in (("i2t", 4), ("t2i", 7)):
        parts |= {f"{direction}/{part}": np.ones(count, int) for part in ("above", "tied", "tied_relevant", "relevant")}
    np.savez(folder / "predictions-test.npz", **(parts | more))


def test_captions_are_numbered_in_the_order_of_rounds(tmp_path: Path) -> None:
    _write(tmp_path)
    stored = load_predictions(tmp_path, "test")
    assert stored.caption_numbers().tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert stored.stored_ranks["i2t"].first().tolist() == [2.0] * 4
    assert stored.stored_ranks["t2i"].gallery == 4
    assert stored.logits is None


def test_queries_without_anything_to_find_have_no_rank(tmp_path: Path) -> None:
    owner = np.array([0, 2, 3])  # item 1 has no caption, though item 2 is of its group; item 0 keeps its own
    three = np.ones(3, int)
    names = ("above", "tied", "tied_relevant", "relevant")
    parts = {f"{direction}/{name}": three for direction in ("i2t", "t2i") for name in names}
    _write(tmp_path, groups=np.array([0, 1, 2, 2]), owner=owner, **parts)
    assert load_predictions(tmp_path, "test").queries("i2t").tolist() == [0, 2, 3]
    _write(tmp_path, groups=np.array([0, 1, 2, 2]), owner=owner)
    with pytest.raises(DataError, match="4 ranks of 3 queries"):
        load_predictions(tmp_path, "test")


def test_a_split_that_was_not_evaluated_and_a_damaged_file(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(DataError, match="no predictions of a split 'tset'. Did you mean 'test'.*Splits with .*: test"):
        load_predictions(tmp_path, "tset")
    file = tmp_path / "predictions-test.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match="not a whole file of predictions"):
        load_predictions(tmp_path, "test")
