"""The search in an experiment file: what is drawn from, and every mistake with its line before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.config.schema import Range
from vsebench.core.errors import ConfigError

GOOD = """\
experiment: demo
dataset: mmfrb
sweep:
  method: random
  budget: 5
  seed: 1
  prune: {name: asha, min_epochs: 1, reduction: 3}
  base: {system: vse}
  grid:
    fusion: [concat, gated]
    attention: [none, intra]
  space:
    train.optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
    dropout: {low: 0.0, high: 0.5}
    head.hidden: {low: 64, high: 512, step: 64}
  exclude:
    - {fusion: gated, attention: intra}
"""

Write = Callable[[Any], Path]


def test_a_search_has_no_rows_before_it_runs(write_experiment: Write) -> None:
    experiment = load_experiment(write_experiment(GOOD))
    assert experiment.rows == ()
    space = experiment.space
    assert space is not None
    assert list(space.ranges) == ["train.optimizer.lr", "dropout", "head.hidden"]
    row = space.row((1, 0), {"train.optimizer.lr": 0.00123456, "dropout": 0.25, "head.hidden": 128})
    assert row is not None
    assert row.name == "gated · none · lr=0.001235 · dropout=0.25 · hidden=128"
    assert row.axes["train.optimizer.lr"] == "0.001235"
    assert row.system.train.optimizer.options["lr"] == 0.001235, "the board shows the number that was used"
    assert row.system.head.options["hidden"] == 128
    assert space.row((1, 1), {"train.optimizer.lr": 0.001, "dropout": 0.25, "head.hidden": 128}) is None, "excluded"


LR, DROP, HEAD = "train.optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}", "{low: 0.0, high: 0.5}", "step: 64}"
FAULTS = [
    ("  budget: 5\n", "", 4, "method 'random' needs 'budget', the number of configurations to sample."),
    ("budget: 5", "budget: 0", 5, "'sweep.budget': must be greater than 0. Got 0."),
    ("method: random", "method: grid", 5, "'budget' is for the methods random and tpe, and this sweep is a grid."),
    (
        "method: random\n  budget: 5\n  seed: 1",
        "method: grid\n\n",
        12,
        "'space' is for the methods random and tpe, and this sweep is a grid.",
    ),
    ("method: random", "method: bayes", 4, "'sweep.method': must be 'grid', 'random' or 'tpe'. Got 'bayes'."),
    ("seed: 1", "round: 2", 6, "'round' is for the method tpe, the only one that learns from what is finished."),
    ("seed: 1", "seed: -1", 6, "'sweep.seed': must be greater than or equal to 0. Got -1."),
    ("reduction: 3", "reduction: 1", 7, "'sweep.prune.reduction': must be greater than or equal to 2. Got 1."),
    (
        "reduction: 3",
        "reductoin: 3",
        7,
        "unknown key 'reductoin' in sweep.prune. Did you mean 'reduction'? Known: name, min_epochs, reduction.",
    ),
    ("asha", "median", 7, "'sweep.prune.name': must be 'asha'. Got 'median'."),
    (
        "min_epochs: 1",
        "min_epochs: 30",
        7,
        "'prune' would never stop a run: 'min_epochs' is 30, and no run has more than 30 epochs.",
    ),
    ("dropout: {", "dropuot: {", 14, "unknown axis 'dropuot'. Did you mean 'dropout'?"),
    (
        "optimizer.lr: {",
        "optimizer.rl: {",
        13,
        "unknown option 'rl' of optimizer 'sgd'. Known: lr, momentum, nesterov, weight_decay.",
    ),
    ("train.optimizer.lr", "train.optimizr.lr", 13, "unknown key 'optimizr' in train. Did you mean 'optimizer'?"),
    (DROP, "{low: 0.5, high: 0.5}", 14, "space axis 'dropout': 'low' must be less than 'high'. Got low 0.5, high 0.5."),
    (DROP, "{low: 0.0, hgh: 0.5}", 14, "unknown key 'hgh' in space axis 'dropout'. Did you mean 'high'?"),
    (DROP, "{low: 0.0}", 14, "space axis 'dropout' needs 'high'."),
    (DROP, "{low: 0.0, high: 0.5, log: true}", 14, "space axis 'dropout': 'log' needs 'low' above 0. Got low 0.0."),
    (DROP, "{low: 0.0, high: .inf}", 14, "space axis 'dropout': 'high' must be finite. Got inf."),
    (DROP, "{low: 0.0, high: much}", 14, "'high': must be a number. Got 'much'."),
    (DROP, "{low: 0.0, high: 2.0}", 14, "'dropout': must be less than or equal to 0.95. Got 2.0."),
    (DROP, "[0.0, 0.5]", 14, "space axis 'dropout' must be a range {low: …, high: …}. Got a list"),
    (DROP, "0.5", 14, "space axis 'dropout' must be a block of keys. Got 0.5."),
    (HEAD, "step: 60}", 15, "space axis 'head.hidden': steps of 60 from 64 do not reach 'high' 512; the last below"),
    (HEAD, "step: 0}", 15, "space axis 'head.hidden': 'step' must be above 0. Got 0."),
    (HEAD, "step: 64, log: true}", 15, "space axis 'head.hidden': 'log' and 'step' do not go together."),
    ("low: 64,", "low: 64.0,", 15, "option 'hidden' of head 'mlp'"),
    ("dropout: {low", "fusion: {low", 14, "axis 'fusion' stands in 'space' and in 'grid' or 'zip'."),
    ("[concat, gated]", "[concat, gatd]", 10, "unknown fusion 'gatd'. Did you mean 'gated'?"),
    ("[none, intra]", "[none, intr]", 11, "unknown attention 'intr'. Did you mean 'intra'?"),
    ("{system: vse}", "{system: vsee}", 8, "unknown system 'vsee'. Did you mean 'vse'?"),
]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "description"), FAULTS, ids=[f[1][:30] or f[3][:30] for f in FAULTS]
)
def test_fault(write_experiment: Write, right: str, wrong: str, line: int, description: str) -> None:
    text = GOOD.split("  exclude:")[0]
    assert text.count(right) == 1
    file = write_experiment(text.replace(right, wrong))
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}: {description}"), message
    assert "\n" not in message


def test_the_budget_is_not_more_than_there_is(write_experiment: Write) -> None:
    text = GOOD.split("  space:")[0] + "  exclude:\n    - {fusion: gated, attention: intra}\n"
    with pytest.raises(ConfigError, match=r":5: 'budget' is 5, but the axes have only 3 valid combinations\."):
        load_experiment(write_experiment(text))
    assert load_experiment(write_experiment(text.replace("budget: 5", "budget: 3"))).space is not None


def test_a_value_needs_only_one_combination_that_works(write_experiment: Write) -> None:
    text = GOOD.replace("attention: [none, intra]", "text_encoder: [none, lstm]\n    attention: [none, inter]")
    space = load_experiment(write_experiment(text.split("  exclude:")[0])).space
    assert space is not None
    drawn = {"train.optimizer.lr": 0.001, "dropout": 0.25, "head.hidden": 128}
    assert space.row((0, 0, 1), drawn) is None, "inter-attention without text: drawn again"
    assert space.row((0, 1, 1), drawn) is not None


def test_without_optuna(write_experiment: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r":4: method 'random' needs Optuna: pip install 'vsebench\[search\]'\.$"):
        load_experiment(write_experiment(GOOD))


def test_numbers_of_a_range() -> None:
    integers = Range(low=64, high=512, step=64)
    assert integers.is_integer
    assert integers.count == 8
    stepped = Range(low=0.1, high=0.7, step=0.2)
    assert (stepped.count, stepped.nearest(0.499999)) == (4, 0.5)
    smooth = Range(low=1e-4, high=0.12345678)
    assert smooth.count is None
    assert smooth.nearest(0.0123456) == 0.01235
    assert smooth.nearest(0.12345678) == 0.12345678, "rounded numbers stay in the range"
    assert not Range(low=0, high=0.5).is_integer
