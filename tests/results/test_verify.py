"""A board is what its predictions give; one altered digit, wherever it stands, is found and named."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import boards
import numpy as np
import pytest

from vsebench.cli.verify import lines
from vsebench.cli.verify import verify as verify_command
from vsebench.core.errors import DataError, VsebenchError
from vsebench.core.types import Result
from vsebench.leaderboard.collect import update
from vsebench.leaderboard.render import render
from vsebench.results.pages import check_pages
from vsebench.results.verify import Difference, Report, verify
from vsebench.runs import item_scores as item_scores
from vsebench.runs.item_scores import items_file
from vsebench.runs.snapshot import load, results_file
from vsebench.runs.store import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verified")
    boards.make(folder)
    return folder


@pytest.fixture
def local(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "own"))


def check(folder: Path) -> Report:
    file = results_file(folder / "board", boards.NAME)
    return verify(load(file), file, folder / "runs")


def every(folder: Path) -> list[Difference]:
    """Of the results and of the pages."""
    return [*check(folder).differences, *check_pages(folder / "board", [boards.NAME])]


def altered(text: str, at: int) -> str:
    return text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]


def test_what_is_right_passes(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check(made)
    numbers = sum(len(r.metrics) for r in Store(made / "runs", boards.NAME).results())
    assert (report.runs, report.recomputed, report.differences, report.missing) == (4, numbers, [], [])
    assert report.rounded == 0
    assert verify_command((), made / "runs", made / "board", strict=True) == 0
    assert "Every number agrees with its predictions." in capsys.readouterr().out


def test_every_digit_of_the_results_file_counts(local: Path) -> None:
    """All over the file, in numbers, ids, seeds, dates and titles."""
    file = results_file(local / "board", boards.NAME)
    text = file.read_text()
    places = [m.start() for m in re.finditer(r"\d", text)]
    assert len(places) > 1000
    results = text.index('"results"')
    for at in places[::13]:
        file.write_text(altered(text, at))
        try:
            result = check(local).differences or (at < results and check_pages(local / "board", [boards.NAME]))
        except VsebenchError:
            continue  # no longer JSON, or another format: said with the file
        assert result, text[max(0, at - 40) : at + 20]


def test_every_digit_of_a_metric_on_the_board_is_named(local: Path) -> None:
    file = results_file(local / "board", boards.NAME)
    plain = json.loads(file.read_text())
    (line,) = [r for r in plain["results"] if r["run_id"].startswith("good1")]
    key = "test/nll"
    value = repr(line["metrics"][key])
    assert len(value) >= 7
    for at in range(len(value)):
        if not value[at].isdigit():
            continue
        line["metrics"][key] = float(altered(value, at))
        file.write_text(json.dumps(plain))
        (result,) = check(local).differences
        assert (result.file, result.row, result.run_id, result.what) == (
            str(file),
            "good",
            line["run_id"],
            f"metrics.{key}",
        )
        assert (result.stored, result.again) == (line["metrics"][key], float(value))


def test_a_run_s_own_numbers_are_checked_to_rounding(local: Path) -> None:
    """Nine significant digits of every metric, five of lists by vectors: what is below cannot be told from the order
    of a sum."""
    (result,) = [r for r in Store(local / "runs", boards.NAME).results() if r.run_id.startswith("good0")]
    file = Store(local / "runs", boards.NAME).run_folder(result.run_id) / "result.json"
    for key, value in result.metrics.items():
        for power in (0, 4) if key.endswith("map") and "chance" not in key else (0, 4, 8):
            step = 10.0 ** (np.floor(np.log10(abs(value))) - power) if value else 10.0**-power
            plain = json.loads(file.read_text())
            plain["metrics"][key] = value + 2 * step
            file.write_text(json.dumps(plain))
            first = check(local).differences[0]
            assert (first.what, first.row, first.file) == (f"metrics.{key}", "good", str(file))
            assert first.again == value
        plain["metrics"][key] = value
        file.write_text(json.dumps(plain))
    plain["metrics"]["test/nll"] *= 1 + 1e-14
    file.write_text(json.dumps(plain))
    report = check(local)
    assert (report.differences, report.rounded) == ([], 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("train_s", 14.3733), ("parameters.total", 123_457), ("config.dim", 65), ("commit", "0123456789ac")],
)
def test_what_is_not_a_metric_is_compared(local: Path, key: str, value: Any) -> None:
    file = next((local / "runs" / boards.NAME).glob("poor0*")) / "result.json"
    plain = json.loads(file.read_text())
    *path, last = key.split(".")
    inner = plain
    for part in path:
        inner = inner[part]
    inner[last] = value
    file.write_text(json.dumps(plain))
    (result,) = check(local).differences
    assert (result.what, result.row, result.again) == (key, "poor <b>", value)


@pytest.mark.parametrize("split", ["val", "test"])
def test_altered_predictions_are_found(local: Path, split: str) -> None:
    file = next((local / "runs" / boards.NAME).glob("good1*")) / f"predictions-{split}.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    arrays["logits"][3, 1] += 0.001
    np.savez_compressed(file, **arrays)
    assert {d.what for d in check(local).differences} == {f"metrics.{split}/nll"}
    arrays["i2t/above"][2] += 10
    np.savez_compressed(file, **arrays)
    assert f"metrics.{split}/i2t/recall@5" in {d.what for d in check(local).differences} or split == "val"


def test_altered_vectors_are_found(local: Path) -> None:
    file = next((local / "runs" / boards.NAME).glob("good1*")) / "vectors-test.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    arrays["embeddings/text"][0] = arrays["embeddings/text"][1]
    np.savez_compressed(file, **arrays)
    assert {d.what for d in check(local).differences} == {"metrics.test/i2t/map", "metrics.test/t2i/map"}


def test_every_digit_of_the_pages_counts(local: Path) -> None:
    for name in ("demo.md", "demo.csv", "README.md"):
        file = local / "board" / name
        text = file.read_text()
        places = [m.start() for m in re.finditer(r"\d", text)]
        for at in places[:: max(1, len(places) // 12)]:
            file.write_text(altered(text, at))
            result = check_pages(local / "board", [boards.NAME])
            assert len(result) == 1, (name, text[at - 20 : at + 20])
            assert result[0].file == f"{file}:{text[:at].count(chr(10)) + 1}"
        file.write_text(text)


def test_a_cell_of_the_sheet_is_named(local: Path) -> None:
    file = local / "board" / "demo.csv"
    text = file.read_text()
    file.write_text(text.replace("14.2733", "14.2743", 1))
    (result,) = check_pages(local / "board", [boards.NAME])
    assert (result.what, result.stored, result.again) == ("train_s", "14.2743", "14.2733")
    assert result.row in boards.ROWS
    assert len(result.run_id) == 16
    file.unlink()
    (result,) = check_pages(local / "board", [boards.NAME])
    assert result.stored == "missing"


def test_measures_are_compared(local: Path) -> None:
    results = list(Store(local / "runs", boards.NAME).results())
    run = results[0].run_id
    folder = local / "runs" / boards.NAME / run / "measures"
    folder.mkdir()
    selected = {"speed": {"ms": 1.23457, "parts": [1, 2]}, "gone": {"x": 1.0}}
    boards.put(local / "board", boards.snapshot(results, measures={run: selected}))
    for ms, result in ((1.2345678, []), (1.2345, [f"measures.speed.ms is {1.23457}, comes out as {1.2345}"])):
        (folder / "speed.json").write_text(json.dumps({"version": 1, "values": {"ms": ms, "parts": [1, 2]}}))
        report = check(local)
        assert [f"{d.what} is {d.stored}, comes out as {d.again}" for d in report.differences] == result
        assert [(key, why) for _, _, key, why in report.missing] == [
            ("measures.gone", "its folder has no measures/gone.json")
        ]
    (folder / "speed.json").write_text("{")
    assert check(local).differences[0].stored == "damaged"


def test_what_cannot_be_recomputed_is_counted(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (local / "runs").rglob("vectors-*.npz"):
        file.unlink()
    report = check(local)
    assert report.differences == []
    assert {key.split("/", 1)[1] for _, _, key, _ in report.missing} == {
        "i2t/map", "t2i/map", "i2t/chance/map", "t2i/chance/map"
    }  # fmt: skip
    assert len(report.missing) == 2 * 4 * 4
    assert verify_command((), local / "runs", local / "board") == 0
    message = capsys.readouterr().out
    assert "not recomputable: 32 numbers of 4 runs: its run stored ranks and logits alone, no vectors" in message
    assert "No differences in what could be checked." in message
    assert verify_command((), local / "runs", local / "board", strict=True) == 1


def test_missing_and_damaged_folders_are_said(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = sorted(f for f in (local / "runs" / boards.NAME).iterdir() if not f.name.startswith("."))
    shutil.rmtree(folders[0])
    (folders[1] / "predictions-test.npz").write_bytes(b"PK")
    (folders[2] / "result.json").write_text("{")
    (folders[3] / "predictions-val.npz").unlink()
    report = check(local)
    assert [(run, "is not there" in why) for _, run, why in report.absent] == [
        (folders[0].name, True), (folders[2].name, False)
    ]  # fmt: skip
    assert [(d.run_id, d.stored) for d in report.differences] == [
        (folders[1].name, "damaged"), (folders[2].name, "damaged")
    ]  # fmt: skip
    assert any("has no predictions-val.npz" in why for *_, why in report.missing)
    assert verify_command((), local / "runs", local / "board") == 1
    assert "not checked: row 'good'" in capsys.readouterr().out


def test_pruned_and_failed_runs(tmp_path: Path) -> None:
    message: dict[str, Any] = {"notes": ["pruned by x"], "metric_versions": {}}
    results = [
        boards.run(tmp_path / "runs", "stopped", 0, status="pruned", metrics={"val/accuracy": 0.5}, **message),
        boards.run(tmp_path / "runs", "wrong", 0, status="pruned", metrics={"val/accuracy": 0.25}, **message),
        boards.run(tmp_path / "runs", "failed", 0, status="failed", metrics={}, error="out of memory"),
        boards.run(tmp_path / "runs", "good", 0),
    ]
    boards.put(tmp_path / "board", boards.snapshot(results))
    report = check(tmp_path)
    assert [(d.row, d.stored, d.again) for d in report.differences] == [("wrong", 0.25, 0.5)]


def test_another_version_of_a_metric_is_not_compared(local: Path) -> None:
    results = list(Store(local / "runs", boards.NAME).results())
    changed: list[Result] = []
    for result in results:
        versions = {**result.metric_versions, "map": 99}
        changed.append(replace(result, metric_versions=versions))
        Store(local / "runs", boards.NAME).write(changed[-1])
    boards.put(local / "board", boards.snapshot(changed))
    report = check(local)
    assert report.differences == []
    assert {why for *_, why in report.missing} == {"it was measured by version 99 of map, which is at version 1 here"}


def test_a_number_that_nothing_gives_is_found(local: Path) -> None:
    (result,) = [r for r in Store(local / "runs", boards.NAME).results() if r.run_id.startswith("good0")]
    wrong = {**result.metrics, "test/f1": 0.9}
    del wrong["val/nll"]
    Store(local / "runs", boards.NAME).write(replace(result, metrics=wrong))
    results = {(d.what, d.stored if isinstance(d.stored, str) else "") for d in check(local).differences}
    assert ("metrics.test/f1", "") in results
    assert ("metrics.val/nll", "(absent)") in results


def test_hostile_names_stay_on_their_line() -> None:
    hostile = "a\nb\u202e\x1b[31m"
    report = Report("demo", absent=[(hostile, hostile, hostile)], missing=[(hostile, hostile, hostile, hostile)])
    message = lines(report, [Difference("f", hostile, hostile, hostile, hostile, hostile)])
    assert not any(c in line for line in message for c in "\n\u202e\x1b")


def test_unknown_boards_are_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no results of 'dmo'. Did you mean 'demo'"):
        verify_command(("dmo",), made / "runs", made / "board")
    with pytest.raises(DataError, match="there are no results"):
        verify_command((), made / "runs", tmp_path)


def test_every_item_is_compared(local: Path) -> None:
    """What a run made of an item: altered in the board's file, or in the run's predictions."""
    board, snapshot = local / "board", load(results_file(local / "board", boards.NAME))
    assert update(snapshot, local / "runs", board) == []
    render(board, [boards.NAME])
    report = check(local)
    assert (report.differences, check_pages(board, [boards.NAME])) == ([], [])
    known = item_scores.load(items_file(board, boards.NAME))
    requested = sum(len(known.query_items[way]) for way in known.query_items)
    assert report.items == 4 * (boards.COUNT + boards.COUNT + requested + 4 * requested), (
        "positions, answers, queries, ranks"
    )
    run = sorted(known.right["accuracy"])[1]
    values = known.right["accuracy"][run].copy()
    right, wrong = int(np.flatnonzero(values == 1)[0]), int(np.flatnonzero(values == 0)[0])
    values[[right, wrong]] = values[[wrong, right]]  # the mean stays
    changed = {"accuracy": {**known.right["accuracy"], run: values}}
    item_scores.save(replace(known, right=changed), items_file(board, boards.NAME))
    result = check(local).differences
    assert [(d.run_id, d.what) for d in result] == [(run, f"items.accuracy[{min(right, wrong)}]")]


def test_damaged_items_are_named(local: Path) -> None:
    file = items_file(local / "board", boards.NAME)
    update(load(results_file(local / "board", boards.NAME)), local / "runs", local / "board")
    file.write_bytes(file.read_bytes()[:-40])
    assert [(d.file, d.stored) for d in check(local).differences] == [(str(file), "damaged")]
