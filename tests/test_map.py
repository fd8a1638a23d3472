"""Every path that docs/map.md names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAP = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:vsebench|tests|benchmarks|docs)/[^`<\s]+)`", MAP)))


@pytest.mark.parametrize("path", PATHS)
def test_paths_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_file_names_beside_a_folder_exist() -> None:
    """Names after ``folder/: `` in a row stand for files of that folder."""
    missing = []
    for folder, names in re.findall(r"`(vsebench/[\w/]+/)`: ((?:`[\w./]+`(?: \([^)]*\))?(?:, | → )?)+)", MAP):
        missing += [folder + name for name in re.findall(r"`([\w./]+)`", names) if not (ROOT / folder / name).exists()]
    assert not missing


def test_the_map_is_short() -> None:
    """A layout that one can see needs few rows; the first one needed 66."""
    rows = re.findall(r"^\| (?!I want to)(?!--)", MAP, re.MULTILINE)
    assert 0 < len(rows) <= 22, len(rows)
