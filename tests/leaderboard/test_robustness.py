"""Sections on robustness: from the committed results alone, with every gap said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from board_texts import blocks_text, page

import vsebench.leaderboard.robustness_plots as plots
from vsebench.core.types import Result
from vsebench.leaderboard import figure
from vsebench.leaderboard.measured import measured_rows, measurement_sections
from vsebench.leaderboard.render import render, stale
from vsebench.leaderboard.robustness import damages
from vsebench.runs.snapshot import BoardRow, Snapshot, load, results_file, save

DATA: dict[str, Any] = {
    "name": "demo",
    "title": "Demo",
    "fingerprint": "f",
    "splits": {"train": 8, "val": 2, "test": 4},
    "sets": {},
    "features": {},
    "num_classes": 3,
    "relevance": "item",
}
CANNOT = "its fusion cannot represent a missing modality"
POINTS = {
    "image": {"noise": (0.1, 0.2), "occlusion": (0.25,)},
    "text": {"dropout": (0.5,)},
    "audio": {"snr": (20.0, 0.0)},
}


def numbers(accuracy: float) -> dict[str, float]:
    return {"accuracy": accuracy, "average_precision": accuracy - 0.1}


def robustness(reads: Sequence[str], clean: float, *, drops: bool) -> dict[str, Any]:
    """Shuffling the n-th modality costs n tenths, leaving it out half of that; damage a hundredth for each strength."""
    many = len(reads) > 1
    damaged = {
        m: {
            k: [[s, numbers(clean - (i + 1) / 100)] for i, s in enumerate(strengths)]
            for k, strengths in POINTS[m].items()
        }
        for m in reads
    }
    return {
        "clean": numbers(clean),
        "shuffled": {m: numbers(clean - 0.1 * (i + 1)) for i, m in enumerate(reads)},
        "dropped": {m: numbers(clean - 0.05 * (i + 1)) for i, m in enumerate(reads)} if drops and many else {},
        "needed": {} if drops and many else dict.fromkeys(reads, CANNOT if many else "it reads nothing else"),
        "damaged": damaged,
    }


def board(rows: Mapping[str, Sequence[str]], *, seeds: int = 2, drops: bool = True) -> Snapshot:
    """``rows``: name -> the modalities that it reads. The first are best on validation."""
    result, results, measures = [], {}, {}
    for place, (name, reads) in enumerate(rows.items()):
        runs = {str(seed): f"r{place}-{seed}" for seed in range(seeds)}
        result.append(BoardRow(name, "systems", {}, runs))
        for seed, run in runs.items():
            clean = 0.9 - place / 100 + 0.01 * int(seed)
            encoders = {f"{m}_encoder": {"name": "features"} for m in reads}
            results[run] = Result(
                run_id=run,
                experiment="demo",
                system=name,
                seed=int(seed),
                status="finished",
                config={**encoders, "attention": {"name": "none"}, "head": {"name": "mlp"}, "train": {}},
                dataset=DATA,
                metrics={"val/accuracy": clean, "test/accuracy": clean},
                parameters={"total": 1, "trained": 1},
                finished_at="2026-01-02",
            )
            measures[run] = {"robustness": robustness(reads, clean, drops=drops)}
            if len(reads) > 1:
                whole = {"+".join(reads): numbers(clean)}
                left = {m: numbers(clean - 0.2 - i / 100) for i, m in enumerate(reads)}
                needed = {} if drops else dict.fromkeys(reads, CANNOT)
                measures[run]["subsets"] = {"subsets": {**(left if drops else {}), **whole}, "needed": needed}
    return Snapshot(
        "demo", "Demo", DATA, result, list(range(seeds)), {"metric": "val/accuracy", "mode": "max"}, {},
        "vsebench sweep x", results, measures=measures,
    )  # fmt: skip


def sections_of(snapshot: Snapshot) -> list[str]:
    return blocks_text(measurement_sections(snapshot)).splitlines()


ROWS = {"both": ("image", "text"), "image alone": ("image",), "text alone": ("text",)}


def cells(lines: Sequence[str], first: str) -> list[str]:
    line = next(line for line in lines if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_is_lost_is_told_in_points() -> None:
    lines = sections_of(board(ROWS))
    head = next(line for line in lines if line.startswith("| System"))
    assert [c.strip() for c in head.strip("|").split("|")] == [
        *("System", "Uses", "Test accuracy"),
        *("image shuffled", "image left out", "text shuffled", "text left out"),
    ]
    row = cells(lines, "both")
    assert [c.split(" ±")[0] for c in row[2:]] == ["90.5", "10.0", "5.0", "20.0", "10.0"]
    assert row[3] == "10.0 ± 0.0", "seeds are compared with themselves"
    assert cells(lines, "image alone")[3:] == ["10.0 ± 0.0", "–", "–", "–"], "that it needs its only one says nothing"
    assert not any("it reads nothing else" in line for line in lines)
    partly = sections_of(board({"all": ("image", "text"), "image alone": ("image",)}, drops=False))
    assert not any("left out |" in line for line in partly), "where no system could do without anything"


def test_a_table_of_strengths() -> None:
    lines = sections_of(board(ROWS))
    lines = lines[lines.index("<summary><b>Robustness</b></summary>") :]
    head = next(line for line in lines if line.startswith("| System"))
    assert [c.strip() for c in head.strip("|").split("|")] == [
        *("System", "As it is", "image noise 0.1", "image noise 0.2", "image occlusion 25 %", "text words lost 50 %"),
    ]
    assert [c.split(" ±")[0].strip("*") for c in cells(lines, "both")[1:]] == ["90.5", "89.5", "88.5", "89.5", "89.5"]
    assert cells(lines, "text alone")[2] == "–"


def test_decibels_fall() -> None:
    rows = measured_rows(board({"ears": ("audio", "image")}), "robustness")
    assert damages(rows) == [
        ("image", "noise", [0.1, 0.2]),
        ("image", "occlusion", [0.25]),
        ("audio", "snr", [20.0, 0.0]),
    ]
    assert any(
        "audio noise 20 dB | audio noise 0 dB" in re.sub(" +", " ", one)
        for one in page(board({"e": ("audio",)})).split("\n")
    )


def test_subsets_stand_side_by_side() -> None:
    lines = sections_of(board({"all": ("image", "text", "audio")}))
    lines = lines[lines.index("<summary><b>One model, evaluated with fewer modalities</b></summary>") :]
    assert [line for line in lines if line.startswith("**Test")] == ["**Test accuracy**", "**Test AP**"]
    head = next(line for line in lines if line.startswith("| System"))
    assert [c.strip() for c in head.strip("|").split("|")] == [
        "System",
        "image",
        "text",
        "audio",
        "image + text + audio",
    ]
    assert [c.split(" ±")[0] for c in cells(lines, "all")[1:]] == ["70.5", "69.5", "68.5", "90.5"]


def test_recall_of_subsets_is_one_table() -> None:
    snapshot = board({"all": ("image", "text", "audio")}, seeds=1)
    result = snapshot.measures["r0-0"]["subsets"]["subsets"]
    for name in ("image+text+audio",):
        result[name] |= {f"{d}/recall@{k}": k / 100 for d in ("t2i", "i2t") for k in (10, 1)}
    text = page(snapshot)
    assert "**Test retrieval**" in text
    head = next(line for line in text.split("\n") if "t→i R@10" in line)
    shown = [c.strip() for c in head.strip("|").split("|")]
    assert shown == ["System", *(f"image + text + audio, {d} R@{k}" for d in ("i→t", "t→i") for k in (1, 10))]


def test_systems_that_need_everything_have_no_subsets() -> None:
    lines = sections_of(board(ROWS, drops=False))
    assert not any("One model" in line for line in lines)
    assert not any("left out |" in line for line in lines), "no column without a number"
    assert any(f"{CANNOT} (1 row)" in line for line in lines)


def test_gaps_and_differences_are_said() -> None:
    snapshot = board(ROWS)
    snapshot.measures["r0-0"]["robustness"]["stored"] = {"accuracy": 0.85}
    text = page(snapshot)
    assert "**Check**: re-evaluated undamaged, runs of 1 rows differ from their stored values, at most by 0.05" in text
    partly = replace(snapshot, measures={k: v for k, v in snapshot.measures.items() if k != "r1-1"})
    assert "1 of 3 rows are not measured." in page(partly)
    nothing = replace(snapshot, measures={})
    assert sections_of(nothing) == []
    assert plots.figures(nothing) == []
    assert "robustness" not in page(nothing).lower()


def test_rows_that_rank_alone_are_told_by_what_chose_them() -> None:
    snapshot = board({"ranks": ("image", "text")}, seeds=1)
    measured = snapshot.measures["r0-0"]["robustness"]
    ranks = {"i2t/recall@1": 0.5, "rsum": 250.0}
    measured |= {"clean": ranks, "shuffled": {}, "dropped": {}, "needed": {}}
    measured["damaged"] = {"text": {"dropout": [[0.5, {"i2t/recall@1": 0.25, "rsum": 125.0}]]}}
    lines = sections_of(replace(snapshot, select={"metric": "val/rsum", "mode": "max"}))
    assert not any("Use of each modality" in line for line in lines)
    assert cells(lines, "ranks")[1:] == ["250.0", "125.0"]
    assert plots.panels(replace(snapshot, select={"metric": "val/rsum", "mode": "max"}))[0] == "rsum"


def test_a_number_that_is_best_when_lowest_is_lost_by_rising() -> None:
    snapshot = board({"one": ("image", "text"), "other": ("image", "text")}, seeds=1)
    for row, (clean, shuffled, damaged) in {"r0-0": (1.0, 1.5, 2.0), "r1-0": (2.0, 2.25, 3.0)}.items():
        measured = snapshot.measures[row]["robustness"]
        measured |= {"clean": {"nll": clean, "i2t/chance/recall@1": 0.1}, "dropped": {}, "needed": {}}
        measured |= {"shuffled": {"text": {"nll": shuffled}}}
        measured["damaged"] = {"text": {"dropout": [[0.5, {"nll": damaged}]]}}
    lines = sections_of(replace(snapshot, select={"metric": "val/rsum", "mode": "max"}))
    assert cells(lines, "one")[2:] == ["1.000", "0.500"], "what shuffling adds to the negative log-likelihood"
    table = lines[lines.index("<summary><b>Robustness</b></summary>") :]
    assert cells(table, "one")[1:] == ["1.000", "2.000"]
    assert cells(table, "other")[1:] == ["2.000", "3.000"]


def test_names_cannot_break_the_page() -> None:
    snapshot = board({"a|b <script>": ("image", "text")}, drops=False)
    snapshot.measures["r0-0"]["robustness"]["needed"] = {"image": "x|y <b>"}
    text = page(snapshot)
    assert "<script>" not in text
    assert "y <b>" not in text


def many(count: int = 14) -> Snapshot:
    rows: dict[str, Sequence[str]] = {f"fusion {i} of a $long_name$": ("image", "text", "audio") for i in range(count)}
    return board({**rows, "_image": ("image",), "image 2": ("image",), "sound": ("audio",)})


def test_best_rows_and_the_best_of_each_modality_are_named() -> None:
    known = plots.named(plots.panels(many())[1])
    assert [curve.row for curve in known] == [*(f"fusion {i} of a $long_name$" for i in range(8)), "_image", "sound"]
    drawn = plots.figure(many())
    assert len([axes for axes in drawn.axes if axes.axison]) == 4, "noise, occlusion, words, decibels"
    legend = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert legend[-1] == "7 others"
    assert legend[8:10] == ["_image", "sound"]
    curves = [len(axes.lines) for axes in drawn.axes if axes.axison]
    assert curves == [16, 16, 14, 15]
    assert drawn.axes[3].xaxis_inverted()
    assert [label.get_text() for label in drawn.axes[3].get_xticklabels()] == ["as it is", "0", "20"]


def test_plots_come_from_committed_results_and_know_when_they_are_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(many(3), results_file(tmp_path, "demo"))
    assert load(results_file(tmp_path, "demo")).measures.keys() == many(3).measures.keys()
    assert "demo-robustness.svg" in {file.name for file in render(tmp_path)}
    file = tmp_path / "plots" / "demo-robustness.svg"
    assert "![" in (tmp_path / "demo.md").read_text()
    assert "plots/demo-robustness.svg" in (tmp_path / "demo.md").read_text()
    ElementTree.fromstring(file.read_text())
    assert stale(tmp_path) == []
    assert render(tmp_path) == []
    text = file.read_text()
    file.write_text(text.replace("0.6", "0.5", 1))
    assert stale(tmp_path) == [file], "somebody changed it"
    assert render(tmp_path) == [file]
    assert file.read_text() == text, "the same bytes each time"
    monkeypatch.setattr(figure, "DRAWING", figure.DRAWING + 1)
    assert file in stale(tmp_path)
