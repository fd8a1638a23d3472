"""A split with one modality changed: the same whatever the batch, and no trace in the cache."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sounding import AUDIO_CNN, CNN, LSTM, RNN, write

from vsebench.components.corruption.base import generator_of
from vsebench.components.corruption.occlusion import Occlusion
from vsebench.config.resolve import resolve
from vsebench.core.types import TokenIds, Tokens, Waveforms
from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import predict
from vsebench.engine.feature_cache import TokenStore, entries
from vsebench.engine.inputs import Pooled
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.measurements import _inputs
from vsebench.measurements._inputs import Damage, Damager, Permuted, derangement, shuffled, without
from vsebench.sweeps.prepare import vocabulary_of

CPU = torch.device("cpu")
DECISION = {"head": {"name": "decision", "hidden": None}}
FROZEN = {**CNN, "finetune": "none"}
BOW = {"name": "bow", "dim": None}
NOTHING = {"image": ("noise", 0.0), "text": ("dropout", 0.0), "audio": ("snr", math.inf)}
SOMETHING = {"image": ("noise", 0.3), "text": ("dropout", 0.5), "audio": ("snr", 0.0)}


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inputs, "_MEMORY", {})


def made(dataset: Dataset, *, image: Any = CNN, text: Any = LSTM, audio: Any = RNN, **changes: Any) -> Any:
    torch.manual_seed(0)
    encoders = {"image_encoder": image, "text_encoder": text, "audio_encoder": audio}
    given = {k: v for k, v in encoders.items() if v is not None}
    system = resolve({"dim": 16, **given, **DECISION, **changes})
    model = Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset) if text else None)
    return model.eval(), Loader(dataset, "test", system, model.encoders)


def message(model: Model, loader: Loader) -> dict[str, np.ndarray]:
    outputs = predict(model, loader, device=CPU)
    assert outputs.logits is not None
    return {"logits": outputs.logits, **outputs.embeddings}


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    "encoders",
    [
        {},
        {"image": FROZEN, "text": BOW},
        {"image": {**CNN, "finetune": "last"}, "audio": AUDIO_CNN},
        {"image": FROZEN, "train": {"augment": "flip"}},
        {"image": FROZEN, "text": BOW, "attention": "intra"},
    ],
    ids=["trained", "pooled", "cut", "uncached", "tokens"],
)
def test_strength_zero_is_the_split_itself(tmp_path: Path, complete: bool, encoders: dict[str, Any]) -> None:
    model, loader = made(write(tmp_path / "a.h5", complete=complete), **encoders)
    clean, damager = message(model, loader), Damager(loader, model.encoders)
    before = {entry.key for entry in entries()}
    for modality, (kind, strength) in NOTHING.items():
        changed = damager.damaged(modality, Damage(kind, strength))
        assert type(changed.sources[modality]) is type(loader.sources[modality]) or modality != "text"
        for name, values in message(model, changed).items():
            np.testing.assert_array_equal(values, clean[name], err_msg=f"{modality}: {name}")
    for modality, (kind, strength) in SOMETHING.items():
        result = message(model, damager.damaged(modality, Damage(kind, strength)))
        assert not np.array_equal(result["logits"], clean["logits"])
        for name in result.keys() - {"logits", modality}:
            np.testing.assert_allclose(result[name], clean[name], atol=1e-6, err_msg="the others stay as they are")
    for name, values in message(model, loader).items():
        np.testing.assert_array_equal(values, clean[name], err_msg="the feed itself stays as it was")
    assert {entry.key for entry in entries()} == before, "nothing damaged is in the cache"


def test_frozen_encoders_see_what_is_damaged(tmp_path: Path) -> None:
    """What is kept in memory is what the encoder makes of the damaged picture, item by item."""
    dataset = write(tmp_path / "a.h5")
    model, loader = made(dataset, image=FROZEN, attention="intra")
    assert isinstance(loader.sources["image"], TokenStore)
    changed = Damager(loader, model.encoders).damaged("image", Damage("occlusion", 0.5))
    rows = np.arange(len(loader))
    result = changed.sources["image"].take(rows)
    for row, position in enumerate(loader.positions):
        if not dataset.has_image(np.array([position]))[0]:
            assert not result.mask[row].any()
            continue
        pixels = dataset.image(int(position), model.encoders["image"].preprocessing)
        covered = Occlusion().image(pixels, 0.5, generator_of(0, int(position), "occlusion", 0.5))
        with torch.inference_mode():
            tokens = model.encoders["image"](torch.from_numpy(covered)[None])
        torch.testing.assert_close(result.values[row], tokens.values[0], atol=2e-3, rtol=2e-3)


def test_a_damaged_split_is_encoded_once_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, loader = made(write(tmp_path / "a.h5"), image=FROZEN)
    assert isinstance(loader.sources["image"], Pooled)
    first, second = (Damager(loader, model.encoders).damaged("image", Damage("noise", s)) for s in (0.1, 0.1))
    assert first.sources["image"] is second.sources["image"]
    other = Damager(loader, model.encoders).damaged("image", Damage("noise", 0.2))
    assert other.sources["image"] is not first.sources["image"]
    monkeypatch.setattr(_inputs, "KEPT_BYTES", 1)
    Damager(loader, model.encoders).damaged("image", Damage("noise", 0.3))
    assert len(_inputs._MEMORY) == 1


@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_neither_batches_nor_their_order_matter(tmp_path: Path, modality: str) -> None:
    model, loader = made(write(tmp_path / "a.h5"), image={**CNN, "finetune": "all"})
    damage = Damage(*SOMETHING[modality])
    whole = Damager(loader, model.encoders).damaged(modality, damage).inputs_of(modality, np.arange(len(loader)))
    again = Damager(loader, model.encoders).damaged(modality, damage)
    for rows in (np.array([5]), np.array([7, 5, 2]), np.arange(len(loader))[::-1].copy()):
        part = again.inputs_of(modality, rows)
        if isinstance(part, TokenIds):
            longest = part.ids.shape[1]
            assert torch.equal(part.ids, whole.ids[rows][:, :longest])
            assert torch.equal(part.mask, whole.mask[rows][:, :longest])
        elif isinstance(part, Waveforms):
            assert torch.equal(part.lengths, whole.lengths[rows])
            assert torch.equal(part.values, whole.values[rows][:, : part.values.shape[1]])
        else:
            assert torch.equal(part, whole[rows])


def test_noise_ends_where_the_sound_ends(tmp_path: Path) -> None:
    model, loader = made(write(tmp_path / "a.h5"))
    rows = np.arange(len(loader))
    clean = loader.inputs_of("audio", rows)
    noisy = Damager(loader, model.encoders).damaged("audio", Damage("snr", 10.0)).inputs_of("audio", rows)
    assert torch.equal(clean.lengths, noisy.lengths)
    assert 0 in clean.lengths
    for i, length in enumerate(clean.lengths.tolist()):
        assert not noisy.values[i, length:].any()
        if length:
            added = noisy.values[i, :length] - clean.values[i, :length]
            ratio = 10 * math.log10(float(clean.values[i, :length].square().mean() / added.square().mean()))
            assert ratio == pytest.approx(10.0, abs=0.01)


def test_precomputed_features_get_noise(tiny_file: Path) -> None:
    dataset = Dataset.open(tiny_file)
    model, loader = _features(dataset)
    rows = np.arange(len(loader))
    clean = loader.inputs_of("image", rows)
    noisy = Damager(loader, model.encoders).damaged("image", Damage("noise", 0.5)).inputs_of("image", rows)
    assert isinstance(noisy, Tokens)
    assert torch.equal(noisy.mask, clean.mask)
    added = (noisy.values - clean.values)[clean.mask]
    scatter = clean.values[clean.mask].std(0, unbiased=False)
    np.testing.assert_allclose((added / scatter).std(), 0.5, rtol=0.15)
    assert not (noisy.values - clean.values)[~clean.mask].any()
    zero = Damager(loader, model.encoders).damaged("image", Damage("noise", 0.0))
    assert torch.equal(zero.inputs_of("image", rows[3:5]).values, loader.inputs_of("image", rows[3:5]).values)
    some = Damager(loader, model.encoders).damaged("image", Damage("noise", 0.5)).inputs_of("image", rows[4:6])
    assert torch.equal(some.values[some.mask], noisy.values[4:6][noisy.mask[4:6]])


def _features(dataset: Dataset) -> Any:
    system = resolve({"dim": 8, "image_encoder": "features", "head": "linear"})
    model = Model(system, num_classes=dataset.num_classes, feature_dims=dataset.feature_dims)
    return model.eval(), Loader(dataset, "test", system, model.encoders)


@pytest.mark.parametrize("groups", [[0, 1, 2, 3, 4], [0, 0, 0, 1, 1, 1], [3, 1, 3, 2, 2, 9, 9, 9], [0, 1]])
def test_nobody_keeps_its_own_nor_its_groups(groups: list[int]) -> None:
    numbers = np.array(groups)
    seen = set()
    for seed in range(30):
        order = derangement(numbers, generator_of(seed, 0, "shuffle", 1.0))
        assert sorted(order.tolist()) == list(range(len(groups)))
        assert (numbers[order] != numbers).all()
        seen.add(tuple(order.tolist()))
    assert len(seen) > 1 or len(groups) == 2


def test_one_large_group_keeps_as_few_as_it_can() -> None:
    order = derangement(np.array([0, 0, 0, 0, 1, 2]), generator_of(0, 0, "shuffle", 1.0))
    assert (order != np.arange(6)).all()
    assert derangement(np.zeros(1, np.int64), generator_of(0, 0, "shuffle", 1.0)).tolist() == [0]


def test_every_other_item_is_drawn_equally_often() -> None:
    count = np.zeros((6, 6))
    for seed in range(3000):
        count[np.arange(6), derangement(np.arange(6), generator_of(seed, 0, "shuffle", 1.0))] += 1
    assert not np.diag(count).any()
    assert 500 < count[~np.eye(6, dtype=bool)].min() < count.max() < 700, "600 each"


@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_shuffled_inputs_are_those_of_others(tmp_path: Path, modality: str) -> None:
    model, loader = made(write(tmp_path / "a.h5"), image={**CNN, "finetune": "all"})
    changed = shuffled(loader, modality, 0)
    assert changed.missing is loader.missing, "who has none still has none, and nobody gets it"
    lacks, rows = loader.missing[modality], np.arange(len(loader))
    current, other = loader.inputs_of(modality, rows), changed.inputs_of(modality, rows)
    values = [
        x if isinstance(x, torch.Tensor) else x.ids if isinstance(x, TokenIds) else x.values for x in (current, other)
    ]
    before, after = ([v.numpy().tobytes() for v in x[torch.from_numpy(~lacks)]] for x in values)
    assert sorted(before) == sorted(after)
    if modality != "text":  # of three texts many are the same
        assert all(a != b for a, b in zip(before, after, strict=True))
        assert isinstance(changed.sources[modality], Permuted)
    for name in {"image", "text", "audio"} - {modality}:
        assert changed.sources[name] is loader.sources[name]
    assert not np.array_equal(message(model, changed)["logits"], message(model, loader)["logits"])


def test_what_stands_in_a_dropped_slot_changes_nothing(tmp_path: Path) -> None:
    model, loader = made(write(tmp_path / "a.h5", complete=True))
    for modality, (kind, strength) in SOMETHING.items():
        dropped = message(model, without(loader, [modality]))["logits"]
        assert not np.array_equal(dropped, message(model, loader)["logits"])
        damager = Damager(loader, model.encoders)
        for other in (shuffled(loader, modality, 0), damager.damaged(modality, Damage(kind, strength))):
            np.testing.assert_allclose(message(model, without(other, [modality]))["logits"], dropped, atol=1e-6)
