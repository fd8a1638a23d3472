"""What cannot hold the vectors is refused with the plan, every row with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.index_experiment import load_index_experiment
from vsebench.core.errors import ConfigError
from vsebench.retrieval.index_benchmark.plan import plan
from vsebench.runs.store import Store

FILE = """\
experiment: ix
vectors: {generated: {count: 50, queries: 5, dim: 15, latent: 4}}
k: [1]
indexes:
  flat: flat
  halves: {name: pq, m: 4}
  quarters: {name: pq, m: 7}
"""


def test_every_row_that_cannot_hold_the_vectors_is_told(
    write_experiment: Callable[[Any], Path], tmp_path: Path
) -> None:
    file = write_experiment(FILE)
    with pytest.raises(ConfigError) as caught:
        plan(load_index_experiment(file), {"dim": 15, "fingerprint": "f"}, Store(tmp_path, "ix"), threads=1)
    assert [str(fault).split(": ")[0] for fault in caught.value.faults] == [f"{file}:6", f"{file}:7"]
