"""A run done again: to the last bit here, judged by intervals elsewhere, refused where what it was is not known."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import boards
import numpy as np
import pytest
from scipy import stats

from vsebench.cli.reproduce import lines, reproduce
from vsebench.core.errors import DataError
from vsebench.core.types import Result
from vsebench.results.original import dataset_of, find_original, from_folder, refuse_incomplete
from vsebench.results.reproduce import assess, summary, verdict
from vsebench.results.verify import verify
from vsebench.runs.snapshot import load, results_file
from vsebench.runs.store import Store
from vsebench.stats.intervals import item_half_width


@pytest.fixture(autouse=True)
def _own_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "swept" in request.fixturenames:
        monkeypatch.setenv("VSEBENCH_HOME", str(request.getfixturevalue("swept") / "home"))


def done_again(folder: Path, out: Path, row: str, **changes: Any) -> int:
    message = {"runs": folder / "runs", "board": folder / "board", "out": out, "device": "cpu"}
    return reproduce(row, **{**message, **changes})


def result_of(swept: Path, row: str, seed: int) -> Result:
    (results,) = [r for r in Store(swept / "runs", "tiny").results() if (r.system, r.seed) == (row, seed)]
    return results


@pytest.mark.slow
def test_the_same_to_the_last_bit(swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert done_again(swept, tmp_path, "tiny/both", seed=1) == 0
    before = result_of(swept, "both", 1)
    again = Store(tmp_path, "tiny").read(before.run_id)
    assert again is not None
    assert again.metrics == before.metrics
    message = capsys.readouterr().out
    assert f"{len(before.metrics)} numbers: {len(before.metrics)} same." in message
    assert "should have given" not in message
    report = json.loads((tmp_path / "tiny" / before.run_id / "reproduction.json").read_text())
    assert report["holds"]
    assert report["identical_expected"]
    with pytest.raises(DataError, match="was done again here before"):
        done_again(swept, tmp_path, before.run_id)


@pytest.mark.slow
def test_from_a_board_alone(swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No folder of the run is at hand; the dataset is found by its fingerprint."""
    assert done_again(swept, tmp_path / "again", "tiny/image only", runs=tmp_path / "none") == 0
    before = result_of(swept, "image only", 0)
    again = Store(tmp_path / "again", "tiny").read(before.run_id)
    assert again is not None
    assert again.metrics == before.metrics
    message = capsys.readouterr().out
    assert "a board's 6 digits" in message
    assert " differs" not in message


@pytest.mark.slow
def test_a_sweep_s_board_is_verified(swept: Path) -> None:
    """Real runs, with whole lists: everything follows from what they stored."""
    file = results_file(swept / "board", "tiny")
    report = verify(load(file), file, swept / "runs")
    assert (report.differences, report.missing, report.absent) == ([], [], [])
    assert report.recomputed == sum(len(r.metrics) for r in Store(swept / "runs", "tiny").results())


@pytest.mark.slow
def test_how_runs_are_found(swept: Path, tmp_path: Path) -> None:
    runs, board = swept / "runs", swept / "board"
    one = result_of(swept, "both", 1).run_id
    assert find_original(one[:9], runs, board).source == runs / "tiny" / one
    assert find_original(one[:9], tmp_path, board).source == results_file(board, "tiny")
    assert find_original("tiny/both", tmp_path, board, 1).run.run_id == one
    for text, seed, message in (
        ("tiny/both", 7, "has no finished run of seed 7; there are 0, 1"),
        (one, 0, "has seed 1, not 0"),
        ("tiny/bth", None, "has no row 'bth'. Did you mean 'both'"),
        ("zzz", None, "No board in"),
    ):
        with pytest.raises(DataError, match=message):
            find_original(text, runs if text != "tiny/bth" else tmp_path, board, seed)
    with pytest.raises(DataError, match="no result of seed 7. Seeds with a result: 0, 1"):
        find_original("tiny/both", tmp_path, board, 7)


@pytest.mark.slow
def test_another_dataset_is_refused(swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = find_original("tiny/both", swept / "runs", swept / "board")
    assert dataset_of(original).fingerprint == original.result.dataset["fingerprint"]
    other = replace(original, result=replace(original.result, dataset={"name": "mmfrb", "fingerprint": "0" * 16}))
    with pytest.raises(DataError, match=r"has changed: its fingerprint is .*, the run was trained on 0000"):
        dataset_of(other)
    file = next((swept / "home" / "datasets").glob("*.h5"))
    with pytest.raises(DataError, match=r"has fingerprint .*; the run was trained on 0000"):
        dataset_of(other, str(file))
    gone = replace(other, dataset_path=None, run=replace(original.run, dataset="nowhere"))
    with pytest.raises(DataError, match="fingerprint 0000000000000000 is missing here: there is no dataset 'nowhere'"):
        dataset_of(gone)


@pytest.mark.slow
def test_what_is_no_finished_run(swept: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(swept / "runs" / "tiny" / result_of(swept, "both", 0).run_id, tmp_path / "run"))
    plain = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**plain, "versions": {}, "commit": None}))
    with pytest.raises(DataError, match="cannot be done again: its result lacks versions of libraries, commit"):
        from_folder(folder)
    (folder / "result.json").unlink()
    with pytest.raises(DataError, match="is not finished"):
        from_folder(folder)


def test_every_part_that_is_missing_is_named(tmp_path: Path) -> None:
    whole = boards.run(tmp_path, "good", 0)
    refuse_incomplete(whole, "here")
    for key, message in {
        "config": "resolved configuration",
        "hardware": "hardware",
        "commit": "commit",
        "versions": "versions of libraries",
        "metric_versions": "versions of metrics",
    }.items():
        with pytest.raises(DataError, match=f"here: run .* lacks {message}"):
            refuse_incomplete(replace(whole, **{key: None if key == "commit" else {}}), "here")
    with pytest.raises(DataError, match="lacks fingerprint of the dataset"):
        refuse_incomplete(replace(whole, dataset={"name": "x"}), "here")
    parts = {"combined": [{"run_id": "a1"}, {"run_id": "b2"}]}
    with pytest.raises(DataError, match=r"is a combination and trains nothing; reproduce its runs \(a1, b2\)"):
        refuse_incomplete(replace(whole, ranking=parts), "here")


@pytest.mark.slow
def test_what_may_differ_and_by_how_much(swept: Path) -> None:
    original = find_original("tiny/both", swept / "runs", swept / "board", 0)
    before = original.result
    row = [before, result_of(swept, "both", 1)]
    key, numbers = "test/nll", len(before.metrics)
    values = [r.metrics[key] for r in row]
    level = 0.95 ** (1 / numbers)
    half = stats.t.ppf((1 + level) / 2, 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / 2)
    for factor, message in ((0.99, "within"), (1.01, "differs")):
        again = replace(before, metrics={**before.metrics, key: np.mean(values) + factor * half})
        result = assess(original, again, rows=[row])
        (line,) = [one for one in result.lines if one.key == key]
        assert (line.verdict, line.by) == (message, "seeds")
        assert (line.low, line.high) == pytest.approx((np.mean(values) - half, np.mean(values) + half))
        assert result.holds == (message == "within")
        assert summary(result).startswith("Reproduced: all" if result.holds else f"Not reproduced: 1 of {numbers}")
    again = replace(before, metrics={**before.metrics, key: before.metrics[key] + 0.01})
    borrowed = assess(original, again, rows=[[before], row])
    assert {one.by for one in borrowed.lines if one.key == key} == {"other rows"}
    assert "by the seeds of other rows: of this row one is stored" in summary(borrowed)
    assert "numbers might be any share" in summary(borrowed), "two seeds leave one degree of freedom"
    items = item_half_width(before.metrics["test/accuracy"], before.dataset["splits"]["test"])
    (line,) = [one for one in assess(original, before).lines if one.key == "test/accuracy"]
    assert (line.verdict, line.by, line.high) == ("same", "items", before.metrics["test/accuracy"] + items)
    alone = assess(original, again)
    assert not alone.holds, "one seed says nothing of a number that is no share"
    assert "one seed is stored and no row has two" in summary(alone)
    assert summary(assess(original, before)) == f"Reproduced: all {numbers} numbers are the same."
    assert assess(original, again, tolerance=0.02).holds
    assert not assess(original, again, tolerance=0.005).holds
    less = {k: v for k, v in before.metrics.items() if k != key}
    (line,) = [one for one in assess(original, replace(before, metrics=less)).lines if one.verdict != "same"]
    assert (line.key, line.verdict) == (key, "missing")


@pytest.mark.slow
def test_what_else_differs_is_said(swept: Path) -> None:
    original = find_original("tiny/both", swept / "runs", swept / "board", 0)
    before = original.result
    assert assess(original, before).identical
    elsewhere = {**before.hardware, "device": "other"}
    again = replace(before, versions={**before.versions, "torch": "1.0\nx"}, hardware=elsewhere)
    result = assess(original, again)
    assert sorted(result.circumstances) == ["hardware.device", "versions.torch"]
    assert not result.identical
    message = lines(result)
    assert f"versions.torch: was {before.versions['torch']}, is 1.0 x" in message
    other = replace(original, run=replace(original.run, seed=5), result=before)
    assert "have changed since: the same configuration is run" in "\n".join(lines(assess(other, before)))
    moved = replace(before, metrics={**before.metrics, "test/accuracy": before.metrics["test/accuracy"] + 1e-3})
    assert lines(assess(original, moved))[-1].startswith("The same versions, code, hardware and threads should have")


def test_verdicts() -> None:
    nan = float("nan")
    assert verdict(nan, nan) == "same"
    assert verdict(nan, 0.5, nan, nan) == "differs"
    assert verdict(1.0, 1.0 + 9e-7) == "rounding"
    assert verdict(1.0, 1.0 + 2e-6) == "differs"
    assert verdict(1.0, 1.5, 0.5, 1.5) == "within"
