"""Building miniatures of official layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builder_layouts import LAYOUTS, OPTIONS

from vsebench.core.registry import DATASETS
from vsebench.data.dataset import Dataset


@pytest.fixture
def lay(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the layout of a builder and gives its folder."""

    def write(name: str) -> Path:
        root = tmp_path / "source"
        LAYOUTS[name](root)
        return root

    return write


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Dataset]:
    """Builds a source folder with a builder and opens the file."""

    def run(name: str, source: Path | str, **options: Any) -> Dataset:
        out = tmp_path / "built.h5"
        options = {"source": str(source), **OPTIONS.get(name, {}), **options}
        DATASETS.get(name).build(options, out=out, progress=lambda done, total: None)
        return Dataset.open(out)

    return run
