"""The command that writes HTML boards."""

from __future__ import annotations

from pathlib import Path

import pytest
from html_boards import board

from vsebench.cli.leaderboard_html import write_html
from vsebench.core.errors import ConfigError, DataError
from vsebench.runs.snapshot import results_file, save


def test_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(board(), results_file(tmp_path, "demo"))
    write_html(tmp_path, (), runs=tmp_path / "runs")
    assert "Demo board" in (tmp_path / "demo.html").read_text(encoding="utf-8")
    write_html(tmp_path, ["demo"], runs=tmp_path / "runs", out=tmp_path / "new" / "x.html")
    assert (tmp_path / "new" / "x.html").is_file()
    assert capsys.readouterr().out.count("wrote ") == 3, "the list of boards too"


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no results"):
        write_html(tmp_path, (), runs=tmp_path)
    for name in ("demo", "other"):
        save(board(), results_file(tmp_path, name))
    with pytest.raises(DataError, match="no results of 'dem'. Did you mean 'demo'"):
        write_html(tmp_path, ["dem"], runs=tmp_path)
    with pytest.raises(ConfigError, match="--out is one file, and there are 2 boards"):
        write_html(tmp_path, (), runs=tmp_path, out=tmp_path / "x.html")
    with pytest.raises(ConfigError, match="--check"):
        write_html(tmp_path, (), runs=tmp_path, check=True)
