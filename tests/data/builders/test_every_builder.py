"""What holds for every builder: a sound file, the same content the same fingerprint, faults told and counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from builder_layouts import LAYOUTS, OPTIONS

from vsebench.cli.data import build as build_command
from vsebench.core.errors import DataError
from vsebench.core.registry import DATASETS
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

BUILDERS = sorted(LAYOUTS)
WITH_FILES = [n for n in BUILDERS if n not in ("wikipedia", "av_digits")]  # those have no image or sound files
Lay, Build = Callable[[str], Path], Callable[..., Dataset]


def test_every_builder_of_files_is_tried() -> None:
    from_files = {n for n in DATASETS.names() if "skip_bad" in DATASETS.get(n).options}
    elsewhere = {"paired", "hub"}  # they read no official layout
    assert from_files - elsewhere == set(BUILDERS)


@pytest.mark.parametrize("name", BUILDERS)
def test_sound_and_repeatable(name: str, lay: Lay, build: Build) -> None:
    root = lay(name)
    dataset = build(name, root)
    assert check(dataset) == []
    assert set(dataset.splits) - {"rest"} == {"train", "val", "test"}
    assert dataset.provenance["builder"] == name
    assert dataset.provenance["split_rule"]
    assert build(name, root).fingerprint == dataset.fingerprint


@pytest.mark.parametrize("name", BUILDERS)
def test_says_where_to_get_it(name: str) -> None:
    facts = DATASETS.get(name).facts
    assert facts["layout"]
    if name not in ("folder", "audio"):
        assert facts["get"], "where to get the source files"
        assert facts["licence"]
        assert facts["marker"]


def files_of(root: Path) -> list[Path]:
    return sorted(f for f in root.rglob("*") if f.suffix in (".jpg", ".wav"))


@pytest.mark.parametrize("name", WITH_FILES)
def test_missing_and_corrupt_files(name: str, lay: Lay, build: Build, tmp_path: Path) -> None:
    root = lay(name)
    whole = len(build(name, root))
    (tmp_path / "built.h5").unlink()
    files = files_of(root)
    from_list = name not in ("audio", "spoken_digits")  # a folder without a list cannot miss a file
    if from_list:
        files[-2].unlink()
    files[0].write_bytes(files[0].read_bytes()[:30])
    with pytest.raises(DataError) as caught:
        build(name, root)
    message = "\n".join(caught.value.problems)
    assert files[0].name in message
    assert "cannot be decoded" in message or "is cut short" in message
    assert len(caught.value.problems) == 1 + from_list, message
    if from_list:
        assert files[-2].name in message
        assert "does not exist" in message
    assert not (tmp_path / "built.h5").exists()
    dataset = build(name, root, skip_bad=True)
    assert len(dataset) == whole - 1 - from_list
    assert dataset.provenance["skipped_rows"] == 1 + from_list


@pytest.mark.parametrize("name", BUILDERS)
def test_from_the_command_line(name: str, lay: Lay, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = lay(name)
    builder = name if name in ("audio", "folder") else None
    options = [f"--{option.replace('_', '-')}={value}" for option, value in OPTIONS.get(name, {}).items()]
    build_command(SimpleNamespace(args=options), name, root, builder, tmp_path / "cli.h5")
    message = capsys.readouterr().out
    assert "items (train" in message
    assert "fingerprint" in message
    assert "\nsplits: " in message
    with pytest.raises(DataError, match="exists already"):
        build_command(SimpleNamespace(args=[]), name, root, builder, tmp_path / "cli.h5")


@pytest.mark.parametrize("name", [n for n in BUILDERS if n not in ("folder", "audio")])
def test_an_empty_folder(name: str, build: Build, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not found: looked for|no image with sentences"):
        build(name, tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder"):
        build(name, tmp_path / "nowhere")
