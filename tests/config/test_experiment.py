"""What is wrong in an experiment file is said with file, line, the nearest name and what exists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from vsebench.config.experiment import load_experiment
from vsebench.config.index_experiment import is_index_experiment
from vsebench.core.errors import ConfigError, PluginError, VsebenchError

GOOD = """\
experiment: demo
dataset: mmfrb
metrics: [accuracy, "recall@{1,5}"]
seeds: [0, 1]
train: {epochs: 3}
systems:
  both:
    system: vse
    fusion:
      name: gated
      temperature: 2.0
sweep:
  base: {system: vse}
  grid:
    fusion: [concat, gated]
    attention: [none, {name: intra, heads: 4}]
  exclude:
    - {fusion: gated, attention: intra}
"""

Write = Callable[[Any], Path]


def test_good_file(write_experiment: Write) -> None:
    experiment = load_experiment(write_experiment(GOOD))
    assert [r.name for r in experiment.rows] == ["both", "concat · none", "concat · intra", "gated · none"]
    both = experiment.rows[0].system
    assert both.fusion is not None
    assert both.fusion.options == {"temperature": 2.0}
    assert both.train.epochs == 3
    assert both.train.batch_size == 64
    assert experiment.rows[2].system.attention.options["heads"] == 4
    assert experiment.rows[2].axes == {"fusion": "concat", "attention": "intra"}


COMMITTED = sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml"))
#: Those of the other form are read in test_index_experiment.py.
SYSTEMS = [file for file in COMMITTED if not is_index_experiment(yaml.safe_load(file.read_text(encoding="utf-8")))]

FAULTS = [
    (
        "experiment: demo",
        "experiment: demo\nboard:\n  pivot:\n    metrics: [test/acuracy]\n    by: fusion",
        4,
        ["no metric gives 'acuracy'", "Did you mean 'accuracy'?"],
    ),
    (
        "experiment: demo",
        "experiment: demo\nboard:\n  pivot:\n    by: fusion\n    metrics: [test/accuracy, test/i2t/map]",
        5,
        [
            "'test/i2t/map' is shown across, but 'map' is not among the experiment's metrics",
            "Metrics: accuracy, recall@{1,5}",
        ],
    ),
    (
        "experiment: demo",
        "experiment: demo\nboard:\n  pivot:\n    metrics: [test/accuracy]\n    by: fusoin",
        5,
        ["'fusoin' is no axis of the grid", "Did you mean 'fusion'?", "Axes: fusion, attention"],
    ),
    ("experiment: demo", "experimnt: demo", 1, ["unknown key 'experimnt'", "Did you mean 'experiment'?", "Known:"]),
    (
        "system: vse\n    fusion",
        "system: vsee\n    fusion",
        8,
        ["unknown system 'vsee'", "Did you mean 'vse'?", "coot"],
    ),
    ("name: gated", "name: gatd", 10, ["unknown fusion 'gatd'", "Did you mean 'gated'?", "dense_projection"]),
    ("temperature: 2.0", "temprature: 2.0", 11, ["unknown option 'temprature' of fusion 'gated'", "'temperature'?"]),
    ("temperature: 2.0", "temperature: hot", 11, ["option 'temperature' of fusion 'gated'", "number", "'hot'"]),
    ("temperature: 2.0", "temperature: 0", 11, ["temperature", "greater than 0", "Got 0"]),
    ("epochs: 3", "epochs: many", 5, ["epochs", "integer", "'many'"]),
    ("epochs: 3", "epochs: -1", 5, ["epochs", "greater than or equal to 0"]),
    ("epochs: 3", "epochs: 0", 5, ["epochs: 0 trains nothing", "objective: none"]),
    ("epochs: 3", "epoch: 3", 5, ["unknown key 'epoch'", "Did you mean 'epochs'?"]),
    ("seeds: [0, 1]", "seeds: []", 4, ["seeds", "empty"]),
    ("seeds: [0, 1]", "seeds: [0, 0]", 4, ["repeats a seed"]),
    ("seeds: [0, 1]", "seeds: [0, 1]\nseeds: [2]", 5, ["'seeds' stands twice", "line 4"]),
    ("accuracy,", "acuracy,", 3, ["unknown metric 'acuracy'", "Did you mean 'accuracy'?"]),
    ('"recall@{1,5}"', "recall", 3, ["metric 'recall' is written 'recall@{1,5,10}'"]),
    ("fusion: [concat, gated]", "fusion: []", 15, ["axis 'fusion' is empty"]),
    ("[none, {name: intra", "[nne, {name: intra", 16, ["unknown attention 'nne'", "Did you mean 'none'?"]),
    ("fusion: [concat, gated]", "fusoin: [concat, gated]", 15, ["unknown axis 'fusoin'", "Did you mean 'fusion'?"]),
    ("heads: 4", "head: 4", 16, ["unknown option 'head' of attention 'intra'", "Did you mean 'heads'?"]),
    ("{fusion: gated, attention", "{fusion: gaed, attention", 18, ["'gaed'", "Did you mean 'gated'?"]),
    ("seeds: [0, 1]", "seeds: [0, 1", 5, ["not valid YAML"]),
    ("dataset: mmfrb", "dataset: mmfrb\nplugins: [nowhere.py]", 3, ["nowhere.py' does not exist"]),
]


@pytest.mark.parametrize(("right", "wrong", "line", "text"), FAULTS, ids=[f[1][:30] for f in FAULTS])
def test_fault(write_experiment: Write, right: str, wrong: str, line: int, text: list[str]) -> None:
    assert GOOD.count(right) >= 1
    file = write_experiment(GOOD.replace(right, wrong, 1))
    with pytest.raises(VsebenchError) as caught:
        load_experiment(file)
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}: "), message
    for part in text:
        assert part in message
    assert caught.value.exit_code == 2
    assert "\n" not in message


def test_component_without_its_modality(write_experiment: Write) -> None:
    file = write_experiment(
        GOOD.replace("    fusion:\n", "    text_encoder: none\n    attention: inter\n    fusion:\n", 1)
    )
    with pytest.raises(ConfigError, match=r":10: attention 'inter' needs image and text, but text_encoder is none"):
        load_experiment(file)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("    absent: learnt\n", "'absent': must be 'zero' or 'learned'"),
        ("    absent: learned\n    fusion: none\n    head: decision\n", "with head 'decision' nothing is fused"),
        ("    absent: learned\n    fusion: bottleneck\n", "fusion 'bottleneck' reads tokens, of which an absent"),
    ],
)
def test_absent_modalities_that_nothing_reads(write_experiment: Write, row: str, text: str) -> None:
    head, _ = GOOD.split("    fusion:\n      name")
    with pytest.raises(ConfigError) as caught:
        load_experiment(write_experiment(f"{head}{row}"))
    assert ".yaml:9: " in str(caught.value)
    assert text in str(caught.value)


def test_absent_modalities_are_skipped_with_one_modality(write_experiment: Write) -> None:
    head, _ = GOOD.split("    fusion:\n      name")
    file = write_experiment(f"{head}    absent: learned\n  text:\n    system: vse\n    absent: learned\n"
                            "    image_encoder: none\n")  # fmt: skip
    assert [r.system.absent for r in load_experiment(file).rows] == ["learned", "zero"]


def test_recipe_terms_fall_away_with_their_modality(write_experiment: Write) -> None:
    file = write_experiment(GOOD.replace("    fusion:\n", "    text_encoder: none\n    fusion:\n", 1))
    row = load_experiment(file).rows[0]
    assert [o.name for o in row.system.objective] == ["cross_entropy"]
    assert row.system.fusion is None
    assert row.system.modalities == ("image",)


def test_numbers_that_yaml_1_1_reads_as_text(write_experiment: Write) -> None:
    file = write_experiment(GOOD.replace("{epochs: 3}", "{epochs: 3, optimizer: {name: adamw, lr: 1e-4}}"))
    assert load_experiment(file).rows[0].system.train.optimizer.options["lr"] == 1e-4


def test_override(write_experiment: Write) -> None:
    file = write_experiment(GOOD)
    changed = load_experiment(file, overrides=["train.epochs=7", "systems.both.fusion.temperature=3.5"])
    assert changed.rows[0].system.train.epochs == 7
    assert changed.rows[0].system.fusion is not None
    assert changed.rows[0].system.fusion.options["temperature"] == 3.5
    with pytest.raises(ConfigError, match=r"-o train.epochs=no: 'train.epochs'|epochs.*-o|-o train.epochs=no"):
        load_experiment(file, overrides=["train.epochs=no"])
    with pytest.raises(ConfigError, match="key=value"):
        load_experiment(file, overrides=["train.epochs"])


def test_only(write_experiment: Write) -> None:
    experiment = load_experiment(write_experiment(GOOD))
    assert [r.name for r in experiment.only(["gated*", "both"]).rows] == ["both", "gated · none"]
    with pytest.raises(ConfigError, match="matches no row.*Did you mean 'both'"):
        experiment.only(["bth"])


def test_zip_axes_move_together(write_experiment: Write) -> None:
    block = "  zip:\n    - {dim: [64, 128], train.epochs: [1, 2]}\n"
    experiment = load_experiment(write_experiment(GOOD.split("  grid:")[0] + block))
    assert [(r.system.dim, r.system.train.epochs) for r in experiment.rows[1:]] == [(64, 1), (128, 2)]
    with pytest.raises(ConfigError, match="same number of values. Got dim: 1, train.epochs: 2"):
        load_experiment(write_experiment(GOOD.split("  grid:")[0] + block.replace("[64, 128]", "[64]")))


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        ("  grid: {dim: [8]}\n  zip:\n    - {dim: [64, 128], train.epochs: [1, 2]}\n", "'grid' and in 'zip'"),
        ("  zip:\n    - {dim: [64, 128], train.epochs: [1, 2]}\n    - {dim: [8, 16]}\n", "two blocks of 'zip'"),
    ],
)
def test_an_axis_stands_once(write_experiment: Write, blocks: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"axis 'dim' stands in {text}"):
        load_experiment(write_experiment(GOOD.split("  grid:")[0] + blocks))


GRIDS = """\
experiment: demo
dataset: mmfrb
systems:
  sum: {system: vse, fusion: sum}
sweep:
  - base: {system: vse}
    seeds: [3, 4]
    grid: {fusion: [concat, gated], attention: [none, intra]}
    exclude:
      - {fusion: gated, attention: intra}
  - base: {system: vse, dim: 64}
    grid: {fusion: [mlb, mfb]}
    zip:
      - {dropout: [0.1, 0.2], train.epochs: [1, 2]}
  - base: {system: vse}
    fraction: 1/2
    grid: {fusion: [concat, gated], head: [mlp, linear], text_encoder: [bow, lstm]}
"""


def test_a_sweep_of_several_grids(write_experiment: Write) -> None:
    experiment = load_experiment(write_experiment(GRIDS))
    mechanisms = ["concat · none", "concat · intra", "gated · none"]
    zipped = [f"{fusion} · {pair}" for fusion in ("mlb", "mfb") for pair in ("0.1 · 1", "0.2 · 2")]
    assert [row.name for row in experiment.rows[:8]] == ["sum", *mechanisms, *zipped]
    assert len(experiment.rows) == 8 + 4
    assert [experiment.seeds_of(row) for row in experiment.rows[::4]] == [[0], [0], [0]]
    assert [experiment.seeds_of(row) for row in experiment.rows[1:4]] == [[3, 4]] * 3
    assert [row.system.dim for row in experiment.rows[3:5]] == [experiment.rows[0].system.dim, 64]
    assert experiment.rows[4].axes == {"fusion": "mlb", "dropout": "0.1", "train.epochs": "1"}


@pytest.mark.parametrize(
    ("right", "wrong", "line", "text"),
    [
        ("grid: {fusion: [mlb, mfb]}", "grid: {fusion: [mlb, mfv]}", 12, "unknown fusion 'mfv'. Did you mean"),
        ("grid: {fusion: [mlb", "gird: {fusion: [mlb", 12, "unknown key 'gird' in sweep.1. Did you mean 'grid'?"),
        ("dim: 64", "dmi: 64", 11, "unknown key 'dmi'"),
        ("train.epochs: [1, 2]", "train.epochs: [1]", 14, "Got dropout: 2, train.epochs: 1."),
        ("fusion: gated, att", "fusion: gatd, att", 10, "'gatd', which is no value of axis 'fusion'"),
        ("seeds: [3, 4]", "seeds: [3, 3]", 7, "'seeds' repeats a seed. Got [3, 3]."),
        ("fraction: 1/2", "fraction: 1/3", 16, "1/3"),
        ("fraction: 1/2", "budget: 2", 16, "'budget' is for the methods random and tpe"),
        ("fraction: 1/2", "method: random", 16, "a list of blocks holds grids. Got a search (random); write it as"),
        ("fraction: 1/2", "prune: {}", 16, "'prune' is not for a list of grids; write one grid as the only block"),
        (GRIDS[GRIDS.index("    fraction") :], "    grid: {attention: [intra], fusion: [mlb]}\n", 15,
         "this grid has the axes of that at FILE:6 (attention, fusion): join them."),
        ("[mlb, mfb]}\n    zip:\n      - {dropout: [0.1, 0.2], train.epochs: [1, 2]}\n", "[sum, mfb]}\n", 11,
         "two rows are named 'sum': here and at FILE:4."),
        (GRIDS[GRIDS.index("  - base: {system: vse}\n    seeds") :], "  []\n", 6, "'sweep'"),
        (GRIDS[GRIDS.index("sweep:") :], "sweep: 3\n", 5, "'sweep'"),
        (GRIDS[GRIDS.index("  - base: {system: vse}\n    seeds") :], "  - 3\n", 6, "'sweep.0'"),
    ],
)  # fmt: skip
def test_a_fault_in_a_list_of_grids(write_experiment: Write, right: str, wrong: str, line: int, text: str) -> None:
    assert right in GRIDS
    file = write_experiment(GRIDS.replace(right, wrong, 1))
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}: "), message
    assert text.replace("FILE", str(file)) in message
    assert "\n" not in message


def test_broken_plugin_is_said_with_its_line(write_experiment: Write, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1\ny = 1 / 0\n")
    file = write_experiment(GOOD.replace("dataset: mmfrb", "dataset: mmfrb\nplugins: [mine.py]"))
    with pytest.raises(PluginError, match=r"experiment.yaml:3: plug-in .*mine.py.*\(line 2\): ZeroDivisionError"):
        load_experiment(file)


def test_missing_file(tmp_path: Path) -> None:
    (tmp_path / "mmfrb.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"no such file.*Did you mean 'mmfrb.yaml'"):
        load_experiment(tmp_path / "mmfr.yaml")


@pytest.mark.parametrize("file", SYSTEMS, ids=lambda f: f.stem)
def test_committed_experiments_are_valid(file: Path) -> None:
    assert load_experiment(file, runs_here=False).rows


def test_on_and_off_are_words(tmp_path: Path) -> None:
    from vsebench.config import document

    file = tmp_path / "words.yaml"
    file.write_text("on: off\nyes: no\nt: true\nf: False\nn: 1e-3\n")
    assert document.load(file).data == {"on": "off", "yes": "no", "t": True, "f": False, "n": 1e-3}
