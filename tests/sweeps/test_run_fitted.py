"""Systems that a fitter fits: from the file to the board and back, and what may not stand beside a fitter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vsebench.components.fitter.base import FitData, Fitter, signs
from vsebench.config.experiment import load_experiment
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FITTERS
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.open import open_dataset
from vsebench.data.writer import DatasetWriter
from vsebench.distributed.gradient_sharing import SINGLE_PROCESS
from vsebench.engine.embed import embed
from vsebench.engine.evaluate import predict
from vsebench.engine.fit_data import LoaderFitData
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.pipeline import Outcome, sweep_to_board
from vsebench.runs.load import load_run
from vsebench.runs.store import Store
from vsebench.sweeps.run_fitted import refuse_unfit
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]
FEATURES = {"image_encoder": "features", "text_encoder": "features"}


class ClassMeans(Fitter):
    """Similarity with the mean vector of each class."""

    def __init__(self, dims: dict[str, int], num_classes: int) -> None:
        super().__init__()
        self.dim_out = num_classes

    def fit(self, data: FitData) -> None:
        member = data.multi_hot
        for modality in data.dims:
            self.learn(f"mean_{modality}", member.T @ data.vectors(modality) / member.sum(0)[:, None])
        data.report(1, {"objective": 3.0})

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return vectors @ self.learned(f"mean_{modality}").T


class Signed(Fitter):
    """Signs of a random linear layer whose shift is trained with what the encoder gives."""

    def __init__(self, dims: dict[str, int]) -> None:
        super().__init__()
        self.dim_out = 8
        self.layers = nn.ModuleDict({m: nn.Linear(d, 8) for m, d in dims.items()})

    def fit(self, data: FitData) -> None:
        for modality, layer in self.layers.items():
            out = layer(data.encode(modality, torch.arange(4)))
            out.square().mean().backward()
            with torch.no_grad():
                for parameter in [*layer.parameters(), *data.parameters(modality)]:
                    assert parameter.grad is not None
                    parameter -= 0.01 * parameter.grad

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        return signs(self.layers[modality](vectors))


@pytest.fixture(autouse=True)
def _fitters() -> Iterator[None]:
    torch.set_num_threads(1)
    FITTERS.register("class_means", source="here", needs_labels=True)(ClassMeans)
    FITTERS.register("signed", source="here", codes=True, trains_encoders=True)(Signed)
    yield
    FITTERS.forget("class_means")
    FITTERS.forget("signed")


@pytest.fixture
def features_file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    centres = {"image": rng.normal(size=(3, 6)), "text": rng.normal(size=(3, 5))}
    file = tmp_path / "features.h5"
    names = ("red", "green", "blue")
    with DatasetWriter(file, name="features", title="Features", relevance="label", label_names=names) as writer:
        for i in range(90):
            features = {
                m: (c[i % 3] + 0.3 * rng.normal(size=c.shape[1]))[None].astype(np.float32) for m, c in centres.items()
            }
            writer.add(Item(f"item-{i}", None, (), (names[i % 3],), features=features))
    return file


def do(file: Path, folder: Path) -> Outcome:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu")
    return sweep_to_board(experiment, dataset, settings=message, workers=0, board_folder=folder / "board", command="x")


def test_fitted_rows_from_file_to_board_and_back(write_experiment: Write, features_file: Path, tmp_path: Path) -> None:
    file = write_experiment(
        {
            "experiment": "fits",
            "dataset": str(features_file),
            "metrics": ["map", "recall@1"],
            "select": {"metric": "val/i2t/map"},
            "train": {"epochs": 7},
            "systems": {
                "Means": {**FEATURES, "fitter": "class_means"},
                "Codes": {**FEATURES, "fitter": "signed"},
            },
        }
    )
    assert [r.error for r in do(file, tmp_path).failed] == []
    store = Store(tmp_path / "runs", "fits")
    results = {r.system: r for r in store.results()}
    assert results["Means"].metrics["test/i2t/map"] > 0.95 > results["Means"].metrics["test/i2t/chance/map"]
    assert results["Means"].ranking["by"] == "embeddings (cosine)"
    assert results["Codes"].ranking["by"] == "codes (hamming)"
    assert results["Means"].parameters == {"total": 33, "trained": 33}
    assert results["Means"].best_epoch == 1
    history = (store.run_folder(results["Means"].run_id) / "history.jsonl").read_text().splitlines()
    assert '"train/objective": 3.0' in history[0]
    dataset = Dataset.open(features_file)
    for name in ("Means", "Codes"):
        loaded = load_run(store.run_folder(results[name].run_id))
        loader = Loader(dataset, "test", loaded.system, loaded.model.encoders)
        outputs = predict(loaded.model, loader, device=torch.device("cpu"))
        for modality in ("image", "text"):
            alone = embed(loaded.model, modality, loader.batch(np.arange(len(loader))).inputs[modality])
            np.testing.assert_allclose(alone.numpy(), outputs.embeddings[modality], rtol=1e-5)
        if name == "Codes":
            assert set(np.unique(outputs.embeddings["image"])) == {-1.0, 1.0}
    page = (tmp_path / "board" / "fits.md").read_text()
    assert sum(line.startswith(("| Means", "| Codes")) for line in page.splitlines()) >= 4  # costs and ranks
    assert "zero-shot" not in page
    assert do(file, tmp_path).failed == []


def test_a_fit_is_the_same_twice(features_file: Path) -> None:
    system = resolve({**FEATURES, "fitter": "signed"})
    dataset = Dataset.open(features_file)
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        model = Model(system, num_classes=3, feature_dims=dataset.feature_dims)
        fit_data = LoaderFitData(
            model,
            Loader(dataset, "train", system, model.encoders),
            seed=3,
            device=torch.device("cpu"),
            report=lambda step, numbers: None,
        )
        assert model.fitter is not None
        model.fitter.fit(fit_data)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_an_encoder_that_is_trained_has_gradients(features_file: Path, tiny_file: Path) -> None:
    encoder = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32, "finetune": "all"}
    system = resolve(
        {"image_encoder": encoder, "text_encoder": {"name": "bow"}, "fitter": "signed", "train": {"augment": "flip"}}
    )
    from vsebench.sweeps.prepare import vocabulary_of

    dataset = Dataset.open(tiny_file)
    model = Model(system, num_classes=3, vocabulary=vocabulary_of(dataset))
    loader = Loader(dataset, "train", system, model.encoders)
    fit_data = LoaderFitData(model, loader, seed=0, device=torch.device("cpu"), report=lambda step, numbers: None)
    before = fit_data.vectors("image").clone()
    assert fit_data.vectors("image") is fit_data.vectors("image")
    assert before.shape == (len(loader), fit_data.dims["image"])
    current = {id(p) for p in model.encoders["image"].parameters() if p.requires_grad}
    assert {id(p) for p in fit_data.parameters("image")} == current
    rows = torch.tensor([3, 1])
    assert fit_data.encode("image", rows).requires_grad
    torch.testing.assert_close(fit_data.vectors("text")[rows], fit_data.encode("text", rows).detach())


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"head": "mlp"}, "takes the place of head"),
        ({"objective": "info_nce"}, "takes the place of objective"),
        ({"fusion": "concat"}, "takes the place of fusion"),
        ({"projection": "linear"}, "write projection: none"),
        ({"attention": "self"}, "nothing would train attention 'self'"),
        ({"pooling": {"text": {"name": "visual_semantic"}}}, "pooling 'visual_semantic' sees the other one"),
        ({"similarity": "hamming"}, "gives real vectors, which are ranked by cosine or dot"),
        ({"fitter": "signed", "similarity": "dot"}, "gives codes, which are ranked by hamming"),
        ({"fitter": "none", "similarity": "hamming", "objective": "info_nce"}, "which only a fitter gives"),
        ({"fitter": "class_mean"}, "Did you mean 'class_means'"),
    ],
)
def test_what_cannot_stand_beside_a_fitter(block: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        resolve({**FEATURES, "fitter": "class_means", **block})


def test_encoders_that_nothing_trains_are_refused(tiny_file: Path) -> None:
    gru = {"name": "gru", "dim_hidden": 8, "dim_word": 8}
    from vsebench.sweeps.prepare import vocabulary_of

    wired: dict[str, Any] = {"num_classes": 3, "vocabulary": vocabulary_of(Dataset.open(tiny_file))}
    with pytest.raises(ConfigError, match=r"trains no encoder, .* the first is 'encoders\.text\."):
        refuse_unfit(Model(resolve({"text_encoder": gru, "fitter": "class_means"}), **wired), SINGLE_PROCESS)
    assert refuse_unfit(Model(resolve({"text_encoder": gru, "fitter": "signed"}), **wired), SINGLE_PROCESS) == "signed"


def test_unlabelled_data_are_refused(write_experiment: Write, tmp_path: Path) -> None:
    file = tmp_path / "plain.h5"
    with DatasetWriter(file, name="plain", title="Plain", relevance="item", label_names=()) as writer:
        for i in range(30):
            features = {m: np.full((1, 4), i, np.float32) for m in ("image", "text")}
            writer.add(Item(f"item-{i}", None, (), None, features=features))
    experiment = write_experiment(
        {
            "experiment": "plain",
            "dataset": str(file),
            "metrics": ["recall@1"],
            "select": {"metric": "val/i2t/recall@1"},
            "systems": {"Means": {**FEATURES, "fitter": "class_means"}},
        }
    )
    (failed,) = do(experiment, tmp_path).failed
    assert "has no labels, but fitter 'class_means' learns from them" in str(failed.error)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mirflickr25k", "iapr_tc12", "nus_wide"])
def test_hashing_experiments_run_on_the_embedded_edition(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the head of the file says, on fewer garments; the encoder's weights are random, so only running is tested."""
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))
    experiment = load_experiment(
        Path(__file__).parents[2] / "experiments" / f"{name}.yaml",
        overrides=[
            "dataset={name: mmfrb, edition: single, relevance: label, items: 60, image_size: 32}",
            "gallery=train",
            "sweep.base.text_encoder={name: bow, dim: null}",
            "sweep.base.image_encoder={name: timm_cnn, model: resnet18, weights: none, image_size: 32}",
        ],
        only=["*16*"],
    )
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=tmp_path / "runs", dataset_path=dataset.path, device="cpu")
    quick = [row for row in experiment.rows if row.axes["fitter"] not in ("DCMH", "DSPH")]
    assert {row.axes["fitter"] for row in quick} == {"CCA", "CMFH", "STMH", "SCM", "SePH"}
    outcome = sweep_to_board(
        replace(experiment, rows=tuple(quick)), dataset, settings=message, workers=0, board_folder=tmp_path, command="x"
    )
    assert [r.error for r in outcome.failed] == []
    page = (tmp_path / f"{name}.md").read_text()
    assert "By bits:" in page
    assert "<b>Published</b>" in page
    assert list((tmp_path / "plots").glob(f"{name}-*.svg"))
