"""What is drawn of an item is what the model gives for that item alone; pages escape, and say the same every time."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vsebench.core.errors import ConfigError, DataError, QueryError
from vsebench.data.show import draw_sheet
from vsebench.engine.loader import Loader
from vsebench.inspect.explain import Answer, Explanation, attention_of, explain
from vsebench.inspect.explain_page import _bars, page, sheet_cells
from vsebench.runs.load import LoadedRun
from vsebench.runs.predictions import load_predictions

pytestmark = pytest.mark.slow
RunOf = Callable[[str], LoadedRun]
ATTENDING = ("cross", "intra", "inter", "dan_m", "dan_r", "co_attention", "memory", "t2i", "i2t", "again")


def item_of(run: LoadedRun, captions: int) -> str:
    """An item of the test split with so many captions."""
    dataset = run.open_dataset()
    return next(dataset.ids[p] for p in dataset.splits["test"] if len(dataset.texts(int(p))) == captions)


def panel_weights(explanation: Explanation, words: str) -> np.ndarray:
    return next(panel.weights for panel in explanation.panels if words in panel.title)


@pytest.mark.parametrize("row", ATTENDING)
def test_weights_are_those_of_the_item_alone(run_of: RunOf, row: str) -> None:
    """Those of a batch of several items, with their padding taken away, are the same."""
    run = run_of(row)
    item = item_of(run, 3)
    shown = explain(run, item, caption=2)
    assert shown.caption == run.open_dataset().texts(run.open_dataset().ids.index(item))[1]
    assert shown.panels
    loader = Loader(run.open_dataset(), "test", run.system, run.model.encoders, cache=False)
    at = loader.dataset.ids.index(item)
    number = int(np.flatnonzero(loader.positions == at)[0])
    alone, tokens, _ = attention_of(run, loader, number, 1)
    others = [i for i in range(len(loader)) if i != number][:3]
    rows = np.array([number, *others])
    batch = loader.batch(rows, np.array([1, 0, 0, 0]))
    assert batch.inputs["text"].mask.shape[1] > tokens["text"].mask.shape[1]
    with torch.inference_mode():
        output = run.model(batch, keep_attention=True)
        together = dict(output.attention)
        if run.model.scorer is not None:
            together |= run.model.scorer.weights(output.pair_inputs["image"], output.pair_inputs["text"])  # type: ignore[operator]
        if row == "dan_r":
            together |= run.model.fusion.weights(run.model.encode(batch.inputs))  # type: ignore
    assert set(alone) == set(together)
    for name, weights in alone.items():
        part = together[name][:1]
        if name != "intra":  # there the padding stands between nothing: image first, text last
            part = part[tuple(slice(0, n) for n in weights.shape)]
        else:
            part = part[..., : weights.shape[-2], : weights.shape[-1]]
        torch.testing.assert_close(weights, part, atol=1e-5, rtol=1e-4)


def test_maps_of_scan_are_the_scorers(run_of: RunOf) -> None:
    run = run_of("t2i")
    shown = explain(run, item_of(run, 2), caption=2)
    assert [w.text for w in shown.words][1].startswith("number")
    loader = Loader(run.open_dataset(), "test", run.system, run.model.encoders, cache=False)
    number = [run.open_dataset().ids[int(p)] for p in loader.positions].index(shown.id)
    with torch.inference_mode():
        output = run.model(loader.batch(np.array([number]), np.array([1])))
        weights = run.model.scorer.weights(output.pair_inputs["image"], output.pair_inputs["text"])  # type: ignore
    result = panel_weights(shown, "where each word looks")
    assert np.allclose(result[1:], weights["scan/text_to_image"][0, 0].numpy())
    assert np.allclose(result.sum(1), 1, atol=1e-5)


def test_a_class_token_lies_before_the_grid(run_of: RunOf) -> None:
    shown = explain(run_of("cross"), item_of(run_of("cross"), 1))
    assert shown.grid is not None
    assert shown.prefix == 1
    weights = np.arange(1 + shown.grid[0] * shown.grid[1], dtype=float)
    assert shown.on_grid(weights).ravel().tolist() == weights[1:].tolist()  # type: ignore[union-attr]
    assert "on no place" in page(shown)


def test_prediction_truth_and_probability_stand_beside_the_attention(run_of: RunOf) -> None:
    """Of a split's item they are what evaluation stored: the first caption is the one that is classified."""
    run = run_of("inter")
    dataset, stored = run.open_dataset(), load_predictions(run.folder, "test", vectors=False)
    assert stored.logits is not None
    for row in range(4):
        position = int(stored.positions[row])
        answer = explain(run, dataset.ids[position]).answer
        shares = np.exp(stored.scored[row]) / np.exp(stored.scored[row]).sum()
        order = np.argsort(-shares, kind="stable")
        assert answer is not None
        assert [name for name, _ in answer.predicted] == [dataset.label_names[i] for i in order[:3]]
        assert [share for _, share in answer.predicted] == pytest.approx(shares[order[:3]].tolist(), abs=1e-4)
        label = int(dataset.labels[position])
        assert answer.true == [(dataset.label_names[label], pytest.approx(shares[label], abs=1e-4))]
        assert answer.right == (order[0] == label)
    shown = explain(run, dataset.ids[position])
    text = page(replace(shown, answer=Answer([("<b>", 0.25)], [("x", 0.75)], False)))
    assert "<dt>Truth</dt><dd>&lt;b&gt; <small>0.250</small></dd>" in text
    assert '<dd>x <small>0.750</small> <b class="wrong">✗ wrong</b></dd>' in text
    cells, _ = sheet_cells(shown)
    assert cells[0] is not None
    assert cells[0][2].startswith(f"is {dataset.label_names[label]}, predicted {shown.answer.predicted[0][0]} 0.")  # type: ignore[union-attr]
    assert explain(run_of("t2i"), dataset.ids[position]).answer is None, "it has no classifier"


def test_special_and_unknown_words(run_of: RunOf) -> None:
    run = run_of("intra")
    shown = explain(run, item_of(run, 2), caption=2)
    assert shown.words[0].special
    assert any(piece.unknown for piece in shown.words)  # numbers of test items stand in no training caption
    message = page(shown)
    assert '<span class="special">[CLS]</span>' in message
    assert 'class="unknown" title="not in the vocabulary">number' in message
    assert any("Unknown words" in note for note in shown.notes)


@pytest.mark.parametrize("row", ATTENDING)
def test_pages_escape_and_stand_alone(run_of: RunOf, row: str) -> None:
    shown = explain(run_of(row), item_of(run_of(row), 3))
    message = page(shown)
    assert message == page(explain(run_of(row), shown.id))
    assert "&lt;b&gt;thing&lt;/b&gt; &amp; more" in message
    assert "<b>thing</b> &" not in message
    assert "<script" not in message
    assert "http://" not in message.replace("http-equiv", "")
    assert 'src="data:image/jpeg;base64,' in message
    assert message.count("<img") == message.count('alt="')
    nasty = replace(shown, id='"><script>', run="<i>", words=[replace(w, text="<u>") for w in shown.words])
    assert "<script" not in page(nasty)
    assert "<u>" not in page(nasty)


@pytest.mark.parametrize("row", ["t2i", "dan_m", "intra"])
def test_sheets(run_of: RunOf, row: str, tmp_path: object) -> None:
    shown = explain(run_of(row), item_of(run_of(row), 1))
    cells, columns = sheet_cells(shown)
    assert len(cells) % columns == 0
    assert sum(cell is not None for cell in cells) == 1 + sum(1 + len(p.labels) for p in shown.panels)
    for name in ("a.png", "b.png"):
        draw_sheet(cells, tmp_path / name, columns=columns)  # type: ignore[operator]
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()  # type: ignore[operator]
    for cell in cells:
        if cell is not None:
            Image.open(io.BytesIO(cell[0] or b"")).verify()


def test_regions_without_a_place_are_listed(run_of: RunOf) -> None:
    shown = replace(explain(run_of("dan_m"), item_of(run_of("dan_m"), 1)), grid=None)
    message = page(shown)
    assert "image 9" in message
    assert message.count("<img") == 1
    assert sheet_cells(shown)[0]


def test_one_weight_far_above_hundreds_of_others_has_a_bar() -> None:
    bars = np.asarray(_bars(np.array([0.9] + [0.1 / 399] * 399), 1 / 400, 0.9))
    assert (bars[-1] == 90).all(), "the line of the even share is at the bottom"
    assert tuple(bars[5, 0]) == (240, 130, 60)
    assert (bars[:-1, 5:] == 245).all()


def test_what_cannot_be_explained(run_of: RunOf) -> None:
    with pytest.raises(ConfigError) as refused:
        explain(run_of("plain"), "item-1")
    message = str(refused.value)
    assert "attends to nothing" in message
    assert "'attention: additive | co_attention | cross | dan_m" in message
    assert "'scorer: cross | scan'" in message
    assert "'fusion: dan_r'" in message
    assert "\n" not in message
    with pytest.raises(DataError, match="no item 'item-470'. Near: 'item-47'"):
        explain(run_of("t2i"), "item-470")
    with pytest.raises(DataError, match="no item 'zzz'. Its first is 'item-0'"):
        explain(run_of("t2i"), "zzz")
    one = item_of(run_of("t2i"), 1)
    for number in (0, 2):
        with pytest.raises(QueryError, match="has 1 caption; --caption must be from 1 to 1"):
            explain(run_of("t2i"), one, caption=number)
    with pytest.raises(QueryError, match="has 3 captions; --caption must be from 1 to 3"):
        explain(run_of("t2i"), item_of(run_of("t2i"), 3), caption=4)
