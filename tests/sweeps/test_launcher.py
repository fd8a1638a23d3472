"""Processes that do one run together: what is refused, what a lost one leaves, how the run goes on."""

from __future__ import annotations

import io
import math
import os
import queue
import subprocess
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import crew_processes
import numpy as np
import pytest
import torch
from commands import vsebench
from pydantic import ValidationError
from safetensors.numpy import load_file

from vsebench.cli.executor import build_executor
from vsebench.config.schema import Prune, Spec, System, Train, WeightedSpec
from vsebench.core.errors import ConfigError
from vsebench.core.types import Result
from vsebench.runs.store import Store, read_history
from vsebench.runs.wandb_options import Wandb
from vsebench.sweeps.executors.base import Work
from vsebench.sweeps.launcher import Job, _Member, check
from vsebench.sweeps.plan import Run
from vsebench.sweeps.worker import Settings


def test_what_cannot_work_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="--device cuda:1 names one device, but --processes-per-run 2 needs as many"):
        check(2, "cuda:1")
    with pytest.raises(ConfigError, match="--processes-per-run 2 needs 2 GPUs, and there are 1; choose fewer proc"):
        check(2, "auto")
    check(2, "cpu")
    with pytest.raises(ConfigError, match="--processes-per-run belongs to --executor local; Ray gives"):
        build_executor("ray", Work(processes=2), {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"accelerate, which is not installed: pip install 'vsebench\[parallel\]'"):
        check(2, "cpu")


def test_a_job_survives_its_way_to_a_process() -> None:
    odd = {"infinite": math.inf, "third": 1e-7 / 3, "one": 1, "float": 1.0, "text": "é\n\u2028'", "none": None}
    system = System(
        recipe="own",
        dropout=0.25,
        image_encoder=Spec(name="timm_cnn", options={**odd, "mean": [0.5, 1.0], "model_args": {"a": {"b": True}}}),
        pooling={"image": Spec(name="mean")},
        head=None,
        objective=[WeightedSpec(name="triplet", weight=math.inf, on="scores")],
        rerank_top=7,
        train=Train(grad_clip=math.inf, lr_scale={"image_encoder": 0.1}, bucket_batches=3),
    )
    run = Run(
        run_id="0123456789abcdef",
        experiment="tiny",
        name="a row",
        section="sweep",
        system=system,
        seed=2**70,
        metrics=("accuracy", "recall@{1,5}"),
        select_metric="val/accuracy",
        select_mode="min",
        dataset={"name": "mmfrb", "options": odd},
        axes=(("fusion", "gated"), ("dim", "8")),
        plugins=(Path("/somewhere/with a space/é.py"), Path("b.py")),
        prune=Prune(min_epochs=2, reduction=4),
        gallery="database",
        status="started",
        code="0123",
    )
    settings = Settings(
        store_root=Path("runs"),
        dataset_path=Path(os.fsdecode(b"/\xff not UTF-8/set.h5")),
        device="cuda",
        threads=3,
        processes=2,
        wandb=Wandb("offline", "other", "team", ("a", "b"), system=False, artifacts=True),
        cache=False,
        plugins=(Path("c.py"),),
    )
    job = Job(run, settings, 1, Path("/a/meeting"), cpu=True)
    for part, made in ((Run, run), (Settings, settings)):
        for field in fields(part):
            assert field.default is MISSING or getattr(made, field.name) != field.default, f"{field.name} says nothing"
    line = job.line()
    assert line.index(b"\n") == len(line) - 1, "the process reads one line; the rest of its input tells it when to end"
    again = Job.read(line)
    assert again == job
    assert repr(again) == repr(job), "1 and 1.0 are equal, but not the same"
    plain = Job(replace(run, dataset="mmfrb", prune=None), Settings(Path("runs"), Path("set.h5")), 0, Path("m"), False)
    assert Job.read(plain.line()) == plain


def test_a_process_that_is_killed_in_the_middle_of_a_word_has_ended() -> None:
    member = _Member.__new__(_Member)
    member.number, member.heard = 1, queue.SimpleQueue()
    member.output = io.BytesIO(b'{"kind": "progress", "text": "half"}\n{"kind": "fau')  # type: ignore[assignment]
    member._read()
    assert member.heard.get_nowait() == (1, {"kind": "progress", "text": "half"})
    assert member.heard.get_nowait() == (1, None)


def test_a_job_of_another_shape_is_refused() -> None:
    with pytest.raises(ValidationError, match="Field required"):
        Job.read(b'{"number": 1}\n')


#: An objective that ends its process, or fails in it, at a step of its own; and checkpoints after every epoch.
PLUGIN = '''
import os
import signal

import vsebench.engine.train
from vsebench.components.objective.cross_entropy import CrossEntropy
from vsebench.core.registry import OBJECTIVES

vsebench.engine.train.CHECKPOINT_EVERY_S = 0.0


@OBJECTIVES.register("mortal", source="a test")
class Mortal(CrossEntropy):
    """Cross entropy that ends its process.

    Shape: Output.logits (B, C), Batch.labels -> {"cross_entropy": scalar}.

    Example:
        >>> Mortal().label_smoothing
        0.0
    """

    def set_progress(self, epoch):
        process, how, when = os.environ.get("MORTAL", "9:none:0").split(":")
        if os.environ.get("RANK", "0") == process and epoch >= float(when):
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "raise":
                raise ValueError("this process cannot go on")
'''

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tiny_experiment: Any, write_experiment: Callable[[Any], Path], tmp_path: Path) -> Command:
    (tmp_path / "mortal.py").write_text(PLUGIN, encoding="utf-8")
    tiny_experiment["plugins"] = ["mortal.py"]
    tiny_experiment["train"].update(epochs=4, optimizer={"name": "sgd", "lr": 0.05})
    system = {**crew_processes.BASE, "objective": ["mortal", "info_nce"]}
    del system["train"]
    tiny_experiment["systems"] = {"mortal": system}
    file = write_experiment(tiny_experiment)

    def do(folder: str, processes: int, mortal: str = "9:none:0") -> subprocess.CompletedProcess[str]:
        words = ["sweep", file, "--processes-per-run", processes, "--device", "cpu", "--wandb", "disabled"]
        words += ["--workers", 1, "--runs", tmp_path / folder, "--board", tmp_path / folder / "board"]
        return vsebench(*map(str, words), env={"MORTAL": mortal})

    return do


def result_of(folder: Path) -> tuple[Result, dict[str, np.ndarray], list[dict[str, float]]]:
    """A run's result, its tensors and its history."""
    store = Store(folder, "tiny")
    (result,) = store.results()
    files = store.run_folder(result.run_id)
    tensors = load_file(files / "model.safetensors") if (files / "model.safetensors").exists() else {}
    if tensors:
        with np.load(files / "predictions-test.npz", allow_pickle=False) as stored:
            tensors["logits"] = stored["logits"]
    return result, tensors, read_history(files)


KILLED = "process {} of 2 of this run died (exit code -9; killed, or out of memory)."
RAISED = "ValueError: this process cannot go on"


@pytest.mark.slow
def test_the_command_goes_on_after_a_lost_process_with_any_number(command: Command, tmp_path: Path) -> None:
    assert command("whole", 1).returncode == 0
    wanted, weights, history = result_of(tmp_path / "whole")
    # so many processes, of which one is lost so, and continue later from the checkpoint before
    for processes, lost, message in (
        (2, "1:kill:1.0", KILLED.format(2)),
        (2, "0:raise:2.0", RAISED),
        (1, "0:kill:3.0", "its process was lost 2 times"),
    ):
        done = command("lost", processes, lost)
        assert done.returncode == 1, done.stderr
        failed, _, epochs = result_of(tmp_path / "lost")
        assert failed.status == "failed"
        assert message in (failed.error or "")
        assert len(epochs) == float(lost.rpartition(":")[2])
        assert list(tmp_path.glob("lost/tiny/*/checkpoint.pt"))
    done = command("lost", 2)
    assert done.returncode == 0, done.stderr
    result, again, epochs = result_of(tmp_path / "lost")
    assert result.hardware.get("processes", 1) == 2
    assert result.metrics.keys() == wanted.metrics.keys()
    assert result.metrics["test/accuracy"] == wanted.metrics["test/accuracy"]
    for one, other in zip(epochs, history, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)
    for name, value in weights.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    left = {p.name for p in Store(tmp_path / "lost", "tiny").run_folder(result.run_id).iterdir()}
    assert {"run.yaml", "vocabulary.json", "predictions-val.npz", "result.json"} <= left
    assert not any(name.startswith("checkpoint") or "partial" in name for name in left)
