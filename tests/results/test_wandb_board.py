"""The board in W&B, read back from the offline runs' own folders."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from swept import sweep_in
from wandb_files import read_back

from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.results.wandb_board import best_row, log_board, measure_tables, rows_table, runs_table
from vsebench.runs.snapshot import Snapshot, load, results_file, save
from vsebench.runs.wandb_options import Wandb
from vsebench.sweeps.worker import Settings

HOSTILE = "=1+1 <script>alert(1)</script> `x` *y*"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two rows on pictures whose captions and classes are hostile."""
    folder = tmp_path_factory.mktemp("board")
    rng = np.random.default_rng(0)
    with DatasetWriter(
        folder / "hostile.h5", name="hostile", title=HOSTILE, fractions={"train": 0.5, "val": 0.25, "test": 0.25}
    ) as out:
        for i in range(24):
            buffer = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(buffer, "PNG")
            out.add(Item(f"i{i}", buffer.getvalue(), (f"{HOSTILE} {i}",), "a" if i % 2 else HOSTILE))
    base = {
        "image_encoder": {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32},
        "text_encoder": {"name": "bow"},
        "dim": 8,
    }
    sweep_in(
        folder,
        {
            "experiment": "hostile",
            "dataset": str(folder / "hostile.h5"),
            "metrics": ["accuracy", "recall@1"],
            "seeds": [0, 1],
            "train": {"epochs": 1, "batch_size": 8},
            "systems": {"both": {**base, "fusion": "concat"}, HOSTILE: {**base, "image_encoder": "none"}},
        },
    )
    return folder


def board(folder: Path) -> Snapshot:
    return load(results_file(folder / "board", "hostile"))


def table(file: Path, name: str) -> dict[str, Any]:
    """A logged table, from where the offline run keeps it."""
    (place,) = (file.parent / "files" / "media" / "table").glob(f"{name}_*.table.json")
    plain: dict[str, Any] = json.loads(place.read_text())
    return plain


def test_numbers_are_numbers(folder: Path) -> None:
    snapshot = board(folder)
    columns, rows = runs_table(snapshot)
    assert len(rows) == 4
    by_id = {row[columns.index("run_id")]: dict(zip(columns, row, strict=True)) for row in rows}
    for run_id, result in snapshot.results.items():
        assert {key: by_id[run_id][key] for key in result.metrics} == result.metrics
        assert by_id[run_id]["text_encoder"] == "bow"
        assert by_id[run_id]["parameters_total"] == result.parameters["total"]
    columns, rows = rows_table(snapshot)
    for row in rows:
        line = dict(zip(columns, row, strict=True))
        values = [r.metrics["test/accuracy"] for r in snapshot.results.values() if r.system == line["system"]]
        assert line["test/accuracy"] == pytest.approx(np.mean(values))
        assert line["seeds"] == 2


def test_measures_are_lines(folder: Path) -> None:
    snapshot = board(folder)
    run_id = snapshot.rows[0].runs["1"]
    snapshot = replace(
        snapshot, measures={run_id: {"cost": {"gflops": {"item": 2.5}, "why": "x", "all": [1, True, 3]}}}
    )
    columns, rows = measure_tables(snapshot)["cost"]
    assert columns == ["system", "seed", "run_id", "number", "value"]
    assert rows == [["both", 1, run_id, path, value] for path, value in
                    (("gflops/item", 2.5), ("all/0", 1.0), ("all/2", 3.0))]  # fmt: skip


@pytest.mark.slow
def test_offline_runs_hold_everything(folder: Path) -> None:
    snapshot = board(folder)
    run_id = snapshot.rows[0].runs["0"]
    save(replace(snapshot, measures={run_id: {"other": {"gflops": 2.5}}}), results_file(folder / "board", "hostile"))
    (folder / "board" / "plots").mkdir(exist_ok=True)
    (folder / "board" / "plots" / "hostile-x.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    settings = Settings(
        folder / "runs", folder / "hostile.h5", device="cpu", wandb=Wandb("offline", system=False), cache=False
    )
    log_board("hostile", settings, folder / "board")
    places = {f.stem.split("-", 1)[1]: f for f in (folder / "runs" / "hostile" / "wandb").rglob("run-*.wandb")}
    assert set(places) == {"hostile-leaderboard", "hostile-measures"}
    results = {name: read_back(file) for name, file in places.items()}
    leaderboard, measures = results["hostile-leaderboard"], results["hostile-measures"]
    assert (leaderboard.about["group"], leaderboard.about["job_type"]) == ("hostile", "leaderboard")
    assert (measures.about["group"], measures.about["job_type"]) == ("hostile", "measure")
    for name, file in places.items():
        assert results[name].artifacts == {}
        assert all((file.parent / "files" / part).is_file() for part in results[name].files)
    board_file, measures_file = places["hostile-leaderboard"], places["hostile-measures"]
    assert len(table(board_file, "leaderboard")["data"]) == 4
    systems = [line[0] for line in table(board_file, "rows")["data"]]
    assert sorted(systems) == sorted(["both", HOSTILE]), "plain data, as it is"
    assert table(measures_file, "measures/other")["data"] == [["both", 0, run_id, "gflops", 2.5]]
    best = best_row(snapshot)
    assert best is not None
    assert leaderboard.summary["best_row"] == best.row.name
    media = places["hostile-leaderboard"].parent / "files" / "media"
    (page,) = media.glob("html/gallery/page*.html")
    text = page.read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert list(media.glob("html/drawings/x*.html"))
    items = table(board_file, "gallery/classes")
    column = items["columns"].index("text")
    assert all(line[column].startswith(HOSTILE) for line in items["data"])
    assert list(media.glob("images/gallery/classes/pictures*"))
    if best.row.name == "both":
        assert table(board_file, "gallery/t2i")["data"]
