"""A stack of decisions in a whole run: fitted to validation once, judged there by a cross-fit, and loaded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vsebench.components.head._stacking import even_weights
from vsebench.components.head.decision import Decision
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.data.open import open_dataset
from vsebench.distributed.gradient_sharing import SINGLE_PROCESS
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.pipeline import sweep_to_board
from vsebench.runs.load import load_run
from vsebench.runs.store import Store
from vsebench.sweeps.stacking import stack
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_run_is_stacked_after_training(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    both = {k: v for k, v in tiny_experiment["systems"]["both"].items() if k != "system"}
    objective = ["cross_entropy", "part_cross_entropy"]
    rows = {
        rule: {**both, "objective": objective, "head": {"name": "decision", "combine": rule, "hidden": None}}
        for rule in ("stack", "product")
    }
    fixed = {"image": 1.0, "text": 1.0}  # the product that a stack trains as
    rows["product"]["head"]["weights"] = fixed
    experiment = load_experiment(write_experiment({**tiny_experiment, "systems": rows}))
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=tmp_path / "runs", dataset_path=dataset.path, device="cpu")
    outcome = sweep_to_board(
        experiment, dataset, settings=message, workers=0, board_folder=tmp_path / "board", command="sweep"
    )
    assert not outcome.failed, [r.error for r in outcome.failed]
    store = Store(tmp_path / "runs", "tiny")
    results = {r.system: r for r in store.results()}
    note = [n for n in results["stack"].notes if n.startswith("stack: ")]
    size, classes = len(dataset.splits["val"]), dataset.num_classes
    assert note == [
        f"stack: a logistic regression of {(2 * classes + 1) * classes} numbers on {size} validation items, fitted "
        "after training; the validation numbers are cross-fitted (5 folds)"
    ]
    assert not [n for n in results["product"].notes if n.startswith("stack: ")]
    assert results["stack"].best_epoch == results["product"].best_epoch
    assert results["stack"].parameters == results["product"].parameters

    run = load_run(store.run_folder(results["stack"].run_id))
    head, other = run.model.head, load_run(store.run_folder(results["product"].run_id)).model.head
    assert isinstance(head, Decision)
    assert isinstance(other, Decision)
    assert not torch.equal(head.stack_weight, even_weights(2, dataset.num_classes, False))
    for name, value in other.parts.state_dict().items():
        torch.testing.assert_close(value, head.parts.state_dict()[name], atol=1e-3, rtol=1e-3)  # but for rounding
    logits = {}
    for split in ("val", "test"):
        loader = Loader(dataset, split, run.system, run.model.encoders)
        current = predict(run.model, loader, device=run.device, embeddings=False).logits
        with np.load(run.folder / f"predictions-{split}.npz") as stored:
            logits[split] = current, stored["logits"]
            accuracy = float(np.mean(stored["logits"].argmax(1) == stored["labels"]))
        assert accuracy == pytest.approx(results["stack"].metrics[f"{split}/accuracy"])
    np.testing.assert_allclose(*logits["test"], atol=1e-5)
    assert float(np.abs(logits["val"][0] - logits["val"][1]).max()) > 1e-2  # cross-fitted, not fitted


def test_the_validation_split_may_be_too_small(tiny_file: Path) -> None:
    from vsebench.config.resolve import resolve
    from vsebench.data.dataset import Dataset
    from vsebench.engine.model import Model
    from vsebench.sweeps.prepare import vocabulary_of

    dataset = Dataset.open(tiny_file)
    text = {"name": "gru", "dim_word": 4, "dim_hidden": 4}
    cnn = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
    block = {"dim": 4, "image_encoder": cnn, "text_encoder": text, "head": {"name": "decision", "combine": "stack"}}
    system = resolve(block)
    model = Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset))
    loader = Loader(dataset, "val", system, model.encoders)
    loader.groups = torch.zeros_like(loader.groups)
    with pytest.raises(ConfigError, match=r"at least two groups\. Choose another head\.combine\."):
        stack(model, loader, device=torch.device("cpu"), process_group=SINGLE_PROCESS)
    plain = Model(resolve({**block, "head": "mlp"}), num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset))
    assert stack(plain, loader, device=torch.device("cpu"), process_group=SINGLE_PROCESS) == (None, ())
