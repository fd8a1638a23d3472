"""Sounds through a whole model, and items that lack a modality."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sounding import AUDIO_CNN, CNN, LSTM, RNN, write

from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.types import Batch, TokenIds, Tokens, Waveforms
from vsebench.data.dataset import Dataset
from vsebench.distributed.process_group import ProcessGroup
from vsebench.engine.embed import embed
from vsebench.engine.evaluate import predict, predictions_of
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import fit, validation_scorer_of
from vsebench.sweeps.prepare import vocabulary_of

CPU = torch.device("cpu")
DECISION = {"head": {"name": "decision", "hidden": None}}
LEARNED = {"absent": "learned", "fusion": "concat"}
REGULAR = [{"name": name, "weight": 0.1, "if_present": True} for name in ("projection_norm", "graph_laplacian")]
AMIR = {"fusion": "amir", "objective": ["cross_entropy", *REGULAR], "projection": "none"}


def parts(
    dataset: Dataset, *, image: Any = CNN, text: Any = LSTM, audio: Any = RNN, epochs: int = 2, **changes: Any
) -> tuple[Model, dict[str, Loader]]:
    torch.manual_seed(0)
    encoders = {"image_encoder": image, "text_encoder": text, "audio_encoder": audio}
    train = {"optimizer": {"name": "adamw", "lr": 1e-2}, "batch_size": 16, "epochs": epochs, "feature_dtype": "fp32"}
    given = {k: v for k, v in encoders.items() if v is not None}
    system = resolve({"dim": 16, **given, "train": train, **changes})
    model = Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset) if text else None)
    return model, {s: Loader(dataset, s, system, model.encoders) for s in ("train", "val", "test")}


def junk(raw: Any, present: torch.Tensor, value: float) -> Any:
    """The raw input with something else in the place of what is not there."""
    lacks = ~present
    if isinstance(raw, torch.Tensor):
        return torch.where(lacks[:, None, None, None], torch.full_like(raw, 200), raw)
    if isinstance(raw, TokenIds):
        existing = torch.ones_like(raw.mask)
        return TokenIds(
            raw.ids.masked_fill(lacks[:, None], 2), torch.where(lacks[:, None], existing, raw.mask), raw.bag
        )
    if isinstance(raw, Tokens):
        return Tokens(raw.values.masked_fill(lacks[:, None, None], value), raw.mask, raw.final, raw.grid)
    return Waveforms(raw.values.masked_fill(lacks[:, None], value), raw.lengths.masked_fill(lacks, raw.values.shape[1]))


def filled(batch: Batch, value: float) -> Batch:
    inputs = {m: junk(x, batch.present[m], value) if m in batch.present else x for m, x in batch.inputs.items()}
    return replace(batch, inputs=inputs)


def selection_value(model: Model, loader: Loader) -> dict[str, float]:
    outputs = predict(model, loader, device=CPU, embeddings=False)
    assert outputs.logits is not None
    return {"accuracy": float((outputs.logits.argmax(1) == loader.labels.numpy()).mean())}


@pytest.mark.parametrize("encoder", [RNN, AUDIO_CNN], ids=lambda e: e["name"])
def test_sounds_alone_are_learned(tmp_path: Path, encoder: dict[str, Any]) -> None:
    dataset = write(tmp_path / "a.h5", complete=True, n=150)
    model, loaders = parts(dataset, image=None, text=None, audio=encoder, epochs=8)
    batch = loaders["train"].batch(np.array([3, 0]))
    assert isinstance(batch.inputs["audio"], Waveforms)
    assert not batch.present
    progress = fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=0,
        validation_scorer=validation_scorer_of(selection_value, "accuracy", "max"),
        device=CPU,
    )
    assert len(progress.history) == 8
    assert selection_value(model, loaders["test"])["accuracy"] > 0.9, "three tones in little noise"
    outputs = predict(model, loaders["test"], device=CPU)
    sound = loaders["test"].batch(np.arange(4)).inputs["audio"]
    torch.testing.assert_close(embed(model, "audio", sound), torch.from_numpy(outputs.embeddings["audio"][:4]))


@pytest.mark.parametrize("changes", [LEARNED, AMIR], ids=["learned", "amir"])
def test_predictions_do_not_depend_on_the_batch(tmp_path: Path, changes: Any) -> None:
    model, loaders = parts(write(tmp_path / "a.h5"), **changes)
    whole = predict(model, loaders["val"], device=CPU)
    small = model.system.train.model_copy(update={"eval_batch_size": 1})
    model.system = model.system.model_copy(update={"train": small})
    np.testing.assert_allclose(predict(model, loaders["val"], device=CPU).logits, whole.logits, atol=1e-5)


@pytest.mark.parametrize("value", [1e4, float("nan")])
@pytest.mark.parametrize(
    "changes",
    [
        DECISION,
        LEARNED,
        {**LEARNED, "attention": "intra"},
        AMIR,
        {**AMIR, "fusion": {"name": "amir", "form": "aggregated"}, "audio": AUDIO_CNN},
        {**LEARNED, "image": {**CNN, "finetune": "all"}, "audio": AUDIO_CNN},
        {**DECISION, "image": {**CNN, "finetune": "last"}},
    ],
    ids=["decision", "learned", "attention", "amir", "amir, aggregated", "batch norm", "cut"],
)
def test_what_stands_in_an_empty_slot_changes_nothing(tmp_path: Path, changes: Any, value: float) -> None:
    model, loaders = parts(write(tmp_path / "a.h5"), **changes)
    batch = loaders["train"].batch(np.arange(20))
    assert {m: int((~here).sum()) for m, here in batch.present.items()} == {"image": 4, "text": 4, "audio": 4}
    other = filled(batch, value)
    assert any(other.inputs[m] is not batch.inputs[m] for m in batch.inputs)
    for training in (False, True):
        results = []
        for one in (batch, other):
            state = {k: v.clone() for k, v in model.state_dict().items()}
            torch.manual_seed(1)
            output = model.train(training)(one)
            assert output.logits is not None
            output.logits.sum().backward()
            gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
            results.append((output.logits.detach(), gradients, {k: v.clone() for k, v in model.state_dict().items()}))
            model.zero_grad()
            model.load_state_dict(state)
        assert results[0][0].isfinite().all()
        assert torch.equal(results[0][0], results[1][0])
        for first, second in zip(results[0][1:], results[1][1:], strict=True):
            assert first.keys() == second.keys()
            assert all(torch.equal(first[k], second[k]) for k in first)


@torch.no_grad()
def test_an_item_is_decided_by_what_it_has(tmp_path: Path) -> None:
    model, loaders = parts(write(tmp_path / "a.h5"), **DECISION)
    model.eval()
    rows = np.arange(5)
    output = model(loaders["train"].batch(rows))
    assert output.logits is not None
    assert {m: here.tolist() for m, here in output.present.items()} == {
        "image": [True, False, True, True, True],
        "text": [True, True, False, True, True],
        "audio": [True, True, True, False, True],
    }
    for i in rows:
        lines = [output.parts[m][i].softmax(-1) for m in output.parts if output.present[m][i]]
        torch.testing.assert_close(output.logits[i].softmax(-1), torch.stack(lines).mean(0))


def test_a_frozen_encoder_keeps_no_token_of_an_absent_image(tmp_path: Path) -> None:
    model, loaders = parts(write(tmp_path / "a.h5"), **DECISION)
    cached = loaders["train"].batch(np.arange(10)).inputs["image"]
    assert isinstance(cached, Tokens)
    assert cached.mask.any(1).tolist() == [i % 5 != 1 for i in range(10)]
    plain = Loader(loaders["train"].dataset, "train", model.system, model.encoders, cache=False)
    with torch.no_grad():
        one, other = (model.eval()(loader.batch(np.arange(10))).logits for loader in (loaders["train"], plain))
    torch.testing.assert_close(one, other)


SUBSETS = [subset for size in (1, 2, 3) for subset in itertools.combinations(("image", "text", "audio"), size)]


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
@pytest.mark.parametrize("changes", [DECISION, LEARNED, AMIR], ids=["decision", "learned", "amir"])
def test_subsets_of_the_modalities_train(tmp_path: Path, subset: tuple[str, ...], changes: Any) -> None:
    without = {m: None for m in ("image", "text", "audio") if m not in subset}
    if changes is not DECISION and len(subset) == 1:
        with pytest.raises(DataError, match="it reads nothing else; head: decision would"):
            parts(write(tmp_path / "a.h5"), **without, **changes)
        if changes is LEARNED:
            return
        changes = {**changes, **DECISION, "fusion": "none"}
    model, loaders = parts(write(tmp_path / "a.h5"), **without, **changes)
    progress = fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=0,
        validation_scorer=validation_scorer_of(selection_value, "accuracy", "max"),
        device=CPU,
    )
    assert all(np.isfinite(epoch["train/loss"]) for epoch in progress.history)
    outputs = predict(model, loaders["test"], device=CPU)
    assert outputs.logits is not None
    assert np.isfinite(outputs.logits).all()
    assert not outputs.embeddings, "each of the modalities is lacking somewhere: there is nothing to rank"
    assert not predictions_of(outputs, loaders["test"], model, device=CPU).retrieval


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            "they have no image, and its fusion cannot represent a missing modality; absent: learned or head: decision",
        ),
        (
            {"image": None, "text": None},
            "they have no audio, and it reads nothing else; head: decision would give them",
        ),
        (
            {**LEARNED, "objective": ["cross_entropy", "info_nce"]},
            "they have no image, and its objective 'info_nce' learns from every item's image",
        ),
        (
            {**LEARNED, "image": None, "objective": [{"name": "modality_cross_entropy", "modality": "text"}]},
            "they have no text, and its objective 'modality_cross_entropy' learns from every item's text",
        ),
        ({"fitter": "cca", "audio": None}, "they have no image, and its fitter 'cca' needs every item's image"),
    ],
)
def test_where_every_item_must_have_all(tmp_path: Path, changes: Any, text: str) -> None:
    with pytest.raises(DataError, match="12 items of the train split lack a modality that the system reads: " + text):
        parts(write(tmp_path / "a.h5", n=100), **changes)


def test_several_processes_do_not_train_on_items_that_lack_something(tmp_path: Path) -> None:
    class Two(ProcessGroup):
        size = 2

    model, loaders = parts(write(tmp_path / "a.h5"), **DECISION)
    validation_scorer = validation_scorer_of(selection_value, "accuracy", "max")
    with pytest.raises(ConfigError, match="items of the training split lack image and text and audio; .* one process"):
        fit(
            model,
            loaders["train"],
            loaders["val"],
            seed=0,
            validation_scorer=validation_scorer,
            device=CPU,
            process_group=Two(),
        )


def test_sounds_that_are_cut_are_told(tmp_path: Path) -> None:
    dataset = write(tmp_path / "a.h5", complete=True)
    _, loaders = parts(dataset, image=None, text=None, audio={**RNN, "max_seconds": 0.06})
    longer = sum(dataset.sound_seconds(loaders["val"].positions) > 0.06)
    assert longer > 0
    assert loaders["val"].notes == [f"{longer} of {len(loaders['val'])} val sounds were cut to 0.06 s"]
    assert loaders["val"].batch(np.arange(6)).inputs["audio"].values.shape == (6, 480)
