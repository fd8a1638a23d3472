"""Experiment files that are damaged in every way are read, or refused with a ConfigError: no traceback, no hang.

The real files are changed as text (a hyphen, a cut, other characters) and as data (a key renamed, a value of another
type, a block taken away). ``VSEBENCH_FUZZ=5000`` tries that many instead of a few.
"""

from __future__ import annotations

import copy
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vsebench.config import document
from vsebench.config.experiment import load_experiment
from vsebench.config.index_experiment import is_index_experiment, load_index_experiment
from vsebench.core.errors import VsebenchError

EXAMPLES = int(os.environ.get("VSEBENCH_FUZZ", "40"))
FOLDER = Path(__file__).parents[2] / "experiments"
#: Those that are read quickly; the others repeat what these have.
NAMES = ("smoke", "emoji", "fashion_retrieval", "wikipedia", "av_digits", "flickr30k", "indexes", "indexes_fashion")
TEXTS = [(FOLDER / f"{name}.yaml").read_text(encoding="utf-8") for name in NAMES]
#: A search, blocks of robustness and a pivot, which few of the files have.
TEXTS.append("""\
experiment: found
dataset: {name: mmfrb, options: {edition: single, items: 40}}
plugins: []
select: {metric: val/nll}
train: {epochs: 3, optimizer: {lr: 1e-3}}
systems: {plain: &plain {system: vse}, other: {<<: *plain, fusion: gated}}
sweep:
  method: random
  budget: 4
  prune: {name: asha, min_epochs: 1}
  base: {system: vse, head: {name: mlp, dropout: 0.1}, pooling: {image: mean, text: max}}
  grid: {fusion: [concat, {name: gated, temperature: 2.0}]}
  zip: [{dim: [8, 16], train.optimizer.lr: [1e-3, 1e-2]}]
  exclude: [{fusion: gated, dim: 16}]
  space: {dropout: {low: 0.0, high: 0.5}}
measure: {cost: true, subsets: false, robustness: {image: {noise: [0.1]}, repeats: 2}}
board:
  protocol: [a, b]
  pivot: {by: fusion, metrics: [test/accuracy]}
  reference: {title: t, source: s, columns: [c], rows: {r: [1.0]}}
""")
PIECES = (
    *("-", "_", ":", " ", "\n", "\t", "#", "&a ", "*a ", "<<: ", "!!int ", "!x ", "? ", "---\n", "%YAML 1.1\n"),
    *("[", "]", "{", "}", ",", "'", '"', "|\n", ">\n", "~", "null", "true", ".inf", ".nan", "0x1F", "1e999", "-1"),
    *("\x00", "\ufeff", "\ud800", "\u202e", "\U0001f600", "é"),
    *('"\\ud800"', '"\\U00110000"', '"\\x00"', "2024-01-01", "1:30", "9" * 30, "[" * 60, "&a [*a, *a]", "=", "@", "`"),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2**70, 0.5, float("inf"), float("nan"), "", "none", "x", "val/nll", "é\u202e"),
    *([], {}, [[]], [None], [1, "a"], {"name": "x"}, {"name": None}, {"name": ["x"]}, {"": 1}, {"a": {"b": {"c": 1}}}),
    *({"lr": 1}, {"image": 3}, "a" * 300, {"low": 0, "high": 1}, [{"name": "mlp"}], {"name": "adamw", "lr": "x"}),
)


@st.composite
def damaged_text(draw: st.DrawFn) -> str:
    """A real file with pieces put in, taken out or repeated."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        at, size = draw(st.integers(0, len(text))), draw(st.integers(0, 40))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.just(text[at : at + size]), st.text(max_size=3)))
        text = text[:at] + piece + text[at + draw(st.sampled_from((0, 0, 1, size))) :]
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


@st.composite
def damaged_data(draw: st.DrawFn) -> str:
    """A real file with keys and values changed."""
    data = copy.deepcopy(yaml.safe_load(draw(st.sampled_from(TEXTS))))
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(list(_places(data))))
        holder, key = where
        how = draw(st.sampled_from(("value", "delete", "rename", "copy", "wrap", "add")))
        if how == "delete":
            del holder[key]
        elif how == "rename" and isinstance(holder, dict):
            name = str(key)
            new = draw(
                st.sampled_from((name.replace("_", "-"), name + "s", name[:-1], name.upper(), "int", "name", ""))
            )
            holder[new] = holder.pop(key)
        elif how == "copy":
            other, from_key = draw(st.sampled_from(list(_places(data))))
            holder[key] = copy.deepcopy(other[from_key])
        elif how == "wrap":
            holder[key] = draw(st.sampled_from(([holder[key]], {"name": holder[key]}, {"a": holder[key]})))
        elif how == "add" and isinstance(holder, dict):
            new = draw(st.sampled_from(("batch-size", "int", "fusion", "name", "train", "dim", "options", "k")))
            holder[new] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        if not any(True for _ in _places(data)):
            break
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _places(data: Any) -> Any:
    """Every (holder, key) of the data."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(pairs):
        yield data, key
        yield from _places(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.timeout(600 + EXAMPLES)
@given(text=st.one_of(damaged_text(), damaged_data()))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
def test_a_damaged_experiment_is_read_or_refused(text: str, folder: Path) -> None:
    file = folder / "e.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    begin, message = time.process_time(), None
    try:
        if is_index_experiment(document.load(file).data):
            load_index_experiment(file)
        else:
            load_experiment(file)
    except VsebenchError as error:
        message = str(error)
    assert time.process_time() - begin < 30, "no hang"
    # Every line names the file; the line numbers of what has none (a file that is empty) are left out.
    for line in [] if message is None else message.splitlines() or [""]:
        assert line.startswith((f"{file}", "… and ")), message
