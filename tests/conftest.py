"""Fixtures that several tests share."""

from __future__ import annotations

import gc
import inspect
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image

from vsebench.core.plugins import LOADED_PLUGINS
from vsebench.core.registry import KINDS

# One thread: tests run several processes on few cores, and results must not depend on the number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

#: Set in the process of a test that has one of its own.
OWN_PROCESS = "VSEBENCH_TEST_OWN_PROCESS"
ROOT = Path(__file__).resolve().parent.parent


#: What the tests of a file that run in a process of their own gave there, by node id.
_OUTCOMES: pytest.StashKey[dict[str, tuple[Any, str, float]]] = pytest.StashKey()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put files with slow tests first, so that processes that share the others end at the same time.

    The full product of components takes hours: it runs only when its marker is asked for.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if "full_product" in (config.option.markexpr or ""):
        return
    left_out = [item for item in items if item.get_closest_marker("full_product")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all tests and modules again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use a process more than there are cores: some tests wait for others' processes, servers and time limits."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share tests among processes file by file: what the tests of a file share is made once."""
    from sharing import ByFile

    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run the tests of a file that are marked ``own_process`` in a process of their own.

    A library's threads may bring a process down long after the test that started them, and other tests with it.
    """
    if item.get_closest_marker("own_process") is None or os.environ.get(OWN_PROCESS):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    outcomes = item.config.stash.setdefault(_OUTCOMES, {})
    if item.nodeid not in outcomes:
        outcomes.update(_in_own_process(item))
    outcome, text, seconds = outcomes.pop(item.nodeid)
    longrepr: Any = {"passed": None, "failed": text, "skipped": (str(item.path), 0, f"Skipped: {text}")}[outcome]
    keywords = dict.fromkeys(item.keywords, 1)
    report = pytest.TestReport(
        item.nodeid, item.location, keywords, outcome, longrepr, "call", duration=seconds, start=0.0, stop=seconds
    )
    item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    # The test before this one left set up what this one seemed to need; the next one may be in another folder.
    item.session._setupstate.teardown_exact(nextitem)
    return True


def pytest_timeout_set_timer(item: pytest.Item) -> bool | None:
    """Leave the time limits of tests in a process of their own to that process."""
    return True if item.get_closest_marker("own_process") and not os.environ.get(OWN_PROCESS) else None


def _in_own_process(item: pytest.Item) -> dict[str, tuple[Any, str, float]]:
    """Return outcome, message and seconds of a test and of those of its file that need such a process too."""
    items = [i for i in item.session.items if i.path == item.path and i.get_closest_marker("own_process")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
        command += ["--import-mode=importlib", f"--junitxml={report}", *(i.nodeid for i in items)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")} | {OWN_PROCESS: "1"}
        done = subprocess.run(
            command, cwd=item.config.rootpath, env=environment, capture_output=True, text=True, check=False
        )
        cases = list(ElementTree.parse(report).iter("testcase")) if report.is_file() else []
    output = done.stdout + done.stderr
    return {i.nodeid: _outcome([case for case in cases if case.get("name") == i.name], output) for i in items}


def _outcome(cases: list[ElementTree.Element], output: str) -> tuple[Any, str, float]:
    """Return outcome, message and seconds of a test from its parts of a report."""
    if not cases:  # its process ended before or within it
        return "failed", output, 0.0
    parts = [part for case in cases for part in case if part.tag in ("failure", "error", "skipped")]
    text = "\n".join(f"{part.get('message')}\n{part.text or ''}" for part in parts)
    seconds = sum(float(case.get("time", 0)) for case in cases)
    if any(part.tag != "skipped" for part in parts):
        return "failed", text, seconds
    return ("skipped" if parts else "passed"), text, seconds


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has a vsebench home of its own, W&B that never goes online, and no hub."""
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return


@pytest.fixture(autouse=True)
def _plugins() -> Iterator[None]:
    """A plug-in whose components a test has taken back is not loaded any more, or later tests' processes import it."""
    before = set(LOADED_PLUGINS)
    yield
    if new := set(LOADED_PLUGINS) - before:
        targets = [inspect.unwrap(c.target) for registry in KINDS.values() for c in registry.loaded()]
        registered = {inspect.getsourcefile(target) for target in targets}
        for name in new - registered:
            del LOADED_PLUGINS[name]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that may lie beside the project."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("no ../shared/data beside the project: real-data test not run")
    return folder


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset file of 60 small images in 3 classes, two captions each, with all three splits."""
    from vsebench.data.item import Item
    from vsebench.data.writer import DatasetWriter

    path = tmp_path_factory.mktemp("tiny") / "tiny.h5"
    rng = np.random.default_rng(0)
    words = ("red", "green", "blue")
    with DatasetWriter(path, name="tiny", title="Tiny", fractions={"train": 0.6, "val": 0.2, "test": 0.2}) as writer:
        for i in range(60):
            label = i % 3
            pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, label] += 150
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            texts = (f"a {words[label]} thing number {i}", f"{words[label]} indeed")
            regions = rng.normal(size=(1 + i % 4, 6)).astype(np.float32) + label
            features = {"image": regions, "text": rng.normal(size=(1, 5)).astype(np.float16)}
            group = f"group-{i // 2 * 3 + label}"
            writer.add(Item(f"item-{i}", buffer.getvalue(), texts, words[label], group=group, features=features))
    return path


TINY_CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
TINY_LSTM = {"name": "lstm", "dim_word": 8, "dim_hidden": 8}


@pytest.fixture
def tiny_experiment(tiny_file: Path) -> dict[str, Any]:
    """An experiment on the tiny dataset, as plain data: two quick rows."""
    base = {"system": "vse", "dim": 16, "image_encoder": TINY_CNN, "head": {"name": "mlp", "hidden": 16}}
    return {
        "experiment": "tiny",
        "dataset": str(tiny_file),
        "metrics": ["accuracy", "average_precision", "recall@{1,5}", "median_rank"],
        "seeds": [0],
        "train": {"epochs": 2, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 2e-3}},
        "systems": {
            "image only": {**base, "text_encoder": "none"},
            "both": {**base, "text_encoder": TINY_LSTM},
        },
    }


@pytest.fixture
def feature_experiment(tiny_experiment: dict[str, Any]) -> dict[str, Any]:
    """The tiny experiment on the dataset's precomputed features, for which a new process imports no encoders."""
    for row in tiny_experiment["systems"].values():
        row["image_encoder"] = "features"
    return tiny_experiment


@pytest.fixture
def write_experiment(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes an experiment, given as plain data or as text, to a file."""

    def write(content: Any, name: str = "experiment.yaml") -> Path:
        file = tmp_path / name
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        file.write_text(text, encoding="utf-8")
        return file

    return write
