"""The cache of frozen features: what it lists, what it removes, who may use it at once."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import start
from filelock import FileLock

from vsebench.cli import cache
from vsebench.core.errors import ConfigError
from vsebench.core.home import features_home
from vsebench.core.types import Tokens
from vsebench.engine.feature_cache import cached_tokens, entries, prune


def tokens(seed: int, rows: int = 8) -> Iterator[Tokens]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(rows // 4):
        yield Tokens(torch.randn(4, 3, 16, generator=generator), torch.ones(4, 3, dtype=torch.bool))


def keep(seed: int, age_s: float = 0.0) -> None:
    cached_tokens({"encoder": "cnn", "dataset": "d", "split": f"s{seed}"}, lambda: tokens(seed), "fp32")
    newest = entries()[0]
    used = time.time() - age_s
    os.utime(features_home() / newest.key / "meta.json", (used, used))


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    cache.list_()
    assert capsys.readouterr().out.strip() == "0 entries, 0 B"
    keep(1, 100)
    keep(2)
    entries_ = entries()
    assert [e.split for e in entries_] == ["s2", "s1"], "the last used first"
    assert entries_[0].tokens == 24
    assert entries_[0].dim == 16
    assert entries_[0].size == sum(f.stat().st_size for f in (features_home() / entries_[0].key).iterdir())
    cache.list_()
    assert "2 entries" in capsys.readouterr().out


def test_the_least_recently_used_goes_first(capsys: pytest.CaptureFixture[str]) -> None:
    for seed, age in ((1, 300), (2, 100), (3, 200)):
        keep(seed, age)
    size = entries()[0].size
    removed, selected = prune(2 * size + 10)
    assert [e.split for e in removed] == ["s1"]
    assert [e.split for e in selected] == ["s2", "s3"]
    cache.prune("0")
    assert "removed 2 entries" in capsys.readouterr().out
    assert entries() == []
    with pytest.raises(ConfigError, match="'much' is no size"):
        cache.prune("much")


def test_reading_counts_as_use() -> None:
    keep(1, 300)
    keep(2, 100)
    cached_tokens({"encoder": "cnn", "dataset": "d", "split": "s1"}, lambda: pytest.fail("it is there"), "fp32")
    assert [e.split for e in entries()] == ["s1", "s2"]


def test_what_is_being_written_stays_and_what_was_left_goes() -> None:
    keep(1)
    key = entries()[0].key
    dead = features_home() / "0123.partial-999999999"
    dead.mkdir()
    alive = features_home() / f"4567.partial-{os.getpid()}"
    alive.mkdir()
    with FileLock(f"{features_home() / key}.lock"):
        assert prune(0)[0] == []
    assert not dead.exists()
    assert alive.exists()


def test_an_open_entry_outlives_its_name() -> None:
    store = cached_tokens({"encoder": "a"}, lambda: tokens(5), "fp32")
    before = store.take(np.arange(8)).values.clone()
    assert len(prune(0)[0]) == 1
    assert torch.equal(store.take(np.arange(8)).values, before)


COMPUTE = """
import sys, time, numpy, torch
from vsebench.engine.feature_cache import cached_tokens
from vsebench.core.types import Tokens

def slow():
    with open(sys.argv[1], "a") as stream:
        stream.write("x")
    time.sleep(0.5)
    yield Tokens(torch.arange(48.0).reshape(4, 3, 4), torch.ones(4, 3, dtype=torch.bool))

print(float(cached_tokens({"encoder": "shared"}, slow, "fp32").take(numpy.arange(4)).values.sum()))
"""


def test_concurrent_writers_compute_once(tmp_path: Path) -> None:
    counter = tmp_path / "count"
    outputs = [tmp_path / f"output {n}" for n in range(3)]
    for writer in [start([counter], code=COMPUTE, output=file) for file in outputs]:
        writer.join()
    assert [file.read_text().strip() for file in outputs] == [str(float(sum(range(48))))] * 3
    assert counter.read_text() == "x"


def test_damage_and_kills_are_mended() -> None:
    parts = {"encoder": "b"}
    store = cached_tokens(parts, lambda: tokens(5), "fp32")
    whole = store.take(np.arange(8)).values.clone()
    folder = features_home() / entries()[0].key
    values = bytearray((folder / "values.bin").read_bytes())
    values[40] ^= 0xFF
    (folder / "values.bin").write_bytes(bytes(values))
    from vsebench.engine.feature_cache import _verified

    _verified.cache_clear()  # as in a new process
    assert torch.equal(cached_tokens(parts, lambda: tokens(5), "fp32").take(np.arange(8)).values, whole)


@pytest.mark.parametrize("field", ["dim", "grid", "dtype", "parts"])
def test_a_folder_that_says_something_else_of_itself_is_computed_again(field: str) -> None:
    parts = {"encoder": "b"}
    cached_tokens(parts, lambda: tokens(5), "fp32")
    file = features_home() / entries()[0].key / "meta.json"
    meta = json.loads(file.read_text())
    meta[field] = {"dim": 2, "grid": [1, 3], "dtype": "fp16", "parts": {"encoder": "c"}}[field]
    file.write_text(json.dumps(meta))
    from vsebench.engine.feature_cache import _verified

    _verified.cache_clear()
    again = []
    cached_tokens(parts, lambda: again.append(1) or tokens(5), "fp32")  # type: ignore[func-returns-value]
    assert again == [1]


def test_what_is_cached_needs_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared home that cannot be written is read all the same."""
    cached_tokens({"encoder": "b"}, lambda: tokens(5), "fp32")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(FileLock, "acquire", refuse)
    monkeypatch.setattr(os, "utime", refuse)
    cached_tokens({"encoder": "b"}, lambda: pytest.fail("it is there"), "fp32")


def test_what_is_kept_does_not_depend_on_the_process(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep, and a measurement or a search of its runs with other threads, share the features; their bits agree."""
    from test_train import SYSTEM

    import vsebench.engine.circumstances as circumstances
    from vsebench.config.resolve import resolve
    from vsebench.data.dataset import Dataset
    from vsebench.engine.loader import Loader
    from vsebench.engine.model import Model

    system = resolve({**SYSTEM, "text_encoder": "none", "objective": "cross_entropy"})
    torch.manual_seed(0)
    model = Model(system, num_classes=3)

    def selected() -> np.ndarray:
        Loader(Dataset.open(tiny_file), "val", system, model.encoders)
        (entry,) = entries()
        return np.frombuffer((features_home() / entry.key / "values.bin").read_bytes(), np.uint8)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = selected()
        for threads in (2, 3):
            torch.set_num_threads(threads)
            assert np.array_equal(selected(), alone), "what is there is used"
            prune(0)
            assert np.array_equal(selected(), alone), "computed again by several threads, it is the same"
            assert torch.get_num_threads() == threads
        monkeypatch.setattr(circumstances, "libraries", lambda: {"torch": "other"})
        Loader(Dataset.open(tiny_file), "val", system, model.encoders)
        assert len(entries()) == 2
    finally:
        torch.set_num_threads(before)
