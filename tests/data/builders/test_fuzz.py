"""Every builder with cut, reordered and garbage files: a clear error or a sound dataset, never anything else."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from builder_layouts import LAYOUTS, OPTIONS

from vsebench.core.errors import VsebenchError
from vsebench.core.registry import DATASETS
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

PER_FOLDER = 1  # files of a kind that are damaged: one image is like another
SEED = 0


def damages(content: bytes, rng: random.Random) -> list[tuple[str, bytes]]:
    """Names of damages and what they leave of a file."""
    cut = rng.randrange(len(content)) if content else 0
    flipped = bytearray(content)
    for _ in range(max(1, len(content) // 200)):
        flipped[rng.randrange(len(flipped))] = rng.randrange(256)
    lines = content.split(b"\n")
    shuffled = rng.sample(lines, len(lines))
    middle = len(lines) // 2
    results = [
        ("empty", b""),
        ("cut", content[:cut]),
        ("cut at a line", b"\n".join(lines[:middle])),
        ("a line lost", b"\n".join(lines[:middle] + lines[middle + 1 :])),
        ("a line twice", b"\n".join(lines[:middle] + lines[middle - 1 :])),
        ("flipped bytes", bytes(flipped)),
        ("garbage", rng.randbytes(max(64, min(len(content), 2000)))),
        ("zeros", bytes(len(content))),
        ("text", b"this is not what it should be\n" * 3),
        ("deep JSON", b"[" * 5000),
        ("other JSON", b'{"images": [1, null, {"filename": 3}], "a": {"b": []}}'),
    ]
    return [*results, ("reordered lines", b"\n".join(shuffled))] if len(lines) > 2 else results


def kinds_of_files(root: Path) -> list[Path]:
    """A few files of each kind."""
    results: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(root.rglob("*")):
        if file.is_file():
            top = file.relative_to(root).parts[0]
            many = file.parent != root and len(list((root / top).rglob(f"*{file.suffix}"))) > 5
            results.setdefault((top if many else file.name, file.suffix), []).append(file)
    return [file for files in results.values() for file in files[:PER_FOLDER]]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_damaged_sources(name: str, tmp_path: Path) -> None:
    rng = random.Random(f"{SEED}-{name}")
    whole = tmp_path / "whole"
    LAYOUTS[name](whole)
    out = tmp_path / "out" / "x.h5"
    refused = 0
    for file in kinds_of_files(whole):
        content = file.read_bytes()
        for damage, left in damages(content, rng):
            for skip_bad in (False, True):
                file.write_bytes(left)
                try:
                    DATASETS.get(name).build(
                        {"source": str(whole), "skip_bad": skip_bad, **OPTIONS.get(name, {})},
                        out=out,
                        progress=lambda done, total: None,
                    )
                except VsebenchError as error:
                    refused += bool(str(error).strip())
                    assert not out.exists(), f"{file.name}, {damage}: a half file under the final name"
                else:
                    problems = [p for p in check(Dataset.open(out)) if "split" not in p]
                    assert problems == [], f"{file.name}, {damage}: {problems}"
                    out.unlink()
                assert not list((tmp_path / "out").glob(".*")) if out.parent.is_dir() else True
        file.write_bytes(content)
    assert refused > 0
    shutil.rmtree(tmp_path / "whole")
