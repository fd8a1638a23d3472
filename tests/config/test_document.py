"""YAML of any kind is read as data or refused in a line with its place: never a traceback, never a hang."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.document import dump, load, parse
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError, DataError
from vsebench.runs.store import read_run_file

Write = Callable[[Any], Path]
HEAD = "experiment: demo\ndataset: mmfrb\n"
ROWS = "systems: {both: {system: vse}}\n"

BROKEN = [
    ("a: 1\n<<: word\n", 2, "'<<' merges blocks of keys, and this is none"),
    ("x: &x 3\n<<: *x\n", 1, "'<<' merges blocks of keys"),
    ("x: &x [1]\ny:\n  <<: [*x, {a: 1}]\n", 1, "'<<' merges blocks of keys"),
    ("a: 1\nb: &b [*b]\n", 2, "an anchor stands inside itself"),
    ("a: 1\nb: &b\n  c: *b\n", 2, "an anchor stands inside itself"),
    ("a: &a\n  <<: *a\n", 1, "an anchor stands inside itself"),
    ("a: 1\nb: *nowhere\n", 2, "undefined alias 'nowhere'"),
    ("a: 1\nb: !!timestamp soon\n", 2, "tag '!!timestamp' is not known"),
    ("a: 1\nb: !mine 3\n", 2, "tag '!mine' is not known"),
    ("a: 1\n!mine b: 3\n", 2, "tag '!mine' is not known"),
    ("a: 1\nb: !!python/object/apply:os.getcwd []\n", 2, "is not known"),
    ("a: 1\nb: !!int soon\n", 2, "value 'soon' cannot be read as !!int"),
    ("a: 1\nb: !!int []\n", 2, "cannot be read as !!int"),
    ("a: 1\nb: !!map word\n", 2, "cannot be read as !!map"),
    ("a: 1\n? [1, 2]\n: 3\n", 2, "a key must be a single value"),
    ("a: 1\n{b: 1}: 3\n", 2, "a key must be a single value"),
    ('a: 1\nb: "\\ud800"\n', 2, "U+D800 is half of a character"),
    ('a: 1\n"\\udfff": 1\n', 2, "U+DFFF is half of a character"),
    ('a: 1\nb: "\\U00110000"\n', 2, "not valid YAML"),
    ("a: 1\nb: \x00\n", 2, "character U+0000 may not stand in it"),
    ("a: 1\nb: \x1b[31m\n", 2, "character U+001B may not stand in it"),
    ("a: 1\nb: [1\n", 3, "not valid YAML"),
    ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
    ("a: 1\n---\nb: 1\n", 2, "expected a single document"),
    ("a: " + "[" * 500, 1, "nested more than 50 deep (VSEBENCH_YAML_DEPTH changes the limit)"),
    ("a: " + "{b: " * 5000, 1, "nested more than 50 deep"),
    ("a:\n" + "".join("  " * n + "- \n" for n in range(60)), None, ""),
    ("a: 1\nb: " + "9" * 5000, 2, "cannot be read as !!int"),
]


@pytest.mark.parametrize(("text", "line", "description"), BROKEN, ids=[repr(b[0][:24]) for b in BROKEN])
def test_what_cannot_be_read_is_a_line(text: str, line: int | None, description: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, file="e.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"e.yaml:{line}: " if line else "e.yaml:")
    assert description in message


def test_a_bomb_of_aliases_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    with pytest.raises(ConfigError, match=r"more than 100,000 values, with aliases expanded \(VSEBENCH_YAML_VALUES"):
        parse("l0: &l0 lol\n" + levels, file="e.yaml")
    monkeypatch.setenv("VSEBENCH_YAML_VALUES", "3")
    assert parse("[1, 2]", file="e.yaml").data == [1, 2]
    with pytest.raises(ConfigError, match="more than 3 values"):
        parse("[1, 2, 3]", file="e.yaml")
    monkeypatch.setenv("VSEBENCH_YAML_VALUES", "many")
    with pytest.raises(ConfigError, match="VSEBENCH_YAML_VALUES must be a whole number above 0. Got 'many'"):
        parse("[1]", file="e.yaml")


def test_values_are_those_of_yaml_1_2() -> None:
    text = "{a: 1e-4, b: 010, c: 1:30, d: 2024-01-01, e: on, f: 0x10, g: 0o17, h: -1.5, i: .inf, j: 1_000, k: ~, l: =}"
    assert parse(text, file="e.yaml").data == {
        "a": 1e-4, "b": "010", "c": "1:30", "d": "2024-01-01", "e": "on", "f": 16, "g": 15, "h": -1.5,
        "i": float("inf"), "j": 1000, "k": None, "l": "=",
    }  # fmt: skip


def test_keys_are_read_as_they_are_written() -> None:
    assert list(parse("{010: 1, 2024-01-01: 1, true: 1, 1.50: 1, ~: 1}", file="e").data) == [
        "010", "2024-01-01", "true", "1.50", "~",
    ]  # fmt: skip


def test_merged_blocks_give_way_to_own_keys_and_to_those_before_them() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: {w: 2}}\nc:\n  z: 3\n  <<: [*a, *b]\n"
    doc = parse(text, file="e")
    assert doc.data["c"] == {"x": 1, "y": 1, "z": 3}
    assert doc.place(("c", "z")).line == 4
    assert doc.place(("c", "z", "w")).line == 4
    assert doc.place(("c", "x")).line == 1
    assert doc.place(("c",)).line == 4


def test_all_faults_of_a_text_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\na: 2\nb: !mine 3\nc: {d: 1, d: 2}\n", file="e")
    assert [str(fault).split(": ")[0] for fault in caught.value.faults] == ["e:2", "e:3", "e:4"]
    assert str(caught.value).count("\n") == 2


def test_files_in_other_encodings(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load(file).data == {"a": 1}
    file.write_bytes("a: é\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"e.yaml:1: not UTF-8: byte 0xe9"):
        load(file)
    file.write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(ConfigError, match="not UTF-8: byte 0xff"):
        load(file)
    with pytest.raises(ConfigError, match="not a file"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load("a\x00.yaml")


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("a: 1\n")
    monkeypatch.setenv("VSEBENCH_YAML_BYTES", "4")
    with pytest.raises(ConfigError, match="5 bytes, and 4 are the most"):
        load(file)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("train: {batch-size: 64}\n", 3, ["unknown key 'batch-size' in train", "Did you mean 'batch_size'?"]),
        ("train: {early-stopping: 3}\n", 3, ["unknown key 'early-stopping'", "Did you mean 'early_stopping'?"]),
        ("int: 3\n", 3, ["unknown key 'int' in the experiment file", "Known: experiment, title"]),
        ("str: {a: 1}\n", 3, ["unknown key 'str'"]),
        ("dict[str,any]: 3\n", 3, ["unknown key 'dict[str,any]'"]),
        ("constrained-int: 3\n", 3, ["unknown key 'constrained-int'"]),
        ("board: {descrip-tion: a}\n", 3, ["unknown key 'descrip-tion' in board", "Did you mean 'description'?"]),
        ("board: {reference: {title: a, source: b, columns: [c], rows: {d: [{}]}}}\n", 3,
         ["'board.reference.rows.d.0': must be text, a number or nothing. Got {}"]),
        ("board: {references: [{titel: a, source: b, columns: [c], rows: {}}]}\n", 3,
         ["unknown key 'titel' in board.references.0", "Did you mean 'title'?"]),
        ("seeds: [a]\n", 3, ["'seeds.0': must be an integer. Got 'a'"]),
        ("metrics: accuracy\n", 3, ["'metrics': must be a list. Got 'accuracy'"]),
        ("measure: {int: 3}\n", 3, ["unknown measurement 'int'", "Known: cost"]),
        ("measure: {robustness: {image: {no-ise: [0.1]}}}\n", 3, ["unknown key 'no-ise'", "Did you mean 'noise'?"]),
        ("sweep: {prune: {min-epochs: 2}}\n", 3, ["unknown key 'min-epochs' in sweep.prune", "'min_epochs'?"]),
        ("select: {mode: best}\n", 3, ["'select.mode': must be 'max' or 'min'. Got 'best'"]),
    ],
)  # fmt: skip
def test_unknown_keys_and_wrong_types(write_experiment: Write, text: str, line: int, message: list[str]) -> None:
    file = write_experiment(HEAD + text + ROWS)
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert "\n" not in str(caught.value)
    for part in message:
        assert part in str(caught.value)


@pytest.mark.parametrize("dataset", ["[a, b]", "3", "~"])
def test_a_dataset_is_a_name_or_a_block(write_experiment: Write, dataset: str) -> None:
    file = write_experiment(f"experiment: demo\ndataset: {dataset}\n{ROWS}")
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    message = f"{file}:2: 'dataset': must be a dataset's name or file, or one block with 'name' and 'options'. Got "
    assert str(caught.value).startswith(message)


def test_every_fault_of_a_file_is_told(write_experiment: Write) -> None:
    file = write_experiment(
        "experiment: demo\ndatset: mmfrb\ntrain: {epochs: many, batch-size: 3}\nmetrics: [acuracy, recall]\n"
        "select: {metric: val/nll, mode: max}\nsystems:\n"
        "  a: {system: vsee}\n  b: {system: vse, fusion: gatd, head: {name: mlp, hiden: 3, dropout: x}}\n"
        "  c: {system: vse, image-encoder: none, dim: 0}\n  d: [1]\n"
        "sweep:\n  base: {system: vse}\n  grid: {fusoin: [concat], fusion: [sum, tuker], attention: []}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    message = [str(fault) for fault in caught.value.faults]
    for line, text in (
        (2, "unknown key 'datset'"),
        (3, "'epochs': must be an integer"),
        (3, "unknown key 'batch-size'"),
        (4, "unknown metric 'acuracy'"),
        (4, "metric 'recall' is written"),
        (5, "val/nll is best when lowest"),
        (7, "unknown system 'vsee'"),
        (8, "unknown fusion 'gatd'"),
        (8, "unknown option 'hiden' of head 'mlp'"),
        (9, "unknown key 'image-encoder'"),
        (9, "'dim': must be greater than 0"),
        (10, "'systems.d': must be a block of keys"),
        (13, "unknown axis 'fusoin'"),
        (13, "axis 'attention' is empty"),
    ):
        assert any(one.startswith(f"{file}:{line}: ") and text in one for one in message), (line, text, message)
    assert len(message) == len(set(message))
    assert not any("needs 'dataset'" in one for one in message)
    assert [int(one.removeprefix(f"{file}:").split(":")[0]) for one in message] == sorted(
        int(one.removeprefix(f"{file}:").split(":")[0]) for one in message
    )


@pytest.mark.parametrize("row", ["{system: vse}", "{image_encoder: {name: timm_cnn, weights: none}}"])
def test_a_block_without_a_name_changes_single_options(write_experiment: Write, row: str) -> None:
    text = f"{HEAD}train: {{optimizer: {{lr: 0.05}}}}\nsystems: {{both: {row}}}\n"
    plain = load_experiment(write_experiment(HEAD + f"systems: {{both: {row}}}\n")).rows[0].system.train.optimizer
    for experiment in (
        load_experiment(write_experiment(text)),
        load_experiment(write_experiment(HEAD + f"systems: {{both: {row}}}\n"), overrides=["train.optimizer.lr=0.05"]),
    ):
        result = experiment.rows[0].system.train.optimizer
        assert result.name == plain.name
        assert result.options == {**plain.options, "lr": 0.05}
    file = write_experiment(f"{HEAD}train:\n  optimizer: {{ler: 0.05}}\nsystems: {{both: {row}}}\n")
    with pytest.raises(ConfigError, match=r":4: unknown option 'ler' of optimizer '\w+'. Did you mean 'lr'\?"):
        load_experiment(file)


def test_defaults_too_have_options_that_a_block_changes(write_experiment: Write) -> None:
    encoders = "image_encoder: {name: timm_cnn, weights: none}, text_encoder: lstm"
    rows = f"systems: {{both: {{{encoders}, head: {{dropout: 0.25}}, pooling: {{text: last}}}}}}\n"
    system = load_experiment(write_experiment(HEAD + rows)).rows[0].system
    assert system.head is not None
    assert (system.head.name, system.head.options["dropout"]) == ("mlp", 0.25)
    assert {m: spec.name for m, spec in system.pooling.items()} == {"image": "mean", "text": "last"}


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("seeds.²=1", "'seeds' has no position '²'"),
        ("seeds.7=1", "'seeds' has no position '7'"),
        ("train=[", "not valid YAML"),
        ("train.batch-size=3", "unknown key 'batch-size' in train"),
        ("experiment.x.y=1", "unknown"),
        ("=1", "key=value"),
    ],
)
def test_overrides(write_experiment: Write, override: str, text: str) -> None:
    file = write_experiment(HEAD + "seeds: [0]\n" + ROWS)
    with pytest.raises(ConfigError) as caught:
        load_experiment(file, overrides=[override])
    assert str(caught.value).startswith(f"-o {override}: ") or "experiment.x" in override
    assert text in str(caught.value) or "experiment.x" in override


def test_the_file_of_a_run_has_the_same_limits(tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    (tmp_path / "run.yaml").write_text("l0: &l0 lol\n" + levels)
    with pytest.raises(DataError, match=r"run.yaml:\d+: cannot be read \(more than 100,000 values"):
        read_run_file(tmp_path)


def test_a_fault_that_only_the_recipe_has_is_told_at_the_row(write_experiment: Write) -> None:
    file = write_experiment(f"{HEAD}systems:\n  both: {{system: vse, head: none, fusion: none}}\n")
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    assert str(caught.value).startswith(f"{file}:4: objective 'cross_entropy' needs a head, but head is none.")
    assert "(objective of recipe 'vse', systems/vse.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["12e345", "1e5", "0o17", "017", "1_000", "on", "1:30", "2026-01-02", "null", "~", ".5"]
)
def test_written_text_is_read_as_text(text: str, tmp_path: Path) -> None:
    """A digest of digits and one e is a number in YAML 1.2 and text in YAML 1.1, which PyYAML writes."""
    data = {"code": text, "lr": 1e-05, "whole": 12, "on": True, "list": [text, 1e20]}
    (tmp_path / "run.yaml").write_text(dump(data), encoding="utf-8")
    assert load(tmp_path / "run.yaml").data == data
