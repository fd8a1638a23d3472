"""Boards as a table: what is read back is what the results say, of one type a column, and runs no formula."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import html_boards
import outcome_boards
import pandas as pd
import pytest

from vsebench.cli import app as cli
from vsebench.cli.leaderboard_export import write_export
from vsebench.core.errors import ConfigError, DataError
from vsebench.results.export import table_of, write
from vsebench.runs.item_scores import items_file
from vsebench.runs.item_scores import save as save_item_scores
from vsebench.runs.snapshot import INDEX_FORM, BoardRow, Snapshot, load, results_file, save
from vsebench.stats.rank_groups import Comparisons

MEASURES = {"speed": {"flops": {"image": 12.5}, "memory": 7}, "blur": {"image/blur@3": {"test/accuracy": 0.25}}}


def one_board() -> Snapshot:
    """Two systems with two seeds, a measured run and a failed one."""
    board = html_boards.board(2, 2)
    results = dict(board.results)
    first, *_, last = results
    results[last] = replace(results[last], status="failed", error="no memory", metrics={})
    results[first] = replace(results[first], notes=("one", "two"), ranking={"by": "cosine", "ms_per_query": 0.5})
    return replace(board, results=results, measures={first: MEASURES})


def lookup(plain: Any, name: str) -> Any:
    """A dotted column in plain JSON, the slow way: at each level, every way to cut the name."""
    if name == "":
        return plain
    keys = plain if isinstance(plain, dict) else {str(i): one for i, one in enumerate(plain)}
    for key, value in keys.items():
        if name == key:
            return value
        if name.startswith(f"{key}.") and isinstance(value, dict | list):
            return lookup(value, name.removeprefix(f"{key}."))
    raise KeyError(name)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_is_read_back_is_what_the_results_say(tmp_path: Path, ending: str) -> None:
    save(one_board(), results_file(tmp_path, "demo"))
    file = tmp_path / f"all.{ending}"
    write_export(tmp_path, (), file)
    texts = dict.fromkeys(("run_id", "commit", "dataset.fingerprint", "versions.vsebench", "versions.torch"), str)
    table = pd.read_parquet(file) if ending == "parquet" else pd.read_csv(file, dtype=texts)
    plain = json.loads(results_file(tmp_path, "demo").read_text())
    by_run = {result["run_id"]: {**result, "dataset": plain["dataset"]} for result in plain["results"]}
    finished = [run for run, result in by_run.items() if result["status"] == "finished"]
    assert sorted(table["run_id"]) == sorted(finished)
    parts = ("config.", "dataset.", "versions.", "hardware.", "parameters.", "metric_versions.")
    seen = 0
    for line in table.to_dict("records"):
        message = by_run[line["run_id"]]
        for name, value in line.items():
            if name.startswith(parts):
                assert value == lookup(message, name), name
            elif name.startswith(("val/", "test/")):
                assert value == message["metrics"][name], name
            elif name.startswith("measures.") and not pd.isna(value):
                assert value == lookup(plain["measures"][line["run_id"]], name.removeprefix("measures."))
            else:
                continue
            seen += 1
        assert set(message["metrics"]) <= set(line)
        assert (line["seed"], line["train_s"], line["commit"]) == (
            message["seed"],
            message["train_s"],
            message["commit"],
        )
        assert line["row"] == message["system"]
    assert seen > 60
    assert table["measures.speed.flops.image"].notna().sum() == 1
    assert "one\ntwo" in set(table["notes"])


def test_columns_have_one_type(tmp_path: Path) -> None:
    board = html_boards.board(4, 1)
    values: list[Any] = [1, 2.5, "three", True]
    results = {
        run: replace(
            result,
            config={
                "mixed": values[i],
                "number": values[i % 2],
                "whole": i if i else None,
                "flag": bool(i),
                "big": 2**70,
                "empty": {},
                "nothing": None,
            },
        )
        for i, (run, result) in enumerate(board.results.items())
    }
    write(table_of([(replace(board, results=results), None)]), tmp_path / "x.parquet")
    table = pd.read_parquet(tmp_path / "x.parquet")
    kinds = {name: str(kind) for name, kind in table.dtypes.items()}
    assert set(kinds.values()) <= {"Int64", "float64", "boolean", "string", "str"}, kinds
    assert list(table["config.mixed"]) == ["1", "2.5", "three", "true"]
    assert list(table["config.number"]) == [1.0, 2.5, 1.0, 2.5]
    assert kinds["config.whole"] == kinds["seed"] == "Int64"
    assert table["config.whole"].isna().tolist() == [True, False, False, False]
    assert kinds["config.flag"] == "boolean"
    assert set(table["config.big"]) == {str(2**70)}
    assert not {"config.empty", "config.nothing"} & set(table)


def test_several_experiments_and_places(tmp_path: Path) -> None:
    ranked, item_scores = outcome_boards.made_up({"good": 0.9, "poor": 0.3, "fair": 0.6})
    save(ranked, results_file(tmp_path, "demo"))
    save_item_scores(item_scores, items_file(tmp_path, "demo"))
    other = replace(html_boards.board(1, 2), experiment="other")
    save(other, results_file(tmp_path, "other"))
    write_export(tmp_path, (), tmp_path / "all.parquet")
    table = pd.read_parquet(tmp_path / "all.parquet")
    assert table["experiment"].value_counts().to_dict() == {"demo": 9, "other": 2}
    compared = Comparisons(load(results_file(tmp_path, "demo")), item_scores)
    for (_, measure), comparison in compared.items():
        for name, ranked_row in comparison.ranked_rows.items():
            lines = table[(table["experiment"] == "demo") & (table["row"] == name)]
            assert set(lines[f"standing.{measure}.group"]) == {ranked_row.group}
            assert set(lines[f"standing.{measure}.low"]) == {ranked_row.interval.low}
    assert table.loc[table["experiment"] == "other", "standing.accuracy.group"].isna().all()
    write_export(tmp_path, ("other",), tmp_path / "one.csv")
    assert set(pd.read_csv(tmp_path / "one.csv")["experiment"]) == {"other"}
    with pytest.raises(DataError, match="no results of 'othr'. Did you mean 'other'"):
        write_export(tmp_path, ("othr",), tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()


def test_pruned_seeds_and_rows_of_two_tables_are_told_apart() -> None:
    board = html_boards.board(1, 2)
    first, second = board.results
    results = {**board.results, second: replace(board.results[second], status="pruned")}
    twice = [*board.rows, BoardRow("point", "sweep", {"fusion": "gated"}, {"0": first})]
    table = table_of([(replace(board, results=results, rows=twice), None)])
    assert list(table["run_id"]) == [first, first]
    assert list(table["section"]) == ["systems", "sweep"]
    assert list(table["row.pruned"]) == [1, 0]
    assert list(table["axis.fusion"].fillna("")) == ["", "gated"]


def test_numbers_of_indexes_have_names_of_their_own() -> None:
    board = html_boards.board(1, 1, form=INDEX_FORM)
    run = next(iter(board.results))
    results = {run: replace(board.results[run], metrics={"train_s": 9.0, "recall@10": 0.5})}
    table = table_of([(replace(board, results=results), None)])
    assert (table["train_s"][0], table["index/train_s"][0], table["index/recall@10"][0]) == (3.0, 9.0, 0.5)
    with pytest.raises(DataError, match="two facts named 'train_s'"):
        table_of([(replace(board, results=results, form="systems"), None)])


FORMULAS = ("=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1")


def test_csv_runs_no_formula(tmp_path: Path) -> None:
    board = html_boards.board(len(FORMULAS), 1)
    rows = [replace(row, name=text, axes={"=axis": text}) for row, text in zip(board.rows, FORMULAS, strict=True)]
    table = table_of([(replace(board, rows=rows, title="=title"), None)])
    write(table, tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as stream:
        lines = list(csv.reader(stream))
    for cell in (cell for line in lines for cell in line):
        assert cell.strip()[:1] not in ("=", "@", "+", "＝"), cell
        assert cell[:1] != "-" or float(cell) < 0
    column = lines[0].index("row")
    assert [line[column] for line in lines[1:]] == [f"'{text}".replace("\r", "\n") for text in FORMULAS]
    write(table, tmp_path / "x.parquet")
    assert list(pd.read_parquet(tmp_path / "x.parquet")["row"]) == list(FORMULAS), "Parquet runs nothing"


def test_text_that_no_file_can_hold(tmp_path: Path) -> None:
    board = html_boards.board(1, 1, title="half \ud83d of a pair\x00")
    for name in ("x.csv", "x.parquet"):
        write(table_of([(board, None)]), tmp_path / name)
    assert pd.read_parquet(tmp_path / "x.parquet")["title"][0] == "half ? of a pair\x00"


def test_what_cannot_be_written_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"FILE.parquet or FILE.csv, not 'x.xlsx'"):
        write_export(tmp_path, (), tmp_path / "x.xlsx")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("vsebench.results.export.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'vsebench\[parquet\]'.*FILE.csv works without it"):
        write_export(tmp_path, (), tmp_path / "x.parquet")
    save(one_board(), results_file(tmp_path, "demo"))
    write_export(tmp_path, (), tmp_path / "x.csv")
    monkeypatch.setattr(sys, "argv", ["vsebench", "leaderboard", "--export", "x.csv", "--check", "--html"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err == "error: --export and --check and --html exclude each other; give them one by one.\n"
    )
