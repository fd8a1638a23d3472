"""Curves and confusion matrices that a board keeps, so that its page shows them without the runs' folders."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import boards
import numpy as np
import pytest
from html_boards import board as generated
from html_boards import write_runs

from vsebench.cli.results import merge
from vsebench.core.errors import DataError
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.details import details_of
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.published import Published, RunDetails, details_file, load, publish, save
from vsebench.leaderboard.render import render, stale
from vsebench.leaderboard.renderers.html import page
from vsebench.results.verify import verify
from vsebench.runs.snapshot import Snapshot, results_file
from vsebench.runs.store import Store

CURVES = {"val/accuracy": [(1, 0.25), (2, 0.5)]}


def rows_of(snapshot: Snapshot, runs: Path | None, published: Published | None = None) -> list[dict[str, Any]]:
    return details_of(snapshot, board_page(BoardData(snapshot)).tables(), runs, published=published).rows[0]


def test_a_page_without_runs_has_the_curves_and_matrices_of_one_with_them(tmp_path: Path) -> None:
    runs, snapshot = tmp_path / "runs", generated()
    write_runs(runs, snapshot)
    for result in snapshot.results.values():
        Store(runs, "demo").write(result)
    publish(snapshot, runs, tmp_path)
    published = load(details_file(tmp_path, "demo"))
    with_runs, without = rows_of(snapshot, runs), rows_of(snapshot, None, published)
    for full, bare in zip(with_runs, without, strict=True):
        assert full["curves"] == bare["curves"]
        assert {key: full["classes"][key] for key in ("runs", "confusion", "mistakes", "sums")} == bare["classes"]
        assert bare["absent"].endswith("missing here: other curves and examples come from them.")
    shutil.rmtree(runs / "demo" / snapshot.rows[0].runs["1"])
    assert rows_of(snapshot, runs, published)[0]["curves"] == with_runs[0]["curves"]


def test_kept_without_runs_and_only_of_the_same_result(tmp_path: Path) -> None:
    results = [boards.run(tmp_path / "runs", "a", seed) for seed in (0, 1)]
    snapshot, file = boards.snapshot(results), details_file(tmp_path, boards.NAME)
    publish(snapshot, tmp_path / "runs", tmp_path)
    before = file.read_bytes()
    stored = load(file).runs[results[0].run_id]
    assert stored.curves == CURVES
    assert np.trace(stored.confusion) / boards.COUNT == pytest.approx(results[0].metrics["test/accuracy"])
    publish(snapshot, tmp_path / "nowhere", tmp_path)
    assert file.read_bytes() == before
    again = boards.snapshot([replace(results[0], finished_at="2026-05-05T00:00:00+00:00"), results[1]])
    publish(again, tmp_path / "runs", tmp_path)
    assert set(load(file).runs) == {results[1].run_id}


def test_failed_runs_and_boards_of_no_folder_have_no_file(tmp_path: Path) -> None:
    result = boards.run(tmp_path / "runs", "a", 0)
    publish(boards.snapshot([replace(result, status="failed")]), tmp_path / "runs", tmp_path)
    publish(boards.snapshot([result]), tmp_path / "nowhere", tmp_path)
    assert not details_file(tmp_path, boards.NAME).exists()


def test_merged(tmp_path: Path) -> None:
    results, files = [boards.run(tmp_path / "runs", "a", seed) for seed in (0, 1)], []
    for result in results:
        folder = tmp_path / f"board{result.seed}"
        boards.put(folder, boards.snapshot([result]))
        publish(boards.snapshot([result]), tmp_path / "runs", folder)
        files.append(results_file(folder, boards.NAME))
    merge(tuple(files), tmp_path / "whole", None, 1e-5)
    assert set(load(details_file(tmp_path / "whole", boards.NAME)).runs) == {result.run_id for result in results}


def good() -> dict[str, Any]:
    entry = {"finished_at": "", "curves": {"train/loss": [[1, 0.5]]}, "confusion": [[2, 0], [1, 3]]}
    return {"format": 1, "labels": ["cat"], "runs": {"a": entry}}


def changed(**changes: Any) -> bytes:
    content = good()
    content["runs"]["a"] |= changes
    return gzip.compress(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "Not a gzipped file"),
        (changed()[:-12], "ended before"),
        (gzip.compress(b"[" * 100_000), "recursion"),
        (gzip.compress(json.dumps({"format": 2}).encode()), "it is not of format 1"),
        (gzip.compress(json.dumps({**good(), "labels": [1]}).encode()), "'labels' must be names"),
        (changed(finished_at=None), "run a lacks 'finished_at'"),
        (changed(curves={"train/loss": [[1, float("nan")]]}), "'curves' of run a must be"),
        (changed(curves={"train/loss": [[1, 10**400]]}), "'curves' of run a|int too large"),
        (changed(confusion=[[1, 2]]), "'confusion' of run a must be a square"),
        (changed(confusion=[[-1]]), "'confusion' of run a must be a square"),
    ],
    ids=["no archive", "cut off", "deep", "format", "labels", "run", "no number", "a large number", "row", "negative"],
)
def test_damaged(content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot, file = generated(1, 1), details_file(tmp_path, "demo")
    boards.put(tmp_path, snapshot)
    render(tmp_path)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(file)
    assert "<h1" in page(BoardData(snapshot), folder=tmp_path)
    assert capsys.readouterr().err.count("left out") == 1
    assert stale(tmp_path) == [], "what is committed as text does not depend on it"


def test_large_boards_stay_small(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def one(classes: int) -> RunDetails:
        labels = generator.integers(0, classes, 5_000)
        answers = np.where(generator.random(5_000) < 0.7, labels, generator.integers(0, classes, 5_000))
        counts = np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)
        values = [[(e, float(f"{v:.5g}")) for e, v in enumerate(generator.random(40))] for _ in range(2)]
        return RunDetails(
            "2026-01-02T03:04:05+00:00", {"val/accuracy": values[0], "train/loss": values[1]}, counts.tolist()
        )

    file = tmp_path / "demo.json.gz"
    save(Published({f"{i:016x}": one(18) for i in range(134)}), file)
    assert file.stat().st_size < 200_000


def test_other_counts_than_those_of_the_predictions_are_reported(tmp_path: Path) -> None:
    result = boards.run(tmp_path / "runs", "a", 0)
    snapshot, file = boards.snapshot([result]), details_file(tmp_path, boards.NAME)
    results = results_file(tmp_path, boards.NAME)
    publish(snapshot, tmp_path / "runs", tmp_path)

    def reported(runs: str) -> list[str]:
        return [one.what for one in verify(snapshot, results, tmp_path / runs).differences if one.file == str(file)]

    assert reported("runs") == []
    stored = load(file).runs[result.run_id]
    save(Published({result.run_id: replace(stored, confusion=[[1]])}), file)
    assert reported("runs") == ["confusion"]
    assert reported("nowhere") == []
    file.write_bytes(b"no archive")
    assert reported("runs") == ["file"]
