"""A plug-in that fails: the run's error names the component, the line of its file, and what was expected."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from vsebench.cli import app as cli
from vsebench.config.experiment import load_experiment
from vsebench.core.plugins import load_plugin
from vsebench.core.registry import FUSIONS, KINDS
from vsebench.core.types import Result
from vsebench.data.open import open_dataset
from vsebench.engine.dry_run import dry_run
from vsebench.pipeline import sweep_to_board
from vsebench.runs.store import Store
from vsebench.runs.tracking import NullTracker
from vsebench.sweeps import prepare
from vsebench.sweeps import run_one as execution
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]
PLUGIN = """
import random
import numpy as np
import torch
from torch import nn
import vsebench as vb

Concat = vb.FUSIONS.get("concat").target


class Joined(vb.Fusion):
    def __init__(self, dims, dim_out):
        super().__init__()
        self.dim_out = 12
        self.join = nn.Linear(sum(dims.values()), 5)

    def forward(self, vectors):
        return self.join(torch.cat(list(vectors.values()), 1))


@vb.FUSIONS.register("narrow", source="none")
class Narrow(Joined):
    pass


@vb.FUSIONS.register("silent", source="none")
class Silent(Joined):
    def forward(self, vectors):
        super().forward(vectors)


@vb.FUSIONS.register("without_width", source="none")
class WithoutWidth(Joined):
    def __init__(self, dims, dim_out):
        super().__init__(dims, dim_out)
        del self.dim_out


@vb.FUSIONS.register("constructed", source="none")
class Constructed(Joined):
    def __init__(self, dims, dim_out):
        self.join = nn.Linear(2, 2)


def stack(vectors):
    return torch.stack(list(vectors.values()))[5]


@vb.FUSIONS.register("raising", source="none")
class Raising(Joined):
    def forward(self, vectors):
        return stack(vectors)


@vb.FUSIONS.register("later", source="none")
class Later(Concat):
    def forward(self, vectors):
        if self.training:
            raise KeyError("weights")
        return super().forward(vectors)


@vb.FUSIONS.register("drawing", source="none")
class Drawing(Concat):
    def forward(self, vectors):
        torch.rand(3), np.random.rand(3), random.random()
        return super().forward(vectors)


@vb.FUSIONS.register("normed", source="none")
class Normed(Concat):
    def __init__(self, dims, dim_out):
        super().__init__(dims)
        self.norm = nn.BatchNorm1d(self.dim_out)

    def forward(self, vectors):
        return self.norm(super().forward(vectors))


@vb.HEADS.register("transposed", source="none")
class Transposed(vb.Head):
    def __init__(self, dim_in, num_classes):
        super().__init__()
        self.linear = nn.Linear(dim_in, num_classes)

    def forward(self, joint):
        return self.linear(joint).T


@vb.POOLINGS.register("unpooled", source="none")
class Unpooled(vb.POOLINGS.get("mean").target):
    def forward(self, tokens, context=None):
        return tokens.values


@vb.ATTENTIONS.register("masked_twice", source="none")
class MaskedTwice(vb.Attention):
    def __init__(self, dims, dim):
        super().__init__()
        self.dims_out = dict(dims)

    def forward(self, tokens, weights=None):
        return {m: type(t)(t.values, t.mask[:, :, None]) for m, t in tokens.items()}


@vb.OBJECTIVES.register("vectorial", source="none")
class Vectorial(vb.Objective):
    def __init__(self):
        super().__init__()

    def forward(self, output, batch):
        return {"vectorial": output.logits.square().mean(1)}


@vb.METRICS.register("unmeasured", source="none", higher_is_better=True)
def unmeasured(predictions):
    return {"unmeasured": 1 / 0}
"""
NAMES = re.findall(r'(\w+)S\.register\("(\w+)"', PLUGIN)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    file = tmp_path_factory.mktemp("plugin") / "broken.py"
    file.write_text(PLUGIN)
    yield file
    for kind, name in NAMES:
        KINDS[kind.lower()].forget(name)


def line_of(text: str) -> int:
    """Line of the plug-in's file; of a class its decorator."""
    return PLUGIN[: PLUGIN.index(text)].count("\n") + 1


def here(runs: Any, settings: Settings, tell: Any) -> None:
    """Do runs in this process, where tests can watch them."""
    for one in runs:
        store, dataset = Store(settings.store_root, one.experiment), open_dataset(one.dataset)
        execution.execute(one, dataset, store, device=torch.device("cpu"), tracker=lambda _: NullTracker())


def run(plugin: Path, tiny_file: Path, folder: Path, **changes: Any) -> Result:
    """The result of a quick row with a part changed."""
    system = {
        "system": "vse",
        "dim": 12,
        "image_encoder": {"name": "features"},
        "text_encoder": {"name": "features"},
        "head": {"name": "linear"},
        "fusion": {"name": "concat"},
        **{k: v for k, v in changes.items() if k != "metrics"},
    }
    system = {key: value for key, value in system.items() if value is not None}
    content = {
        "experiment": "broken",
        "dataset": str(tiny_file),
        "plugins": [str(plugin)],
        "metrics": ["accuracy", *changes.get("metrics", ())],
        "seeds": [0],
        "train": {"epochs": 1, "batch_size": 16},
        **({"select": {"metric": "val/i2t/recall@1"}, "metrics": ["recall@1"]} if "head" not in system else {}),
        "systems": {"row": system},
    }
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(content))
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    settings = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu")
    message = {"settings": settings, "workers": 1, "board_folder": folder / "board", "command": "vsebench sweep"}
    sweep_to_board(experiment, dataset, execute=here, **message)
    (result,) = Store(folder / "runs", "broken").results()
    return result


CASES = {
    "narrow": (
        {"fusion": {"name": "narrow"}},
        r"fusion 'narrow' \({file}:FORWARD\) returns a tensor \(4, 5\); expected \(4, 12\): "
        r"4 items, and its dim_out is 12\.",
        "    def forward(self, vectors):\n        return self.join",
    ),
    "silent": (
        {"fusion": {"name": "silent"}},
        r"fusion 'silent' \({file}:FORWARD\) returns NoneType; expected a tensor \(4, 12\)",
        "    def forward(self, vectors):\n        super().forward",
    ),
    "without_width": (
        {"fusion": {"name": "without_width"}},
        r"fusion 'without_width' \({file}:FORWARD\) must set dim_out, the width of what it returns, .* it is None\.",
        "    def __init__(self, dims, dim_out):\n        super().__init__(dims, dim_out)",
    ),
    "constructed": (
        {"fusion": {"name": "constructed"}},
        r"fusion 'constructed' fails at {file}:FORWARD, in __init__: AttributeError: cannot assign module",
        "        self.join = nn.Linear(2, 2)",
    ),
    "raising": (
        {"fusion": {"name": "raising"}},
        r"fusion 'raising' fails at {file}:FORWARD, in stack: (Runtime|Index)Error: .*",
        "    return torch.stack(list",
    ),
    "later": (
        {"fusion": {"name": "later"}},
        r"fusion 'later' fails at {file}:FORWARD, in forward: KeyError: 'weights'\.",
        '            raise KeyError("weights")',
    ),
    "transposed": (
        {"head": {"name": "transposed"}},
        r"head 'transposed' \({file}:FORWARD\) returns a tensor \(3, 4\); expected \(4, 3\): 4 items, 3 classes\.",
        "    def forward(self, joint):",
    ),
    "unpooled": (
        {"pooling": "unpooled"},
        r"pooling 'unpooled' \({file}:FORWARD\) returns a tensor \(4, .*\); expected \(4, .*\): 4 items, and its",
        "    def forward(self, tokens, context=None):",
    ),
    "masked_twice": (
        {"attention": {"name": "masked_twice"}},
        r"attention 'masked_twice' \({file}:FORWARD\) returns tokens \(4, (\d), 6\) with a mask \(4, \1, 1\); "
        r"expected \(4, N, 6\) with a mask \(4, N\): dims_out\['image'\] is 6\.",
        "    def forward(self, tokens, weights=None):",
    ),
    "vectorial": (
        {"objective": [{"name": "vectorial"}]},
        r"objective 'vectorial' \({file}:FORWARD\) returns vectorial of \(16,\); expected one number for the batch\.",
        "    def forward(self, output, batch):",
    ),
    "unmeasured": (
        {"metrics": ["unmeasured"]},
        r"metric 'unmeasured' fails at {file}:FORWARD, in unmeasured: ZeroDivisionError: division by zero\.",
        '    return {"unmeasured"',
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_component_and_its_line_are_named(name: str, plugin: Path, tiny_file: Path, tmp_path: Path) -> None:
    changes, pattern, at = CASES[name]
    result = run(plugin, tiny_file, tmp_path, **changes)
    assert result.status == "failed"
    wanted = pattern.replace("{file}", re.escape(str(plugin))).replace("FORWARD", str(line_of(at)))
    assert re.match(wanted, str(result.error)), result.error
    assert "\n" not in str(result.error)
    _, _, file = str(result.error).partition(" The whole traceback: ")
    assert Path(file).read_text().startswith("Traceback (most recent call last)")
    assert (Path(file).parent / "run.yaml").is_file(), "it is in the run's folder"


def test_wrong_shapes_are_seen_before_training(
    plugin: Path, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "fit", lambda *a, **k: pytest.fail("trained"))
    assert "fusion 'narrow'" in str(run(plugin, tiny_file, tmp_path, fusion={"name": "narrow"}).error)


def test_other_commands_name_the_component_too(
    plugin: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load_plugin(plugin)
    command = partial(FUSIONS.build, "constructed", dims={"image": 2}, dim_out=3)
    monkeypatch.setattr(cli, "app", lambda standalone_mode: command())
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    message = capsys.readouterr().err
    assert message.startswith(f"error: fusion 'constructed' fails at {plugin}:")
    file = Path(message.partition(" The whole traceback: ")[2].strip())
    assert "AttributeError" in file.read_text()
    monkeypatch.setattr(cli, "app", lambda standalone_mode: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # a mistake of ours
        cli.main()


def test_the_traceback_goes_when_a_run_succeeds(plugin: Path, tiny_file: Path, tmp_path: Path) -> None:
    result = run(plugin, tiny_file, tmp_path)
    file = tmp_path / "runs" / "broken" / result.run_id / execution.TRACEBACK
    file.write_text("of an earlier try")
    (file.parent / "result.json").unlink()
    assert run(plugin, tiny_file, tmp_path).status == "finished"
    assert not file.exists()


ROWS = {
    "batch statistics and dropout": {"fusion": {"name": "normed"}, "dropout": 0.2},
    "a fusion that draws": {"fusion": {"name": "drawing"}},
    "a pairwise scorer": {"system": "scan_t2i", "fusion": None, "head": None, "dim": None},
}


@pytest.mark.parametrize("row", ROWS)
def test_the_dry_run_changes_no_number(
    row: str, plugin: Path, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained weights and metrics are the same to the bit with and without it, and so are all random states."""
    states = []

    def watched(model: Any, loader: Any, *, device: torch.device) -> None:
        def state() -> tuple[Any, ...]:
            weights = {k: v.clone() for k, v in model.state_dict().items()}
            modes = [m.training for m in model.modules()]
            return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate(), modes, weights

        before = state()
        dry_run(model, loader, device=device)
        after = state()
        assert before[:4] == after[:4]
        assert all(torch.equal(v, after[4][k]) for k, v in before[4].items())
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
        states.append(1)

    monkeypatch.setattr(prepare, "dry_run", watched)
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    once = run(plugin, tiny_file, tmp_path / "with", **ROWS[row])
    monkeypatch.setattr(prepare, "dry_run", lambda *a, **k: None)
    again = run(plugin, tiny_file, tmp_path / "without", **ROWS[row])
    assert states == [1], once.error
    assert once.status == "finished", once.error
    assert once.metrics == again.metrics
    place = Path("runs") / "broken" / once.run_id / "model.safetensors"
    weights, others = (load_file(tmp_path / folder / place) for folder in ("with", "without"))
    assert all(torch.equal(value, others[name]) for name, value in weights.items())
