"""Plots of codes: what is drawn, when it is drawn again, and names that could break it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from board_texts import page

import vsebench.leaderboard.sections.curves as plots
from vsebench.core.types import Result
from vsebench.leaderboard.render import render, stale
from vsebench.runs.snapshot import BoardRow, Snapshot, load, results_file, save

DATA = {
    "name": "demo",
    "title": "Demo",
    "fingerprint": "f",
    "splits": {"train": 8, "val": 2, "test": 4},
    "sets": {"database": 10},
    "num_classes": 3,
    "relevance": "label",
}


def curve(bits: int, shift: float = 0.0) -> dict[str, Any]:
    radii = range(bits + 1)
    precision: list[float | None] = [0.9 - 0.5 * r / bits + shift for r in radii]
    precision[0] = None  # nothing is returned
    recall = [r / bits for r in radii]
    topn = {"n": [1, 10, 100], "precision": [0.8 + shift, 0.6, 0.3]}
    return {"bits": bits, "lookup": {"precision": precision, "recall": recall}, "topn": topn}


def board(names: dict[str, int], seeds: int = 1, kinds: Any = ("lookup", "topn")) -> Snapshot:
    """``names``: of the rows, with the length of their codes; 0 for a row without codes."""
    rows, results = [], {}
    for place, (name, bits) in enumerate(names.items()):
        runs = {str(seed): f"r{place}-{seed}" for seed in range(seeds)}
        rows.append(BoardRow(name, "systems", {}, runs))
        for seed, run in runs.items():
            one = curve(bits, 0.01 * int(seed)) if bits else {}
            results[run] = Result(
                run_id=run,
                experiment="demo",
                system=name,
                seed=int(seed),
                status="finished",
                config={"image_encoder": {"name": "features"}, "attention": {"name": "none"}},
                dataset=DATA,
                metrics={"val/i2t/map": 0.5 - place / 100, "test/i2t/map": 0.5},
                parameters={"total": 1, "trained": 1},
                curves={"i2t": one, "t2i": one} if bits else {},
                finished_at="2026-01-02",
            )
    return Snapshot(
        "demo", "Demo", DATA, rows, list(range(seeds)), {"metric": "val/i2t/map", "mode": "max"},
        {"plots": list(kinds)}, "vsebench sweep x", results, gallery="database",
    )  # fmt: skip


def svg(snapshot: Snapshot, kind: str) -> str:
    figure = plots.figure_of(snapshot, kind)
    assert figure is not None
    return figure.svg()


def test_lines_are_means_over_seeds_and_leave_out_what_is_undefined() -> None:
    lines = plots.lines_of(board({"a": 4, "plain": 0}, seeds=3), "lookup")
    assert [(line.name, line.direction, line.bits) for line in lines] == [("a", "i2t", 4), ("a", "t2i", 4)]
    assert list(lines[0].x) == [0.25, 0.5, 0.75, 1.0]
    assert lines[0].y[-1] == pytest.approx(0.4 + 0.01)
    top = plots.lines_of(board({"a": 4}, seeds=3), "topn")[0]
    assert list(top.x) == [1, 10, 100]
    assert top.y[0] == pytest.approx(0.81)


def test_a_board_draws_what_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = board({"a": 4, "b": 8})
    save(shown, results_file(tmp_path, "demo"))
    assert load(results_file(tmp_path, "demo")).results["r0-0"].curves == shown.results["r0-0"].curves
    written = {file.name for file in render(tmp_path)}
    assert {"demo-lookup.svg", "demo-topn.svg"} <= written
    text = (tmp_path / "demo.md").read_text()
    assert "](plots/demo-lookup.svg)" in text
    assert "equal distances in expectation" in text
    root = ElementTree.parse(tmp_path / "plots" / "demo-lookup.svg").getroot()
    listing = "".join(root.itertext())
    assert "image → text, 4 bits" in listing
    assert "text → image, 8 bits" in listing
    assert stale(tmp_path) == []
    with monkeypatch.context() as patched:
        patched.setattr(plots, "draw", lambda *_: pytest.fail("nothing has changed"))
        assert render(tmp_path) == []
    shown.results["r0-0"].curves["i2t"]["topn"]["precision"][0] = 0.1
    save(shown, results_file(tmp_path, "demo"))
    assert [file.name for file in stale(tmp_path)] == ["demo-topn.svg"]
    assert [file.name for file in render(tmp_path)] == ["demo-topn.svg"]


def test_the_same_points_give_the_same_file() -> None:
    assert svg(board({"a": 4}), "topn") == svg(board({"a": 4}), "topn")


@pytest.mark.parametrize("kind", ["lookup", "topn"])
def test_other_points_give_another_file(kind: str) -> None:
    """Two seeds have other means than one."""
    assert svg(board({"a": 4}, seeds=2), kind) != svg(board({"a": 4}), kind)


def test_without_codes_or_without_asking_nothing_is_drawn(tmp_path: Path) -> None:
    save(board({"plain": 0}), results_file(tmp_path, "demo"))
    render(tmp_path)
    assert "No row has codes; there are no curves to draw." in (tmp_path / "demo.md").read_text()
    assert not (tmp_path / "plots").exists()
    assert "<b>Curves</b>" not in page(board({"a": 4}, kinds=()))
    assert "curves" not in results_file(tmp_path, "demo").read_text()


def test_hostile_names() -> None:
    names = {"_hidden": 4, "$\\frac{1}$": 4, "<script>&]]>": 4, "a\u202eb\x00c": 4, "x" * 200: 4}
    text = svg(board(names), "lookup")
    listing = "".join(ElementTree.fromstring(text).itertext())
    for part in ("_hidden", "$\\frac{1}$", "<script>&]]>", "abc", "x" * 47 + "…"):
        assert part in listing, part


def test_only_the_best_rows_have_names() -> None:
    shown = board({f"row {i}": 4 for i in range(13)})
    listing = "".join(ElementTree.fromstring(svg(shown, "lookup")).itertext())
    assert "row 9" in listing
    assert "row 10" not in listing
    assert "3 others" in listing


def test_points_as_a_table() -> None:
    columns, rows = plots.points(board({"a": 2, "plain": 0}))
    assert columns[:5] == ["system", "seed", "direction", "bits", "curve"]
    assert rows[0] == ["a", 0, "i2t", 2, "lookup", 0, None, 0.0]
    assert rows[3] == ["a", 0, "i2t", 2, "topn", 1, 0.8, None]
    assert len(rows) == 2 * (3 + 3)
