"""What can be swapped is registered: a plug-in file adds to every kind, and YAML or a command names it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from board_texts import blocks_text

from vsebench.cli.app import app
from vsebench.cli.combine import combine
from vsebench.cli.components import check
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.core.registry import KINDS, MEASUREMENTS
from vsebench.leaderboard.measured import measurement_sections
from vsebench.leaderboard.render import stale
from vsebench.runs.find import find_run
from vsebench.runs.load import load_run
from vsebench.runs.snapshot import load, results_file

PLUGIN = '''
from __future__ import annotations

from contextlib import contextmanager
from typing import Annotated

import numpy as np
import torch
from annotated_types import Gt
from torch import Tensor, nn

import vsebench as vb

DARKENED, STARTED = [], []


@vb.AUGMENTATIONS.register("my_darken", source="a test")
def my_darken(pixels: Tensor, *, most: Annotated[float, Gt(0)] = 0.5) -> Tensor:
    """Darken each image by a random factor.

    Args:
        pixels: of a training batch (wired).
        most: largest share of the light that is lost.

    Shape: (B, 3, H, W) -> (B, 3, H, W).

    Example:
        >>> my_darken(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """
    DARKENED.append(most)
    return (pixels * (1 - most * torch.rand(len(pixels), 1, 1, 1))).to(pixels.dtype)


@vb.PROJECTIONS.register("my_halves", source="a test")
class MyHalves(nn.Linear):
    """Map to half of the joint size.

    Args:
        dim: size of the pooled vector (wired).
        dim_out: size of the joint space (wired).

    Shape: (B, D_m) -> (B, D / 2).

    Example:
        >>> MyHalves(4, 8).dim_out
        4
    """

    def __init__(self, dim: int, dim_out: int) -> None:
        super().__init__(dim, dim_out // 2)
        self.dim_out = dim_out // 2


@vb.ENSEMBLES.register("my_centred", source="a test")
def my_centred(scores: np.ndarray) -> np.ndarray:
    """Subtract each query's mean score.

    Args:
        scores: of queries against their galleries (wired).

    Shape: float64 (b, G) -> float64 (b, G).

    Example:
        >>> my_centred(np.array([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]
    """
    return scores - scores.mean(1, keepdims=True)


@vb.CORRUPTIONS.register("my_stripes", source="a test", meaning={"image": "stripes by their colour"}, title="stripes")
class MyStripes(vb.Corruption):
    """Paint every second column.

    Example:
        >>> MyStripes().image(np.zeros((3, 1, 2), np.uint8), 2.0, np.random.default_rng(0))[0].tolist()
        [[2, 0]]
    """

    def image(self, pixels: np.ndarray, strength: Annotated[float, Gt(1)], generator: np.random.Generator):
        """Return striped pixels."""
        changed = pixels.copy()
        changed[..., ::2] = int(strength)
        return changed


@vb.MEASUREMENTS.register("my_norms", source="a test")
class MyNorms(vb.Measurement):
    """Measure the size of a projection's weights.

    Args:
        order: of the norm.

    Example:
        >>> MyNorms(order=1).order
        1
    """

    title = "Norms"
    description = "How large the weights are."
    columns = (
        vb.BoardColumn("Largest", "largest", digits=3, best="min"),
        vb.BoardColumn("Items", "sizes/test", digits=0),
    )

    def __init__(self, *, order: Annotated[int, Gt(0)] = 2) -> None:
        self.order = order

    def measure(self, run, dataset):
        """Return norms of all parameters."""
        norms = [float(torch.linalg.vector_norm(p.detach(), self.order)) for p in run.model.parameters()]
        return {"largest": max(norms), "sizes": {"test": len(dataset.splits["test"])}}


@vb.EXECUTORS.register("my_loop", source="a test")
class MyLoop(vb.Executor):
    """Do the runs one after the other, in this process.

    Args:
        work: how many at a time, and with what (wired).
        note: kept for the test.

    Example:
        >>> MyLoop(vb.Work(), note="x").note
        'x'
    """

    def __init__(self, work, *, note: str = "") -> None:
        super().__init__(work)
        self.note = note

    @contextmanager
    def started(self):
        """Give a loop."""
        def execute(runs, settings, on_event):
            STARTED.append((self.note, len(runs)))
            self.run_here(runs, settings, on_event)

        yield 1, execute
'''
NAMES = {
    "augmentation": "my_darken",
    "projection": "my_halves",
    "ensemble": "my_centred",
    "corruption": "my_stripes",
    "measurement": "my_norms",
    "executor": "my_loop",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_file: Path) -> Iterator[Path]:
    """A swept experiment that names parts of a plug-in which its file lists."""
    folder = tmp_path_factory.mktemp("plugin_kinds")
    (folder / "my_parts.py").write_text(PLUGIN, encoding="utf-8")
    shutil.copy(tiny_file, folder / "tiny.h5")
    (folder / "parts.yaml").write_text(yaml.safe_dump(experiment(folder), sort_keys=False), encoding="utf-8")
    command = ["sweep", "parts.yaml", "--executor", "my_loop", "--executor-option", "note=a note", "--workers", "1"]
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("VSEBENCH_HOME", str(folder / "home"))
        app([*command, "--wandb", "disabled", "--board", "board", "--device", "cpu"], standalone_mode=False)
    torch.set_num_threads(threads)
    yield folder
    for kind, name in NAMES.items():
        KINDS[kind].forget(name)


def experiment(folder: Path) -> dict[str, Any]:
    cnn = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
    row = {"dim": 8, "image_encoder": cnn, "text_encoder": "bow", "head": "none", "objective": "info_nce"}
    return {
        "experiment": "parts",
        "plugins": ["my_parts.py"],
        "dataset": str(folder / "tiny.h5"),
        "metrics": ["recall@{1,5}"],
        "seeds": [0],
        "train": {"epochs": 1, "batch_size": 16, "augment": {"name": "my_darken", "most": 0.25}},
        "measure": {
            "my_norms": {"order": 1},
            "robustness": {"image": {"my_stripes": [200]}, "text": {}, "shuffle": False, "drop": False},
        },
        "systems": {"halves": {**row, "projection": "my_halves"}, "whole": {**row, "projection": "linear"}},
    }


def module(folder: Path) -> Any:
    from vsebench.core.plugins import load_plugin

    return load_plugin(folder / "my_parts.py")


def test_an_augmentation_of_a_plug_in_changes_training(folder: Path) -> None:
    assert set(module(folder).DARKENED) == {0.25}
    run = load_run(find_run("parts/halves", folder / "runs"))
    assert run.result.config["train"]["augment"] == {"name": "my_darken", "options": {"most": 0.25}}


def test_a_projection_of_a_plug_in_gives_its_own_width(folder: Path) -> None:
    run = load_run(find_run("parts/halves", folder / "runs"))
    assert run.model.dims == {"image": 4, "text": 4}
    assert run.result.config["projection"] == "my_halves"
    assert load_run(find_run("parts/whole", folder / "runs")).model.dims == {"image": 8, "text": 8}


def test_an_ensembling_rule_of_a_plug_in_is_named_on_the_command_line(folder: Path) -> None:
    combine(
        ["parts/halves", "parts/whole"],
        normalize="my_centred",
        name="both",
        runs=folder / "runs",
        board=folder / "board",
        device="cpu",
        plugin=[folder / "my_parts.py"],
        cache=False,
    )
    results = load(results_file(folder / "board", "parts")).results.values()
    (both,) = [result for result in results if result.system == "both"]
    assert both.ranking["rule"] == "my_centred"


def test_an_executor_of_a_plug_in_does_the_runs(folder: Path) -> None:
    assert module(folder).STARTED == [("a note", 2)]


def test_a_measurement_of_a_plug_in_is_stored_and_on_the_board(folder: Path) -> None:
    snapshot = load(results_file(folder / "board", "parts"))
    run = load_run(find_run("parts/halves", folder / "runs"))
    norms = [float(p.detach().abs().sum()) for p in run.model.parameters()]
    values: Any = snapshot.measures[run.run_id]["my_norms"]
    assert values == {"largest": pytest.approx(max(norms), rel=1e-4), "sizes": {"test": 12}}
    page = (folder / "board" / "parts.md").read_text()
    section = page.split("<b>Norms</b>")[1].split("</details>")[0]
    assert "How large the weights are." in section
    assert re.search(r"\| System +\| +Largest \| Items \|", section)
    assert re.search(rf"\| halves +\| +\**{values['largest']:.3f}\** \| +12 \|", section)
    assert stale(folder / "board", ["parts"]) == []


def test_a_board_names_a_measurement_whose_plug_in_is_not_loaded(folder: Path) -> None:
    component = MEASUREMENTS.get("my_norms")
    MEASUREMENTS.forget("my_norms")
    try:
        shown = measurement_sections(load(results_file(folder / "board", "parts")))
    finally:
        MEASUREMENTS._components["my_norms"] = component
    assert "Measured but not shown (the plug-in that registers it was not loaded" in blocks_text(shown)
    assert "Robustness" in [section.title for section in shown]


def test_a_corruption_of_a_plug_in_is_a_column_of_the_board(folder: Path) -> None:
    page = (folder / "board" / "parts.md").read_text()
    assert re.search(r"\| System +\| +As it is \| +image stripes 200 \|", page)
    assert "stripes by their colour" in page


@pytest.mark.parametrize(("kind", "name"), NAMES.items())
def test_the_conformance_kit_checks_a_part_of_a_plug_in(folder: Path, kind: str, name: str) -> None:
    assert check(kind, name, (), (folder / "my_parts.py",)) == 0


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"train": {"augment": "my_darkn"}}, "unknown augmentation 'my_darkn'. Did you mean 'my_darken'?"),
        (
            {"train": {"augment": {"name": "my_darken", "mots": 1}}},
            "unknown option 'mots' of augmentation 'my_darken'.",
        ),
        ({"measure": {"my_nroms": True}}, "unknown measurement 'my_nroms'. Did you mean 'my_norms'?"),
        ({"measure": {"my_norms": {"ordr": 1}}}, "unknown option 'ordr' of measurement 'my_norms'."),
        ({"measure": {"my_norms": {"order": 0}}}, "'order' of measurement 'my_norms': must be greater than 0"),
        ({"measure": {"robustness": {"image": {"my_strips": [2]}}}}, "Did you mean 'my_stripes'?"),
        ({"systems": {"a": {"projection": "my_halvs"}}}, "unknown projection 'my_halvs'. Did you mean 'my_halves'?"),
    ],
)
def test_misspelt_names_have_their_place(folder: Path, block: dict[str, Any], message: str) -> None:
    file = folder / "wrong.yaml"
    file.write_text(yaml.safe_dump({**experiment(folder), **block}, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    assert message in str(caught.value)
    assert f"{file}:" in str(caught.value)
