"""A run's numbers and predictions are read without its model, and so without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import boards

CODE = """
import sys
import vsebench as vb

for ref in ("demo/good", "good1", sys.argv[1] + "/demo/good000000000000"):
    run = vb.load_run(ref, sys.argv[1])
    stored = run.predictions()
    right = stored.logits.argmax(1) == stored.labels
    assert abs(right.mean() - run.metrics["test/accuracy"]) < 1e-9, ref
assert "torch" not in sys.modules
"""


def test_numbers_need_no_torch(tmp_path: Path) -> None:
    for seed in (0, 1):
        boards.run(tmp_path, "good", seed, skill=2.0)
    subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], check=True)
