"""Boards: what the page says, what it refuses, hostile strings, speed."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_texts import page
from scipy import stats

from vsebench.core.errors import DataError
from vsebench.core.types import Result
from vsebench.leaderboard.metric_columns import sees_both
from vsebench.leaderboard.render import render, stale, table_csv
from vsebench.leaderboard.table import escape, table
from vsebench.runs.snapshot import BoardRow, Snapshot, collect, load, results_file, save
from vsebench.stats.intervals import estimate, item_half_width

DATA = {
    "name": "demo",
    "title": "Demo",
    "fingerprint": "f" * 16,
    "splits": {"train": 80, "val": 10, "test": 400},
    "captions": {"train": 80, "val": 10, "test": 400},
    "num_classes": 3,
    "relevance": "item",
    "split_rule": "by rule",
    "majority": {"test": 0.2},
    "ceilings": {"both": 0.99},
}
HOSTILE = "a|b `c` <script>alert(1)</script> *x* [y](http://z)\nnew \u202e line"


def result(run: str, system: str, seed: int, accuracy: float, **changes: Any) -> Result:
    metrics = {"val/accuracy": accuracy, "test/accuracy": accuracy - 0.01, "test/average_precision": accuracy}
    parts: dict[str, Any] = {
        "run_id": run,
        "experiment": "demo",
        "system": system,
        "seed": seed,
        "status": "finished",
        "config": {
            "image_encoder": {"name": "timm_cnn"},
            "text_encoder": {"name": "lstm"},
            "attention": {"name": "none"},
        },
        "dataset": DATA,
        "metrics": metrics,
        "metric_versions": {"accuracy": 1},
        "parameters": {"total": 12_345_678, "trained": 4_321},
        "train_s": 3.2,
        "versions": {"vsebench": "0.1", "torch": "2"},
        "hardware": {"device": "cpu", "threads": 1},
        "finished_at": "2026-01-02T03:04:05+00:00",
    }
    return Result(**{**parts, **changes})


def snapshot(results: list[Result], **changes: Any) -> Snapshot:
    rows: dict[str, dict[str, str]] = {}
    for r in results:
        rows.setdefault(r.system, {})[str(r.seed)] = r.run_id
    parts: dict[str, Any] = {
        "experiment": "demo",
        "title": "Demo board",
        "dataset": DATA,
        "rows": [BoardRow(name, "systems", {}, runs) for name, runs in rows.items()],
        "seeds": sorted({r.seed for r in results}),
        "select": {"metric": "val/accuracy", "mode": "max"},
        "board": {},
        "command": "vsebench sweep x.yaml",
        "results": {r.run_id: r for r in results},
    }
    return Snapshot(**{**parts, **changes})


def three_seeds(name: str, values: list[float], tag: str) -> list[Result]:
    return [result(f"{tag}{i}", name, i, v) for i, v in enumerate(values)]


def test_the_page_says_what_the_results_say() -> None:
    text = page(snapshot([*three_seeds("good", [0.9, 0.92, 0.94], "a"), *three_seeds("poor", [0.5, 0.5, 0.53], "b")]))
    lines = [line for line in text.splitlines() if line.startswith(("| good", "| poor"))]
    assert lines[0].startswith("| good"), "sorted by the selection metric"
    assert "91.0 ± 5.0" in lines[0]
    assert "92.0 ± 5.0" in text.split("More metrics")[1], "validation stands folded"
    assert "50.0 ± 4.3" in lines[1]
    assert "12.3 M" in lines[0]
    assert "4.32 k" in text.split("<b>Cost</b>")[1]
    for part in (
        "most frequent class is 20.0 % of test",
        "both 99.0 %",
        "seeds 0, 1, 2",
        "fingerprint `ffff",
        "2026-01-02",
    ):
        assert part in text


def test_metrics_of_the_whole_list_have_columns_and_chance_levels() -> None:
    output = {
        "test/i2t/map": 0.4, "test/t2i/map": 0.3, "test/i2t/map@r": 0.25, "test/i2t/map@50:min": 0.2,
        "test/i2t/map@5:min": 0.1, "test/t2i/ndcg@10": 0.35, "test/i2t/chance/map": 0.015,
        "test/t2i/chance/ndcg@10": 0.021, "test/i2t/skipped/map": 7.0,
    }  # fmt: skip
    better = {k: v + 0.1 for k, v in output.items() if "chance" not in k and "skipped" not in k}
    results = [result("a", "one", 0, 0.9), result("b", "two", 0, 0.8)]
    for one, more in zip(results, (output, {**output, **better}), strict=True):
        one.metrics.update(more)
    text = page(snapshot(results, dataset={**DATA, "relevance": "label"}))
    assert "a match is any of the captions of items that share a label with it" in text
    (header,) = [line for line in text.splitlines() if "MAP" in line and line.startswith("| System")]
    titles = [cell.strip() for cell in header.strip("|").split("|")]
    assert titles[1:] == ["i→t MAP", "i→t MAP@5:min", "i→t MAP@50:min", "i→t MAP@R", "t→i MAP", "t→i nDCG@10"]
    assert "| one" in text
    assert "50.0" in text
    assert "Chance: i→t MAP 1.5, t→i nDCG@10 2.1. Queries without a match are excluded: i→t 7." in text


def test_the_interval_is_students() -> None:
    values = [0.81, 0.86, 0.9, 0.84]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    result = estimate(values)
    assert result.mean == pytest.approx(np.mean(values))
    assert result.half == pytest.approx((high - low) / 2)
    assert estimate([0.5]).half is None
    wilson = stats.binomtest(180, 200).proportion_ci(method="wilson")
    assert item_half_width(0.9, 200) == pytest.approx((wilson.high - wilson.low) / 2, rel=1e-6)


def test_raw_columns_are_aligned() -> None:
    lines = table(["name", "x"], [["é红", "1"], ["longer name", "**22.0**"]])
    from vsebench.leaderboard.table import width

    assert len({width(line) for line in lines}) == 1


def test_published_figures_stand_apart() -> None:
    reference = {
        "title": "Published",
        "source": "a paper",
        "columns": ["Test"],
        "rows": {"theirs": [99.9], "none": [None]},
    }
    text = page(snapshot(three_seeds("ours", [0.9, 0.9, 0.9], "a"), board={"reference": reference}))
    measured, published = text.split("<b>Published</b>")
    assert "99.9" not in measured
    assert "Not measured here" in published
    assert "| theirs |" in published


def test_failed_and_missing_runs_are_listed() -> None:
    bad = result("x", "bad|row", 0, 0.1, status="failed", metrics={}, error="Traceback\n  …\nRuntimeError: <b>oops</b>")
    shot = snapshot([result("a", "fine", 0, 0.9), bad])
    rows = [*shot.rows, BoardRow("later", "systems", {}, {"0": "zzz"})]
    text = page(Snapshot(**{**vars(shot), "rows": rows}))
    assert "- bad\\|row, seed 0: RuntimeError: \\<b\\>oops\\</b\\>" in text
    assert "1 planned runs have no result" in text


def test_hostile_strings_stay_text(tmp_path: Path) -> None:
    shot = snapshot([result("a", HOSTILE, 0, 0.9)], title=HOSTILE, dataset={**DATA, "title": HOSTILE})
    save(shot, results_file(tmp_path, "demo"))
    render(tmp_path)
    for file in tmp_path.glob("*.md"):
        text = file.read_text(encoding="utf-8")
        assert "<script" not in text.replace("\\<script", "")
        assert "\u202e" not in text
        assert not re.search(r"(?<!\\)\]\(http", text), "a link in a label stays text"
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert all(line.endswith(" |") for line in rows)
    assert escape("#1 ~x~") == "\\#1 \\~x\\~"
    (line,) = list(csv.DictReader(io.StringIO(table_csv(load(results_file(tmp_path, "demo"))))))
    assert line["system"] == HOSTILE
    formula = snapshot([result("a", "=1+1", 0, 0.9)])
    assert "'=1+1" in table_csv(formula)


def test_snapshot_round_trip_and_staleness(tmp_path: Path) -> None:
    file = results_file(tmp_path, "demo")
    save(snapshot(three_seeds("ours", [0.9, 0.91, 0.9], "a")), file)
    assert len(render(tmp_path)) == 3
    assert render(tmp_path) == []
    assert stale(tmp_path) == []
    again = load(file)
    save(again, file)
    assert stale(tmp_path) == []
    data = json.loads(file.read_text())
    data["results"][0]["metrics"]["test/accuracy"] = 0.5
    file.write_text(json.dumps(data))
    assert {p.name for p in stale(tmp_path)} == {"demo.md", "demo.csv", "README.md"}


def test_what_may_not_share_a_table(tmp_path: Path) -> None:
    file = results_file(tmp_path, "demo")
    save(snapshot([result("a", "x", 0, 0.9), result("b", "y", 0, 0.9, metric_versions={"accuracy": 2})]), file)
    with pytest.raises(DataError, match="different metric versions"):
        render(tmp_path)
    other = result("c", "z", 0, 0.9, dataset={**DATA, "fingerprint": "0" * 16})
    with pytest.raises(DataError, match="run c was made on dataset 0000"):
        collect([other], "f" * 16)
    file.write_text("{")
    with pytest.raises(DataError, match="demo.json: not JSON"):
        render(tmp_path)
    with pytest.raises(DataError, match="no results of 'dmo'. Did you mean 'demo'"):
        render(tmp_path, ["dmo"])


def test_ten_thousand_results_are_rendered(tmp_path: Path) -> None:
    results = [result(f"{i}-{s}", f"row {i}", s, 0.5 + i / 10_000) for i in range(2_000) for s in range(5)]
    save(snapshot(results), results_file(tmp_path, "demo"))
    render(tmp_path)
    text = (tmp_path / "demo.md").read_text(encoding="utf-8")
    assert all(f"row {i} " in text for i in (0, 999, 1_999))


def test_a_grid_is_shown_with_one_axis_across() -> None:
    results, rows = [], []
    for name, values in (("scm", (0.2, 0.3)), ("c|ca", (0.25, 0.1))):
        for bits, value in zip(("128", "16"), values, strict=True):
            run = f"{name}{bits}"
            results.append(result(run, run, 0, value, metrics={"val/accuracy": value, "test/i2t/map": value}))
            rows.append(BoardRow(run, "sweep", {"fitter": name, "fitter.bits": bits}, {"0": run}))
    board = {"pivot": {"by": "fitter.bits", "metrics": ["test/i2t/map", "test/i2t/odd"]}}
    text = page(snapshot(results[:3], rows=rows[:3], board=board))
    lines = text[text.index("By bits:") :].splitlines()
    assert [c.strip() for c in lines[2].strip("| ").split("|")] == [
        "Method", "i→t MAP %, 16", "i→t MAP %, 128", "i→t odd, 16", "i→t odd, 128",
    ]  # fmt: skip
    assert [c.strip() for c in lines[4].strip("| ").split(" | ")] == ["scm", "30.0", "20.0", "–", "–"]
    assert [c.strip() for c in lines[5].strip("| ").split(" | ")] == ["c\\|ca", "–", "25.0", "–", "–"]
    assert "By bits" not in page(snapshot(results[:3], rows=rows[:3]))
    assert "By " not in page(snapshot(results[:3], rows=rows[:3], board={"pivot": {**board["pivot"], "by": "other"}}))


def test_a_number_that_is_best_when_lowest() -> None:
    results, rows = [], []
    for name, value in (("worse", 3.0), ("better", 2.0)):
        results.append(result(name, name, 0, 0.5, metrics={"val/nll": value, "test/i2t/median_rank": value}))
        rows.append(BoardRow(name, "sweep", {"fitter": name, "fitter.bits": "16"}, {"0": name}))
    board = {"pivot": {"by": "fitter.bits", "metrics": ["test/i2t/median_rank"]}}
    # The mode that older files recorded may contradict the metric.
    text = page(snapshot(results, rows=rows, board=board, select={"metric": "val/nll", "mode": "max"}))
    lines = text[text.index("By bits") :].splitlines()
    assert [line.strip("| ").split(" | ")[0].strip() for line in lines[4:6]] == ["better", "worse"]
    assert [line.strip("| ").split(" | ")[1].strip() for line in lines[4:6]] == ["2.0", "3.0"], "a rank is no share"


def test_several_reference_tables() -> None:
    one = {"title": "Published", "source": "A, 2017", "columns": ["i→t 16"], "rows": {"m|1": [0.741], "m2": [None]}}
    two = {**one, "title": "Also", "note": "hand-made features"}
    text = page(snapshot([result("a", "x", 0, 0.5)], board={"reference": one, "references": [two, one]}))
    folds = re.findall("<summary><b>(.*?)</b>", text)
    assert [title for title in folds if title not in ("More metrics", "Cost")] == [
        "Baselines",
        "Published",
        "Also",
        "Published",
        "Protocol",
    ]
    assert text.count("**Not measured here, and not comparable with the tables above.**") == 3
    assert text.count("| m\\|1   |  0.741 |") == 3
    assert "hand-made features" in text
    assert "Also" not in page(snapshot([result("a", "x", 0, 0.5)], board={"reference": one}))


def test_the_page_says_what_queries_are_ranked_against(tmp_path: Path) -> None:
    data = {**DATA, "relevance": "label", "sets": {"data_base": 18_015}}
    results = [result("a", "one", 0, 0.5, dataset=data, metrics={"val/i2t/map": 0.5, "test/i2t/map": 0.5})]
    shown = snapshot(results, dataset=data, gallery="data_base")
    text = page(shown)
    shown_in = "queries: test, 400 items; gallery: data_base, 18,015 items; a match is any of the captions of"
    assert f"Ranked: {shown_in}" in text
    assert "against set 'data_base' of 18,015 items, val queries against it without val's items" in text
    save(shown, tmp_path / "b.json")
    assert load(tmp_path / "b.json").gallery == "data_base"
    save(snapshot(results, dataset=data), tmp_path / "c.json")
    assert "gallery" not in json.loads((tmp_path / "c.json").read_text()), "boards of splits stay as they are"
    current = page(snapshot(results, dataset=data, gallery="train"))
    assert "gallery: train, 80 items" in current


def test_metrics_of_codes_have_columns() -> None:
    metrics = {"val/accuracy": 0.5}
    for key in ("hamming_map", "hamming_map:stable", "hamming_lookup@2/f1", "hamming_lookup@2/precision"):
        metrics[f"test/i2t/{key}"] = 0.25
    metrics |= {"test/i2t/chance/hamming_map": 0.2, "test/i2t/skipped/hamming_map": 3.0}
    text = page(snapshot([result("a", "one", 0, 0.5, metrics=metrics)]))
    (header,) = [line for line in text.splitlines() if "MAP" in line and line.startswith("| System")]
    assert [c.strip() for c in header.strip("|").split("|")][1:] == [
        "i→t Hamming MAP", "i→t Hamming MAP:stable", "i→t lookup@2 F1", "i→t lookup@2 P",
    ]  # fmt: skip
    assert "Chance: i→t Hamming MAP 20.0. Queries without a match are excluded: i→t 3." in text


def test_rows_that_rank_by_a_side_projection_are_named() -> None:
    one = {"image_encoder": {"name": "timm_cnn"}, "text_encoder": {"name": "lstm"}, "attention": {"name": "none"}}
    inter = {**one, "attention": {"name": "inter"}}
    selecting = {**one, "pooling": {"text": {"name": "visual_semantic"}, "image": {"name": "mean"}}}
    sighted = {**one, "text_encoder": {"name": "bert", "options": {"visual": True}}}
    image_alone = {**inter, "text_encoder": None}
    configs = {"apart": one, "inter": inter, "selecting": selecting, "sighted": sighted, "alone": image_alone}
    assert [name for name, config in configs.items() if sees_both(config)] == ["inter", "selecting", "sighted"]
    pair = [result(name, name, 0, 0.5, config=configs[name]) for name in ("apart", "inter")]
    text = page(snapshot([replace(run, metrics={**run.metrics, "test/t2i/recall@1": 0.3}) for run in pair]))
    assert "inter rank by a projection of each modality's own tokens" in text
    assert "own tokens, projected: embeddings (cosine)" in text
