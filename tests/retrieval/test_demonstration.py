"""The README's search: what a row of the main experiment finds for words of its captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vsebench.cli.app import app
from vsebench.data.open import open_dataset
from vsebench.retrieval.searcher import Searcher

ROOT = Path(__file__).parents[2]
ROW = "VSE + dense projection"
DATASET = {"name": "mmfrb", "scenes": 1500}


@pytest.mark.slow
def test_seven_of_the_first_ten_are_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path / "home"))
    options = [f"dataset={json.dumps(DATASET)}", "seeds=[0]", "train.epochs=12"]
    sweep = ["sweep", str(ROOT / "experiments" / "mmfrb.yaml"), "--only", ROW, "--wandb", "disabled", "--workers", "0"]
    run_command(*sweep, *(part for option in options for part in ("-o", option)))
    run_command("index", f"mmfrb/{ROW}", "--out", "gallery")
    searcher, dataset = Searcher.load(tmp_path / "gallery"), open_dataset(DATASET)
    garments = {i: json.loads(dataset.attributes(row)["garments"]) for row, i in enumerate(dataset.ids)}
    assert "red striped piece" in (ROOT / "README.md").read_text(encoding="utf-8"), "what is tested is what is shown"
    for text, wanted in (
        ("red striped piece", {"colour": "red", "pattern": "striped"}),
        ("blue dotted piece", {"colour": "blue", "pattern": "dotted"}),
    ):
        hits = searcher.search(text=text, k=10)
        right = [any(wanted.items() <= garment.items() for garment in garments[hit.id]) for hit in hits]
        assert sum(right) >= 7, (text, [hit.caption for hit in hits])


def run_command(*arguments: str) -> None:
    """Run a command in this process."""
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
