"""Retrieval systems whole: recipes train, rank by embeddings, by pairs or by both, and say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import bert_folder

import vsebench.engine.pair_scoring
from vsebench.components.metric.base import Predictions
from vsebench.config.experiment import load_experiment
from vsebench.config.resolve import resolve, system_block
from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.core.types import Tokens
from vsebench.data.dataset import Dataset
from vsebench.data.open import open_dataset
from vsebench.engine.evaluate import predict, predictions_of
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.pair_scoring import first_of, said_of
from vsebench.ops.ranking import reranked_rows, similarity_rows
from vsebench.pipeline import sweep_to_board
from vsebench.runs.store import Store
from vsebench.sweeps.prepare import vocabulary_of
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]
CPU = torch.device("cpu")
CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 64}
SMALL: dict[str, dict[str, Any]] = {
    "contrastive": {"text_encoder": {"name": "bert", "model": bert_folder()}},
    "vsepp": {"text_encoder": {"name": "gru", "dim_hidden": 8, "dim_word": 8}},
    "vse_inf": {"text_encoder": {"name": "bert", "model": bert_folder(), "finetune": "all"}},
    "scan_t2i": {"text_encoder": {"name": "bigru", "dim_hidden": 16, "dim_word": 8}},
    "scan_i2t": {"text_encoder": {"name": "bigru", "dim_hidden": 16, "dim_word": 8}},
    "dan_m": {"text_encoder": {"name": "bilstm", "dim_hidden": 8, "dim_word": 8, "merge": "sum"}},
    "sacmr": {"text_encoder": {"name": "bert", "model": bert_folder()}, "attention": {"heads": 2}},
}
BOTH = {
    "dim": 16,
    "image_encoder": CNN,
    "text_encoder": {"name": "bigru", "dim_hidden": 16, "dim_word": 8},
    "fusion": "none",
    "head": "none",
    "scorer": "scan",
    "rerank_top": 3,
    "objective": [{"name": "info_nce", "on": "embeddings"}, {"name": "triplet"}],
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def built(tiny_file: Path, block: dict[str, Any]) -> tuple[Model, Dataset]:
    torch.manual_seed(0)
    dataset, system = Dataset.open(tiny_file), resolve(block)
    return Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset)).eval(), dataset


def predicted(model: Model, dataset: Dataset, split: str = "val") -> Predictions:
    loader = Loader(dataset, split, model.system, model.encoders, cache=False)
    return predictions_of(predict(model, loader, device=CPU), loader, model, device=CPU)


def side(tokens: Tokens, row: int) -> Tokens:
    real = tokens.mask[row].nonzero().squeeze(1)
    return Tokens(tokens.values[row : row + 1, real], tokens.mask[row : row + 1, real])


def test_recipes_train_rank_and_say_how(write_experiment: Write, tiny_file: Path, tmp_path: Path) -> None:
    train = {"epochs": 1, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 1e-3}}
    rows = {name: {"system": name, "dim": 16, "image_encoder": CNN, **current} for name, current in SMALL.items()}
    file = write_experiment(
        {
            "experiment": "retrieval",
            "dataset": str(tiny_file),
            "metrics": ["accuracy", "recall@{1,5,10}", "median_rank", "rsum"],
            "select": {"metric": "val/rsum"},
            "seeds": [0],
            "train": train,
            "systems": {**rows, "both": {**BOTH, "train": train}},
        }
    )
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=tmp_path / "runs", dataset_path=dataset.path, device="cpu")
    outcome = sweep_to_board(
        experiment, dataset, settings=message, workers=0, board_folder=tmp_path / "board", command="x"
    )
    assert [r.error for r in outcome.failed] == []
    results = {r.system: r for r in Store(tmp_path / "runs", "retrieval").results()}
    assert set(results) == {*SMALL, "both"}
    for name, result in results.items():
        assert {"val/rsum", "test/i2t/recall@10", "test/t2i/median_rank"} <= set(result.metrics), name
        assert "test/accuracy" not in result.metrics
        assert result.ranking["ms_per_query"] > 0
    assert results["dan_m"].ranking["by"] == "embeddings (dot)"
    assert results["scan_i2t"].ranking["by"] == "pairs (scan)"
    assert results["both"].ranking["by"] == "embeddings (cosine), first 3 by scan"
    page = (tmp_path / "board" / "retrieval.md").read_text()
    assert "| Ranked by" in page
    assert "ms/query" in page
    history = (tmp_path / "runs" / "retrieval" / results["both"].run_id / "history.jsonl").read_text()
    assert {"train/info_nce", "train/triplet/pairs"} <= set(json.loads(history.splitlines()[0]))


def test_pairs_are_scored_as_if_alone(tiny_file: Path) -> None:
    model, dataset = built(tiny_file, {**BOTH, "rerank_top": None, "objective": "triplet"})
    assert not model.projection, "nothing but the scorer is built"
    loader = Loader(dataset, "val", model.system, model.encoders, cache=False)
    outputs = predict(model, loader, device=CPU)
    result = predictions_of(outputs, loader, model, device=CPU)
    assert result.pairs is not None
    assert result.pairs.shape == (len(loader), len(outputs.owner))
    assert not result.embeddings
    scorer: Any = model.scorer
    for row in range(len(loader)):
        for column in (0, 5, len(loader), len(outputs.owner) - 1):
            alone = scorer.score(side(outputs.pair_inputs["image"], row), side(outputs.pair_inputs["text"], column))
            assert result.pairs[row, column] == pytest.approx(float(alone), abs=1e-5)
    # The text's side is that of its own caption: the second captions come after all the first ones.
    second = loader.batch(np.array([2]), np.array([1]))
    one = model(second).pair_inputs["text"]
    column = next(c for c in range(len(loader), len(outputs.owner)) if outputs.owner[c] == 2)
    torch.testing.assert_close(side(outputs.pair_inputs["text"], column).values, one.values[:, one.mask[0]])


def test_large_matrices_lie_in_a_file(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, dataset = built(tiny_file, {**BOTH, "rerank_top": None, "objective": "triplet"})
    small = predicted(model, dataset)
    monkeypatch.setattr(vsebench.engine.pair_scoring, "MEMORY", 16)
    large = predicted(model, dataset)
    assert isinstance(large.pairs, np.memmap)
    np.testing.assert_array_equal(large.pairs, small.pairs)
    names = parse_metrics(["recall@{1,5}", "mean_rank"])
    assert compute(large, names) == compute(small, names)


def test_the_first_few_are_ranked_again(tiny_file: Path) -> None:
    model, dataset = built(tiny_file, BOTH)
    result = predicted(model, dataset)
    whole, _ = built(tiny_file, {**BOTH, "rerank_top": None})
    whole.load_state_dict(model.state_dict(), strict=False)
    pairs = predicted(whole, dataset).pairs
    assert pairs is not None
    image, text = result.embeddings["image"], result.embeddings["text"]
    everything = slice(0, len(text))
    for direction, first, again in (
        ("i2t", similarity_rows(image, text)(everything), pairs),
        ("t2i", similarity_rows(text, image)(everything), pairs.T),
    ):
        candidates, scores = result.candidates[direction]
        assert candidates.shape == scores.shape == (len(first), 3)
        np.testing.assert_allclose(scores, np.take_along_axis(again, candidates, 1), atol=1e-5)
        selected = np.take_along_axis(first, candidates, 1)
        np.testing.assert_allclose(selected, -np.sort(-first, axis=1)[:, :3], atol=1e-6)
    assert said_of(model) == "embeddings (cosine), first 3 by scan"


def test_candidates_stand_above_all_else_in_their_new_order() -> None:
    rng = np.random.default_rng(0)
    first, again = rng.normal(size=(6, 9)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32) * 1e-3 - 7
    candidates = np.argsort(-first, axis=1)[:, :3]
    result = reranked_rows(lambda part: first[part], candidates, again)(slice(1, 5))
    assert result.shape == (4, 9)
    for row, query in zip(result, range(1, 5), strict=True):
        head = [int(candidates[query, i]) for i in np.argsort(-again[query])]
        rest = [i for i in np.argsort(-first[query]).tolist() if i not in head]
        assert np.argsort(-row).tolist() == head + rest


def test_inner_products_are_ranked_as_they_are() -> None:
    rng = np.random.default_rng(0)
    image, text = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=(7, 4)).astype(np.float32)
    image[3] *= 100
    current = np.arange(7)
    parts: dict[str, Any] = {"embeddings": {"image": image, "text": text}, "owner": current, "groups": current}
    dot = Predictions(None, current, **parts, similarity="dot").ranks["t2i"].first()
    scores = text @ image.T
    assert dot.tolist() == [1 + int((scores[i] > scores[i, i]).sum()) for i in range(7)]
    assert dot.tolist() != Predictions(None, current, **parts).ranks["t2i"].first().tolist()


def test_the_first_of_equal_scores_are_those_of_the_gallery() -> None:
    query, gallery = np.ones((2, 3), np.float32), np.ones((5, 3), np.float32)
    assert first_of(similarity_rows(query, gallery), 2, 3).tolist() == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"attention": "intra"}, "lets an image see its own caption"),
        ({"text_encoder": "none", "rerank_top": None}, "needs image and text, but text_encoder is none"),
        ({"objective": {"name": "cosine_embedding"}}, "no objective trains the scorer"),
        ({"objective": "triplet"}, "no objective trains them"),
        ({"objective": "cross_entropy"}, "needs a head, but head is none"),
        ({"scorer": "none"}, "rerank_top needs a scorer"),
        ({"scorer": "none", "rerank_top": None, "objective": {"name": "triplet", "on": "scores"}}, "has no scorer"),
        ({"objective": {"name": "supcon", "on": "scores"}}, "does not contrast scores"),
        ({"objective": {"name": "triplet", "on": "pairs"}}, "must be one of vectors, embeddings, scores"),
        ({"objective": {"name": "cross_entropy", "on": "vectors"}}, "'cross_entropy' does not contrast image and text"),
        ({"fusion": "concat"}, "nothing reads a fused vector"),
        ({"reranker": "category_query"}, "a reranker of classes needs a head"),
    ],
)
def test_what_does_not_go_together(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        resolve({**BOTH, **change})


@pytest.mark.parametrize("name", sorted(SMALL))
def test_settings_are_those_of_the_papers(name: str) -> None:
    system = resolve(system_block({"system": name}, {}))
    assert system.head is None
    assert system.fusion is None
    if name.startswith("scan"):
        assert system.scores_alone
        assert system.train.optimizer.options["lr"] == pytest.approx(2e-4)
    if name == "dan_m":
        assert (system.similarity, system.projection) == ("dot", None)
