"""A comparison of indexes from the file to the board: resumed, failed, stale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from galleries import home
from typer.testing import CliRunner

from vsebench.cli.app import app
from vsebench.core.errors import ConfigError, RunFailed
from vsebench.leaderboard.render import render, stale
from vsebench.runs.store import Store
from vsebench.stats.pareto import front

PLAIN: dict[str, Any] = {
    "experiment": "tiny",
    "title": "Small <b>",
    "vectors": {"generated": {"count": 400, "queries": 20, "dim": 16, "latent": 4, "clusters": 8}},
    "k": [1, 10],
    "seeds": [0, 1],
    "indexes": {
        "Exact": "flat",
        "Planes | 32": {"name": "lsh", "bits": 32},
        "Signs": {"name": "binary", "center": True},
    },
}


def run(folder: Path, plain: dict[str, Any] = PLAIN, *more: str) -> Any:
    (folder / "tiny.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    message = ["sweep", str(folder / "tiny.yaml"), "--runs", str(folder / "runs"), "--board", str(folder / "board")]
    return CliRunner().invoke(app, [*message, "--wandb", "disabled", *more])


def test_from_file_to_board(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.exit_code == 0, done.output
    assert "tiny: 4 measurements, 0 finished, 4 to do." in done.output
    page = (tmp_path / "board" / "tiny.md").read_text()
    assert "# Small \\<b\\>" in page
    assert page.index("| Exact") < page.index("| Planes \\| 32") < page.index("| Signs")
    assert "| flat" in page
    assert "2 numbers" not in page
    for kind in ("speed", "size"):
        drawn = (tmp_path / "board" / "plots" / f"tiny-{kind}.svg").read_text()
        assert f"plots/tiny-{kind}.svg" in page
        assert "<script" not in drawn
        assert "<b>" not in drawn
    table = (tmp_path / "board" / "tiny.csv").read_text().splitlines()
    assert len(table) == 1 + 4
    assert table[0].startswith("row,index,options,seed,run_id,1-recall@1")
    assert "tiny" in (tmp_path / "board" / "README.md").read_text()
    results = {r.system: r for r in Store(tmp_path / "runs", "tiny").results()}
    assert results["Exact"].metrics["recall@10"] == 1.0
    assert results["Exact"].hardware["threads"] == 1


def test_what_is_measured_is_not_measured_again(tmp_path: Path) -> None:
    assert run(tmp_path, PLAIN, "--only", "Exact").exit_code == 0
    store = Store(tmp_path / "runs", "tiny")
    before = {r.run_id: r.finished_at for r in store.results()}
    assert len(before) == 1
    again = run(tmp_path)
    assert "4 measurements, 1 finished, 3 to do." in again.output
    after = {r.run_id: r.finished_at for r in store.results()}
    assert len(after) == 4
    assert before.items() <= after.items()
    assert "4 measurements, 4 finished, 0 to do." in run(tmp_path).output


def test_other_vectors_are_measured_anew(tmp_path: Path) -> None:
    assert run(tmp_path, PLAIN, "--only", "Exact").exit_code == 0
    other = {**PLAIN, "vectors": {"generated": {**PLAIN["vectors"]["generated"], "seed": 1}}}
    assert "3 measurements" not in run(tmp_path, other, "--only", "Exact", "--dry-run").output
    assert "1 measurements, 1 to do." in run(tmp_path, other, "--only", "Exact", "--dry-run").output


def test_a_stale_plot_or_page_is_found(tmp_path: Path) -> None:
    assert run(tmp_path).exit_code == 0
    board = tmp_path / "board"
    assert stale(board) == []
    plot = board / "plots" / "tiny-speed.svg"
    whole = plot.read_text()
    plot.write_text(whole.replace("</svg>", "<rect/></svg>"))
    assert stale(board) == [plot]
    assert render(board) == [plot]
    assert plot.read_text() == whole, "the same results give the same bytes"
    results = board / "results" / "tiny.json"
    changed = json.loads(results.read_text())
    first = next(iter(changed["results"].values())) if isinstance(changed["results"], dict) else changed["results"][0]
    first["metrics"]["recall@10"] = 0.5
    results.write_text(json.dumps(changed))
    assert {file.name for file in stale(board)} >= {"tiny.md", "tiny.csv", "tiny-speed.svg", "tiny-size.svg"}


def test_a_failure_stands_on_the_board_and_the_others_are_measured(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: no index that refuses few vectors")
    few = {**PLAIN, "indexes": {**PLAIN["indexes"], "Too fine": {"name": "pq", "m": 8}}}
    few["vectors"] = {"generated": {"kind": "gaussian", "count": 12, "queries": 5, "dim": 16}}
    few["k"] = [1]
    ended = run(tmp_path, few)
    results = list(Store(tmp_path / "runs", "tiny").results())
    assert {r.system for r in results if r.status == "failed"} == {"Too fine"}
    assert {r.system for r in results if r.status == "finished"} == set(PLAIN["indexes"])
    assert isinstance(ended.exception, RunFailed)
    assert "2 of 6 measurements failed" in str(ended.exception)
    assert "Too fine" in (tmp_path / "board" / "tiny.md").read_text()


def test_options_without_meaning_are_refused(tmp_path: Path) -> None:
    for option in (["--workers", "2"], ["--executor", "ray"], ["--processes-per-run", "2"]):
        refused = run(tmp_path, PLAIN, *option)
        assert isinstance(refused.exception, ConfigError)
        assert "measures speed" in str(refused.exception)


def test_embeddings_of_a_run(tmp_path: Path) -> None:
    plain = {**PLAIN, "vectors": {"run": "tiny/both", "modality": "text"}, "k": [1], "indexes": {"Exact": "flat"}}
    plain["experiment"] = "of_a_run"
    (tmp_path / "of_a_run.yaml").write_text(yaml.safe_dump(plain))
    runs = Path(shutil.copytree(home() / "runs", tmp_path / "runs"))  # other tests count what is in the shared one
    message = ["sweep", str(tmp_path / "of_a_run.yaml"), "--runs", str(runs), "--board", str(tmp_path / "b")]
    for _ in range(2):  # the second time from what was kept
        done = CliRunner().invoke(app, [*message, "--wandb", "disabled"])
        assert done.exit_code == 0, done.output
    (result,) = Store(runs, "of_a_run").results()
    assert result.metrics["recall@1"] == 1.0
    assert "Text embeddings of" in (tmp_path / "b" / "of_a_run.md").read_text()
    assert "both" in result.dataset["title"]


def test_the_front_is_what_no_other_point_beats() -> None:
    rng = np.random.default_rng(0)
    points = [tuple(p) for p in rng.integers(0, 6, (40, 2)).astype(float)]
    slow = {
        i for i, (a, b) in enumerate(points) if not any((c >= a and d >= b) and (c > a or d > b) for c, d in points)
    }
    assert set(front(points)) == slow
