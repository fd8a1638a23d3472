"""What can be swapped is registered: a plug-in file adds to every kind, and YAML or a command names it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from swept import sweep_in

from vsebench.cli.combine import CombineOptions, run_combine
from vsebench.cli.components import check
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.core.registry import KINDS
from vsebench.runs.load import find_run, load_run
from vsebench.runs.snapshot import load, results_file

PLUGIN = '''
from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Gt
from torch import Tensor, nn

import vsebench as vb

DARKENED = []


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
'''
NAMES = {"augmentation": "my_darken", "projection": "my_halves", "ensemble": "my_centred"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_file: Path) -> Iterator[Path]:
    """A swept experiment that names parts of a plug-in which its file lists."""
    folder = tmp_path_factory.mktemp("plugin_kinds")
    (folder / "my_parts.py").write_text(PLUGIN, encoding="utf-8")
    shutil.copy(tiny_file, folder / "tiny.h5")
    sweep_in(folder, experiment(folder))
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
    run_combine(
        CombineOptions(
            ["parts/halves", "parts/whole"],
            weights=None,
            normalize="my_centred",
            select=None,
            name="both",
            experiment=None,
            runs=folder / "runs",
            board=folder / "board",
            device="cpu",
            plugins=(folder / "my_parts.py",),
            trust=False,
            cache=False,
        )
    )
    results = load(results_file(folder / "board", "parts")).results.values()
    (both,) = [result for result in results if result.system == "both"]
    assert both.ranking["rule"] == "my_centred"


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
        ({"systems": {"a": {"projection": "my_halvs"}}}, "unknown projection 'my_halvs'. Did you mean 'my_halves'?"),
    ],
)
def test_misspelt_names_have_their_place(folder: Path, block: dict[str, Any], message: str) -> None:
    import yaml

    file = folder / "wrong.yaml"
    file.write_text(yaml.safe_dump({**experiment(folder), **block}, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    assert message in str(caught.value)
    assert f"{file}:" in str(caught.value)
