"""Queries against a named set of the dataset: which items it has, what is computed from them, what is refused."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from vsebench.components.encoder.base import Encoders
from vsebench.components.fitter.base import FitData, Fitter, signs
from vsebench.components.metric.base import Predictions
from vsebench.config.experiment import load_experiment
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.registry import FITTERS
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.open import open_dataset
from vsebench.data.writer import DatasetWriter
from vsebench.engine.evaluate import predict, predictions_of, reranker_of
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.retrieval_gallery import GalleryLoaders, gallery_positions
from vsebench.inspect.examples import make_examples
from vsebench.ops.ranking import neighbour_precision
from vsebench.pipeline import Outcome, sweep_to_board
from vsebench.results.ensembles.make import check_comparable
from vsebench.runs.load import load_run
from vsebench.runs.store import Store
from vsebench.sweeps.plan import make_plan
from vsebench.sweeps.prepare import vocabulary_of
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]
CPU = torch.device("cpu")
FEATURES = {"image_encoder": "features", "text_encoder": "features"}
SPLITS = ["test"] * 12 + ["val"] * 8 + ["train"] * 24 + ["rest"] * 16
WORDS = ("red", "green", "blue")
CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
GRU = {"name": "bigru", "dim_hidden": 16, "dim_word": 8}


class Planes(Fitter):
    """Signs of random projections."""

    def __init__(self, dims: dict[str, int]) -> None:
        super().__init__()
        self.dim_out = 6

    def fit(self, data: FitData) -> None:
        for modality, size in data.dims.items():
            self.learn(f"planes_{modality}", torch.randn(size, 6, generator=torch.Generator().manual_seed(data.seed)))

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return signs(vectors @ self.learned(f"planes_{modality}"))


@pytest.fixture(autouse=True)
def _planes() -> Iterator[None]:
    torch.set_num_threads(1)
    FITTERS.register("planes", source="here", codes=True)(Planes)
    yield
    FITTERS.forget("planes")


def written(file: Path, *, multi_label: bool, splits: list[str] = SPLITS, relevance: Any = "label") -> Path:
    """Items of all splits in a random order. The database is all but test; ``odd`` has every other item of it."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(splits))
    with DatasetWriter(
        file, name="sets", title="Sets", label_names=WORDS, multi_label=multi_label, relevance=relevance
    ) as writer:
        for number, place in enumerate(order.tolist()):
            label = number % 3
            pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, label] += 150
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            texts = tuple(f"{WORDS[label]} number {number} {i}" for i in range(1 + number % 2))
            labels: Any = WORDS[label]
            if multi_label:
                labels = tuple({WORDS[label], WORDS[int(rng.integers(3))]})
            features = {"image": rng.normal(size=(1, 5)) + label, "text": rng.normal(size=(1, 4)) + label}
            split = splits[place]
            sets = () if split == "test" else ("database", "odd") if place % 2 else ("database",)
            selected = {m: v.astype(np.float32) for m, v in features.items()}
            writer.add(Item(f"i{number}", buffer.getvalue(), texts, labels, split=split, features=selected, sets=sets))
    return file


def do(file: Path, folder: Path) -> Outcome:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu")
    return sweep_to_board(experiment, dataset, settings=message, workers=0, board_folder=folder / "board", command="x")


def experiment(dataset: Path, **parts: Any) -> dict[str, Any]:
    return {
        "experiment": "hashing",
        "dataset": str(dataset),
        "gallery": "database",
        "metrics": ["hamming_map", "hamming_map:stable", "hamming_lookup@{0,2}", "map", "map@5:min"],
        "select": {"metric": "val/i2t/hamming_map"},
        "systems": {"Planes": {**FEATURES, "fitter": "planes"}},
        **parts,
    }


def average_precision(apart: np.ndarray, good: np.ndarray) -> float:
    """Of one list by its definition, ties in the gallery's order."""
    order = np.argsort(apart, kind="stable")
    places = np.flatnonzero(good[order]) + 1
    return float(np.mean(np.arange(1, len(places) + 1) / places))


def test_from_file_to_board(write_experiment: Write, tmp_path: Path) -> None:
    dataset = Dataset.open(written(tmp_path / "sets.h5", multi_label=True))
    outcome = do(write_experiment(experiment(dataset.path)), tmp_path)
    assert [r.error for r in outcome.failed] == []
    (result,) = Store(tmp_path / "runs", "hashing").results()
    folder = Store(tmp_path / "runs", "hashing").run_folder(result.run_id)
    database = {split: dataset.splits[split] for split in ("train", "val", "rest")}
    selected: dict[str, np.ndarray] = {}
    for split in ("val", "test"):
        with np.load(folder / f"predictions-{split}.npz") as stored:
            selected[split] = stored["gallery/positions"]
            np.testing.assert_array_equal(stored["positions"], dataset.splits[split])
    assert set(selected["test"]) == {int(p) for rows in database.values() for p in rows}
    assert set(selected["val"]) == set(selected["test"]) - set(dataset.splits["val"].tolist()), "nobody finds itself"
    model = load_run(folder).model
    every = {s: Loader(dataset, s, model.system, model.encoders) for s in dataset.splits}
    codes = {s: predict(model, loader, device=CPU).embeddings for s, loader in every.items()}
    for split, others in (("val", ("train", "rest")), ("test", ("train", "val", "rest"))):
        query, ranked_gallery = codes[split]["image"], np.concatenate([codes[s]["text"] for s in others])
        marks = np.concatenate([dataset.labels[dataset.splits[s]] for s in others])
        apart = (6 - query @ ranked_gallery.T) / 2
        good = dataset.labels[dataset.splits[split]].astype(int) @ marks.T.astype(int) > 0
        stable = np.mean([average_precision(a, g) for a, g in zip(apart, good, strict=True)])
        assert result.metrics[f"{split}/i2t/hamming_map:stable"] == pytest.approx(stable)
        assert result.metrics[f"{split}/i2t/hamming_map"] == pytest.approx(result.metrics[f"{split}/i2t/map"])
        within = [g[a <= 2].sum() / max(1, (a <= 2).sum()) for a, g in zip(apart, good, strict=True)]
        assert result.metrics[f"{split}/i2t/hamming_lookup@2/precision"] == pytest.approx(np.mean(within))
    curves = json.loads((folder / "curves-test.json").read_text())
    assert curves["t2i"]["gallery"] == 48
    assert result.curves["i2t"]["lookup"]["recall"][-1] == 1
    page = (tmp_path / "board" / "hashing.md").read_text()
    assert "queries: test, 12 items; gallery: database, 48 items" in page
    assert "against set 'database'" in page
    with pytest.raises(DataError, match="ranked its queries against another set"):
        make_examples(load_run(folder), "test")
    with pytest.raises(DataError, match="ranked its queries against set 'database'; only rankings within a split"):
        check_comparable([load_run(folder)])


def test_parts_of_a_split_are_those_of_the_whole(tmp_path: Path) -> None:
    dataset = Dataset.open(written(tmp_path / "sets.h5", multi_label=False))
    system = resolve({"image_encoder": CNN, "text_encoder": GRU, "dim": 16})
    torch.manual_seed(0)
    model = Model(system, num_classes=3, vocabulary=vocabulary_of(dataset)).eval()
    whole = Loader(dataset, "train", system, model.encoders)
    odd = dataset.sets["odd"]
    some = Loader(dataset, "train", system, model.encoders, among=odd)
    rows = np.flatnonzero(np.isin(whole.positions, odd))
    np.testing.assert_array_equal(some.positions, whole.positions[rows])
    one, other = some.batch(np.arange(len(some))), whole.batch(rows)
    assert torch.equal(one.inputs["image"].values, other.inputs["image"].values), "the cache knows them apart"
    assert torch.equal(one.inputs["text"].ids, other.inputs["text"].ids)
    assert torch.equal(one.labels, other.labels)
    again = Loader(dataset, "train", system, model.encoders)
    assert torch.equal(again.batch(rows).inputs["image"].values, other.inputs["image"].values)
    loaders = GalleryLoaders(dataset, "odd", system, model.encoders, {"train": whole})
    assert {s: len(f) for s, f in loaders.parts.items()} == {
        s: int(np.isin(dataset.splits[s], odd).sum()) for s in ("train", "val", "rest")
    }
    assert GalleryLoaders(dataset, "train", system, model.encoders, {"train": whole}).parts == {"train": whole}


@pytest.mark.parametrize("visual", [True, False])
def test_images_beside_a_visual_text_encoder_keep_all_their_tokens(tmp_path: Path, visual: bool) -> None:
    """Also where images are encoded alone; and a set has the numbers of the split that has the same items."""
    dataset = Dataset.open(written(tmp_path / "sets.h5", multi_label=False))
    dataset.sets["trained"] = dataset.splits["train"]
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text = {"name": "bert", "weights": "none", "config": size, "finetune": "all", "visual": visual}
    system = resolve({"dim": 8, "image_encoder": {**CNN, "image_size": 64}, "text_encoder": text})
    torch.manual_seed(0)
    model = Model(system, num_classes=3, vocabulary=vocabulary_of(dataset)).eval()
    whole = Loader(dataset, "train", system, model.encoders)
    images = Encoders({"image": model.encoders["image"]})
    alone = Loader(dataset, "train", system, images, plans=model.plans)
    rows = np.arange(len(whole))
    tokens, same = (loader.batch(rows).inputs["image"].values for loader in (whole, alone))
    assert torch.equal(tokens, same)
    assert model.plans["image"].once
    assert (tokens.shape[1] > 1) == visual
    as_split, as_set = (
        GalleryLoaders(dataset, name, system, model.encoders, loaders).ranked_gallery(model, "test", device=CPU)
        for name, loaders in (("train", {"train": whole}), ("trained", {}))
    )
    np.testing.assert_array_equal(as_set.positions, as_split.positions)
    np.testing.assert_array_equal(as_set.labels, as_split.labels)
    for modality, vectors in as_split.outputs.embeddings.items():
        np.testing.assert_array_equal(as_set.outputs.embeddings[modality], vectors)
    assert set(as_split.outputs.embeddings) == {"image", "text"}


def predicted(model: Model, dataset: Dataset, split: str, gallery: str) -> Predictions:
    loaders = GalleryLoaders(dataset, gallery, model.system, model.encoders, {})
    loader = Loader(dataset, split, model.system, model.encoders)
    outputs = predict(model, loader, device=CPU)
    return predictions_of(
        outputs, loader, model, device=CPU, ranked_gallery=loaders.ranked_gallery(model, split, device=CPU)
    )


@pytest.mark.parametrize("top", [None, 4])
def test_a_scorer_of_pairs_ranks_the_set_too(tmp_path: Path, top: int | None) -> None:
    """The same numbers as when queries and set are one split, of which the blocks in question are taken."""
    objective: Any = "triplet"
    if top is not None:
        objective = [{"name": "info_nce", "on": "embeddings"}, {"name": "triplet"}]
    block = {"dim": 16, "image_encoder": CNN, "text_encoder": GRU, "fusion": "none", "head": "none"}
    system = resolve({**block, "scorer": "scan", "rerank_top": top, "objective": objective})
    dataset = Dataset.open(written(tmp_path / "sets.h5", multi_label=False))
    torch.manual_seed(0)
    model = Model(system, num_classes=3, vocabulary=vocabulary_of(dataset)).eval()
    p = predicted(model, dataset, "test", "odd")
    assert p.gallery is not None
    loaders = GalleryLoaders(dataset, "odd", system, model.encoders, {})
    ranked_gallery = loaders.ranked_gallery(model, "test", device=CPU).outputs
    loader = Loader(dataset, "test", system, model.encoders)
    current = predict(model, loader, device=CPU)
    scorer: Any = model.scorer
    for direction in ("i2t", "t2i"):
        images, texts = (current, ranked_gallery) if direction == "i2t" else (ranked_gallery, current)
        whole = scorer.score(images.pair_inputs["image"], texts.pair_inputs["text"]).detach().numpy()
        whole = whole if direction == "i2t" else whole.T
        result = p.score_rows(direction)(slice(None))
        if top is None:
            np.testing.assert_allclose(result, whole, atol=1e-5)
        else:
            first = np.argsort(-result, axis=1)[:, :4]
            expected = np.take_along_axis(whole, first, axis=1)
            assert (np.diff(expected, axis=1) <= 1e-6).all(), "the first ones stand in the order of their pairs"
    captions = sum(len(dataset.texts(int(q))) for q in p.gallery.positions)
    assert p.score_rows("i2t")(slice(None)).shape == (12, captions)
    labels = dataset.labels[p.gallery.positions]
    texts_of = [dataset.texts(int(q)) for q in p.gallery.positions[p.gallery.owner]]
    assert len(texts_of) == captions
    np.testing.assert_array_equal(p.gallery.groups, labels)


def test_a_reranker_sees_the_set(tmp_path: Path) -> None:
    dataset = Dataset.open(written(tmp_path / "sets.h5", multi_label=False))
    system = resolve({**FEATURES, "dim": 8, "reranker": {"name": "category_query"}})
    torch.manual_seed(0)
    model = Model(system, num_classes=3, feature_dims=dataset.feature_dims).eval()
    train, test = (Loader(dataset, s, system, model.encoders) for s in ("train", "test"))
    seen, outputs = (predict(model, loader, device=CPU) for loader in (train, test))
    ranked_gallery = GalleryLoaders(dataset, "database", system, model.encoders, {}).ranked_gallery(
        model, "test", device=CPU
    )
    rerank = reranker_of(model, seen, train.labels.numpy(), outputs, ranked_gallery)
    assert rerank is not None
    p = predictions_of(outputs, test, model, device=CPU, rerank=rerank, ranked_gallery=ranked_gallery)
    gallery = ranked_gallery.outputs.embeddings["image"], ranked_gallery.labels
    wanted = neighbour_precision(outputs.embeddings["image"], p.labels, 3, rerank, gallery)
    np.testing.assert_array_equal(p.neighbours(3, reranked=True), wanted)
    assert rerank(np.arange(2), np.zeros((2, 48), np.float32)).shape == (2, 48)


def test_ids_are_others_only_with_another_gallery(write_experiment: Write, tmp_path: Path) -> None:
    dataset = Dataset.open(written(tmp_path / "sets.h5", multi_label=True))
    store = Store(tmp_path / "runs", "hashing")

    def run_id(**parts: Any) -> str:
        spec = {k: v for k, v in experiment(dataset.path, **parts).items() if v is not None}
        (run,) = make_plan(load_experiment(write_experiment(spec)), dataset.describe(), store).runs
        return run.run_id

    assert run_id(gallery=None) == run_id(gallery="split")
    assert len({run_id(gallery="split"), run_id(), run_id(gallery="train")}) == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("datbase", "has no set 'datbase'. Did you mean 'database'"),
        ("all", "12 items of set 'all' are test queries too and would find themselves; the first is 'i"),
        ("mine", "set 'mine' is empty without the items of val"),
    ],
)
def test_sets_that_are_no_gallery(tmp_path: Path, name: str, text: str) -> None:
    dataset = Dataset.open(written(tmp_path / "sets.h5", multi_label=True))
    dataset.sets |= {"all": np.arange(len(dataset)), "mine": dataset.splits["val"]}
    with pytest.raises(ConfigError, match=text):
        gallery_positions(dataset, name)


def test_items_that_match_themselves_alone_have_no_other_gallery(tmp_path: Path) -> None:
    dataset = Dataset.open(written(tmp_path / "own.h5", multi_label=False, relevance="item"))
    with pytest.raises(ConfigError, match=r"nothing outside of a split can match its queries"):
        gallery_positions(dataset, "database")


def test_mistakes_are_told_with_their_line(write_experiment: Write, tmp_path: Path) -> None:
    from vsebench.sweeps.open_data import open_data

    dataset = written(tmp_path / "sets.h5", multi_label=True)
    for parts, message in (
        ({"gallery": "test"}, r":3: 'gallery: test' would rank queries of one split against those of another"),
        ({"metrics": ["map", "rsum_1k"]}, r":\d+: metric 'rsum_1k' ranks parts of a split against themselves"),
        ({"gallery": ""}, ":3: "),
    ):
        with pytest.raises(ConfigError) as caught:
            load_experiment(write_experiment(experiment(dataset, **parts)))
        assert re.search(message, str(caught.value)), str(caught.value)
    with pytest.raises(ConfigError, match=r":3: dataset 'sets' has no set 'databse'\. Did you mean 'database'"):
        open_data(load_experiment(write_experiment(experiment(dataset, gallery="databse"))), print)
