"""Which validation number chooses the epoch: its direction is the metric's, and what is wrong is refused by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import best_of, mode_of
from vsebench.core.registry import METRICS

Write = Callable[[Any], Path]
HEAD = "experiment: demo\ndataset: mmfrb\n"
ROWS = "systems: {both: {system: vse}}\n"


@pytest.mark.parametrize(
    ("select", "mode"),
    [
        ("", "max"),
        ("select: {metric: val/accuracy}\n", "max"),
        ("select: {metric: val/nll}\n", "min"),
        ("select: {metric: val/nll, mode: min}\n", "min"),
        ("select: {metric: val/ece}\n", "min"),
        ("select: {metric: val/i2t/recall@1}\n", "max"),
        ("select: {metric: val/t2i/median_rank}\n", "min"),
        ("select: {metric: val/i2t/mean_rank}\n", "min"),
        ("select: {metric: val/average_precision/micro}\n", "max"),
        ("select: {metric: 'val/i2t/map@10:min'}\n", "max"),
    ],
)
def test_the_mode_is_the_metrics(write_experiment: Write, select: str, mode: str) -> None:
    assert load_experiment(write_experiment(HEAD + select + ROWS)).select.mode == mode


@pytest.mark.parametrize(
    ("select", "parts"),
    [
        ("{metric: val/nll, mode: max}", ["val/nll is best when lowest", "mode: min", "Got 'max'"]),
        ("{metric: val/accuracy, mode: min}", ["val/accuracy is best when highest", "mode: max", "Got 'min'"]),
        ("{mode: min}", ["val/accuracy is best when highest"]),
        ("{metric: val/acuracy}", ["unknown metric 'val/acuracy'", "Did you mean 'val/accuracy'?", "Known: "]),
        ("{metric: val/i2t/recal@1}", ["unknown metric 'val/i2t/recal@1'", "Did you mean 'val/i2t/recall@1'?"]),
        ("{metric: val/i2t/recall}", ["metric 'recall' is written 'recall@{1,5,10}'"]),
        ("{metric: 'val/i2t/recall@{1,5}'}", ["one number", "'val/i2t/recall@{1,5}'"]),
        ("{metric: val/i2t/chance/recall@1}", ["'val/i2t/chance/recall@1' says nothing about a system's quality"]),
        ("{metric: test/accuracy}", ["val/", "test/accuracy"]),
        ("{metric: val/}", ["unknown metric 'val/'"]),
    ],
)
def test_what_cannot_choose_an_epoch_is_refused(write_experiment: Write, select: str, parts: list[str]) -> None:
    file = write_experiment(f"{HEAD}select: {select}\n{ROWS}")
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    assert str(caught.value).startswith(f"{file}:3: ")
    for part in parts:
        assert part in str(caught.value)


def test_directions_of_keys() -> None:
    modes = {
        "val/nll": "min",
        "test/i2t/median_rank": "min",
        "nll": "min",
        "rsum": "max",
        "i2i/reranked/precision@5": "max",
        "i2t/hamming_lookup@2/f1": "max",
        "i2t/hamming_lookup@2/empty": None,
        "val/t2i/skipped/map": None,
        "val/t2i/chance/map": None,
        "train/loss": None,
    }
    assert {key: mode_of(key) for key in modes} == modes
    assert best_of("test/nll", [2.0, 1.0, 3.0]) == 1.0
    assert best_of("test/accuracy", [0.2, 0.1]) == 0.2
    assert best_of("train/loss", [0.2, 0.1]) is None
    assert best_of("test/accuracy", []) is None


def test_a_metric_must_say_what_is_better() -> None:
    with pytest.raises(TypeError, match="metric 'mine' must state higher_is_better"):
        METRICS.register("mine", source="none")


def test_a_metric_of_a_plugin_has_its_direction(write_experiment: Write) -> None:
    file = write_experiment(f"{HEAD}plugins: [lost.py]\nselect: {{metric: val/lost}}\n{ROWS}")
    file.with_name("lost.py").write_text(
        "import vsebench as vb\n\n\n"
        "@vb.METRICS.register('lost', source='none', higher_is_better=False)\n"
        "def lost(predictions: vb.Predictions) -> dict[str, float]:\n    '''Lose.'''\n    return {'lost': 1.0}\n"
    )
    try:
        assert load_experiment(file).select.mode == "min"
        file.write_text(file.read_text().replace("val/lost}", "val/lost, mode: max}"))
        with pytest.raises(ConfigError, match="val/lost is best when lowest"):
            load_experiment(file)
    finally:
        METRICS.forget("lost")
