"""Hostile texts in drawings: the file is XML, of shapes and text alone, and no dollar begins mathematics."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
from hostile_strings import STRINGS, assert_drawing, board

from vsebench.leaderboard import cost_plots, factors_plot, index_plots, robustness_plots
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.forest import forest
from vsebench.leaderboard.sections.curves import figure_of
from vsebench.runs.snapshot import INDEX_FORM, BoardRow, Snapshot


def drawn(text: str) -> Snapshot:
    """A board with curves, cost and robustness of its first row."""
    base = board(text)
    precision: list[float | None] = [None, 0.5, 0.4]
    curve = {"bits": 2, "lookup": {"precision": precision, "recall": [0.0, 0.5, 1.0]},
             "topn": {"n": [1, 10], "precision": [0.8, 0.6]}}  # fmt: skip
    finished = {run: r for run, r in base.results.items() if r.status == "finished"}
    results = base.results | {run: replace(r, curves={"i2t": curve, "t2i": curve}) for run, r in finished.items()}
    measured = {"cost": cost(text), "robustness": robustness(text)}
    facts = {**base.board, "plots": ["lookup", "topn"]}
    return replace(base, results=results, board=facts, measures=dict.fromkeys(finished, measured))


def cost(text: str) -> dict[str, Any]:
    latency = {"median": 2.0, "low": 1.0, "high": 3.0, "repeats": 5}
    return {
        "answer": "item",
        "hardware": {"device": text, "threads": 1, "load": 0.5},
        "parameters": {"total": 10, "trained": 5, "parts": {"head": {"total": 5, "trained": 5}}},
        "gflops": {"item": 3.0},
        "not_counted": [text],
        "latency_ms": {"item@1": latency, "item@64": latency},
        "memory_bytes": {"weights": 6, "item@1": 10, "item@64": 14},
        "energy_missing": {"processor": text},
    }


def robustness(text: str) -> dict[str, Any]:
    clean = {"accuracy": 0.9}
    damaged = {"image": {text: [[0.1, {"accuracy": 0.8}], [0.2, {"accuracy": 0.7}]]}}
    return {"clean": clean, "shuffled": {"image": clean}, "dropped": {}, "needed": {"text": text}, "damaged": damaged}


NAMES = ("script", "attribute", "comment", "ansi", "bidi", "formula", "lines", "null", "long")
DRAWN = {name: STRINGS[name] for name in NAMES}


@pytest.fixture(autouse=True)
def _letters_of_any_script() -> Any:
    """Matplotlib's font lacks some letters, which is not what is tested."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


@pytest.mark.parametrize("text", DRAWN.values(), ids=DRAWN)
def test_curves_cost_and_robustness(text: str) -> None:
    shown = drawn(text)
    for figure in (figure_of(shown, "lookup"), figure_of(shown, "topn"), forest(BoardData(shown))):
        assert figure is not None
        message = assert_drawing(figure.svg())
        if text.isprintable() and len(text) < 40:
            assert text in message
    costs, damages = cost_plots.figures(shown), robustness_plots.figures(shown)
    assert (len(costs), len(damages)) == (2, 1)
    for figure in (*costs, *damages, factors_plot.factors_figure(factors_plot.effects_of(shown)[0], {})):
        assert_drawing(figure.svg())


@pytest.mark.parametrize("text", DRAWN.values(), ids=DRAWN)
def test_indexes(text: str) -> None:
    base = board(text)
    result = next(iter(base.results.values()))
    metrics = {"recall@10": 0.9, "qps@10": 10.0, "bytes_per_vector": 8.0, "code_bytes": 4.0}
    measured = replace(result, metrics=metrics, config={"index": {"name": text, "options": {}}})
    shown = replace(
        base,
        form=INDEX_FORM,
        rows=[BoardRow(text, "indexes", {}, {"0": result.run_id})],
        results={result.run_id: measured},
        select={"metric": "recall@10", "mode": "max"},
    )
    assert len(index_plots.figures(shown)) == 2
    for figure in index_plots.figures(shown):
        assert_drawing(figure.svg())
