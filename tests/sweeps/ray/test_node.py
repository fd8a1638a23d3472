"""What a node keeps: a dataset and plug-ins that were sent, a scratch folder of its own, and no run of other code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ClusterError, DataError
from vsebench.core.home import scratch_home, shipped_home
from vsebench.data.dataset import Dataset
from vsebench.runs.store import Store
from vsebench.sweeps.plan import id_here, make_plan
from vsebench.sweeps.ray.artifacts import pieces
from vsebench.sweeps.ray.node import (
    Job,
    _device,
    close_scratch,
    dataset_here,
    keep_dataset,
    open_scratch,
    place_plugin,
    refuse_another,
)

Write = Callable[[Any], Path]


def test_dataset_is_used_where_it_lies(tiny_file: Path) -> None:
    fingerprint = Dataset.open(tiny_file).fingerprint
    result = dataset_here(tiny_file, fingerprint)
    assert result is not None
    assert result.path == tiny_file
    assert dataset_here(tiny_file, "another") is None
    assert dataset_here(tiny_file.with_name("absent.h5"), fingerprint) is None


def test_dataset_that_was_sent_is_kept(tiny_file: Path) -> None:
    fingerprint, absent = Dataset.open(tiny_file).fingerprint, Path("/nowhere/tiny.h5")
    selected = keep_dataset(fingerprint, pieces(tiny_file, 1000))
    assert selected.path.parent == shipped_home()
    assert selected.path.read_bytes() == tiny_file.read_bytes()
    again = dataset_here(absent, fingerprint)
    assert again is not None
    assert again.path == selected.path

    def nobody_reads():  # type: ignore[no-untyped-def]
        raise AssertionError
        yield b""

    assert keep_dataset(fingerprint, nobody_reads()).path == selected.path


def test_another_dataset_is_refused(tiny_file: Path) -> None:
    with pytest.raises(DataError, match="the runs are of"):
        keep_dataset("another", pieces(tiny_file))


def test_plugin_lies_there_or_is_copied(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("x = 1\n")
    assert place_plugin(file, "x = 1\n") == file
    copies = [place_plugin(file, "x = 2\n"), place_plugin(tmp_path / "gone" / "mine.py", "x = 2\n")]
    assert copies[0] == copies[1]
    assert copies[0].name == "mine.py"  # its name is part of the ids of its runs
    assert copies[0].read_text() == "x = 2\n"
    assert file.read_text() == "x = 1\n"


def test_scratch_of_a_killed_process_is_removed() -> None:
    folder, lock = open_scratch()
    other, other_lock = open_scratch()
    assert folder.is_dir()
    assert other.is_dir()
    (folder / "file").write_text("")
    lock.release()  # as a kill does
    third, third_lock = open_scratch()
    assert not folder.exists()
    assert other.is_dir()
    for path, held in ((other, other_lock), (third, third_lock)):
        close_scratch(path, held)
    assert list(scratch_home().iterdir()) == []


def test_a_run_of_other_code_or_files_is_refused(
    write_experiment: Write, tiny_experiment: Any, tiny_file: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"some")
    tiny_experiment["systems"]["both"]["image_encoder"] = {
        **tiny_experiment["systems"]["both"]["image_encoder"],
        "weights": str(weights),
    }
    dataset = Dataset.open(tiny_file)
    plan = make_plan(load_experiment(write_experiment(tiny_experiment)), dataset.describe(), Store(tmp_path, "x"))
    for run in plan.runs:
        assert run.code
        assert id_here(run, dataset.fingerprint) == run.run_id
        refuse_another(run, dataset.fingerprint)
    with pytest.raises(ClusterError, match="another run: vsebench's code or a plug-in differs"):
        refuse_another(replace(plan.runs[0], run_id="0" * 16), dataset.fingerprint)
    with pytest.raises(ClusterError, match="another run: vsebench's code or a plug-in differs"):
        refuse_another(replace(plan.runs[0], code="0" * 16), dataset.fingerprint)
    weights.unlink()
    with pytest.raises(ClusterError, match=f"the files that its options name \\({weights}\\)"):
        refuse_another(plan.runs[1], dataset.fingerprint)


def test_a_gpu_that_pytorch_does_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    job = Job(tmp_path, "f", (), device="auto", threads=1, cache=True, gpus=1)
    with pytest.raises(ClusterError, match="PyTorch sees none"):
        _device(job)
    assert _device(replace(job, device="cpu")).type == "cpu"
    assert _device(replace(job, gpus=0, device="cpu")).type == "cpu"
