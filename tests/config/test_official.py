"""Experiments on data that must be fetched: each is planned on a miniature of the official files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from builder_layouts import LAYOUTS, OPTIONS
from typer.testing import CliRunner

from vsebench.cli.app import app
from vsebench.core.registry import DATASETS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
#: Experiment -> the builder of its dataset, and options without which a miniature is too small.
OFFICIAL: dict[str, tuple[str, dict[str, Any]]] = {
    "flickr30k": ("flickr30k", {}),
    "coco": ("coco", {"fold_size": 3}),
    "mirflickr25k": ("mirflickr25k", {}),
    "iapr_tc12": ("iapr_tc12", {}),
    "nus_wide": ("nus_wide", {}),
    "visual_genome": ("visual_genome", {"subset": 24, "captions": 5}),
    "in_shop": ("mmfrb", {}),
}
#: What a miniature cannot have, such as folds of 1,000 images.
TOO_SMALL = {"coco": ("-o", "metrics=['recall@{1,5,10}', median_rank, mean_rank, rsum]")}


@pytest.mark.parametrize("name", OFFICIAL)
def test_an_experiment_is_planned_on_official_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder, options = OFFICIAL[name]
    LAYOUTS[builder](tmp_path / "source")
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    file = EXPERIMENTS / f"{name}.yaml"
    plain = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert plain["experiment"] == plain["dataset"] == name
    out = tmp_path / "home" / "datasets" / f"{name}.h5"
    out.parent.mkdir(parents=True)
    options = {"source": str(tmp_path / "source"), **OPTIONS.get(builder, {}), **options}
    DATASETS.get(builder).build(options, out=out, progress=lambda done, total: None)
    monkeypatch.setenv("COLUMNS", "200")
    plan = CliRunner().invoke(app, ["sweep", str(file), "--dry-run", *TOO_SMALL.get(name, ())])
    assert plan.exit_code == 0, plan.output
    for row in plain.get("systems", {}):
        assert row in plan.output
    assert f"{rows_of(plain) * len(plain['seeds'])} runs" in plan.output


def rows_of(plain: dict[str, Any]) -> int:
    sweep = plain.get("sweep", [])
    blocks = sweep if isinstance(sweep, list) else [sweep]
    points = [math.prod(len(values) for values in block["grid"].values()) for block in blocks]
    return len(plain.get("systems", {})) + sum(points)


def test_flickr30k_has_the_source_s_table() -> None:
    board = yaml.safe_load((EXPERIMENTS / "flickr30k.yaml").read_text(encoding="utf-8"))["board"]
    (table,) = board["references"]
    assert [column for column in table["columns"] if column.endswith("MR")] == ["i→t MR", "t→i MR"]
    assert len(table["rows"]) == 8
    assert all(len(row) == len(table["columns"]) for row in table["rows"].values())
    assert table["rows"]["DAN-ResNet"][:8] == [55.0, 81.8, 89.0, 1, 39.4, 69.2, 79.1, 2]
